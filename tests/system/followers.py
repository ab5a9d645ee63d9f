"""Clients that follow outputs, raw or as server-sent events, by the thousand in one thread.

Each keeps what it needs to go on after a cut, as a client of ours should: the byte that it has
come to (raw), or the id of the last event (SSE). What arrives is checked by its hash, so that
a thousand followers of a large output need no memory."""

import base64
import hashlib
import json
import re
import selectors
import socket
import time

from harness import LIMIT_S, job_id


class Body:
    """The body of one response, taken from the bytes as they come."""

    def __init__(self):
        self.status = None
        self.headers = {}
        self.is_whole = False  # the last chunk, or the promised length, has come
        self._waiting = b""
        self._left = None  # of this chunk, or of the length; None: the head is not there yet
        self._is_chunked = False

    def feed(self, data):
        """The bytes of the body that these bytes bring."""
        self._waiting += data
        if self._left is None and not self._read_head():
            return b""
        return self._take_chunks() if self._is_chunked else self._take(self._left)

    def _read_head(self):
        head, end, rest = self._waiting.partition(b"\r\n\r\n")
        if not end:
            return False
        first, *lines = head.decode().split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in
                        (line.partition(":") for line in lines)}
        self._is_chunked = "chunked" in self.headers.get("transfer-encoding", "")
        self._left = 0 if self._is_chunked else int(self.headers.get("content-length", "0"))
        self.is_whole = not self._is_chunked and self._left == 0
        self._waiting = rest
        return True

    def _take(self, most):
        piece, self._waiting = self._waiting[:most], self._waiting[most:]
        self._left -= len(piece)
        self.is_whole = not self._is_chunked and self._left == 0
        return piece

    def _take_chunks(self):
        pieces = []
        while True:
            if self._left > 0:
                pieces.append(self._take(self._left))
                if self._left > 0:
                    break
                self._left = -1  # the line end behind the chunk is to come
            if self._left < 0:
                if len(self._waiting) < 2:
                    break
                assert self._waiting[:2] == b"\r\n", self._waiting[:80]
                self._waiting, self._left = self._waiting[2:], 0
            line, end, rest = self._waiting.partition(b"\r\n")
            if not end:
                break
            self._left, self._waiting = int(line, 16), rest
            if self._left == 0:
                self.is_whole = True
                break
        return b"".join(pieces)


class Events:
    """Server-sent events (WHATWG HTML), taken from the bytes of a body as they come."""

    def __init__(self, last_id=None):
        self.last_id = last_id
        self.retry_ms = None
        self.comments = 0
        self._waiting = b""
        self._id = last_id
        self._event = None
        self._data = []

    def feed(self, data):
        """The events that are whole now: (id, event or None, data)."""
        found = []
        *lines, self._waiting = re.split(rb"\r\n|\n|\r", self._waiting + data)
        for line in lines:
            if line:
                self._field(line.decode())
            else:
                self.last_id = self._id
                if self._data:
                    found.append((self.last_id, self._event, "\n".join(self._data)))
                self._event, self._data = None, []
        return found

    def _field(self, line):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "retry":
            self.retry_ms = int(value)
        elif name == "":
            self.comments += 1


class Follower:
    """What a client of one output has so far. `start`: the byte it begins at."""

    def __init__(self, reeve, job, stream="both", start=0, query="", via="unix"):
        self.reeve = reeve
        self.path = f"/v1/jobs/{job_id(job)}/output"
        self.query = f"stream={stream}{query}"
        self.via = via
        self.stream = stream
        self.start = start
        self.count = 0
        self.cut_points = []  # counts at which it loses its connection by itself
        self.hash = hashlib.sha256()
        self.cuts = 0
        self.kept = None  # a bytearray: also keep the bytes
        self.is_ended = False
        self.end = None  # what an event of the end said
        self.body = None
        self.sock = None

    @property
    def digest(self):
        return self.hash.hexdigest()

    def keep(self):
        self.kept = bytearray()
        return self

    def open(self, rcvbuf=None):
        """Connects and asks for what is missing. The socket blocks."""
        self.body = Body()
        self.sock = self.reeve.raw_socket(self.via)
        if rcvbuf:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        target, more = self.target()
        lines = [f"GET {target} HTTP/1.1", "Connection: close", *more]
        if self.via == "unix":
            lines.append("Host: localhost")
        else:
            lines += ["Host: {}:{}".format(*self.reeve.address),
                      "Authorization: Bearer " + self.reeve.token]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode())
        return self

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def add(self, data):
        self.hash.update(data)
        self.count += len(data)
        if self.kept is not None:
            self.kept += data

    def take(self, data):
        """These bytes came."""
        piece = self.body.feed(data)
        if self.body.status is not None and self.body.status >= 300:
            raise AssertionError(f"{self.body.status} for {self.path}: {piece!r}")
        if piece:
            self.take_body(piece)

    def wants_cut(self):
        if not self.cut_points or self.count < self.cut_points[0]:
            return False
        self.cut_points.pop(0)
        return True

    def read(self, bytes_max=65536):
        """Takes what comes next; False: the connection is over, and closed here too."""
        try:
            data = self.sock.recv(bytes_max)
        except ConnectionResetError:
            data = b""
        if data:
            self.take(data)
        if data and not self.is_ended:
            return True
        self.close()
        return False

    def finish(self):
        """Reads on to the end of the output, across cuts."""
        end = time.monotonic() + LIMIT_S
        while not self.is_ended:
            assert time.monotonic() < end, f"no end after {self.count} bytes"
            if self.sock is None:
                self.open()
            self.read()
        return self


class RawFollower(Follower):
    """Counts bytes, and goes on by Range."""

    def target(self):
        at = self.start + self.count
        return f"{self.path}?{self.query}&follow=1", [f"Range: bytes={at}-"] if at else []

    def take_body(self, data):
        self.add(data)

    def take(self, data):
        super().take(data)
        self.is_ended = self.body.is_whole


class EventFollower(Follower):
    """Keeps the last id, and goes on by it."""

    def __init__(self, reeve, job, stream="both", start=0, attempt=1, **how):
        super().__init__(reeve, job, stream, start, **how)
        self.last_id = f"{attempt}:{start}" if start else None
        self.events = None

    def open(self, rcvbuf=None):
        self.events = Events(self.last_id)
        return super().open(rcvbuf)

    def target(self):
        return (f"{self.path}/events?{self.query}",
                [f"Last-Event-ID: {self.last_id}"] if self.last_id else [])

    def take_body(self, data):
        for last_id, event, text in self.events.feed(data):
            self.take_event(event, json.loads(text))
            self.last_id = last_id
        self.last_id = self.events.last_id  # of an event without data, too

    def take_event(self, event, found):
        if event == "end":
            self.end = found
            self.is_ended = True
        elif event != "attempt":
            assert event in ("stdout", "stderr") and self.stream in ("both", event), event
            self.add(found["text"].encode() if "text" in found
                     else base64.b64decode(found["base64"], validate=True))


def drive(followers, on_step=None, limit_s=None, is_over=None):
    """Serves all of them, in this thread, until each has its end, opening anew what is cut.
    `on_step()` is called now and then and may answer with more of them; `is_over()` may end it
    before."""
    end = time.monotonic() + (LIMIT_S if limit_s is None else limit_s)
    with selectors.DefaultSelector() as selector:
        left = set()
        _watch_all(selector, followers, left)
        while left and not (is_over and is_over()):
            assert time.monotonic() < end, (
                f"{len(left)} followers never got to the end; one has "
                f"{next(iter(left)).count} bytes of {next(iter(left)).stream}")
            for key, _ in selector.select(0.1):
                _serve(selector, key.data, left)
            _watch_all(selector, (on_step() if on_step else None) or (), left)


def _watch_all(selector, followers, left):
    for follower in followers:
        left.add(follower)
        _watch(selector, follower)


def _watch(selector, follower):
    if follower.sock is None:
        follower.open()
    follower.sock.setblocking(False)
    selector.register(follower.sock, selectors.EVENT_READ, follower)


def _serve(selector, follower, left):
    try:
        data = follower.sock.recv(65536)
    except BlockingIOError:
        return
    except ConnectionResetError:
        data = b""
    if data:
        follower.take(data)
    if data and not follower.is_ended and not follower.wants_cut():
        return
    selector.unregister(follower.sock)
    follower.close()
    if follower.is_ended:
        left.discard(follower)
    else:
        follower.cuts += 1
        _watch(selector, follower)
