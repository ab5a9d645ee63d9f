"""Queues over HTTP: limits, pauses, draining; who may, what is wrong, and what outlives what."""

import datetime
import os
import subprocess

import pytest

import harness
from intake import pointers

QUEUES = {"thumbs": {"max_running": 2, "default_timeout_s": 600}, "nightly": {"max_running": 1}}
FAR = "2096-11-21T06:00:00Z"
MEMBERS = ["name", "configured", "waiting", "queued", "running", "max_running", "configured_max_running",
           "limit_set", "default_timeout_s", "oldest_queued_at", "oldest_queued_s", "pause"]
CHANGES = [("POST", "/v1/queues/thumbs/pause"), ("POST", "/v1/queues/thumbs/resume"),
           ("PATCH", "/v1/queues/thumbs"), ("POST", "/v1/drain"), ("POST", "/v1/undrain")]


def me():
    return f"uid:{os.getuid()}"


def soon(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def get(reeve, path, via="unix"):
    answer = reeve.request("GET", path, via=via)
    assert answer.status == 200, answer
    return answer.json()


def lane(reeve, name, via="unix"):
    return get(reeve, f"/v1/queues/{name}", via)


def lanes(reeve):
    return {item["name"]: item for item in get(reeve, "/v1/queues")["items"]}


def change(reeve, path, body=None, method="POST", via="unix"):
    answer = reeve.request(method, path, body if body is not None else {}, via=via)
    assert answer.status == 200, answer
    return answer.json()


def limit(reeve, name, value):
    return change(reeve, f"/v1/queues/{name}", {"max_running": value}, "PATCH")


def refused(reeve, method, path, body):
    answer = reeve.request(method, path, body)
    assert answer.status == 422, answer
    return pointers(answer)


def intake(new_reeve, **config):
    """The intake without a worker: what is submitted stays queued."""
    one = new_reeve()
    one.write_config(queues=QUEUES, **config)
    one.start_httpapi()
    return one


def service_events(reeve):
    return [row[0] for row in reeve.sql("SELECT kind FROM v_events WHERE kind LIKE 'queue_%' OR kind LIKE '%drain%' "
                                        "ORDER BY id")]


# --- what there is ----------------------------------------------------------------------------


def test_the_configured_queues_are_there_before_any_worker_or_job(new_reeve):
    one = intake(new_reeve)
    found = lanes(one)
    assert sorted(found) == ["default", "nightly", "thumbs"]
    assert [list(item) for item in found.values()] == [MEMBERS] * 3
    assert lane(one, "thumbs") == found["thumbs"]
    assert found["thumbs"]["max_running"] == found["thumbs"]["configured_max_running"] == 2
    assert found["thumbs"]["default_timeout_s"] == 600
    assert found["default"]["max_running"] is None and found["default"]["configured"] is True
    drain = get(one, "/v1/queues")["drain"]
    assert drain == {"draining": False, "since": None, "by": None, "reason": None, "running": 0} == get(one, "/v1/drain")


def test_the_counts_are_those_of_the_jobs(reeve):
    reeve.start(queues=QUEUES, slots=4)
    running = reeve.submit("sleep", 1000, queue="nightly")
    reeve.wait_running(running)
    first = reeve.submit("true", queue="nightly")
    reeve.submit("true", queue="nightly")
    reeve.submit("true", queue="nightly", run_at=FAR)
    found = lane(reeve, "nightly")
    assert [found[name] for name in ("waiting", "queued", "running")] == [1, 2, 1]
    assert found["oldest_queued_at"] >= first["submitted_at"] and found["oldest_queued_s"] >= 0
    assert get(reeve, "/v1/drain")["running"] == 1
    empty = lane(reeve, "thumbs")
    assert [empty[name] for name in ("waiting", "queued", "running", "oldest_queued_at", "oldest_queued_s")] == [
        0, 0, 0, None, None]


def test_a_queue_that_is_not_there(new_reeve):
    one = intake(new_reeve)
    for method, path in [("GET", "/v1/queues/nigthly"), ("POST", "/v1/queues/nigthly/pause"),
                         ("POST", "/v1/queues/nigthly/resume")]:
        answer = one.request(method, path, {} if method == "POST" else None)
        assert answer.status == 404 and "nigthly" in answer.json()["detail"], answer
    assert one.request("PATCH", "/v1/queues/nigthly", {"max_running": 1}).status == 404
    assert 'did you mean "nightly"?' in one.request("GET", "/v1/queues/nigthly").json()["detail"]
    assert lanes(one).keys() == {"default", "nightly", "thumbs"}
    assert one.request("GET", "/v1/queues/a%2Fb").status == 400


# --- submitting -------------------------------------------------------------------------------


def test_a_submission_names_a_queue_of_the_configuration(new_reeve):
    one = intake(new_reeve)
    assert one.submit("true", queue="nightly")["queue"] == "nightly"
    for name, words in [("thums", 'there is no queue "thums"; did you mean "thumbs"?'),
                        ("other", 'there is no queue "other"; there are default, thumbs, nightly')]:
        answer = one.request("POST", "/v1/jobs", {"command": "true", "queue": name})
        assert answer.status == 422
        assert answer.json()["errors"] == [{"pointer": "#/queue", "detail": words}]


def test_the_timeout_of_a_queue_is_for_jobs_that_name_none(new_reeve):
    one = intake(new_reeve, timeout_s=50, tasks=[
        {"name": "slow", "executable": "/bin/true", "timeout_s": 70},
        {"name": "plain", "executable": "/bin/true"}])
    shown = {}
    for name, body in [("own", {"command": "true", "queue": "thumbs", "timeout_s": 5}),
                       ("queue", {"command": "true", "queue": "thumbs"}),
                       ("task", {"task": "slow", "queue": "thumbs"}),
                       ("task of queue", {"task": "plain", "queue": "thumbs"}),
                       ("settings", {"command": "true", "queue": "nightly"}),
                       ("default", {"command": "true"})]:
        answer = one.request("POST", "/v1/jobs", body)
        assert answer.status == 201, answer
        shown[name] = answer.json()["timeout_s"]
        assert one.job(answer.json())["timeout_s"] == shown[name]
    assert shown == {"own": 5, "queue": 600, "task": 70, "task of queue": 600, "settings": 50, "default": 50}


def test_the_queue_default_has_settings_too(new_reeve):
    one = new_reeve()
    one.write_config(queues={"default": {"max_running": 3, "default_timeout_s": 7}})
    one.start_httpapi()
    assert one.submit("true")["timeout_s"] == 7
    assert lane(one, "default")["max_running"] == 3


def test_a_repeated_submission_gets_the_first_answer_whatever_has_been_paused_since(new_reeve):
    one = intake(new_reeve)
    def submit():
        return one.request("POST", "/v1/jobs", {"command": "true", "queue": "nightly"}, headers={"Idempotency-Key": "k"})
    first = submit()
    change(one, "/v1/queues/nightly/pause")
    again = submit()
    assert (again.status, again.headers["Idempotency-Replayed"], again.body) == (201, "true", first.body)
    assert one.job(first.json())["reason"] == "queue_paused"


# --- limits -----------------------------------------------------------------------------------


def most_at_once(journal):
    """How many jobs ran at the same time, from the lines that they wrote at begin and end."""
    most = now = 0
    with open(journal, encoding="ascii") as file:
        for line in file.read().split():
            now += 1 if line == "+" else -1
            most = max(most, now)
    assert now == 0
    return most


def test_a_limit_is_never_exceeded(reeve):
    reeve.start(queues=QUEUES, slots=8)
    journal = os.path.join(reeve.work, "journal")
    jobs = [reeve.sh(f"echo + >> {journal}; sleep 0.02; echo - >> {journal}", queue="thumbs") for _ in range(40)]
    assert {reeve.wait(job)["state"] for job in jobs} == {"succeeded"}
    assert most_at_once(journal) <= 2


def test_a_limit_holds_while_the_worker_dies_again_and_again(reeve):
    reeve.start(queues=QUEUES, slots=8)
    journal = os.path.join(reeve.work, "journal")
    jobs = [reeve.sh(f"echo + >> {journal}; sleep 0.05; echo - >> {journal}", queue="thumbs") for _ in range(20)]
    for job in jobs[:5]:
        reeve.wait(job)
        reeve.kill_worker()
        reeve.start_worker()
    assert {reeve.wait(job)["state"] for job in jobs} == {"succeeded"}
    assert most_at_once(journal) <= 2


def test_owners_take_turns(reeve):
    """Somebody's many jobs delay another's one by one job."""
    reeve.start(slots=1)
    gate, journal = os.path.join(reeve.work, "gate"), os.path.join(reeve.work, "journal")
    reeve.wait_running(reeve.sh(f"until [ -e {gate} ]; do sleep 0.02; done"))
    many = [reeve.sh(f"echo many >> {journal}") for _ in range(30)]
    one = reeve.sh(f"echo one >> {journal}", via="tcp")
    assert one["owner"] == "token:local" and many[0]["owner"] == me()
    assert get(reeve, f"/v1/jobs/{one['id']}/explain")["ahead"] <= 1
    with open(gate, "w", encoding="ascii"):
        pass
    for job in [*many, one]:
        assert reeve.wait(job)["state"] == "succeeded"
    with open(journal, encoding="ascii") as file:
        assert file.read().split().index("one") <= 1


def test_as_many_run_as_the_limit_says(reeve):
    """Two that wait for each other can only end when both run; the third has to wait for them."""
    reeve.start(queues=QUEUES, slots=8)
    gate = os.path.join(reeve.work, "gate")
    meet = f"touch {gate}.$0; until [ -e {gate}.1 ] && [ -e {gate}.2 ] && [ -e {gate}.go ]; do sleep 0.02; done"
    pair = [reeve.submit("sh", "-c", meet, str(number), queue="thumbs") for number in (1, 2)]
    third = reeve.submit("true", queue="thumbs")
    for job in pair:
        reeve.wait_running(job)
    found = reeve.job(third)
    assert (found["state"], found["reason"]) == ("queued", "queue_limit")
    assert [item["reason"] for item in get(reeve, "/v1/jobs?state=queued")["items"]] == ["queue_limit"]
    with open(gate + ".go", "w", encoding="ascii"):
        pass
    assert {reeve.wait(job)["state"] for job in [*pair, third]} == {"succeeded"}


@pytest.mark.parametrize("how", ["full", "paused"])
def test_a_shut_queue_does_not_block_another(reeve, how):
    reeve.start(queues=QUEUES, slots=4)
    if how == "full":
        reeve.wait_running(reeve.submit("sleep", 1000, queue="nightly"))
    else:
        change(reeve, "/v1/queues/nightly/pause")
    stuck = [reeve.submit("true", queue="nightly", priority=100) for _ in range(20)]
    assert reeve.run("true", queue="thumbs", priority=-100)["state"] == "succeeded"
    assert {reeve.job(job)["state"] for job in stuck} == {"queued"}


def test_the_limit_is_changed_at_once_and_kept(reeve):
    reeve.start(queues=QUEUES, slots=4)
    one, two = (reeve.submit("sleep", 1000, queue="nightly") for _ in range(2))
    reeve.wait_running(one)
    assert reeve.job(two)["reason"] == "queue_limit"
    assert limit(reeve, "nightly", 2)["max_running"] == 2
    reeve.wait_running(two)
    reeve.stop()
    reeve.start()
    found = lane(reeve, "nightly")
    assert (found["max_running"], found["configured_max_running"], found["limit_set"]) == (2, 1, True)
    three = reeve.submit("true", queue="nightly")
    assert limit(reeve, "nightly", None)["max_running"] is None
    assert reeve.wait(three)["state"] == "succeeded"
    assert limit(reeve, "nightly", 0)["running"] == 2  # stops nothing that runs
    found = limit(reeve, "nightly", "configured")
    assert (found["max_running"], found["limit_set"]) == (1, False)


def test_what_was_set_is_stronger_than_a_new_configuration(reeve):
    reeve.start(queues=QUEUES)
    limit(reeve, "nightly", 5)
    reeve.stop()
    reeve.start(queues={"nightly": {"max_running": 9}})
    found = lane(reeve, "nightly")
    assert (found["max_running"], found["configured_max_running"]) == (5, 9)
    assert limit(reeve, "nightly", "configured")["max_running"] == 9


# --- pausing ----------------------------------------------------------------------------------


def test_a_paused_queue_accepts_and_starts_nothing(reeve):
    reeve.start(queues=QUEUES)
    running = reeve.submit("sleep", 1000, queue="thumbs")
    reeve.wait_running(running)
    paused = change(reeve, "/v1/queues/thumbs/pause", {"reason": "disk is full"})
    assert paused["pause"]["by"] == me() and paused["pause"]["until"] is None
    job = reeve.submit("true", queue="thumbs")
    reeve.run("true")
    found = reeve.job(job)
    assert (found["state"], found["reason"], found["attempt"]) == ("queued", "queue_paused", 0)
    assert reeve.job(running)["state"] == "running"
    assert change(reeve, "/v1/queues/thumbs/resume")["pause"] is None
    assert reeve.wait(job)["state"] == "succeeded"
    assert service_events(reeve) == ["queue_paused", "queue_resumed"]


@pytest.mark.parametrize("kind", ["expires_at", "deadline_s"])
def test_a_chain_that_is_over_in_a_paused_queue_ends_whole(reeve, kind):
    """The first one's end skips the others, which are over at the same moment."""
    reeve.start(queues=QUEUES)
    change(reeve, "/v1/queues/thumbs/pause")
    given = {"expires_at": soon(1)} if kind == "expires_at" else {"deadline_s": 1}
    answer = reeve.request("POST", "/v1/batches", {"jobs": [
        {"ref": f"r{i}", "command": "true", "queue": "thumbs", **given,
         **({"depends_on": [{"job": f"@r{i - 1}"}]} if i else {})} for i in range(3)]})
    assert answer.status == 201, answer
    ends = [reeve.wait(job) for job in answer.json()["jobs"]]
    assert [(end["state"], end["reason"]) for end in ends] == [
        ("failed", "expired"), ("skipped", "dependency"), ("skipped", "dependency")]
    assert reeve.run("true")["state"] == "succeeded"


def test_a_pause_of_one_is_seen_by_another(reeve):
    reeve.start(queues=QUEUES)
    change(reeve, "/v1/queues/thumbs/pause", {"reason": "moving the archive", "until": FAR})
    seen = lane(reeve, "thumbs", via="tcp")["pause"]
    assert (seen["by"], seen["reason"], seen["until"]) == (me(), "moving the archive", FAR[:-1] + ".000000Z")
    change(reeve, "/v1/queues/thumbs/pause", {"reason": "not yet"}, via="tcp")
    seen = lane(reeve, "thumbs")["pause"]
    assert (seen["by"], seen["reason"], seen["until"]) == ("token:local", "not yet", None)


def test_a_pause_with_an_end_resumes_by_itself(reeve):
    reeve.start(queues=QUEUES)
    for seconds in (1.5, 6, 30):  # a slow machine may be late for the first
        answer = reeve.request("POST", "/v1/queues/thumbs/pause", {"until": soon(seconds)})
        if answer.status == 200:
            break
    until = answer.json()["pause"]["until"]
    job = reeve.submit("true", queue="thumbs")
    done = reeve.wait(job)
    assert done["state"] == "succeeded" and done["started_at"] >= until
    assert lane(reeve, "thumbs")["pause"] is None


def test_a_pause_that_ended_while_nobody_was_there(reeve):
    reeve.start(queues=QUEUES)
    change(reeve, "/v1/queues/thumbs/pause", {"until": FAR})
    job = reeve.submit("true", queue="thumbs")
    reeve.kill_worker()
    reeve.sql_write("UPDATE queues SET paused_until = paused_at + 1 WHERE name = 'thumbs'")
    reeve.start_worker()
    assert reeve.wait(job)["state"] == "succeeded"


def test_pause_and_limit_outlive_everything(reeve):
    reeve.start(queues=QUEUES)
    change(reeve, "/v1/queues/thumbs/pause", {"reason": "later"})
    job = reeve.submit("true", queue="thumbs")
    reeve.kill_httpapi()
    reeve.kill_worker()
    reeve.start()
    assert reeve.run("true")["state"] == "succeeded"
    assert reeve.job(job)["reason"] == "queue_paused"
    assert lane(reeve, "thumbs")["pause"]["reason"] == "later"
    change(reeve, "/v1/queues/thumbs/resume")
    assert reeve.wait(job)["state"] == "succeeded"


def test_asking_twice_changes_nothing(new_reeve):
    one = intake(new_reeve)
    change(one, "/v1/queues/thumbs/resume")
    change(one, "/v1/undrain")
    assert service_events(one) == []
    limit(one, "thumbs", 7)
    limit(one, "thumbs", 7)
    change(one, "/v1/drain", {"reason": "a"})
    since = get(one, "/v1/drain")["since"]
    assert change(one, "/v1/drain", {"reason": "a"})["since"] == since
    assert service_events(one)[:2] == ["queue_limited", "draining"]


# --- draining ---------------------------------------------------------------------------------


def test_draining_starts_nothing_and_stops_nothing(reeve):
    reeve.start(queues=QUEUES)
    gate = os.path.join(reeve.work, "gate")
    running = reeve.sh(f"until [ -e {gate} ]; do sleep 0.02; done; echo done")
    reeve.wait_running(running)
    drain = change(reeve, "/v1/drain", {"reason": "new kernel"})
    assert (drain["draining"], drain["by"], drain["reason"], drain["running"]) == (True, me(), "new kernel", 1)
    jobs = [reeve.submit("true", queue=name) for name in ("default", "thumbs")]
    with open(gate, "w", encoding="ascii"):
        pass
    assert reeve.wait(running)["state"] == "succeeded" and reeve.output(running) == b"done\n"
    harness.wait_until(lambda: get(reeve, "/v1/drain")["running"] == 0, "nothing to run")
    assert [(reeve.job(job)["state"], reeve.job(job)["reason"]) for job in jobs] == [("queued", "draining")] * 2
    assert get(reeve, "/v1/queues")["drain"]["draining"] is True
    assert change(reeve, "/v1/undrain")["draining"] is False
    assert {reeve.wait(job)["state"] for job in jobs} == {"succeeded"}
    assert service_events(reeve) == ["draining", "undrained"]


def test_draining_outlives_the_death_of_both(reeve):
    reeve.start(queues=QUEUES)
    change(reeve, "/v1/drain", {"reason": "new kernel"})
    job = reeve.submit("true")
    for _ in range(2):
        reeve.kill_httpapi()
        reeve.kill_worker()
        reeve.start()
    # The worker has looked: something that it does for others than starting was done.
    due = reeve.submit("true", run_at=soon(0.2))
    reeve.wait_state(due, "queued")
    assert (reeve.job(job)["state"], reeve.job(job)["attempt"]) == ("queued", 0)
    assert get(reeve, "/v1/drain")["reason"] == "new kernel"
    change(reeve, "/v1/undrain")
    assert [reeve.wait(one)["state"] for one in (job, due)] == ["succeeded"] * 2


def test_a_retry_waits_for_the_end_of_the_draining(reeve):
    reeve.start()
    gate = os.path.join(reeve.work, "gate")
    job = reeve.sh(f"until [ -e {gate} ]; do sleep 0.02; done; [ $REEVE_ATTEMPT = 2 ]",
                   retry={"max_attempts": 2, "delay_s": 0})
    reeve.wait_running(job)
    change(reeve, "/v1/drain")
    with open(gate, "w", encoding="ascii"):
        pass
    found = reeve.wait_state(job, "queued", "succeeded", "failed")
    assert (found["state"], found["reason"], found["attempt"]) == ("queued", "draining", 1)
    change(reeve, "/v1/undrain")
    assert reeve.wait(job)["state"] == "succeeded"


def test_readiness_mentions_draining_and_does_not_fail(reeve):
    reeve.start()
    def check():
        answer = reeve.request("GET", "/healthz/ready")
        assert answer.status == 200, answer
        return answer.json()["checks"]["worker:draining"]
    assert check() == [{"status": "pass"}]
    since = change(reeve, "/v1/drain", {"reason": "new kernel"})["since"]
    assert check() == [{"status": "pass", "output": f"draining since {since} by {me()}: new kernel"}]


# --- a queue that the configuration loses -----------------------------------------------------


def test_a_queue_that_is_removed_keeps_its_jobs(reeve):
    reeve.start(queues=QUEUES)
    change(reeve, "/v1/queues/thumbs/pause")
    job = reeve.submit("true", queue="thumbs")
    first = reeve.submit("true", queue="nightly")
    reeve.submit("true", queue="thumbs", depends_on=[{"job": first["id"], "on": "success"}])
    key = {"Idempotency-Key": "again"}
    assert reeve.wait(first)["state"] == "succeeded"
    made = reeve.request("POST", f"/v1/jobs/{first['id']}/rerun", {"cascade": True}, headers=key).json()
    jobs = reeve.sql("SELECT count(*) FROM jobs")
    reeve.stop()
    reeve.config["queues"] = {"nightly": {}}
    reeve.start()
    found = lane(reeve, "thumbs")
    assert (found["configured"], found["max_running"]) == (False, None) and found["queued"] >= 1
    assert refused(reeve, "POST", "/v1/jobs", {"command": "true", "queue": "thumbs"}) == {"#/queue"}
    change(reeve, "/v1/queues/thumbs/resume")
    assert reeve.wait(job)["state"] == "succeeded"
    # the queue of the last one is there, but not that of what depends on it
    for old, body in ((job, {}), (job, {"cascade": True}), (first, {"cascade": True})):
        again = reeve.request("POST", f"/v1/jobs/{old['id']}/rerun", body)
        assert again.status == 422 and "thumbs" in again.json()["detail"], again
    assert reeve.sql("SELECT count(*) FROM jobs") == jobs
    # what was answered before is answered again
    same = reeve.request("POST", f"/v1/jobs/{first['id']}/rerun", {"cascade": True}, headers=key)
    assert (same.status, same.json()["id"]) == (201, made["id"])
    reeve.stop()
    reeve.config["queues"] = QUEUES
    reeve.start()
    assert reeve.request("POST", f"/v1/jobs/{job['id']}/rerun", {}).status == 201


# --- who may, and what is wrong ---------------------------------------------------------------


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_who_may_not(new_reeve):
    one = new_reeve()
    path = os.path.join(one.base, "open.sock")
    one.write_config(queues=QUEUES, listeners=[{"address": "unix:" + path, "mode": "0666"}])
    os.chmod(one.base, 0o755)
    one.httpapi = one.launch("reeve-httpapi")
    one.httpapi.wait_line("ev=ready")
    script = ("import os,socket,sys; os.setgid(65534); os.setuid(65534);"
              "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
              "s.sendall((sys.argv[2]+' HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\n"
              "Content-Length: 2\\r\\nConnection: close\\r\\n\\r\\n{}').encode());"
              "sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(9999), b'')))")
    for method, target in CHANGES:
        out = subprocess.run(["/usr/bin/python3", "-c", script, path, f"{method} {target}"],
                             capture_output=True, check=True, timeout=harness.LIMIT_S).stdout
        assert b" 403 " in out.splitlines()[0], out
        assert b"needs admin" in out
    assert service_events(one) == []


def test_without_a_token_and_from_another_site(new_reeve):
    one = intake(new_reeve)
    for method, path in CHANGES:
        body = {"max_running": 1} if method == "PATCH" else {}
        assert one.request(method, path, body, via="tcp", headers={"Authorization": None}).status == 401
        assert one.request(method, path, body, headers={"Origin": "http://evil.example"}).status == 403
        assert one.request(method, path, body, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
        assert one.request(method, path, body, headers={"Content-Type": "text/plain"}).status == 415
        assert one.request(method, path, body, headers={"Content-Type": "application/x-www-form-urlencoded"}).status == 415
    assert one.request("PATCH", "/v1/queues/thumbs").status == 415  # a body is required, and none came
    assert service_events(one) == []


@pytest.mark.parametrize("method, path, allow", [
    ("PUT", "/v1/queues/thumbs", "GET, HEAD, PATCH"), ("DELETE", "/v1/queues/thumbs", "GET, HEAD, PATCH"),
    ("POST", "/v1/queues", "GET, HEAD"), ("PATCH", "/v1/queues", "GET, HEAD"), ("PATCH", "/v1/jobs", "POST, GET, HEAD"),
    ("GET", "/v1/queues/thumbs/pause", "POST"), ("PATCH", "/v1/drain", "GET, HEAD, POST"),
    ("GET", "/v1/undrain", "POST")])
def test_the_wrong_method(new_reeve, method, path, allow):
    one = intake(new_reeve)
    answer = one.request(method, path, {} if method in ("POST", "PATCH", "PUT") else None)
    assert (answer.status, answer.headers["Allow"]) == (405, allow)


def test_wrong_bodies_name_every_fault(new_reeve):
    one = intake(new_reeve)
    pause = "/v1/queues/thumbs/pause"
    assert refused(one, "POST", pause, {"reason": 5, "until": "tomorrow", "untill": 1}) == {
        "#/reason", "#/until", "#/untill"}
    for until in ("2001-01-01T00:00:00Z", 5, "", "2096-11-21", True):
        assert refused(one, "POST", pause, {"until": until}) == {"#/until"}
    assert refused(one, "POST", pause, {"reason": "x" * 1001}) == {"#/reason"}
    assert refused(one, "POST", "/v1/queues/thumbs/resume", {"reason": "x"}) == {"#/reason"}
    assert refused(one, "POST", "/v1/drain", {"until": FAR}) == {"#/until"}
    assert refused(one, "POST", "/v1/undrain", {"reason": "x"}) == {"#/reason"}
    for value in (-1, 1.5, 1000001, "many", "", True, [], {}, 1e15):
        assert refused(one, "PATCH", "/v1/queues/thumbs", {"max_running": value}) == {"#/max_running"}
    for nothing in ({}, ""):
        headers = {"Content-Type": "application/json"}
        assert pointers(one.request("PATCH", "/v1/queues/thumbs", nothing, headers=headers)) == {"#/max_running"}
    assert refused(one, "PATCH", "/v1/queues/thumbs", {"Max_running": 1}) == {"#/Max_running", "#/max_running"}
    for method, path in CHANGES:
        assert refused(one, method, path, [1]) == {"#"}
        assert one.request(method, path, '{"a":').status == 400
        assert one.request(method, path, '{"reason":"a","reason":"b"}').status == 400
    answer = one.request("POST", pause, {"untill": FAR})
    assert answer.json()["errors"] == [{"pointer": "#/untill", "detail": 'unknown key; did you mean "until"?'}]
    assert service_events(one) == []


def test_null_and_no_body_mean_nothing_said(new_reeve):
    one = intake(new_reeve)
    assert one.request("POST", "/v1/queues/thumbs/pause").status == 200
    pause = change(one, "/v1/queues/thumbs/pause", {"reason": None, "until": None})["pause"]
    assert (pause["reason"], pause["until"]) == (None, None)
    for path in ("/v1/queues/thumbs/resume", "/v1/drain", "/v1/undrain"):
        assert one.request("POST", path).status == 200


def test_the_history_says_who_and_why(new_reeve):
    one = intake(new_reeve)
    change(one, "/v1/queues/thumbs/pause", {"reason": "disk is full"}, via="tcp")
    limit(one, "thumbs", 9)
    change(one, "/v1/drain", {"reason": "new kernel"})
    rows = one.sql("SELECT kind, principal, data FROM v_events WHERE kind IN ('queue_paused', 'queue_limited', "
                   "'draining') ORDER BY id")
    assert [(kind, who) for kind, who, _ in rows] == [
        ("queue_paused", "token:local"), ("queue_limited", me()), ("draining", me())]
    assert "disk is full" in rows[0][2] and "thumbs" in rows[0][2]
    assert "9" in rows[1][2] and "new kernel" in rows[2][2]
    assert one.cli("db", "verify", "--db", one.db).returncode == 0
