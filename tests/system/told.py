"""What the tests of callbacks share that need no sender: an intake, and jobs that have ended.

A job that is cancelled before it starts writes its callback; nobody sends it."""

import pytest

import harness

APP = "https://app.example/done"
LISTENERS = ["unix", "tcp"]


@pytest.fixture(scope="module")
def server():
    one = harness.Reeve()
    one.write_config(callbacks={"allowed_hosts": ["app.example:443", "127.0.0.1:8000", "[2001:db8::1]:8080"]})
    one.start_httpapi()
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def submit(server, callback, query="", via="unix", **more):
    return server.request("POST", "/v1/jobs" + query, {"command": "true", "callback": callback, **more}, via=via)


def ended(server, via="unix", url=APP, **more):
    """A job that has ended, and so a callback that is to be sent."""
    answer = submit(server, {"url": url, **more}, via=via)
    assert answer.status == 201, answer
    assert server.cancel(answer.json(), via=via).status == 200
    return answer.json()["id"]


def get(server, path, via="unix"):
    answer = server.request("GET", path, via=via)
    assert answer.status == 200, answer
    return answer.json()
