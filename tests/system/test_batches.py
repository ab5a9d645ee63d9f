"""Batches: every fault with its pointer, all or none whatever is killed, and a thousand real jobs
that run in the order in which they wait for each other."""

import contextlib
import http.client
import itertools
import json
import os
import random
import threading

import pytest

from harness import wait_until
from intake import pointers, server  # noqa: F401  (server is a fixture)
from over_http import join_threads, start_threads

NOBODY = "0193f2c4-3711-75d7-b311-25820553ed71"


def item(ref=None, *parents, **more):
    """One job of a batch; parents are refs, or pairs of a ref and a condition."""
    job = {"command": "true", **({"ref": ref} if ref else {}), **more}
    if parents:
        job["depends_on"] = [{"job": "@" + parent} if isinstance(parent, str) else
                             {"job": "@" + parent[0], "on": parent[1]} for parent in parents]
    return job


def send(reeve, jobs, query="", **how):
    return reeve.request("POST", "/v1/batches" + query, {"jobs": jobs}, **how)


def ids_of(answer):
    assert answer.status == 201, answer
    return {job["ref"]: job["id"] for job in answer.json()["jobs"]}


# --- what is refused --------------------------------------------------------------------------

MISTAKES = [
    ([], "#"), ("jobs", "#"), ({}, "#/jobs"), ({"jobs": None}, "#/jobs"), ({"jobs": []}, "#/jobs"),
    ({"jobs": {}}, "#/jobs"), ({"jobs": "true"}, "#/jobs"),
    ({"jobs": [item()], "name": "n"}, "#/name"),
    ({"jobs": [item(), 7]}, "#/jobs/1"),
    ({"jobs": [item(), {}]}, "#/jobs/1/command"),
    ({"jobs": [item(), item(command="/etc/passwd")]}, "#/jobs/1/command"),
    ({"jobs": [item(), item(args=["a", 1])]}, "#/jobs/1/args/1"),
    ({"jobs": [item(), item(labels={"a/b": 1})]}, "#/jobs/1/labels/a~1b"),
    ({"jobs": [item(), item(stdin={})]}, "#/jobs/1/stdin/content"),
    ({"jobs": [item(), item(expires_at="2020-01-01T00:00:00Z", run_at="2030-01-01T00:00:00Z")]},
     "#/jobs/1/expires_at"),
    ({"jobs": [item(), item(timout_s=1)]}, "#/jobs/1/timout_s"),
    ({"jobs": [item("a"), item("b"), item("a")]}, "#/jobs/2/ref"),
    ({"jobs": [item(unique={"key": "k", "on_conflict": word}) for word in ("return", "replace")]},
     "#/jobs/1/unique/key"),
    ({"jobs": [{"command": "true", "ref": ""}]}, "#/jobs/0/ref"),
    ({"jobs": [item("a b")]}, "#/jobs/0/ref"), ({"jobs": [item("@a")]}, "#/jobs/0/ref"),
    ({"jobs": [item("a" * 65)]}, "#/jobs/0/ref"), ({"jobs": [{"command": "true", "ref": 1}]}, "#/jobs/0/ref"),
    ({"jobs": [item("a"), item(None, "a", "nobody")]}, "#/jobs/1/depends_on/1/job"),
    ({"jobs": [item(depends_on=[{"job": NOBODY}])]}, "#/jobs/0/depends_on/0/job"),
    ({"jobs": [item(depends_on=[{"job": "x"}])]}, "#/jobs/0/depends_on/0/job"),
    ({"jobs": [item("a"), item(None, "a", ("a", "any"), ("a", "success"))]}, "#/jobs/1/depends_on/2"),
    ({"jobs": [item("a"), item(stdin={"from_job": "@b"})]}, "#/jobs/1/stdin/from_job"),
    ({"jobs": [item("a"), item(None, ("a", "any"), stdin={"from_job": "@a"})]}, "#/jobs/1/stdin/from_job"),
    ({"jobs": [item("a"), item(task="nope", command=None)]}, "#/jobs/1/task"),
    ({"jobs": [item("a", "a")]}, "#/jobs/0/depends_on/0/job"),
    ({"jobs": [item("a", stdin={"from_job": "@a"})]}, "#/jobs/0/stdin/from_job"),
]


@pytest.mark.parametrize("body, pointer", MISTAKES,
                         ids=[f"{p[2:]}-{i}" for i, (_, p) in enumerate(MISTAKES)])
def test_a_mistake_is_named(server, body, pointer):  # noqa: F811
    before = server.sql("SELECT count(*) FROM jobs")
    answer = server.request("POST", "/v1/batches", json.dumps(body))
    assert answer.status == 422, answer
    assert pointers(answer) == {pointer}, answer
    assert server.sql("SELECT count(*) FROM jobs") == before


def test_all_mistakes_of_all_jobs_are_named_at_once(server):  # noqa: F811
    answer = send(server, [item("a", priority=101), item("a", "nobody"), item("p", "q"), item("q", "p"),
                           item(command="/etc/passwd", depends_on=[{"job": NOBODY}])])
    assert pointers(answer) == {"#/jobs/0/priority", "#/jobs/1/ref", "#/jobs/1/depends_on/0/job",
                                "#/jobs/3/depends_on/0/job", "#/jobs/4/command",
                                "#/jobs/4/depends_on/0/job"}


def test_more_mistakes_than_are_listed_are_counted(server):  # noqa: F811
    answer = send(server, [item(priority=1000)] * 500)
    assert answer.status == 422 and answer.json()["detail"] == "500 things are wrong"
    assert len(answer.json()["errors"]) == 64


@pytest.mark.parametrize("edges, circle, pointer", [
    ("ab bc ca", "a waits for b waits for c waits for a", "#/jobs/2/depends_on/0/job"),
    ("xa xb ab ba", "a waits for b waits for a", "#/jobs/2/depends_on/0/job"),
    ("aa", "a waits for a", "#/jobs/0/depends_on/0/job"),
    ("ab ac bd cd de eb", "b waits for d waits for e waits for b", "#/jobs/4/depends_on/0/job"),
])
def test_a_circle_is_refused_by_name(server, edges, circle, pointer):  # noqa: F811
    refs = sorted({end for edge in edges.split() for end in edge}, key=edges.index)
    refs = sorted(refs, key=lambda ref: (ref != "x", ref))
    jobs = [item(ref, *[edge[1] for edge in edges.split() if edge[0] == ref]) for ref in refs]
    answer = send(server, jobs)
    assert answer.status == 422
    assert answer.json()["errors"] == [{"pointer": pointer, "detail": circle}]


def test_a_circle_as_long_as_the_batch(server):  # noqa: F811
    jobs = [item(f"j{i}", f"j{(i + 1) % 5000}") for i in range(5000)]
    answer = send(server, jobs)
    assert answer.json()["errors"] == [{
        "pointer": "#/jobs/4999/depends_on/0/job",
        "detail": "j0 waits for j1 waits for j2 waits for j3 waits for j4 waits for j5 waits for "
                  "4994 others, the last of them for j0"}]


def test_the_limits_name_their_settings(new_reeve):
    one = new_reeve()
    one.write_config(limits={"batch_jobs": 3, "batch_dependencies": 3, "dependencies": 2,
                             "body_bytes": 1024, "batch_body_bytes": 4096})
    one.start_httpapi()
    assert send(one, [item()] * 3).status == 201
    assert "limits.batch_jobs" in send(one, [item()] * 4).text
    two = [item("a"), item("b", "a"), item("c", "a", "b")]
    assert send(one, two).status == 201
    assert "limits.batch_dependencies" in send(one, [item("a", "b", "c"), item("b", "c"),
                                                     item("c", depends_on=[{"job": NOBODY}])]).text
    large = [item(name="n" * 250, args=["x" * 800])] * 3
    assert send(one, large).status == 201  # more than a single submission may have
    head = "POST {} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
    for path, limit, setting in [("/v1/jobs", 1024, b"limits.body_bytes"),
                                 ("/v1/batches", 4096, b"limits.batch_body_bytes")]:
        said = one.raw((head.format(path) + f"Content-Length: {limit + 1}\r\n\r\n").encode())
        assert b" 413 " in said and setting in said
        chunk = f"{limit:x}\r\n{' ' * limit}\r\n"
        unsaid = one.raw((head.format(path) + "Transfer-Encoding: chunked\r\n\r\n"
                          + chunk * 2 + "0\r\n\r\n").encode())
        assert b" 413 " in unsaid and setting in unsaid


def test_a_tree_that_would_fill_the_memory_is_refused(server):  # noqa: F811
    body = '{"jobs":[' + ",".join(["[" + "0," * 90000 + "0]"] * 30) + "]}"
    answer = server.request("POST", "/v1/batches", body)
    assert answer.status == 400 and "more than 2000000 values" in answer.text


# --- what is stored ---------------------------------------------------------------------------


def test_a_batch_is_stored_in_one_piece_and_answered_in_its_order(server):  # noqa: F811
    answer = send(server, [item("last", "middle", name="z", labels={"k": "v"}),
                           item("middle", ("first", "any"), args=["m"]), item("first"), item()])
    assert answer.status == 201, answer
    made = answer.json()
    assert answer.headers["Location"] == "/v1/jobs?batch=" + made["id"]
    assert [(job["ref"], job["state"], job["reason"], job["existing"]) for job in made["jobs"]] == [
        ("last", "waiting", "dependency", False), ("middle", "waiting", "dependency", False),
        ("first", "queued", None, False), (None, "queued", None, False)]
    ids = ids_of(answer)
    last, middle = server.job(ids["last"]), server.job(ids["middle"])
    assert last["depends_on"] == [{"job": ids["middle"], "on": "success", "state": "pending"}]
    assert middle["depends_on"] == [{"job": ids["first"], "on": "any", "state": "pending"}]
    assert (last["batch"], last["name"], last["labels"]) == (made["id"], "z", {"k": "v"})
    assert middle["command"] == ["/usr/bin/true", "m"]
    assert server.sql("SELECT count(DISTINCT batch), count(*) FROM jobs WHERE lower(hex(batch)) = ?",
                      made["id"].replace("-", "")) == [(1, 4)]


def test_each_job_has_the_program_it_names(server):  # noqa: F811
    """Whatever its neighbours name: the same by another name, something else, something wrong."""
    good = ["true", "true", "/usr/bin/true", "echo", "echo", "true"]
    answer = send(server, [item(command=name, args=["x"]) for name in good])
    assert answer.status == 201, answer
    stored = [server.request("GET", f"/v1/jobs/{job['id']}").json()["command"] for job in answer.json()["jobs"]]
    assert [os.path.basename(argv[0]) for argv in stored] == [os.path.basename(name) for name in good]
    wrong = ["true", "no such", "no such", "true", "/etc/passwd", "true"]
    answer = send(server, [item(command=name) for name in wrong])
    assert answer.status == 422, answer
    assert pointers(answer) == {"#/jobs/1/command", "#/jobs/2/command", "#/jobs/4/command"}


def test_a_batch_may_wait_for_jobs_that_are_there(reeve):
    reeve.start()
    good, bad = reeve.run("true"), reeve.run("false")
    answer = send(reeve, [
        item("a", depends_on=[{"job": good["id"]}]), item("b", depends_on=[{"job": bad["id"]}]),
        item("c", "b"), item("d", ("b", "any"))])
    assert [job["state"] for job in answer.json()["jobs"]] == ["queued", "skipped", "skipped", "queued"]
    ids = ids_of(answer)
    assert reeve.wait(ids["d"])["state"] == "succeeded"


def test_a_dry_run_says_how_each_would_be_born(server):  # noqa: F811
    before = server.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM events), "
                        "(SELECT count(*) FROM idempotency)")
    answer = send(server, [item("b", "a"), item("a"), item("c", hold=True)], "?dry_run=1",
                  headers={"Idempotency-Key": "dry-batch"})
    assert answer.status == 200 and answer.json() == {"dry_run": True, "id": None, "jobs": [
        {"ref": "b", "id": None, "state": "waiting", "reason": "dependency", "existing": False},
        {"ref": "a", "id": None, "state": "queued", "reason": None, "existing": False},
        {"ref": "c", "id": None, "state": "waiting", "reason": "hold", "existing": False}]}
    assert server.sql("SELECT (SELECT count(*) FROM jobs), (SELECT count(*) FROM events), "
                      "(SELECT count(*) FROM idempotency)") == before


def test_unique_work_in_a_batch(server):  # noqa: F811
    living = server.submit("true", unique={"key": "w"})
    answer = send(server, [item("a", unique={"key": "w"}), item("b", "a"), item("c", unique={"key": "v"})])
    ids = ids_of(answer)
    assert ids["a"] == living["id"]
    assert [job["existing"] for job in answer.json()["jobs"]] == [True, False, False]
    assert server.job(ids["b"])["depends_on"][0]["job"] == living["id"]
    before = server.sql("SELECT count(*) FROM jobs")
    refused = send(server, [item(), item("a", "c"), item("c", unique={"key": "w", "on_conflict": "reject"})])
    assert refused.status == 409 and refused.json()["job"] == living["id"]
    assert pointers(refused) == {"#/jobs/2/unique"}
    assert server.sql("SELECT count(*) FROM jobs") == before


@pytest.mark.parametrize("word", ["return", "reject", "replace"])
def test_one_batch_has_no_two_jobs_for_the_same_work(server, word):  # noqa: F811
    living = server.submit("true", hold=True, unique={"key": "twice-" + word})
    unique = {"key": "twice-" + word, "on_conflict": word}
    before = server.sql("SELECT count(*) FROM jobs")
    refused = send(server, [item(), item(unique=unique), item(unique={"key": "once"}), item(unique=unique),
                            item(unique=unique)])
    assert refused.status == 422
    assert pointers(refused) == {"#/jobs/3/unique/key", "#/jobs/4/unique/key"}
    assert "twice-" + word in refused.text and "another job of this batch" in refused.text
    assert server.sql("SELECT count(*) FROM jobs") == before
    assert server.job(living)["state"] == "waiting"


def test_the_same_key_gives_the_same_batch(server):  # noqa: F811
    living = server.submit("true", unique={"key": "r"})
    jobs = [item("b", "a", run_at="2096-01-01T00:00:00Z"), item("a"), item("u", unique={"key": "r"})]
    first = send(server, jobs, headers={"Idempotency-Key": "batch-1"})
    assert ids_of(first)["u"] == living["id"]
    server.cancel(ids_of(first)["a"])
    again = send(server, jobs, headers={"Idempotency-Key": "batch-1"})
    assert again.status == 201 and again.body == first.body
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.headers["Location"] == first.headers["Location"]
    assert first.headers["Idempotency-Replayed"] is None
    assert send(server, jobs[:2], headers={"Idempotency-Key": "batch-1"}).status == 422
    single = server.request("POST", "/v1/jobs", item(), headers={"Idempotency-Key": "batch-1"})
    assert single.status == 422


def test_a_refused_batch_does_not_disturb_the_others_of_its_commit(server):  # noqa: F811
    server.submit("true", unique={"key": "busy"})
    statuses = []

    def one(number):
        word = "reject" if number % 3 == 0 else "return"
        statuses.append((number, send(server, [item("a", name=f"mixed{number}"), item(
            "b", "a", unique={"key": "busy", "on_conflict": word})]).status))

    join_threads(start_threads(one, [(number,) for number in range(30)]))
    assert all(status == (409 if number % 3 == 0 else 201) for number, status in statuses)
    assert server.sql("SELECT count(*) FROM jobs WHERE name LIKE 'mixed%'") == [(20,)]


def test_ten_thousand_jobs(server):  # noqa: F811
    jobs = [item(f"j{i}", *([f"j{i - 1}"] if i % 100 else []), name="many") for i in range(9999, -1, -1)]
    ids = ids_of(send(server, jobs))
    assert len(set(ids.values())) == 10000
    assert server.sql("SELECT state, count(*) FROM jobs WHERE name = 'many' GROUP BY state") == [
        ("queued", 100), ("waiting", 9900)]
    assert server.job(ids["j77"])["depends_on"][0]["job"] == ids["j76"]


# --- all or none ------------------------------------------------------------------------------


def test_all_or_none_of_each_batch_whenever_it_is_killed(reeve):
    """Thirty times the intake is killed amid batches: each is there whole, or not at all, and what
    was acknowledged is there."""
    size, numbers, answered, refused, lock = 12, itertools.count(), {}, [], threading.Lock()
    reeve.write_config(limits={"connections": 2000})
    dice = random.Random(7)

    def work(stop):
        while not stop.is_set():
            with lock:
                number = next(numbers)
            jobs = [item(f"r{k}", *([f"r{k - 1}"] if k else []), name=f"n{number}") for k in range(size)]
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                answer = send(reeve, jobs, headers={"Idempotency-Key": f"k{number}"})
                if answer.status == 201:
                    answered[number] = answer.json()["id"]
                else:
                    refused.append(answer)

    for _ in range(30):
        reeve.start_httpapi()
        stop, had = threading.Event(), len(answered)
        threads = start_threads(work, [(stop,)] * 4)
        wanted = had + dice.randrange(1, 12)
        wait_until(lambda: len(answered) >= wanted, "batches to be answered", pause_s=0.0005)
        reeve.kill_httpapi()
        stop.set()
        join_threads(threads)
    assert not refused
    reeve.start_httpapi()
    counts = dict(reeve.sql("SELECT name, count(*) FROM jobs GROUP BY name"))
    assert set(counts.values()) == {size}
    assert {f"n{number}" for number in answered} <= set(counts)
    assert reeve.sql("SELECT count(*) FROM jobs j WHERE (SELECT count(*) FROM dependencies d WHERE "
                     "d.job_id = j.id) = 0") == [(len(counts),)]
    assert reeve.sql("PRAGMA integrity_check") == [("ok",)]
    assert reeve.cli("db", "verify", "--db", reeve.db).returncode == 0
    # Not acknowledged is unknown: the same key tells, and makes none twice.
    for number in range(next(numbers)):
        jobs = [item(f"r{k}", *([f"r{k - 1}"] if k else []), name=f"n{number}") for k in range(size)]
        again = send(reeve, jobs, headers={"Idempotency-Key": f"k{number}"})
        assert again.status == 201
        assert number not in answered or again.json()["id"] == answered[number]
        assert (again.headers["Idempotency-Replayed"] == "true") == (f"n{number}" in counts)
    assert set(dict(reeve.sql("SELECT name, count(*) FROM jobs GROUP BY name")).values()) == {size}


# --- a thousand jobs --------------------------------------------------------------------------

SCRIPT = 'echo "start $1" >> "$0"; echo "end $1" >> "$0"; exit "$2"'


class Pipeline:
    """A batch whose jobs write their own journal: `start NAME`, `end NAME`, appended."""

    def __init__(self, reeve):
        self.reeve = reeve
        self.path = os.path.join(reeve.work, "journal")
        self.parents = {}  # name -> ((parent, condition), ...)
        self.jobs = []

    def add(self, name, *parents, exit=0):
        self.parents[name] = tuple((p, "success") if isinstance(p, str) else p for p in parents)
        self.jobs.append(item(name, *parents, command="/bin/sh", name=name,
                              args=["-c", SCRIPT, self.path, name, str(exit)]))

    def run(self):
        """Submits all of it in reverse, waits for the end, and lets nobody wait in vain meanwhile."""
        answer = send(self.reeve, self.jobs[::-1])
        self.ids = ids_of(answer)
        wait_until(self.is_over, lambda: f"the pipeline to end: {self.states()}", 180, pause_s=0.05)

    def states(self):
        return dict(self.reeve.sql("SELECT state, count(*) FROM jobs GROUP BY state"))

    def is_over(self):
        assert hopeless(self.reeve) == []
        return not set(self.states()) & {"waiting", "queued", "running"}

    def state_of(self):
        return dict(self.reeve.sql("SELECT name, state FROM jobs"))

    def lines(self):
        with open(self.path, encoding="ascii") as file:
            return file.read().splitlines()

    def check_order(self):
        """Each job's own lines stand behind the last line of every job that it waited for."""
        lines = self.lines()
        place = {line: number for number, line in enumerate(lines)}
        assert len(place) == len(lines), "a job ran twice"
        ran = {line.split()[1] for line in lines}
        for name in ran:
            for parent, _ in self.parents[name]:
                if parent in ran:
                    assert place[f"end {parent}"] < place[f"start {name}"], (parent, name)
        return ran


def hopeless(reeve):
    """Jobs that wait for parents although none of these can bring them on, or all have."""
    return reeve.sql("""
        SELECT j.name FROM jobs j
         WHERE j.state = 'waiting' AND j.reason = 'dependency'
           AND (NOT EXISTS (SELECT 1 FROM dependencies d WHERE d.job_id = j.id AND d.state = 'pending')
                OR (j.depends_rule IS NULL
                    AND EXISTS (SELECT 1 FROM dependencies d
                                 WHERE d.job_id = j.id AND d.state = 'impossible'))
                OR EXISTS (SELECT 1 FROM dependencies d JOIN jobs p ON p.id = d.parent_id
                            WHERE d.job_id = j.id AND d.state = 'pending' AND p.finished_at IS NOT NULL))""")


def chain_and_diamond(reeve, broken=()):
    """A chain of 500 and a diamond of 500; jobs in `broken` exit with 1."""
    pipeline = Pipeline(reeve)
    for i in range(500):
        pipeline.add(f"c{i}", *([f"c{i - 1}"] if i else []), exit=int(f"c{i}" in broken))
    pipeline.add("top")
    middle = [f"m{i}" for i in range(498)]
    for name in middle:
        pipeline.add(name, "top", exit=int(name in broken))
    pipeline.add("bottom", *middle)
    return pipeline


def test_a_chain_and_a_diamond_of_a_thousand_jobs_run_in_order(reeve):
    reeve.start(slots=4)
    pipeline = chain_and_diamond(reeve)
    assert len(pipeline.jobs) == 1000
    pipeline.run()
    assert pipeline.states() == {"succeeded": 1000}
    assert pipeline.check_order() == set(pipeline.parents)
    chain = [line.split()[1] for line in pipeline.lines() if line.startswith("start c")]
    assert chain == [f"c{i}" for i in range(500)]


def test_breaking_one_in_the_middle_skips_exactly_those_that_needed_it(reeve):
    reeve.start(slots=4)
    pipeline = chain_and_diamond(reeve, broken=("c250", "m100"))
    pipeline.add("failed", ("c250", "failure"))
    pipeline.add("after-failed", "failed")
    pipeline.add("whatever", ("c250", "any"))
    pipeline.add("whatever-skipped", ("c400", "any"))
    pipeline.add("never", ("c100", "failure"))
    pipeline.add("never-below", "never")
    pipeline.add("skipped-is-no-failure", ("c300", "failure"))
    pipeline.add("bottom-any", ("bottom", "any"))
    pipeline.add("bottom-success", "bottom")
    pipeline.run()
    skipped = {f"c{i}" for i in range(251, 500)} | {
        "bottom", "bottom-success", "never", "never-below", "skipped-is-no-failure"}
    state = pipeline.state_of()
    assert {name for name, found in state.items() if found == "skipped"} == skipped
    assert {name for name, found in state.items() if found == "failed"} == {"c250", "m100"}
    assert set(state.values()) == {"skipped", "failed", "succeeded"}
    assert pipeline.check_order() == set(pipeline.parents) - skipped
    assert hopeless(reeve) == []
    assert reeve.sql("SELECT count(*) FROM dependencies WHERE state = 'pending'") == [(0,)]
    assert reeve.sql("SELECT count(*) FROM attempts a JOIN jobs j ON j.id = a.job_id "
                     "WHERE j.state = 'skipped'") == [(0,)]
    assert reeve.cli("db", "verify", "--db", reeve.db).returncode == 0
