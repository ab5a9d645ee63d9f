"""Many who follow, as events, a job that writes a few bytes at a time to both streams in turn:
what was made for one of them is sent to others, and each has exactly its bytes."""

import contextlib
import random

import pytest

from over_http import body_of, join_threads, read_all, start_threads
from streams import Gate, events_of, written
from test_output_many import ask

# A character is torn by something of the other stream; of stdout alone it is whole.
LINES = ("lines() { i=$1; while [ $i -lt $2 ]; do printf '\\303'; printf e >&2; printf '\\251%d\\n' $i; "
         "printf '%d\\n' $i >&2; i=$((i+1)); done; }; ")
BEGUN, MIDDLE, ALL = 150, 700, 1200
STREAMS = ("both", "stdout", "stderr")
WROTE = {"stdout": "".join(f"é{i}\n" for i in range(ALL)).encode(),
         "stderr": "".join(f"e{i}\n" for i in range(ALL)).encode()}


class Follower:
    def __init__(self, reeve, job, stream, start, via):
        self.stream, self.start = stream, start
        self.got = None
        self.sock = reeve.raw_socket(via)
        place = f"Last-Event-ID: 1:{start}\r\n".encode() if start else b""
        self.sock.sendall(ask(reeve, job, f"/events?stream={stream}", place))

    def read_head(self):
        """It is served: the stream has begun."""
        assert self.sock.recv(12) == b"HTTP/1.1 200"

    def finish(self):
        self.got = events_of(body_of(b"HTTP/1.1 200" + read_all(self.sock)))


def crowd(reeve, job, stack, via, draw, sizes):
    """So many that memory is spent on what they share, at places of which most are alike."""
    found = []
    for i in range(48):
        stream = STREAMS[i % 4 % 3]
        start = draw.randrange(sizes[stream]) if i % 3 == 0 else 0
        found.append(Follower(reeve, job, stream, start, via))
        stack.enter_context(found[-1].sock)
    for one in found:
        one.read_head()
    return found


def check(follower, first, second):
    """Every byte once, in its order, by the right id, across both attempts."""
    got = follower.got
    assert written(got) == first[follower.start:] + second, (follower.stream, follower.start)
    attempt, offset = 1, follower.start
    for one in got[1:-1]:
        if one.kind == "attempt":
            attempt, offset = attempt + 1, 0
        else:
            assert follower.stream in ("both", one.kind)
            offset += len(one.bytes())
        assert one.id == f"{attempt}:{offset}"
    assert (attempt, got[-1].id) == (2, f"2:{len(second)}:end")


@pytest.mark.parametrize("via", ["unix", "tcp"])
def test_tiny_writes_arrive_exactly_wherever_one_is(reeve, via):
    reeve.start(limits={"connections": 500, "connections_per_address": 500})
    draw = random.Random(7)
    with Gate(reeve) as gate, contextlib.ExitStack() as stack:
        wait = f"read line < {gate.path}; "
        job = reeve.sh(LINES + f"lines 0 {BEGUN}; {wait} lines {BEGUN} {MIDDLE}; {wait} lines {MIDDLE} {ALL}; "
                       "test $REEVE_ATTEMPT = 2", retry={"max_attempts": 2, "delay_s": 0.05, "on": ["exit"]})
        reeve.wait_output(job, f"{BEGUN - 1}\n{BEGUN - 1}\n")
        begun = {"stdout": 3 * BEGUN, "stderr": 3 * BEGUN, "both": 6 * BEGUN}
        followers = crowd(reeve, job, stack, via, draw, begun)
        gate.write("go\n")  # and others come while it writes
        followers += crowd(reeve, job, stack, via, draw, begun)
        gate.write("go\ngo\ngo\n")
        join_threads(start_threads(Follower.finish, [(one,) for one in followers]))
        reeve.wait(job)
    whole = {(stream, attempt): reeve.output(job, f"?stream={stream}&attempt={attempt}")
             for stream in STREAMS for attempt in (1, 2)}
    for (stream, _), content in whole.items():
        assert content == WROTE.get(stream, content)
    for one in followers:
        check(one, whole[one.stream, 1], whole[one.stream, 2])
