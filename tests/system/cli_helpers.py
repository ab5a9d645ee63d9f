"""What the tests of the command line share: a terminal, and a proxy that loses connections."""

import contextlib
import fcntl
import os
import pty
import socket
import struct
import termios
import threading

import harness


class Terminal:
    """`reeve` on a terminal of its own: what it printed there, as text."""

    def __init__(self, reeve, *args, columns=200, env=None, stdin=False):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        attributes = termios.tcgetattr(slave)
        attributes[1] &= ~termios.OPOST  # newlines arrive as they were written
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        environ = {"REEVE_SERVER": "unix:" + reeve.socket_path, "TERM": "xterm", **(env or {})}
        self.process = reeve.spawn(["reeve", *map(str, args)], env=environ, stdout=slave, stderr=slave,
                                   stdin=slave if stdin else None)
        os.close(slave)

    def type(self, text):
        os.write(self.master, text.encode())

    def read_until(self, wanted):
        """Reads on until this text has been printed."""
        seen = b""
        while wanted.encode() not in seen:
            piece = self._read()
            assert piece, f"never printed {wanted!r}: {seen!r}"
            seen += piece
        return seen.decode()

    def finish(self):
        """(exit code, everything that is printed until the end)."""
        seen = b""
        while piece := self._read():
            seen += piece
        os.close(self.master)
        return self.process.wait(harness.LIMIT_S), seen.decode()

    def _read(self):
        try:
            return os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side open
            return b""


def on_terminal(reeve, *args, **how):
    return Terminal(reeve, *args, **how).finish()


class Proxy:
    """A Unix socket before the service's. `judge(number, request)` says for each connection how
    many bytes of the answer come through before it is lost; None: all of it."""

    def __init__(self, reeve, judge):
        self.path = os.path.join(reeve.base, "proxy.sock")
        self.requests = []  # the first bytes of each connection
        self.answered = b""  # what came through
        self._target = reeve.socket_path
        self._judge = judge
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()

    @property
    def server(self):
        return "unix:" + self.path

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as target:
            request = client.recv(1 << 20)
            self.requests.append(request)
            left = self._judge(len(self.requests), request)
            try:
                target.connect(self._target)
                target.sendall(request)
                if left is None:
                    threading.Thread(target=self._copy, args=(client, target), daemon=True).start()
                while chunk := target.recv(65536 if left is None else max(left, 1)):
                    if left is not None and left <= 0:
                        return  # the service has answered, the client will never know
                    client.sendall(chunk)
                    self.answered += chunk
                    left = None if left is None else left - len(chunk)
            except OSError:
                pass
            finally:  # closing alone would not end it while _copy reads
                for end in (client, target):
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def _copy(source, target):
        try:
            while chunk := source.recv(65536):
                target.sendall(chunk)
        except OSError:
            pass
