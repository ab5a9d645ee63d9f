"""A job runs as it was asked to: its exit, its surroundings, and why it could not start."""

import os
import signal
import stat

import pytest

from workbench import Workbench


@pytest.fixture
def bench(reeve):
    return Workbench(reeve).start()


@pytest.mark.parametrize("code", [0, 1, 7, 127, 255])
def test_exit_code_is_the_true_one(bench, code):
    row, job = bench.run("/bin/sh", "-c", f"exit {code}")
    assert row["state"] == ("succeeded" if code == 0 else "failed")
    assert row["reason"] == (None if code == 0 else "exit")
    assert (row["exit_code"], row["signal"]) == (code, None)
    assert bench.attempt(job)["state"] == "ended"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGHUP])
def test_death_by_signal_names_the_signal(bench, number):
    row, _ = bench.run("/bin/sh", "-c", f"kill -{int(number)} $$")
    assert (row["state"], row["reason"]) == ("failed", "signal")
    assert (row["exit_code"], row["signal"]) == (None, int(number))


def test_arguments_arrive_as_they_are(bench):
    words = ["", " ", "*", "$HOME", "a\nb", "\"'", "ünï", "x" * 40000]
    _, job = bench.run("/usr/bin/printf", "%s\\n", *words)
    assert bench.output(job)[1].decode() == "".join(word + "\n" for word in words)


def test_environment_is_built_from_nothing(reeve):
    bench = Workbench(reeve)
    reeve.start_worker(SECRET_OF_THE_WORKER="1", LD_DEBUG_OUTPUT="x")
    _, job = bench.run("/usr/bin/env", env='{"COLOUR": "blue", "LANG": "de_DE.UTF-8"}')
    found = dict(line.split("=", 1) for line in bench.output(job)[1].decode().splitlines())
    assert found == {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.path.expanduser("~"),
                     "USER": found["USER"], "LANG": "de_DE.UTF-8", "COLOUR": "blue",
                     "REEVE_JOB_ID": job, "REEVE_ATTEMPT": "1", "REEVE_QUEUE": "default"}


def test_request_cannot_forge_reeve_variables(bench):
    _, job = bench.run("/usr/bin/env", env='{"REEVE_JOB_ID": "forged", "REEVE_ATTEMPT": "9"}')
    found = bench.output(job)[1].decode().splitlines()
    assert f"REEVE_JOB_ID={job}" in found and "REEVE_ATTEMPT=1" in found


def test_job_sees_three_descriptors(bench):
    # Its own listing of the directory is the fourth.
    _, job = bench.run("/bin/ls", "/proc/self/fd")
    assert bench.output(job)[1].split() == [b"0", b"1", b"2", b"3"]


def test_second_job_of_a_shim_is_as_clean_as_the_first(reeve):
    bench = Workbench(reeve, slots=1).start()
    bench.wait(bench.sh("exec 7</dev/null; umask 0; ulimit -n 50; cd /tmp; sleep 100 & exit 1"))
    _, job = bench.run("/bin/sh", "-c", "ls /proc/self/fd; umask; ulimit -n; pwd; "
                       "grep -E 'Sig(Ign|Blk|Pnd)|ShdPnd' /proc/self/status")
    lines = bench.output(job)[1].decode().splitlines()
    assert lines[:4] == ["0", "1", "2", "3"]
    assert lines[4] == "0077" and lines[5] != "50" and lines[6] == "/"
    assert all(int(line.split()[1], 16) == 0 for line in lines[7:]), lines


def test_surroundings(bench, reeve):
    _, job = bench.run("/bin/sh", "-c", "pwd; ulimit -c; umask; ps -o pid=,sid=,pgid= $$",
                       dir=reeve.work)
    directory, core, mask, ids = bench.output(job)[1].decode().splitlines()
    assert (directory, core, mask) == (reeve.work, "0", "0077")
    pid, session, group = map(int, ids.split())
    assert pid == session == group == bench.attempt(job)["pid"]


def test_script_runs_by_its_descriptor(bench, reeve):
    path = os.path.join(reeve.work, "script")
    with open(path, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho \"$1 and $2\"\nexit 6\n")
    os.chmod(path, 0o755)
    row, job = bench.run(path, "one", "two words")
    assert row["exit_code"] == 6
    assert bench.output(job)[1] == b"one and two words\n"


def make_program(reeve, kind):
    path = os.path.join(reeve.work, kind)
    if kind == "directory":
        os.mkdir(path)
    elif kind != "missing":
        with open(path, "w", encoding="ascii") as file:
            file.write({"interpreter": "#!/no/such/interpreter\n",
                        "garbage": "\0\1\2 no program"}.get(kind, "#!/bin/sh\nexit 0\n"))
        os.chmod(path, 0o644 if kind == "not_executable" else 0o755)
    return path


@pytest.mark.parametrize("kind, step, words", [
    ("missing", "program", "no such"),
    ("not_executable", "program", "execut"),
    ("directory", "program", ""),
    ("interpreter", "exec", "ENOENT"),
    ("garbage", "exec", "ENOEXEC"),
])
def test_what_cannot_start_says_which_step_and_why(bench, reeve, kind, step, words):
    row, job = bench.run(make_program(reeve, kind))
    assert (row["state"], row["reason"]) == ("failed", "start_failed")
    assert (row["exit_code"], row["signal"]) == (None, None)
    error = bench.attempt(job)["error"]
    assert error.startswith(step + ": ") and words in error
    assert bench.output(job)[3] is None
    # The shim goes on.
    assert bench.run("/bin/true")[0]["state"] == "succeeded"


def test_bad_working_directory_is_named(bench):
    row, job = bench.run("/bin/true", dir="/no/such/directory")
    assert row["reason"] == "start_failed"
    assert bench.attempt(job)["error"].startswith("working_directory: ")


def test_program_outside_the_roots_is_refused_at_the_start_too(bench, reeve):
    # Submitted past the intake, as by hand in the database.
    row, job = bench.run("/etc/../bin/true")
    assert row["reason"] == "start_failed"
    outside = os.path.join(reeve.base, "outside")
    os.symlink("/bin/true", outside)
    assert bench.run(outside)[0]["reason"] == "start_failed"
    assert bench.attempt(job)["error"].startswith("program: ")


def test_unreadable_rows_fail_the_job_and_not_the_worker(bench):
    job = bench.submit("/bin/true", env='{"A": 1}')
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "start_failed")
    assert bench.run("/bin/true")[0]["state"] == "succeeded"


def test_stdin_of_16_mib_arrives(bench, reeve):
    path = os.path.join(reeve.work, "input")
    data = os.urandom(1 << 20) * 16
    with open(path, "wb") as file:
        file.write(data)
    _, job = bench.run("/bin/cat", stdin=path)
    assert bench.output(job)[1] == data


def test_stdin_that_nobody_reads_does_no_harm(bench, reeve):
    path = os.path.join(reeve.work, "input")
    with open(path, "wb") as file:
        file.write(b"x" * (4 << 20))
    assert bench.run("/bin/true", stdin=path)[0]["exit_code"] == 0


def test_stdin_cannot_be_written_by_the_job(bench, reeve):
    path = os.path.join(reeve.work, "input")
    with open(path, "wb") as file:
        file.write(b"hello")
    row, job = bench.run("/bin/sh", "-c", "echo changed >&0 || exit 3; cat", stdin=path)
    assert row["exit_code"] == 3, bench.output(job)


def test_without_stdin_there_is_nothing_to_read(bench):
    _, job = bench.run("/usr/bin/wc", "-c")
    assert bench.output(job)[1] == b"0\n"


def test_use_is_counted_over_the_tree(bench):
    _, job = bench.run("/bin/sh", "-c", "python3 -c 'x = bytearray(50 << 20); sum(range(2000000))'"
                       " & wait")
    attempt = bench.attempt(job)
    assert attempt["cpu_user_s"] > 0.01
    assert attempt["max_rss_bytes"] > 50 << 20


def test_files_of_an_ended_job_are_gone(bench):
    bench.run("/bin/sh", "-c", "echo x")
    assert bench.journals() == [] and bench.output_files() == []


def test_state_is_for_the_owner_alone(bench, reeve):
    bench.run("/bin/sh", "-c", "head -c 200000 /dev/zero")
    for name in ("", "attempts", "output", "run"):
        assert stat.S_IMODE(os.stat(reeve.path(name)).st_mode) == 0o700
    for path in bench.output_files():
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
