"""Dependencies where the worker is needed: what a job reads of another, what is written by
hand while it works, and what survives a kill -9."""

import os
import signal

import pytest

import harness
from workbench import Workbench

MIXED = 6_000_000
RETRY = '{"on":["exit"],"delay_s":0.01}'


@pytest.fixture
def bench(reeve):
    return Workbench(reeve).start()


def reader(bench, parent, script="cat > {work}/copy"):
    return bench.sh(script.format(work=bench.reeve.work), after=parent, reads=1)


def copy(bench):
    with open(os.path.join(bench.reeve.work, "copy"), "rb") as file:
        return file.read()


def assert_read(bench, parent, number=1):
    """A reader of it gets all of its stdout and nothing else."""
    child = reader(bench, parent)
    assert bench.wait(child)["state"] == "succeeded"
    _, stdout, _, row = bench.output(parent, number)
    assert copy(bench) == stdout
    return row


def unsettled(bench):
    """What waits although nothing is left to wait for."""
    return bench.reeve.sql(
        "SELECT d.job_id FROM dependencies d JOIN jobs p ON p.id = d.parent_id "
        "WHERE d.state = 'pending' AND p.finished_at IS NOT NULL")


# --- reading another one's output -------------------------------------------------------------


def test_a_little_of_one_stream(bench):
    row = assert_read(bench, bench.sh("printf 'one\\ntwo'"))
    assert row["stored"] == "row"


def test_a_little_of_both_streams(bench):
    row = assert_read(bench, bench.helper("allbytes"))
    assert row["stored"] == "row" and row["stderr_bytes"] == 256


def test_much_of_both_streams(bench):
    row = assert_read(bench, bench.helper("allbytes", MIXED, 1000))
    assert row["stored"] == "file" and row["stderr_bytes"] == MIXED // 2


def test_much_of_one_stream_is_passed_as_it_lies_and_cannot_be_changed(bench):
    parent = bench.sh("head -c 3000000 /dev/zero | tr '\\0' x")
    row = assert_read(bench, parent)
    assert row["stored"] == "file" and row["stderr_bytes"] == 0
    child = reader(bench, parent, "readlink /proc/self/fd/0 > {work}/copy; "
                                  "echo no >&0 || exit 7")
    assert bench.wait(child)["exit_code"] == 7
    assert copy(bench).decode().strip() == bench.reeve.path(row["path"])


def test_silence_is_an_empty_input(bench):
    for script in ("true", "echo only here >&2"):
        child = reader(bench, bench.sh(script), "wc -c < /proc/self/fd/0 > {work}/copy; "
                                                "readlink /proc/self/fd/0 >> {work}/copy")
        assert bench.wait(child)["state"] == "succeeded"
        assert copy(bench).split()[0] == b"0" and b"/dev/null" not in copy(bench)


def test_only_the_last_attempt_is_read(bench):
    parent = bench.sh("echo $REEVE_ATTEMPT; test $REEVE_ATTEMPT = 2", max_attempts=2,
                      retry=RETRY)
    assert_read(bench, parent, 2)
    assert copy(bench) == b"2\n"


def test_a_reader_that_is_tried_again_reads_from_the_beginning(bench):
    parent = bench.sh("head -c 2000000 /dev/zero | tr '\\0' x")
    child = bench.sh(f"cat > {bench.reeve.work}/copy; test $REEVE_ATTEMPT = 2", after=parent,
                     reads=1, max_attempts=2, retry=RETRY)
    assert bench.wait(child)["attempt"] == 2
    assert len(copy(bench)) == 2000000


def assert_start_failed(bench, child, words):
    row = bench.wait(child)
    assert (row["state"], row["reason"]) == ("failed", "start_failed")
    assert bench.attempt(child)["error"] == words
    assert not os.path.exists(os.path.join(bench.reeve.work, "copy"))


def test_what_was_truncated_is_not_read(bench):
    parent = bench.sh("head -c 5000 /dev/zero", output_bytes=1000)
    assert bench.wait(parent)["state"] == "succeeded"
    assert_start_failed(bench, reader(bench, parent),
                        f"stdin: the output of job {parent} was truncated")


def test_what_was_removed_is_not_read(bench):
    parent = bench.sh("head -c 3000000 /dev/zero")
    bench.wait(parent)
    os.unlink(bench.reeve.path(bench.output(parent)[3]["path"]))
    assert_start_failed(bench, reader(bench, parent),
                        f"stdin: the output of job {parent} was removed")


def test_a_part_is_not_read(bench):
    parent = bench.sh("head -c 3000000 /dev/zero")
    bench.wait(parent)
    os.truncate(bench.reeve.path(bench.output(parent)[3]["path"]), 1000000)
    assert_start_failed(bench, reader(bench, parent),
                        f"stdin: the output of job {parent} is not whole any more")


# --- by hand ----------------------------------------------------------------------------------


def by_hand(bench, child, parent, condition="success"):
    bench.reeve.sql_write("INSERT INTO dependencies (job_id, parent_id, condition) "
                          "VALUES (?, ?, ?)", bench.row(child)["job_id"],
                          bench.row(parent)["job_id"], condition)


def test_rows_written_by_hand_are_noticed(bench):
    """Nobody rings: the worker looks for itself."""
    failed = bench.sh("exit 1")
    bench.wait(failed)
    skipped = bench.sh("true", hold=1)
    by_hand(bench, skipped, failed)
    assert bench.wait(skipped)["state"] == "skipped"
    held = bench.sh("true", hold=1)
    by_hand(bench, held, failed, "failure")
    harness.wait_until(lambda: not unsettled(bench), "the row to be settled")
    assert bench.row(held)["reason"] == "hold"


# --- kill -9 ----------------------------------------------------------------------------------


def test_a_worker_that_dies_forgets_no_dependant(bench):
    work = bench.reeve.work
    parent = bench.sh(f"until test -e {work}/go; do sleep 0.02; done; exit 1")
    bench.wait_running(parent)
    handler = bench.sh("true", after=parent, on="failure")
    bench.submit_many("/bin/true", after=parent, count=2500)
    below = bench.sh("true", after=handler)
    bench.reeve.kill_worker()
    with open(f"{work}/go", "w", encoding="ascii"):
        pass
    harness.wait_until(lambda: not bench.reeve.shims(), "the shim's end")
    for _ in range(4):  # wherever it is just then
        bench.reeve.start_worker()
        bench.reeve.kill_worker()
    bench.start()
    bench.wait_all()
    assert bench.row(parent)["state"] == "failed"
    assert bench.row(handler)["state"] == bench.row(below)["state"] == "succeeded"
    counted = bench.reeve.sql("SELECT state, count(*) FROM jobs GROUP BY state ORDER BY state")
    assert counted == [("failed", 1), ("skipped", 2500), ("succeeded", 2)]
    assert not unsettled(bench) and not bench.reeve.sql("SELECT * FROM unresolved")


def test_a_start_that_only_the_journal_knows_is_a_start(bench):
    """The job stops the worker before that can record its start; then its shim dies."""
    worker = bench.reeve.worker.process.pid
    parent = bench.sh(f"kill -STOP {worker}; sleep 600", hold=1)
    child = bench.sh("true", after=parent, on="started")
    never = bench.sh("true", after=parent)
    bench.reeve.sql_write("UPDATE jobs SET state = 'queued', reason = NULL, queued_at = 1 "
                          "WHERE id = ?", bench.row(parent)["job_id"])
    harness.wait_until(lambda: any(line.startswith("process ") for line in bench.journal(parent)),
                       "the journal to name the process")
    shim = bench.reeve.shim_of(parent)
    bench.reeve.kill_worker()
    os.kill(shim, signal.SIGKILL)
    bench.start()
    assert bench.wait(parent)["state"] == "lost"
    assert bench.wait(child)["state"] == "succeeded"
    assert bench.wait(never)["state"] == "skipped"
