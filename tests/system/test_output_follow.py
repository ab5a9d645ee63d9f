"""The raw output over HTTP: its last lines, with times, from a byte on, while it grows, for slow
clients."""

import contextlib
import datetime
import os
import re

import pytest

import harness
from harness import wait_until
from over_http import get, read_all
from streams import Gate

STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ")


def path(job, query=""):
    return f"/v1/jobs/{job['id']}/output{query}"


# --- the last lines --------------------------------------------------------------------------

TEXTS = [b"", b"\n", b"one", b"one\n", b"one\ntwo", b"one\ntwo\n", b"\n\n\nx\n\n", b"a\nb\nc\nd\ne\n",
         b"\0\xff\n" * 5 + b"\xfe", b"".join(b"line %d\n" % i for i in range(5000))]


@pytest.fixture(scope="module")
def server():
    one = harness.Reeve()
    one.start()
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def last_lines(text, count):
    return b"".join(re.findall(rb"[^\n]*\n|[^\n]+$", text)[-count:]) if count else b""


@pytest.mark.parametrize("text", TEXTS, ids=[str(t[:12]) for t in TEXTS])
def test_tail_lines(server, text):
    job = server.run("cat", stdin=text)
    for count in (0, 1, 2, 3, 4999, 5000, 2147483647):
        for query in ("", "&stream=stdout", "&follow=1"):
            answer = server.request("GET", path(job, f"?tail_lines={count}{query}"))
            assert (answer.status, answer.body) == (200, last_lines(text, count)), (count, query)
    assert server.output(job, "?tail_lines=3&stream=stderr") == b""
    head = server.request("HEAD", path(job, "?tail_lines=1"))
    assert (head.status, head.body) == (200, b"")


def test_tail_lines_of_each_stream(server):
    job = server.sh("for i in 1 2 3 4; do echo out $i; sleep 0.02; echo err $i >&2; sleep 0.02; done")
    server.wait(job)
    assert server.output(job, "?tail_lines=3") == b"err 3\nout 4\nerr 4\n"
    assert server.output(job, "?tail_lines=3&stream=stdout") == b"out 2\nout 3\nout 4\n"
    assert server.output(job, "?tail_lines=1&stream=stderr&follow=1") == b"err 4\n"


def test_following_from_the_last_lines_on(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"seq 1 1000; read line < {gate.path}; echo more; printf unfinished")
        reeve.wait_output(job, "1000")
        with reeve.stream(path(job, "?follow=1&tail_lines=2")) as stream:
            assert stream.read(9) == b"999\n1000\n"
            gate.write("go\n")
            assert stream.read() == b"more\nunfinished"
        # Nothing was there yet: all of it comes.
        later = reeve.submit("echo", "all", hold=True)
        with reeve.stream(path(later, "?follow=1&tail_lines=0")) as stream:
            reeve.request("POST", f"/v1/jobs/{later['id']}/release")
            assert stream.read() == b"all\n"


# --- times -----------------------------------------------------------------------------------

def unstamped(body):
    """The text without the times, and the times; every line must have one."""
    times, text = [], b""
    for line in re.findall(rb"[^\n]*\n|[^\n]+$", body):
        stamp = STAMP.match(line)
        assert stamp, line
        times.append(stamp[1].decode())
        text += line[stamp.end():]
    return text, times


@pytest.mark.parametrize("text", TEXTS, ids=[str(t[:12]) for t in TEXTS])
def test_times_stand_before_each_line(server, text):
    job = server.run("cat", stdin=text)
    for query in ("", "&follow=1", "&stream=stdout", "&tail_lines=2", "&tail_lines=2&follow=1"):
        answer = server.request("GET", path(job, "?timestamps=1" + query))
        plain, times = unstamped(answer.body)
        wanted = last_lines(text, 2) if "tail" in query else text
        assert (answer.status, plain) == (200, wanted), query
        assert times == sorted(times)
        assert all(job["started_at"] <= t <= job["finished_at"] for t in times)
    assert server.output(job, "?timestamps=1&stream=stderr") == b""


def test_times_tell_when_a_line_began(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"echo first; printf beg; read line < {gate.path}; echo inning; printf end")
        with reeve.stream(path(job, "?follow=1&timestamps=1")) as stream:
            got = b""
            while not got.endswith(b"beg"):
                got += stream.read1(4096)
            began = unstamped(got)[1][1]

            def later():
                """A time that cannot be taken for the same."""
                now = reeve.submit("true", hold=True)["submitted_at"]
                return now if when(now) - when(began) > 0.02 else None

            opened = wait_until(later, "some time has passed")
            gate.write("go\n")
            text, times = unstamped(got + stream.read())
        assert text == b"first\nbeginning\nend"
        assert times[0] <= times[1] == began < opened < times[2]


def when(text):
    return datetime.datetime.fromisoformat(text).timestamp()


def test_a_running_output_with_times_ends_where_it_is(reeve):
    reeve.start()
    job = reeve.sh("echo one; echo two; exec sleep 1000")
    reeve.wait_output(job, "two")
    assert unstamped(reeve.output(job, "?timestamps=1"))[0] == b"one\ntwo\n"


# --- what cannot be had together -------------------------------------------------------------

@pytest.mark.parametrize("query, header, names", [
    ("?tail_lines=1", "bytes=0-", ("tail_lines", "Range")),
    ("?tail_lines=1&follow=1", "bytes=0-", ("tail_lines", "Range")),
    ("?timestamps=1", "bytes=0-1", ("timestamps", "Range")),
    ("?timestamps=1&follow=1", "bytes=3-", ("timestamps", "Range")),
    ("?follow=1", "bytes=0-5", ("follow", "Range")), ("?follow=1", "bytes=-5", ("follow", "Range")),
    ("?tail_lines=-1", None, ("tail_lines",)), ("?tail_lines=x", None, ("tail_lines",)),
    ("?timestamps=2", None, ("timestamps",)),
])
def test_nonsense_is_refused(server, query, header, names):
    job = server.run("echo", "hello")
    answer = server.request("GET", path(job, query), headers={"Range": header} if header else {})
    assert answer.status == 400
    assert all(name in answer.json()["detail"] for name in names), answer
    assert answer.json()["errors"][0]["parameter"] == names[0]


# --- from a byte on --------------------------------------------------------------------------

def test_following_from_a_byte_on(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"printf 0123456789; read line < {gate.path}; printf abc")
        reeve.wait_output(job, "0123456789")
        for value in ("bytes=4-", "bytes=10-", "bytes=4-9007199254740991"):
            with reeve.stream(path(job, "?follow=1"), {"Range": value}) as stream:
                first = int(value[6:].split("-")[0])
                assert stream.status == 206
                assert stream.headers["Content-Range"] == f"bytes {first}-9007199254740991/*"
                assert stream.headers["Reeve-Attempt"] == "1"
                if first < 10:
                    assert stream.read(10 - first) == b"0123456789"[first:]
        beyond = reeve.request("GET", path(job, "?follow=1"), headers={"Range": "bytes=11-"})
        assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */10")
        gate.write("go\n")
        reeve.wait(job)
    for first in (0, 4, 12, 13):
        answer = reeve.request("GET", path(job, "?follow=1"), headers={"Range": f"bytes={first}-"})
        assert (answer.status, answer.body) == (206, b"0123456789abc"[first:])
    beyond = reeve.request("GET", path(job, "?follow=1"), headers={"Range": "bytes=14-"})
    assert (beyond.status, beyond.headers["Content-Range"]) == (416, "bytes */13")


@pytest.mark.parametrize("stream", ["both", "stdout", "stderr"])
def test_a_follower_that_is_cut_resumes_exactly(reeve, stream):
    reeve.start()
    job = reeve.sh("i=0; while [ $i -lt 3000 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done")
    got, cuts = b"", 0
    while True:
        headers = {"Range": f"bytes={len(got)}-"}
        with reeve.stream(path(job, f"?follow=1&attempt=1&stream={stream}"), headers) as answer:
            if answer.status == 404:  # it has not started
                continue
            assert answer.status == 206
            piece = answer.read1(997 + cuts)
            got += piece
        if not piece:
            break
        cuts += 1
    reeve.wait(job)
    assert got == reeve.output(job, f"?stream={stream}") and cuts > 10


def test_a_range_is_stable_while_the_output_grows(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"head -c 20000000 /dev/zero; printf END; read line < {gate.path}; head -c 9000 /dev/zero")
        reeve.wait_running(job)
        wait_until(lambda: reeve.job(job)["output"]["stdout_bytes"] == 20000003, "the first part")
        for headers in ({}, {"Range": "bytes=5-"}):
            with reeve.stream(path(job), headers) as stream:
                length = int(stream.headers["Content-Length"])
                assert length == 20000003 - (5 if headers else 0)
                if headers:
                    assert stream.headers["Content-Range"] == "bytes 5-20000002/20000003"
                    gate.write("go\n")
                    reeve.wait(job)
                body = stream.read()
                assert len(body) == length and body.endswith(b"\0END")
    assert len(reeve.output(job)) == 20009003


# --- from attempt to attempt -----------------------------------------------------------------

AGAIN = {"retry": {"max_attempts": 3, "delay_s": 0.05, "on": ["exit"]}}


def test_following_goes_on_with_the_next_attempt(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.sh('printf "try $REEVE_ATTEMPT"; test $REEVE_ATTEMPT = 3', **AGAIN)
    with reeve.stream(path(job, "?follow=1")) as stream, \
            reeve.stream(path(job, "?follow=1&timestamps=1")) as stamped:
        reeve.start_worker()
        assert stream.read() == b"try 1try 2try 3"
        text, times = unstamped(stamped.read())
        assert text == b"try 1\ntry 2\ntry 3" and times == sorted(times)
    assert reeve.wait(job)["state"] == "succeeded"
    # From here on the last is the default, and one that is named is alone.
    assert reeve.output(job, "?follow=1") == b"try 3"
    for number in (1, 2, 3):
        answer = reeve.request("GET", path(job, f"?follow=1&attempt={number}"))
        assert (answer.body, answer.headers["Reeve-Attempt"]) == (b"try %d" % number, str(number))


def test_following_one_attempt_ends_with_it(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"echo $REEVE_ATTEMPT; read line < {gate.path}; exit 1",
                       retry={"max_attempts": 2, "delay_s": 3600, "on": ["exit"]})
        reeve.wait_output(job, "1")
        with reeve.stream(path(job, "?follow=1&attempt=1")) as one, \
                reeve.stream(path(job, "?follow=1")) as whole:
            gate.write("go\n")
            assert one.read() == b"1\n"
            assert reeve.wait_state(job, "waiting")["attempt"] == 1
            reeve.cancel(job)
            assert whole.read() == b"1\n"


# --- clients ---------------------------------------------------------------------------------

@pytest.mark.parametrize("via", ["unix", "tcp"])
@pytest.mark.parametrize("tail", ["?follow=1", "/events"])
def test_who_takes_nothing_is_cut_and_resumes(reeve, via, tail):
    """The job is not delayed, and what the client has is a whole number of bytes of it."""
    reeve.start(http={"stall_s": 1})
    job = reeve.sh("head -c 40000000 /dev/zero | tr '\\0' '\\n'; echo end")
    host = "{}:{}".format(*reeve.address).encode()
    request = get(path(job, tail), b"Authorization: Bearer " + reeve.token.encode() + b"\r\n")
    with reeve.raw_socket(via) as lazy:
        lazy.sendall(request.replace(b"localhost", host))
        assert reeve.wait(job)["state"] == "succeeded"
        # Nobody reads from here on, until the server has given up.
        wait_until(lambda: f"{job['id']}" not in open_files(reeve), "the connection is cut")
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := lazy.recv(65536):
                answer += piece
    assert not answer.endswith(b"\r\n0\r\n\r\n")
    assert len(answer) < 40000000
    if tail == "?follow=1":
        got = whole_chunks(answer)
        rest = reeve.request("GET", path(job, tail), headers={"Range": f"bytes={len(got)}-"})
        assert got + rest.body == reeve.output(job)
    assert reeve.request("GET", "/healthz/live").status == 200


def open_files(reeve):
    """What the intake has open."""
    found = []
    for fd in os.listdir(f"/proc/{reeve.httpapi.pid}/fd"):
        try:
            found.append(os.readlink(f"/proc/{reeve.httpapi.pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
    return " ".join(found)


def whole_chunks(answer):
    """What a cut chunked body has brought, to its last byte."""
    rest, got = answer.partition(b"\r\n\r\n")[2], b""
    while b"\r\n" in rest:
        line, _, rest = rest.partition(b"\r\n")
        size = int(line, 16)
        got += rest[:size]
        rest = rest[size + 2:]
    return got


def test_times_in_http_1_0_end_with_the_connection(reeve):
    reeve.start()
    job = reeve.run("seq", "20000")
    for query in ("?timestamps=1", "?timestamps=1&follow=1"):
        with reeve.raw_socket("unix") as sock:
            sock.settimeout(harness.LIMIT_S)
            sock.sendall(get(path(job, query)).replace(b"HTTP/1.1", b"HTTP/1.0"))
            head, _, body = read_all(sock).partition(b"\r\n\r\n")
        assert b"chunked" not in head.lower()
        assert unstamped(body)[0] == reeve.output(job)
