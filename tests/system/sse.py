"""A reader of server-sent events, as a browser's EventSource is one: it knows the last id
that it was told, and asks with it when it connects again."""

import http.client

import harness


class Event:
    """One message: .kind is its event field, .id what Last-Event-ID was when it came."""

    def __init__(self, kind, data, last_id):
        self.kind = kind
        self.data = data
        self.id = last_id

    def __repr__(self):
        return f"<{self.id} {self.kind} {self.data[:200]}>"


class Source:
    """`for event in Source(reeve, path).read()`: the events of one connection, until it ends or
    breaks off. Read again: from where it was."""

    def __init__(self, reeve, path, last_id=None, via="unix"):
        self.reeve = reeve
        self.path = path
        self.via = via
        self.last_id = last_id
        self.retry = None
        self.comments = 0

    def read(self, timeout=harness.LIMIT_S):
        headers = {"Accept": "text/event-stream"}
        if self.last_id is not None:
            headers["Last-Event-ID"] = self.last_id
        with self.reeve.stream(self.path, headers=headers, via=self.via, timeout=timeout) as response:
            if response.status == 204:
                return
            assert response.status == 200, (response.status, response.read())
            assert response.headers["Content-Type"] == "text/event-stream"
            yield from self.parse(response)

    def parse(self, response):
        """An event counts once its blank line is there; what a cut left of one does not."""
        last_id, kind, data = self.last_id, "message", []
        while line := response.readline():
            if not line.endswith(b"\n"):
                return
            line = line.decode().rstrip("\n")
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "":
                self.last_id = last_id
                if data:
                    yield Event(kind, "\n".join(data), last_id)
                kind, data = "message", []
            elif name == "":
                self.comments += 1
            elif name == "id":
                last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry = int(value)
            else:
                raise AssertionError(f"no such field: {line!r}")

    def take(self, count):
        """The next so many events."""
        taken = []
        if count == 0:
            return taken
        for event in self.read():
            taken.append(event)
            if len(taken) == count:
                return taken
        raise AssertionError(f"it ended after {taken}")


BROKEN = (OSError, http.client.HTTPException)  # what a killed service looks like from here
