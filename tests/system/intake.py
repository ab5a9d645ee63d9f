"""The intake alone, for the tests that need no worker: what is submitted stays queued."""

import pytest

import harness


@pytest.fixture(scope="module")
def server():
    """One for all tests of a file; they must not mind each other's jobs."""
    one = harness.Reeve()
    one.write_config(tasks=[{"name": "greet", "executable": "/bin/echo", "arguments": ["hello"]}],
                     callbacks={"allowed_hosts": ["app.example:443"]})
    one.start_httpapi()
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def pointers(answer):
    """What a problem document complains about: JSON pointers, or ?name of a parameter."""
    return {fault.get("pointer") or "?" + fault["parameter"] for fault in answer.json()["errors"]}
