"""The scripts a person meets first: run, stop, install-deps, run-tests; and second starts."""

import os
import re
import shutil
import signal
import subprocess
import sqlite3

import harness
import pytest

ROOT = harness.ROOT


def script(name, *args, cwd=ROOT, env=None, timeout=600):
    return subprocess.run([os.path.join(cwd, "scripts", name), *args], cwd=cwd, env=env, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout)


# --- scripts/run ----------------------------------------------------------------------------


@pytest.fixture
def clone(reeve):
    """A copy of the sources with what is built already, so that nothing is compiled again."""
    if os.path.basename(os.path.dirname(reeve.bin)) != "release":
        pytest.skip("scripts/run builds and starts the release variant; this run tests another one")
    folder = os.path.join(reeve.base, "clone")
    shutil.copytree(ROOT, folder, symlinks=True,
                    ignore=lambda path, names: {"build", "var", ".git"} & set(names) if path == ROOT
                    else {"__pycache__"} & set(names))
    shutil.copytree(os.path.dirname(reeve.bin), os.path.join(folder, "build/release"), symlinks=True)
    env = reeve.env(REEVE_LISTENERS='["unix:run/reeve.sock", "127.0.0.1:0"]')
    yield folder, env
    script("stop", cwd=folder, env=env)


def daemon_pids(folder):
    found = {}
    for name in ("reeve-httpapi", "reeve-worker"):
        with open(os.path.join(folder, f"var/run/{name}.pid"), encoding="ascii") as file:
            found[name] = int(file.read())
    return found


def test_run_does_real_work_and_leaves_the_service_running(clone):
    folder, env = clone
    first = script("run", cwd=folder, env=env)
    assert first.returncode == 0, first.stdout
    assert "build/sources/reeve.tar.gz: OK" in first.stdout
    assert len(re.findall(r"job [0-9a-f-]{36} succeeded, exit code 0", first.stdout)) == 5
    pids = daemon_pids(folder)
    assert all(harness.is_alive(pid) for pid in pids.values())
    # Each thing it says to look at can be looked at.
    hints = first.stdout[first.stdout.index("Look around:"):].splitlines()[1:5]
    for hint in hints:
        looked = subprocess.run(["sh", "-ec", hint.strip()], cwd=folder, capture_output=True, text=True,
                                timeout=60, env=env)
        assert looked.returncode == 0 and "succeeded" in looked.stdout, (hint, looked)

    second = script("run", cwd=folder, env=env)
    assert second.returncode == 0, second.stdout
    assert daemon_pids(folder) == pids, "the second run must find the service running"

    stopped = script("stop", cwd=folder, env=env)
    assert stopped.returncode == 0, stopped.stdout
    assert not any(harness.is_alive(pid) for pid in pids.values())
    with sqlite3.connect(f"file:{folder}/var/reeve.db?mode=ro", uri=True) as db:
        assert db.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall() == [
            ("succeeded", 10)]

    third = script("run", cwd=folder, env=env)
    assert third.returncode == 0, third.stdout


def test_run_says_why_a_daemon_did_not_start(clone):
    folder, env = clone
    os.makedirs(os.path.join(folder, "var"), mode=0o700)
    with open(os.path.join(folder, "var/reeve.db"), "wb") as file:
        file.write(b"this is no database" * 100)
    done = script("run", cwd=folder, env=env)
    assert done.returncode != 0
    assert "did not start" in done.stdout and "not a database" in done.stdout, done.stdout


def test_stop_with_nothing_to_stop(clone):
    folder, env = clone
    done = script("stop", cwd=folder, env=env)
    assert done.returncode == 0, done.stdout


# --- a second start in the same place -------------------------------------------------------


def test_a_second_worker_is_refused_and_the_first_goes_on(reeve):
    reeve.start()
    second = reeve.launch("reeve-worker")
    assert second.wait_end() in (100, 111)
    assert "worker" in second.log and "ev=ready" not in second.log, second.log
    assert reeve.run("true")["state"] == "succeeded"


def test_a_second_intake_is_refused_and_the_first_goes_on(reeve):
    reeve.start()
    second = reeve.launch("reeve-httpapi")
    assert second.wait_end() in (100, 111)
    assert "another reeve-httpapi" in second.log and "ev=ready" not in second.log, second.log
    assert reeve.run("true")["state"] == "succeeded"


def test_starting_again_after_kill_9_finds_the_socket_free(reeve):
    reeve.start()
    reeve.kill_httpapi()
    reeve.kill_worker()
    reeve.start()
    assert reeve.run("true")["state"] == "succeeded"


def test_sigterm_stops_both_cleanly(reeve):
    reeve.start()
    for daemon in (reeve.httpapi, reeve.worker):
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait_end() == 0, daemon.log
    assert not os.path.exists(reeve.socket_path), "a stopped intake leaves no socket behind"


# --- scripts/install-deps, scripts/run-tests ------------------------------------------------


def test_install_deps_has_nothing_left_to_do():
    done = script("install-deps", "--for", "run", "--list")
    assert (done.returncode, done.stdout.strip()) == (0, "")


@pytest.mark.parametrize("args", [["--for", "nonsense"], ["--what"], ["--for"]])
def test_install_deps_refuses_what_it_does_not_know(args):
    done = script("install-deps", *args)
    assert done.returncode == 2 and "usage" in done.stdout


def run_tests_on(tmp_path, tests):
    for folder in ("scripts", "tests/system", "tests/unit", "build"):
        os.makedirs(tmp_path / folder)
    shutil.copy(os.path.join(ROOT, "scripts/run-tests"), tmp_path / "scripts")
    if tests:
        (tmp_path / "tests/system/test_it.py").write_text(tests)
    return script("run-tests", "--all", "build", cwd=str(tmp_path))


def test_run_tests_counts_and_says_why_it_skipped(tmp_path):
    done = run_tests_on(tmp_path, "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
                                  "def test_c(): pytest.skip('no such thing here')\n")
    assert done.stdout.splitlines()[-1] == "1 passed, 1 failed, 1 skipped"
    assert done.returncode == 1 and "no such thing here" in done.stdout


@pytest.mark.parametrize("tests, last", [("", "0 passed, 0 failed"),
                                         ("syntax error", "0 passed, 1 failed")])
def test_run_tests_fails_when_nothing_ran(tmp_path, tests, last):
    done = run_tests_on(tmp_path, tests)
    assert done.stdout.splitlines()[-1] == last
    assert done.returncode != 0


def test_run_tests_passes_when_all_passed(tmp_path):
    done = run_tests_on(tmp_path, "def test_a(): pass\n")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed")


# --- make install ---------------------------------------------------------------------------


def test_installed_programs_find_each_other(new_reeve, tmp_path):
    variant = os.path.basename(os.path.dirname(harness.BIN))
    done = subprocess.run(["make", "-s", "-o", "all", "install", f"VARIANT={variant}",
                           f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, capture_output=True,
                          text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for name in ("reeve-shim", "reeve-sender"):
        assert not os.path.exists(tmp_path / "usr/bin" / name), "not a program for people"
    reeve = new_reeve(bin_dir=str(tmp_path / "usr/bin")).start(callbacks={"allowed_hosts": ["app.example:443"]})
    reeve.worker.wait_line(r"prog=reeve-sender ev=ready")
    assert reeve.run("true")["state"] == "succeeded"
    assert reeve.cli("ls").returncode == 0
