"""Events as streams: nothing is missed and nothing comes twice, whatever dies meanwhile."""

import contextlib
import json
import random
import select
import threading

import pytest

import harness
from harness import wait_until
from intake import server  # noqa: F401  (a fixture)
from sse import BROKEN, Source

KILLS = 50


def all_ids(reeve):
    return [row[0] for row in reeve.sql("SELECT id FROM events ORDER BY id")]


# --- must show: through fifty deaths --------------------------------------------------------


class Subscriber(threading.Thread):
    """Collects ids until it has been told everything up to `until`."""

    def __init__(self, reeve):
        super().__init__(daemon=True)
        self.reeve = reeve
        self.seen = []
        self.until = None
        self.connections = 0
        self.wrong = None

    def run(self):
        while not self.is_over():
            self.connections += 1
            try:
                self.connect()
            except BROKEN:
                pass  # it was killed, or is not there yet
            except Exception as error:  # noqa: BLE001  (told to the test)
                self.wrong = repr(error)
                return

    def is_over(self):
        return self.until is not None and self.seen and self.seen[-1] >= self.until


class Stream(Subscriber):
    def __init__(self, reeve, path, via):
        super().__init__(reeve)
        self.source = Source(reeve, path, last_id="0", via=via)

    def connect(self):
        for event in self.source.read():
            assert event.kind != "reset", event
            assert json.loads(event.data)["id"] == int(event.id)
            assert json.loads(event.data)["kind"] == event.kind
            self.seen.append(int(event.id))
            if self.is_over():
                return


class Poller(Subscriber):
    def __init__(self, reeve):
        super().__init__(reeve)
        self.after = 0

    def connect(self):
        page = self.reeve.request("GET", f"/v1/events?limit=7&wait=5&after={self.after}").json()
        assert page["reset"] is None, page
        self.seen += [event["id"] for event in page["items"]]
        self.after = page["next_after"]


def submit_some(reeve, count):
    """As a client without a memory: what was not answered may be there or not."""
    for number in range(count):
        label = {"app": "library"} if number % 3 == 0 else {}
        try:
            answer = reeve.request("POST", "/v1/jobs", {"command": "/bin/true", "labels": label})
        except BROKEN:
            return
        assert answer.status == 201, answer


def test_four_subscribers_through_fifty_deaths_of_the_intake(reeve):
    reeve.start(slots=4, retention={"every_s": 0})
    submit_some(reeve, 3)
    filtered = Stream(reeve, "/v1/events?label=app%3Dlibrary&kind=ended", "unix")
    whole = [Stream(reeve, "/v1/events", "tcp"), Stream(reeve, "/v1/events", "unix"), Poller(reeve)]
    for one in [filtered, *whole]:
        one.start()
    draw = random.Random(20961121)
    for _ in range(KILLS):
        before = all_ids(reeve)[-1]
        busy = threading.Thread(target=submit_some, args=(reeve, 8), daemon=True)
        busy.start()
        grow = draw.randrange(1, 12)
        wait_until(lambda: all_ids(reeve)[-1] >= before + grow, "events", pause_s=0.002)
        reeve.kill_httpapi()
        busy.join(harness.LIMIT_S)
        reeve.start_httpapi()
    submit_some(reeve, 1)
    wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE finished_at IS NULL") == [(0,)],
               "the jobs to end")
    ids = all_ids(reeve)
    assert ids == list(range(1, len(ids) + 1))
    wanted = [row[0] for row in reeve.sql(
        "SELECT e.id FROM events e JOIN job_labels l USING (job_id) "
        "WHERE l.label = 'app=library' AND e.kind = 'ended' ORDER BY e.id")]
    assert len(wanted) >= KILLS
    for one in whole:
        one.until = ids[-1]
    filtered.until = wanted[-1]
    submit_some(reeve, 1)  # so that who has everything already looks up once more
    for one in [filtered, *whole]:
        one.join(harness.LIMIT_S)
        assert not one.is_alive() and one.wrong is None, (one.wrong, len(one.seen), len(ids))
        assert one.connections > KILLS
    for one in whole:
        assert one.seen[:len(ids)] == ids
        assert one.seen == list(range(1, len(one.seen) + 1))
    assert filtered.seen[:len(wanted)] == wanted


# --- resuming -------------------------------------------------------------------------------


def test_resuming_at_every_id_gives_exactly_the_rest(reeve):
    reeve.start(slots=2)
    for _ in range(8):
        reeve.run("/bin/true")
    ids = all_ids(reeve)
    assert len(ids) == 24
    by_page = reeve.request("GET", "/v1/events").json()["items"]
    assert [event["id"] for event in by_page] == ids
    for after in [0, *ids]:
        rest = by_page[after:]
        page = reeve.request("GET", f"/v1/events?after={after}").json()
        assert (page["items"], page["next_after"], page["has_more"]) == (rest, ids[-1], False)
        # the page and the stream are the same objects, under each spelling of where to begin
        events = Source(reeve, "/v1/events", last_id=str(after)).take(len(rest))
        assert [json.loads(event.data) for event in events] == rest
        assert [(event.kind, event.id) for event in events] == [(e["kind"], str(e["id"])) for e in rest]
    assert [json.loads(e.data) for e in Source(reeve, "/v1/events?after=20").take(4)] == by_page[20:]
    # the header is younger than the address it was opened with
    assert Source(reeve, "/v1/events?after=2", last_id="23").take(1)[0].id == "24"


def test_a_stream_without_an_id_begins_now_and_says_where_that_is(server):  # noqa: F811
    server.submit("true")
    last = all_ids(server)[-1]
    source = Source(server, "/v1/events")
    with server.stream("/v1/events", headers={"Accept": "text/event-stream"}) as response:
        assert [response.readline() for _ in range(4)] == [
            b"retry: 2000\n", b"\n", f"id: {last}\n".encode(), b"\n"]
        job = server.submit("true")
        source.last_id = str(last)  # as if it had been cut before its first event
        assert json.loads(source.take(1)[0].data)["job"] == job["id"]
        assert json.loads(next(source.parse(response)).data)["job"] == job["id"]


def test_a_page_that_waits_comes_with_the_first_event(server):  # noqa: F811
    now = server.request("GET", "/v1/events?after=now").json()
    assert (now["items"], now["has_more"]) == ([], False)
    answers = []
    waiting = threading.Thread(daemon=True, target=lambda: answers.append(server.request(
        "GET", f"/v1/events?after={now['next_after']}", headers={"Prefer": "wait=30"})))
    waiting.start()
    job = server.submit("true")
    waiting.join(harness.LIMIT_S)
    assert [event["job"] for event in answers[0].json()["items"]] == [job["id"]]
    assert answers[0].headers["Preference-Applied"] == "wait=30"
    # nobody comes: an empty page, that moves on past what was not for it
    after = answers[0].json()["next_after"]
    server.submit("true")
    empty = server.request("GET", f"/v1/events?wait=1&kind=draining&after={after}").json()
    assert (empty["items"], empty["next_after"]) == ([], after + 1)


# --- what cannot be gone on with ------------------------------------------------------------


def test_an_id_that_was_never_given_is_a_reset(server):  # noqa: F811
    server.submit("true")
    last = all_ids(server)[-1]
    page = server.request("GET", f"/v1/events?after={last + 1}").json()
    assert page["reset"] == {"reason": "ahead", "asked": last + 1, "after": last}
    assert (page["items"], page["next_after"]) == ([], last)
    source = Source(server, "/v1/events", last_id=str(last + 1000))
    reading = source.read()
    reset = next(reading)
    assert (reset.kind, reset.id) == ("reset", str(last))
    assert json.loads(reset.data) == {"reason": "ahead", "asked": last + 1000, "after": last}
    job = server.submit("true")
    assert json.loads(next(reading).data)["job"] == job["id"]


def test_a_page_and_a_stream_of_pruned_events_are_reset(reeve):
    from wall_clock import DAY, HOUR, WallClock
    clock = WallClock(reeve)
    reeve.start(slots=2, retention={"events_max_age_s": HOUR, "every_s": 0})
    old = [reeve.run("/bin/true") for _ in range(3)]
    clock.set(DAY)
    done = reeve.cli("--config", reeve.config_path, "db", "prune")
    assert done.returncode == 0, done.stderr
    new = reeve.run("/bin/true")
    ids = all_ids(reeve)
    assert ids[0] == 10
    page = reeve.request("GET", "/v1/events?after=4").json()
    assert page["reset"] == {"reason": "pruned", "asked": 4, "after": 9}
    assert [event["id"] for event in page["items"]] == ids
    # whoever knew nothing has lost nothing, unless it said that it began at the very start
    assert reeve.request("GET", "/v1/events").json()["reset"] is None
    assert reeve.request("GET", "/v1/events?after=9").json()["reset"] is None
    assert reeve.request("GET", "/v1/events?after=0").json()["reset"]["reason"] == "pruned"
    events = Source(reeve, "/v1/events", last_id="4").take(1 + len(ids))
    assert (events[0].kind, events[0].id) == ("reset", "9")
    assert json.loads(events[0].data) == {"reason": "pruned", "asked": 4, "after": 9}
    assert [event.id for event in events[1:]] == [str(number) for number in ids]
    # a job that is there, but none of its events any more
    assert reeve.request("GET", f"/v1/jobs/{old[0]['id']}/events").json()["items"] == []
    assert len(reeve.request("GET", f"/v1/jobs/{new['id']}/events").json()["items"]) == 3


# --- the end of jobs ------------------------------------------------------------------------


def test_until_final_ends_with_the_last_event_of_the_last_job(reeve):
    reeve.start(slots=2)
    short = reeve.run("/bin/true")
    long = reeve.sh("sleep 0.2; exit 3")
    other = reeve.submit("/bin/sleep", 100)
    source = Source(reeve, f"/v1/events?jobs={short['id']},{long['id']}&after=0&until=final")
    events = list(source.read())
    assert [event.kind for event in events] == ["submitted", "started", "ended", "submitted", "started",
                                                "ended", "end"]
    assert {json.loads(event.data)["job"] for event in events[:-1]} == {short["id"], long["id"]}
    assert json.loads(events[-1].data) == {"after": int(source.last_id)}
    # who asks again with that id is told to stay away
    assert list(source.read()) == []
    headers = {"Accept": "text/event-stream", "Last-Event-ID": source.last_id}
    assert reeve.request("GET", source.path, headers=headers).status == 204
    # pages say the same
    page = reeve.request("GET", source.path).json()
    assert ([event["kind"] for event in page["items"]][-1], page["end"]) == ("ended", True)
    assert reeve.request("GET", f"/v1/jobs/{other['id']}/events?until=final").json()["end"] is False
    reeve.cancel(other, force=True)


def test_the_stream_of_a_job_begins_with_its_life(reeve):
    reeve.start(slots=2)
    job = reeve.run("/bin/true")
    for path in (f"/v1/jobs/{job['id']}/events", "/v1/jobs/last/events"):
        events = list(Source(reeve, path + "?until=final").read())
        assert [event.kind for event in events] == ["submitted", "started", "ended", "end"]
    # without until it goes on: what is done to a job that has ended is told too
    reading = Source(reeve, f"/v1/jobs/{job['id']}/events").read()
    assert [next(reading).kind for _ in range(3)] == ["submitted", "started", "ended"]
    assert reeve.request("PATCH", f"/v1/jobs/{job['id']}", {"keep": True}).status == 200
    assert next(reading).kind == "changed"


# --- subscriptions --------------------------------------------------------------------------


def test_several_subscriptions_are_one_stream(server):  # noqa: F811
    server.request("POST", "/v1/queues/default/resume")
    start = server.request("GET", "/v1/events?after=now").json()["next_after"]
    named = server.submit("true")
    labelled = server.submit("true", labels={"app": "a, b&c=d"})
    both = server.submit("true", labels={"app": "a, b&c=d", "x": "y"})
    server.submit("true", labels={"app": "other"})
    for job in (named, labelled):
        server.cancel(job)
    server.request("POST", "/v1/queues/default/pause", {"reason": "why not"})
    server.request("POST", "/v1/drain", {})
    ids = {name: number for number, name in enumerate(
        ["named", "labelled", "both", "other", "end named", "end labelled", "paused", "drain"], start + 1)}
    label = "label=app%3Da%2C+b%26c%3Dd"
    cases = {
        "": list(ids),
        f"&jobs={named['id']}": ["named", "end named"],
        f"&jobs={named['id']}&jobs={both['id'].upper()}": ["named", "both", "end named"],
        f"&{label}": ["labelled", "both", "end labelled"],
        f"&{label}&label=x%3Dy&jobs={named['id']}": ["named", "labelled", "both", "end named", "end labelled"],
        f"&{label}&jobs={named['id']}&kind=ended": ["end named", "end labelled"],
        "&kind=ended&kind=draining": ["end named", "end labelled", "drain"],
        "&queue=default": [name for name in ids if name != "drain"],
        "&queue=default&kind=queue_paused": ["paused"],
        "&queue=elsewhere": [],
        "&label=no%3Dsuch": [],
    }
    for query, names in cases.items():
        wanted = [ids[name] for name in names]
        page = server.request("GET", f"/v1/events?after={start}{query}").json()
        assert [event["id"] for event in page["items"]] == wanted, query
        assert page["next_after"] == start + len(ids), query
        events = Source(server, f"/v1/events?after={start}{query}").take(len(wanted))
        assert [int(event.id) for event in events] == wanted, query
    event = server.request("GET", f"/v1/events?after={start}&limit=1").json()["items"][0]
    assert (event["job"], event["queue"], event["owner"]) == (named["id"], "default", named["owner"])
    service = server.request("GET", f"/v1/events?after={ids['drain'] - 1}").json()["items"][0]
    assert (service["job"], service["queue"], service["owner"]) == (None, None, None)
    server.request("POST", "/v1/queues/default/resume")
    server.request("POST", "/v1/undrain")


@pytest.mark.parametrize("query, parameter", [
    ("after=x", "after"), ("after=-1", "after"), ("after=", "after"), ("after=9007199254740993", "after"),
    ("limit=0", "limit"), ("limit=501", "limit"), ("wait=61", "wait"), ("kind=endet", "kind"),
    ("label=app", "label"), ("queue=", "queue"), ("jobs=last", "jobs"), ("jobs=", "jobs"),
    ("until=now", "until"), ("until=final", "until"), ("state=queued", "state"),
    ("after=1&after=2", "after")])
def test_what_is_wrong_is_named(server, query, parameter):  # noqa: F811
    answer = server.request("GET", "/v1/events?" + query)
    assert answer.status == 400, answer
    assert [error["parameter"].lstrip("?") for error in answer.json()["errors"]] == [parameter]


def test_what_is_wrong_with_a_stream_is_named(server):  # noqa: F811
    for wrong in ("x", "1:2", "-1", "now"):
        answer = server.request("GET", "/v1/events",
                                headers={"Accept": "text/event-stream", "Last-Event-ID": wrong})
        assert answer.status == 400 and "Last-Event-ID" in answer.json()["detail"], answer
    # who comes back without an id says after= as before
    answer = server.request("GET", "/v1/events?after=x",
                            headers={"Accept": "text/event-stream", "Last-Event-ID": ""})
    assert answer.status == 400 and answer.json()["errors"][0]["parameter"] == "after", answer
    # of a page it means nothing
    assert server.request("GET", "/v1/events", headers={"Last-Event-ID": "x"}).status == 200
    for name in ("limit", "wait"):
        answer = server.request("GET", f"/v1/events?{name}=1", headers={"Accept": "text/event-stream"})
        assert answer.status == 400 and answer.json()["errors"][0]["parameter"].lstrip("?") == name
    assert server.request("GET", "/v1/events", via="tcp",
                          headers={"Accept": "text/event-stream", "Authorization": None}).status == 401


def test_a_job_that_is_not_there_is_404(server):  # noqa: F811
    job = server.submit("true")
    missing = "0190b5a0-0000-7000-8000-0000000000aa"
    answer = server.request("GET", f"/v1/events?jobs={job['id']},{missing}",
                            headers={"Accept": "text/event-stream"})
    assert answer.status == 404 and missing in answer.json()["detail"]
    assert server.request("GET", f"/v1/jobs/{missing}/events").status == 404


def test_the_events_of_a_pruned_job_can_be_asked_for(reeve):
    reeve.start(slots=2, retention={"rules": [{"rows": {"keep_last": 0}}], "every_s": 0})
    job = reeve.run("/bin/true", labels={"app": "library"})
    assert reeve.cli("--config", reeve.config_path, "db", "prune").returncode == 0
    assert reeve.request("GET", f"/v1/jobs/{job['id']}").status == 410
    items = reeve.request("GET", f"/v1/events?jobs={job['id']}&until=final").json()["items"]
    assert [(event["kind"], event["job"], event["owner"]) for event in items] == [
        (kind, job["id"], job["owner"]) for kind in ("submitted", "started", "ended")]
    # that it had a label went with it
    assert reeve.request("GET", "/v1/events?label=app%3Dlibrary").json()["items"] == []


# --- odd clients ----------------------------------------------------------------------------


def test_head_and_http_1_0(server):  # noqa: F811
    server.submit("true")
    head = server.request("HEAD", "/v1/events", headers={"Accept": "text/event-stream"})
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"] == "text/event-stream"
    with server.raw_socket() as sock:
        sock.sendall(b"GET /v1/events?after=0 HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        seen = b""
        while b"\nid: 1\n" not in seen:
            piece = sock.recv(65536)
            assert piece, seen
            seen += piece
    assert b"Transfer-Encoding" not in seen and b"Connection: close" in seen


def many_events(reeve, batches):
    """A few thousand events at once: jobs that nobody will run."""
    for _ in range(batches):
        answer = reeve.request("POST", "/v1/batches", {"jobs": [{"command": "true", "hold": True}] * 2000})
        assert answer.status == 201, answer


def test_a_slow_client_is_cut_and_resumes(new_reeve):
    reeve = new_reeve()
    reeve.write_config(http={"stall_s": 1})
    reeve.start_httpapi()
    many_events(reeve, 5)
    ids = all_ids(reeve)
    conn = reeve.connect()  # its buffers hold some 200 KiB, and no more
    conn.request("GET", "/v1/events?after=0", headers={"Accept": "text/event-stream"})
    source = Source(reeve, "/v1/events")
    reading = source.parse(conn.getresponse())
    told = [int(next(reading).id) for _ in range(50)]
    # it takes nothing more, until the server has had enough; nobody else notices
    assert reeve.submit("true")["state"] == "queued"
    hung_up = select.poll()
    hung_up.register(conn.sock, select.POLLRDHUP)
    assert hung_up.poll(1000 * harness.LIMIT_S), "the connection was not cut"
    conn.close()
    assert told == ids[:50]
    rest = source.take(len(ids) - 50)
    assert [int(event.id) for event in rest] == ids[50:]
    assert memory_bytes(reeve) < 64 << 20


def memory_bytes(reeve):
    with open(f"/proc/{reeve.httpapi.process.pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


def test_a_rare_event_among_many_is_found_page_by_page(new_reeve):
    reeve = new_reeve()
    reeve.write_config()
    reeve.start_httpapi()
    many_events(reeve, 11)
    job = reeve.submit("true", labels={"rare": "yes"})
    last = all_ids(reeve)[-1]
    after, pages, found = 0, 0, []
    while True:
        page = reeve.request("GET", f"/v1/events?label=rare%3Dyes&after={after}").json()
        pages += 1
        found += page["items"]
        assert page["next_after"] > after
        after = page["next_after"]
        if not page["has_more"]:
            break
    assert pages > 2 and [event["job"] for event in found] == [job["id"]]
    # a stream tells how far it has looked, so that a cut does not begin it anew
    source = Source(reeve, "/v1/events?label=rare%3Dyes&after=0")
    with reeve.stream(source.path, headers={"Accept": "text/event-stream"}) as response:
        lines = []
        while not lines or b"rare" not in lines[-1] and b"data:" not in lines[-1]:
            lines.append(response.readline())
            assert lines[-1], lines
    marks = [int(line[4:]) for line in lines if line.startswith(b"id: ")]
    assert marks == sorted(marks) and len(marks) > 5 and marks[-1] == last


def test_what_makes_an_event_very_long_is_left_out_of_streams_only(server):  # noqa: F811
    labels = {f"{number:063}": '"' * 255 for number in range(64)}
    job = server.submit("true", labels=labels)
    after = all_ids(server)[-1]
    labels = {name: "\\" * 255 for name in labels}
    assert server.request("PATCH", f"/v1/jobs/{job['id']}", {"labels": labels}).status == 200
    server.cancel(job)
    page = server.request("GET", f"/v1/events?after={after}").json()
    assert page["items"][0]["data"]["labels"]["new"] == labels
    first, second = Source(server, "/v1/events", last_id=str(after)).take(2)
    assert list(json.loads(first.data)["data"]) == ["omitted_bytes"]
    assert json.loads(first.data)["data"]["omitted_bytes"] > 64 << 10
    assert (first.kind, second.kind) == ("changed", "ended")


# --- silence and goodbyes -------------------------------------------------------------------


def test_a_stopping_intake_lets_go_of_its_streams(reeve):
    reeve.start_httpapi()
    reeve.submit("true")
    source = Source(reeve, "/v1/events?after=0")
    reading = source.read()
    assert next(reading).id == "1"
    reeve.stop_httpapi()
    with contextlib.suppress(*BROKEN):
        assert next(reading, None) is None
    reeve.start_httpapi()
    reeve.submit("true")
    assert [event.id for event in source.take(1)] == ["2"]


def test_silence_is_broken_and_tells_how_far_it_was_looked(server):  # noqa: F811
    """The only way to see what happens after 15 seconds of silence is to wait for it."""
    server.submit("true")
    with server.stream("/v1/events?kind=draining", headers={"Accept": "text/event-stream"}) as response:
        assert [response.readline() for _ in range(3)][0] == b"retry: 2000\n"
        server.submit("true")
        last = all_ids(server)[-1]
        assert response.readline() == b"\n"
        assert [response.readline() for _ in range(4)] == [
            f"id: {last}\n".encode(), b"\n", b": keepalive\n", b"\n"]


@pytest.mark.parametrize("accept, is_stream", [
    ("text/event-stream", True), ("text/html, TEXT/Event-Stream;q=0.5", True),
    ("text/event-stream; charset=utf-8;q=0.01, */*", True), ("text/event-stream;q=0", False),
    ("application/json, text/event-stream ; q=0.00", False), ("text/event-streams", False)])
def test_who_asks_for_a_stream(server, accept, is_stream):  # noqa: F811
    answer = server.request("HEAD", "/v1/events", headers={"Accept": accept})
    assert answer.headers["Content-Type"] == ("text/event-stream" if is_stream else "application/json")
