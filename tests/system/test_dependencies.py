"""Jobs that wait for jobs, over HTTP: what is refused and by which pointer, what each condition
does, whose output is read, which work is alive, what is made again, and who is cancelled with."""

import json

import pytest

from harness import FINAL
from intake import pointers, server  # noqa: F401  (server is a fixture)
from over_http import all_at_once

NOBODY = "0193f2c4-3711-75d7-b311-25820553ed71"


def post(reeve, body=None, query="", headers=None, **more):
    return reeve.request("POST", "/v1/jobs" + query, {"command": "true", **(body or {}), **more},
                         headers=headers)


def after(*parents):
    """depends_on from jobs, or pairs of a job and a condition."""
    pairs = [parent if isinstance(parent, tuple) else (parent, None) for parent in parents]
    return [{"job": job["id"] if isinstance(job, dict) else job, **({"on": on} if on else {})}
            for job, on in pairs]


# --- what is refused --------------------------------------------------------------------------

MISTAKES = [
    ({"depends_on": {}}, "#/depends_on"),
    ({"depends_on": "P"}, "#/depends_on"),
    ({"depends_on": ["P"]}, "#/depends_on/0"),
    ({"depends_on": [{}]}, "#/depends_on/0/job"),
    ({"depends_on": [{"job": None}]}, "#/depends_on/0/job"),
    ({"depends_on": [{"job": 7}]}, "#/depends_on/0/job"),
    ({"depends_on": [{"job": ""}]}, "#/depends_on/0/job"),
    ({"depends_on": [{"job": "P"}, {"job": NOBODY}]}, "#/depends_on/1/job"),
    ({"depends_on": [{"job": "P"[:1]}, {"job": "0193f2c4"}]}, "#/depends_on/1/job"),
    ({"depends_on": [{"job": "last"}]}, "#/depends_on/0/job"),
    ({"depends_on": [{"job": "@a"}]}, "#/depends_on/0/job"),
    ({"depends_on": [{"job": "P", "on": "never"}]}, "#/depends_on/0/on"),
    ({"depends_on": [{"job": "P", "on": 1}]}, "#/depends_on/0/on"),
    ({"depends_on": [{"job": "P", "when": "any"}]}, "#/depends_on/0/when"),
    ({"depends_on": [{"job": "P"}, {"job": "P", "on": "success"}]}, "#/depends_on/1"),
    ({"depends_on": [{"job": "P"}], "depends_rule": "one"}, "#/depends_rule"),
    ({"depends_rule": "any"}, "#/depends_rule"),
    ({"depends_on": [], "depends_rule": "any"}, "#/depends_rule"),
    ({"stdin": {"from_job": NOBODY}}, "#/stdin/from_job"),
    ({"stdin": {"from_job": "x"}}, "#/stdin/from_job"),
    ({"stdin": {"from_job": 1}}, "#/stdin/from_job"),
    ({"stdin": {"from_job": "P", "content": "x"}}, "#/stdin/from_job"),
    ({"stdin": {"from_job": "P", "encoding": "text"}}, "#/stdin/encoding"),
    ({"stdin": {"from_job": "P"}, "depends_on": [{"job": "P", "on": "any"}]}, "#/stdin/from_job"),
    ({"stdin": {"from_job": "P"}, "depends_rule": "any"}, "#/depends_rule"),
    ({"unique": "k"}, "#/unique"),
    ({"unique": {"on_conflict": "return"}}, "#/unique/key"),
    ({"unique": {"key": ""}}, "#/unique/key"),
    ({"unique": {"key": "a\nb"}}, "#/unique/key"),
    ({"unique": {"key": "k" * 256}}, "#/unique/key"),
    ({"unique": {"key": "k", "on_conflict": "ignore"}}, "#/unique/on_conflict"),
    ({"unique": {"key": "k", "scope": "all"}}, "#/unique/scope"),
    ({"keep": 1}, "#/keep"),
    ({"ref": "a"}, "#/ref"),
]


@pytest.mark.parametrize("body, pointer", MISTAKES,
                         ids=[f"{p[2:]}-{i}" for i, (_, p) in enumerate(MISTAKES)])
def test_a_mistake_is_named(server, body, pointer):  # noqa: F811
    parent = server.submit("true")["id"]
    before = server.sql("SELECT count(*) FROM jobs")
    answer = post(server, json.loads(json.dumps(body).replace('"P"', f'"{parent}"')))
    assert answer.status == 422, answer
    assert pointers(answer) == {pointer}, answer
    assert server.sql("SELECT count(*) FROM jobs") == before


def test_all_mistakes_are_named_at_once(server):  # noqa: F811
    answer = post(server, priority=1000, depends_on=after(NOBODY, ("x", "any")),
                  stdin={"from_job": NOBODY}, unique={})
    assert pointers(answer) == {"#/priority", "#/depends_on/0/job", "#/depends_on/1/job",
                                "#/stdin/from_job", "#/unique/key"}


def test_the_number_of_parents_has_a_limit(new_reeve):
    one = new_reeve()
    one.write_config(limits={"dependencies": 2})
    one.start_httpapi()
    jobs = [one.submit("true") for _ in range(3)]
    assert post(one, depends_on=after(*jobs[:2])).status == 201
    answer = post(one, depends_on=after(*jobs))
    assert pointers(answer) == {"#/depends_on"} and "limits.dependencies" in answer.text


def test_an_administrator_may_wait_for_the_job_of_another(server):  # noqa: F811
    """Both doors of the tests are administrators: what they see, they may wait for."""
    other = server.submit("true", via="tcp")
    mine = server.submit("true", depends_on=after(other))
    assert other["owner"] != mine["owner"] and mine["depends_on"][0]["job"] == other["id"]


# --- how it is born, and shown ----------------------------------------------------------------


def test_the_answer_is_what_get_says(server):  # noqa: F811
    one, two = server.submit("true"), server.submit("true")
    made = post(server, depends_on=after((one, "any"), (two, "success"), (two, "started")),
                depends_rule="any", unique={"key": "shown"}, keep=True)
    assert made.status == 201, made
    job = made.json()
    assert (job["state"], job["reason"], job["depends_rule"]) == ("waiting", "dependency", "any")
    assert {(d["job"], d["on"], d["state"]) for d in job["depends_on"]} == {
        (one["id"], "any", "pending"), (two["id"], "success", "pending"), (two["id"], "started", "pending")}
    assert job["unique_key"] == "shown" and job["dependants"] == 0
    got = server.request("GET", made.headers["Location"])
    assert got.body == made.body
    assert server.job(one)["dependants"] == 1
    listed = {item["id"]: item for item in server.request("GET", "/v1/jobs?limit=500").json()["items"]}
    assert listed[job["id"]] == job


def test_a_parent_that_has_ended_settles_it_at_once(reeve):
    reeve.start()
    good, bad = reeve.run("true"), reeve.run("false")
    for parent, on, state in [(good, "success", "queued"), (good, "failure", "skipped"),
                              (good, "any", "queued"), (good, "started", "queued"),
                              (bad, "success", "skipped"), (bad, "failure", "queued"),
                              (bad, "any", "queued"), (bad, "started", "queued")]:
        dry = post(reeve, query="?dry_run=1", depends_on=after((parent, on)))
        assert dry.status == 200 and dry.json()["job"]["id"] is None
        assert dry.json()["job"]["state"] == state, (on, dry)
        made = reeve.submit("true", depends_on=after((parent, on)))
        assert made["state"] == state, (on, made)
        assert made["reason"] == ("dependency" if state == "skipped" else None)
        ended = reeve.wait(made)
        assert ended["state"] == ("skipped" if state == "skipped" else "succeeded")
        assert (ended["attempt"] == 0) == (state == "skipped")


def test_a_dry_run_with_parents_stores_nothing(server):  # noqa: F811
    parent = server.submit("true")
    before = server.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM events), "
                        "(SELECT count(*) FROM dependencies)")
    dry = post(server, query="?dry_run=1", depends_on=after(parent), unique={"key": "dry"})
    assert dry.json()["job"]["state"] == "waiting"
    assert dry.json()["job"]["depends_on"] == [{"job": parent["id"], "on": "success", "state": "pending"}]
    assert server.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM events), "
                      "(SELECT count(*) FROM dependencies)") == before


# --- running ----------------------------------------------------------------------------------


def test_conditions_and_rules_while_it_runs(reeve):
    """One parent that fails and one that succeeds, and a child for each way to wait for them."""
    reeve.start(slots=4)
    bad = reeve.sh("read x; exit 3", hold=True, stdin={"content": "x\n"})
    good = reeve.submit("true", hold=True)
    children = {name: reeve.submit("true", depends_on=parents, **more)["id"] for name, parents, more in [
        ("success", after(bad), {}), ("failure", after((bad, "failure")), {}),
        ("any", after((bad, "any")), {}), ("started", after((bad, "started")), {}),
        ("both", after(bad, good), {}),
        ("either", after(bad, good), {"depends_rule": "any"}),
        ("neither", after(bad, (good, "failure")), {"depends_rule": "any"}),
    ]}
    below = {name: reeve.submit("true", depends_on=after((children["success"], on)))["id"]
             for name, on in (("needs the skipped", "success"), ("wants its failure", "failure"),
                              ("wants its end", "any"), ("wants its start", "started"))}
    assert {reeve.job(job)["state"] for job in [*children.values(), *below.values()]} == {"waiting"}
    for job in (bad, good):
        assert reeve.request("POST", f"/v1/jobs/{job['id']}/release", {}).status == 200
    ends = {name: reeve.wait(job)["state"] for name, job in {**children, **below}.items()}
    assert ends == {"success": "skipped", "failure": "succeeded", "any": "succeeded",
                    "started": "succeeded", "both": "skipped", "either": "succeeded",
                    "neither": "skipped", "needs the skipped": "skipped",
                    "wants its failure": "skipped", "wants its end": "succeeded",
                    "wants its start": "skipped"}


def test_started_does_not_wait_for_the_end(reeve):
    reeve.start(slots=4)
    long = reeve.sh("echo up; exec sleep 1000")
    child = reeve.submit("true", depends_on=after((long, "started")))
    assert reeve.wait(child)["state"] == "succeeded"
    assert reeve.job(long)["state"] == "running"
    reeve.cancel(long, force=True)
    reeve.wait(long)


def test_only_the_last_attempt_of_a_parent_counts(reeve):
    reeve.start()
    parent = reeve.sh("[ $REEVE_ATTEMPT = 3 ]", hold=True, retry={"max_attempts": 3, "delay_s": 0.01})
    good = reeve.submit("true", depends_on=after(parent))
    bad = reeve.submit("true", depends_on=after((parent, "failure")))
    reeve.request("POST", f"/v1/jobs/{parent['id']}/release", {})
    assert reeve.wait(good)["state"] == "succeeded"
    assert reeve.wait(bad)["state"] == "skipped"
    assert reeve.job(parent)["attempt"] == 3


def test_the_output_of_one_job_is_the_input_of_the_next(reeve):
    reeve.start()
    source = reeve.sh("head -c 300000 /dev/zero | tr '\\0' x; echo not this >&2")
    counted = reeve.submit("wc", "-c", stdin={"from_job": source["id"]})
    assert counted["depends_on"] == [{"job": source["id"], "on": "success",
                                      "state": counted["depends_on"][0]["state"]}]
    assert counted["stdin_from"] == source["id"]
    again = reeve.submit("cat", stdin={"from_job": counted["id"]}, depends_on=after(counted))
    assert reeve.wait(again)["state"] == "succeeded"
    assert len(reeve.job(again)["depends_on"]) == 1
    assert reeve.output(again).split() == [b"300000"]


def test_a_job_is_not_given_the_output_of_one_that_failed(reeve):
    reeve.start()
    source = reeve.sh("echo half; exit 1")
    assert reeve.wait(reeve.submit("cat", stdin={"from_job": source["id"]}))["state"] == "skipped"


# --- unique work ------------------------------------------------------------------------------


def test_return_answers_with_the_living_one(server):  # noqa: F811
    first = post(server, name="first", unique={"key": "u1"})
    again = post(server, name="second", unique={"key": "u1"})
    assert (first.status, again.status) == (201, 200)
    assert again.json() == first.json() and again.headers["Location"] is None
    assert server.cancel(first.json()).status == 200
    third = post(server, unique={"key": "u1"})
    assert third.status == 201 and third.json()["id"] != first.json()["id"]


def test_reject_names_the_living_one(server):  # noqa: F811
    first = post(server, unique={"key": "u2"}).json()
    again = post(server, unique={"key": "u2", "on_conflict": "reject"})
    assert again.status == 409 and again.json()["code"] == "conflict"
    assert again.json()["job"] == first["id"] and first["id"] in again.json()["detail"]


def test_replace_cancels_the_old_one_while_it_has_not_started(reeve):
    reeve.start()
    old = reeve.submit("true", hold=True, unique={"key": "u3"})
    new = post(reeve, {"command": "sleep", "args": ["1000"]},
               unique={"key": "u3", "on_conflict": "replace"})
    assert new.status == 201 and new.json()["id"] != old["id"]
    assert reeve.job(old)["state"] == "cancelled"
    reeve.wait_running(new.json())
    late = post(reeve, unique={"key": "u3", "on_conflict": "replace"})
    assert late.status == 409 and late.json()["job"] == new.json()["id"]
    reeve.cancel(new.json(), force=True)
    reeve.wait(new.json())


def test_a_job_that_could_never_run_replaces_none(reeve):
    reeve.start()
    failed = reeve.run("false")
    living = reeve.submit("true", hold=True, unique={"key": "w"})
    answer = reeve.request("POST", "/v1/jobs", {
        "command": "true", "unique": {"key": "w", "on_conflict": "replace"}, "depends_on": [{"job": failed["id"]}]})
    assert (answer.status, answer.json()["job"]) == (409, living["id"])
    assert reeve.job(living)["state"] == "waiting"
    assert reeve.sql("SELECT count(*) FROM jobs") == [(2,)]


def test_unique_keys_belong_to_their_owner(server):  # noqa: F811
    here = server.submit("true", unique={"key": "u4"})
    there = server.submit("true", unique={"key": "u4"}, via="tcp")
    assert here["id"] != there["id"]


def test_an_idempotency_key_goes_before_a_unique_one(server):  # noqa: F811
    headers = {"Idempotency-Key": "both"}
    first = post(server, unique={"key": "u5", "on_conflict": "reject"}, headers=headers)
    again = post(server, unique={"key": "u5", "on_conflict": "reject"}, headers=headers)
    assert first.status == again.status == 201 and again.body == first.body
    assert again.headers["Idempotency-Replayed"] == "true"
    server.cancel(first.json())
    assert post(server, unique={"key": "u5", "on_conflict": "reject"}, headers=headers).body == first.body


def test_a_dry_run_says_that_the_work_is_alive(server):  # noqa: F811
    living = post(server, unique={"key": "u6"}).json()
    dry = post(server, query="?dry_run=1", unique={"key": "u6"})
    assert dry.status == 200 and dry.json()["job"]["id"] == living["id"]
    assert post(server, query="?dry_run=1", unique={"key": "u6", "on_conflict": "reject"}).status == 409
    gone = post(server, query="?dry_run=1", unique={"key": "u6", "on_conflict": "replace"})
    assert gone.json()["job"]["id"] is None and server.job(living)["state"] == "queued"


def race(server, body, headers=None):  # noqa: F811
    """Eight clients send one request at the same moment: their answers."""
    answers = []
    all_at_once(lambda _: answers.append(post(server, body, headers=headers)), 8)
    assert len(answers) == 8
    return answers


def test_one_idempotency_key_at_once_two_hundred_times(server):  # noqa: F811
    for number in range(200):
        answers = race(server, {"name": f"same{number}"}, {"Idempotency-Key": f"same{number}"})
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
        assert [answer.headers["Idempotency-Replayed"] for answer in answers].count(None) == 1
    assert server.sql("SELECT count(*), count(DISTINCT name) FROM jobs WHERE name LIKE 'same%'") == [
        (200, 200)]


def test_one_unique_key_at_once_two_hundred_times(server):  # noqa: F811
    for number in range(200):
        word = "return" if number % 2 else "reject"
        answers = race(server, {"name": f"only{number}",
                                "unique": {"key": f"only{number}", "on_conflict": word}})
        assert sorted(answer.status for answer in answers) == (
            [200] * 7 + [201] if number % 2 else [201] + [409] * 7)
        made = next(answer for answer in answers if answer.status == 201).json()["id"]
        assert {answer.json().get("job" if answer.status == 409 else "id") for answer in answers} == {made}
    assert server.sql("SELECT count(*), count(DISTINCT name) FROM jobs WHERE name LIKE 'only%'") == [
        (200, 200)]


# --- again ------------------------------------------------------------------------------------


def rerun(reeve, job, **body):
    return reeve.request("POST", f"/v1/jobs/{job['id']}/rerun", body)


def test_a_rerun_is_a_new_job_like_it(reeve):
    reeve.start()
    old = reeve.wait(reeve.sh("cat; echo $WHO; exit 4", name="old", labels={"a": "b"}, priority=3,
                              environment={"WHO": "me"}, stdin={"content": "in\n"}, timeout_s=60))
    answer = rerun(reeve, old)
    assert answer.status == 201 and answer.headers["Location"].endswith(answer.json()["id"])
    new = reeve.wait(answer.json())
    assert new["id"] != old["id"] and new["rerun_of"] == old["id"]
    for member in ("name", "labels", "priority", "command", "timeout_s", "exit_code", "owner"):
        assert new[member] == old[member]
    assert reeve.output(new) == reeve.output(old) == b"in\nme\n"
    assert reeve.job(old) == old | {"version": reeve.job(old)["version"]}


def test_a_rerun_is_neither_kept_nor_that_unique_work(reeve):
    reeve.start()
    old = reeve.run("true", unique={"key": "work"}, keep=True)
    assert (old["unique_key"], old["keep"]) == ("work", True)
    living = reeve.submit("true", hold=True, unique={"key": "work"})
    new = rerun(reeve, old)
    assert new.status == 201 and new.json()["id"] != living["id"]
    assert (new.json()["unique_key"], new.json()["keep"]) == (None, False)


def test_what_has_not_ended_is_not_run_again(server):  # noqa: F811
    job = server.submit("true")
    assert rerun(server, job).status == 409
    assert server.request("POST", f"/v1/jobs/{NOBODY}/rerun").status == 404
    assert pointers(rerun(server, job, cascade="yes")) == {"#/cascade"}
    assert pointers(rerun(server, job, all=True)) == {"#/all"}
    assert rerun(server, job, cascades=True).json()["errors"] == [
        {"pointer": "#/cascades", "detail": 'unknown key; did you mean "cascade"?'}]


def test_a_rerun_that_is_asked_for_again_is_made_once(reeve):
    reeve.start()
    old, key = reeve.run("true"), {"Idempotency-Key": "again"}
    path = f"/v1/jobs/{old['id']}/rerun"
    first = reeve.request("POST", path, {}, headers=key)
    second = reeve.request("POST", path, {}, headers=key)
    assert (first.status, second.status) == (201, 201)
    assert second.json()["id"] == first.json()["id"] != old["id"]
    assert (first.headers["Idempotency-Replayed"], second.headers["Idempotency-Replayed"]) == (None, "true")
    assert reeve.request("POST", path, {"cascade": True}, headers=key).status == 422
    assert reeve.request("POST", "/v1/jobs", {"command": "true"}, headers=key).status == 422
    assert reeve.sql("SELECT count(*) FROM jobs") == [(2,)]
    reeve.wait(first.json())
    assert reeve.request("GET", "/v1/stats").json()["last"]["minute"]["submitted"] == 2


def test_a_rerun_with_all_that_depends_on_it(reeve):
    """a -> b -> d, a -> c -> d, and d -> x of another parent: all of them again, in order."""
    reeve.start()
    a = reeve.sh(f"[ -e {reeve.work}/fixed ]", name="a")
    b = reeve.submit("echo", "b", depends_on=after(a), name="b")
    c = reeve.submit("cat", stdin={"from_job": b["id"]}, depends_on=after(a), name="c")
    other = reeve.submit("true", name="other")
    d = reeve.submit("true", depends_on=after(b, c, (other, "any")), name="d")
    assert reeve.wait(d)["state"] == "skipped"
    open(f"{reeve.work}/fixed", "w", encoding="ascii").close()
    answer = rerun(reeve, a, cascade=True)
    assert answer.status == 201, answer
    batch = answer.json()["batch"]
    assert batch and answer.json()["rerun_of"] == a["id"]
    graph = reeve.request("GET", f"/v1/jobs/{answer.json()['id']}/graph").json()
    new = {job["name"]: job["id"] for job in graph["jobs"] if reeve.job(job["id"])["batch"] == batch}
    assert set(new) == {"a", "b", "c", "d"}
    for name in "abcd":
        assert reeve.wait(new[name])["state"] == "succeeded", name
    parents = {parent["job"] for parent in reeve.job(new["d"])["depends_on"]}
    assert parents == {new["b"], new["c"], other["id"]}
    assert reeve.output(new["c"]) == b"b\n"


# --- cancelling -------------------------------------------------------------------------------


def test_a_cancel_without_cascade_lets_the_others_go_on(reeve):
    reeve.start()
    top = reeve.submit("true", hold=True)
    wants = reeve.submit("true", depends_on=after(top))
    handler = reeve.submit("true", depends_on=after((top, "failure")))
    assert reeve.cancel(top).status == 200
    assert reeve.wait(wants)["state"] == "skipped"
    assert reeve.wait(handler)["state"] == "succeeded"


def test_a_cancel_with_cascade_takes_all_that_depends_on_it(reeve):
    reeve.start(slots=4)
    top = reeve.sh("exec sleep 1000")
    runs = reeve.sh("exec sleep 1000", depends_on=after((top, "started")))
    wants = reeve.submit("true", depends_on=after(top))
    handler = reeve.submit("true", depends_on=after((wants, "any")))
    other = reeve.submit("true", hold=True)
    for job in (top, runs):
        reeve.wait_running(job)
    assert reeve.cancel(top, cascade=True, reason="no", force=True).status == 202
    for job in (top, runs, wants, handler):
        assert reeve.wait(job)["state"] == "cancelled"
    assert reeve.job(other)["state"] == "waiting"


def test_a_cancel_of_more_than_one_transaction_takes(server):  # noqa: F811
    jobs = [{"command": "true", "ref": "top", "name": "cascade"}] + [
        {"command": "true", "name": "cascade", "depends_on": [{"job": "@top", "on": "any"}]}] * 2500
    top = server.request("POST", "/v1/batches", {"jobs": jobs}).json()["jobs"][0]["id"]
    assert server.cancel(top, cascade=True).status == 200
    assert server.sql("SELECT state, count(*) FROM jobs WHERE name = 'cascade' GROUP BY state") == [
        ("cancelled", 2501)]


# --- the graph --------------------------------------------------------------------------------


def test_the_graph_has_what_hangs_together(server):  # noqa: F811
    a, b, apart = (server.submit("true", name=name) for name in "abx")
    c = server.submit("echo", "c", depends_on=after(a, (b, "any")))
    d = server.submit("true", depends_on=after((c, "failure")), name="d")
    graph = server.request("GET", f"/v1/jobs/{c['id'][:23]}/graph").json()
    assert graph["jobs"][0] == {"id": c["id"], "name": None, "task": None, "state": "waiting",
                                "command": ["/usr/bin/echo", "c"]}
    assert {job["id"] for job in graph["jobs"]} == {job["id"] for job in (a, b, c, d)}
    assert {(e["job"], e["parent"], e["on"], e["state"]) for e in graph["dependencies"]} == {
        (c["id"], a["id"], "success", "pending"), (c["id"], b["id"], "any", "pending"),
        (d["id"], c["id"], "failure", "pending")}
    assert graph["truncated"] is False
    cut = server.request("GET", f"/v1/jobs/{c['id']}/graph?limit=2").json()
    assert len(cut["jobs"]) == 2 and cut["truncated"] is True
    lone = server.request("GET", f"/v1/jobs/{apart['id']}/graph").json()
    assert [job["id"] for job in lone["jobs"]] == [apart["id"]] and lone["dependencies"] == []
    assert server.request("GET", f"/v1/jobs/{NOBODY}/graph").status == 404
    assert server.request("GET", f"/v1/jobs/{c['id']}/graph?limit=0").status == 400


def test_an_ended_job_does_not_move_again(reeve):
    """Whatever is done with its dependants, what is final stays."""
    reeve.start()
    parent = reeve.run("true")
    child = reeve.wait(reeve.submit("true", depends_on=after(parent)))
    assert child["state"] in FINAL
    assert reeve.cancel(child, cascade=True).status == 409
    assert reeve.job(child) == child
