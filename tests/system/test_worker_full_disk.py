"""A full disk stops nothing for good: what ran is recorded when there is room again."""

import os
import subprocess
import tempfile

import pytest

import harness
from workbench import Workbench


@pytest.fixture
def small_disk():
    """A file system of 8 MiB; only root can make one."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a file system of its own")
    place = tempfile.mkdtemp(prefix="rvd-", dir="/tmp")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", place],
                      check=False).returncode != 0:
        os.rmdir(place)
        pytest.skip("no mounting here")
    yield place
    subprocess.run(["umount", "-l", place], check=True)
    os.rmdir(place)


def fill(place):
    """Takes all the room that there is; the path of the file that has it."""
    path = os.path.join(place, "ballast")
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 20, 1 << 16, 1 << 12):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return path


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
