"""Waiting and following: who waits costs no thread, misses nothing, and goes when it goes."""

import contextlib
import hashlib
import json
import os
import select
import socket
import threading
import time

import pytest

from harness import LIMIT_S, children_of, job_id, proc_read, wait_until  # noqa: F401

MANY = 300


def get(path, via_header=b""):
    return (b"GET " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + via_header
            + b"Connection: close\r\n\r\n")


def read_all(sock):
    pieces = []
    while chunk := sock.recv(65536):
        pieces.append(chunk)
    return b"".join(pieces)


def body_of(answer):
    """The body of one response, chunks put together; fails on a cut one."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return rest
    pieces, at = [], 0
    while True:
        line = rest.index(b"\r\n", at)
        size = int(rest[at:line], 16)
        if size == 0:
            return b"".join(pieces)
        pieces.append(rest[line + 2:line + 2 + size])
        at = line + size + 4


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def fds_of(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


# --- waiting --------------------------------------------------------------------------------


def test_wait_on_submission_answers_with_the_end(reeve):
    reeve.start()
    answer = reeve.request("POST", "/v1/jobs?wait=30", {"command": "sh", "args": ["-c", "exit 3"]})
    assert answer.status == 201
    assert (answer.json()["state"], answer.json()["exit_code"]) == ("failed", 3)
    assert answer.headers["Location"] == "/v1/jobs/" + answer.json()["id"]


def test_wait_ends_when_the_job_does(reeve):
    reeve.start()
    gate = os.path.join(reeve.work, "gate")
    os.mkfifo(gate)
    job = reeve.submit("cat", gate)
    got = []
    waiting = threading.Thread(
        target=lambda: got.append(reeve.request("GET", f"/v1/jobs/{job['id']}?wait=60")))
    waiting.start()
    reeve.wait_running(job)
    assert waiting.is_alive()
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    waiting.join(LIMIT_S)
    assert got[0].json()["state"] == "succeeded"


def test_wait_ends_when_the_time_is_over(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    began = time.monotonic()
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}?wait=0.3")
    assert answer.status == 200 and answer.json()["state"] == "queued"
    assert time.monotonic() - began >= 0.3


def test_a_preference_to_wait_is_honoured_and_said(reeve):
    reeve.start()
    answer = reeve.request("POST", "/v1/jobs", {"command": "true"},
                           headers={"Prefer": "respond-async, wait=20"})
    assert answer.status == 201 and answer.json()["state"] == "succeeded"
    assert answer.headers["Preference-Applied"] == "wait=20"
    answer = reeve.request("GET", "/v1/jobs/last", headers={"Prefer": "wait=x"})
    assert answer.status == 200 and answer.headers["Preference-Applied"] is None


def test_a_cancel_ends_the_waiting(reeve):
    """The change comes from the intake itself, which rings no bell for itself."""
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    with reeve.raw_socket("unix") as sock:
        sock.sendall(get(f"/v1/jobs/{job['id']}?wait=60"))
        assert reeve.cancel(job).status == 200
        assert json.loads(body_of(read_all(sock)))["state"] == "cancelled"


def test_a_row_written_by_hand_ends_the_waiting(reeve):
    """Nobody rings; the look once a second finds it."""
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    with reeve.raw_socket("unix") as sock:
        sock.sendall(get(f"/v1/jobs/{job['id']}?wait=60"))
        row = reeve.sql("SELECT id FROM jobs")[0][0]
        reeve.sql_write("UPDATE jobs SET state = 'cancelled', finished_at = submitted_at, version = 2 "
                        "WHERE id = ?", row)
        reeve.sql_write("INSERT INTO events (at, job_id, kind, state, hash) "
                        "VALUES (1, ?, 'ended', 'cancelled', zeroblob(32))", row)
        began = time.monotonic()
        assert json.loads(body_of(read_all(sock)))["state"] == "cancelled"
        assert time.monotonic() - began < 30


def test_hundreds_wait_and_nobody_starves(reeve):
    reeve.start(limits={"connections": 2000}, slots=1)
    gate = os.path.join(reeve.work, "gate")
    os.mkfifo(gate)
    job = reeve.submit("cat", gate)
    reeve.wait_running(job)
    reeve.request("GET", "/healthz/live")
    before = threads_of(reeve.httpapi.pid)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(reeve.raw_socket("unix")) for _ in range(MANY)]
        for i, sock in enumerate(waiting):
            sock.sendall(get(f"/v1/jobs/{job['id']}" + ("?wait=60", "/output?follow=1")[i % 2]))
        # Plain requests, each on a new connection and on kept ones, answered meanwhile.
        kept = [stack.enter_context(contextlib.closing(reeve.connect())) for _ in range(16)]
        for i in range(200):
            assert reeve.request("GET", "/v1/whoami").status == 200
            answer = reeve.request("POST", "/v1/jobs", {"command": "true"}, conn=kept[i % 16])
            assert answer.status == 201
        assert threads_of(reeve.httpapi.pid) == before
        readable, _, _ = select.select(waiting[::2], [], [], 0)
        assert not readable, "a waiting request was answered before its job ended"
        with open(gate, "w", encoding="ascii") as file:
            file.write("all of it\n")
        for i, sock in enumerate(waiting):
            body = body_of(read_all(sock))
            if i % 2:
                assert body == b"all of it\n"
            else:
                assert json.loads(body)["state"] == "succeeded"


@pytest.mark.parametrize("tail", ["?wait=60", "/output?follow=1"])
def test_who_hangs_up_is_forgotten(reeve, tail):
    reeve.write_config(limits={"connections": 2000})
    reeve.start_httpapi()
    job = reeve.submit("true")
    reeve.request("GET", "/v1/jobs/last")
    pid = reeve.httpapi.pid
    before = fds_of(pid)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(reeve.raw_socket("unix")).sendall(get(f"/v1/jobs/{job['id']}{tail}"))
        wait_until(lambda: fds_of(pid) >= before + 100, "a hundred connections")
        assert reeve.request("GET", "/healthz/live").status == 200
    wait_until(lambda: fds_of(pid) <= before + 4, lambda: f"{fds_of(pid)} descriptors to be {before}")
    assert reeve.request("GET", "/healthz/live").status == 200


def test_a_stop_answers_who_waits_and_cuts_who_follows(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    with reeve.raw_socket("unix") as waiting, reeve.raw_socket("unix") as following:
        waiting.sendall(get(f"/v1/jobs/{job['id']}?wait=60"))
        following.sendall(get(f"/v1/jobs/{job['id']}/output?follow=1"))
        head = following.recv(65536)
        assert b" 200 " in head
        began = time.monotonic()
        reeve.stop_httpapi()
        assert time.monotonic() - began < 30
        assert json.loads(body_of(read_all(waiting)))["state"] == "queued"
        # No last chunk: the client can tell this from the end of the output.
        assert b"0\r\n\r\n" not in head.partition(b"\r\n\r\n")[2] + read_all(following)


# --- output ---------------------------------------------------------------------------------


BYTES = bytes(range(256))


@pytest.fixture(scope="module")
def done():
    """A finished job whose two streams are known."""
    import harness
    one = harness.Reeve()
    one.start()
    job = one.run("sh", "-c", "cat; printf 'to stderr' >&2", stdin=BYTES * 40)
    yield one, job
    wrong = one.close(True)
    assert not wrong, wrong


OUT = BYTES * 40
ALL = OUT + b"to stderr"

RANGES = [
    (None, 200, ALL), ("bytes=0-", 206, ALL), ("bytes=0-0", 206, ALL[:1]),
    ("bytes=5-9", 206, ALL[5:10]), ("bytes=-9", 206, b"to stderr"),
    ("bytes=-99999", 206, ALL), ("bytes=100-99999", 206, ALL[100:]),
    (f"bytes={len(ALL) - 1}-", 206, ALL[-1:]),
    (f"bytes={len(ALL)}-", 416, None), ("bytes=99999-", 416, None), ("bytes=99999-100000", 416, None),
    ("bytes=-0", 416, None),
    # What we do not understand or do not do is ignored, as RFC 9110 says.
    ("bytes=9-5", 200, ALL), ("bytes=a-b", 200, ALL), ("bytes=-", 200, ALL), ("bytes=", 200, ALL),
    ("bytes=0-1,3-4", 200, ALL), ("lines=0-1", 200, ALL), ("bytes=+1-2", 200, ALL),
    ("bytes=1 - 2", 200, ALL), ("bytes=99999999999999999999999-", 200, ALL),
]


@pytest.mark.parametrize("value, status, body", RANGES, ids=[str(r[0]) for r in RANGES])
def test_range(done, value, status, body):
    reeve, job = done
    headers = {"Range": value} if value else {}
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output", headers=headers)
    assert answer.status == status
    if status == 416:
        assert answer.headers["Content-Range"] == f"bytes */{len(ALL)}"
        assert answer.json()["code"] == "range_not_satisfiable"
        return
    assert answer.body == body
    assert answer.headers["Accept-Ranges"] == "bytes"
    if status == 206:
        first = ALL.index(body) if len(body) > 1 else int(answer.headers["Content-Range"][6:].split("-")[0])
        assert answer.headers["Content-Range"] == f"bytes {first}-{first + len(body) - 1}/{len(ALL)}"
        assert ALL[first:first + len(body)] == body


def test_if_range_gets_the_whole(done):
    reeve, job = done
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output",
                           headers={"Range": "bytes=0-1", "If-Range": '"1"'})
    assert (answer.status, answer.body) == (200, ALL)


def test_streams_and_attempts(done):
    reeve, job = done
    assert reeve.output(job, "?stream=stdout") == OUT
    assert reeve.output(job, "?stream=stderr") == b"to stderr"
    assert reeve.output(job, "?stream=both&attempt=1") == ALL
    assert reeve.output(job, "?follow=1") == ALL
    assert reeve.output(job, "?follow=1&stream=stderr") == b"to stderr"
    for query, status in [("?attempt=2", 404), ("?attempt=0", 400), ("?attempt=x", 400),
                          ("?stream=stdin", 400), ("?follow=yes", 400), ("?tail=1", 400),
                          ("?follow=1&attempt=2", 404)]:
        assert reeve.request("GET", f"/v1/jobs/{job['id']}/output{query}").status == status
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output?stream=stdout",
                           headers={"Range": "bytes=256-511"})
    assert answer.body == BYTES


def test_head_of_an_output(done):
    reeve, job = done
    answer = reeve.request("HEAD", f"/v1/jobs/{job['id']}/output")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(ALL))
    assert reeve.request("HEAD", f"/v1/jobs/{job['id']}/output?follow=1").status == 200


def test_output_is_never_a_page(done):
    reeve, job = done
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_attempts_tell_usage_and_hash(done):
    reeve, job = done
    attempts = reeve.request("GET", f"/v1/jobs/{job['id']}/attempts").json()["items"]
    assert len(attempts) == 1
    one = attempts[0]
    assert (one["number"], one["state"], one["outcome"], one["exit_code"]) == (1, "ended", "exit", 0)
    assert one["output"] == job["output"]
    assert one["output"]["stdout_bytes"] == len(OUT) and one["output"]["stderr_bytes"] == 9
    kept = reeve.output(job)
    assert one["output"]["sha256"] == hashlib.sha256(kept).hexdigest()
    assert job["process"]["max_rss_bytes"] > 0


def test_output_before_the_start_is_empty(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("echo", "x")
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output")
    assert (answer.status, answer.body) == (200, b"")
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output", headers={"Range": "bytes=0-"})
    assert answer.status == 416 and answer.headers["Content-Range"] == "bytes */0"


def test_a_running_job_shows_its_process_and_output(reeve):
    reeve.start()
    job = reeve.sh("printf abc; printf de >&2; exec sleep 1000")
    reeve.wait_output(job, "de")
    found = wait_until(lambda: (j := reeve.job(job))["process"] and j["process"]["pid"] and j,
                       "a process in the job")
    assert found["state"] == "running"
    pid = found["process"]["pid"]
    assert f"REEVE_JOB_ID={job['id']}".encode() in proc_read(pid, "environ")
    assert found["process"]["max_rss_bytes"] > 0
    assert found["output"]["stored"] == "live"
    assert (found["output"]["stdout_bytes"], found["output"]["stderr_bytes"]) == (3, 2)
    assert reeve.output(job) in (b"abcde", b"deabc")
    assert reeve.request("GET", f"/v1/jobs/{job['id']}/output", headers={"Range": "bytes=-2"}).status == 206


# --- following ------------------------------------------------------------------------------


def test_follow_brings_each_piece_when_it_is_written(reeve):
    reeve.start()
    gate = os.path.join(reeve.work, "gate")
    os.mkfifo(gate)
    job = reeve.sh(f"while read line; do echo $line; done < {gate}")
    with (reeve.stream(f"/v1/jobs/{job['id']}/output?follow=1") as stream,
          open(gate, "w", buffering=1, encoding="ascii") as file):
        for i in range(20):
            file.write(f"piece {i}\n")
            wanted = f"piece {i}\n".encode()
            got = b""
            while len(got) < len(wanted):
                got += stream.read1(100)
            assert got == wanted
        reeve.cancel(job)
        assert stream.read() == b""


@pytest.mark.parametrize("before_start", [False, True], ids=["running", "not-started"])
def test_follow_brings_every_byte_of_a_busy_writer(reeve, before_start):
    """Large, in pieces of odd sizes, on both streams; ends in a file, not in a row."""
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.sh("i=0; while [ $i -lt 400 ]; do head -c 7777 /dev/zero | tr '\\0' a; "
                   "printf '%04d' $i; printf x >&2; i=$((i+1)); done")
    bodies = {}

    def follow(stream):
        with reeve.raw_socket("unix") as sock:
            sock.sendall(get(f"/v1/jobs/{job['id']}/output?follow=1&stream={stream}"))
            started.release()
            bodies[stream] = body_of(read_all(sock))

    started = threading.Semaphore(0)
    if not before_start:
        reeve.start_worker()
        reeve.wait_output(job, "0001")
    threads = [threading.Thread(target=follow, args=(s,)) for s in ("both", "stdout", "stderr")]
    for thread in threads:
        thread.start()
    for _ in threads:
        started.acquire()
    if before_start:
        reeve.start_worker()
    for thread in threads:
        thread.join(LIMIT_S)
    stdout = b"".join(b"a" * 7777 + b"%04d" % i for i in range(400))
    assert bodies["stdout"] == stdout
    assert bodies["stderr"] == b"x" * 400
    assert bodies["both"] == reeve.output(job)
    assert len(bodies["both"]) == len(stdout) + 400


def test_follow_of_a_silent_job_ends_with_it(reeve):
    reeve.start()
    job = reeve.sh("exec true")
    assert body_of(follow_raw(reeve, job)) == b""


def test_follow_of_a_job_that_never_starts_ends_with_its_cancel(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    with reeve.raw_socket("unix") as sock:
        sock.sendall(get(f"/v1/jobs/{job['id']}/output?follow=1"))
        assert b" 200 " in sock.recv(15, socket.MSG_WAITALL) + b" "
        reeve.cancel(job)
        assert read_all(sock).endswith(b"0\r\n\r\n")


def follow_raw(reeve, job):
    with reeve.raw_socket("unix") as sock:
        sock.sendall(get(f"/v1/jobs/{job['id']}/output?follow=1"))
        return read_all(sock)


def test_many_short_jobs_followed_from_before_their_start(reeve):
    """The seams between not started, growing, folded into the database: many at once."""
    reeve.write_config(limits={"connections": 2000})
    reeve.start_httpapi()
    jobs = [reeve.sh(f"echo {i}; echo {i} >&2") for i in range(60)]
    got = {}
    threads = [threading.Thread(target=lambda i=i, job=job: got.update({i: body_of(follow_raw(reeve, job))}))
               for i, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    reeve.start_worker()
    for thread in threads:
        thread.join(LIMIT_S)
    assert got == {i: b"%d\n%d\n" % (i, i) for i in range(60)}


def test_a_follower_that_does_not_read_delays_nobody(reeve):
    reeve.start()
    job = reeve.sh("head -c 30000000 /dev/zero")
    with reeve.raw_socket("unix") as lazy:
        lazy.sendall(get(f"/v1/jobs/{job['id']}/output?follow=1"))
        assert reeve.wait(job)["state"] == "succeeded"
        assert reeve.request("GET", "/v1/whoami").status == 200
        assert len(body_of(follow_raw(reeve, job))) == 30000000
        assert len(body_of(read_all(lazy))) == 30000000
