"""A full disk stops nothing for good: what ran is recorded when there is room again."""

import os

import pytest

import harness
from disks import fill, small_disk_of
from workbench import Workbench


@pytest.fixture
def small_disk():
    with small_disk_of(8192) as place:
        yield place


def test_end_is_recorded_when_there_is_room_again(new_reeve, small_disk, tmp_path):
    reeve = new_reeve(parent=small_disk)
    bench = Workbench(reeve).start()
    gate = tmp_path / "go"
    jobs = {bench.sh(f"while [ ! -e {gate} ]; do sleep 0.02; done; echo {code}; exit {code}"): code
            for code in (3, 4)}
    for job in jobs:
        bench.wait_running(job)
        harness.wait_until(lambda job=job: len(bench.journal(job)) == 2, "its journal")
    harness.wait_until(lambda: reeve.sql("SELECT count(*) FROM attempts WHERE state = 'running'")
                       == [(2,)], "both to be noted as running")
    ballast = fill(small_disk)
    gate.touch()
    for job in jobs:
        bench.reeve.wait_no_processes(job)
    reeve.worker.wait_line("ev=record_postponed")
    assert {bench.row(job)["state"] for job in jobs} == {"running"}
    os.unlink(ballast)
    for job, code in jobs.items():
        row = bench.wait(job)
        assert (row["state"], row["exit_code"], row["attempt"]) == ("failed", code, 1)
    assert reeve.worker.log.count("ev=record_postponed") == 1


def test_worker_killed_on_a_full_disk_loses_nothing(new_reeve, small_disk, tmp_path):
    reeve = new_reeve(parent=small_disk)
    bench = Workbench(reeve).start()
    gate = tmp_path / "go"
    job = bench.sh(f"while [ ! -e {gate} ]; do sleep 0.02; done; exit 5")
    bench.wait_running(job)
    ballast = fill(small_disk)
    gate.touch()
    reeve.worker.wait_line("ev=record_postponed")
    reeve.kill_worker()
    os.unlink(ballast)
    reeve.start_worker()
    assert bench.wait(job)["exit_code"] == 5
