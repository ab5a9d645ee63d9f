"""`reeve db`: the database file itself, with the daemons running, stopped, and after tampering."""

import os
import re
import sqlite3
import subprocess

import pytest

import harness


@pytest.fixture
def db(reeve):
    """A service that ran some jobs and is stopped; db(...) runs `reeve db ...` on its file."""
    reeve.start()
    reeve.small = reeve.run("sh", "-c", "echo out; echo err >&2; exit 3", name="small")["id"]
    reeve.large = reeve.run("seq", "50000")["id"]  # over the fold limit: in a file
    reeve.good = reeve.run("true")["id"]
    reeve.stop()

    def go(*args, **how):
        return reeve.cli("db", *args[:1], "--db", reeve.db, *args[1:], **how)
    go.reeve = reeve
    return go


def test_ls_and_show_with_everything_stopped(db):
    reeve = db.reeve
    assert db("ls", "-o", "id").stdout.split() == [reeve.good, reeve.large, reeve.small]
    assert db("ls", "-o", "id", "state:failed").stdout.split() == [reeve.small]
    assert db("ls", "-o", "id", "limit:1").stdout.split() == [reeve.good]
    shown = dict(line.split("\t", 1) for line in db("show", reeve.small).stdout.splitlines())
    assert (shown["state"], shown["exit_code"], shown["stdout"], shown["stderr"]) == ("failed", "3", "4", "4")
    assert db("show", "-o", "id", "last").stdout == reeve.good + "\n"
    assert db("show", "00000000").returncode == 3
    shared = os.path.commonprefix([reeve.small, reeve.large, reeve.good])
    assert db("show", shared[:8]).returncode == 5


def test_it_says_the_same_as_the_service(reeve):
    reeve.start()
    reeve.run("sh", "-c", "exit 4", name="n", labels={"a": "b"})
    reeve.run("true")
    assert reeve.cli("db", "ls", "--db", reeve.db).stdout == reeve.cli("ls").stdout


def test_logs_of_small_and_large_outputs(db):
    reeve = db.reeve
    assert sorted(db("logs", reeve.small).stdout.split()) == ["err", "out"]
    assert db("logs", "--stdout", reeve.small).stdout == "out\n"
    assert db("logs", "--stderr", reeve.small).stdout == "err\n"
    assert db("logs", reeve.large).stdout == "".join(f"{i}\n" for i in range(1, 50001))
    assert db("logs", reeve.good).stdout == ""


def test_the_file_is_found_in_three_ways(db):
    reeve = db.reeve
    assert reeve.cli("db", "ls", "--state-dir", reeve.state_dir, "-o", "id", "limit:1").stdout == reeve.good + "\n"
    assert reeve.cli("--config", reeve.config_path, "db", "ls", "-o", "id", "limit:1").stdout == reeve.good + "\n"
    nowhere = reeve.cli("db", "ls", "--db", os.path.join(reeve.work, "none.db"))
    assert nowhere.returncode == 3
    assert not os.path.exists(os.path.join(reeve.work, "none.db"))


def test_reading_changes_nothing(db):
    with open(db.reeve.db, "rb") as file:
        before = file.read()
    for words in (["ls"], ["show", "last"], ["check"], ["verify"]):
        assert db(*words).returncode == 0
    with open(db.reeve.db, "rb") as file:
        assert file.read() == before


def test_check_and_verify_of_what_is_sound(db):
    assert db("check").stdout == "sound\n"
    done = db("verify")
    assert done.returncode == 0
    assert re.fullmatch(r"9 events and 2 outputs fit\n", done.stdout)


def test_verify_finds_a_changed_event(db):
    reeve = db.reeve
    number = reeve.sql("SELECT id FROM events WHERE kind = 'ended' ORDER BY id LIMIT 1")[0][0]
    reeve.sql_write("DROP TRIGGER events_no_update")
    reeve.sql_write("UPDATE events SET data = replace(data, '3', '0') WHERE id = ?", number)
    done = db("verify")
    assert done.returncode == 1
    assert re.search(rf"\bevent {number}\b", done.stderr)


def test_verify_finds_a_removed_event(db):
    reeve = db.reeve
    reeve.sql_write("DROP TRIGGER events_no_delete")
    reeve.sql_write("DELETE FROM events WHERE id = 4")
    done = db("verify")
    assert done.returncode == 1
    assert re.search(r"\bevent 5\b", done.stderr)


def test_verify_finds_changed_outputs(db):
    reeve = db.reeve
    path = reeve.sql("SELECT path FROM output WHERE stored = 'file'")[0][0]
    with open(os.path.join(reeve.state_dir, path), "r+b") as file:
        file.write(b"9")
    done = db("verify")
    assert done.returncode == 1
    assert reeve.large in done.stderr


def test_check_finds_a_state_that_no_event_explains(db):
    reeve = db.reeve
    reeve.sql_write("DROP TRIGGER jobs_move")
    reeve.sql_write("UPDATE jobs SET state = 'succeeded' WHERE state = 'failed'")
    done = db("check")
    assert done.returncode == 1
    assert reeve.small in done.stdout


def test_a_finished_job_cannot_be_revived_by_hand(db):
    with pytest.raises(sqlite3.IntegrityError):
        db.reeve.sql_write("UPDATE jobs SET state = 'running' WHERE state = 'failed'")


def test_backup_of_a_live_database_opens_with_sqlite3(reeve):
    reeve.start()
    job = reeve.run("echo", "kept")["id"]
    copy = os.path.join(reeve.work, "copy.db")
    done = reeve.cli("db", "backup", "--db", reeve.db, copy)
    assert done.returncode == 0, done.stderr
    shell = subprocess.run(["sqlite3", copy, "PRAGMA integrity_check; SELECT id, state FROM v_jobs"],
                           capture_output=True, text=True, timeout=harness.LIMIT_S)
    assert shell.stdout == f"ok\n{job}|succeeded\n", shell.stderr
    assert reeve.cli("db", "ls", "--db", copy, "-o", "id").stdout == job + "\n"
    assert reeve.cli("db", "logs", "--db", copy, job).stdout == "kept\n"
    assert reeve.cli("db", "verify", "--db", copy).returncode == 0


def test_backup_never_overwrites(db):
    path = os.path.join(db.reeve.work, "there")
    with open(path, "w", encoding="ascii") as file:
        file.write("precious")
    done = db("backup", path)
    assert done.returncode == 5, done
    with open(path, encoding="ascii") as file:
        assert file.read() == "precious"


def test_a_file_of_another_program_is_refused(reeve):
    path = os.path.join(reeve.work, "other.db")
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE t (a)")
    done = reeve.cli("db", "ls", "--db", path)
    assert done.returncode == 5
    assert "another program" in done.stderr


def test_schema_needs_no_database_and_is_the_committed_one(reeve):
    printed = reeve.cli("db", "schema").stdout
    assert "CREATE TABLE jobs" in printed and "CREATE VIEW v_jobs" in printed
    snapshot = os.path.join(harness.ROOT, "schema.sql")
    if os.path.exists(snapshot):
        with open(snapshot, encoding="utf-8") as file:
            assert file.read() == printed, "schema.sql is stale: make schema"
