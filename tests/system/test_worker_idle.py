"""A worker with nothing to do does nothing: one look a second, a heartbeat now and then."""

import os
import signal

import pytest

import harness
from workbench import Workbench

VARIANT = os.path.basename(os.path.dirname(harness.BIN))


def wakes(pid):
    """How often a process has gone to sleep of itself."""
    for line in harness.proc_read(pid, "status").decode().splitlines():
        if line.startswith("voluntary_ctxt_switches"):
            return int(line.split()[1])
    raise AssertionError(f"no process {pid}")


def next_heartbeat(reeve):
    def newest():
        return reeve.sql("SELECT max(heartbeat_at) FROM workers")[0][0]
    before = newest()
    harness.wait_until(lambda: newest() != before, "a heartbeat")


def test_idle_worker_sleeps(reeve):
    bench = Workbench(reeve, slots=2).start()
    # Everything that could leave a descriptor ready for ever.
    job = bench.sh("echo x; sleep 1000")
    bench.wait_running(job)
    os.kill(reeve.shim_of(job), signal.SIGKILL)
    bench.wait(job)
    held = bench.submit("/bin/sleep", "1000")
    bench.wait_running(held)
    reeve.kill_worker()
    reeve.start_worker()
    bench.run("/bin/true")
    (running,) = (pid for pid in reeve.shims() if pid == reeve.shim_of(held))
    next_heartbeat(reeve)
    before = wakes(reeve.worker.pid), wakes(running)
    next_heartbeat(reeve)
    assert wakes(reeve.worker.pid) - before[0] < 100
    assert wakes(running) - before[1] < 10


def test_idle_database_is_one_file_again(reeve):
    bench = Workbench(reeve).start()
    bench.submit_many("/bin/sh", "-c", "echo x", count=50)
    bench.wait_all()
    harness.wait_until(lambda: os.path.getsize(reeve.path("reeve.db-wal")) == 0,
                       "the write-ahead log to be moved into the file")


def own_kib(pid):
    """Memory that this process shares with no file and no other process."""
    rollup = harness.proc_read(pid, "smaps_rollup").decode()
    return int(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Anonymous:")))


@pytest.mark.skipif(VARIANT.startswith("san"), reason="sanitizers have memory of their own")
def test_shim_of_waiting_job_is_small(reeve):
    bench = Workbench(reeve, slots=2).start()
    # What receiving it and starting it needed is given back, what the last one wrote as well.
    bench.run("/bin/sh", "-c", "head -c 1000000 /dev/zero")
    jobs = [bench.submit("/bin/sleep", "1000") for _ in range(2)]
    for job in jobs:
        bench.wait_running(job)
        harness.wait_until(lambda: own_kib(reeve.shim_of(job)) <= 100, "the shim to need little")
