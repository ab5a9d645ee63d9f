"""Callbacks as a client meets them: what a submission may name, lists, and sending again.

No sender runs here: a job that is cancelled before it starts writes its callback, and what
would have become of it is written by hand."""

import json
import os
import socket

import pytest

import harness
from intake import pointers

APP = "https://app.example/done"
MEMBERS = ["id", "job", "kind", "attempt", "state", "tries", "max_tries", "url", "owner", "created_at", "next_at",
           "last_try_at", "last_status", "last_error", "ended_at"]
LISTENERS = ["unix", "tcp"]


@pytest.fixture(scope="module")
def server():
    one = harness.Reeve()
    one.write_config(callbacks={"allowed_hosts": ["app.example:443", "127.0.0.1:8000", "[2001:db8::1]:8080"]})
    one.start_httpapi()
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def submit(server, callback, query="", via="unix", **more):
    return server.request("POST", "/v1/jobs" + query, {"command": "true", "callback": callback, **more}, via=via)


def ended(server, via="unix", url=APP, **more):
    """A job that has ended, and so a callback that is to be sent."""
    answer = submit(server, {"url": url, **more}, via=via)
    assert answer.status == 201, answer
    assert server.cancel(answer.json(), via=via).status == 200
    return answer.json()["id"]


def get(server, path, via="unix"):
    answer = server.request("GET", path, via=via)
    assert answer.status == 200, answer
    return answer.json()


def callback_of(server, job):
    items = get(server, f"/v1/jobs/{job}/callbacks")["items"]
    assert len(items) == 1, items
    return items[0]


def became(server, callback, state, status=500, error="answered 500"):
    server.sql_write("UPDATE callbacks SET state = ?, tries = 10, next_at = NULL, ended_at = created_at + 5, "
                     "last_try_at = created_at + 4, last_status = ?, last_error = ? WHERE webhook_id = ?",
                     state, status, error, callback["id"])


# --- the member of a submission -------------------------------------------------------------


@pytest.mark.parametrize("via", LISTENERS)
@pytest.mark.parametrize("given, shown", [
    ({"url": APP}, {"url": APP, "on": ["final"]}),
    ({"url": APP, "on": None}, {"url": APP, "on": ["final"]}),
    ({"url": "HTTPS://App.Example:443/Done?x=%2F", "on": ["lost", "started", "failed"]},
     {"url": "https://app.example/Done?x=%2F", "on": ["started", "failed", "lost"]}),
    ({"url": "http://127.0.0.1:8000", "on": ["succeeded", "cancelled", "skipped", "final"]},
     {"url": "http://127.0.0.1:8000/", "on": ["final", "succeeded", "cancelled", "skipped"]}),
    ({"url": "http://[2001:DB8:0::1]:8080/x"}, {"url": "http://[2001:db8::1]:8080/x", "on": ["final"]}),
])
def test_it_is_taken_and_shown(server, via, given, shown):
    dry = submit(server, given, "?dry_run=1", via=via)
    assert dry.status == 200 and dry.json()["job"]["callback"] == shown, dry
    made = submit(server, given, via=via)
    assert made.status == 201 and made.json()["callback"] == shown, made
    found = get(server, "/v1/jobs/" + made.json()["id"], via)
    assert found["callback"] == shown and list(found["callback"]) == ["url", "on"]


@pytest.mark.parametrize("given", [None, "absent"])
def test_without_one_nobody_is_told(server, given):
    made = server.request("POST", "/v1/jobs", {"command": "true"} if given else {"command": "true", "callback": None})
    assert made.json()["callback"] is None
    server.cancel(made.json())
    assert get(server, f"/v1/jobs/{made.json()['id']}/callbacks")["items"] == []


WORDS = '"final", "started", "succeeded", "failed", "cancelled", "skipped", "lost"'
MISTAKES = [
    ([], "#/callback", "must be an object"),
    ("https://app.example/", "#/callback", "must be an object"),
    ({}, "#/callback/url", "is required"),
    ({"url": None}, "#/callback/url", "is required"),
    ({"on": ["final"]}, "#/callback/url", "is required"),
    ({"url": 1}, "#/callback/url", "must be a string"),
    ({"url": ""}, "#/callback/url", "must not be empty"),
    ({"url": APP, "On": ["final"]}, "#/callback/On", 'did you mean "on"?'),
    ({"url": APP, "secret": "x"}, "#/callback/secret", "unknown key"),
    ({"url": APP, "headers": {"Host": "x"}}, "#/callback/headers", "unknown key"),
    ({"url": APP, "on": "final"}, "#/callback/on", "must be an array of at least one word"),
    ({"url": APP, "on": []}, "#/callback/on", "must be an array of at least one word"),
    ({"url": APP, "on": ["final", "done"]}, "#/callback/on/1", "must be one of " + WORDS),
    ({"url": APP, "on": ["running"]}, "#/callback/on/0", "must be one of " + WORDS),
    ({"url": APP, "on": [None]}, "#/callback/on/0", "must be one of " + WORDS),
    ({"url": APP, "on": [["final"]]}, "#/callback/on/0", "must be one of " + WORDS),
    ({"url": APP, "on": ["lost", "final", "lost"]}, "#/callback/on/2", "is there twice"),
    ({"url": APP + "/" + "a" * 2048}, "#/callback/url", "is longer than 2048 bytes"),
    ({"url": "https://other.example/"}, "#/callback/url",
     "other.example:443 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "http://app.example/"}, "#/callback/url",
     "app.example:80 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "https://app.example:8443/"}, "#/callback/url",
     "app.example:8443 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "https://app.example.evil/"}, "#/callback/url",
     "app.example.evil:443 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "https://user:secret@app.example/"}, "#/callback/url", "must not have a user name or password"),
    ({"url": "https://app.example/#x"}, "#/callback/url", "must not have a fragment"),
]


@pytest.mark.parametrize("given, pointer, words", MISTAKES, ids=[str(i) for i in range(len(MISTAKES))])
def test_a_mistake_is_named(server, given, pointer, words):
    before = server.sql("SELECT count(*) FROM jobs")
    answer = submit(server, given)
    assert answer.status == 422 and pointers(answer) == {pointer}, answer
    assert words in answer.json()["errors"][0]["detail"], answer
    assert "secret" not in answer.text or pointer.endswith("secret")
    assert server.sql("SELECT count(*) FROM jobs") == before


def test_all_mistakes_are_told_at_once(server):
    answer = submit(server, {"url": "file:///etc/passwd", "on": ["x", "final", "final"], "to": 1}, priority=1000)
    assert pointers(answer) == {"#/callback/url", "#/callback/on/0", "#/callback/on/2", "#/callback/to", "#/priority"}


@pytest.mark.parametrize("via", LISTENERS)
def test_without_allowed_hosts_there_are_none(new_reeve, via):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    answer = submit(one, {"url": APP}, via=via)
    assert answer.status == 422 and pointers(answer) == {"#/callback/url"}
    assert "callbacks are off here: callbacks.allowed_hosts" in answer.text


def test_in_a_batch(server):
    jobs = [{"command": "true", "callback": {"url": APP}}, {"command": "true"},
            {"command": "true", "callback": {"url": "https://evil.example/", "on": ["x"]}}]
    answer = server.request("POST", "/v1/batches", {"jobs": jobs})
    assert answer.status == 422
    assert pointers(answer) == {"#/jobs/2/callback/url", "#/jobs/2/callback/on/0"}
    jobs[2]["callback"] = {"url": APP + "/2", "on": ["started"]}
    made = server.request("POST", "/v1/batches", {"jobs": jobs})
    assert made.status == 201
    shown = [get(server, "/v1/jobs/" + one["id"])["callback"] for one in made.json()["jobs"]]
    assert shown == [{"url": APP, "on": ["final"]}, None, {"url": APP + "/2", "on": ["started"]}]


def test_a_rerun_tells_the_same(server):
    first = ended(server, on=["cancelled", "started"])
    again = server.request("POST", f"/v1/jobs/{first}/rerun", {})
    assert again.status == 201, again
    assert again.json()["callback"] == {"url": APP, "on": ["started", "cancelled"]}


def test_a_repeated_request_shows_it_again(server):
    body, headers = {"command": "true", "callback": {"url": APP}}, {"Idempotency-Key": "again"}
    first = server.request("POST", "/v1/jobs", body, headers)
    again = server.request("POST", "/v1/jobs", body, headers)
    assert again.headers["Idempotency-Replayed"] == "true" and again.json() == first.json()


def test_a_living_job_of_the_same_key_tells_whom_it_did(server):
    first = server.request("POST", "/v1/jobs", {"command": "true", "unique": {"key": "told"}})
    again = submit(server, {"url": APP}, unique={"key": "told"})
    assert (again.status, again.json()["id"], again.json()["callback"]) == (200, first.json()["id"], None)


def test_it_cannot_be_changed_afterwards(server):
    made = submit(server, {"url": APP}).json()
    answer = server.request("PATCH", "/v1/jobs/" + made["id"], {"callback": None})
    assert answer.status == 422 and pointers(answer) == {"#/callback"}


# --- what must never be called --------------------------------------------------------------

# PORT is that of a sink, which is allowed by each of its canonical names.
DISGUISES = [
    "http://127.1:PORT/", "http://127.0.1:PORT/", "http://2130706433:PORT/", "http://0x7f000001:PORT/",
    "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/", "http://017700000001:PORT/", "http://127.0.0.1.:PORT/",
    "http://localhost.:PORT/", "http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/",
    "http://[::127.0.0.1]:PORT/", "http://[::1]:PORT/", "http://[::]:PORT/", "http://0:PORT/", "http://0.0.0.0:PORT/",
    "http://127.0.0.2:PORT/", "http://127.000.000.001:PORT/", "http://%31%32%37.0.0.1:PORT/",
    "http://127。0。0。1:PORT/", "http://①27.0.0.1:PORT/", "http://localhost%00.evil:PORT/",
    "http://a@127.0.0.1:PORT/", "http://127.0.0.1:PORT@evil.example/", "http://evil.example:PORT@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@evil.example/", "http://evil.example#@127.0.0.1:PORT/",
    "http://evil.example\\.127.0.0.1:PORT/", "http://127.0.0.1:PORT#/", "http://127.0.0.1\t:PORT/",
    "\thttp://127.0.0.1:PORT/", "http://127.0.0.1:PORT/\r\nHost: evil.example", "http://127.0.0.1 :PORT/",
    "http:/127.0.0.1:PORT/", "http:127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "//127.0.0.1:PORT/",
    "127.0.0.1:PORT", "http://[::1", "http://[127.0.0.1]:PORT/", "http://[fe80::1%25lo]:PORT/",
    "http://127.0.0.1:0PORT/", "http://127.0.0.1:+PORT/", "http://127.0.0.1:PORT:80/", "http://127.0.0.1:/",
    "http://127.0.0.1/", "https://127.0.0.1/", "http://127.0.0.1:PORT/a/../b", "http://127.0.0.1:PORT/%2e%2e/b",
    "file:///etc/passwd", "file://127.0.0.1:PORT/", "ftp://127.0.0.1:PORT/", "gopher://127.0.0.1:PORT/_x",
    "dict://127.0.0.1:PORT/x", "unix:///run/reeve.sock", "data:,x", "http+unix://127.0.0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "http://[fd00:ec2::254]/",
]


def test_no_disguise_of_an_allowed_host_is_taken(new_reeve):
    """Nor is anybody called for having been named: not even a sink that may be."""
    with socket.create_server(("127.0.0.1", 0)) as sink:
        port = str(sink.getsockname()[1])
        one = new_reeve()
        hosts = ["127.0.0.1:" + port, "localhost:" + port]
        one.write_config(callbacks={"allowed_hosts": hosts, "internal_hosts": hosts})
        one.start_httpapi()
        texts = [text.replace("PORT", port) for text in DISGUISES]
        for number, text in enumerate(texts):
            answer = submit(one, {"url": text}, via=LISTENERS[number % 2])
            assert answer.status == 422 and pointers(answer) == {"#/callback/url"}, (text, answer)
        batch = one.request("POST", "/v1/batches", {"jobs": [{"command": "true", "callback": {"url": text}}
                                                              for text in texts]})
        assert batch.status == 422
        assert one.sql("SELECT count(*) FROM jobs") == one.sql("SELECT count(*) FROM callbacks") == [(0,)]
        good = submit(one, {"url": f"http://127.0.0.1:{port}/"})
        assert good.status == 201
        assert one.cancel(good.json()).status == 200
        # The intake calls nobody: what has to be sent lies in the outbox.
        assert one.sql("SELECT state, tries FROM callbacks") == [("pending", 0)]
        sink.setblocking(False)
        with pytest.raises(BlockingIOError):
            sink.accept()


# --- lists ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(server):
    """Seven that are to be sent, oldest first; of them the third is dead, the fifth delivered."""
    jobs = [ended(server, via=LISTENERS[i % 2], url=f"{APP}/{i}") for i in range(7)]
    made = [callback_of(server, job) for job in jobs]
    became(server, made[2], "dead")
    became(server, made[4], "delivered", 204, None)
    return made


def ids(page):
    return [item["id"] for item in page["items"]]


@pytest.mark.parametrize("via", LISTENERS)
def test_the_list_is_newest_first(server, told, via):
    page = get(server, "/v1/callbacks?limit=500", via)
    mine = {one["id"] for one in told}
    assert [one for one in ids(page) if one in mine] == [one["id"] for one in reversed(told)]
    created = [item["created_at"] for item in page["items"]]
    assert created == sorted(created, reverse=True)
    assert all(list(item) == MEMBERS for item in page["items"])


def test_what_one_says(server, told):
    pending, dead, delivered = (get(server, "/v1/callbacks/" + told[i]["id"]) for i in (0, 2, 4))
    assert list(pending) == MEMBERS + ["body"]
    assert pending["id"].startswith("msg_") and pending["job"] == told[0]["job"]
    assert (pending["kind"], pending["attempt"], pending["state"]) == ("final", 0, "pending")
    assert (pending["tries"], pending["max_tries"], pending["url"]) == (0, 10, APP + "/0")
    assert pending["owner"] == f"uid:{os.getuid()}"
    assert told[1]["owner"] == get(server, "/v1/whoami", "tcp")["principal"] != pending["owner"]
    assert pending["next_at"] == pending["created_at"] and pending["ended_at"] is None
    assert (dead["state"], dead["tries"], dead["last_status"]) == ("dead", 10, 500)
    assert dead["last_error"] == "answered 500" and dead["next_at"] is None and dead["ended_at"]
    assert (delivered["state"], delivered["last_status"], delivered["last_error"]) == ("delivered", 204, None)
    assert pending["body"]["type"] == "job.cancelled" and pending["body"]["data"]["id"] == told[0]["job"]


def test_by_state(server, told):
    mine = {one["id"] for one in told}
    for state, wanted in (("dead", [2]), ("delivered", [4]), ("pending", [6, 5, 3, 1, 0])):
        found = [one for one in ids(get(server, f"/v1/callbacks?limit=500&state={state}")) if one in mine]
        assert found == [told[i]["id"] for i in wanted]


def test_of_one_job(server, told):
    job = told[2]["job"]
    for path in (f"/v1/jobs/{job}/callbacks", f"/v1/callbacks?job={job}", f"/v1/callbacks?job={job}&state=dead",
                 f"/v1/jobs/{job}/callbacks?state=dead"):
        assert ids(get(server, path)) == [told[2]["id"]], path
    assert ids(get(server, f"/v1/jobs/{job}/callbacks?state=pending")) == []
    missing = "01a1fe4b-3711-75d7-b311-25820553ed71"
    for path in (f"/v1/jobs/{missing}/callbacks", f"/v1/callbacks?job={missing}", "/v1/callbacks?job=nonsense"):
        assert server.request("GET", path).status == 404, path


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_page_by_page(server, told, limit):
    """What comes meanwhile shifts nothing."""
    seen, path = [], f"/v1/callbacks?limit={limit}"
    wanted = ids(get(server, "/v1/callbacks?limit=500"))
    while path:
        answer = server.request("GET", path)
        page = answer.json()
        seen += ids(page)
        assert len(page["items"]) <= limit
        if len(seen) == limit:
            ended(server)
        link = answer.headers["Link"]
        path = None
        if page["next_cursor"]:
            path = f"/v1/callbacks?limit={limit}&cursor={page['next_cursor']}"
            assert link == f'<{path}>; rel="next"'
        else:
            assert link is None
    assert seen == wanted


def test_a_cursor_belongs_to_its_list(server, told):
    cursor = get(server, "/v1/callbacks?limit=1&state=pending")["next_cursor"]
    assert get(server, f"/v1/callbacks?state=pending&cursor={cursor}")["items"]
    flipped = cursor[:-1] + ("0" if cursor[-1] != "0" else "1")
    for path in (f"/v1/callbacks?cursor={cursor}", f"/v1/callbacks?state=dead&cursor={cursor}",
                 f"/v1/callbacks?state=pending&cursor={flipped}", "/v1/callbacks?cursor=1",
                 f"/v1/jobs/{told[0]['job']}/callbacks?state=pending&cursor={cursor}"):
        answer = server.request("GET", path)
        assert answer.status == 400 and pointers(answer) == {"?cursor"}, (path, answer)
    # ... and to who asks
    assert server.request("GET", f"/v1/callbacks?state=pending&cursor={cursor}", via="tcp").status == 400


@pytest.mark.parametrize("query, name", [
    ("state=running", "state"), ("state=", "state"), ("state=dead,pending", "state"), ("limit=0", "limit"),
    ("limit=501", "limit"), ("limit=x", "limit"), ("state=dead&state=pending", "state"), ("owner=x", "owner"),
])
def test_a_wrong_question_is_refused(server, query, name):
    answer = server.request("GET", "/v1/callbacks?" + query)
    assert answer.status == 400 and pointers(answer) == {"?" + name}, answer


# --- again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("via", LISTENERS)
@pytest.mark.parametrize("state", ["dead", "delivered"])
def test_one_that_is_over_is_sent_again(server, via, state):
    job = ended(server)
    before = callback_of(server, job)
    became(server, before, state)
    answer = server.request("POST", f"/v1/callbacks/{before['id']}/redeliver", None if state == "dead" else {}, via=via,
                            headers={"Content-Type": "application/json"})
    assert answer.status == 202, answer
    after = answer.json()
    assert after == get(server, "/v1/callbacks/" + before["id"])
    assert (after["state"], after["tries"], after["ended_at"]) == ("pending", 0, None)
    assert after["next_at"] and (after["id"], after["url"]) == (before["id"], before["url"])
    last = server.events(job)[-1]
    assert last["kind"] == "callback_redelivered"
    assert json.dumps(last["data"]).count(before["id"]) == 1
    assert last["principal"] == get(server, "/v1/whoami", via)["principal"]
    # The job itself has not moved.
    assert get(server, "/v1/jobs/" + job)["state"] == "cancelled"


def test_one_that_is_not_there(server):
    known = callback_of(server, ended(server))["id"]
    bodies = set()
    for one in ("msg_" + "0" * 32, "msg_", known[:-1], known.upper(), "%20", known + "0"):
        for method, path in (("GET", f"/v1/callbacks/{one}"), ("POST", f"/v1/callbacks/{one}/redeliver")):
            answer = server.request(method, path, {} if method == "POST" else None)
            assert answer.status == 404, (path, answer)
            body = answer.json()
            body.pop("request_id")
            bodies.add(json.dumps(body))
    assert len(bodies) == 1


@pytest.mark.parametrize("body, headers, status", [
    (b"{}", {"Content-Type": "text/plain"}, 415),
    (b"{}", {"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
    (b"{}", {"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, 403),
    (b"{}", {"Authorization": None}, 401),
    (b"{}", {"Host": "evil.example"}, 421),
    (b'{"url": "https://evil.example/"}', {}, 422),
    (b"[]", {}, 422),
    (b"{", {}, 400),
])
def test_it_is_a_change_like_any_other(server, body, headers, status):
    one = callback_of(server, ended(server))
    became(server, one, "dead")
    answer = server.request("POST", f"/v1/callbacks/{one['id']}/redeliver", body, headers, via="tcp")
    assert answer.status == status, answer
    assert get(server, "/v1/callbacks/" + one["id"])["state"] == "dead"
    assert server.request("GET", f"/v1/callbacks/{one['id']}/redeliver").status == 405


# --- the settings ---------------------------------------------------------------------------


@pytest.mark.parametrize("callbacks, words", [
    ({"allowed_hosts": ["app.example"]}, "callbacks.allowed_hosts.0: must have a port"),
    ({"allowed_hosts": ["https://app.example"]}, "callbacks.allowed_hosts.0: must be HOST:PORT alone"),
    ({"allowed_hosts": ["a:1", "127.1:80"]}, "callbacks.allowed_hosts.1: must write an IPv4 address as four"),
    ({"allowed_hosts": ["*.example:443"]}, "callbacks.allowed_hosts.0: must have a host of letters"),
    ({"allowed_hosts": ["App.example:443"]}, "callbacks.allowed_hosts.0: must be in small letters"),
    ({"allowed_hosts": ["a:1"], "internal_hosts": ["b:1"]},
     "callbacks.internal_hosts: b:1 is not in callbacks.allowed_hosts as well"),
])
def test_wrong_settings_are_named(reeve, callbacks, words):
    done = reeve.cli("check", reeve.write_config(callbacks=callbacks))
    assert done.returncode != 0 and words in done.stderr, done


def test_a_host_is_allowed_and_forbidden_without_a_restart(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    assert submit(reeve, {"url": APP}).status == 422
    for hosts, status in ((["app.example:443"], 201), (["app.example:80"], 422)):
        reeve.write_config(callbacks={"allowed_hosts": hosts})
        reeve.httpapi.process.send_signal(harness.signal.SIGHUP)
        harness.wait_until(lambda: submit(reeve, {"url": APP}).status == status, f"{hosts} to be in force")
