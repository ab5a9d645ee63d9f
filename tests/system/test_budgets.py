"""What a request and a job may cost: system calls, counted by strace, and commits on the disk.

Counts do not depend on how fast the machine is, so they keep what `make bench` once showed: one
more file opened, one more transaction, one more process for each job turns a row red. BUDGETS has
them all. When one is passed for a good reason, its row is what to change, in the same commit;
when something was made cheaper, bring its row down."""

import json
import os
import struct
import subprocess
import uuid

import harness
import pytest
import tracing

PROGRAMS = os.path.join(os.path.dirname(harness.BIN), "bench")
VARIANT = os.path.basename(os.path.dirname(harness.BIN))
WHY_NOT = "sanitizers make calls of their own" if VARIANT.startswith("san") else tracing.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))

# Calls a piece: all together, and those that cost most. Measured, and about a quarter more; of what
# must not happen once more for each (a process, a sync, a file opened) hardly more than happens. Two
# calls of each answer are setsockopt: libmicrohttpd tries TCP's options on a Unix socket that was
# accepted for it.
BUDGETS = {
    "submission, one connection": {"all": 55, "fdatasync": 1.02, "pwrite64": 25, "openat": 1.3, "forks": 0},
    "submission, 64 connections": {"all": 19.5, "fdatasync": 0.34, "pwrite64": 4, "openat": 1.3, "forks": 0},
    "status": {"all": 6, "openat": 0.5, "pwrite64": 0.1, "fdatasync": 0, "forks": 0},
    "page of 50": {"all": 8.5, "openat": 0.5, "pwrite64": 0.1, "fdatasync": 0, "forks": 0},
    "no-op job": {"all": 135, "execs": 1.05, "forks": 1.05, "fdatasync": 0.5, "pwrite64": 12, "openat": 9},
}
SUMS = {"forks": ("clone", "clone3", "fork", "vfork"), "execs": ("execve", "execveat")}
BY_CHANCE = ("futex", "sched_yield")  # how often threads meet is not a matter of the program alone


def load(*args):
    done = subprocess.run([os.path.join(PROGRAMS, "load"), *map(str, args)], capture_output=True, text=True,
                          timeout=harness.LIMIT_S)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


BODY = json.dumps({"command": "/usr/bin/true"})


def submit(reeve, connections, count):
    load("-b", BODY, "unix:" + reeve.socket_path, connections, count)


def within(name, calls, count):
    """Each budget of the row is kept, or the whole bill is shown."""
    each = {call: number / count for call, number in calls.items()}
    each["all"] = sum(number for call, number in each.items() if call not in BY_CHANCE)
    for kind, summands in SUMS.items():
        each[kind] = sum(each.get(call, 0) for call in summands)
    print(name, {call: round(number, 3) for call, number in sorted(each.items(), key=lambda item: -item[1])})
    over = {call: (round(each.get(call, 0), 3), most) for call, most in BUDGETS[name].items()
            if each.get(call, 0) > most}
    assert not over, f"{name}: (calls, budget) {over} of {each}"


def commits(reeve):
    """Transactions in the write-ahead log: a frame with the size of the database ends each."""
    with open(reeve.path("reeve.db-wal"), "rb") as file:
        log = file.read()
    page_bytes, _, salt = struct.unpack_from(">II8s", log, 8)
    found = 0
    for at in range(32, len(log) - 23, 24 + page_bytes):
        _, size, of = struct.unpack_from(">II8s", log, at)
        found += size > 0 and of == salt
    return found


@pytest.mark.parametrize("name, connections, count", [
    ("submission, one connection", 1, 150), ("submission, 64 connections", 64, 1500)])
def test_a_submission_costs_so_many_calls_and_its_share_of_a_sync(reeve, tmp_path, name, connections, count):
    """Alone each has a commit and a sync of its own; many share both. Never a commit unsynced."""
    reeve.start_httpapi()
    submit(reeve, connections, 2 * connections)  # what is opened or prepared only once
    before = commits(reeve)
    with tracing.strace(tmp_path, reeve.httpapi.pid) as tracer:
        submit(reeve, connections, count)
        made = commits(reeve) - before
    calls = tracer.calls()
    within(name, calls, count)
    syncs = calls.get("fdatasync", 0)
    assert 0 < made <= syncs, f"{made} commits, {syncs} syncs"
    if connections == 1:
        assert made == count
    assert reeve.sql("SELECT count(*) FROM jobs") == [(count + 2 * connections,)]


def read(reeve, folder, paths, count):
    """The calls of so many GETs, eight at a time."""
    (folder / "paths").write_text("".join(path + "\n" for path in paths))
    options = ("-m", "GET", "-e", "200", "-P", folder / "paths", "unix:" + reeve.socket_path, 8)
    load(*options, 2 * len(paths))
    with tracing.strace(folder, reeve.httpapi.pid) as tracer:
        load(*options, count)
    return tracer.calls()


def test_a_status_costs_so_many_calls(reeve, tmp_path):
    reeve.start()
    submit(reeve, 8, 100)
    harness.wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(100,)],
                       "the jobs to end")
    ids = [uuid.UUID(bytes=row[0]) for row in reeve.sql("SELECT uuid FROM jobs")]
    within("status", read(reeve, tmp_path, [f"/v1/jobs/{one}" for one in ids], 1000), 1000)


def test_a_page_costs_so_many_calls_however_many_jobs_there_are(reeve, tmp_path):
    reeve.start_httpapi()
    submit(reeve, 8, 1000)
    within("page of 50", read(reeve, tmp_path, ["/v1/jobs?limit=50"], 300), 300)


def test_a_noop_job_costs_so_many_calls_and_one_process(reeve, tmp_path):
    """Worker, shims and jobs together. Shims are reused: the job is the only process made for it.
    Eight at a time, so that starts and ends come together and share commits."""
    count = 400
    reeve.start(slots=8)
    assert reeve.request("POST", "/v1/drain", {}).status == 200
    submit(reeve, 8, count)
    with tracing.strace(tmp_path, reeve.worker.pid) as tracer:
        assert reeve.request("POST", "/v1/undrain").status == 200
        harness.wait_until(
            lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(count,)],
            "the jobs to end", 120)
    within("no-op job", tracer.calls(), count)
