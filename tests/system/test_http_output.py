"""Output over HTTP: whole, by stream, by range, and what is said about it."""

import hashlib

import pytest

import harness
from harness import proc_read, wait_until

BYTES = bytes(range(256))


@pytest.fixture(scope="module")
def done():
    """A finished job whose two streams are known."""
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
    for path, name, words in [("/output?attempt=0", "attempt", "is a number from 1 to 2147483647"),
                              ("/output?stream=stdin", "stream", "is both, stdout or stderr"),
                              ("/output?follow=2", "follow", "is 1 or 0 (or true or false)"),
                              ("/events?after=x", "after", None), ("/events?limit=501", "limit", None),
                              ("/graph?limit=100000", "limit", None), ("?wait=61", "wait", None)]:
        answer = reeve.request("GET", f"/v1/jobs/{job['id']}{path}")
        (fault,) = answer.json()["errors"]
        assert (answer.status, fault["parameter"]) == (400, name), answer
        assert words in (None, fault["detail"]) and answer.json()["detail"] == f"{name} {fault['detail']}"
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


@pytest.mark.parametrize("value", ["lines=0-1", "bytes=9-5", "bytes=0-1,3-4", "bytes=x"])
def test_a_range_that_is_ignored_excludes_nothing(done, value):
    reeve, job = done
    for query in ("?timestamps=1&stream=stderr", "?tail_lines=1&stream=stderr", "?follow=1&stream=stderr"):
        answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output{query}", headers={"Range": value})
        assert answer.status == 200 and answer.body.endswith(b"to stderr"), (query, answer)


@pytest.mark.parametrize("how", ["?", "?follow=1&", "?timestamps=1&", "/events?"])
def test_lines_that_reach_back_too_far_are_refused(reeve, how):
    """A line has no bound, the time that one request may take has."""
    reeve.start()
    job = reeve.run("sh", "-c", "seq 5; head -c 41943040 /dev/zero; echo; seq 5")
    path = f"/v1/jobs/{job['id']}/output{how}tail_lines="
    answer = reeve.request("GET", path + "10")
    assert answer.status == 400, answer
    assert [fault["parameter"] for fault in answer.json()["errors"]] == ["tail_lines"]
    assert reeve.request("HEAD", path + "10").status == 400
    answer = reeve.request("GET", path + "5")
    assert answer.status == 200 and len(answer.body) < 10000
