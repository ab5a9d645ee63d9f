"""What a person sees: tables, colour, relative times, and nothing that acts on the terminal."""

import json
import os

import harness
from cli_helpers import Terminal, on_terminal

HOSTILE = b"a\x1b]0;title\x07b\x9bc\xc2\x9bd\x7fe\xe2\x80\xaef\xff\rg\xc3\xa9\n"
HARMLESS = "a^[]0;title^Gb\\x9bc<U+009B>d^?e<U+202E>f\\xff^Mgé\n"


def test_a_table_is_aligned_cut_and_relative(reeve):
    reeve.start()
    job = reeve.run("echo", "x" * 300, name="n")["id"]
    code, text = on_terminal(reeve, "ls", columns=100, env={"NO_COLOR": "1"})
    assert code == 0
    titles, line = text.splitlines()
    assert titles.split()[0] == "id" and titles.split()[-1] == "command"
    assert line.startswith(job[:18] + "  succeeded")  # shortened, aligned
    assert titles.index("state") == line.index("succeeded")
    assert len(line) == 100 and line.endswith("…")
    assert "now" in line or "s ago" in line
    assert "\033" not in text


def test_wide_is_not_cut(reeve):
    reeve.start()
    job = reeve.run("echo", "x" * 300)["id"]
    _, text = on_terminal(reeve, "ls", "-o", "wide", columns=80, env={"NO_COLOR": "1"})
    assert job in text and "x" * 300 in text


def test_colour_follows_the_state_and_the_wishes(reeve):
    reeve.start()
    reeve.run("false")
    assert "\033[31mfailed" in on_terminal(reeve, "ls")[1]
    assert "\033" not in on_terminal(reeve, "ls", env={"NO_COLOR": "1"})[1]
    assert "\033" not in on_terminal(reeve, "--color", "never", "ls")[1]
    assert "\033" not in on_terminal(reeve, "ls", env={"TERM": "dumb"})[1]
    assert "\033[31m" in reeve.cli("--color", "always", "-o", "table", "ls").stdout


def test_an_empty_list_is_empty(reeve):
    reeve.start()
    assert on_terminal(reeve, "ls") == (0, "")


def test_more_than_is_shown_is_said(reeve):
    reeve.start_httpapi()
    for _ in range(3):
        reeve.submit("true")
    assert "there are more" in on_terminal(reeve, "ls", "limit:2")[1]
    assert "there are more" not in on_terminal(reeve, "ls", "limit:3")[1]


def test_show_is_readable(reeve):
    reeve.start()
    reeve.run("sh", "-c", "exit 3")
    _, text = on_terminal(reeve, "show", "last", env={"NO_COLOR": "1"})
    lines = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert lines["state"] == "failed"
    assert lines["exit_code"] == "3"
    assert "(" in lines["submitted"]  # absolute, and how long ago


def test_output_of_a_job_does_not_act_on_the_terminal(reeve):
    reeve.start()
    job = reeve.run("cat", stdin=HOSTILE)["id"]
    assert on_terminal(reeve, "logs", job) == (0, HARMLESS)
    assert on_terminal(reeve, "logs", "-n", "1", job) == (0, HARMLESS)
    assert on_terminal(reeve, "logs", "-f", job) == (0, HARMLESS)
    assert HARMLESS in on_terminal(reeve, "run", "--follow", "--", "printf",
                                   "".join(f"\\{byte:03o}" for byte in HOSTILE))[1]
    assert on_terminal(reeve, "db", "logs", "--db", reeve.db, job) == (0, HARMLESS)
    with_raw = Terminal(reeve, "logs", "--raw", job)
    raw = b""
    while piece := with_raw._read():
        raw += piece
    assert raw == HOSTILE


def test_characters_cut_between_two_pieces_stay_whole(reeve):
    """A long line of three-byte characters cannot fall on the borders of buffers only."""
    reeve.start()
    text = "x" + "€" * 100000 + "\n"
    job = reeve.run("cat", stdin=text.encode())["id"]
    assert on_terminal(reeve, "logs", job) == (0, text)


def test_arguments_of_a_job_do_not_act_on_the_terminal(reeve):
    reeve.start()
    reeve.run("echo", "\x1b[2J\x9b1m\u202e\r\n")
    for words in (["ls"], ["ls", "-o", "wide"], ["show", "last"], ["wait", "last"]):
        _, text = on_terminal(reeve, *words, env={"NO_COLOR": "1"})
        assert "^[[2J<U+009B>1m<U+202E>^M^J" in text, words
        assert "\x1b" not in text and "\x9b" not in text and "\u202e" not in text and "\r" not in text
    _, text = on_terminal(reeve, "-o", "json", "show", "last")
    assert "\x1b" not in text and "\x9b" not in text and "\u202e" not in text
    assert json.loads(text)["command"][1] == "\x1b[2J\x9b1m\u202e\r\n"
    assert "\x9b" in reeve.cli("-o", "json", "show", "last").stdout  # a pipe gets it as it is
    assert "\u202e" not in on_terminal(reeve, "api", "GET", "/v1/jobs")[1]


def test_messages_do_not_act_on_the_terminal(reeve):
    reeve.start()
    code, text = on_terminal(reeve, "api", "GET", "/v1/jobs?state=%1b")
    assert code == 2
    _, text = on_terminal(reeve, "ls", "state:\x1b[2J")
    assert "\x1b" not in text and "^[[2J" in text


def test_several_stops_are_asked_about(reeve):
    reeve.start_httpapi()
    jobs = [reeve.submit("true")["id"] for _ in range(2)]
    for answer, state in (("n", "queued"), ("", "queued"), ("y", "cancelled")):
        terminal = Terminal(reeve, "stop", *jobs, stdin=True)
        assert "Stop 2 jobs?" in terminal.read_until("[y/N]")
        terminal.type(answer + "\n")
        code, _ = terminal.finish()
        assert code == (0 if answer == "y" else 1)
        assert {reeve.job(job)["state"] for job in jobs} == {state}


def test_ctrl_c_typed_on_the_terminal_detaches(reeve):
    reeve.start()
    terminal = Terminal(reeve, "run", "--follow", "--", "sh", "-c", "echo up; sleep 1000")
    seen = terminal.read_until("up\n")
    job = seen.split("reeve: job ")[1].split()[0]
    terminal.process.send_signal(harness.signal.SIGINT)
    code, text = terminal.finish()
    assert code == 130
    assert f"reeve logs -f {job}" in text
    assert reeve.job(job)["state"] == "running"
    reeve.cancel(job, force=True)
    reeve.wait(job)
    assert not os.path.exists(f"/proc/{terminal.process.pid}/exe")
