"""Finding jobs: every filter over HTTP, what is refused, pages, counts, and cancelling many."""

import json
import random
import re
import subprocess
import time
import urllib.parse

import pytest

import harness
from intake import pointers

BATCH = "0190b5a0-0000-7000-8000-0000000000aa"
STATES = ["queued", "succeeded", "failed", "succeeded", "cancelled", "lost", "waiting"]


def insert_jobs(one, count):
    """A history of jobs number 1 to `count`, each differing from the next; one a second."""
    rows = []
    for i in range(1, count + 1):
        state = STATES[i % len(STATES)]
        rows.append({
            "id": i, "state": state, "owner": f"uid:{i % 3}", "queue": ["default", "thumbs"][i % 2],
            "task": [None, "thumb", "mail"][i % 3], "name": f"Job {i} of many",
            "command": ["/usr/bin/ffmpeg", "-i", f"a {i}.MP4", 'say "hi"'], "labels": {"app": f"x{i % 4}", "n": str(i)},
            "batch": bytes.fromhex(BATCH.replace("-", "")) if i % 5 == 0 else None,
            "submitted_at": (1_700_000_000 + i) * 10**6,
            # the later it was accepted, the earlier it ended
            "finished_at": None if state in ("queued", "waiting") else (1_700_009_000 - i) * 10**6})
    for row in rows:
        one.sql_write(
            "INSERT INTO jobs (id, uuid, state, owner, queue, task, name, command, labels, batch, submitted_at,"
            " finished_at, attempt) VALUES (?, randomblob(16), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row["id"], row["state"], row["owner"], row["queue"], row["task"], row["name"],
            json.dumps(row["command"]), json.dumps(row["labels"]), row["batch"], row["submitted_at"],
            row["finished_at"], 0 if row["finished_at"] is None else 1)
    index_labels(one)
    return rows


def index_labels(one):
    one.sql_write("INSERT OR IGNORE INTO job_labels (label, job_id) SELECT l.key || '=' || l.value, j.id"
                  " FROM jobs j, json_each(j.labels) l WHERE j.labels IS NOT NULL")


def intake_alone(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    return one


@pytest.fixture(scope="module")
def history():
    """An intake with 200 jobs that nobody changes, and what they are."""
    one = harness.Reeve()
    one.write_config()
    one.start_httpapi()
    one.jobs = insert_jobs(one, 200)
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def get(one, *pairs, **params):
    query = urllib.parse.urlencode([*pairs, *params.items()])
    return one.request("GET", "/v1/jobs?" + query)


def numbers(answer):
    assert answer.status == 200, answer
    return [int(job["labels"]["n"]) for job in answer.json()["items"]]


def at(seconds, offset=""):
    """Job number `seconds` was accepted then."""
    zone = 3600 * int(offset[:3]) if offset else 0
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_700_000_000 + seconds + zone))
    return text + (offset or "Z")


def finished_at(number):
    return at(9000 - number)


# --- each filter ----------------------------------------------------------------------------

FILTERS = [
    ([("state", "failed")], lambda j: j["state"] == "failed"),
    ([("state", "failed"), ("state", "lost")], lambda j: j["state"] in ("failed", "lost")),
    ([("queue", "thumbs")], lambda j: j["queue"] == "thumbs"),
    ([("queue", "default")], lambda j: j["queue"] == "default"),
    ([("queue", "thumbs"), ("queue", "default"), ("queue", "nobody's")], lambda j: True),
    ([("task", "thumb")], lambda j: j["task"] == "thumb"),
    ([("task", "thumb"), ("task", "mail")], lambda j: j["task"]),
    ([("owner", "uid:1")], lambda j: j["owner"] == "uid:1"),
    ([("owner", "uid:1"), ("state", "failed"), ("state", "queued")],
     lambda j: j["owner"] == "uid:1" and j["state"] in ("failed", "queued")),
    ([("label", "app=x1")], lambda j: j["labels"]["app"] == "x1"),
    ([("label", "app=x1"), ("label", "n=2"), ("label", "n=1")],
     lambda j: j["labels"]["app"] == "x1" or j["id"] in (1, 2)),
    ([("label", "app=x1"), ("queue", "default")], lambda j: False),
    ([("batch", BATCH)], lambda j: j["batch"]),
    ([("batch", BATCH.upper()), ("q", "JOB 5")], lambda j: j["batch"] and f"job {j['id']}".startswith("job 5")),
    ([("q", "a 7.mp4"), ("state", "succeeded"), ("state", "queued"), ("state", "waiting")], lambda j: j["id"] == 7),
    ([("q", '-i A 1'), ("owner", "uid:1")], lambda j: j["owner"] == "uid:1" and str(j["id"]).startswith("1")),
    ([("q", 'say "HI"'), ("task", "mail")], lambda j: j["task"] == "mail"),
    ([("q", "nowhere"), ("q", "job 12 "), ("queue", "default"), ("owner", "uid:0")], lambda j: j["id"] == 12),
    ([("q", "%"), ("queue", "thumbs")], lambda j: False),
    ([("created_after", at(150))], lambda j: j["id"] >= 150),
    ([("created_before", at(20, "+05:00"))], lambda j: j["id"] < 20),
    ([("created_after", at(50)), ("created_before", at(60, "-08:00")), ("q", "Job")], lambda j: 50 <= j["id"] < 60),
    ([("created_after", at(90)), ("state", "failed")], lambda j: j["id"] >= 90 and j["state"] == "failed"),
]


@pytest.mark.parametrize("pairs, fits", FILTERS, ids=[urllib.parse.urlencode(pairs) for pairs, _ in FILTERS])
def test_filters_find_what_fits_in_both_orders(history, pairs, fits):
    wanted = [job["id"] for job in history.jobs if fits(job)]
    assert numbers(get(history, *pairs, limit=500)) == wanted[::-1]
    assert numbers(get(history, *pairs, limit=500, sort="submitted_at")) == wanted
    found = get(history, *pairs, limit=500, count="capped").json()
    assert (found["count"], found["count_capped"]) == (len(wanted), False)


def test_by_finished_what_has_ended(history):
    ended = [job["id"] for job in history.jobs if job["finished_at"]]
    # the first ones that were accepted ended last
    assert numbers(get(history, sort="-finished_at", limit=500)) == ended
    assert numbers(get(history, sort="finished_at", limit=500)) == ended[::-1]
    # a finished_ time sorts so by itself: from on, and up to but without
    assert numbers(get(history, finished_after=finished_at(30), limit=500)) == [i for i in ended if i <= 30]
    assert numbers(get(history, finished_before=finished_at(190), limit=500)) == [i for i in ended if i > 190]
    assert numbers(get(history, finished_after=finished_at(30), state="failed", owner="uid:0", limit=500)) == [
        job["id"] for job in history.jobs[:30] if job["state"] == "failed" and job["owner"] == "uid:0"]
    assert numbers(get(history, finished_after=finished_at(30), state="failed", sort="submitted_at")) == [
        job["id"] for job in history.jobs[:30] if job["state"] == "failed"]


def test_route_page_and_command_line_know_the_same_filters(history):
    """Whoever adds a filter says so in docs/finding.md, and gives it a word."""
    with open(harness.ROOT + "/docs/finding.md", encoding="utf-8") as page:
        table = page.read().split("\n## Filters\n")[1].strip().split("\n\n")[0].splitlines()[2:]
    documented = {name for row in table for name in re.findall(r"`(\w+)", row.split("|")[1])}
    words = {word for row in table for word in re.findall(r"`([a-z-]+):", row.split("|")[2])}
    routes = subprocess.run([history.program("reeve-httpapi"), "--routes"], capture_output=True, text=True,
                            check=True, timeout=60).stdout
    row = next(row for row in routes.splitlines() if row.startswith("| `GET /v1/jobs` |"))
    assert documented == set(re.findall(r"`(\w+)`", row.split("|")[3]))
    said = history.cli("ls", "nothing").stderr
    assert words == set(re.findall(r" ([a-z-]+):(?= |$)", said.split("the filters are")[1].split("(")[0].rstrip()))


# --- pages ----------------------------------------------------------------------------------


def test_pages_follow_the_link_while_jobs_come(new_reeve):
    """Random filters with a fixed seed; each page has its own size."""
    one = intake_alone(new_reeve)
    jobs = insert_jobs(one, 150)
    chance = random.Random(5)
    for _ in range(30):
        pairs, fits = chance.choice(FILTERS)
        sort = chance.choice(["submitted_at", "-submitted_at"])
        wanted = [job["id"] for job in jobs if fits(job)]
        path = "/v1/jobs?" + urllib.parse.urlencode([*pairs, ("sort", sort), ("limit", chance.randint(1, 40))])
        seen, pages = [], 0
        while path:
            answer = one.request("GET", path)
            page, pages = answer.json(), pages + 1
            seen += [int(job["labels"].get("n", 0)) for job in page["items"]]
            link = answer.headers["Link"]
            assert (link is None) == (page["next_cursor"] is None)
            path = link and re.fullmatch(r'<(.*)>; rel="next"', link).group(1)
            if pages < 5:  # oldest first they come, too, and one a page would never end
                one.submit("true", labels={"late": "yes"})
        seen = [number for number in seen if number]
        assert seen == (wanted if sort == "submitted_at" else wanted[::-1]), pairs


def test_a_page_without_items_goes_on(new_reeve):
    """One job in thirty thousand: no page looks at all of them."""
    one = intake_alone(new_reeve)
    one.sql_write(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO jobs"
        " (uuid, owner, state, command, submitted_at, finished_at, attempt, name) SELECT randomblob(16), 'uid:1',"
        " 'succeeded', '[\"/bin/true\"]', i, i, 1, CASE i WHEN 5 THEN 'needle' END FROM n")
    page, pages, names = get(one, owner="uid:1", q="needle", count="capped").json(), 1, []
    assert page["items"] == [] and page["next_cursor"]
    assert (page["count"], page["count_capped"]) == (0, True)  # at least so many
    while page["next_cursor"]:
        page = get(one, owner="uid:1", q="needle", cursor=page["next_cursor"]).json()
        names += [job["name"] for job in page["items"]]
        pages += 1
    assert names == ["needle"]
    assert pages <= 4
    assert get(one, count="capped", limit=1).json()["count"] == 10000
    assert get(one, count="capped", limit=1).json()["count_capped"] is True


def test_a_cursor_belongs_to_filter_order_and_viewer(history):
    first = get(history, state="failed", limit=2)
    cursor = first.json()["next_cursor"]
    second = numbers(get(history, state="failed", limit=3, cursor=cursor))
    assert len(second) == 3 and max(second) < min(numbers(first))
    wrong = [{"state": "lost"}, {"state": "failed", "owner": "uid:1"}, {"state": "failed", "sort": "submitted_at"},
             {"state": "failed", "created_after": at(1)}, {"state": "failed", "q": "a"}, {}]
    for params in wrong:
        answer = get(history, **params, cursor=cursor)
        assert answer.status == 400, params
        assert pointers(answer) == {"?cursor"}
    assert history.request("GET", f"/v1/jobs?state=failed&cursor={cursor}", via="tcp").status == 400
    for place in range(len(cursor)):
        changed = cursor[:place] + ("1" if cursor[place] == "0" else "0") + cursor[place + 1:]
        assert get(history, state="failed", cursor=changed).status == 400, place
    for text in (cursor[:-2], cursor + "00", "", "x" * len(cursor)):
        assert get(history, state="failed", cursor=text).status == 400, text


# --- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("query, names", [
    ("state=faild", {"?state"}), ("state=", {"?state"}), ("state=failed&state=FAILED", {"?state"}),
    ("queue=", {"?queue"}), ("task=", {"?task"}), ("owner=", {"?owner"}), ("q=", {"?q"}),
    ("label=app", {"?label"}), ("label==x", {"?label"}), ("batch=0190", {"?batch"}),
    ("created_after=yesterday", {"?created_after"}), ("created_before=2026-11-21", {"?created_before"}),
    ("finished_after=1700000000", {"?finished_after"}), ("finished_before=", {"?finished_before"}),
    ("created_after=2026-11-21T06:00:00Z&created_after=2026-11-21T06:00:00Z", {"?created_after"}),
    ("sort=name", {"?sort"}), ("sort=-submitted_at&sort=submitted_at", {"?sort"}), ("count=exact", {"?count"}),
    ("limit=0", {"?limit"}), ("limit=501", {"?limit"}), ("offset=10", {"?offset"}),
    ("&".join(f"task=t{i}" for i in range(17)), {"?task"}),
    ("state=x&label=y&limit=z", {"?state", "?label", "?limit"}),
])
def test_bad_values_are_named(history, query, names):
    answer = history.request("GET", "/v1/jobs?" + query)
    assert answer.status == 400, answer
    assert answer.json()["code"] == "invalid_argument"
    assert pointers(answer) == names


@pytest.mark.parametrize("query, words", [
    ("q=mp4", "q needs another filter"),
    ("q=mp4&queue=default", "q needs another filter"),
    ("q=mp4&queue=thumbs&queue=default", "q needs another filter"),
    ("q=mp4&sort=-finished_at", "needs finished_after"),
    ("sort=finished_at&state=failed", "needs finished_after"),
    ("sort=-finished_at&created_after=2023-11-14T22:13:30Z", "needs finished_after"),
    ("finished_after=2023-11-14T22:13:30Z&sort=submitted_at", "need sort=-finished_at"),
])
def test_what_no_index_serves_is_refused(history, query, words):
    answer = history.request("GET", "/v1/jobs?" + query)
    assert answer.status == 422, answer
    assert words in answer.json()["detail"]
    # and nothing about how it is stored
    assert not re.search(r"SELECT|sqlite|jobs_by", answer.text)


# --- cancelling many ------------------------------------------------------------------------


def cancel(one, **body):
    return one.request("POST", "/v1/jobs/cancel", body)


def state_counts(one, where="1"):
    return dict(one.sql(f"SELECT state, count(*) FROM jobs WHERE {where} GROUP BY state"))


def insert_queued(one, count, owner):
    one.sql_write(
        f"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) INSERT INTO jobs (uuid,"
        " owner, state, command, submitted_at, name) SELECT randomblob(16), ?, 'queued', '[\"/bin/true\"]',"
        " 1700000000000000 + i, 'job ' || i FROM n", owner)


def test_thousands_are_cancelled_and_others_get_their_turn(new_reeve):
    one = intake_alone(new_reeve)
    insert_queued(one, 3000, "uid:77")
    insert_queued(one, 10, "uid:78")
    dry = cancel(one, filter={"owner": "uid:77"}, dry_run=True)
    assert dry.status == 200
    assert dry.json() == {"dry_run": True, "matched": 3000, "matched_capped": False}
    assert state_counts(one) == {"queued": 3010}
    done = cancel(one, filter={"owner": ["uid:77", "nobody"], "state": "queued"}, reason="wrong files")
    assert done.status == 200, done
    assert done.json() == {"matched": 3000, "cancelled": 3000, "stopping": 0, "already_final": 0}
    assert state_counts(one, "owner = 'uid:77'") == {"cancelled": 3000}
    assert state_counts(one, "owner = 'uid:78'") == {"queued": 10}
    assert one.sql("SELECT count(*), count(DISTINCT job_id) FROM events WHERE kind = 'ended'"
                   " AND data LIKE '%wrong files%' AND principal LIKE 'uid:%'") == [(3000, 3000)]
    again = cancel(one, filter={"owner": "uid:77"}).json()
    assert again == {"matched": 0, "cancelled": 0, "stopping": 0, "already_final": 0}


def cancelled_around_a_submission(one, owner):
    """How many were cancelled before and after a job that was submitted after the first slice."""
    conn = one.connect()
    body = json.dumps({"filter": {"owner": owner}}).encode()
    conn.request("POST", "/v1/jobs/cancel", body=body, headers={"Content-Type": "application/json"})
    harness.wait_until(lambda: one.sql("SELECT 1 FROM jobs WHERE state = 'cancelled' AND owner = ? LIMIT 1", owner),
                       "the first slice")
    job = one.submit("true")
    done = json.loads(conn.getresponse().read())
    conn.close()
    before, after = one.sql(
        "SELECT sum(e.id < s.id), sum(e.id > s.id) FROM events e JOIN jobs j ON j.id = e.job_id, events s"
        " WHERE e.kind = 'ended' AND j.owner = ? AND s.kind = 'submitted' AND s.job_id ="
        " (SELECT max(job_id) FROM events WHERE kind = 'submitted')", owner)[0]
    assert before + after == done["cancelled"]
    assert one.job(job)["state"] == "queued"
    return before, after


def test_submissions_go_on_while_many_are_cancelled(new_reeve):
    """One that asks meanwhile waits for a slice, not for all of them: the history has it between them.
    Should we be too slow to come in between, there are more to cancel the next time."""
    one = intake_alone(new_reeve)
    for count in (10000, 20000, 40000, 80000):
        insert_queued(one, count, f"uid:{count}")
        before, after = cancelled_around_a_submission(one, f"uid:{count}")
        assert before + after == count
        if after > 0:
            break
    assert before > 0 and after > 0
    assert before % 500 == 0


def test_a_client_that_goes_away_does_no_harm(new_reeve):
    """What it began may or may not go on; asking again finishes it, and each job ends once."""
    one = intake_alone(new_reeve)
    insert_queued(one, 6000, "uid:77")
    body = json.dumps({"filter": {"owner": "uid:77"}}).encode()
    with one.raw_socket() as sock:
        sock.sendall(b"POST /v1/jobs/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        harness.wait_until(lambda: one.sql("SELECT 1 FROM jobs WHERE state = 'cancelled' LIMIT 1"), "the first slice")
    assert cancel(one, filter={"owner": "uid:77"}).status == 200
    assert state_counts(one) == {"cancelled": 6000}
    assert one.sql("SELECT count(*), count(DISTINCT job_id) FROM events WHERE kind = 'ended'") == [(6000, 6000)]


def test_running_jobs_are_stopped_and_ended_ones_left(new_reeve):
    one = new_reeve().start(slots=2)
    ended = one.run("true", labels={"app": "x"})
    running = one.submit("sleep", "1000", labels={"app": "x"})
    other = one.submit("sleep", "1000", labels={"app": "y"})
    waiting = [one.submit("true", labels={"app": "x"}, hold=True) for _ in range(3)]
    one.wait_running(running)
    one.wait_running(other)
    index_labels(one)
    done = cancel(one, filter={"label": "app=x"}, force=True, reason="enough")
    assert done.json() == {"matched": 4, "cancelled": 3, "stopping": 1, "already_final": 0}
    assert one.wait(running)["state"] == "cancelled"
    assert [one.job(job)["state"] for job in waiting] == ["cancelled"] * 3
    assert one.job(ended)["state"] == "succeeded"
    assert one.job(other)["state"] == "running"


@pytest.mark.parametrize("body, names", [
    ({}, {"#/filter"}), ({"filter": None}, {"#/filter"}), ({"filter": {}}, {"#/filter"}), ({"filter": []}, {"#/filter"}),
    ({"filter": {"state": None}}, {"#/filter"}), ({"filter": {"q": "mp4"}}, {"#/filter"}),
    ({"filter": {"state": []}}, {"#/filter/state"}), ({"filter": {"state": "done"}}, {"#/filter/state"}),
    ({"filter": {"state": ["queued", "failed"]}}, {"#/filter/state"}),
    ({"filter": {"state": ["queued", 3]}}, {"#/filter/state/1"}), ({"filter": {"owner": 3}}, {"#/filter/owner"}),
    ({"filter": {"ownr": "uid:1"}}, {"#/filter/ownr"}), ({"filter": {"label": ["a=b", "c"]}}, {"#/filter/label/1"}),
    ({"filter": {"created_after": ["2026-11-21T06:00:00Z"]}}, {"#/filter/created_after"}),
    ({"filter": {"owner": "uid:1", "finished_after": "2026-11-21T06:00:00Z"}}, {"#/filter/finished_after"}),
    ({"filter": {"owner": "uid:1", "sort": "submitted_at"}}, {"#/filter/sort"}),
    ({"filter": {"owner": "uid:1"}, "force": 1, "reason": "x" * 1001, "dry_run": "yes", "cascade": True},
     {"#/force", "#/reason", "#/dry_run", "#/cascade"}),
    ([], {"#"}), ("x", {"#"}),
])
def test_a_bad_cancel_is_told_all_and_changes_nothing(history, body, names):
    before = state_counts(history)
    answer = history.request("POST", "/v1/jobs/cancel", json.dumps(body))
    assert answer.status == 422, answer
    assert pointers(answer) == names
    assert state_counts(history) == before


def test_a_cancel_needs_a_body(history):
    assert history.request("POST", "/v1/jobs/cancel", "").status in (400, 422)
    assert history.request("POST", "/v1/jobs/cancel", "{").status == 400
    assert history.request("GET", "/v1/jobs/cancel").status in (404, 405)
