"""Short jobs are claimed ahead of free slots; nobody may notice but by the speed."""

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
