"""A disk that fills up while a job writes, and limits: what cannot be kept is counted."""

import os

import pytest

import harness
from disks import fill, mounted, small_disk_of
from workbench import Workbench, split

PATTERN = bytes(range(251))
TALK = "yes o | head -c {0}; yes e | head -c {0} >&2; yes o | head -c {0}"


def counting(size):
    return (PATTERN * (size // 251 + 1))[:size]


@pytest.fixture
def bench(reeve):
    return Workbench(reeve).start()


@pytest.fixture
def small_output(reeve):
    """A service whose outputs lie on a disk of 1 MiB of their own."""
    bench = Workbench(reeve)
    os.mkdir(reeve.path("output"), mode=0o700)
    with mounted(reeve.path("output"), 1024):
        yield bench.start()


def assert_consistent(bench, job, written):
    """Whatever was kept is of the stream that it is said to be of, and the rest is counted."""
    merged, stdout, stderr, row = bench.output(job)
    assert len(merged) + row["dropped_bytes"] == written
    assert set(stdout) <= set(b"o\n") and set(stderr) <= set(b"e\n")
    return stdout, stderr, row


def wait_gate(name):
    return f"while [ ! -e {name} ]; do sleep 0.02; done"


def open_gate(bench, name):
    with open(os.path.join(bench.reeve.work, name), "wb"):
        pass


# --- the disk ---------------------------------------------------------------------------------


def test_full_disk_drops_what_has_no_room_and_counts_it(small_output):
    job = small_output.sh(TALK.format(800000) + "; exit 7")
    assert small_output.wait(job)["exit_code"] == 7
    stdout, stderr, row = assert_consistent(small_output, job, 2400000)
    assert len(stdout) == 800000 and 0 < len(stderr) < 300000 and row["stored"] == "file"


def test_frames_on_a_full_disk_are_whole(small_output):
    # Streams in turns of a few bytes: the index takes more of the disk than the log.
    job = small_output.helper("allbytes", 200000, 3)
    assert small_output.wait(job)["state"] == "succeeded"
    merged, stdout, stderr, row = small_output.output(job)
    frames = small_output.read(os.path.splitext(row["path"])[0] + ".idx")
    assert len(frames) % 24 == 0 and row["dropped_bytes"] > 0
    assert split(merged, frames) == (stdout, stderr)
    assert len(merged) + row["dropped_bytes"] == 200000


def test_other_jobs_go_on_beside_a_full_output_disk(small_output):
    ballast = fill(small_output.reeve.path("output"))
    jobs = [small_output.sh(f"echo words; echo more >&2; exit {code}") for code in range(5)]
    for code, job in enumerate(jobs):
        assert small_output.wait(job)["exit_code"] == code
        merged, _, _, row = small_output.output(job)
        assert (merged, row["dropped_bytes"]) == (b"", 11)
    os.unlink(ballast)
    job = small_output.sh("echo words; echo more >&2")
    assert small_output.wait(job)["exit_code"] == 0
    assert small_output.output(job)[0] == b"words\nmore\n"
    assert small_output.output_files() == []


def test_later_output_is_kept_when_there_is_room_again(small_output):
    bench = small_output
    job = bench.sh(f"yes o | head -c 100000; touch first; {wait_gate('filled')}; "
                   f"yes o | head -c 50001; yes e | head -c 50001 >&2; touch second; "
                   f"{wait_gate('freed')}; echo eee >&2; echo ooo", dir=bench.reeve.work)
    bench.wait_file("first")
    ballast = fill(bench.reeve.path("output"))
    open_gate(bench, "filled")
    bench.wait_file("second")
    os.unlink(ballast)
    open_gate(bench, "freed")
    assert bench.wait(job)["state"] == "succeeded"
    stdout, stderr, row = assert_consistent(bench, job, 200010)
    assert row["dropped_bytes"] >= 90000
    assert bench.output(job)[0].endswith(b"eee\nooo\n")
    assert len(stdout) >= 100000 and stdout.endswith(b"ooo\n") and stderr.endswith(b"eee\n")


def test_full_disk_stops_a_job_that_wants_to_be_stopped(small_output):
    job = small_output.submit("/usr/bin/yes", "o", output="stop")
    row = small_output.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "output_limit")
    merged, _, _, stored = small_output.output(job)
    assert merged == (b"o\n" * (1 << 19))[:len(merged)]
    assert len(merged) > 900000 and stored["dropped_bytes"] > 0


def test_full_disk_of_everything_is_recovered_from(new_reeve, tmp_path):
    with small_disk_of(8192) as place:
        reeve = new_reeve(parent=place)
        bench = Workbench(reeve).start()
        ballast = os.path.join(place, "ballast")
        with open(ballast, "wb") as file:
            file.write(bytes(2 << 20))
        other = bench.sh(f"{wait_gate(tmp_path / 'written')}; exit 3")
        bench.wait_running(other)
        job = bench.sh(TALK.format(4000000) + f"; touch {tmp_path}/written; "
                       f"{wait_gate(tmp_path / 'freed')}; echo oo; exit 7")
        harness.wait_until((tmp_path / "written").exists, "the job to have written")
        reeve.wait_no_processes(other)
        assert bench.row(job)["state"] == "running"
        os.unlink(ballast)
        (tmp_path / "freed").touch()
        assert bench.wait(other)["exit_code"] == 3
        assert bench.wait(job)["exit_code"] == 7
        stdout, _, row = assert_consistent(bench, job, 12000003)
        assert stdout.endswith(b"oo\n") and row["dropped_bytes"] > 4000000
        after = bench.sh("echo after")
        assert bench.wait(after)["exit_code"] == 0
        assert bench.output(after)[0] == b"after\n"


# --- the limit --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 999, 1000, 1001, 5500, 65537, 99999])
@pytest.mark.parametrize("policy", ["truncate", "stop"])
def test_limit_cuts_the_writes_in_their_order(bench, limit, policy):
    job = bench.helper("allbytes", 100000, 1000, output_bytes=limit, output=policy)
    row = bench.wait(job)
    merged, _, _, stored = bench.output(job)
    assert merged == counting(limit)
    if policy == "truncate":
        assert row["state"] == "succeeded" and stored["dropped_bytes"] == 100000 - limit
    else:
        assert stored["dropped_bytes"] > 0


def test_limit_inside_a_large_write(bench):
    job = bench.helper("allbytes", 3000000, 65536, output_bytes=1000001)
    bench.wait(job)
    merged, _, _, row = bench.output(job)
    assert merged == counting(1000001) and row["dropped_bytes"] == 1999999


def test_limit_of_zero_stops_at_the_first_byte(bench):
    job = bench.sh("echo x >&2; sleep 1000", output_bytes=0, output="stop")
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "output_limit")
    merged, _, _, stored = bench.output(job)
    assert merged == b"" and stored["dropped_bytes"] == 2


def test_limit_of_zero_lets_a_silent_job_be(bench):
    job = bench.submit("/bin/true", output_bytes=0, output="stop")
    assert bench.wait(job)["state"] == "succeeded"
    assert bench.output(job)[3] is None


def test_stop_kills_who_ignores_it(bench):
    job = bench.sh("trap '' TERM; yes & while :; do echo line >&2; done", output="stop",
                   output_bytes=3000, kill_grace_us=200000)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "output_limit")
    bench.reeve.wait_no_processes(job)
    merged, _, _, stored = bench.output(job)
    assert len(merged) == 3000 and stored["dropped_bytes"] > 0


def test_stop_lets_a_polite_job_say_goodbye_in_vain(bench):
    job = bench.sh("trap 'echo bye > ended; exit 0' TERM; echo 123456; while :; do sleep 0.01; done",
                   output="stop", output_bytes=4, dir=bench.reeve.work)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "output_limit")
    assert bench.wait_file("ended") == "bye\n"
    assert bench.output(job)[0] == b"1234"


def test_follower_sees_no_hole_while_the_disk_is_full(small_output):
    bench = small_output
    job = bench.sh(f"echo ooo; echo eee >&2; {wait_gate('filled')}; "
                   "for i in 1 2 3 4 5 6 7 8; do yes o | head -c 5000; yes e | head -c 5000 >&2; "
                   f"done; touch second; {wait_gate('freed')}; echo eo | tr -d o >&2",
                   dir=bench.reeve.work)
    harness.wait_until(lambda: len(bench.output_files()) == 2 and
                       os.path.getsize(bench.output_files()[1]) == 8, "the first output")
    ballast = fill(bench.reeve.path("output"))
    index, log = [name for name in bench.output_files() if name != ballast]
    open_gate(bench, "filled")
    seen = [b"", b""]

    def look():
        with open(log, "rb") as one, open(index, "rb") as other:
            now = split(one.read(), other.read())
        for stream in (0, 1):
            assert now[stream].startswith(seen[stream]) and set(now[stream]) <= set(b"oe"[
                stream:stream + 1] + b"\n")
            seen[stream] = now[stream]
        return os.path.exists(os.path.join(bench.reeve.work, "second"))
    harness.wait_until(look, "the job to have written")
    os.unlink(ballast)
    open_gate(bench, "freed")
    assert bench.wait(job)["state"] == "succeeded"
    _, stdout, stderr, row = bench.output(job)
    assert stdout.startswith(seen[0]) and stderr.startswith(seen[1])
    assert stderr.endswith(b"e\n") and len(stdout + stderr) + row["dropped_bytes"] == 80010
