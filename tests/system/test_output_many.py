"""Many who follow one job: each has every byte, and together they take little."""

import contextlib
import os

import pytest

from harness import wait_until
from over_http import body_of, get, read_all
from streams import Gate, events_of, written

MANY = 120


def ask(reeve, job, tail, more=b""):
    """A request that fits both doors."""
    host = "{}:{}".format(*reeve.address).encode()
    token = b"Authorization: Bearer " + reeve.token.encode() + b"\r\n"
    return get(f"/v1/jobs/{job['id']}/output{tail}", token + more).replace(b"localhost", host)


def outputs_open(pid):
    """The outputs that the process has open, each as often as it has."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return sorted(os.path.basename(n.removesuffix(" (deleted)")) for n in names if "/output/" in n)


def followers(reeve):
    names = os.listdir(f"/proc/{reeve.httpapi.pid}/fd")
    count = 0
    for fd in names:
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/{reeve.httpapi.pid}/fd/{fd}").startswith("socket:")
    return count


@pytest.mark.parametrize("via", ["unix", "tcp"])
def test_all_who_follow_have_every_byte(reeve, via):
    """Raw and as events, from the start and from the middle, of both streams and of one; they
    share one open output, and nobody is left when it is over."""
    reeve.start(limits={"connections": 500, "connections_per_address": 500})
    idle = followers(reeve)
    with Gate(reeve) as gate, contextlib.ExitStack() as stack:
        job = reeve.sh(f"seq 1 2000; read line < {gate.path}; "
                       "for i in 1 2 3 4 5 6 7 8 9; do seq $i 4000; echo err $i >&2; done")
        reeve.wait_output(job, "2000")
        asked = [("?follow=1", b""), ("/events", b""), ("?follow=1&stream=stdout", b""),
                 ("/events?stream=stderr", b""), ("?follow=1", b"Range: bytes=77-\r\n"),
                 ("/events", b"Last-Event-ID: 1:77\r\n")]
        socks = []
        for i in range(MANY):
            socks.append(stack.enter_context(reeve.raw_socket(via)))
            socks[-1].sendall(ask(reeve, job, *asked[i % len(asked)]))
        wait_until(lambda: followers(reeve) >= idle + MANY, "all are connected")
        for sock in socks:
            assert b" 20" in sock.recv(13)
        shared = outputs_open(reeve.httpapi.pid)
        assert shared == [f"{job['id']}-1.idx", f"{job['id']}-1.log"], shared
        gate.write("go\n")
        bodies = [body_of(b"HTTP/1.1 20" + read_all(sock)) for sock in socks]
        reeve.wait(job)
    whole, stdout, stderr = (reeve.output(job, q) for q in ("", "?stream=stdout", "?stream=stderr"))
    wanted = [whole, whole, stdout, stderr, whole[77:], whole[77:]]
    for i, body in enumerate(bodies):
        got = written(events_of(body)) if b"event: end" in body[-1000:] else body
        assert got == wanted[i % len(asked)], (i, len(got))
    wait_until(lambda: not outputs_open(reeve.httpapi.pid), "the output is closed")


def test_those_who_leave_take_nothing_from_those_who_stay(reeve):
    reeve.start(limits={"connections": 500})
    with Gate(reeve) as gate, contextlib.ExitStack() as stack:
        job = reeve.sh(f"while read line < {gate.path} && [ $line != end ]; do seq 1 500; done")
        reeve.wait_running(job)
        staying = [stack.enter_context(reeve.raw_socket()) for _ in range(10)]
        for sock in staying:
            sock.sendall(ask(reeve, job, "?follow=1"))
        for _ in range(5):
            leaving = [reeve.raw_socket() for _ in range(20)]
            for i, sock in enumerate(leaving):
                sock.sendall(ask(reeve, job, ("?follow=1", "/events")[i % 2]))
                sock.recv(1)
            gate.write("go\n")
            for sock in leaving:
                sock.close()
        gate.write("end\n")
        bodies = [body_of(read_all(sock)) for sock in staying]
        reeve.wait(job)
    assert len(bodies[0]) >= 1892
    assert bodies == [reeve.output(job)] * 10


def test_many_read_a_finished_output(reeve):
    """Each at its own place: they share nothing, and each gives back what it had."""
    reeve.start(limits={"connections": 500})
    job = reeve.run("seq", "100000")
    whole = reeve.output(job)
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(reeve.raw_socket()) for _ in range(60)]
        for i, sock in enumerate(socks):
            sock.sendall(ask(reeve, job, ("?follow=1", "/events", "?tail_lines=90000")[i % 3]))
        for i, sock in enumerate(socks):
            body = body_of(read_all(sock))
            if i % 3 == 2:
                assert body == whole[whole.index(b"10001\n"):]
            else:
                assert (written(events_of(body)) if i % 3 else body) == whole
    wait_until(lambda: not outputs_open(reeve.httpapi.pid), "all outputs are closed")


def test_those_who_wait_do_not_hold_up_who_reads(reeve):
    """Many streams in which nothing happens, and beside them a finished output of some thousand
    blocks: one pause for each of them after each block would take longer than the limit."""
    reeve.start(limits={"connections": 500})
    job = reeve.run("seq", "2300000")
    whole = reeve.output(job)
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            sock = stack.enter_context(reeve.raw_socket())
            sock.sendall(get("/v1/events", b"Accept: text/event-stream\r\n"))
            assert b" 200" in sock.recv(13)
        for tail in ("?follow=1", "/events"):
            sock = stack.enter_context(reeve.raw_socket())
            sock.sendall(ask(reeve, job, tail))
            body = body_of(read_all(sock))
            assert (written(events_of(body)) if tail == "/events" else body) == whole
