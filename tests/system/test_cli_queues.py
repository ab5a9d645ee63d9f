"""`reeve queues`, `queue pause|resume|limit`, `drain`, `undrain`, `explain`, `run --queue`."""

import json
import os
import re
import signal
import subprocess
import termios

import pytest

import harness
from cli_helpers import Terminal, on_terminal
from test_readme import BLOCK, checkout, pattern

QUEUES = {"thumbs": {"max_running": 2}, "nightly": {}}


def rows(done):
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def lane(reeve, name):
    return reeve.request("GET", f"/v1/queues/{name}").json()


def test_what_there_is(reeve):
    reeve.start(queues=QUEUES)
    reeve.cli("queue", "pause", "nightly", "--reason", "no\tnight shift")
    assert [row[0] for row in rows(reeve.cli("queues"))] == ["default", "nightly", "thumbs"]
    ((name, *_, who, why, configured),) = [row for row in rows(reeve.cli("queues")) if row[0] == "nightly"]
    assert (name, who, why, configured) == ("nightly", f"uid:{os.getuid()}", "no\\tnight shift", "true")
    assert json.loads(reeve.cli("queues", "-o", "json", "thumbs").stdout) == lane(reeve, "thumbs")
    assert dict(rows(reeve.cli("queues", "thumbs")))["max_running"] == "2"
    assert reeve.cli("queues", "-o", "id").stdout == "default\nnightly\nthumbs\n"
    wrong = reeve.cli("queues", "thums")
    assert (wrong.returncode, wrong.stdout) == (3, "") and 'did you mean "thumbs"?' in wrong.stderr


def test_a_table_on_a_terminal(reeve):
    reeve.start(queues=QUEUES)
    reeve.cli("queue", "pause", "nightly", "--reason", "\x1b[31mred")
    code, said = on_terminal(reeve, "queues", env={"NO_COLOR": "1"})
    assert code == 0 and "max_running" in said.lower() and "\x1b" not in said and "^[[31mred" in said


def test_pause_resume_limit(reeve):
    reeve.start(queues=QUEUES)
    assert rows(reeve.cli("queue", "pause", "thumbs", "--until", "+1h"))[0][0] == "thumbs"
    assert lane(reeve, "thumbs")["pause"]["until"] is not None
    assert reeve.cli("queue", "pause", "thumbs", "--until", "2096-01-01T00:00:00+01:00").returncode == 0
    assert lane(reeve, "thumbs")["pause"]["until"] == "2095-12-31T23:00:00.000000Z"
    rows(reeve.cli("queue", "resume", "thumbs"))
    assert lane(reeve, "thumbs")["pause"] is None
    for word, expected in [("7", 7), ("none", None), ("0", 0), ("configured", 2)]:
        rows(reeve.cli("queue", "limit", "thumbs", word))
        assert lane(reeve, "thumbs")["max_running"] == expected


@pytest.mark.parametrize("args, code, words", [
    (("queue", "limit", "thumbs", "many"), 2, "is no limit"),
    (("queue", "limit", "thumbs", "-1"), 2, ""),
    (("queue", "limit", "thumbs"), 2, "too few"),
    (("queue", "pause", "thumbs", "--until", "+soon"), 2, "--until"),
    (("queue", "pause", "thumbs", "--until", "yesterday"), 2, "--until wants a time such as"),
    (("queue", "pause", "thumbs", "--until", "2001-01-01T00:00:00Z"), 2, "#/until"),
    (("queue", "pause", "thums"), 3, 'there is no queue "thums"; did you mean "thumbs"?'),
    (("queue", "limit", "nope", "1"), 3, 'there is no queue "nope"; there are default, '),
    (("queue", "pause"), 2, "too few"), (("queue",), 2, "pause, resume, limit"),
    (("queue", "puase", "x"), 2, "did you mean queue pause?"),
    (("queue", "pause", "nothing"), 3, "nothing"), (("queue", "resume", "nothing"), 3, ""),
    (("queue", "limit", "nothing", "1"), 3, ""), (("drain", "now"), 2, "too many"),
    (("explain",), 2, "too few"), (("explain", "00000000"), 3, "no such job"),
    (("run", "--queue", "nothing", "--", "true"), 2, "#/queue")])
def test_what_is_wrong(reeve, args, code, words):
    reeve.start(queues=QUEUES)
    done = reeve.cli(*args)
    assert (done.returncode, done.stdout) == (code, "") and words in done.stderr, done


def test_run_into_a_queue(reeve):
    reeve.start(queues=QUEUES)
    job = reeve.cli("run", "--queue", "thumbs", "--", "true").stdout.strip()
    assert reeve.job(job)["queue"] == "thumbs"


# --- draining ---------------------------------------------------------------------------------


def test_drain_and_undrain(reeve):
    reeve.start(queues=QUEUES)
    assert dict(rows(reeve.cli("drain", "--reason", "new kernel")))["why"] == "new kernel"
    assert "draining" in reeve.cli("queues").stderr and "new kernel" in reeve.cli("queues").stderr
    job = reeve.submit("true")
    assert dict(rows(reeve.cli("undrain")))["draining"] == "false"
    assert reeve.wait(job)["state"] == "succeeded"
    assert "draining" not in reeve.cli("queues").stderr


def test_drain_waits_until_nothing_runs_across_a_restart(reeve):
    reeve.start()
    gate = os.path.join(reeve.work, "gate")
    job = reeve.sh(f"until [ -e {gate} ]; do sleep 0.02; done")
    reeve.wait_running(job)
    drain = reeve.spawn(["reeve", "drain", "--wait"], env={"REEVE_SERVER": "unix:" + reeve.socket_path},
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "1 job is still running" in drain.stderr.readline()
    reeve.kill_httpapi()
    reeve.start_httpapi()
    assert drain.poll() is None
    with open(gate, "w", encoding="ascii"):
        pass
    out, _ = drain.communicate(timeout=harness.LIMIT_S)
    assert drain.returncode == 0 and "running\t0" in out
    assert reeve.job(job)["state"] == "succeeded"


def test_drain_gives_up_waiting_and_goes_on_draining(reeve):
    reeve.start()
    reeve.wait_running(reeve.submit("sleep", 1000))
    done = reeve.cli("drain", "--wait", "--timeout", "0.1")
    assert done.returncode == 124 and "running\t1" in done.stdout
    assert reeve.request("GET", "/v1/drain").json()["draining"] is True


def test_ctrl_c_ends_the_waiting_not_the_draining(reeve):
    reeve.start()
    reeve.wait_running(reeve.submit("sleep", 1000))
    drain = reeve.spawn(["reeve", "drain", "--wait"], env={"REEVE_SERVER": "unix:" + reeve.socket_path},
                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    drain.stderr.readline()
    drain.send_signal(signal.SIGINT)
    _, said = drain.communicate(timeout=harness.LIMIT_S)
    assert drain.returncode == 130 and "reeve undrain" in said
    assert reeve.request("GET", "/v1/drain").json()["draining"] is True


# --- explaining -------------------------------------------------------------------------------


def test_explain_for_programs(reeve):
    reeve.start(queues=QUEUES)
    reeve.cli("queue", "pause", "thumbs", "--reason", "a\tb")
    job = reeve.submit("true", queue="thumbs", run_at="2096-11-21T06:00:00Z")
    found = rows(reeve.cli("explain", job["id"]))
    assert [row[:2] for row in found[1:3]] == [["reason", "run_at"], ["reason", "queue_paused"]]
    assert found[1][3] == "2096-11-21T06:00:00.000000Z" and "^I" in found[2][2]
    assert found[-2:] == [["ahead", "0"], ["earliest_at", "2096-11-21T06:00:00.000000Z"]]
    told = json.loads(reeve.cli("explain", "-o", "json", "last").stdout)
    assert told == reeve.request("GET", f"/v1/jobs/{job['id']}/explain").json()
    assert reeve.cli("explain", "-o", "id", "last").stdout.strip() == job["id"]


def test_explain_for_people(reeve):
    reeve.start(queues=QUEUES, slots=1)
    running = reeve.submit("sleep", 1000)
    reeve.wait_running(running)
    reeve.submit("true")
    job = reeve.submit("true")
    code, said = on_terminal(reeve, "explain", job["id"])
    assert code == 0
    assert said == "It does not run yet: all slots of the worker are taken: 1 of 1.\n1 job is ahead of it.\n"
    reeve.cli("drain", "--reason", "\x1b]0;title\x07")
    _, said = on_terminal(reeve, "explain", job["id"])
    lines = said.splitlines()
    assert lines[0] == "It does not run yet:" and lines[2] == "- all slots of the worker are taken: 1 of 1"
    assert lines[1].startswith("- the service was told to start nothing more by uid:")
    assert lines[1].endswith("^[]0;title^G") and "\x1b" not in said
    assert on_terminal(reeve, "explain", running["id"]) == (0, "It runs.\n")


# --- the page ---------------------------------------------------------------------------------


def test_the_commands_of_the_page(reeve):
    """docs/queues.md as it stands: its configuration, its commands."""
    with open(os.path.join(harness.ROOT, "docs/queues.md"), encoding="utf-8") as file:
        text = file.read()
    reeve.start(**json.loads(re.search(r"^```json\n(.*?)^```", text, re.S | re.M).group(1)))
    folder = checkout(reeve)
    environ = reeve.env(REEVE_SERVER="unix:" + reeve.socket_path)
    environ["PATH"] = reeve.bin + ":" + environ["PATH"]
    blocks = BLOCK.findall(text)
    assert len(blocks) == 8, "docs/queues.md lost its commands"
    for commands, expected in blocks:
        done = subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=environ, capture_output=True,
                              text=True, timeout=harness.LIMIT_S)
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        assert pattern(expected).match(done.stdout.rstrip("\n") + "\n"), (
            f"{commands}\nsaid\n{done.stdout}\nnot\n{expected}\n{done.stderr}")


# --- top --------------------------------------------------------------------------------------


def test_top_once(reeve):
    reeve.start(queues=QUEUES)
    job = reeve.submit("sleep", 1000, queue="thumbs", name="nap")
    reeve.wait_running(job)
    found = rows(reeve.cli("top"))
    assert ["queue", "thumbs", "0", "0", "1", "2", ""] in found
    (shown,) = [row for row in found if row[0] == "job"]
    assert (shown[1], shown[2], shown[6]) == (job["id"], "thumbs", "nap")
    assert reeve.cli("top", "-o", "id").stdout == job["id"] + "\n"
    told = json.loads(reeve.cli("top", "-o", "json").stdout)
    assert told["running"]["items"][0]["id"] == job["id"] and len(told["queues"]["items"]) == 3
    assert reeve.cli("top", "-o", "table").stdout.startswith("1 running, 0 queued, 0 waiting")


@pytest.mark.parametrize("way", ["q", "interrupt", "terminate"])
def test_top_live(reeve, way):
    """It follows what happens, and leaves the terminal as it found it."""
    reeve.start(queues=QUEUES)
    top = Terminal(reeve, "top", stdin=True)
    assert top.read_until("0 running").startswith("\x1b[?1049h")
    assert not termios.tcgetattr(top.master)[3] & termios.ICANON
    job = reeve.submit("sleep", 1000)
    reeve.wait_running(job)
    reeve.cli("drain", "--reason", "new \x1b[31mkernel")
    seen = top.read_until("draining: nothing is started")
    seen += top.read_until("1 running")
    reeve.kill_httpapi()
    seen += top.read_until("cannot reach the service")
    reeve.start_httpapi()
    seen += top.read_until("1 running")
    if way == "q":
        top.type("xq")
    else:
        top.process.send_signal(signal.SIGINT if way == "interrupt" else signal.SIGTERM)
    seen += top.read_until("\x1b[?7h\x1b[?25h\x1b[?1049l")
    assert top.process.wait(harness.LIMIT_S) == (-signal.SIGTERM if way == "terminate" else 0)
    assert termios.tcgetattr(top.master)[3] & termios.ICANON
    assert "\x1b[31mkernel" not in seen and "new ^[[31mkernel" in seen
    os.close(top.master)
