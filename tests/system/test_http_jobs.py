"""Jobs over HTTP: lists, one job, its history, cancelling."""

import os

import pytest

from intake import pointers, server  # noqa: F401  (server is a fixture)

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


def test_a_spelt_out_cursor_is_replaced_in_the_link_too(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    ids = [one.submit("true")["id"] for _ in range(3)]
    cursor = one.request("GET", "/v1/jobs?limit=1").json()["next_cursor"]
    answer = one.request("GET", f"/v1/jobs?limit=1&c%75rs%6Fr={cursor}")
    assert [job["id"] for job in answer.json()["items"]] == [ids[1]]
    link = answer.headers["Link"]
    answer = one.request("GET", link[1:link.index(">")])
    assert answer.status == 200 and [job["id"] for job in answer.json()["items"]] == [ids[0]], answer


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
    assert events["next_after"] >= events["items"][1]["id"]
    assert (events["has_more"], events["reset"]) == (False, None)
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
    ({"force": "yes"}, 422, "#/force"), ({"cascade": "all"}, 422, "#/cascade"),
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
