"""Signals that people send to running jobs: to the main process, once, and with a trace."""

import pytest

import harness
from intake import pointers

TRAP = "trap 'echo got' USR1; echo ready; while :; do sleep 0.05; done"


def send(reeve, job, signal, **how):
    return reeve.request("POST", f"/v1/jobs/{job['id']}/signal", {"signal": signal}, **how)


def trapping(reeve, script=TRAP):
    job = reeve.sh(script)
    reeve.wait_output(job, "ready")
    harness.wait_until(lambda: reeve.job(job)["process"], "its process to be recorded")
    return job


def signalled(reeve, job, count=1):
    """What the history says of the signals, once there are so many."""
    def look():
        return [event for event in reeve.events(job) if event["kind"] == "signalled"]
    harness.wait_until(lambda: len(look()) >= count, lambda: f"{count} signals in {reeve.events(job)}\n{reeve.logs}")
    assert len(look()) == count
    return look()


@pytest.mark.parametrize("signal", ["USR1", "SIGUSR1", 10, "10"])
def test_the_main_process_gets_it(reeve, signal):
    reeve.start()
    job = trapping(reeve)
    answer = send(reeve, job, signal)
    assert (answer.status, answer.json()["state"]) == (202, "running"), answer
    reeve.wait_output(job, "got")
    (event,) = signalled(reeve, job)
    assert event["data"] == {"signal": "USR1", "number": 10, "attempt": 1, "delivered": True}
    assert event["principal"] == reeve.request("GET", "/v1/whoami").json()["principal"] and event["state"] is None
    assert reeve.sql("SELECT count(*) FROM signal_requests") == [(0,)]
    assert reeve.job(job)["state"] == "running"
    assert reeve.output(job).count(b"got") == 1
    reeve.cancel(job, force=True)


def test_its_children_do_not_get_it(reeve):
    reeve.start()
    job = trapping(reeve, "sh -c \"trap 'echo child' USR1; echo ready; while :; do sleep 0.05; done\" & "
                   "trap 'echo got' USR1; wait; wait; wait")
    send(reeve, job, "USR1")
    reeve.wait_output(job, "got")
    assert b"child" not in reeve.output(job)
    reeve.cancel(job, force=True)


def test_kill_is_an_end_by_signal_and_stop_is_none(reeve):
    reeve.start()
    job = trapping(reeve)
    pid = reeve.job(job)["process"]["pid"]
    send(reeve, job, "STOP")
    harness.wait_until(lambda: harness.proc_stat(pid)[0] == "T", "the process to stop")
    assert reeve.job(job)["state"] == "running"
    send(reeve, job, "CONT")
    harness.wait_until(lambda: harness.proc_stat(pid)[0] != "T", "the process to go on")
    send(reeve, job, "KILL")
    ended = reeve.wait(job)
    assert (ended["state"], ended["reason"], ended["signal"]) == ("failed", "signal", 9)
    assert [event["data"]["signal"] for event in signalled(reeve, job, 3)] == ["STOP", "CONT", "KILL"]


def test_what_does_not_run_cannot_be_signalled(reeve):
    reeve.start()
    for job in (reeve.submit("true", hold=True), reeve.run("true")):
        answer = send(reeve, job, "USR1")
        assert (answer.status, answer.json()["code"]) == (409, "conflict")
        assert not [event for event in reeve.events(job) if event["kind"] == "signalled"]
    assert send(reeve, {"id": "0193f2c4-0000-7000-8000-000000000000"}, "USR1").status == 404
    assert send(reeve, job, "USR1", via="tcp", headers={"Authorization": None}).status == 401
    assert send(reeve, job, "USR1", headers={"Origin": "http://evil.example"}).status == 403


@pytest.mark.parametrize("body, wrong", [
    ({}, {"#/signal"}), ({"signal": None}, {"#/signal"}), ({"signal": "usr1"}, {"#/signal"}),
    ({"signal": "SIG"}, {"#/signal"}), ({"signal": ""}, {"#/signal"}), ({"signal": 0}, {"#/signal"}),
    ({"signal": 32}, {"#/signal"}), ({"signal": -9}, {"#/signal"}), ({"signal": 9.5}, {"#/signal"}),
    ({"signal": 1e300}, None), ({"signal": ["USR1"]}, {"#/signal"}), ([], {"#"}),
    ("", {"#/signal"}), ({"signal": "USR1", "pid": 1}, {"#/pid"})])
def test_what_is_no_signal(reeve, body, wrong):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    answer = reeve.request("POST", f"/v1/jobs/{job['id']}/signal", body,
                           headers={"Content-Type": "application/json"})
    if wrong is None:  # no number that JSON may have here
        assert answer.status == 400
    else:
        assert answer.status == 422 and pointers(answer) == wrong, answer
    assert reeve.sql("SELECT count(*) FROM signal_requests") == [(0,)]


# --- whoever dies ---------------------------------------------------------------------------------


def test_a_signal_waits_for_the_next_worker_and_is_sent_once(reeve):
    reeve.start()
    job = trapping(reeve)
    reeve.kill_worker()
    assert send(reeve, job, "USR1").status == 202
    assert reeve.sql("SELECT signal, sent_by FROM signal_requests") == [(10, None)]
    for _ in range(2):
        reeve.start_worker()
        reeve.wait_output(job, "got")
        signalled(reeve, job)
        reeve.kill_worker()
    reeve.start_worker()
    send(reeve, job, "KILL")
    reeve.wait(job)
    assert reeve.output(job).count(b"got") == 1


def test_a_signal_that_came_too_late_was_not_delivered(reeve):
    reeve.start()
    job = trapping(reeve)
    reeve.kill_worker()
    send(reeve, job, "USR1")
    harness.kill_pid(reeve.job(job)["process"]["pid"])
    reeve.wait_no_processes(job)
    reeve.start_worker()
    assert reeve.wait(job)["reason"] == "signal"
    (event,) = signalled(reeve, job)
    assert event["data"]["delivered"] is False and event["data"]["why"] == "the attempt had ended"
    assert reeve.sql("SELECT count(*) FROM signal_requests") == [(0,)]


def test_what_a_worker_was_about_to_send_when_it_died_is_not_sent_again(reeve):
    """Killed between the two commits: what it leaves is the row with its epoch."""
    reeve.start()
    job = trapping(reeve)
    reeve.kill_worker()
    send(reeve, job, "USR1")
    reeve.sql_write("UPDATE signal_requests SET sent_by = 1")
    reeve.start_worker()
    (event,) = signalled(reeve, job)
    assert event["data"]["delivered"] is None and event["data"]["why"] == "the worker died before it could say"
    send(reeve, job, "KILL")
    reeve.wait(job)
    assert b"got" not in reeve.output(job)


def test_what_was_sent_and_could_not_be_recorded_is_recorded_later(reeve):
    """By the worker that sent it and still lives, and said once."""
    reeve.start()
    job = trapping(reeve)
    reeve.sql_write("CREATE TRIGGER not_now BEFORE DELETE ON signal_requests "
                    "BEGIN SELECT RAISE(ABORT, 'not now'); END")
    send(reeve, job, "USR1")
    reeve.wait_output(job, "got")
    reeve.worker.wait_line("ev=signal_postponed")
    assert reeve.run("true")["state"] == "succeeded"
    reeve.run("true")
    assert reeve.worker.log.count("ev=signal_postponed") == 1
    reeve.sql_write("DROP TRIGGER not_now")
    (event,) = signalled(reeve, job)
    assert event["data"]["delivered"] is True
    assert reeve.output(job).count(b"got") == 1
    reeve.cancel(job, force=True)


def test_many_at_once(reeve):
    """More than the worker looks at together, for jobs that run and for one that is over."""
    reeve.start()
    job = trapping(reeve)
    row = reeve.sql("SELECT id FROM jobs")[0][0]
    reeve.sql_write("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) "
                    "INSERT INTO signal_requests (job_id, attempt, signal, principal, at) "
                    "SELECT ?, 1 + i % 2, 18, 'uid:0', 1 FROM n", row)
    def delivered():
        return reeve.sql("SELECT data ->> '$.attempt', data ->> '$.delivered', count(*) FROM events "
                         "WHERE kind = 'signalled' GROUP BY 1, 2 ORDER BY 1")
    harness.wait_until(lambda: delivered() == [(1, 1, 75), (2, 0, 75)], delivered)
    assert reeve.sql("SELECT count(*) FROM signal_requests") == [(0,)]
    reeve.cancel(job, force=True)


def test_the_command_line(reeve):
    reeve.start()
    job = trapping(reeve)
    said = reeve.cli("signal", "last", "usr1")
    assert (said.returncode, "signal's name" in said.stderr) == (2, True), said.stderr
    for word in ("USR1", "15"):
        said = reeve.cli("signal", job["id"], word)
        assert said.returncode == 0, said.stderr
        assert said.stdout.startswith(job["id"] + "\trunning\t")
    assert reeve.wait(job)["signal"] == 15
    assert reeve.cli("signal", "last", "USR1").returncode == 5
