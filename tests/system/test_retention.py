"""Retention: what is old goes, in slices, while the service goes on; what remains answers."""

import json
import os
import re
import subprocess
import threading
import time
import uuid

import pytest

import harness
from harness import job_id, wait_until

MANY = 200000
DAY = 86400


def uuid_text(blob):
    return str(uuid.UUID(bytes=blob))


def history(reeve, count, files, oldest_days, newest_days):
    """Fills the database with jobs of ours that ended so long ago."""
    subprocess.run([reeve.program("history"), reeve.state_dir, str(count), str(files), str(oldest_days),
                    str(newest_days), f"uid:{os.geteuid()}"], check=True, timeout=300, env=reeve.env())


def output_files(reeve):
    """{path below the state directory} of everything in output/."""
    return {os.path.relpath(os.path.join(folder, name), reeve.state_dir)
            for folder, _, names in os.walk(reeve.path("output")) for name in names}


def prune(reeve, *args):
    done = reeve.cli("--config", reeve.write_config(), "db", "prune", "-o", "json", *args)
    assert done.returncode == 0, done.stderr
    return {item["rule"]: item for item in json.loads(done.stdout)}


class Submitters(threading.Thread):
    """Submits one job after the other until it is told to stop; remembers the answers and how long
    each took."""

    def __init__(self, reeve):
        super().__init__()
        self.reeve = reeve
        self.statuses = []
        self.longest = 0.0
        self.failed = None
        self.is_over = threading.Event()

    def run(self):
        try:
            conn = self.reeve.connect()
            while not self.is_over.wait(0.01):  # as many as a busy service gets
                began = time.monotonic()
                answer = self.reeve.request("POST", "/v1/jobs", {"command": "true"}, conn=conn)
                self.longest = max(self.longest, time.monotonic() - began)
                self.statuses.append(answer.status)
            conn.close()
        except Exception as error:  # noqa: BLE001  (told by the test's thread)
            self.failed = error


def test_200000_jobs_go_while_others_come(reeve, record_property):
    history(reeve, MANY, 2000, 730, 0)
    reeve.write_config(retention={"rules": [{"queue": "ci", "outcome": "failed", "rows": {}}]}, slots=2)
    # one that is kept, and one that somebody waits for: both long over
    (kept, kept_id), (parent, parent_id) = reeve.sql(
        "SELECT id, uuid FROM jobs WHERE state = 'succeeded' AND queue = 'default' ORDER BY id LIMIT 2")
    gone = uuid_text(reeve.sql("SELECT uuid FROM jobs WHERE state = 'succeeded' ORDER BY id LIMIT 1 OFFSET 9")[0][0])
    reeve.start_httpapi()
    child = reeve.submit("true", hold=True)
    reeve.sql_write("INSERT INTO kept_jobs VALUES (?, 'uid:0', 0)", kept)
    reeve.sql_write("INSERT INTO dependencies (job_id, parent_id) SELECT id, ? FROM jobs WHERE state = 'waiting'", parent)
    wanted = prune(reeve, "--dry-run")
    assert reeve.sql("SELECT count(*) FROM jobs")[0][0] == MANY + 1, "a preview changes nothing"
    assert wanted["0"]["jobs"] == 0 and wanted["0"]["outputs"] > 9000
    assert wanted["rest"]["exempt"] == 2
    assert 80000 < wanted["rest"]["jobs"] < 100000
    # the worker does it by itself, from its start on, while jobs come and run
    threads = [Submitters(reeve) for _ in range(2)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    reeve.start_worker()
    wait_until(lambda: "ev=pruned" in reeve.worker.log, lambda: "ev=pruned in\n" + reeve.worker.log[-2000:], 400)
    took = time.monotonic() - began
    done = reeve.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded' AND name IS NULL")[0][0]
    for thread in threads:
        thread.is_over.set()
    for thread in threads:
        thread.join(harness.LIMIT_S)
        assert not thread.failed, thread.failed
        assert set(thread.statuses) == {201}, "a submission was refused while history went"
    longest = max(thread.longest for thread in threads)
    count = sum(len(thread.statuses) for thread in threads)
    said = next(line for line in reeve.worker.log.splitlines() if "ev=pruned" in line)
    print(f"pruned in {took:.1f} s beside {count} submissions, the longest of which took {longest * 1000:.0f} ms; "
          f"{done} jobs ran; {said}")
    assert count > 100 and done > 0, "nobody else got on"
    assert longest < 10, "a submission waited as long as its deadline"
    fields = harness.logfmt(said)
    assert int(fields["jobs"]) == wanted["rest"]["jobs"]
    assert int(fields["outputs"]) == wanted["0"]["outputs"] + wanted["rest"]["outputs"]
    assert int(fields["longest_us"]) < 2000000, "the writers' lock was held for long"
    # let those that came end, then look at what is left
    wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')")[0][0] == 0,
               "the jobs that came to end", 240)
    assert reeve.job(uuid_text(kept_id))["output"]["stored"] != "removed"
    assert reeve.job(uuid_text(parent_id))["output"]["stored"] != "removed"
    assert reeve.job(child)["state"] == "waiting"
    answer = reeve.request("GET", "/v1/jobs/" + gone)
    assert answer.status == 410 and answer.json()["removed"]["state"] == "succeeded"
    reeve.stop()
    assert_whole(reeve)
    assert reeve.sql("SELECT count(*) FROM tombstones")[0][0] == wanted["rest"]["jobs"]
    assert reeve.sql("SELECT count(*) FROM jobs WHERE state = 'failed' AND queue = 'ci'")[0][0] == MANY // 20
    # and that was all
    again = prune(reeve, "--dry-run")
    assert again["rest"]["jobs"] + again["rest"]["outputs"] + again["0"]["outputs"] < 20, "only what got old since"


def assert_whole(reeve):
    """Every file has its row, every row its file, and the history proves itself."""
    rows = {path for (path,) in reeve.sql("SELECT path FROM output WHERE stored = 'file'")}
    files = output_files(reeve)
    assert {path for path in files if path.endswith(".log")} == rows
    assert {path[:-4] + ".log" for path in files} == rows
    for table in ("attempts", "output", "job_stdin", "job_labels", "dependencies", "kept_jobs"):
        assert reeve.sql(f"SELECT count(*) FROM {table} WHERE job_id NOT IN (SELECT id FROM jobs)") == [(0,)], table
    for word in ("verify", "check"):
        done = reeve.cli("db", word, "--db", reeve.db, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


# --- what remains ----------------------------------------------------------------------------

def removed_output(reeve):
    """A job whose output went: 6 bytes that were in its row."""
    job = reeve.run("sh", "-c", "echo hello")
    prune(reeve)
    return job


NOW = {"rules": [{"output": {"keep_last": 0}}], "every_s": 0}
ALL = {"rules": [{"rows": {"keep_last": 0}}], "every_s": 0}


def test_removed_output_is_410_with_what_remains(reeve):
    reeve.start(retention=NOW)
    job = removed_output(reeve)
    for query in ("", "?stream=stdout", "?follow=1", "?attempt=1"):
        answer = reeve.request("GET", f"/v1/jobs/{job_id(job)}/output{query}")
        assert answer.status == 410, answer
        problem = answer.json()
        assert problem["code"] == "gone"
        removed = problem["removed"]
        assert (removed["attempt"], removed["stdout_bytes"], removed["stderr_bytes"]) == (1, 6, 0)
        assert removed["sha256"] == job["output"]["sha256"]
        assert removed["removed_at"] > job["finished_at"]
    shown = reeve.job(job)
    assert shown["state"] == "succeeded"
    assert shown["output"]["stored"] == "removed"
    assert shown["output"]["removed_at"] == removed["removed_at"]
    assert shown["output"]["sha256"] == job["output"]["sha256"]
    assert shown["output"]["stdout_bytes"] == 6
    done = reeve.cli("logs", job_id(job))
    assert done.returncode == 3 and f"removed at {removed['removed_at']}" in done.stderr


def test_large_output_goes_with_its_files(reeve):
    reeve.start(retention=NOW)
    large = reeve.run("seq", "50000")
    assert large["output"]["stored"] == "file" and len(output_files(reeve)) == 2
    prune(reeve)
    assert output_files(reeve) == set()
    assert reeve.request("GET", f"/v1/jobs/{job_id(large)}/output").status == 410
    assert_whole(reeve)


def test_a_pruned_job_is_410_with_what_remains(reeve):
    reeve.start(retention=ALL)
    job = reeve.run("sh", "-c", "exit 3")
    kept = reeve.run("echo", "kept", keep=True)
    living = reeve.submit("sleep", "1000")
    reeve.wait_running(living)
    prune(reeve)
    for path in ("", "/output", "/events", "/attempts", "?wait=5"):
        answer = reeve.request("GET", f"/v1/jobs/{job_id(job)}{path}")
        assert answer.status == 410, answer
        removed = answer.json()["removed"]
        assert (removed["id"], removed["state"]) == (job["id"], "failed")
        assert removed["finished_at"] == job["finished_at"] and removed["removed_at"] > job["finished_at"]
    for verb in ("show", "logs", "rerun"):
        done = reeve.cli(verb, job["id"])
        assert done.returncode == 3 and (
            f"ended at {removed['finished_at']} (failed) and was removed at {removed['removed_at']}") in done.stderr
    assert reeve.request("GET", "/v1/jobs/" + str(uuid.uuid4())).status == 404
    assert reeve.job(living)["state"] == "running"
    assert reeve.output(kept) == b"kept\n"
    reeve.cancel(living, force=True)
    reeve.wait(living)


def test_a_key_of_a_pruned_job_says_so(reeve):
    reeve.start(retention=ALL)
    key = {"Idempotency-Key": "once"}
    job = reeve.submit("true", headers=key)
    reeve.wait(job)
    prune(reeve)
    answer = reeve.request("POST", "/v1/jobs", {"command": "true"}, headers=key)
    assert answer.status == 410 and answer.json()["removed"]["id"] == job["id"], answer
    assert reeve.request("POST", "/v1/jobs", {"command": "false"}, headers=key).status == 422
    assert reeve.sql("SELECT count(*) FROM jobs") == [(0,)], "nothing was run again"


# --- by hand ---------------------------------------------------------------------------------

def test_prune_needs_a_database_and_a_rule(reeve):
    reeve.write_config(retention=NOW)
    done = reeve.cli("--config", reeve.config_path, "db", "prune")
    assert done.returncode == 3 and not os.path.exists(reeve.db)
    history(reeve, 10, 0, 10, 5)
    for rule in ("1", "x", "-1", "2"):
        done = reeve.cli("--config", reeve.config_path, "db", "prune", "--rule", rule)
        assert done.returncode == 2 and "--rule" in done.stderr, done
    copy = os.path.join(reeve.work, "copy.db")
    assert reeve.cli("db", "backup", "--db", reeve.db, copy).returncode == 0
    done = reeve.cli("--config", reeve.config_path, "db", "prune", "--db", copy)
    assert done.returncode == 2 and "--dry-run" in done.stderr
    done = reeve.cli("--config", reeve.config_path, "db", "prune", "--db", copy, "--dry-run")
    assert done.returncode == 0 and "would remove 0 jobs, 10 outputs of 80 bytes" in done.stderr


def test_prune_by_hand_says_who_did(reeve):
    reeve.write_config(retention={"rules": [{"queue": "ci", "output": {"keep_last": 0}}]})
    history(reeve, 100, 4, 10, 5)
    said = prune(reeve, "--rule", "0")
    assert list(said) == ["0"] and said["0"]["outputs"] == 25 and said["0"]["for"] == "queue ci"
    assert reeve.sql("SELECT principal, data FROM events ORDER BY id DESC LIMIT 1") == [
        (f"uid:{os.geteuid()}", '{"jobs":0,"outputs":25,"bytes":70192}')]
    assert_whole(reeve)


def test_several_at_once_do_it_once(reeve):
    """Three by hand and the worker, all at the same time: none fails, nothing goes twice."""
    history(reeve, 20000, 400, 730, 0)
    reeve.write_config(retention={"slice": 50})
    wanted = prune(reeve, "--dry-run")["rest"]
    argv = [reeve.program("reeve"), "--config", reeve.config_path, "db", "prune", "-o", "json"]
    running = [reeve.spawn(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    reeve.start_worker()
    said = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        said += [json.loads(out)[0]]
    wait_until(lambda: prune(reeve, "--dry-run")["rest"]["outputs"] < 10, "the rest to go", 120)
    reeve.stop()
    assert sum(item["jobs"] for item in said) <= wanted["jobs"]
    assert reeve.sql("SELECT count(*) FROM tombstones") == [(wanted["jobs"],)]
    assert reeve.sql("SELECT sum(json_extract(data, '$.jobs')) FROM events WHERE kind = 'jobs_pruned'") == [
        (wanted["jobs"],)]
    assert "prune_failed" not in reeve.worker.log
    assert_whole(reeve)


def test_what_was_pruned_is_said_by_hand_too(reeve):
    history(reeve, 10, 0, 500, 400)
    oldest = uuid_text(reeve.sql("SELECT uuid FROM jobs WHERE id = 1")[0][0])
    prune(reeve)
    done = reeve.cli("db", "show", "--db", reeve.db, oldest)
    assert done.returncode == 3
    assert re.search(rf"job {oldest} ended at \S+Z \(failed\) and was removed at \S+Z", done.stderr)
    assert reeve.cli("db", "verify", "--db", reeve.db).stdout == (
        "2 events and 0 outputs fit; those up to event 30 were pruned\n")


# --- the worker ------------------------------------------------------------------------------

def test_the_worker_sweeps_at_its_start(reeve):
    """Files of nobody go and a missing file is recorded, without anybody waiting for that."""
    history(reeve, 20, 10, 10, 5)
    files = sorted(path for path in output_files(reeve) if path.endswith(".log"))
    os.unlink(reeve.path(files[0]))
    stray = os.path.join(os.path.dirname(files[1]), f"{uuid.uuid4()}-1.log")
    with open(reeve.path(stray), "w", encoding="ascii") as file:
        file.write("x")
    os.utime(reeve.path(stray), (time.time() - DAY, time.time() - DAY))
    reeve.start()
    reeve.worker.wait_line(r"ev=output_missing outputs=1\b")
    reeve.worker.wait_line(r"ev=swept files=1\b")
    assert not os.path.exists(reeve.path(stray))
    assert reeve.sql("SELECT count(*) FROM output WHERE stored = 'removed'") == [(1,)]
    assert reeve.sql("SELECT count(*) FROM events WHERE kind = 'output_missing'") == [(1,)]
    assert reeve.run("true")["state"] == "succeeded"
    reeve.stop()
    assert reeve.cli("db", "verify", "--db", reeve.db).returncode == 0


def test_a_killed_worker_goes_on_where_it_was(reeve):
    """kill -9 in the middle, again and again: in the end the same is gone, and nothing else."""
    history(reeve, 10000, 400, 400, 0)
    reeve.write_config(retention={"slice": 100})
    wanted = prune(reeve, "--dry-run")["rest"]
    reeve.start_httpapi()
    for share in (10, 4, 2):
        reeve.start_worker()
        wait_until(lambda: reeve.sql("SELECT count(*) FROM output WHERE stored = 'removed'")[0][0]
                   + reeve.sql("SELECT count(*) FROM tombstones")[0][0] >= wanted["outputs"] // share
                   or "ev=pruned" in reeve.worker.log, "some of it to go", 60)
        reeve.kill_worker()
    reeve.start_worker()
    wait_until(lambda: prune(reeve, "--dry-run")["rest"]["outputs"] < 10, "the rest to go", 60)
    reeve.stop()
    assert reeve.sql("SELECT count(*) FROM tombstones") == [(wanted["jobs"],)]
    assert_whole(reeve)


# --- settings --------------------------------------------------------------------------------

@pytest.mark.parametrize("rule, path, words", [
    ('{"outcome": "failled", "output": {}}', "outcome", "expected any, succeeded"),
    ('{"outcome": ["failed", "ok"], "output": {}}', "outcome.1", "expected any, succeeded"),
    ('{"outcome": [], "output": {}}', "outcome", "at least one"),
    ('{"output": {"max_age": 5}}', "output.max_age", "did you mean max_age_s?"),
    ('{"output": {"max_age_s": 0}}', "output.max_age_s", "from 1"),
    ('{"rows": {"keep_last": -1}}', "rows.keep_last", "from 0"),
    ('{"rows": {"keep_last": 1.5}}', "rows.keep_last", "whole number"),
    ('{"rows": 7}', "rows", "max_age_s, keep_last, max_bytes"),
    ('{"queue": 7, "rows": {}}', "queue", "the name of a queue"),
    ('{"queu": "ci", "rows": {}}', "queu", "did you mean queue?"),
    ('{"queue": "ci"}', "", "neither"),
    ("7", "", "expected an object"),
])
def test_a_wrong_rule_is_refused_with_its_place(reeve, rule, path, words):
    file_path = os.path.join(reeve.work, "r.json")
    with open(file_path, "w", encoding="utf-8") as file:
        file.write('{"retention": {"rules": [\n  {"rows": {}},\n  ' + rule + "\n]}}")
    done = reeve.cli("check", file_path)
    assert done.returncode == 1
    name = "retention.rules.1" + (f".{path}" if path else "")
    assert re.search(rf":3:\d+: {re.escape(name)}: .*{re.escape(words)}", done.stderr), done.stderr
