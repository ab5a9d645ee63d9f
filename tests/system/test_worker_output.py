"""Output: what a job wrote comes back byte for byte, bounded, and without litter."""

import os

import pytest

import harness
from workbench import Workbench, split

PATTERN = bytes(range(251))


@pytest.fixture
def bench(reeve):
    return Workbench(reeve).start()


def counting(size, start=0):
    whole = PATTERN * (size // 251 + 2)
    return whole[start % 251:start % 251 + size]


def test_all_256_values_come_back(bench):
    job = bench.helper("allbytes")
    bench.wait(job)
    _, stdout, stderr, row = bench.output(job)
    assert stdout == bytes(range(256))
    assert stderr == bytes(reversed(range(256)))
    assert row["stored"] == "row" and row["dropped_bytes"] == 0


def test_streams_are_told_apart_byte_for_byte(bench):
    job = bench.helper("allbytes", 3000000, 1000)
    bench.wait(job)
    merged, stdout, stderr, _ = bench.output(job)
    whole = counting(3000000)
    assert stdout == b"".join(whole[at:at + 1000] for at in range(0, 3000000, 2000))
    assert stderr == b"".join(whole[at:at + 1000] for at in range(1000, 3000000, 2000))
    assert len(merged) == 3000000


def test_merged_keeps_the_order_of_a_patient_job(bench):
    # Each line is written when the one before is in the log.
    job = bench.sh('log=$(ls -d "$0"/output 2>/dev/null); for i in 1 2 3; do '
                   'echo out$i; until grep -qs out$i "$0"/output/*/$REEVE_JOB_ID-1.log; do :; done; '
                   'echo err$i >&2; until grep -qs err$i "$0"/output/*/$REEVE_JOB_ID-1.log; do :; '
                   'done; done'.replace('"$0"', bench.reeve.state_dir))
    bench.wait(job)
    assert bench.output(job)[0] == b"out1\nerr1\nout2\nerr2\nout3\nerr3\n"


def test_nothing_printed_leaves_no_file_and_no_row(bench, reeve):
    job = bench.submit("/bin/true")
    bench.wait(job)
    assert bench.output(job)[3] is None
    assert bench.output_files() == [] and not os.listdir(reeve.path("output"))


@pytest.mark.parametrize("size, stored", [(65536, "row"), (65537, "file")])
def test_folding_has_an_exact_border(bench, size, stored):
    job = bench.helper("allbytes", size)
    bench.wait(job)
    merged, _, _, row = bench.output(job)
    assert row["stored"] == stored and merged == counting(size)
    assert len(bench.output_files()) == (0 if stored == "row" else 2)


def test_300_mib_are_cut_at_1_mib_exactly(bench):
    job = bench.helper("allbytes", 300 << 20, output_bytes=1 << 20)
    assert bench.wait(job)["exit_code"] == 0
    merged, _, _, row = bench.output(job)
    assert merged == counting(1 << 20)
    assert row["dropped_bytes"] == (300 << 20) - (1 << 20)


def test_limit_is_of_both_streams_together(bench):
    job = bench.helper("allbytes", 100000, 1000, output_bytes=5000)
    bench.wait(job)
    merged, stdout, stderr, row = bench.output(job)
    assert len(merged) == len(stdout) + len(stderr) == 5000
    assert row["dropped_bytes"] == 95000


def test_exactly_the_limit_is_no_excess(bench):
    job = bench.helper("allbytes", 5000, output_bytes=5000, output="stop")
    assert bench.wait(job)["state"] == "succeeded"
    assert bench.output(job)[3]["dropped_bytes"] == 0


def test_limit_of_zero_keeps_nothing(bench):
    job = bench.helper("allbytes", 5000, output_bytes=0)
    assert bench.wait(job)["state"] == "succeeded"
    assert bench.output_files() == []


def test_stop_policy_stops_the_job(bench):
    job = bench.submit("/usr/bin/yes", output_bytes=10000, output="stop")
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "output_limit")
    merged, _, _, stored = bench.output(job)
    assert merged == b"y\n" * 5000 and stored["dropped_bytes"] > 0


def test_output_of_a_running_job_can_be_read(bench, reeve):
    job = bench.sh("echo early; echo odd >&2; while [ ! -e go ]; do sleep 0.01; done; echo late",
                   dir=reeve.work)
    harness.wait_until(lambda: len(bench.output_files()) == 2, "the output files")
    index, log = bench.output_files()

    def read():
        with open(log, "rb") as one, open(index, "rb") as other:
            return split(one.read(), other.read())
    harness.wait_until(lambda: read() == (b"early\n", b"odd\n"), "the early output")
    assert bench.row(job)["state"] == "running"
    open(os.path.join(reeve.work, "go"), "wb").close()
    bench.wait(job)
    assert bench.output(job)[1] == b"early\nlate\n"


def test_job_that_closes_its_output_goes_on(bench):
    row, job = bench.run("/bin/sh", "-c", "echo a; exec >&- 2>&-; sleep 0.05; exit 5")
    assert row["exit_code"] == 5 and bench.output(job)[1] == b"a\n"


def test_full_disk_drops_output_and_not_the_job(reeve):
    # A file-size limit is the full disk that a test can have: write(2) stores a part, then fails.
    bench = Workbench(reeve)
    limit = 1 << 20
    reeve.program_limits = limit
    daemon = reeve.launch("reeve-worker")
    daemon.wait_line("ev=ready")
    reeve.worker = daemon
    import resource
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (limit, limit))
    job = bench.sh(f"ulimit -f unlimited 2>/dev/null; exec {reeve.program('allbytes')} 3000000")
    assert bench.wait(job)["exit_code"] == 0
    merged, _, _, row = bench.output(job)
    assert merged == counting(limit) and row["dropped_bytes"] == 3000000 - limit
