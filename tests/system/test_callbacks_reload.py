"""Callbacks: receivers come and go by SIGHUP, and the sender with them."""

import signal

import pytest

import sink as receiver
from processes import wait_gone, wait_until
from test_callbacks import senders, tell, wait_sender


@pytest.fixture
def sink():
    one = receiver.Sink()
    yield one
    one.close()


def allow(reeve, hosts):
    """Changes the receivers; when the worker is through with it."""
    reeve.write_config(callbacks={"allowed_hosts": hosts, "internal_hosts": hosts})
    before = reeve.worker.log.count("prog=reeve-worker ev=reloaded")
    reeve.worker.process.send_signal(signal.SIGHUP)
    wait_until(lambda: reeve.worker.log.count("prog=reeve-worker ev=reloaded") > before,
               lambda: f"the worker to reload\n{reeve.logs}")


def start(reeve, sink):
    hosts = [sink.host]
    reeve.start(callbacks={"allowed_hosts": hosts, "internal_hosts": hosts})


def test_without_receivers_jobs_go_on(reeve, sink):
    """The worker lets go of the sender once, and of nothing else, second by second."""
    start(reeve, sink)
    sender = wait_sender(reeve)
    reeve.worker.wait_line(r"prog=reeve-sender ev=ready")
    allow(reeve, [])
    wait_gone(sender)
    jobs = [reeve.sh("sleep 2.5; echo done") for _ in range(3)]
    assert [reeve.wait(job)["state"] for job in jobs] == ["succeeded"] * 3
    assert "helper_died" not in reeve.worker.log and "busy=1" not in reeve.worker.log
    assert reeve.worker.is_running and senders(reeve) == []
    allow(reeve, [sink.host])
    reeve.httpapi.process.send_signal(signal.SIGHUP)
    assert tell(reeve, sink.url()) and sink.wait()


def test_a_sender_that_is_just_starting_is_told_as_well(reeve, sink):
    """SIGHUP may come before it has said what it wants of it."""
    start(reeve, sink)
    for _ in range(20):
        allow(reeve, [])
        for sender in senders(reeve):
            wait_gone(sender)
        for _ in range(5):
            allow(reeve, [sink.host])
    tell(reeve, sink.url())
    sink.wait()
    assert "helper_died" not in reeve.worker.log
