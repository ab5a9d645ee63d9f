"""Jobs over HTTP: what is accepted, what is refused and how, lists, idempotency, health."""

import base64
import os
import socket
import sqlite3
import subprocess
import stat
import threading

import pytest

import harness


@pytest.fixture(scope="module")
def server():
    """The intake alone: what is submitted stays queued."""
    one = harness.Reeve()
    one.write_config()
    one.start_httpapi()
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def pointers(answer):
    return {fault.get("pointer") or "?" + fault["parameter"] for fault in answer.json()["errors"]}


# --- submitting -----------------------------------------------------------------------------


def test_a_submission_is_stored_and_described(server):
    body = {"command": "echo", "args": ["a b", "ä", ""], "name": "n", "priority": 7,
            "labels": {"app": "x"}, "timeout_s": 1.5, "kill_grace_s": 0,
            "working_directory": "/tmp", "environment": {"LANG": "C.UTF-8"},
            "stdin": {"content": "hello"}, "queue": "default",
            "limits": {"output_bytes": 1000, "output_policy": "stop"}}
    answer = server.request("POST", "/v1/jobs", body)
    assert answer.status == 201
    job = answer.json()
    assert answer.headers["Location"] == "/v1/jobs/" + job["id"]
    assert answer.headers["ETag"] == '"1"'
    assert job["command"] == ["/usr/bin/echo", "a b", "ä", ""]
    assert job["state"] == "queued" and job["owner"] == f"uid:{os.getuid()}"
    assert (job["timeout_s"], job["kill_grace_s"], job["priority"]) == (1.5, 0, 7)
    assert job["labels"] == {"app": "x"} and job["working_directory"] == "/tmp"
    assert job["limits"] == {"output_bytes": 1000, "output_policy": "stop"}
    rows = server.sql("SELECT timeout_us, kill_grace_us, environment, output_policy, content "
                      "FROM jobs JOIN job_stdin ON job_id = id WHERE name = 'n'")
    assert rows == [(1500000, 0, '{"LANG":"C.UTF-8"}', "stop", b"hello")]


@pytest.mark.parametrize("body", [
    {"command": "true"},
    {"command": "/usr/bin/true", "args": ["\"\\\n\t\u0001é\U0001f600"], "name": "ü", "labels": {}},
    {"command": "true", "timeout_s": 0.25, "kill_grace_s": 0.5, "labels": {"a": "\"b"}},
    {"command": "true", "limits": {"output_bytes": 1}, "working_directory": "/usr", "priority": -100},
    {"command": "true", "name": None, "args": None, "timeout_s": None},
])
def test_the_answer_is_what_get_says(server, body):
    """The answer is rendered without reading the row; it must not differ from the row."""
    made = server.request("POST", "/v1/jobs", body)
    assert made.status == 201, made
    got = server.request("GET", made.headers["Location"])
    assert got.body == made.body
    assert got.headers["ETag"] == made.headers["ETag"]


def test_three_mistakes_are_named_at_once(server):
    answer = server.request("POST", "/v1/jobs",
                            {"command": "/etc/passwd", "args": ["ok", 3], "priority": 101})
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert pointers(answer) == {"#/command", "#/args/1", "#/priority"}
    assert answer.json()["code"] == "invalid_argument"


# One mistake each, and its pointer. The rest of the body is right.
MISTAKES = [
    ({"command": None}, "#/command"),
    ({"command": ""}, "#/command"),
    ({"command": 7}, "#/command"),
    ({"command": ["true"]}, "#/command"),
    ({"command": "no-such-program"}, "#/command"),
    ({"command": "/bin/../bin/true"}, "#/command"),
    ({"command": "../bin/true"}, "#/command"),
    ({"command": "/etc/hostname"}, "#/command"),
    ({"command": "/usr/bin"}, "#/command"),
    ({"command": "/usr/binx/true"}, "#/command"),
    ({"command": "true; id"}, "#/command"),
    ({"args": "a b"}, "#/args"),
    ({"args": {"0": "a"}}, "#/args"),
    ({"args": [["a"]]}, "#/args/0"),
    ({"args": ["a", None]}, "#/args/1"),
    ({"args": ["a"] * 1025}, "#/args"),
    ({"args": ["a" * 140000]}, "#/args"),
    ({"name": ""}, "#/name"),
    ({"name": "a\nb"}, "#/name"),
    ({"name": "\u001b[31m"}, "#/name"),
    ({"name": "x" * 300}, "#/name"),
    ({"name": 1}, "#/name"),
    ({"queue": "other"}, "#/queue"),
    ({"priority": 1.5}, "#/priority"),
    ({"priority": "1"}, "#/priority"),
    ({"priority": -101}, "#/priority"),
    ({"priority": True}, "#/priority"),
    ({"labels": []}, "#/labels"),
    ({"labels": {"a": 1}}, "#/labels/a"),
    ({"labels": {"": "x"}}, "#/labels/"),
    ({"labels": {"a b": "x"}}, "#/labels/a%20b"),
    ({"labels": {"a": "b\n"}}, "#/labels/a"),
    ({"labels": {"a": "b" * 300}}, "#/labels/a"),
    ({"labels": {f"k{i}": "" for i in range(65)}}, "#/labels"),
    ({"stdin": "text"}, "#/stdin"),
    ({"stdin": {}}, "#/stdin/content"),
    ({"stdin": {"content": 1}}, "#/stdin/content"),
    ({"stdin": {"content": "%%%", "encoding": "base64"}}, "#/stdin/content"),
    ({"stdin": {"content": "aGVsbG8", "encoding": "base64"}}, "#/stdin/content"),
    ({"stdin": {"content": "aGVs\nbG8=", "encoding": "base64"}}, "#/stdin/content"),
    ({"stdin": {"content": "x", "encoding": "hex"}}, "#/stdin/encoding"),
    ({"stdin": {"content": "x", "from_job": "y"}}, "#/stdin/from_job"),
    ({"stdin": {"content": "x", "file": "y"}}, "#/stdin/file"),
    ({"environment": ["A=b"]}, "#/environment"),
    ({"environment": {"A": 1}}, "#/environment/A"),
    ({"environment": {"A=B": "x"}}, "#/environment/A=B"),
    ({"environment": {"1A": "x"}}, "#/environment/1A"),
    ({"environment": {"": "x"}}, "#/environment/"),
    ({"environment": {"LD_PRELOAD": "x"}}, "#/environment/LD_PRELOAD"),
    ({"environment": {"LD_LIBRARY_PATH": "x"}}, "#/environment/LD_LIBRARY_PATH"),
    ({"environment": {"GLIBC_TUNABLES": "x"}}, "#/environment/GLIBC_TUNABLES"),
    ({"environment": {"BASH_ENV": "x"}}, "#/environment/BASH_ENV"),
    ({"environment": {"ENV": "x"}}, "#/environment/ENV"),
    ({"environment": {"IFS": "x"}}, "#/environment/IFS"),
    ({"environment": {"PATH": "/tmp"}}, "#/environment/PATH"),
    ({"environment": {"PYTHONPATH": "/tmp"}}, "#/environment/PYTHONPATH"),
    ({"environment": {"PERL5LIB": "/tmp"}}, "#/environment/PERL5LIB"),
    ({"environment": {"NODE_OPTIONS": "x"}}, "#/environment/NODE_OPTIONS"),
    ({"environment": {"GIT_SSH_COMMAND": "x"}}, "#/environment/GIT_SSH_COMMAND"),
    ({"environment": {"REEVE_JOB_ID": "x"}}, "#/environment/REEVE_JOB_ID"),
    ({"environment": {"A": "x" * 70000}}, "#/environment"),
    ({"working_directory": "tmp"}, "#/working_directory"),
    ({"working_directory": "/no/such/place"}, "#/working_directory"),
    ({"working_directory": "/etc/hostname"}, "#/working_directory"),
    ({"timeout_s": 0}, "#/timeout_s"),
    ({"timeout_s": -1}, "#/timeout_s"),
    ({"timeout_s": "5"}, "#/timeout_s"),
    ({"timeout_s": 1e12}, "#/timeout_s"),
    ({"kill_grace_s": -1}, "#/kill_grace_s"),
    ({"kill_grace_s": 3601}, "#/kill_grace_s"),
    ({"limits": 5}, "#/limits"),
    ({"limits": {"output_bytes": 0}}, "#/limits/output_bytes"),
    ({"limits": {"output_bytes": 1 << 50}}, "#/limits/output_bytes"),
    ({"limits": {"output_policy": "drop"}}, "#/limits/output_policy"),
    ({"limits": {"memory_bytes": 1}}, "#/limits/memory_bytes"),
    ({"limits": {"outputbytes": 1}}, "#/limits/outputbytes"),
    ({"Command": "true"}, "#/Command"),
    ({"shell": True}, "#/shell"),
    ({"user": "root"}, "#/user"),
    ({"a/b~c": 1}, "#/a~1b~0c"),
    ({"task": "t"}, "#/task"),
    ({"parameters": {}}, "#/parameters"),
    ({"depends_on": []}, "#/depends_on"),
    ({"run_at": "2030-01-01T00:00:00Z"}, "#/run_at"),
    ({"retry": {}}, "#/retry"),
    ({"unique": {}}, "#/unique"),
    ({"callback": {}}, "#/callback"),
    ({"hold": True}, "#/hold"),
    ({"expires_at": "2030-01-01T00:00:00Z"}, "#/expires_at"),
    ({"deadline_s": 5}, "#/deadline_s"),
]


@pytest.mark.parametrize("change, pointer", MISTAKES,
                         ids=[f"{p[2:]}-{i}" for i, (_, p) in enumerate(MISTAKES)])
def test_a_mistake_is_named(server, change, pointer):
    before = server.sql("SELECT count(*) FROM jobs")
    answer = server.request("POST", "/v1/jobs", {"command": "true", **change})
    assert answer.status == 422, answer
    assert pointers(answer) == {pointer}, answer
    assert server.sql("SELECT count(*) FROM jobs") == before


def test_an_unknown_key_gets_the_nearest_known_one(server):
    answer = server.request("POST", "/v1/jobs", {"command": "true", "timout_s": 5})
    assert "timeout_s" in answer.json()["errors"][0]["detail"]


def test_a_key_of_a_later_version_says_so(server):
    answer = server.request("POST", "/v1/jobs", {"command": "true", "depends_on": []})
    assert "not supported by this version" in answer.json()["errors"][0]["detail"]


def test_what_the_configuration_allows_by_name_may_be_set(new_reeve):
    one = new_reeve()
    one.write_config(allow_environment=["LANG", "PYTHONPATH"])
    one.start_httpapi()
    one.submit("true", environment={"LANG": "C", "PYTHONPATH": "/opt"})
    answer = one.request("POST", "/v1/jobs", {"command": "true", "environment": {"HOME": "/"}})
    assert pointers(answer) == {"#/environment/HOME"}


# Bodies that are no JSON, or JSON that two readers may read differently.
JSON_VERDICTS = [
    (b'{"command":"true"}', 200),
    (b' \n{"command" : "true"}\r\n\t', 200),
    (b'{"command":"tr\\u0075e"}', 200),
    (b'{"command":"true","name":"\\ud83d\\ude00"}', 200),
    (b'{"command":"true","priority":1e1}', 200),
    (b'{"command":"true","priority":-0}', 200),
    (b"", 400), (b" ", 400), (b"{", 400), (b"}", 400), (b"nul", 400), (b"{}{}", 400),
    (b'{"command":"true"', 400), (b'{"command":"true",}', 400), (b'{"command" "true"}', 400),
    (b'{"command":"true"}x', 400), (b"{'command':'true'}", 400), (b"{command:\"true\"}", 400),
    (b'{"command":"true","command":"id"}', 400),
    (b'{"command":"true","comm\\u0061nd":"id"}', 400),
    (b'{"command":"tr\\u0000ue"}', 400), (b'{"command":"tr\x00ue"}', 400),
    (b'{"command":"tr\nue"}', 400), (b'{"command":"\\x"}', 400), (b'{"command":"\\u12"}', 400),
    (b'{"command":"\\ud83d"}', 400), (b'{"command":"\\ude00\\ud83d"}', 400),
    (b'{"command":"\xff"}', 400), (b'{"command":"\xc0\xaf"}', 400),
    (b'{"command":"\xed\xa0\x80"}', 400),
    (b'{"command":"true","priority":01}', 400), (b'{"command":"true","priority":+1}', 400),
    (b'{"command":"true","priority":.5}', 400), (b'{"command":"true","priority":1.}', 400),
    (b'{"command":"true","priority":1e999}', 400), (b'{"command":"true","priority":NaN}', 400),
    (b'{"command":"true","priority":Infinity}', 400), (b'{"command":"true","priority":0x1}', 400),
    (b'{"command":"true","priority":9007199254740993}', 400),
    (b"[" * 17 + b"]" * 17, 400), (b"[" * 100000, 400),
    (b'{"command":"true"} // no', 400), (b'{"command":"true"/* no */}', 400),
    (b'\xef\xbb\xbf{"command":"true"}', 400),
    ("{\"command\":\"true\"}".encode("utf-16"), 400),
    (b"null", 422), (b"true", 422), (b"7", 422), (b'"true"', 422), (b"[]", 422), (b"{}", 422),
]


@pytest.mark.parametrize("body, status", JSON_VERDICTS, ids=range(len(JSON_VERDICTS)))
def test_json_verdict(server, body, status):
    answer = server.request("POST", "/v1/jobs?dry_run=1", body)
    assert answer.status == status, answer
    if status == 400:
        assert "line 1, column" in answer.json()["detail"] or "line 2" in answer.json()["detail"]


def test_dry_run_says_what_would_happen_and_stores_nothing(server):
    before = server.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM events)")
    answer = server.request("POST", "/v1/jobs?dry_run=1", {"command": "echo", "args": ["x"]},
                            headers={"Idempotency-Key": "dry"})
    assert answer.status == 200
    assert answer.json()["dry_run"] is True
    assert answer.json()["job"]["command"] == ["/usr/bin/echo", "x"]
    assert answer.json()["job"]["id"] is None
    assert server.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM events)") == before
    assert server.sql("SELECT count(*) FROM idempotency WHERE key = 'dry'") == [(0,)]


def test_a_large_stdin_in_base64(server):
    data = os.urandom(3 << 20)
    job = server.submit("cat", stdin=data)
    assert server.sql("SELECT content FROM job_stdin j JOIN jobs ON jobs.id = j.job_id "
                      "WHERE lower(hex(uuid)) = ?", job["id"].replace("-", "")) == [(data,)]


def test_a_stdin_over_the_limit(new_reeve):
    one = new_reeve()
    one.write_config(limits={"stdin_bytes": 1000})
    one.start_httpapi()
    for size, status in [(1000, 201), (1001, 422)]:
        body = {"command": "cat", "stdin": {"content": base64.b64encode(b"x" * size).decode(),
                                            "encoding": "base64"}}
        answer = one.request("POST", "/v1/jobs", body)
        assert answer.status == status
    assert "limits.stdin_bytes" in answer.text


def test_the_trace_context_is_kept(server):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    server.submit("true", name="traced", headers={"traceparent": trace})
    server.submit("true", name="untraced", headers={"traceparent": trace[:-1] + "\""})
    assert server.sql("SELECT traceparent FROM jobs WHERE name LIKE '%traced' ORDER BY id") == [
        (trace,), (None,)]


# --- the same request again -----------------------------------------------------------------


def test_the_same_key_and_body_get_the_first_answer_again(server):
    body = {"command": "true", "name": "once"}
    first = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k1"})
    again = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": '"k1"'})
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Idempotency-Replayed"] is None
    assert server.sql("SELECT count(*) FROM jobs WHERE name = 'once'") == [(1,)]


def test_the_first_answer_comes_again_after_the_job_has_moved_on(server):
    body = {"command": "true", "name": "moved"}
    first = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k2"})
    assert server.cancel(first.json()).status == 200
    again = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k2"})
    assert again.status == 201 and again.body == first.body


def test_the_same_key_with_another_body(server):
    server.submit("true", headers={"Idempotency-Key": "k3"})
    answer = server.request("POST", "/v1/jobs", {"command": "false"},
                            headers={"Idempotency-Key": "k3"})
    assert answer.status == 422


def test_keys_belong_to_a_principal(server):
    body = {"command": "true", "name": "keyed"}
    one = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k4"})
    two = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k4"}, via="tcp")
    assert one.status == two.status == 201
    assert one.json()["id"] != two.json()["id"]


def test_a_refused_request_leaves_its_key_free(server):
    headers = {"Idempotency-Key": "k5"}
    assert server.request("POST", "/v1/jobs", {"command": 1}, headers=headers).status == 422
    assert server.request("POST", "/v1/jobs", {"command": "true"}, headers=headers).status == 201


def test_one_key_many_at_once(server):
    """Thirty clients repeat one request at the same time: one job, thirty equal answers."""
    answers, start = [], threading.Barrier(30)

    def submit():
        start.wait()
        answers.append(server.request("POST", "/v1/jobs", {"command": "true", "name": "race"},
                                      headers={"Idempotency-Key": "k6"}))

    threads = [threading.Thread(target=submit) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.headers["Idempotency-Replayed"] is None for answer in answers) == 1
    assert server.sql("SELECT count(*) FROM jobs WHERE name = 'race'") == [(1,)]


def test_one_bad_write_does_not_disturb_the_others_of_its_batch(server):
    """Refusals by the database itself (a key with another body) amid good submissions."""
    server.submit("true", name="batch0", headers={"Idempotency-Key": "k7"})
    answers, start = [], threading.Barrier(40)

    def submit(i):
        headers = {"Idempotency-Key": "k7"} if i % 4 == 0 else {}
        start.wait()
        answers.append((i, server.request("POST", "/v1/jobs", {"command": "true", "name": f"batch{i}x"},
                                          headers=headers).status))

    threads = [threading.Thread(target=submit, args=(i,)) for i in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(status == (422 if i % 4 == 0 else 201) for i, status in answers)
    assert server.sql("SELECT count(*) FROM jobs WHERE name LIKE 'batch%x'") == [(30,)]


# --- asking ---------------------------------------------------------------------------------


def test_pages_are_complete_and_without_overlap(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    ids = [one.submit("true", name=f"p{i}")["id"] for i in range(23)]
    seen, path = [], "/v1/jobs?limit=5&state=queued"
    while path:
        answer = one.request("GET", path)
        assert answer.status == 200
        page = answer.json()
        seen += [job["id"] for job in page["items"]]
        link = answer.headers["Link"]
        assert (link is None) == (page["next_cursor"] is None)
        path = link and link[1:link.index(">")]
        if path:
            one.submit("true", name="late")  # newer than the page: must not appear
    assert seen == ids[::-1]


def test_filters(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    mine = one.submit("true")
    other = one.submit("true", via="tcp")
    one.cancel(other)

    def ids(query):
        answer = one.request("GET", "/v1/jobs" + query)
        assert answer.status == 200, answer
        return [job["id"] for job in answer.json()["items"]]

    assert ids("") == [other["id"], mine["id"]]
    assert ids("?state=queued") == [mine["id"]]
    assert ids("?state=cancelled") == [other["id"]]
    assert ids("?state=running") == []
    assert ids("?owner=token:local") == [other["id"]]
    assert ids("?owner=token%3Alocal&state=queued") == []
    assert ids("?owner=nobody") == []


def test_a_cursor_belongs_to_its_filter(server):
    for _ in range(3):
        server.submit("true")
    cursor = server.request("GET", "/v1/jobs?limit=1").json()["next_cursor"]
    assert server.request("GET", f"/v1/jobs?cursor={cursor}").status == 200
    assert server.request("GET", f"/v1/jobs?state=queued&cursor={cursor}").status == 400
    assert server.request("GET", f"/v1/jobs?cursor={cursor}", via="tcp").status == 400
    changed = ("1" if cursor[0] == "0" else "0") + cursor[1:]
    assert server.request("GET", f"/v1/jobs?cursor={changed}").status == 400


def test_a_job_by_prefix_and_the_last_one(server):
    job = server.submit("true", name="prefixed")
    assert server.request("GET", "/v1/jobs/last").json()["id"] == job["id"]
    assert server.request("GET", "/v1/jobs/" + job["id"][:30]).json()["id"] == job["id"]
    assert server.request("GET", "/v1/jobs/" + job["id"].upper()).json()["id"] == job["id"]
    # Ids made in the same minutes begin alike.
    server.submit("true")
    assert server.request("GET", "/v1/jobs/" + job["id"][:4]).status == 409


@pytest.mark.parametrize("id", ["00000000-0000-7000-8000-000000000000", "abcd", "x", "lasst",
                                "0" * 37, "-", "%20", "..", "*"])
def test_no_such_job(server, id):
    for tail in ("", "/attempts", "/events", "/output"):
        answer = server.request("GET", f"/v1/jobs/{id}{tail}")
        assert answer.status == 404 and answer.json()["code"] == "not_found"
    assert server.cancel(id).status == 404


def test_not_modified(server):
    job = server.submit("true")
    path = "/v1/jobs/" + job["id"]
    for known in ('"1"', 'W/"1"', '"0", "1"', "*"):
        answer = server.request("GET", path, headers={"If-None-Match": known})
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == '"1"'
    server.cancel(job)
    answer = server.request("GET", path, headers={"If-None-Match": '"1"'})
    assert answer.status == 200 and answer.headers["ETag"] == '"2"'


def test_head_is_get_without_the_body(server):
    job = server.submit("true")
    for path in ("/v1/jobs", "/v1/jobs/" + job["id"], f"/v1/jobs/{job['id']}/events",
                 "/v1/whoami", "/healthz/live", "/problems/conflict"):
        get = server.request("GET", path)
        head = server.request("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.body))
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_events_and_their_pages(server):
    job = server.submit("true")
    server.cancel(job, reason="enough")
    path = f"/v1/jobs/{job['id']}/events"
    events = server.request("GET", path).json()
    assert [e["kind"] for e in events["items"]] == ["submitted", "ended"]
    assert [e["state"] for e in events["items"]] == ["queued", "cancelled"]
    assert events["items"][1]["principal"] == f"uid:{os.getuid()}"
    assert events["next_after"] is None
    first = server.request("GET", path + "?limit=1").json()
    assert len(first["items"]) == 1
    rest = server.request("GET", f"{path}?after={first['next_after']}").json()
    assert first["items"] + rest["items"] == events["items"]


# --- cancelling -----------------------------------------------------------------------------


def test_cancelling_what_has_not_started(server):
    job = server.submit("true")
    answer = server.cancel(job, reason="not needed")
    assert answer.status == 200
    assert (answer.json()["state"], answer.json()["reason"]) == ("cancelled", "cancel")
    assert server.cancel(job).status == 200  # asking twice is fine
    assert server.sql("SELECT stop_text FROM jobs WHERE lower(hex(uuid)) = ?",
                      job["id"].replace("-", "")) == [("not needed",)]


def test_cancelling_without_a_body(server):
    job = server.submit("true")
    answer = server.request("POST", f"/v1/jobs/{job['id']}/cancel")
    assert answer.status == 200 and answer.json()["state"] == "cancelled"


@pytest.mark.parametrize("body, status, named", [
    ({"reason": 1}, 422, "#/reason"), ({"reason": "x" * 2000}, 422, "#/reason"),
    ({"force": "yes"}, 422, "#/force"), ({"cascade": True}, 422, "#/cascade"),
    ({"forec": True}, 422, "#/forec"), ([], 422, "#"), (b"{", 400, None),
])
def test_mistakes_in_a_cancel(server, body, status, named):
    job = server.submit("true")
    answer = server.request("POST", f"/v1/jobs/{job['id']}/cancel", body)
    assert answer.status == status, answer
    if named:
        assert pointers(answer) == {named}
    assert server.job(job)["state"] == "queued"


def test_cancelling_a_running_and_a_finished_job(reeve):
    reeve.start()
    job = reeve.sh("sleep 1000")
    reeve.wait_running(job)
    answer = reeve.cancel(job)
    assert answer.status == 202
    assert answer.json()["state"] in ("running", "cancelled")
    assert reeve.wait(job)["state"] == "cancelled"
    done = reeve.run("true")
    answer = reeve.cancel(done)
    assert answer.status == 409 and answer.json()["code"] == "conflict"


# --- who asks -------------------------------------------------------------------------------


def test_the_token_and_the_socket(server):
    assert server.request("GET", "/v1/whoami").json() == {"principal": f"uid:{os.getuid()}",
                                                          "role": "admin"}
    assert server.request("GET", "/v1/whoami", via="tcp").json()["principal"] == "token:local"
    answer = server.request("GET", "/v1/whoami", via="tcp", headers={"Authorization": None})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


def test_the_token_is_a_secret(server):
    assert stat.S_IMODE(os.stat(server.path("token")).st_mode) == 0o600
    assert len(server.token) >= 43
    assert server.token not in server.httpapi.log
    assert server.path("token") in server.httpapi.log


def test_a_token_that_others_can_read_is_refused(new_reeve):
    one = new_reeve()
    os.mkdir(one.state_dir, 0o700)
    with open(one.path("token"), "w", encoding="ascii") as file:
        file.write("a" * 64 + "\n")
    os.chmod(one.path("token"), 0o644)
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert "token" in daemon.log
    os.chmod(one.path("token"), 0o600)
    one.start_httpapi()
    assert one.request("GET", "/v1/whoami", via="tcp").status == 200


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_of_the_machine_is_refused(new_reeve):
    one = new_reeve()
    socket_path = os.path.join(one.base, "open.sock")
    one.write_config(listeners=[{"address": "unix:" + socket_path, "mode": "0666"}])
    os.chmod(one.base, 0o755)
    one.httpapi = one.launch("reeve-httpapi")
    one.httpapi.wait_line("ev=ready")
    script = ("import os,socket,sys; os.setgid(65534); os.setuid(65534);"
              "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
              "s.sendall(b'GET '+sys.argv[2].encode()+b' HTTP/1.1\\r\\nHost: x\\r\\n"
              "Connection: close\\r\\n\\r\\n');"
              "sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(9999), b'')))")
    for path, status in (("/v1/whoami", b" 403 "), ("/v1/jobs", b" 403 "), ("/nothing", b" 403 "),
                         ("/healthz/live", b" 200 ")):
        out = subprocess.run(["/usr/bin/python3", "-c", script, socket_path, path],
                             capture_output=True, check=True, timeout=60).stdout
        assert status in out.splitlines()[0], out


def test_no_answer_lets_another_site_read_it(server):
    for path in ("/v1/whoami", "/v1/jobs", "/nothing"):
        answer = server.request("GET", path, headers={"Origin": "http://evil.example"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


# --- health, problems -----------------------------------------------------------------------


def test_health(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    live = reeve.request("GET", "/healthz/live", via="tcp", headers={"Authorization": None})
    assert (live.status, live.json()) == (200, {"status": "pass"})
    assert live.headers["Content-Type"] == "application/health+json"
    ready = reeve.request("GET", "/healthz/ready")
    assert ready.status == 503 and ready.json()["status"] == "fail"
    checks = ready.json()["checks"]
    assert checks["database:writable"][0]["status"] == "pass"
    assert checks["worker:heartbeat"][0]["status"] == "fail"
    reeve.start_worker()
    ready = reeve.request("GET", "/healthz/ready")
    assert ready.status == 200 and ready.json()["status"] in ("pass", "warn")
    reeve.stop_worker()
    assert reeve.request("GET", "/healthz/ready").status == 503


def test_ready_sees_a_worker_that_was_killed(reeve):
    reeve.start()
    reeve.kill_worker()
    reeve.sql_write("UPDATE workers SET heartbeat_at = heartbeat_at - 60000000")
    assert reeve.request("GET", "/healthz/ready").status == 503


def test_every_problem_type_is_served(server):
    answer = server.request("GET", "/nothing")
    page = server.request("GET", answer.json()["type"], via="tcp", headers={"Authorization": None})
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/plain")
    assert server.request("GET", "/problems/nonsense").status == 404


# --- starting and stopping ------------------------------------------------------------------


def test_a_stale_socket_is_replaced_and_a_served_one_is_not(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    one.kill_httpapi()
    assert os.path.exists(one.socket_path)
    one.start_httpapi()
    assert one.request("GET", "/healthz/live").status == 200
    second = one.launch("reeve-httpapi")
    assert second.wait_end() == 111
    assert one.request("GET", "/healthz/live").status == 200


def test_the_socket_has_its_mode_and_goes_at_the_end(new_reeve):
    one = new_reeve()
    one.write_config(listeners=[{"address": "unix:run/reeve.sock", "mode": "0600"}])
    one.httpapi = one.launch("reeve-httpapi")
    one.httpapi.wait_line("ev=ready")
    assert stat.S_IMODE(os.stat(one.socket_path).st_mode) == 0o600
    one.stop_httpapi()
    assert not os.path.exists(one.socket_path)


def test_a_port_in_use_is_temporary(new_reeve):
    one = new_reeve()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        one.write_config(listeners=[{"address": f"127.0.0.1:{taken.getsockname()[1]}"}])
        assert one.launch("reeve-httpapi").wait_end() == 111


@pytest.mark.parametrize("args", [("--nonsense",), ("extra",), ("--port-file",)])
def test_wrong_arguments_are_permanent(new_reeve, args):
    assert new_reeve().launch("reeve-httpapi", *args).wait_end() == 100


def test_a_database_of_a_newer_version_is_refused(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    one.stop_httpapi()
    with sqlite3.connect(one.db) as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    assert one.launch("reeve-httpapi").wait_end() == 100


def test_an_outside_address_is_refused(new_reeve):
    one = new_reeve()
    one.write_config(listeners=[{"address": "0.0.0.0:0"}])
    assert one.launch("reeve-httpapi").wait_end() == 100
