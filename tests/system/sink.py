"""A receiver of callbacks for one test, on a port of its own: it counts who connects, keeps
what it is sent, and answers as the test says, well or badly."""

import base64
import contextlib
import hashlib
import hmac
import json
import select
import socket
import ssl
import threading
import time

from processes import LIMIT_S, wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def status(code, *headers):
    """An answer that does this and no more."""
    lines = [f"HTTP/1.1 {code} Some words", "Content-Length: 0", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Request:
    def __init__(self, data):
        head, _, self.body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.path, self.version = lines[0].split(" ")
        self.headers = {name.lower(): value for name, value in
                        (line.split(": ", 1) for line in lines[1:])}
        self.at = time.time()

    @property
    def id(self):
        return self.headers["webhook-id"]

    def json(self):
        return json.loads(self.body)


class Sink:
    """`answer`: the bytes to answer with, or a function of (socket, request) that does it."""

    def __init__(self, answer=OK, context=None, listens=True):
        self.answer = answer
        self.accepted = 0
        self.requests = []
        self._context = context
        self._threads = []
        self._ends = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        if listens:
            self._start(self._accept)
        else:
            self._socket.close()

    @property
    def host(self):
        return f"127.0.0.1:{self.port}"

    def url(self, path="/done", host="127.0.0.1", scheme=None):
        return f"{scheme or ('https' if self._context else 'http')}://{host}:{self.port}{path}"

    def _start(self, run, *args):
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        while not self._ends.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            self._start(self._serve, connection)

    def _serve(self, connection):
        # who is cut off, or refused in the handshake, says so on the other side
        with contextlib.suppress(OSError, ValueError), connection:
            connection.settimeout(LIMIT_S)
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            request = self._read(connection)
            if request is None:
                return
            self.requests.append(request)
            answer = self.answer
            if callable(answer):
                answer(connection, request)
            else:
                connection.sendall(answer)

    @staticmethod
    def _read(connection):
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(65536)
            if not chunk:
                return None
            data += chunk
        request = Request(data)
        while len(request.body) < int(request.headers.get("content-length", 0)):
            chunk = connection.recv(65536)
            if not chunk:
                return None
            request.body += chunk
        return request

    def wait(self, count=1, timeout=None):
        wait_until(lambda: len(self.requests) >= count,
                   lambda: f"{count} requests; {len(self.requests)} came", timeout)
        return self.requests

    def wait_for_end(self, _connection, _request):
        """An answer that never comes: not before the test is over."""
        self._ends.wait(LIMIT_S)

    def close(self):
        self._ends.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(LIMIT_S)


def drip(connection, _request):
    """An endless answer, a byte at a time, whose headers never end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"z")
            if select.select([connection], [], [], 0.05)[0]:  # it has hung up
                return


def flood(head):
    """An answer that begins so and goes on as fast as anybody takes it; `flood.sent` counts."""
    def run(connection, _request):
        connection.sendall(head)
        run.sent = 0
        with contextlib.suppress(OSError):
            while run.sent < 1 << 30:
                connection.sendall(b"y" * 65536)
                run.sent += 65536
    return run


def verify(request, secret):
    """As Standard Webhooks has it (https://www.standardwebhooks.com), from its text alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join((request.headers["webhook-id"].encode(),
                        request.headers["webhook-timestamp"].encode(), request.body))
    wanted = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in request.headers["webhook-signature"].split(" ")


def server_context(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
