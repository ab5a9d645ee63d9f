"""`reeve run --callback`, `reeve callbacks`, `reeve redeliver`. No sender runs here."""

import json

import pytest

import harness
from cli_helpers import on_terminal

APP = "https://app.example/done"


@pytest.fixture
def service(new_reeve):
    """Without a worker: what is stopped has ended before it started, and is to be told."""
    one = new_reeve()
    one.write_config(callbacks={"allowed_hosts": ["app.example:443"]})
    one.start_httpapi()
    return one


def rows(done):
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def ended(service, *options):
    done = service.cli("run", "--callback", APP, *options, "--", "true")
    assert done.returncode == 0, done.stderr
    job = done.stdout.strip()
    assert service.cli("stop", job).returncode == 0
    return job


def became(service, state, job):
    service.sql_write("UPDATE callbacks SET state = ?, next_at = NULL, ended_at = created_at, last_status = 500, "
                      "last_error = 'answered 500', tries = 10 WHERE job_id = "
                      "(SELECT job_id FROM v_jobs WHERE id = ?)", state, job)


def states(service):
    return {row[1]: row[3] for row in rows(service.cli("callbacks"))}


def test_run_names_whom_to_tell(service):
    def callback(*options):
        done = service.cli("run", *options, "-o", "json", "--", "true")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["callback"]

    assert callback() is None
    assert callback("--callback", APP) == {"url": APP, "on": ["final"]}
    assert callback("--callback", APP, "--callback-on", "lost", "--callback-on", "started") == {
        "url": APP, "on": ["started", "lost"]}
    preview = dict(rows(service.cli("run", "--callback-on", "failed", "--callback", APP, "--dry-run", "true")))
    assert json.loads(preview["callback"]) == {"url": APP, "on": ["failed"]}
    for command in (("show",), ("db", "show", "--state-dir", service.state_dir)):
        assert json.loads(dict(rows(service.cli(*command, "last")))["callback"])["on"] == ["started", "lost"], command


@pytest.mark.parametrize("options, words", [
    (["--callback", "https://evil.example/"], "evil.example:443 is not in callbacks.allowed_hosts"),
    (["--callback", "http://2130706433/"], "must write an IPv4 address"),
    (["--callback", APP, "--callback-on", "done"], "must be one of"),
    (["--callback-on", "failed"], "--callback-on needs --callback URL"),
])
def test_a_refusal_is_told(service, options, words):
    done = service.cli("run", *options, "--", "true")
    assert (done.returncode, done.stdout) == (2, "") and words in done.stderr
    assert ("#/callback" in done.stderr) == ("--callback" in options), "what was sent is named by its place"


def test_lists_and_one(service):
    first, second = ended(service), ended(service, "--callback-on", "cancelled")
    became(service, "dead", first)
    listed = rows(service.cli("callbacks"))
    assert [row[1] for row in listed] == [second, first]
    assert [row[3] for row in listed] == ["pending", "dead"]
    assert [row[1] for row in rows(service.cli("callbacks", "--state", "dead"))] == [first]
    assert [row[1] for row in rows(service.cli("callbacks", "-n", 1))] == [second]
    assert [row[1] for row in rows(service.cli("callbacks", first[:-1]))] == [first]
    assert [row[1] for row in rows(service.cli("callbacks", "last", "-s", "pending"))] == [second]
    one = dict(rows(service.cli("callbacks", listed[1][0])))
    assert (one["state"], one["tries"], one["status"], one["error"]) == ("dead", "10", "500", "answered 500")
    assert json.loads(one["body"])["data"]["id"] == first
    shown = json.loads(service.cli("callbacks", "-o", "json", listed[1][0]).stdout)
    assert shown == service.request("GET", "/v1/callbacks/" + listed[1][0]).json()
    assert service.cli("callbacks", "-o", "id").stdout.split() == [row[0] for row in listed]
    assert service.cli("callbacks", "msg_" + "0" * 32).returncode == 3
    assert service.cli("callbacks", "--state", "alive").returncode == 2
    assert service.cli("callbacks", "--state", "dead", listed[1][0]).returncode == 2


def test_a_table_on_a_terminal(service):
    job = ended(service)
    became(service, "dead", job)
    code, said = on_terminal(service, "callbacks")
    assert code == 0 and "dead" in said and APP in said and "answered 500" in said


def test_redeliver_one(service):
    job = ended(service)
    became(service, "delivered", job)
    ((name, *_),) = rows(service.cli("callbacks", job))
    ((again, _, _, state, *_),) = rows(service.cli("redeliver", name))
    assert (again, state) == (name, "pending")
    assert states(service) == {job: "pending"}


def test_redeliver_all_that_are_dead(service):
    dead = [ended(service) for _ in range(3)]
    other, taken = ended(service), ended(service)
    for job in dead:
        became(service, "dead", job)
    became(service, "delivered", taken)
    assert sorted(row[1] for row in rows(service.cli("redeliver", "--dead"))) == sorted(dead)
    assert states(service) == {**dict.fromkeys([*dead, other], "pending"), taken: "delivered"}
    none = service.cli("redeliver", "--dead")
    assert (none.returncode, none.stdout) == (0, "") and "none is dead" in none.stderr


def test_one_that_is_not_there_does_not_keep_the_others(service):
    job = ended(service)
    became(service, "dead", job)
    ((name, *_),) = rows(service.cli("callbacks", job))
    missing = "msg_" + "0" * 32
    done = service.cli("redeliver", missing, name)
    assert done.returncode == 3 and missing in done.stderr and name in done.stdout
    assert states(service) == {job: "pending"}
    assert service.cli("redeliver", missing).returncode == 3


@pytest.mark.parametrize("args", [[], ["--dead", "msg_1"]])
def test_redeliver_wants_to_know_which(service, args):
    done = service.cli("redeliver", *args)
    assert done.returncode == 2 and "--dead" in done.stderr


def test_many_pages(service):
    """More than the service gives at once."""
    jobs = [{"command": "true", "callback": {"url": APP}, "hold": True} for _ in range(510)]
    made = service.request("POST", "/v1/batches", {"jobs": jobs}, timeout=harness.LIMIT_S).json()
    body = {"filter": {"batch": made["id"]}}
    assert service.request("POST", "/v1/jobs/cancel", body).json()["cancelled"] == 510
    assert len(rows(service.cli("callbacks", "--all"))) == 510
    assert len(rows(service.cli("callbacks", "-n", 505))) == 505
    assert len(rows(service.cli("callbacks"))) == 50
    service.sql_write("UPDATE callbacks SET state = 'dead', next_at = NULL, ended_at = created_at")
    assert len(rows(service.cli("redeliver", "--dead", timeout=2 * harness.LIMIT_S))) == 510
    assert service.sql("SELECT DISTINCT state FROM callbacks") == [("pending",)]
