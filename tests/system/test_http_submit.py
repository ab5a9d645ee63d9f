"""Submitting over HTTP: what is accepted, what is refused, and how each mistake is named."""

import base64
import json
import os

import pytest

from intake import pointers, server  # noqa: F401  (server is a fixture)


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


def test_of_many_faults_the_rest_is_counted(server):
    body = {"command": "true", "args": [1] * 70}
    problem = server.request("POST", "/v1/jobs", body).json()
    assert (len(problem["errors"]), problem["errors_omitted"]) == (64, 6)
    assert "errors_omitted" not in server.request("POST", "/v1/jobs", {"args": [1]}).json()
    path = os.path.join(server.work, "many.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(body, file)
    done = server.cli("submit", path)
    assert done.returncode == 2 and done.stderr.endswith("  ... and 6 more\n")


def test_standard_input_of_nothing_names_both_that_it_may_be(server):
    answer = server.request("POST", "/v1/jobs", {"command": "true", "stdin": {}})
    assert answer.json()["errors"] == [
        {"pointer": "#/stdin/content", "detail": "is required, unless there is from_job"}]


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
    ({"command": None, "task": "t"}, "#/task"),
    ({"parameters": {}}, "#/parameters"),
    ({"depends_on": {}}, "#/depends_on"),
    ({"unique": {}}, "#/unique/key"),
    ({"callback": {}}, "#/callback/url"),
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
    answer = server.request("POST", "/v1/jobs", {"command": "true", "limits": {"cpu_s": 1}})
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
