"""What is answered from memory is never older than the database, whoever wrote there."""

import subprocess
import sys
import threading

import pytest

from over_http import join_threads
from test_reload import reloaded

READERS = 6
CHANGES = 60


def ways(reeve, job):
    """The job as each way of asking shows it; each is asked twice, so that memory answers too."""
    path = "/v1/jobs/" + job["id"]
    shown = []
    for _ in range(2):
        alone = reeve.request("GET", path)
        assert (alone.status, alone.headers["ETag"]) == (200, f'"{alone.json()["version"]}"')
        found = [item for item in reeve.request("GET", "/v1/jobs?limit=500").json()["items"]
                 if item["id"] == job["id"]]
        known = reeve.request("GET", path, headers={"If-None-Match": alone.headers["ETag"]})
        assert (known.status, known.body, known.headers["ETag"]) == (304, b"", alone.headers["ETag"])
        head = reeve.request("HEAD", path)
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(len(alone.body)))
        shown += [alone.json(), *found, reeve.job(job["id"].upper()), reeve.job(job["id"][:30])]
    assert all(other == shown[0] for other in shown), shown
    return shown[0]


def keep(reeve, job, is_kept):
    assert reeve.request("PATCH", "/v1/jobs/" + job["id"], {"keep": is_kept}).status == 200


def row_of(job):
    return "(SELECT id FROM jobs WHERE uuid = x'%s')" % job["id"].replace("-", "")


def by_shell(reeve, statement):
    """By another process, as a person would."""
    subprocess.run([sys.executable, "-c",
                    "import sqlite3, sys\n"
                    "db = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
                    "db.execute('PRAGMA foreign_keys = ON')\n"
                    "db.execute(sys.argv[2])\n", reeve.db, statement], check=True, timeout=30)


def test_each_change_is_seen_by_the_next_question(reeve):
    reeve.start()
    job = reeve.run("echo", "hello")
    waiting = reeve.submit("true", hold=True)
    first = ways(reeve, job)
    assert (first["state"], first["keep"], first["dependants"]) == ("succeeded", False, 0)
    keep(reeve, job, True)
    assert ways(reeve, job)["keep"]
    keep(reeve, job, False)
    assert ways(reeve, job) == {**first, "version": ways(reeve, job)["version"]}
    by_shell(reeve, f"INSERT INTO kept_jobs VALUES ({row_of(job)}, 'uid:0', 0)")
    assert ways(reeve, job)["keep"]
    by_shell(reeve, f"DELETE FROM kept_jobs WHERE job_id = {row_of(job)}")
    assert not ways(reeve, job)["keep"]
    reeve.submit("true", hold=True, depends_on=[{"job": job["id"]}])
    assert ways(reeve, job)["dependants"] == 1
    by_shell(reeve, f"INSERT INTO dependencies (job_id, parent_id) VALUES ({row_of(waiting)}, {row_of(job)})")
    assert ways(reeve, job)["dependants"] == 2


def test_what_retention_removes_is_gone_at_once(reeve):
    reeve.start()
    job = reeve.run("echo", "hello")
    assert ways(reeve, job)["output"]["stored"] == "row"

    def prune(what):
        reeve.write_config(retention={"rules": [{what: {"keep_last": 0}}], "every_s": 0})
        done = reeve.cli("--config", reeve.config_path, "db", "prune")
        assert done.returncode == 0, done.stderr
    prune("output")
    shown = ways(reeve, job)["output"]
    assert (shown["stored"], shown["stdout_bytes"]) == ("removed", 6) and shown["removed_at"]
    prune("rows")
    for _ in range(2):
        assert reeve.request("GET", "/v1/jobs/" + job["id"]).status == 410


def test_settings_that_change_are_seen(reeve):
    """Where a row says nothing, the settings do: one that was made by hand, say."""
    reeve.write_config(kill_grace_s=10)
    reeve.start_httpapi()
    job = reeve.submit("true")
    by_shell(reeve, f"UPDATE jobs SET kill_grace_us = NULL WHERE id = {row_of(job)}")
    reeve.cancel(job)
    assert ways(reeve, job)["kill_grace_s"] == 10
    reeve.write_config(kill_grace_s=7)
    reloaded(reeve.httpapi)
    assert ways(reeve, job)["kill_grace_s"] == 7


class Asker(threading.Thread):
    """Asks for the same job and page without a pause, so that each state of it gets into memory as
    soon as it can."""

    def __init__(self, reeve, path, show, is_over):
        super().__init__()
        self.ask = lambda conn: show(reeve.request("GET", path, conn=conn).json())
        self.connect, self.is_over, self.shown, self.error = reeve.connect, is_over, [], None

    def run(self):
        try:
            conn = self.connect()
            while not self.is_over.is_set():
                self.shown.append(self.ask(conn))
            conn.close()
        except Exception as error:  # told by the thread that asks why
            self.error = error


@pytest.mark.parametrize("has_checkpoints", [False, True])
def test_nobody_sees_an_older_state_than_was_committed(reeve, has_checkpoints):
    """`dependants` only grows: each that another program adds is counted by whoever asks after that,
    and nobody who asks again sees fewer, also when the write-ahead log is begun anew meanwhile."""
    reeve.start()
    job = reeve.run("true")
    answer = reeve.request("POST", "/v1/batches", {"jobs": [{"command": "true", "hold": True}] * CHANGES})
    assert answer.status == 201, answer
    paths = ("/v1/jobs/" + job["id"], "/v1/jobs?state=succeeded")
    shows = (lambda body: body["dependants"], lambda body: body["items"][0]["dependants"])
    is_over = threading.Event()
    askers = [Asker(reeve, paths[i % 2], shows[i % 2], is_over) for i in range(READERS)]
    for asker in askers:
        asker.start()
    try:
        children = [row for row, in reeve.sql("SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id")]
        assert len(children) == CHANGES
        for done, child in enumerate(children, start=1):
            reeve.sql_write("INSERT INTO dependencies (job_id, parent_id) "
                            f"VALUES ({child}, {row_of(job)})")
            for path, show in zip(paths, shows):
                assert show(reeve.request("GET", path).json()) == done
            if has_checkpoints and done % 5 == 0:
                reeve.sql_write("PRAGMA wal_checkpoint(RESTART)")
    finally:
        is_over.set()
        join_threads(askers)
    for asker in askers:
        assert asker.error is None, asker.error
        assert asker.shown == sorted(asker.shown)
    assert any(len(set(asker.shown)) > 2 for asker in askers)


def pss_kib(daemon):
    with open(f"/proc/{daemon.pid}/smaps_rollup", encoding="ascii") as file:
        return [int(line.split()[1]) for line in file if line.startswith("Pss:")][0]


def test_more_jobs_than_memory_holds_are_all_right(reeve):
    """Long commands fill what is kept several times over; it stays bounded."""
    reeve.write_config()
    reeve.start_httpapi()
    jobs = []
    for batch in range(10):
        answer = reeve.request("POST", "/v1/batches", {"jobs": [
            {"command": "true", "args": [f"{batch}-{i}-" + "x" * 7000]} for i in range(300)]})
        assert answer.status == 201, answer
        jobs += [job["id"] for job in answer.json()["jobs"]]
    cancelled = reeve.request("POST", "/v1/jobs/cancel", {"filter": {"state": "queued"}})
    assert cancelled.status == 200, cancelled
    before = pss_kib(reeve.httpapi)
    conn = reeve.connect()
    for _ in range(2):
        for i, job in enumerate(jobs):
            shown = reeve.request("GET", "/v1/jobs/" + job, conn=conn).json()
            assert shown["id"] == job
            assert shown["command"][1].startswith(f"{i // 300}-{i % 300}-x")
    conn.close()
    grown = pss_kib(reeve.httpapi) - before  # all of them have 22 MiB
    assert "san-" in reeve.bin or grown < 12 << 10, f"{grown} KiB more"
