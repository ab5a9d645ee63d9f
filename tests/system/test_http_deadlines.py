"""Slow, many, greedy: what one client may take from the others."""

import contextlib
import json
import os
import resource
import select
import socket
import time

import pytest

from harness import wait_until
from over_http import read_all

HEAD = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n"
POST = (b"POST /v1/jobs?dry_run=1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n")

# A deadline that must not be the one that ends it is an hour: longer than any test waits.
PHASES = {"header_deadline_s": 1, "body_deadline_s": 2, "request_deadline_s": 3600}
WHOLE = {"header_deadline_s": 1, "body_deadline_s": 3600, "request_deadline_s": 2}

# Sent at once, then some bytes of the second again and again; the deadline that must end it.
SLOW = [
    ("nothing", b"", b"", PHASES, 1),
    ("the request line", b"GET /hea", b"a", PHASES, 1),
    ("the headers", HEAD, b"X-A: b\r\n", PHASES, 1),
    ("one header", HEAD + b"X-A: ", b"b", PHASES, 1),
    ("between two requests", HEAD + b"\r\n", b"", PHASES, 1),
    ("the second request", HEAD + b"\r\nGET /hea", b"a", PHASES, 1),
    ("the second request's headers", HEAD + b"\r\n" + HEAD, b"X-A: b\r\n", PHASES, 1),
    ("the body", POST + b'{"command":"', b"a", PHASES, 2),
    ("chunks", POST.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked"),
     b"1\r\n \r\n", PHASES, 2),
    ("a refused body", POST.replace(b"application/json", b"text/plain"), b"a", PHASES, 2),
    ("everything", POST + b'{"command":"', b"a", WHOLE, 2),
]


@pytest.mark.parametrize("via", ["unix", "tcp"])
@pytest.mark.parametrize("name, first, drip, deadlines, least_s", SLOW, ids=[s[0] for s in SLOW])
def test_a_slow_client_is_cut_while_a_good_one_is_served(reeve, via, name, first, drip, deadlines,
                                                         least_s):
    reeve.write_config(http=deadlines)
    reeve.start_httpapi()
    if via == "tcp":
        host = "{}:{}".format(*reeve.address).encode()
        first = first.replace(b"Host: localhost\r\n", b"Host: " + host + b"\r\nAuthorization: Bearer "
                              + reeve.token.encode() + b"\r\n")
    began = time.monotonic()
    with reeve.raw_socket(via) as sock:
        sock.sendall(first)
        sock.setblocking(False)

        def is_closed():
            assert reeve.request("GET", "/v1/whoami", via=via).status == 200
            with contextlib.suppress(BlockingIOError):
                try:
                    if drip:
                        sock.send(drip)
                    while chunk := sock.recv(65536):
                        assert b" 5" not in chunk.split(b"\r\n")[0]
                    return True
                except (BrokenPipeError, ConnectionResetError):
                    return True
            return False

        wait_until(is_closed, f"the end of a client that is slow with {name}", pause_s=0.05)
    # Not before its time: an honest client may use all of it.
    assert time.monotonic() - began >= least_s * 0.9


def test_each_answer_begins_the_time_anew(reeve):
    """Who goes on asking keeps the connection, for longer than any deadline."""
    reeve.write_config(http={"header_deadline_s": 2, "body_deadline_s": 2, "request_deadline_s": 2})
    reeve.start_httpapi()
    end = time.monotonic() + 4.5
    with contextlib.closing(reeve.connect()) as conn:
        assert reeve.request("GET", "/v1/whoami", conn=conn).status == 200
        sock = conn.sock
        while time.monotonic() < end:
            answer = reeve.request("POST", "/v1/jobs?dry_run=1", {"command": "true"}, conn=conn)
            assert answer.status == 200
        assert conn.sock is sock, "the connection was opened again"


def test_hundreds_of_slow_clients_and_a_good_one(reeve):
    reeve.write_config(http={"header_deadline_s": 2}, limits={"connections": 2000})
    reeve.start_httpapi()
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(reeve.raw_socket("unix")) for _ in range(400)]
        for sock in slow:
            sock.sendall(HEAD)
        for _ in range(50):
            assert reeve.request("GET", "/v1/whoami").status == 200
        for sock in slow:
            assert sock.recv(65536) == b""


def test_connections_of_one_address_are_limited(reeve):
    reeve.write_config(limits={"connections_per_address": 8})
    reeve.start_httpapi()
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(reeve.raw_socket("tcp")) for _ in range(8)]
        host = "{}:{}".format(*reeve.address).encode()
        request = b"GET /healthz/live HTTP/1.1\r\nHost: " + host + b"\r\n\r\n"
        for sock in held:
            sock.sendall(request)
            assert b" 200 " in sock.recv(4096)
        with reeve.raw_socket("tcp") as ninth:
            with contextlib.suppress(OSError):
                ninth.sendall(request)
                assert ninth.recv(4096) == b""
        # The Unix socket has no addresses, and goes on.
        assert reeve.request("GET", "/healthz/live").status == 200

    def is_free():
        with contextlib.suppress(OSError):
            return reeve.request("GET", "/healthz/live", via="tcp").status == 200
    wait_until(is_free, "room for a connection again")


def test_connections_beyond_all_together_wait_for_room(reeve):
    """None is lost: those inside are served, and each that ends lets the next one in."""
    reeve.write_config(limits={"connections": 4, "connections_per_address": 4}, http={"threads": 2})
    reeve.start_httpapi()
    request = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(reeve.raw_socket("unix")) for _ in range(12)]
        for sock in socks:
            sock.sendall(request)
        for _ in range(3):
            wait_until(lambda: len(readable(socks)) >= 4, "four answers")
            inside = readable(socks)
            assert len(inside) == 4, "more are let in than may be"
            for sock in inside:
                assert b" 200 " in sock.recv(4096)
                socks.remove(sock)
                sock.close()
    assert reeve.request("GET", "/healthz/live").status == 200


def readable(socks):
    return select.select(socks, [], [], 0)[0]


def test_without_descriptors_a_connection_waits(reeve):
    reeve.start_httpapi()
    pid = reeve.httpapi.pid
    request = b"GET /healthz/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    former = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    # The first stays, so that no descriptor comes free behind our back.
    with reeve.raw_socket("unix") as first, contextlib.ExitStack() as stack:
        first.sendall(request)
        assert b" 200 " in first.recv(4096)
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        free = min(set(range(len(used) + 1)) - used)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, former[1]))
        second = stack.enter_context(reeve.raw_socket("unix"))
        second.sendall(request)
        reeve.httpapi.wait_line("ev=accept_failed")
        assert not readable([second])
        resource.prlimit(pid, resource.RLIMIT_NOFILE, former)
        assert b" 200 " in second.recv(4096)
    assert reeve.httpapi.log.count("ev=accept_failed") == 1


def test_a_large_body_that_is_refused_still_gets_its_answer(reeve):
    """The client is still sending when the answer comes; it must not be lost by a reset."""
    reeve.write_config(limits={"body_bytes": 100000, "stdin_bytes": 1000})
    reeve.start_httpapi()
    host = "{}:{}".format(*reeve.address).encode()
    head = (b"POST /v1/jobs HTTP/1.1\r\nHost: " + host + b"\r\nAuthorization: Bearer "
            + reeve.token.encode() + b"\r\nContent-Type: application/json\r\n"
            b"Content-Length: 8000000\r\n\r\n")
    for _ in range(20):
        with reeve.raw_socket("tcp") as sock:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                sock.sendall(head + b"x" * 8000000)
            answer = read_all(sock)
            assert answer.startswith(b"HTTP/1.1 413 ")
            problem = json.loads(answer.partition(b"\r\n\r\n")[2])
            assert "limits.body_bytes" in problem["detail"]


def test_expect_is_answered_before_the_body(reeve):
    reeve.write_config(limits={"body_bytes": 100000, "stdin_bytes": 1000})
    reeve.start_httpapi()
    for length, first in [(b"18", b"HTTP/1.1 100 "), (b"8000000", b"HTTP/1.1 413 ")]:
        with reeve.raw_socket("unix") as sock:
            sock.sendall(b"POST /v1/jobs?dry_run=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         b"Content-Type: application/json\r\nExpect: 100-continue\r\n"
                         b"Content-Length: " + length + b"\r\n\r\n")
            assert sock.recv(13, socket.MSG_WAITALL) == first
            if first.endswith(b"100 "):
                sock.sendall(b'{"command":"true"}')
                assert b"HTTP/1.1 200 OK" in read_all(sock)
