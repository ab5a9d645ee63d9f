"""Talking to a service over HTTP: whole answers, open streams, hand-made bytes."""

import contextlib
import errno
import http.client
import json
import socket
import threading

from processes import LIMIT_S


# --- by hand: bytes there and back ----------------------------------------------------------


def get(path, more=b""):
    """A GET on the Unix socket that ends its connection."""
    return (b"GET " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + more
            + b"Connection: close\r\n\r\n")


def read_all(sock):
    """What comes until the server closes; each piece within the socket's limit."""
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


# --- many clients at once -------------------------------------------------------------------


def start_threads(work, args):
    """One thread for each tuple of arguments; none keeps a failed test run alive."""
    threads = [threading.Thread(target=work, args=one, daemon=True) for one in args]
    for thread in threads:
        thread.start()
    return threads


def join_threads(threads):
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive(), "a client never got to its end"


def all_at_once(work, count):
    """Calls work(0) ... work(count - 1) at the same time and waits for them all."""
    barrier = threading.Barrier(count)

    def one(number):
        barrier.wait(LIMIT_S)
        work(number)

    join_threads(start_threads(one, [(number,) for number in range(count)]))


# --- whole answers --------------------------------------------------------------------------


class Answer:
    """What the server answered; `headers` takes names in any case."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"<{self.status} {self.body[:2000]!r}>"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """What a Reeve (harness.py) can be asked; needs its socket_path, address and token."""

    def connect(self, via="unix", timeout=LIMIT_S):
        """A connection to keep: conn.request(…), conn.getresponse(). Close it."""
        if via == "unix":
            return UnixConnection(self.socket_path, timeout)
        return http.client.HTTPConnection(*self.address, timeout=timeout)

    def headers_for(self, via, headers):
        """`headers` over what is always sent; a value of None takes one away."""
        known = {}
        if via == "tcp":
            known["Authorization"] = "Bearer " + self.token
        lower = {name.lower() for name in headers or {}}
        known = {name: value for name, value in known.items() if name.lower() not in lower}
        known.update(headers or {})
        return {name: value for name, value in known.items() if value is not None}

    def request(self, method, path, body=None, headers=None, via="unix", timeout=LIMIT_S,
                conn=None):
        """One request on a connection of its own (or `conn`). A dict or list is sent as JSON."""
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        elif isinstance(body, str):
            body = body.encode()
        if body is not None and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        own = conn is None
        conn = conn or self.connect(via, timeout)
        try:
            conn.request(method, path, body=body, headers=self.headers_for(via, headers))
            response = conn.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            if own:
                conn.close()

    @contextlib.contextmanager
    def stream(self, path, headers=None, via="unix", timeout=LIMIT_S):
        """The open response of a GET: .status, .headers, .read1(n) as the bytes come."""
        conn = self.connect(via, timeout)
        try:
            conn.request("GET", path, headers=self.headers_for(via, headers))
            yield conn.getresponse()
        finally:
            conn.close()

    def raw(self, data, via="unix", timeout=LIMIT_S, half_close=False):
        """Sends these very bytes; everything the server sends until it closes, or b""."""
        with self.raw_socket(via, timeout) as sock:
            # The server may answer and close before it has read everything.
            try:
                sock.sendall(data)
                if half_close:
                    sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                    raise
            answer = bytearray()
            with contextlib.suppress(ConnectionResetError):
                while chunk := sock.recv(65536):
                    answer += chunk
            return bytes(answer)

    def raw_socket(self, via="unix", timeout=LIMIT_S):
        if via == "unix":
            sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            sock.settimeout(timeout)
            sock.connect(self.socket_path)
            return sock
        return socket.create_connection(self.address, timeout=timeout)
