"""Waiting and following: who waits costs no thread, misses nothing, and goes when it goes."""

import contextlib
import json
import os
import select
import signal
import socket
import threading
import time

import pytest

from harness import LIMIT_S, wait_until
from over_http import body_of, get, join_threads, read_all, start_threads
from streams import Gate

MANY = 300


def threads_of(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def sockets_of(pid):
    """How many a daemon has open: when it has just started, those that it listens on."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return count


def wait_sockets(pid, count):
    wait_until(lambda: sockets_of(pid) == count, lambda: f"{sockets_of(pid)} sockets to be {count}")


# --- waiting --------------------------------------------------------------------------------


def test_wait_on_submission_answers_with_the_end(reeve):
    reeve.start()
    answer = reeve.request("POST", "/v1/jobs?wait=30", {"command": "sh", "args": ["-c", "exit 3"]})
    assert answer.status == 201
    assert (answer.json()["state"], answer.json()["exit_code"]) == ("failed", 3)
    assert answer.headers["Location"] == "/v1/jobs/" + answer.json()["id"]


def test_wait_ends_when_the_job_does(reeve):
    reeve.start()
    with Gate(reeve) as gate, reeve.raw_socket("unix") as sock:
        job = reeve.sh(f"read line < {gate.path}")
        sock.sendall(get(f"/v1/jobs/{job['id']}?wait=60"))
        reeve.wait_running(job)
        assert not select.select([sock], [], [], 0)[0]
        gate.write("go\n")
        assert json.loads(body_of(read_all(sock)))["state"] == "succeeded"


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


def test_nobody_waits_for_the_look_once_a_second(reeve):
    """Twenty times: a cancel wakes its waiter, and a submission the worker, at once. Without
    the bell each would take until the next look, half a minute in all."""
    reeve.write_config()
    reeve.start_httpapi()
    began = time.monotonic()
    for _ in range(20):
        job = reeve.submit("true")
        with reeve.raw_socket("unix") as sock:
            sock.sendall(get(f"/v1/jobs/{job['id']}?wait=60"))
            assert reeve.cancel(job).status == 200
            assert json.loads(body_of(read_all(sock)))["state"] == "cancelled"
    reeve.start_worker()
    for _ in range(20):
        assert reeve.submit("true", query="?wait=60")["state"] == "succeeded"
    assert time.monotonic() - began < 15


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
                        "VALUES (1, ?, 'ended', 'cancelled', zeroblob(24))", row)
        began = time.monotonic()
        assert json.loads(body_of(read_all(sock)))["state"] == "cancelled"
        assert time.monotonic() - began < 30


def test_hundreds_wait_and_nobody_starves(reeve):
    reeve.start(limits={"connections": 2000}, slots=1)
    idle = sockets_of(reeve.httpapi.pid)
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(reeve))
        job = reeve.sh(f"read line < {gate.path}; echo all of it")
        reeve.wait_running(job)
        reeve.request("GET", "/healthz/live")
        before = threads_of(reeve.httpapi.pid)
        waiting = [stack.enter_context(reeve.raw_socket("unix")) for _ in range(MANY)]
        for i, sock in enumerate(waiting):
            sock.sendall(get(f"/v1/jobs/{job['id']}" + ("?wait=60", "/output?follow=1")[i % 2]))
        wait_sockets(reeve.httpapi.pid, idle + MANY)
        # Plain requests, each on a new connection and on kept ones, answered meanwhile.
        kept = [stack.enter_context(contextlib.closing(reeve.connect())) for _ in range(16)]
        for i in range(200):
            assert reeve.request("GET", "/v1/whoami").status == 200
            answer = reeve.request("POST", "/v1/jobs", {"command": "true"}, conn=kept[i % 16])
            assert answer.status == 201
        assert threads_of(reeve.httpapi.pid) <= before + MANY // 100, "they cost threads"
        readable, _, _ = select.select(waiting[::2], [], [], 0)
        assert not readable, "a waiting request was answered before its job ended"
        gate.write("go\n")
        for i, sock in enumerate(waiting):
            body = body_of(read_all(sock))
            if i % 2:
                assert body == b"all of it\n"
            else:
                assert json.loads(body)["state"] == "succeeded"


@pytest.mark.parametrize("via", ["unix", "tcp"])
@pytest.mark.parametrize("tail", ["?wait=60", "/output?follow=1"])
def test_who_hangs_up_is_forgotten(reeve, tail, via):
    """At once and by itself: no other request comes that could wake the server's threads."""
    reeve.write_config()
    reeve.start_httpapi()
    pid = reeve.httpapi.pid
    before = sockets_of(pid)
    job = reeve.submit("true")
    host = "{}:{}".format(*reeve.address).encode()
    data = get(f"/v1/jobs/{job['id']}{tail}", b"Authorization: Bearer " + reeve.token.encode() + b"\r\n")
    data = data.replace(b"localhost", host)
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            stack.enter_context(reeve.raw_socket(via)).sendall(data)
        wait_sockets(pid, before + 60)
        assert reeve.request("GET", "/healthz/live").status == 200
    wait_sockets(pid, before)
    assert reeve.request("GET", "/healthz/live").status == 200


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("tail", ["?wait=60", "/output?follow=1"])
def test_who_hangs_up_beside_an_idle_connection_is_forgotten(reeve, tail, version):
    """A server thread with an older connection that does nothing lets go of the others."""
    reeve.write_config(http={"threads": 1, "header_deadline_s": 600}, limits={"connections": 100})
    reeve.start_httpapi()
    pid = reeve.httpapi.pid
    before = sockets_of(pid)
    job = reeve.submit("true")
    with contextlib.closing(reeve.connect()) as idle, contextlib.ExitStack() as stack:
        assert reeve.request("GET", "/healthz/live", conn=idle).status == 200
        data = get(f"/v1/jobs/{job['id']}{tail}").replace(b"HTTP/1.1", b"HTTP/" + version.encode())
        for _ in range(5):
            stack.enter_context(reeve.raw_socket("unix")).sendall(data)
        wait_sockets(pid, before + 6)
        stack.close()
        wait_sockets(pid, before + 1)
        assert reeve.request("GET", "/healthz/live", conn=idle).status == 200


def test_following_in_http_1_0_ends_with_the_connection(reeve):
    """It knows no chunks. The server keeps nothing of it, though an idle connection is older."""
    reeve.start(http={"threads": 1, "header_deadline_s": 600}, limits={"connections": 100}, slots=1)
    pid = reeve.httpapi.pid
    before = sockets_of(pid)
    with Gate(reeve) as gate, contextlib.closing(reeve.connect()) as idle:
        job = reeve.sh(f"read line < {gate.path}; echo all of it")
        assert reeve.request("GET", "/healthz/live", conn=idle).status == 200
        with reeve.raw_socket("unix") as sock:
            sock.sendall(get(f"/v1/jobs/{job['id']}/output?follow=1").replace(b"HTTP/1.1", b"HTTP/1.0"))
            wait_sockets(pid, before + 2)
            gate.write("go\n")
            head, _, body = read_all(sock).partition(b"\r\n\r\n")
            assert b" 200 " in head and b"chunked" not in head.lower()
            assert body == b"all of it\n"
        wait_sockets(pid, before + 1)


@pytest.mark.parametrize("via", ["unix", "tcp"])
def test_who_closes_one_side_waits_no_longer(reeve, via):
    """From here it looks like hanging up; who still reads gets the answer as of now."""
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    host = "{}:{}".format(*reeve.address).encode()
    for tail in ("?wait=60", "/output?follow=1"):
        data = get(f"/v1/jobs/{job['id']}{tail}", b"Authorization: Bearer " + reeve.token.encode() + b"\r\n")
        answer = reeve.raw(data.replace(b"localhost", host), via, half_close=True)
        if tail.startswith("?"):
            assert json.loads(body_of(answer))["state"] == "queued"
        else:
            assert not answer.endswith(b"0\r\n\r\n")
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


@pytest.mark.parametrize("count", [127, 128, 129, 256])
def test_many_requests_at_the_same_moment_are_all_answered(reeve, count):
    """Whatever their number is: the library lists 128 at a time."""
    reeve.write_config(http={"threads": 1, "header_deadline_s": 600})
    reeve.start_httpapi()
    request = get("/v1/whoami").replace(b"Connection: close\r\n", b"")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(reeve.raw_socket("unix")) for _ in range(count)]

        def ask():
            for client in clients:
                client.sendall(request)

        def hear():
            for client in clients:
                assert client.recv(65536).startswith(b"HTTP/1.1 200 ")
        ask()
        hear()
        os.kill(reeve.httpapi.pid, signal.SIGSTOP)
        ask()
        os.kill(reeve.httpapi.pid, signal.SIGCONT)
        hear()


# --- following ------------------------------------------------------------------------------


def test_follow_brings_each_piece_when_it_is_written(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"while read line; do echo $line; done < {gate.path}")
        with reeve.stream(f"/v1/jobs/{job['id']}/output?follow=1") as stream:
            for i in range(20):
                wanted = f"piece {i}\n".encode()
                gate.write(wanted.decode())
                got = b""
                while len(got) < len(wanted):
                    piece = stream.read1(100)
                    assert piece, f"the output ended at piece {i}"
                    got += piece
                assert got == wanted
            reeve.cancel(job)
            assert stream.read() == b""


def test_ranges_of_a_growing_output_put_together_are_the_whole(reeve):
    """Each answer pins the length at its start; the next one goes on where it ended."""
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"while read line; do printf %01000d $line; done < {gate.path}")
        got = b""
        path = f"/v1/jobs/{job['id']}/output"
        for i in range(1, 21):
            gate.write(f"{i}\n")

            def more():
                answer = reeve.request("GET", path, headers={"Range": f"bytes={len(got)}-"})
                if answer.status == 416:
                    assert answer.headers["Content-Range"] == f"bytes */{len(got)}"
                    return None
                assert answer.status == 206
                total = int(answer.headers["Content-Range"].split("/")[1])
                assert len(answer.body) == total - len(got)
                return answer.body
            while len(got) < i * 1000:
                got += wait_until(more, f"more than {len(got)} bytes")
        reeve.cancel(job)
        reeve.wait(job)
        assert got == b"".join(b"%01000d" % i for i in range(1, 21)) == reeve.output(job)


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
    threads = start_threads(follow, [(s,) for s in ("both", "stdout", "stderr")])
    for _ in threads:
        assert started.acquire(timeout=LIMIT_S)
    if before_start:
        reeve.start_worker()
    join_threads(threads)
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
    threads = start_threads(lambda i, job: got.update({i: body_of(follow_raw(reeve, job))}),
                            enumerate(jobs))
    reeve.start_worker()
    join_threads(threads)
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
