"""A crash is a non-event: of the worker, of a shim, at any moment."""

import fcntl
import hashlib
import os
import random
import re
import signal
import threading

import pytest

import harness
from workbench import Workbench


def test_killed_worker_with_20_jobs_loses_none(reeve):
    bench = Workbench(reeve, slots=20).start()
    jobs = {bench.sh(f"echo {code}; while [ ! -e go ]; do sleep 0.02; done; echo late; exit {code}",
                     dir=reeve.work): code for code in range(20)}
    for job in jobs:
        bench.wait_running(job)
    before = {job: reeve.processes_of(job) for job in jobs}
    reeve.kill_worker()
    for job in jobs:
        assert set(before[job]) & set(reeve.processes_of(job)), "the job goes on"
    reeve.start_worker()
    assert reeve.sql("SELECT count(*) FROM jobs WHERE state = 'running'") == [(20,)]
    open(os.path.join(reeve.work, "go"), "wb").close()
    for job, code in jobs.items():
        row = bench.wait(job)
        assert (row["exit_code"], row["attempt"]) == (code, 1)
        assert bench.output(job)[1] == f"{code}\nlate\n".encode()


def test_jobs_that_end_while_no_worker_is_there(reeve):
    bench = Workbench(reeve, slots=3).start()
    jobs = {bench.sh(f"while [ ! -e go ]; do sleep 0.02; done; exit {code}", dir=reeve.work): code
            for code in (3, 4, 5)}
    for job in jobs:
        bench.wait_running(job)
    reeve.kill_worker()
    open(os.path.join(reeve.work, "go"), "wb").close()
    harness.wait_until(lambda: not reeve.shims(), "the shims to finish and leave")
    reeve.start_worker()
    for job, code in jobs.items():
        assert bench.wait(job)["exit_code"] == code


def test_sigterm_leaves_jobs_alone_and_the_next_worker_adopts_and_stops_them(reeve):
    bench = Workbench(reeve).start()
    job = bench.submit("/bin/sleep", "1000")
    bench.wait_running(job)
    (pid,) = reeve.processes_of(job)
    reeve.stop_worker()
    assert reeve.sql("SELECT count(*) FROM workers WHERE stopped_at IS NULL") == [(0,)]
    assert harness.is_alive(pid) and bench.row(job)["state"] == "running"
    bench.cancel(job)
    reeve.start_worker()
    assert bench.wait(job)["state"] == "cancelled"
    assert not harness.is_alive(pid)


def test_stopped_worker_starts_nothing(reeve):
    bench = Workbench(reeve).start()
    reeve.stop_worker()
    job = bench.submit("/bin/true")
    assert bench.row(job)["state"] == "queued"
    reeve.start_worker()
    assert bench.wait(job)["state"] == "succeeded"


def test_adopted_jobs_take_slots(reeve):
    bench = Workbench(reeve, slots=1).start()
    first = bench.sh("while [ ! -e go ]; do sleep 0.02; done", dir=reeve.work)
    bench.wait_running(first)
    reeve.kill_worker()
    second = bench.submit("/bin/true")
    reeve.start_worker()
    third = bench.submit("/bin/true")
    assert {bench.row(job)["state"] for job in (second, third)} == {"queued"}
    open(os.path.join(reeve.work, "go"), "wb").close()
    for job in (first, second, third):
        assert bench.wait(job)["state"] == "succeeded"


@pytest.mark.parametrize("cgroup", ["auto", "off"])
def test_killed_shim_loses_its_job_and_no_other(reeve, cgroup):
    bench = Workbench(reeve, cgroup=cgroup, slots=3).start()
    other = bench.sh("while [ ! -e go ]; do sleep 0.02; done; exit 9", dir=reeve.work)
    job = bench.helper("daemoniser", os.path.join(reeve.work, "pids"))
    pids = [int(word) for word in bench.wait_file("pids").split()]
    bench.wait_running(other)
    os.kill(reeve.shim_of(job), signal.SIGKILL)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("lost", "shim_died")
    assert (row["exit_code"], row["signal"]) == (None, None)
    harness.wait_until(lambda: not any(map(harness.is_alive, pids)), "the end of its tree")
    open(os.path.join(reeve.work, "go"), "wb").close()
    assert bench.wait(other)["exit_code"] == 9
    # The slot is of use again.
    assert bench.run("/bin/true")[0]["state"] == "succeeded"


@pytest.mark.parametrize("cgroup", ["auto", "off"])
def test_shim_killed_while_no_worker_is_there(reeve, cgroup):
    bench = Workbench(reeve, cgroup=cgroup, slots=2).start()
    job = bench.submit("/bin/sh", "-c", "setsid sleep 1000 & sleep 1000")
    harness.wait_until(lambda: len(reeve.processes_of(job)) >= 3, "its processes")
    harness.wait_until(lambda: len(bench.journal(job)) == 2, "its pid in the journal")
    shim = reeve.shim_of(job)
    reeve.kill_worker()
    (main,) = (pid for pid in reeve.processes_of(job) if harness.proc_stat(pid)[1] == shim)
    os.kill(shim, signal.SIGKILL)
    # The job does not outlive its shim, though nobody is there to see to it; the rest of
    # its tree ends with the next worker.
    harness.wait_gone(main)
    reeve.start_worker()
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("lost", "shim_died")
    assert reeve.processes_of(job) == []


def test_output_of_a_lost_job_stays_readable(reeve):
    bench = Workbench(reeve).start()
    job = bench.sh("echo before; sleep 1000")
    harness.wait_until(lambda: bench.output_files() and os.path.getsize(bench.output_files()[1]),
                       "its output")
    os.kill(reeve.shim_of(job), signal.SIGKILL)
    assert bench.wait(job)["state"] == "lost"
    with open(bench.output_files()[1], "rb") as file:
        assert file.read() == b"before\n"


def test_random_kills_of_the_worker(reeve):
    """Every exit code true, none lost, none twice, after 25 kills at random moments."""
    bench = Workbench(reeve, slots=6).start()
    seen = os.path.join(reeve.work, "seen")
    os.mkdir(seen)
    kills = 25
    dice = random.Random(20261121)
    expected = {}
    for number in range(kills):
        for _ in range(12):
            code = dice.randrange(256)
            job = bench.helper("probe", seen, code, dice.choice((0, 0, 1, 5, 40)))
            expected[job] = code
        # A pause that is part of the plan, not a wait for something.
        threading.Event().wait(dice.random() * 0.08)
        reeve.kill_worker()
        assert reeve.worker.process.returncode == -signal.SIGKILL
        reeve.start_worker()
    bench.wait_all()
    for job, code in expected.items():
        row = bench.row(job)
        assert (row["state"], row["exit_code"]) == ("succeeded" if code == 0 else "failed", code)
    names = os.listdir(seen)
    assert not [name for name in names if name.endswith(".twice")]
    ran = {name.rpartition("-")[0] for name in names if not name.endswith(".done")}
    assert ran == set(expected)
    # One attempt ran a job; revoked ones are there, but left no trace.
    assert len([name for name in names if name.endswith(".done")]) == len(expected)
    assert bench.journals() == [] and bench.output_files() == []
    assert reeve.sql("SELECT count(*) FROM attempts WHERE ended_at IS NULL") == [(0,)]


def test_stale_shim_that_wakes_after_its_attempt_was_revoked_runs_nothing(reeve):
    bench = Workbench(reeve, slots=1).start()
    assert bench.run("/bin/true")[0]["state"] == "succeeded"
    (shim,) = reeve.shims()
    seen = os.path.join(reeve.work, "seen")
    os.mkdir(seen)
    os.kill(shim, signal.SIGSTOP)
    job = bench.helper("probe", seen, 5)
    harness.wait_until(lambda: len(bench.journals()) == 1, "the attempt to be prepared")
    reeve.kill_worker()
    assert bench.row(job)["state"] == "running"
    reeve.start_worker()
    # The next worker takes it back and runs it itself, as a second attempt.
    assert bench.wait(job)["exit_code"] == 5
    assert bench.attempt(job, 1)["outcome"] == "revoked"
    os.kill(shim, signal.SIGCONT)
    harness.wait_gone(shim)
    assert sorted(os.listdir(seen)) == [f"{job}-2", f"{job}-2.done"]


def test_revoked_attempt_of_a_cancelled_job_becomes_cancelled(reeve):
    bench = Workbench(reeve, slots=1).start()
    assert bench.run("/bin/true")[0]["state"] == "succeeded"
    (shim,) = reeve.shims()
    os.kill(shim, signal.SIGSTOP)
    job = bench.submit("/bin/true")
    harness.wait_until(lambda: len(bench.journals()) == 1, "the attempt to be prepared")
    reeve.kill_worker()
    bench.cancel(job)
    reeve.start_worker()
    assert bench.wait(job)["state"] == "cancelled"
    os.kill(shim, signal.SIGCONT)
    harness.wait_gone(shim)


def test_after_a_reboot_the_answer_is_lost(reeve):
    bench = Workbench(reeve, slots=2).start()
    job = bench.submit("/bin/sleep", "1000")
    bench.wait_running(job)
    pids = reeve.processes_of(job)
    reeve.kill_worker()
    shims = reeve.shims()
    for pid in shims + pids:
        harness.kill_pid(pid)
    # What a reboot looks like: the row names another boot.
    reeve.sql_write("UPDATE workers SET boot_id = '00000000-0000-4000-8000-000000000000'")
    reeve.start_worker()
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("lost", "reboot")


def test_record_written_before_a_reboot_counts(reeve):
    bench = Workbench(reeve, slots=1).start()
    job = bench.sh("while [ ! -e go ]; do sleep 0.02; done; echo out; exit 3", dir=reeve.work)
    bench.wait_running(job)
    reeve.kill_worker()
    open(os.path.join(reeve.work, "go"), "wb").close()
    harness.wait_until(lambda: not reeve.shims(), "the shim to leave")
    reeve.sql_write("UPDATE workers SET boot_id = '00000000-0000-4000-8000-000000000000'")
    reeve.start_worker()
    assert bench.wait(job)["exit_code"] == 3
    assert bench.output(job)[1] == b"out\n"


def test_second_worker_in_the_same_place_is_refused(reeve):
    bench = Workbench(reeve).start()
    first = reeve.worker
    second = reeve.launch("reeve-worker")
    assert second.wait_end() == 111
    line = second.wait_line("ev=start_failed")
    assert f"pid {first.pid}" in line and reeve.state_dir in line
    assert bench.run("/bin/true")[0]["state"] == "succeeded"


def test_a_lock_that_a_dead_worker_left_to_its_child_is_waited_for(reeve):
    """Killed while it started a process, it leaves the lock to that one until its exec."""
    bench = Workbench(reeve).start()
    reeve.kill_worker()
    child = os.open(os.path.join(reeve.state_dir, "worker.lock"), os.O_RDWR)
    fcntl.flock(child, fcntl.LOCK_EX)
    reeve.worker = reeve.launch("reeve-worker")

    def naps():
        found = re.search(rb"^voluntary_ctxt_switches:\t(\d+)", harness.proc_read(reeve.worker.pid, "status"), re.M)
        return int(found[1]) if found else 0
    harness.wait_until(lambda: naps() > 5, "it to have tried several times")
    os.close(child)
    reeve.worker.wait_line("ev=ready")
    assert bench.wait(bench.sh("exit 3"))["exit_code"] == 3


def test_superseded_worker_ends(reeve):
    Workbench(reeve).start()
    reeve.sql_write("INSERT INTO workers (pid, host, boot_id, version, slots, started_at, "
                    "heartbeat_at) SELECT pid, host, boot_id, version, slots, started_at, "
                    "heartbeat_at FROM workers")
    assert reeve.worker.wait_end() == 111
    assert "ev=superseded" in reeve.worker.log


def test_journal_that_a_crash_left_behind_is_swept(reeve):
    bench = Workbench(reeve).start()
    _, job = bench.run("/bin/true")
    reeve.stop_worker()
    # Killed between the commit and the unlink.
    open(reeve.path(f"attempts/{job}-1"), "wb").close()
    reeve.start_worker()
    assert bench.journals() == []
    assert bench.row(job)["state"] == "succeeded"


def test_worker_without_descriptors_takes_back_and_recovers(reeve):
    import resource
    bench = Workbench(reeve, slots=4).start()
    bench.run("/bin/true")
    used = len(os.listdir(f"/proc/{reeve.worker.pid}/fd"))
    resource.prlimit(reeve.worker.pid, resource.RLIMIT_NOFILE, (used, 4096))
    job = bench.submit("/bin/sh", "-c", "exit 3")
    reeve.worker.wait_line("ev=(start_postponed|record_postponed|attempt_unread)")
    assert bench.row(job)["state"] in ("queued", "running")
    resource.prlimit(reeve.worker.pid, resource.RLIMIT_NOFILE, (4096, 4096))
    assert bench.wait(job)["exit_code"] == 3


def test_nothing_is_left_after_the_work(reeve):
    bench = Workbench(reeve, slots=3).start()
    for _ in range(3):
        bench.submit_many("/bin/sh", "-c", "echo x; sleep 0.01 &", count=20)
    bench.wait_all()
    before = len(os.listdir(f"/proc/{reeve.worker.pid}/fd"))
    bench.submit_many("/bin/sh", "-c", "echo x; sleep 0.01 &", count=60)
    bench.wait_all()
    assert len(os.listdir(f"/proc/{reeve.worker.pid}/fd")) == before
    counts = {len(os.listdir(f"/proc/{shim}/fd")) for shim in reeve.shims()}
    assert len(counts) == 1
    reeve.stop_worker()
    harness.wait_until(lambda: not reeve.shims(), "idle shims to leave")
    assert reeve.processes() == []
    assert bench.journals() == [] and bench.output_files() == []
    assert not os.path.exists(reeve.path("run/bell/worker"))
    name = "reeve-" + hashlib.sha256(reeve.state_dir.encode()).hexdigest()[:8]
    for place in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        assert not os.path.exists(os.path.join(place, name))
