"""Callbacks as a client asks for them: lists, one of them, and sending again.

No sender runs here: what would have become of a callback is written by hand."""

import json
import os

import pytest

from intake import pointers
from told import APP, LISTENERS, ended, get, server  # noqa: F401  (server is a fixture)

MEMBERS = ["id", "job", "kind", "attempt", "state", "tries", "max_tries", "url", "owner", "created_at", "next_at",
           "last_try_at", "last_status", "last_error", "ended_at"]


def callback_of(server, job):
    items = get(server, f"/v1/jobs/{job}/callbacks")["items"]
    assert len(items) == 1, items
    return items[0]


def became(server, callback, state, status=500, error="answered 500"):
    server.sql_write("UPDATE callbacks SET state = ?, tries = 10, next_at = NULL, ended_at = created_at + 5, "
                     "last_try_at = created_at + 4, last_status = ?, last_error = ? WHERE webhook_id = ?",
                     state, status, error, callback["id"])


# --- lists ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(server):  # noqa: F811
    """Seven that are to be sent, oldest first; of them the third is dead, the fifth delivered."""
    jobs = [ended(server, via=LISTENERS[i % 2], url=f"{APP}/{i}") for i in range(7)]
    made = [callback_of(server, job) for job in jobs]
    became(server, made[2], "dead")
    became(server, made[4], "delivered", 204, None)
    return made


def ids(page):
    return [item["id"] for item in page["items"]]


@pytest.mark.parametrize("via", LISTENERS)
def test_the_list_is_newest_first(server, told, via):  # noqa: F811
    page = get(server, "/v1/callbacks?limit=500", via)
    mine = {one["id"] for one in told}
    assert [one for one in ids(page) if one in mine] == [one["id"] for one in reversed(told)]
    created = [item["created_at"] for item in page["items"]]
    assert created == sorted(created, reverse=True)
    assert all(list(item) == MEMBERS for item in page["items"])


def test_what_one_says(server, told):  # noqa: F811
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


def test_by_state(server, told):  # noqa: F811
    mine = {one["id"] for one in told}
    for state, wanted in (("dead", [2]), ("delivered", [4]), ("pending", [6, 5, 3, 1, 0])):
        found = [one for one in ids(get(server, f"/v1/callbacks?limit=500&state={state}")) if one in mine]
        assert found == [told[i]["id"] for i in wanted]


def test_of_one_job(server, told):  # noqa: F811
    job = told[2]["job"]
    for path in (f"/v1/jobs/{job}/callbacks", f"/v1/callbacks?job={job}", f"/v1/callbacks?job={job}&state=dead",
                 f"/v1/jobs/{job}/callbacks?state=dead"):
        assert ids(get(server, path)) == [told[2]["id"]], path
    assert ids(get(server, f"/v1/jobs/{job}/callbacks?state=pending")) == []
    missing = "01a1fe4b-3711-75d7-b311-25820553ed71"
    for path in (f"/v1/jobs/{missing}/callbacks", f"/v1/callbacks?job={missing}", "/v1/callbacks?job=nonsense"):
        assert server.request("GET", path).status == 404, path


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_page_by_page(server, told, limit):  # noqa: F811
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


def test_a_cursor_belongs_to_its_list(server, told):  # noqa: F811
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
def test_a_wrong_question_is_refused(server, query, name):  # noqa: F811
    answer = server.request("GET", "/v1/callbacks?" + query)
    assert answer.status == 400 and pointers(answer) == {"?" + name}, answer


# --- again ----------------------------------------------------------------------------------


@pytest.mark.parametrize("via", LISTENERS)
@pytest.mark.parametrize("state", ["dead", "delivered"])
def test_one_that_is_over_is_sent_again(server, via, state):  # noqa: F811
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


def test_one_that_is_not_there(server):  # noqa: F811
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
def test_it_is_a_change_like_any_other(server, body, headers, status):  # noqa: F811
    one = callback_of(server, ended(server))
    became(server, one, "dead")
    answer = server.request("POST", f"/v1/callbacks/{one['id']}/redeliver", body, headers, via="tcp")
    assert answer.status == status, answer
    assert get(server, "/v1/callbacks/" + one["id"])["state"] == "dead"
    assert server.request("GET", f"/v1/callbacks/{one['id']}/redeliver").status == 405
