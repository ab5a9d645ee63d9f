"""Why a job does not run: each true reason, made for real, and all of several at once.

docs/queues.md has a sentence for each reason; what the service says must be that sentence.
"""

import json
import os
import re

import pytest

import harness
from test_readme import pattern
from workbench import Workbench

FAR = "2096-11-21T06:00:00Z"
FAR_FULL = "2096-11-21T06:00:00.000000Z"
QUEUES = {"thumbs": {"max_running": 1}, "nightly": {}}
MEMBERS = ["code", "detail", "until", "since", "by", "reason", "job", "on", "running", "limit"]
CODES = ["dependency", "run_at", "hold", "retry", "queue_paused", "queue_limit", "draining", "no_free_slot",
         "no_worker"]


def page():
    with open(os.path.join(harness.ROOT, "docs/queues.md"), encoding="utf-8") as file:
        return file.read()


def sentences():
    """{code: the sentence that docs/queues.md promises, with … for what varies}"""
    return dict(re.findall(r"^\| `(\w+)` \| (.*?) \| .*\|$", page().split("| code | sentence |")[1], re.M))


def me():
    return f"uid:{os.getuid()}"


def explain(reeve, job, via="unix"):
    answer = reeve.request("GET", f"/v1/jobs/{harness.job_id(job)}/explain", via=via)
    assert answer.status == 200, answer
    return answer.json()


def codes(found):
    return [reason["code"] for reason in found["reasons"]]


def only(reeve, job, code):
    """The explanation's one reason, which must be this one, in the words of the page."""
    found = explain(reeve, job)
    assert codes(found) == [code], found
    (reason,) = found["reasons"]
    assert list(reason) == MEMBERS
    assert pattern(sentences()[code] + "…").match(reason["detail"]), reason
    assert found["summary"] == f"It does not run yet: {reason['detail']}."
    return reason


def post(reeve, path, body=None):
    answer = reeve.request("POST", path, body if body is not None else {})
    assert answer.status == 200, answer
    return answer.json()


def blocker(reeve, **fields):
    """A job that runs until it is cancelled."""
    job = reeve.submit("sleep", 1000, **fields)
    reeve.wait_running(job)
    return job


def depend(reeve, child, parent, on="success"):
    """A dependency row by hand, as somebody with sqlite3 adds it to a held job."""
    row = "(SELECT job_id FROM v_jobs WHERE id = ?)"
    reeve.sql_write(f"INSERT INTO dependencies (job_id, parent_id, condition) VALUES ({row}, {row}, ?)",
                    harness.job_id(child), harness.job_id(parent), on)


# --- the nine ---------------------------------------------------------------------------------


def test_the_page_has_every_reason():
    assert list(sentences()) == CODES


def test_dependency(reeve):
    reeve.start()
    parent = blocker(reeve)
    child = reeve.submit("true", hold=True)
    depend(reeve, child, parent)
    post(reeve, f"/v1/jobs/{child['id']}/release")
    reason = only(reeve, child, "dependency")
    assert (reason["job"], reason["on"], reason["until"]) == (parent["id"], "success", None)
    assert reason["detail"] == f"job {parent['id']} has to succeed first"


@pytest.mark.parametrize("on, verb", [("failure", "fail"), ("any", "end"), ("started", "start")])
def test_dependency_conditions(reeve, on, verb):
    reeve.start()
    parent = reeve.submit("true", hold=True)
    child = reeve.submit("true", hold=True)
    depend(reeve, child, parent, on)
    post(reeve, f"/v1/jobs/{child['id']}/release")
    (reason,) = explain(reeve, child)["reasons"]
    assert (reason["on"], reason["detail"]) == (on, f"job {parent['id']} has to {verb} first")


def test_one_of_several_dependencies_is_enough(reeve):
    reeve.start()
    parents = [reeve.submit("true", hold=True) for _ in range(2)]
    child = reeve.submit("true", hold=True)
    for parent in parents:
        depend(reeve, child, parent)
    reeve.sql_write("UPDATE jobs SET depends_rule = 'any' WHERE id = (SELECT job_id FROM v_jobs WHERE id = ?)",
                    child["id"])
    post(reeve, f"/v1/jobs/{child['id']}/release")
    found = explain(reeve, child)
    assert {(reason["code"], reason["job"]) for reason in found["reasons"]} == {
        ("dependency", parent["id"]) for parent in parents}
    assert all(reason["detail"].endswith(" has to succeed first, or another one that it waits for")
               for reason in found["reasons"])
    post(reeve, f"/v1/jobs/{parents[1]['id']}/release")
    assert reeve.wait(child)["state"] == "succeeded"


def test_run_at(reeve):
    reeve.start()
    job = reeve.submit("true", run_at="2096-11-21T07:00:00+01:00")
    assert only(reeve, job, "run_at")["until"] == FAR_FULL
    assert explain(reeve, job)["earliest_at"] == FAR_FULL


def test_hold(reeve):
    reeve.start()
    job = reeve.submit("true", hold=True)
    assert only(reeve, job, "hold")["until"] is None
    assert explain(reeve, job)["earliest_at"] is None
    other = reeve.submit("true", run_at=FAR)
    post(reeve, f"/v1/jobs/{other['id']}/hold")
    reason = explain(reeve, other)["reasons"][1]
    assert (reason["code"], reason["by"]) == ("hold", me())
    assert me() in reason["detail"]


def test_retry(reeve):
    reeve.start()
    job = reeve.submit("false", retry={"max_attempts": 3, "delay_s": 3600, "jitter": 0})
    waiting = reeve.wait_state(job, "waiting")
    reason = only(reeve, job, "retry")
    assert reason["until"] == waiting["run_at"] == explain(reeve, job)["earliest_at"]
    assert reason["detail"].startswith("attempt 1 of 3 did not succeed")


def test_paused_queue(reeve):
    reeve.start(queues=QUEUES)
    post(reeve, "/v1/queues/nightly/pause", {"reason": "no night shift", "until": FAR})
    job = reeve.submit("true", queue="nightly")
    reason = only(reeve, job, "queue_paused")
    assert (reason["by"], reason["reason"], reason["until"]) == (me(), "no night shift", FAR_FULL)
    assert reason["since"] <= job["submitted_at"]
    assert reason["detail"].endswith("until 2096-11-21T06:00:00Z: no night shift")
    assert explain(reeve, job)["earliest_at"] == FAR_FULL


def test_full_queue(reeve):
    reeve.start(queues=QUEUES, slots=4)
    blocker(reeve, queue="thumbs")
    job = reeve.submit("true", queue="thumbs")
    reason = only(reeve, job, "queue_limit")
    assert (reason["running"], reason["limit"]) == (1, 1)
    assert reason["detail"] == 'the queue "thumbs" runs as many jobs as it may: 1 of 1'


def test_a_queue_whose_limit_was_lowered(reeve):
    reeve.start(queues={"thumbs": {"max_running": 2}}, slots=4)
    blockers = [blocker(reeve, queue="thumbs") for _ in range(2)]
    assert reeve.request("PATCH", "/v1/queues/thumbs", {"max_running": 1}).status == 200
    job = reeve.submit("true", queue="thumbs")
    reason = only(reeve, job, "queue_limit")
    assert (reason["running"], reason["limit"]) == (2, 1)
    assert reason["detail"].endswith("as it may: 2 of 1")
    reeve.cancel(blockers[0])
    reeve.wait(blockers[0])
    assert only(reeve, job, "queue_limit")["running"] == 1
    reeve.cancel(blockers[1])
    assert reeve.wait(job)["state"] == "succeeded"


def test_draining(reeve):
    reeve.start()
    post(reeve, "/v1/drain", {"reason": "new kernel"})
    job = reeve.submit("true")
    reason = only(reeve, job, "draining")
    assert (reason["by"], reason["reason"]) == (me(), "new kernel")


def test_no_free_slot(reeve):
    reeve.start(slots=2)
    blockers = [blocker(reeve), blocker(reeve)]
    job = reeve.submit("true")
    reason = only(reeve, job, "no_free_slot")
    assert (reason["running"], reason["limit"]) == (2, 2)
    reeve.cancel(blockers[0])
    assert reeve.wait(job)["state"] == "succeeded"


def test_no_worker(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    found = explain(reeve, job)
    assert codes(found) == ["no_worker"]
    assert found["summary"] == "It does not run yet: no worker has ever started."
    reeve.start_worker()
    reeve.wait(job)
    reeve.stop_worker()
    job = reeve.submit("true")
    assert only(reeve, job, "no_worker")["since"] is not None


def test_a_worker_that_was_killed_is_missed_when_its_heartbeat_is_old(reeve):
    reeve.start()
    reeve.kill_worker()
    reeve.sql_write("UPDATE workers SET heartbeat_at = heartbeat_at - 60000000")
    job = reeve.submit("true")
    heartbeat = reeve.sql("SELECT strftime('%Y-%m-%dT%H:%M:%S', heartbeat_at / 1000000, 'unixepoch') FROM workers")
    assert only(reeve, job, "no_worker")["since"][:19] == heartbeat[0][0]


# --- together ---------------------------------------------------------------------------------


def test_all_reasons_are_named_not_only_the_first(reeve):
    """What would still hold it back if the others went; then they go, one after the other."""
    reeve.start(queues=QUEUES)
    parent = reeve.submit("true", hold=True)
    job = reeve.submit("true", queue="thumbs", hold=True, run_at=FAR)
    depend(reeve, job, parent)
    post(reeve, "/v1/queues/thumbs/pause")
    post(reeve, "/v1/drain")
    found = explain(reeve, job)
    assert codes(found) == ["dependency", "run_at", "hold", "queue_paused", "draining"]
    assert found["summary"] == f"It does not run yet, for 5 reasons; the first is that {found['reasons'][0]['detail']}."
    assert found["earliest_at"] == FAR_FULL
    post(reeve, "/v1/undrain")
    post(reeve, "/v1/queues/thumbs/resume")
    assert codes(explain(reeve, job)) == ["dependency", "run_at", "hold"]
    post(reeve, f"/v1/jobs/{job['id']}/release")
    assert codes(explain(reeve, job)) == ["dependency", "run_at"]


def test_a_waiting_job_is_told_of_the_full_queue_behind_its_time(reeve):
    reeve.start(queues=QUEUES, slots=1)
    blocker(reeve, queue="thumbs")
    job = reeve.submit("true", queue="thumbs", run_at=FAR)
    assert codes(explain(reeve, job)) == ["run_at", "queue_limit", "no_free_slot"]


def test_the_end_of_the_pause_is_later_than_its_own_time(reeve):
    reeve.start(queues=QUEUES)
    post(reeve, "/v1/queues/nightly/pause", {"until": FAR})
    later = reeve.submit("true", queue="nightly", run_at="2097-01-01T00:00:00Z")
    sooner = reeve.submit("true", queue="nightly", run_at="2095-01-01T00:00:00Z")
    assert explain(reeve, later)["earliest_at"] == "2097-01-01T00:00:00.000000Z"
    assert explain(reeve, sooner)["earliest_at"] == FAR_FULL


def test_who_is_ahead(reeve):
    reeve.start(slots=1)
    blocker(reeve)
    jobs = [reeve.submit("true") for _ in range(3)]
    urgent = reeve.submit("true", priority=5)
    late = reeve.submit("true", priority=-5)
    assert [explain(reeve, job)["ahead"] for job in [urgent, *jobs, late]] == [0, 1, 2, 3, 4]


def test_who_is_ahead_is_counted_to_a_thousand(reeve):
    bench = Workbench(reeve)
    reeve.write_config()
    reeve.start_httpapi()
    bench.submit_many("/bin/true", count=1001)
    last = reeve.submit("true", priority=-1)
    found = explain(reeve, last)
    assert (found["ahead"], found["ahead_capped"]) == (1000, True)


@pytest.mark.parametrize("state", ["running", "ended"])
def test_nothing_holds_it_back(reeve, state):
    reeve.start()
    job = blocker(reeve)
    if state == "ended":
        reeve.cancel(job)
        reeve.wait(job)
    found = explain(reeve, job)
    assert (found["reasons"], found["ahead"], found["earliest_at"]) == ([], 0, None)
    assert found["summary"] == {"running": "It runs.", "ended": "It has ended: cancelled (cancel)."}[state]


def test_the_example_of_the_page_has_the_members_that_are_sent(reeve):
    reeve.start()
    shown = json.loads(re.findall(r"^```json\n(.*?)^```", page(), re.S | re.M)[1])
    found = explain(reeve, reeve.submit("true", run_at="2096-11-22T06:00:00Z"))
    assert list(found) == list(shown)
    assert found["reasons"] == shown["reasons"]
    assert found["summary"] == shown["summary"]


# --- asking -----------------------------------------------------------------------------------


def test_which_job(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    assert explain(reeve, "last")["id"] == job["id"] == explain(reeve, job["id"][:18])["id"]
    for wrong in ("00000000-0000-7000-8000-000000000000", "nonsense"):
        assert reeve.request("GET", f"/v1/jobs/{wrong}/explain").status == 404
    assert reeve.request("POST", f"/v1/jobs/{job['id']}/explain", {}).status == 405
    assert reeve.request("GET", f"/v1/jobs/{job['id']}/explain?why=1").status == 400
    assert reeve.request("GET", f"/v1/jobs/{job['id']}/explain", via="tcp",
                         headers={"Authorization": None}).status == 401


def test_asking_changes_nothing(reeve):
    reeve.start()
    job = reeve.submit("true", hold=True)
    before = reeve.job(job), reeve.events(job)
    explain(reeve, job)
    assert (reeve.job(job), reeve.events(job)) == before


def test_a_hostile_reason_stays_text(reeve):
    reeve.start()
    words = 'x"},{"code":"y\u0007\u202e\n\t'
    post(reeve, "/v1/drain", {"reason": words})
    job = reeve.submit("true")
    assert explain(reeve, job)["reasons"][0]["reason"] == words
    done = reeve.cli("explain", job["id"])
    assert done.returncode == 0 and "\x07" not in done.stdout and len(done.stdout.splitlines()) == 4


def test_a_pause_that_is_over_is_no_reason(reeve):
    reeve.write_config(queues=QUEUES)
    reeve.start_httpapi()
    job = reeve.submit("true", queue="thumbs")
    reeve.sql_write("UPDATE queues SET paused_at = 1, paused_until = ?, paused_by = 'uid:7' WHERE name = 'thumbs'",
                    4 * 10**15)
    assert "queue_paused" in codes(explain(reeve, job))
    reeve.sql_write("UPDATE queues SET paused_until = 2 WHERE name = 'thumbs'")
    assert codes(explain(reeve, job)) == ["no_worker"]
