"""PATCH of a job: what has not started can be changed, by who saw it last."""

import json

import pytest

from intake import pointers

FAR = "2096-11-21T06:00:00Z"


def patch(reeve, job, body, **how):
    return reeve.request("PATCH", "/v1/jobs/" + (job["id"] if isinstance(job, dict) else job), body, **how)


def test_a_change_is_answered_with_the_job_and_its_tag(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true", name="old", labels={"a": "1"}, hold=True)
    answer = patch(reeve, job, {"name": "new", "priority": 9, "labels": {"b": "2"}, "run_at": FAR})
    assert (answer.status, answer.headers["ETag"]) == (200, '"2"'), answer
    found = answer.json()
    assert found == reeve.job(job)
    assert {name: found[name] for name in ("name", "priority", "labels", "run_at", "reason", "version")} == {
        "name": "new", "priority": 9, "labels": {"b": "2"}, "run_at": "2096-11-21T06:00:00.000000Z",
        "reason": "hold", "version": 2}
    assert reeve.events(job)[-1]["kind"] == "changed"
    assert reeve.events(job)[-1]["data"]["priority"] == {"old": 0, "new": 9}
    # null is what it would have been without; again changes nothing
    for _ in range(2):
        cleared = patch(reeve, job, {"name": None, "priority": None, "labels": None, "run_at": None}).json()
        assert [cleared[name] for name in ("name", "priority", "labels", "run_at", "version")] == [
            None, 0, {}, None, 3]


def test_a_job_that_waits_for_a_time_starts_at_once(reeve):
    reeve.start()
    job = reeve.submit("true", run_at=FAR)
    assert patch(reeve, job, {"run_at": None}).json()["state"] != "waiting"  # it may have started already
    assert reeve.wait(job)["state"] == "succeeded"
    assert [event["kind"] for event in reeve.events(job)] == ["submitted", "changed", "started", "ended"]


def test_a_retry_can_be_hurried_and_put_off(reeve):
    reeve.start()
    job = reeve.sh("exit $((REEVE_ATTEMPT == 1))", retry={"max_attempts": 2, "delay_s": 3600})
    assert reeve.wait_state(job, "waiting")["reason"] == "retry"
    assert patch(reeve, job, {"run_at": FAR}).json()["reason"] == "retry"
    patch(reeve, job, {"run_at": "2001-01-01T00:00:00Z"})
    assert reeve.wait(job)["attempt"] == 2


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/v1/jobs", {"command": "true"}),
    ("POST", "/v1/jobs/{id}/hold", None),
    ("POST", "/v1/jobs/{id}/release", None),
    ("POST", "/v1/jobs/{id}/cancel", None),
    ("POST", "/v1/jobs/{id}/rerun", None),
    ("POST", "/v1/jobs/{id}/signal", {"signal": "TERM"}),
    ("PATCH", "/v1/queues/default", {"max_running": 1}),
])
@pytest.mark.parametrize("tag", ['"1"', "*"])
def test_a_change_that_knows_no_versions_refuses_the_condition(reeve, method, path, body, tag):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true", hold=True)
    answer = reeve.request(method, path.format(id=job["id"]), body, headers={"If-Match": tag})
    assert answer.status == 400 and "If-Match" in answer.json()["detail"], answer
    assert reeve.job(job)["version"] == 1
    assert len(reeve.request("GET", "/v1/jobs").json()["items"]) == 1


def test_a_higher_priority_overtakes(reeve):
    reeve.write_config(slots=1)
    reeve.start_httpapi()
    first, second = reeve.submit("true"), reeve.submit("true")
    patch(reeve, second, {"priority": 1})
    reeve.start_worker()
    assert reeve.wait(first)["started_at"] >= reeve.wait(second)["started_at"]


def test_no_priority_is_none_whatever_the_task_says(reeve):
    reeve.write_config(tasks=[{"name": "urgent", "executable": "/bin/true", "priority": 7}])
    reeve.start_httpapi()
    job = reeve.request("POST", "/v1/jobs", {"task": "urgent", "hold": True}).json()
    assert job["priority"] == 7
    assert patch(reeve, job, {"name": "x"}).json()["priority"] == 7
    changed = patch(reeve, job, {"priority": None})
    assert (changed.status, changed.json()["priority"]) == (200, 0)


def test_what_runs_or_has_ended_is_left_alone(reeve):
    reeve.start()
    running = reeve.submit("sleep", "1000")
    reeve.wait_running(running)
    ended = reeve.run("true")
    for job in (running, ended):
        before = reeve.job(job)["version"]
        answer = patch(reeve, job, {"priority": 1})
        assert (answer.status, answer.json()["code"]) == (409, "conflict")
        assert reeve.job(job)["version"] == before
        assert reeve.job(job)["keep"] is False
        assert patch(reeve, job, {"keep": True}).json()["keep"] is True
        assert reeve.job(job)["keep"] is True
    assert reeve.sql("SELECT count(*) FROM kept_jobs") == [(2,)]
    reeve.cancel(running, force=True)


@pytest.mark.parametrize("header, status", [
    ('"1"', 200), ("*", 200), ('"7", "1"', 200), ('"7","1" , W/"3"', 200),
    ('"2"', 412), ('W/"1"', 412), ('"7", W/"1"', 412), ('"one"', 412), ('"01"', 412), ('""', 412),
    ("1", 400), ('"1', 400), ('"7" junk', 400), ('W/1', 400)])
def test_only_who_saw_the_last_version(reeve, header, status):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true", hold=True)
    answer = patch(reeve, job, {"name": "x"}, headers={"If-Match": header})
    assert answer.status == status, answer
    assert reeve.job(job)["version"] == (2 if status == 200 else 1)
    if status == 412:
        assert answer.headers["ETag"] == '"1"'
        assert answer.json()["code"] == "precondition_failed"


def test_a_version_comes_before_the_state(reeve):
    reeve.start()
    ended = reeve.run("true")
    assert patch(reeve, ended, {"name": "x"}, headers={"If-Match": '"1"'}).status == 412


def test_all_faults_at_once_and_nothing_is_done(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true", hold=True, expires_at=FAR)
    answer = patch(reeve, job, {"priority": 101, "name": 3, "labels": {"a b": "1", "c": 2}, "run_at": "soon", "keep": 1,
                                "colour": "red"})
    assert answer.status == 422
    assert pointers(answer) == {"#/priority", "#/name", "#/labels/a%20b", "#/labels/c", "#/run_at", "#/keep", "#/colour"}
    assert pointers(patch(reeve, job, {"run_at": FAR})) == {"#/run_at"}
    for empty in ({}, "", []):
        answer = patch(reeve, job, empty, headers={"Content-Type": "application/json"})
        assert (answer.status, pointers(answer)) == (422, {"#"}), answer
    assert patch(reeve, job, "{").status == 400
    assert reeve.job(job)["version"] == 1


def test_a_repeated_submission_is_answered_as_the_first_time(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    body = {"command": "true", "name": "first", "priority": 3, "labels": {"a": "1"}, "run_at": FAR}
    first, second = (reeve.request("POST", "/v1/jobs", fields, headers={"Idempotency-Key": key})
                     for fields, key in ((body, "all"), ({"command": "true", "hold": True}, "none")))
    for change in ({"name": "new", "priority": 1}, {"labels": {"b": "2"}, "run_at": None}, {"name": None, "labels": None}):
        assert patch(reeve, first.json(), change).status == 200
        assert patch(reeve, second.json(), change).status == 200
    for fields, key, answer in ((body, "all", first), ({"command": "true", "hold": True}, "none", second)):
        again = reeve.request("POST", "/v1/jobs", fields, headers={"Idempotency-Key": key})
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.json() == answer.json()


def test_who_may(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true", hold=True)
    assert patch(reeve, "0193f2c4-0000-7000-8000-000000000000", {"name": "x"}).status == 404
    assert patch(reeve, job, {"name": "x"}, via="tcp", headers={"Authorization": None}).status == 401
    assert patch(reeve, job, {"name": "x"}, headers={"Origin": "http://evil.example"}).status == 403
    assert patch(reeve, job, "name=x", headers={"Content-Type": "text/plain"}).status == 415
    assert reeve.request("PUT", "/v1/jobs/" + job["id"], {}).status == 405
    assert "PATCH" in reeve.request("PUT", "/v1/jobs/" + job["id"], {}).headers["Allow"]
    assert reeve.job(job)["version"] == 1


def test_the_command_line(reeve):
    reeve.start()
    job = reeve.submit("true", run_at=FAR)
    said = reeve.cli("change", "--priority", "5", "-n", "new", "-l", "a=1", "-l", "b=2", "--keep", job["id"])
    assert said.returncode == 0, said.stderr
    assert said.stdout.split("\t")[1:4] == ["waiting", "run_at", "5"]
    assert reeve.job(job)["labels"] == {"a": "1", "b": "2"}
    assert reeve.cli("change", "--no-labels", "--name", "", "--no-keep", "last").returncode == 0
    assert reeve.job(job)["labels"] == {} and reeve.job(job)["name"] is None
    assert reeve.cli("change", "--at", "now", "last").returncode == 0
    assert reeve.wait(job)["state"] == "succeeded"
    late = reeve.cli("change", "--priority", "1", "last")
    assert (late.returncode, "ended already" in late.stderr) == (5, True)
    assert reeve.cli("change", "last").returncode == 2
    assert reeve.cli("change", "--keep", "--no-keep", "last").returncode == 2
    assert json.loads(reeve.cli("show", "-o", "json", "last").stdout)["version"] == 6
