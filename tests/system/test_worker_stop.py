"""Kill really kills: the whole tree, whatever it does, and the state says why."""

import os
import signal
import time

import pytest

import harness
from workbench import Workbench

GRACE_US = 300000


@pytest.fixture(params=["auto", "off"])
def bench(reeve, request):
    """With a cgroup, where the machine has one for us, and without."""
    return Workbench(reeve, cgroup=request.param).start()


def daemoniser(bench, *more, **options):
    """A job with daemonised grandchildren: (job, pids of everybody)."""
    path = os.path.join(bench.reeve.work, "pids")
    job = bench.helper("daemoniser", path, *more, kill_grace_us=GRACE_US, **options)
    return job, [int(word) for word in bench.wait_file("pids").split()]


def assert_all_dead(pids):
    assert [pid for pid in pids if harness.is_alive(pid)] == []


def test_cancel_leaves_nobody_alive(bench):
    job, pids = daemoniser(bench)
    assert all(harness.is_alive(pid) for pid in pids)
    bench.cancel(job)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("cancelled", "cancel")
    assert_all_dead(pids)
    assert row["signal"] == signal.SIGKILL


def test_forced_cancel_does_not_wait_for_the_grace(bench):
    path = os.path.join(bench.reeve.work, "pids")
    job = bench.helper("daemoniser", path, kill_grace_us=3600 * 10**6)
    pids = [int(word) for word in bench.wait_file("pids").split()]
    bench.cancel(job, force=True)
    assert bench.wait(job)["state"] == "cancelled"
    assert_all_dead(pids)


def test_force_may_come_later(bench):
    path = os.path.join(bench.reeve.work, "pids")
    job = bench.helper("daemoniser", path, kill_grace_us=3600 * 10**6)
    pids = [int(word) for word in bench.wait_file("pids").split()]
    bench.cancel(job)
    bench.cancel(job, force=True)
    assert bench.wait(job)["state"] == "cancelled"
    assert_all_dead(pids)


def test_timeout_leaves_nobody_alive(bench):
    job, pids = daemoniser(bench, timeout_us=500000)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "timeout")
    assert_all_dead(pids)


def test_what_lingers_after_the_main_process_is_killed(bench):
    job, pids = daemoniser(bench, "exit")
    row = bench.wait(job)
    assert (row["state"], row["exit_code"]) == ("failed", 7)
    assert_all_dead(pids)


def test_a_pipe_held_open_delays_nothing(bench):
    started = time.monotonic()
    row, job = bench.run("/bin/sh", "-c", "echo said; sleep 1000 & setsid sleep 1000 & exit 4")
    assert row["exit_code"] == 4 and bench.output(job)[1] == b"said\n"
    assert time.monotonic() - started < 100
    assert bench.reeve.processes_of(job) == []


def test_term_is_asked_first(bench):
    job = bench.sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")
    bench.wait_running(job)
    harness.wait_until(lambda: len(bench.output_files()) == 2, "its first line")
    bench.cancel(job)
    row = bench.wait(job)
    # It ended well in its grace, but it was cancelled; its exit code is kept.
    assert (row["state"], row["exit_code"]) == ("cancelled", 0)
    assert bench.output(job)[1] == b"up\nbye\n"


def test_the_whole_group_is_asked(bench):
    # The shell itself does not end by TERM; it ends because its child does.
    job = bench.sh("trap : TERM; sh -c 'trap \"echo child; exit 4\" TERM; echo up; "
                   "while :; do sleep 0.01; done' & child=$!; wait; wait $child; exit $?",
                   kill_grace_us=3600 * 10**6)
    harness.wait_until(lambda: len(bench.output_files()) == 2, "its first line")
    bench.cancel(job)
    row = bench.wait(job)
    assert (row["state"], row["exit_code"]) == ("cancelled", 4)
    assert bench.output(job)[1] == b"up\nchild\n"


def test_a_stopped_job_can_be_stopped(bench):
    job = bench.sh("kill -STOP $$; exit 1")
    harness.wait_until(lambda: any(harness.proc_stat(pid)[0] == "T"
                                   for pid in bench.reeve.processes_of(job)), "a stopped process")
    bench.cancel(job)
    row = bench.wait(job)
    assert (row["state"], row["signal"]) == ("cancelled", signal.SIGTERM)


# Thirty-two families: each keeps forking itself into a new session and ends, so that
# the forest never stands still and never grows.
# Thirty lines of descent, each a moving target: a process lives for some milliseconds,
# leaves the session and passes on to a child. They do not become more.
RUNNERS = """
import os, sys, time
for _ in range(30):
    if os.fork() == 0:
        while True:
            if os.fork() > 0:
                time.sleep(0.005)
                os._exit(0)
            os.setsid()
            time.sleep(0.005)
time.sleep(float(sys.argv[1]))
"""


def test_a_tree_that_keeps_forking_is_killed(bench):
    job = bench.submit("/usr/bin/python3", "-c", RUNNERS, 1000, kill_grace_us=0)
    harness.wait_until(lambda: len(bench.reeve.processes_of(job)) > 20, "a small crowd")
    bench.cancel(job)
    assert bench.wait(job)["state"] == "cancelled"
    assert bench.reeve.processes_of(job) == []


def test_a_forking_tree_does_not_outlive_its_main_process(bench):
    row, job = bench.run("/usr/bin/python3", "-c", RUNNERS, 0.2)
    assert row["exit_code"] == 0
    assert bench.reeve.processes_of(job) == []


def test_stop_written_by_hand_is_noticed(reeve):
    # With the sqlite3 shell, say: nobody rings.
    bench = Workbench(reeve).start()
    job = bench.submit("/bin/sleep", "1000")
    bench.wait_running(job)
    reeve.sql_write("UPDATE jobs SET stop_reason = 'cancel', stop_by = 'me', stop_force = 1 "
                    "WHERE id = ?",
                    bench.row(job)["job_id"])
    assert bench.wait(job)["state"] == "cancelled"


def test_one_stop_does_not_touch_the_next_job_of_the_shim(reeve):
    bench = Workbench(reeve, slots=1).start()
    for _ in range(10):
        first = bench.submit("/bin/sleep", "1000")
        second = bench.sh("exit 3")
        bench.wait_running(first)
        bench.cancel(first)
        bench.cancel(first, force=True)
        assert bench.wait(first)["state"] == "cancelled"
        row = bench.wait(second)
        assert (row["state"], row["exit_code"]) == ("failed", 3)


def test_a_job_that_stopped_its_shim_can_be_stopped(reeve):
    bench = Workbench(reeve, slots=1).start()
    job = bench.sh("kill -STOP $PPID; exec sleep 1000")
    bench.wait_running(job)
    harness.wait_until(lambda: harness.proc_stat(reeve.shim_of(job))[0] == "T", "a stopped shim")
    bench.cancel(job)
    assert bench.wait(job)["state"] == "cancelled"
    assert bench.reeve.processes_of(job) == []


def test_cancel_of_what_its_shim_has_not_begun(reeve):
    bench = Workbench(reeve, slots=1).start()
    assert bench.run("/bin/true")[0]["state"] == "succeeded"
    (shim,) = reeve.shims()
    os.kill(shim, signal.SIGSTOP)
    job = bench.helper("probe", reeve.work, 0)
    harness.wait_until(lambda: len(bench.journals()) == 1, "the attempt to be prepared")
    bench.cancel(job)
    assert bench.wait(job)["state"] == "cancelled"
    os.kill(shim, signal.SIGCONT)
    # The shim refuses the old one and serves the next.
    assert bench.wait(bench.sh("exit 3"))["exit_code"] == 3
    assert os.listdir(reeve.work) == [] and reeve.shims() == [shim]


def test_sigterm_to_the_shim_stops_nothing(reeve):
    bench = Workbench(reeve, slots=1).start()
    job = bench.sh("while [ ! -e go ]; do sleep 0.01; done; exit 3", dir=reeve.work)
    bench.wait_running(job)
    shim = reeve.shim_of(job)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGRTMIN):
        os.kill(shim, number)
    open(os.path.join(reeve.work, "go"), "wb").close()
    assert bench.wait(job)["exit_code"] == 3
