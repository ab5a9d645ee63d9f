"""Output that is one piece of a file: the kernel sends it, whatever becomes of the file or of who reads."""

import contextlib
import glob
import hashlib
import os
import re

import pytest

from harness import wait_until
from over_http import read_all

SIZE = 40_000_000  # far more than sockets hold
LINES = f"yes 'a line of output' | head -c {SIZE}"


def path(job, query=""):
    return f"/v1/jobs/{job['id']}/output{query}"


def asking(reeve, target, via):
    """The request, which keeps its connection."""
    host = "localhost" if via == "unix" else "{}:{}".format(*reeve.address)
    return (f"GET {target} HTTP/1.1\r\nHost: {host}\r\n"
            f"Authorization: Bearer {reeve.token}\r\n\r\n").encode()


def is_open(reeve, job):
    """Whether the intake has this output open."""
    for fd in os.listdir(f"/proc/{reeve.httpapi.pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            if job["id"] in os.readlink(f"/proc/{reeve.httpapi.pid}/fd/{fd}"):
                return True
    return False


def ended(reeve, script=LINES):
    job = reeve.wait(reeve.sh(script, limits={"output_bytes": SIZE + 1000}))
    assert job["state"] == "succeeded" and job["output"]["stored"] == "file", job
    return job


def file_of(reeve, job):
    (name,) = glob.glob(reeve.path(f"output/*/{job['id']}-1.log"))
    return name


def content(name):
    with open(name, "rb") as file:
        return file.read()


def answer_on(sock):
    """(status, promised bytes, body) of the next answer on a connection that is kept."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = sock.recv(1)
        assert piece, head
        head += piece
    size = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    return int(head.split()[1]), size, read_exactly(sock, size)


def read_exactly(sock, size):
    pieces = []
    while size > 0 and (piece := sock.recv(min(size, 1 << 20))):
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


@pytest.fixture(name="begun", params=["unix", "tcp"])
def begun_fixture(reeve, request):
    """(job, a connection on which its output has been asked for, and nothing was read)."""
    reeve.start(http={"stall_s": 1})
    job = ended(reeve)
    with reeve.raw_socket(request.param) as sock:
        sock.sendall(asking(reeve, path(job), request.param))
        wait_until(lambda: is_open(reeve, job), "the answer has begun")
        yield job, sock


@pytest.mark.parametrize("via", ["unix", "tcp"])
def test_every_view_of_a_file(reeve, via):
    """One stream alone is the file as well; of two, each is not."""
    reeve.start()
    alone, mixed = ended(reeve), ended(reeve, f"{LINES}; echo late >&2; echo end")
    whole = content(file_of(reeve, alone))
    ask = lambda job, query, **headers: reeve.request(  # noqa: E731
        "GET", path(job, query), headers=headers, via=via)
    for query in ("", "?stream=stdout"):
        answer = ask(alone, query)
        assert (answer.status, len(answer.body)) == (200, SIZE)
        assert hashlib.sha256(answer.body).hexdigest() == alone["output"]["sha256"]
        part = ask(alone, query, Range="bytes=12345678-32345678")
        assert (part.status, part.body) == (206, whole[12345678:32345679])
        assert part.headers["Content-Range"] == f"bytes 12345678-32345678/{SIZE}"
        assert ask(alone, query, Range="bytes=-1").body == whole[-1:]
        tail = ask(alone, (query + "&" if query else "?") + "tail_lines=3")
        assert tail.body == b"".join(whole[-1000:].splitlines(True)[-3:])
    assert ask(alone, "?stream=stderr").body == b""
    assert ask(mixed, "").body == whole + b"late\nend\n"
    assert ask(mixed, "?stream=stdout").body == whole + b"end\n"
    assert ask(mixed, "?stream=stderr").body == b"late\n"
    assert ask(mixed, "?stream=stdout", Range="bytes=-5").body == whole[-1:] + b"end\n"
    head = reeve.request("HEAD", path(alone), via=via)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(SIZE))


def test_who_takes_nothing_is_cut(reeve, begun):
    job, sock = begun
    wait_until(lambda: not is_open(reeve, job), "the connection to be cut")
    with contextlib.suppress(ConnectionResetError):
        assert len(read_all(sock)) < SIZE


def test_who_takes_a_byte_now_and_then_is_cut(reeve, begun):
    job, sock = begun

    def is_cut():
        with contextlib.suppress(ConnectionResetError):
            sock.recv(1)
        return not is_open(reeve, job)
    wait_until(is_cut, "the connection to be cut", pause_s=0.2)


def test_a_file_that_is_removed_is_sent_to_its_end(reeve, begun):
    job, sock = begun
    name = file_of(reeve, job)
    whole = content(name)
    os.unlink(name)
    status, size, body = answer_on(sock)
    assert (status, size, body == whole) == (200, SIZE, True)


def test_a_file_that_is_cut_short_ends_the_connection(reeve, begun):
    job, sock = begun
    os.truncate(file_of(reeve, job), SIZE // 2)
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        answer = read_all(sock)
    assert len(answer) < SIZE
    wait_until(lambda: not is_open(reeve, job), "the file to be closed")
    assert reeve.request("GET", "/healthz/live").status == 200


def test_the_next_request_has_the_ordinary_limit(reeve, begun):
    """The first connection has its answer and is idle for longer than a reader may stall: until
    another one has been cut for that."""
    job, sock = begun
    assert answer_on(sock)[:2] == (200, SIZE)
    wait_until(lambda: not is_open(reeve, job), "the file to be closed")
    with reeve.raw_socket() as lazy:
        lazy.sendall(asking(reeve, path(job), "unix"))
        wait_until(lambda: is_open(reeve, job), "the second answer has begun")
        wait_until(lambda: not is_open(reeve, job), "the second connection to be cut")
    via = "unix" if sock.family.name == "AF_UNIX" else "tcp"
    sock.sendall(asking(reeve, path(job), via))
    assert answer_on(sock)[:2] == (200, SIZE)


def test_others_are_answered_beside_a_fast_reader(reeve):
    """All on one thread: the kernel could fill the socket of one for as long as it reads."""
    reeve.start(http={"threads": 1})
    job = ended(reeve)
    with reeve.raw_socket() as sock, reeve.raw_socket() as other:
        sock.sendall(asking(reeve, path(job), "unix"))
        rest = SIZE
        for _ in range(100):
            rest -= len(sock.recv(1 << 16))
            other.sendall(asking(reeve, "/healthz/live", "unix"))
            assert answer_on(other)[0] == 200
        assert is_open(reeve, job) and len(read_exactly(sock, rest)) == rest


def test_the_intake_stops_while_one_takes_nothing(reeve):
    reeve.start()
    job = ended(reeve)
    with reeve.raw_socket() as sock:
        sock.sendall(asking(reeve, path(job), "unix"))
        wait_until(lambda: is_open(reeve, job), "the answer has begun")
        reeve.stop_httpapi()
        with contextlib.suppress(ConnectionResetError):
            assert len(read_all(sock)) < SIZE
