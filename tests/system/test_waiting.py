"""Jobs that wait: for a time, for a release, for their next attempt; and what is too late."""

import datetime
import os
import sqlite3

import pytest

import harness
from workbench import Workbench

FAR = "2096-11-21T06:00:00Z"


def soon(seconds):
    """So long from now, as RFC 3339 with an offset that is not UTC's."""
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    return (datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)).isoformat()


def kinds(reeve, job):
    return [event["kind"] for event in reeve.events(job)]


def counter(reeve, job_script="exit 1"):
    """A script that appends a line to the file `ran` for each attempt."""
    return f"echo $REEVE_ATTEMPT >> {reeve.work}/ran; {job_script}"


def ran(reeve):
    try:
        with open(os.path.join(reeve.work, "ran"), encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def kill_everything(reeve):
    """kill -9 of both daemons and of every shim."""
    reeve.kill_httpapi()
    reeve.kill_worker()
    for shim in reeve.shims():
        harness.kill_pid(shim)
    harness.wait_until(lambda: not reeve.shims(), "the end of the shims")


# --- run_at -----------------------------------------------------------------------------------


def test_a_job_starts_when_its_time_comes_and_not_before(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", run_at=soon(1.5))
    assert (job["state"], job["reason"], job["attempt"]) == ("waiting", "run_at", 0)
    done = reeve.wait(job)
    assert done["state"] == "succeeded"
    assert done["run_at"] == job["run_at"] and done["started_at"] >= job["run_at"]
    assert kinds(reeve, job) == ["submitted", "due", "started", "ended"]


def test_a_time_that_is_over_starts_at_once(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", run_at="2001-01-01T00:00:00+01:00")
    assert (job["state"], job["run_at"]) == ("queued", "2000-12-31T23:00:00.000000Z")
    assert reeve.wait(job)["state"] == "succeeded"


def test_a_time_far_ahead_survives_restarts(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", run_at=FAR)
    kill_everything(reeve)
    reeve.start()
    assert reeve.run("/bin/true")["state"] == "succeeded"
    found = reeve.job(job)
    assert (found["state"], found["reason"], found["version"]) == ("waiting", "run_at", 1)
    assert reeve.sql("SELECT run_at, reason FROM v_waiting") == [("2096-11-21T06:00:00.000000Z", "run_at")]


def test_a_time_that_came_while_nobody_was_there(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", run_at=soon(0.2))
    reeve.kill_worker()
    reeve.start_worker()
    assert reeve.wait(job)["state"] == "succeeded"


def test_a_time_changed_by_hand_is_noticed(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", run_at=FAR)
    reeve.sql_write("UPDATE jobs SET run_at = 1")
    assert reeve.wait(job)["state"] == "succeeded"


def wall_timers(pid):
    """What /proc says of a process's timers on the wall clock: (settime flags, seconds left)."""
    found = []
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        facts = dict(line.split(":", 1) for line in harness.proc_read(pid, f"fdinfo/{name}").decode().splitlines()
                     if ":" in line)
        if facts.get("clockid", "").strip() == "0":
            left = facts["it_value"].strip(" ()").split(",")[0]
            found.append((int(facts["settime flags"], 8), int(left)))
    return found


def test_the_worker_sleeps_until_then_and_notices_a_clock_that_is_set(reeve):
    """Asked of the kernel: setting the clock of the machine that runs the tests is no test."""
    absolute_and_cancelled_on_set = 1 | 2
    reeve.start()
    job = reeve.submit("/bin/true", run_at=soon(3600))
    harness.wait_until(lambda: any(left > 3000 for _, left in wall_timers(reeve.worker.pid)), "the timer")
    ((flags, left),) = wall_timers(reeve.worker.pid)
    assert flags == absolute_and_cancelled_on_set and 3000 < left <= 3600
    change(reeve, job, "hold")
    harness.wait_until(lambda: wall_timers(reeve.worker.pid)[0][1] == 0, "the timer to be let go")


def test_many_become_due_at_once(reeve):
    """More than fit into one transaction of the worker."""
    bench = Workbench(reeve, slots=2)
    jobs = bench.submit_many("/bin/true", count=1100, run_at="4102444800000000")
    reeve.sql_write("UPDATE jobs SET run_at = 1 WHERE id <= 1001")
    reeve.sql_write("UPDATE jobs SET expires_at = 1 WHERE id <= 990")
    bench.start()
    harness.wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(11,)],
                       lambda: f"the eleven\n{reeve.logs}")
    assert reeve.sql("SELECT state, reason, count(*) FROM jobs GROUP BY 1, 2 ORDER BY 1") == [
        ("failed", "expired", 990), ("succeeded", None, 11), ("waiting", "run_at", 99)]
    assert len(jobs) == 1100


# --- hold and release -------------------------------------------------------------------------


def change(reeve, job, verb, status=200, body=None):
    answer = reeve.request("POST", f"/v1/jobs/{harness.job_id(job)}/{verb}", body)
    assert answer.status == status, answer
    return answer.json()


def test_a_held_job_starts_when_it_is_released(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", hold=True)
    assert (job["state"], job["reason"]) == ("waiting", "hold")
    assert reeve.run("/bin/true")["state"] == "succeeded"
    reeve.stop()
    reeve.start()
    assert reeve.run("/bin/true")["state"] == "succeeded"
    assert reeve.job(job)["state"] == "waiting"
    assert change(reeve, job, "hold")["version"] == 1, "held already"
    assert change(reeve, job, "release")["state"] in ("queued", "running", "succeeded")
    assert reeve.wait(job)["state"] == "succeeded"
    events = reeve.events(job)
    assert [(event["kind"], event["state"]) for event in events] == [
        ("submitted", "waiting"), ("released", "queued"), ("started", "running"), ("ended", "succeeded")]
    assert events[1]["principal"] == f"uid:{os.getuid()}"


def test_hold_while_queued_behind_a_busy_slot(reeve):
    reeve.start(slots=1)
    busy = reeve.sh(f"while [ ! -e {reeve.work}/go ]; do sleep 0.02; done")
    reeve.wait_running(busy)
    held = reeve.submit("/bin/true")
    assert held["state"] == "queued"
    assert change(reeve, held, "hold")["reason"] == "hold"
    change(reeve, busy, "hold", status=409)
    open(os.path.join(reeve.work, "go"), "wb").close()
    assert reeve.run("/bin/true")["state"] == "succeeded"
    assert reeve.job(held)["state"] == "waiting"
    assert reeve.cancel(held).status == 200
    change(reeve, held, "release", status=409)


def test_a_hold_outlasts_its_time_and_a_release_does_not_hurry_it(reeve):
    reeve.start()
    late = reeve.submit("/bin/true", hold=True, run_at=soon(0.1))
    early = reeve.submit("/bin/true", hold=True, run_at=FAR)
    assert reeve.run("/bin/true", run_at=soon(0.3))["state"] == "succeeded"
    assert reeve.job(late)["reason"] == "hold"
    change(reeve, late, "release")
    assert reeve.wait(late)["state"] == "succeeded"
    released = change(reeve, early, "release", body={})
    assert (released["state"], released["reason"]) == ("waiting", "run_at")


def test_hold_refuses_what_it_does_not_know(reeve):
    reeve.start()
    job = reeve.submit("/bin/true", hold=True)
    change(reeve, job, "release", status=422, body={"force": True})
    change(reeve, "01234567-89ab-7def-8123-456789abcdef", "hold", status=404)
    assert reeve.job(job)["version"] == 1


# --- too late ---------------------------------------------------------------------------------


@pytest.mark.parametrize("limit, fields", [("expires_at", {}), ("deadline_s", {"deadline_s": 0.3})])
@pytest.mark.parametrize("waits_for", [{"hold": True}, {"run_at": FAR}, {}])
def test_what_has_not_started_in_time_fails(reeve, limit, fields, waits_for):
    reeve.start(slots=1)
    if limit == "expires_at" and "run_at" not in waits_for:
        fields = {"expires_at": soon(0.3)}
    elif limit == "expires_at":
        fields, waits_for = {"expires_at": soon(0.3)}, {"run_at": soon(0.2), "hold": True}
    busy = reeve.submit("/bin/sleep", "1000")
    reeve.wait_running(busy)
    done = reeve.run("/bin/true", **fields, **waits_for)
    assert (done["state"], done["reason"], done["attempt"]) == ("failed", "expired", 0)
    assert reeve.events(done)[-1]["data"] == {"reason": "expired", "limit": limit}
    reeve.cancel(busy, force=True)


def test_a_deadline_stops_what_runs(reeve):
    reeve.start()
    done = reeve.run("/bin/sleep", "1000", deadline_s=0.5, timeout_s=500,
                     retry={"max_attempts": 5, "delay_s": 0, "on": ["timeout"]})
    assert (done["state"], done["reason"], done["attempt"]) == ("failed", "timeout", 1)


def test_a_deadline_holds_while_no_worker_is_there(reeve):
    bench = Workbench(reeve).start()
    job = bench.submit("/bin/sleep", "1000", deadline_us=1500000)
    bench.wait_running(job)
    reeve.kill_worker()
    harness.wait_until(lambda: not reeve.processes_of(job), "its end")
    reeve.start_worker()
    assert bench.wait(job)["reason"] == "timeout"


# --- retries ----------------------------------------------------------------------------------


def test_a_job_is_tried_again_until_it_succeeds(reeve):
    reeve.start()
    done = reeve.run("/bin/sh", "-c", counter(reeve, "[ $REEVE_ATTEMPT = 3 ]"),
                     retry={"max_attempts": 5, "delay_s": 0.01})
    assert (done["state"], done["attempt"], done["exit_code"]) == ("succeeded", 3, 0)
    assert ran(reeve) == ["1", "2", "3"]
    assert kinds(reeve, done) == ["submitted", "started", "retrying", "due", "started",
                                  "retrying", "due", "started", "ended"]
    assert reeve.cli("db", "check", "--db", reeve.db).stdout == "sound\n"
    assert reeve.cli("db", "verify", "--db", reeve.db).returncode == 0
    assert reeve.output(done, "?attempt=1") == b""


def test_a_job_is_tried_as_often_as_asked_and_then_failed(reeve):
    reeve.start()
    done = reeve.run("/bin/sh", "-c", counter(reeve, "kill -9 $$"), retry={"max_attempts": 3, "delay_s": 0})
    assert (done["state"], done["reason"], done["attempt"], done["signal"]) == ("failed", "signal", 3, 9)
    assert done["max_attempts"] == 3
    assert done["retry"] == {"delay_s": 0, "factor": 2, "max_delay_s": 3600, "jitter": 0.1,
                             "on": ["exit", "signal"], "exit_codes": None}
    attempts = reeve.request("GET", f"/v1/jobs/{done['id']}/attempts").json()["items"]
    assert [attempt["signal"] for attempt in attempts] == [9, 9, 9]


def test_a_waiting_retry_holds_no_slot_and_can_be_cancelled_at_once(reeve):
    reeve.start(slots=1)
    job = reeve.sh("exit 7", retry={"max_attempts": 2, "delay_s": 3600})
    waiting = reeve.wait_state(job, "waiting")
    assert (waiting["reason"], waiting["exit_code"], waiting["attempt"]) == ("retry", 7, 1)
    event = reeve.events(job)[-1]
    assert event["data"] == {"attempt": 1, "exit_code": 7, "reason": "exit", "run_at": waiting["run_at"]}
    assert reeve.run("/bin/true")["state"] == "succeeded"
    held = change(reeve, job, "hold")
    assert held["run_at"] == waiting["run_at"]
    assert change(reeve, job, "release")["reason"] == "retry"
    cancelled = reeve.cancel(job)
    assert cancelled.status == 200 and cancelled.json()["state"] == "cancelled"


def test_a_cancelled_job_is_not_tried_again(reeve):
    reeve.start()
    job = reeve.submit("/bin/sleep", "1000", retry={"max_attempts": 3, "delay_s": 0, "on": [
        "exit", "signal", "timeout", "oom", "output_limit", "start_failed", "lost"]})
    reeve.wait_running(job)
    reeve.cancel(job)
    done = reeve.wait(job)
    assert (done["state"], done["attempt"]) == ("cancelled", 1)


def test_a_retry_survives_the_death_of_everything_and_starts_once(reeve):
    reeve.start()
    job = reeve.sh(counter(reeve), retry={"max_attempts": 2, "delay_s": 3600, "jitter": 0})
    waiting = reeve.wait_state(job, "waiting")
    kill_everything(reeve)
    reeve.start()
    assert reeve.run("/bin/true")["state"] == "succeeded"
    assert reeve.job(job)["run_at"] == waiting["run_at"], "sampled once"
    assert ran(reeve) == ["1"]
    kill_everything(reeve)
    with sqlite3.connect(reeve.db) as db:
        db.execute("UPDATE jobs SET run_at = 1 WHERE state = 'waiting'")
    db.close()
    reeve.start()
    done = reeve.wait(job)
    assert (done["state"], done["attempt"]) == ("failed", 2)
    assert ran(reeve) == ["1", "2"]


@pytest.mark.parametrize("on, state", [(["lost"], "waiting"), (["exit"], "lost")])
def test_a_lost_attempt_is_tried_again_only_if_asked(reeve, on, state):
    reeve.start()
    job = reeve.submit("/bin/sleep", "1000", retry={"max_attempts": 2, "delay_s": 3600, "on": on})
    reeve.wait_running(job)
    harness.kill_pid(reeve.shim_of(job))
    found = reeve.wait_state(job, "waiting", "lost")
    assert found["state"] == state
    attempts = reeve.request("GET", f"/v1/jobs/{found['id']}/attempts").json()["items"]
    assert attempts[0]["outcome"] == "shim_died"


def test_waiting_goes_on_over_attempts(reeve):
    reeve.start()
    job = reeve.sh(counter(reeve, "exit $REEVE_ATTEMPT"), retry={"max_attempts": 3, "delay_s": 0.2})
    done = reeve.cli("wait", job["id"])
    assert done.returncode == 3, done.stderr
    assert ran(reeve) == ["1", "2", "3"]


def test_an_attempt_that_would_be_too_late_is_none(reeve):
    reeve.start()
    done = reeve.run("/bin/false", expires_at=soon(60), retry={"max_attempts": 2, "delay_s": 3600})
    assert (done["state"], done["reason"], done["attempt"]) == ("failed", "exit", 1)


# --- the request ------------------------------------------------------------------------------


BAD = [
    ("run_at", "tomorrow", "#/run_at"), ("run_at", 1700000000, "#/run_at"),
    ("run_at", "2026-11-21 06:00", "#/run_at"), ("expires_at", "", "#/expires_at"),
    ("expires_at", True, "#/expires_at"), ("expires_at", "1969-12-31T00:00:00Z", "#/expires_at"),
    ("deadline_s", 0, "#/deadline_s"), ("deadline_s", -1, "#/deadline_s"), ("deadline_s", "5", "#/deadline_s"),
    ("hold", 1, "#/hold"), ("hold", "yes", "#/hold"), ("hold", {}, "#/hold"),
    ("retry", 3, "#/retry"), ("retry", [], "#/retry"), ("retry", {"attempts": 3}, "#/retry/attempts"),
    ("retry", {"max_attempts": 0}, "#/retry/max_attempts"), ("retry", {"max_attempts": 1001}, "#/retry/max_attempts"),
    ("retry", {"max_attempts": 1.5}, "#/retry/max_attempts"),
    ("retry", {"delay_s": -1}, "#/retry/delay_s"), ("retry", {"delay_s": 1e12}, "#/retry/delay_s"),
    ("retry", {"delay_s": "1"}, "#/retry/delay_s"),
    ("retry", {"factor": 0.5}, "#/retry/factor"), ("retry", {"factor": 101}, "#/retry/factor"),
    ("retry", {"factor": "2"}, "#/retry/factor"),
    ("retry", {"max_delay_s": -0.1}, "#/retry/max_delay_s"), ("retry", {"max_delay_s": 1e12}, "#/retry/max_delay_s"),
    ("retry", {"max_delay_s": []}, "#/retry/max_delay_s"),
    ("retry", {"on": ["exit", "lost", "exit"]}, "#/retry/on/2"), ("retry", {"on": {"exit": 1}}, "#/retry/on"),
    ("retry", {"jitter": -0.1}, "#/retry/jitter"), ("retry", {"jitter": 1.1}, "#/retry/jitter"),
    ("retry", {"jitter": False}, "#/retry/jitter"),
    ("retry", {"on": []}, "#/retry/on"), ("retry", {"on": "exit"}, "#/retry/on"),
    ("retry", {"on": ["exit", "cancel"]}, "#/retry/on/1"), ("retry", {"on": [1]}, "#/retry/on/0"),
    ("retry", {"exit_codes": []}, "#/retry/exit_codes"), ("retry", {"exit_codes": [1, 0]}, "#/retry/exit_codes/1"),
    ("retry", {"exit_codes": [256]}, "#/retry/exit_codes/0"), ("retry", {"exit_codes": ["1"]}, "#/retry/exit_codes/0"),
]


def test_every_bad_value_is_named(reeve):
    reeve.start()
    for name, value, pointer in BAD:
        answer = reeve.request("POST", "/v1/jobs", {"command": "true", name: value})
        assert answer.status == 422, (name, value, answer)
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer], (name, value, answer)
    answer = reeve.request("POST", "/v1/jobs", {"command": "true", "run_at": "2030-01-01T00:00:00Z",
                                                "expires_at": "2030-01-01T01:00:00+01:00"})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/expires_at"]
    assert reeve.sql("SELECT count(*) FROM jobs") == [(0,)]


def test_the_answer_says_what_the_row_says(reeve):
    reeve.start()
    given = {"run_at": FAR, "expires_at": "2097-01-01T00:00:00Z", "deadline_s": 1.5e8, "hold": True,
             "retry": {"max_attempts": 4, "delay_s": 0.25, "jitter": 0, "on": ["lost", "timeout"], "exit_codes": [75]}}
    dry = reeve.request("POST", "/v1/jobs?dry_run=1", {"command": "true", **given}).json()["job"]
    job = reeve.submit("true", headers={"Idempotency-Key": "k"}, **given)
    assert job == {**dry, "id": job["id"], "submitted_at": job["submitted_at"]}
    assert reeve.job(job) == job
    assert (job["state"], job["reason"], job["max_attempts"], job["deadline_s"]) == ("waiting", "hold", 4, 150000000)
    assert job["retry"] == {"delay_s": 0.25, "factor": 2, "max_delay_s": 3600, "jitter": 0,
                            "on": ["timeout", "lost"], "exit_codes": [75]}
    change(reeve, job, "release")
    again = reeve.submit("true", headers={"Idempotency-Key": "k"}, **given)
    assert again == job, "the first answer again"


# --- the command line -------------------------------------------------------------------------


def test_the_command_line(reeve):
    reeve.start()
    held = reeve.cli("run", "--hold", "--", "true").stdout.strip()
    later = reeve.cli("run", "--at", FAR, "--expires", "2097-01-01T00:00:00Z", "--deadline", "48h", "--", "true").stdout.strip()
    soon_job = reeve.cli("run", "--at", "+1s", "--wait", "--", "sh", "-c", "exit 5")
    assert soon_job.returncode == 5
    assert (reeve.job(held)["reason"], reeve.job(later)["reason"]) == ("hold", "run_at")
    assert reeve.job(later)["deadline_s"] == 172800
    assert reeve.cli("hold", later, "-o", "id").stdout.strip() == later
    released = reeve.cli("release", held, later)
    assert released.returncode == 0, released.stderr
    assert reeve.wait(held)["state"] == "succeeded"
    assert reeve.job(later)["reason"] == "run_at"
    assert reeve.cli("hold", held).returncode == 5
    assert reeve.cli("run", "--at", "+soon", "--", "true").returncode == 2
    done = reeve.cli("run", "--wait", "--retries", "2", "--retry-delay", "0.01", "--retry-on", "exit", "--",
                     "sh", "-c", "exit $REEVE_ATTEMPT")
    assert done.returncode == 3, done.stderr
    assert reeve.cli("db", "ls", "--db", reeve.db).stdout == reeve.cli("ls").stdout
    shown = reeve.cli("show", later).stdout
    assert "run_at\t2096-11-21T06:00:00.000000Z" in shown
