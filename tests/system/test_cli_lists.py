"""`reeve ls`, `reeve db ls` and `reeve stop` with filters."""

import json

import pytest

from cli_helpers import Terminal
from test_lists import index_labels, insert_queued, intake_alone, state_counts


@pytest.fixture
def one(new_reeve):
    return intake_alone(new_reeve)


def names(done):
    assert done.returncode == 0, done
    return [json.loads(line)["name"] for line in done.stdout.splitlines()]


def make_jobs(one):
    """Five queued, one that waits, one that is cancelled; oldest first: a ... g."""
    for name in "abcde":
        one.submit("echo", f"{name}.MP4", name=name, labels={"app": "x, y" if name < "c" else "z"})
    one.submit("true", name="f", hold=True)
    one.cancel(one.submit("true", name="g"))
    index_labels(one)


FILTERS = [
    (["state:queued"], "edcba"),
    (["state:waiting,cancelled"], "gf"),
    (["state:waiting", "state:cancelled"], "gf"),
    (["state:queued", "q:b.mp4"], "b"),
    (["label:app=x, y"], "ba"),
    (["label:app=x, y", "label:app=z", "q:E"], "edcba"),  # all of them echo
    (["queue:default,mail"], "gfedcba"),
    (["queue:mail"], ""),
    (["task:thumb"], ""),
    (["owner:token:local"], ""),
    (["batch:0190b5a0-0000-7000-8000-0000000000aa"], ""),
    (["after:1h"], "gfedcba"),
    (["before:1h"], ""),
    (["before:2000-01-01"], ""),
    (["after:2000-01-01T00:00:00+02:00", "limit:2"], "gf"),
    (["-n", "3"], "gfe"),
    (["sort:submitted", "limit:1"], "g"),
    (["sort:+submitted", "limit:2"], "ab"),
    (["sort:finished"], "g"),
    (["sort:+finished"], "g"),
    (["finished-after:1h"], "g"),
    (["finished-before:1h"], ""),
    (["--all"], "gfedcba"),
]


def test_filters_work_over_http_and_on_the_file(one):
    make_jobs(one)
    for words, wanted in FILTERS:
        assert names(one.cli("ls", "-o", "jsonl", *words)) == list(wanted), words
        assert names(one.cli("db", "ls", "--db", one.db, "-o", "jsonl", *words)) == list(wanted), words
        if "limit" not in str(words) and "-n" not in words and "--all" not in words:
            for verb in (["ls"], ["db", "ls", "--db", one.db]):
                assert one.cli(*verb, "--count", *words).stdout == f"{len(wanted)}\n", words


def test_owner_finds_ones_own(one):
    make_jobs(one)
    me = one.cli("whoami", "-o", "json").stdout
    owner = json.loads(me)["principal"]
    assert len(names(one.cli("ls", "-o", "jsonl", f"owner:{owner}"))) == 7


def test_a_day_begins_here(one):
    """A date is local: the job of 23:30 UTC was tomorrow's in Tokyo already."""
    one.sql_write("INSERT INTO jobs (uuid, owner, state, command, submitted_at, name)"
                  " VALUES (randomblob(16), 'uid:1', 'queued', '[\"/bin/true\"]', ?, 'late')",
                  1_700_004_600 * 10**6)  # 2023-11-14T23:30:00Z
    assert names(one.cli("ls", "-o", "jsonl", "after:2023-11-15", env={"TZ": "Asia/Tokyo"})) == ["late"]
    assert names(one.cli("ls", "-o", "jsonl", "after:2023-11-15", env={"TZ": "UTC"})) == []
    assert names(one.cli("ls", "-o", "jsonl", "before:2023-11-15", env={"TZ": "UTC"})) == ["late"]


def test_all_pages_on_and_a_large_count_is_capped(one):
    insert_queued(one, 10050, "uid:77")
    listed = one.cli("ls", "--all", "-o", "id", "owner:uid:77").stdout.split()
    assert len(listed) == len(set(listed)) == 10050
    assert len(one.cli("ls", "-o", "id", "owner:uid:77").stdout.split()) == 50
    assert one.cli("ls", "--count", "owner:uid:77").stdout == "10000+\n"
    assert one.cli("db", "ls", "--db", one.db, "--count").stdout == "10000+\n"
    # few that fit among many: pages that come empty are gone through
    assert names(one.cli("ls", "-o", "jsonl", "owner:uid:77", "q:job 17")) == [
        *[f"job {i}" for i in range(1799, 1749, -1)]]
    assert one.cli("ls", "-o", "id", "owner:uid:77", "q:nowhere").stdout == ""


@pytest.mark.parametrize("words, said", [
    (["stat:failed"], "did you mean state:"),
    (["finished-befor:2h"], "did you mean finished-before:"),
    (["failed"], "no filter \"failed\"; the filters are state:"),
    (["state:failed,lots"], "did you mean lost?"),
    (["state:"], "state: wants a value"),
    (["queue:a,,b"], "queue: wants a value"),
    (["q:"], "q: wants a value"),
    (["label:app"], "NAME=VALUE"),
    (["after:soon"], "after: wants how long ago"),
    (["after:2026-13-01"], "after: wants how long ago"),
    (["after:1h", "after:2h"], "after: stands there twice"),
    (["sort:name"], "sort: wants submitted or finished"),
    (["limit:x"], "limit: wants a whole number"),
    (["q:mp4"], "q needs another filter"),
    (["sort:finished", "state:failed"], "needs finished_after"),
    (["batch:0190"], "whole id of a batch"),
])
def test_wrong_filters_say_what_was_meant(one, words, said):
    for verb in (["ls"], ["db", "ls", "--db", one.db]):
        done = one.cli(*verb, *words)
        assert done.returncode == 2, done
        assert said in done.stderr, done.stderr
        assert done.stdout == ""


# --- stop -----------------------------------------------------------------------------------


def test_stop_needs_yes_and_then_stops_what_fits(one):
    make_jobs(one)
    before = state_counts(one)
    refused = one.cli("stop", "state:queued", "label:app=z")
    assert refused.returncode == 2
    assert "needs --yes" in refused.stderr
    dry = one.cli("stop", "--dry-run", "-o", "json", "state:queued", "label:app=z")
    assert (dry.returncode, json.loads(dry.stdout)) == (
        0, {"dry_run": True, "matched": 3, "matched_capped": False})
    assert state_counts(one) == before
    done = one.cli("stop", "--yes", "--reason", "wrong files", "-o", "json", "state:queued,waiting", "label:app=z")
    assert (done.returncode, json.loads(done.stdout)) == (
        0, {"matched": 3, "cancelled": 3, "stopping": 0, "already_final": 0})
    assert names(one.cli("ls", "-o", "jsonl", "state:cancelled")) == list("gedc")
    assert one.sql("SELECT count(*) FROM events WHERE data LIKE '%wrong files%'") == [(3,)]
    # for scripts: a line each
    plain = one.cli("stop", "-y", "after:1h")
    assert dict(line.split("\t") for line in plain.stdout.splitlines())["cancelled"] == "3"


@pytest.mark.parametrize("words, said", [
    (["state:queued", "0190b5a0"], "is no filter"),
    (["state:queued", "limit:3"], "limit: and sort: mean nothing here"),
    (["state:queued", "sort:submitted"], "limit: and sort: mean nothing here"),
    (["state:failed"], "only waiting, queued and running jobs can be cancelled"),
    (["q:mp4"], "needs at least one of state"),
    (["finished-after:2h", "state:queued"], "cannot be cancelled any more"),
    (["stat:queued"], "did you mean state:"),
])
def test_what_stop_refuses_changes_nothing(one, words, said):
    make_jobs(one)
    before = state_counts(one)
    done = one.cli("stop", "--yes", *words)
    assert done.returncode == 2, done
    assert said in done.stderr, done.stderr
    assert state_counts(one) == before


def test_on_a_terminal_stop_asks_with_the_number(one):
    make_jobs(one)
    terminal = Terminal(one, "stop", "state:queued", stdin=True)
    terminal.read_until("Stop 5 jobs? [y/N] ")
    terminal.type("n\n")
    code, said = terminal.finish()
    assert code == 1
    assert "nothing was stopped" in said
    assert state_counts(one)["queued"] == 5
    terminal = Terminal(one, "stop", "state:queued", stdin=True)
    terminal.read_until("Stop 5 jobs? [y/N] ")
    terminal.type("y\n")
    code, said = terminal.finish()
    assert code == 0, said
    assert state_counts(one)["cancelled"] == 6
    code, said = Terminal(one, "stop", "state:queued", stdin=True).finish()
    assert code == 0
    assert "no job that lives fits" in said
