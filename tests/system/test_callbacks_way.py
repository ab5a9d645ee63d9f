"""The whole way of a callback: submitted over HTTP, sent, listed, sent again."""

import threading

import pytest

import sink as receiver
from harness import wait_until
from processes import LIMIT_S


@pytest.fixture
def sink():
    one = receiver.Sink()
    yield one
    one.close()


def start(reeve, sink):
    reeve.start(callbacks={"allowed_hosts": [sink.host], "internal_hosts": [sink.host]})


def callbacks(reeve, job, via="unix"):
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/callbacks", via=via)
    assert answer.status == 200, answer
    return answer.json()["items"]


def wait_state(reeve, job, state):
    """The job's one callback, once it is over."""
    def look():
        return next((one for one in callbacks(reeve, job) if one["state"] == state), None)
    return wait_until(look, lambda: f"a callback to be {state}: {callbacks(reeve, job)}\n{reeve.logs}")


def secret(reeve):
    with open(reeve.path("callback-secret"), encoding="ascii") as file:
        return file.read().strip()


@pytest.mark.parametrize("via", ["unix", "tcp"])
def test_it_arrives_signed(reeve, sink, via):
    start(reeve, sink)
    job = reeve.submit("/bin/sh", "-c", "exit 7", via=via, labels={"app": "library"},
                       callback={"url": sink.url("/done?token=1"), "on": ["final"]})
    (message,), one = sink.wait(), wait_state(reeve, job, "delivered")
    assert receiver.verify(message, secret(reeve))
    assert (message.path, message.headers["content-type"]) == ("/done?token=1", "application/json")
    body = message.json()
    assert (body["type"], body["data"]["id"], body["data"]["exit_code"]) == ("job.failed", job["id"], 7)
    assert body["data"]["labels"] == {"app": "library"}
    assert (one["id"], one["tries"], one["last_status"], one["last_error"]) == (message.id, 1, 200, None)
    whole = reeve.request("GET", "/v1/callbacks/" + one["id"], via=via).json()
    assert whole["body"] == body and whole["job"] == job["id"]
    assert len(sink.requests) == 1
    # What stands in the address may be a secret of the receiver's.
    assert "token" not in reeve.sql("SELECT group_concat(data) FROM v_events")[0][0]
    assert not [daemon.name for daemon in reeve.daemons if "token=1" in daemon.log]


def test_a_dead_one_is_sent_again(reeve, sink):
    sink.answer = receiver.status(410)
    start(reeve, sink)
    job = reeve.submit("true", callback={"url": sink.url()})
    dead = wait_state(reeve, job, "dead")
    assert dead["last_status"] == 410 and dead["next_at"] is None and dead["ended_at"]
    sink.answer = receiver.OK
    assert reeve.request("POST", f"/v1/callbacks/{dead['id']}/redeliver", {}).status == 202
    again = wait_state(reeve, job, "delivered")
    first, second = sink.requests
    assert (first.id, first.body) == (second.id, second.body) == (again["id"], second.body)
    assert receiver.verify(first, secret(reeve)) and receiver.verify(second, secret(reeve))
    assert (again["tries"], again["last_status"], again["last_error"]) == (1, 200, None)
    kinds = [event["kind"] for event in reeve.events(job) if event["kind"].startswith("callback_")]
    assert kinds == ["callback_dead", "callback_redelivered", "callback_delivered"]
    for kind in kinds:
        for path in (f"/v1/jobs/{job['id']}/events", "/v1/events"):
            answer = reeve.request("GET", f"{path}?kind={kind}")
            assert [event["kind"] for event in answer.json()["items"]] == [kind]


def test_a_delivered_one_is_sent_again(reeve, sink):
    start(reeve, sink)
    job = reeve.submit("true", callback={"url": sink.url()})
    one = wait_state(reeve, job, "delivered")
    assert reeve.cli("redeliver", one["id"]).returncode == 0
    sink.wait(2)
    wait_state(reeve, job, "delivered")
    assert len({message.id for message in sink.requests}) == len({message.body for message in sink.requests}) == 1


@pytest.mark.parametrize("code", [200, 410, 500])
def test_one_that_is_being_sent_is_sent_again(reeve, sink, code):
    """However that goes, another one was asked for."""
    asked = threading.Event()

    def answer(connection, _request):
        sink.answer = receiver.OK
        assert asked.wait(LIMIT_S)
        connection.sendall(receiver.status(code))

    sink.answer = answer
    start(reeve, sink)
    job = reeve.submit("true", callback={"url": sink.url()})
    (message,) = sink.wait()
    assert reeve.request("POST", f"/v1/callbacks/{message.id}/redeliver", {}).status == 202
    asked.set()
    sink.wait(2)
    one = wait_state(reeve, job, "delivered")
    assert (one["tries"], one["last_status"]) == (1, 200)
    assert {request.id for request in sink.requests} == {one["id"]} and len(sink.requests) == 2


def test_one_that_waits_for_its_next_try_is_tried_at_once(reeve, sink):
    sink.answer = receiver.status(500)
    start(reeve, sink)
    job = reeve.submit("true", callback={"url": sink.url()})
    wait_until(lambda: [one for one in callbacks(reeve, job) if one["last_status"] == 500], "a try to be written down")
    sink.answer = receiver.OK
    reeve.sql_write("UPDATE callbacks SET next_at = next_at + 86400000000 WHERE state = 'pending'")
    (one,) = callbacks(reeve, job)
    assert (one["state"], one["last_error"]) == ("pending", "answered 500")
    assert reeve.request("POST", f"/v1/callbacks/{one['id']}/redeliver", {}).status == 202
    wait_state(reeve, job, "delivered")
    assert {message.id for message in sink.requests} == {one["id"]} and len(sink.requests) > 1


def test_what_a_batch_and_a_rerun_tell(reeve, sink):
    start(reeve, sink)
    jobs = [{"command": "true", "callback": {"url": sink.url(f"/done/{i}")}} for i in range(5)]
    made = reeve.request("POST", "/v1/batches", {"jobs": jobs}).json()
    sink.wait(5)
    assert {(message.path, message.json()["data"]["id"]) for message in sink.requests} == {
        (f"/done/{i}", one["id"]) for i, one in enumerate(made["jobs"])}
    again = reeve.request("POST", f"/v1/jobs/{made['jobs'][0]['id']}/rerun", {}).json()
    message = sink.wait(6)[5]
    assert message.path == "/done/0" and message.json()["data"]["id"] == again["id"]
    assert message.json()["data"]["rerun_of"] == made["jobs"][0]["id"]


def test_a_callback_that_was_broken_by_hand_stops_nothing(reeve, sink):
    start(reeve, sink)
    job, other = (reeve.sh("exit 0", hold=True, callback={"url": sink.url()}) for _ in range(2))
    reeve.sql_write("UPDATE jobs SET callback = '{x}' WHERE id = (SELECT min(id) FROM jobs)")
    for one in (job, other):
        assert reeve.request("POST", f"/v1/jobs/{one['id']}/release", {}).status in (200, 202)
    assert [reeve.wait(one)["state"] for one in (job, other)] == ["succeeded"] * 2
    wait_state(reeve, other, "delivered")
    assert callbacks(reeve, job) == [] and len(sink.requests) == 1
    assert reeve.request("GET", f"/v1/jobs/{job['id']}").json()["callback"] is None
    assert reeve.worker.is_running
