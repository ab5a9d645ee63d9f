"""What tests of streams share: a job that writes when it is told to, and server-sent events."""

import base64
import contextlib
import json
import os


class Gate:
    """A named pipe at which a job waits for lines. It is open in both directions here, so
    opening it waits for nobody, and no reader sees an end between two lines."""

    def __init__(self, reeve):
        self.path = os.path.join(reeve.work, "gate")

    def __enter__(self):
        os.mkfifo(self.path)
        self.fd = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)
        return self

    def __exit__(self, *unused):
        os.close(self.fd)

    def write(self, text):
        os.write(self.fd, text.encode())


class Event:
    """One event as a browser would see it: its id, its type, its data."""

    def __init__(self, block):
        fields = {}
        self.comments = []
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                self.comments.append(value)
            elif name == "data" and "data" in fields:
                fields["data"] += "\n" + value
            else:
                fields[name] = value
        self.id = fields.get("id")
        self.kind = fields.get("event")
        self.retry = fields.get("retry")
        self.data = json.loads(fields["data"]) if "data" in fields else None

    def bytes(self):
        """What the job wrote."""
        if "text" in self.data:
            return self.data["text"].encode()
        return base64.b64decode(self.data["base64"], validate=True)

    def __repr__(self):
        return f"<{self.id} {self.kind} {self.data} {self.comments}>"


def events_of(body):
    """All events of a body that is complete."""
    blocks = body.decode().split("\n\n")
    assert blocks.pop() == "", body[-200:]
    return [Event(block) for block in blocks]


def written(events, *kinds):
    """The bytes of these events put together, of both streams if none is named."""
    return b"".join(e.bytes() for e in events if e.kind in (kinds or ("stdout", "stderr")))


class Listener:
    """Reads events one by one from a response that is still open."""

    def __init__(self, response):
        self.response = response
        self.rest = b""

    def next(self):
        while b"\n\n" not in self.rest:
            piece = self.response.read1(65536)
            assert piece, f"the stream has ended behind {self.rest}"
            self.rest += piece
        block, _, self.rest = self.rest.partition(b"\n\n")
        return Event(block.decode())

    def until(self, kind):
        """All events up to the first of this type, which is the last."""
        events = [self.next()]
        while events[-1].kind != kind:
            events.append(self.next())
        return events


@contextlib.contextmanager
def listening(reeve, job, query="", headers=None, via="unix"):
    with reeve.stream(f"/v1/jobs/{job['id']}/output/events{query}", headers, via) as response:
        assert response.status == 200, response.read()
        yield Listener(response)
