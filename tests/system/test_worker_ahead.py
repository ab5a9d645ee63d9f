"""Short jobs are claimed ahead of free slots; nobody may notice but by the speed."""

import os
import signal
import zlib

import harness
from workbench import Workbench


def counts(bench):
    return dict(bench.reeve.sql("SELECT state, count(*) FROM jobs GROUP BY state"))


def brisk_then_long(reeve):
    """Many short jobs with long ones behind them, on two slots."""
    bench = Workbench(reeve, slots=2)
    bench.start()
    short = [bench.submit("/bin/true") for _ in range(60)]
    long = [bench.submit("/bin/sleep", "1000") for _ in range(8)]
    return bench, short, long


def test_what_finds_no_slot_goes_back(reeve):
    bench, short, long = brisk_then_long(reeve)
    harness.wait_until(lambda: counts(bench) == {"succeeded": 60, "running": 2, "queued": 6},
                       "two long jobs running, the others queued")
    for job in long:
        bench.cancel(job)
        assert bench.wait(job)["state"] == "cancelled"
    assert counts(bench) == {"succeeded": 60, "cancelled": 8}
    assert reeve.sql("SELECT count(*) FROM attempts WHERE outcome = 'exit'")[0][0] == 60


def test_the_next_worker_runs_what_was_given_back(reeve):
    bench, short, long = brisk_then_long(reeve)
    reeve.stop_worker()
    bench.start()
    for job in short:
        assert bench.wait(job)["exit_code"] == 0
    assert reeve.sql("SELECT count(*) FROM attempts WHERE outcome = 'exit' "
                     "GROUP BY job_id HAVING count(*) > 1") == []
    for job in long:
        bench.cancel(job, force=True)
        bench.wait(job)


def test_a_limit_lowered_by_a_reload_holds_for_what_is_claimed_ahead(reeve):
    """The worker writes the limit itself, which SQLite does not tell it as it tells of others."""
    bench = Workbench(reeve, slots=2, queues={"one": {}})
    bench.start()
    bench.submit_many("/bin/true", count=60, queue="one")
    long = bench.submit_many("/bin/sleep", "1000", count=8, queue="one")
    for job in long[:2]:
        bench.wait_running(job)
    reeve.write_config(queues={"one": {"max_running": 1}})
    os.kill(reeve.worker.pid, signal.SIGHUP)
    reeve.worker.wait_line(r"\bev=reloaded\b")
    for job in long[:2]:
        harness.kill_pid(reeve.processes_of(job)[0])
    wanted = {"succeeded": 60, "failed": 2, "running": 1, "queued": 5}
    harness.wait_until(lambda: counts(bench) == wanted, lambda: f"one to run: {counts(bench)}")


def journals(reeve):
    return os.listdir(reeve.path("attempts"))


def test_each_of_many_short_ones_has_its_own_end(reeve):
    """Their journals are used again, one after the other; none of them is left."""
    bench = Workbench(reeve, slots=2)
    jobs = {bench.submit("/bin/sh", "-c", f"echo {code}; exit {code}"): code for code in range(100)}
    bench.start()
    bench.wait_all()
    for job, code in jobs.items():
        assert bench.row(job)["exit_code"] == code
        assert reeve.sql("SELECT CAST(o.content AS TEXT) FROM output o JOIN v_jobs v USING (job_id) "
                         "WHERE v.id = ?", job) == [(f"{code}\n",)]
    assert journals(reeve) == []


def test_a_worker_killed_again_and_again_runs_each_once(reeve):
    """Whatever it was at: with attempts claimed ahead, in a transaction, between two journals."""
    bench = Workbench(reeve, slots=2)
    mark = os.path.join(reeve.base, "ran")
    jobs = bench.submit_many("/bin/sh", "-c", f"echo $REEVE_JOB_ID >> {mark}", count=600)
    bench.start()
    over = "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL"
    for part in range(1, 6):
        harness.wait_until(lambda part=part: reeve.sql(over)[0][0] >= 80 * part, "some to end")
        reeve.kill_worker()
        reeve.start_worker()
    bench.wait_all()
    assert counts(bench) == {"succeeded": len(jobs)}
    with open(mark, encoding="utf-8") as file:
        assert sorted(file.read().split()) == sorted(jobs)
    assert journals(reeve) == []


def journal_line(text):
    return f"{text} crc={zlib.crc32(text.encode()):08x}\n"


def test_journals_of_jobs_that_are_no_more_are_removed(reeve):
    """One may have waited to be used again when its job was cleaned up and the worker killed."""
    Workbench(reeve).start()
    reeve.stop_worker()
    ended, emptied, begun = (f"01a1fe12-e90b-7249-8227-5f9edd47905{n}-1" for n in (1, 2, 3))
    start = "started of={} shim=1 shim_started=1 boot=x cgroup=-"
    for key, lines in ((ended, (start, "ended of={} pid=1 exit=0")), (emptied, ()), (begun, (start,))):
        with open(reeve.path("attempts/" + key), "w", encoding="ascii") as file:
            file.writelines(journal_line(line.format(key)) for line in lines)
    reeve.start_worker()
    assert journals(reeve) == [begun]
