"""What the service counts: the same as a recount of its rows, and right after restarts."""

import json

import harness

STATES = ("waiting", "queued", "running", "succeeded", "failed", "cancelled", "skipped", "lost")


def stats(reeve, **how):
    answer = reeve.request("GET", "/v1/stats", **how)
    assert answer.status == 200, answer
    return answer.json()


def recount(reeve):
    counts = dict.fromkeys(STATES, 0)
    counts.update(reeve.sql("SELECT state, count(*) FROM jobs GROUP BY state"))
    return counts


def test_counts_and_flow_are_those_of_the_rows(reeve):
    reeve.start(slots=2)
    assert stats(reeve)["queues"] == []
    reeve.run("/bin/true")
    reeve.run("/bin/sh", "-c", "exit 3")
    reeve.cancel(reeve.submit("/bin/true", hold=True))
    reeve.submit("/bin/true", hold=True)
    running = reeve.submit("/bin/sleep", "1000")
    reeve.wait_running(running)
    found = stats(reeve)
    assert found["jobs"] == recount(reeve)
    assert found["jobs"] == {**dict.fromkeys(STATES, 0), "waiting": 1, "running": 1, "succeeded": 1,
                             "failed": 1, "cancelled": 1}
    (queue,) = found["queues"]
    assert (queue["name"], queue["jobs"], queue["last"]) == ("default", found["jobs"], found["last"])
    for span, seconds in (("minute", 60), ("hour", 3600), ("day", 86400)):
        last = found["last"][span]
        assert seconds <= last["seconds"] <= seconds + 60
        assert [last[name] for name in ("submitted", "started", "succeeded", "failed", "cancelled")] == [5, 3, 1, 1, 1]
        assert 0 <= last["mean_wait_s"] < harness.LIMIT_S and 0 < last["mean_run_s"] < harness.LIMIT_S
    assert found["worker"]["alive"] is True and found["worker"]["slots"] == 2
    assert found["sizes"]["wal_bytes"] > 0 and found["sizes"]["free_bytes"] > 0
    reeve.cancel(running, force=True)
    reeve.wait(running)
    assert stats(reeve)["jobs"] == recount(reeve)


def test_counts_survive_the_death_of_everybody(reeve):
    reeve.start(slots=4)
    jobs = [reeve.sh(f"exit {i % 2}") for i in range(20)]
    reeve.kill_worker()
    reeve.kill_httpapi()
    reeve.start()
    for job in jobs:
        reeve.wait(job)
    found = stats(reeve)
    assert found["jobs"] == recount(reeve)
    assert (found["jobs"]["succeeded"], found["jobs"]["failed"]) == (10, 10)
    assert found["last"]["hour"]["submitted"] == found["last"]["hour"]["started"] == 20
    assert reeve.cli("db", "check", "--state-dir", reeve.state_dir).returncode == 0


def test_a_worker_that_was_stopped_is_not_alive(reeve):
    reeve.start()
    reeve.stop_worker()
    assert stats(reeve)["worker"]["alive"] is False


def test_everybody_who_may_read_sees_them_and_nobody_else(reeve):
    reeve.start()
    reeve.run("/bin/true", name="secret name")
    assert reeve.request("GET", "/v1/stats", via="tcp", headers={"Authorization": None}).status == 401
    found = stats(reeve, via="tcp")
    assert found["jobs"]["succeeded"] == 1 and "secret" not in json.dumps(found)


def test_the_command_line(reeve):
    reeve.start()
    reeve.run("/bin/true")
    said = reeve.cli("stats")
    assert said.returncode == 0, said.stderr
    lines = [line.split("\t") for line in said.stdout.splitlines()]
    assert ["worker_alive", "true"] in lines
    assert ["default", "0", "0", "0", "1", "0", "0", "0", "0"] in lines
    assert [line[0] for line in lines[-3:]] == ["minute", "hour", "day"]
    assert json.loads(reeve.cli("stats", "-o", "json").stdout)["jobs"]["succeeded"] == 1
