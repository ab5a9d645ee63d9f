"""`reeve events`: what happened, for people and programs, also while the service is away."""

import json
import signal
import threading

import harness
from cli_helpers import Proxy, Terminal, on_terminal
from harness import wait_until


def rows(done):
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_all_events_and_those_of_jobs_queues_labels_and_kinds(reeve):
    reeve.start(slots=2, queues={"thumbs": {}})
    one = reeve.run("/bin/true")
    two = reeve.run("/bin/true", labels={"app": "library"}, queue="thumbs")
    assert [row[0] for row in rows(reeve.cli("events"))] == ["1", "2", "3", "4", "5", "6"]
    assert [row[2] for row in rows(reeve.cli("events", "last"))] == ["submitted", "started", "ended"]
    first = rows(reeve.cli("events", two["id"]))[0]
    assert first[2:4] == ["submitted", "queued"] and first[6:] == [two["id"], "thumbs", two["owner"]]
    asked = {
        ("--after", "4"): ["5", "6"],
        ("--after", "now"): [],
        ("--kind", "ended"): ["3", "6"],
        ("--kind", "ended", "--kind", "started"): ["2", "3", "5", "6"],
        ("--queue", "thumbs"): ["4", "5", "6"],
        ("-l", "app=library", "--kind", "ended"): ["6"],
        ("-l", "app=library", one["id"], "--kind", "ended"): ["3", "6"],
        (one["id"], two["id"], "--kind", "submitted"): ["1", "4"],
    }
    for args, ids in asked.items():
        assert [row[0] for row in rows(reeve.cli("events", *args))] == ids, args
    lines = reeve.cli("events", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [event["id"] for event in json.loads(reeve.cli("events", "-o", "json").stdout)] == [1, 2, 3, 4, 5, 6]


def test_as_many_jobs_as_a_request_has_room_for(reeve):
    """docs/events.md has the number, and the help of the command says some 200."""
    reeve.start()
    job = reeve.run("/bin/true")["id"]
    done = reeve.cli("events", *[job] * 210)
    assert [row[2] for row in rows(done)] == ["submitted", "started", "ended"]
    for count, status in ((220, 200), (222, 400)):
        answer = reeve.request("GET", "/v1/events?jobs=" + ",".join([job] * count))
        assert answer.status == status, answer


def test_events_that_were_removed_are_said_to_be(reeve):
    from wall_clock import DAY, HOUR, WallClock
    clock = WallClock(reeve)
    reeve.start(slots=2, retention={"events_max_age_s": HOUR, "every_s": 0})
    old = reeve.run("/bin/true")["id"]
    clock.set(DAY)
    assert reeve.cli("--config", reeve.config_path, "db", "prune").returncode == 0
    new = reeve.run("/bin/true")["id"]
    done = reeve.cli("events", old)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "reeve: there are no events any more: retention removed them\n"
    for args in ((old, new), (old, "--kind", "ended"), (new, "--after", "now")):
        done = reeve.cli("events", *args)
        assert (done.returncode, done.stderr) == (0, ""), args


def test_what_is_wrong_is_said(reeve):
    reeve.start_httpapi()
    for args, words in {("--kind", "endet"): 'did you mean "ended"?', ("--label", "x"): "name=value",
                        ("--after", "x"): "id of an event",
                        ("0190b5a0-0000-7000-8000-0000000000aa",): "no job"}.items():
        done = reeve.cli("events", *args)
        assert done.returncode not in (0, 1) and words in done.stderr, (args, done)


def test_following_a_job_ends_with_it(reeve):
    reeve.start(slots=2)
    job = reeve.sh("sleep 0.2")
    done = reeve.cli("events", "-f", job["id"])
    assert [row[2] for row in rows(done)] == ["submitted", "started", "ended"]
    # of one that has ended: at once
    assert rows(reeve.cli("events", "--follow", job["id"])) == rows(done)


def test_following_survives_the_service_and_ends_by_ctrl_c(reeve):
    reeve.start(slots=2, retention={"every_s": 0})
    reeve.run("/bin/true")
    watching = reeve.spawn(["reeve", "events", "-f", "-o", "jsonl", "--after", "0"], text=True,
                           env={"REEVE_SERVER": "unix:" + reeve.socket_path}, stdout=-1, stderr=-1)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(map(json.loads, watching.stdout)), daemon=True)
    reader.start()
    # a service that was never there is not waited for
    wait_until(lambda: len(seen) == 3, lambda: f"the first events, not {seen} {watching.poll()}")
    for how in (reeve.kill_httpapi, reeve.stop_httpapi, reeve.kill_httpapi):
        reeve.run("/bin/true")
        how()
        reeve.start_httpapi()
    last = reeve.run("/bin/true")
    ids = [row[0] for row in reeve.sql("SELECT id FROM events ORDER BY id")]
    wait_until(lambda: seen and seen[-1]["id"] == ids[-1], lambda: f"{ids[-1]} in {seen}")
    watching.send_signal(signal.SIGINT)
    assert watching.wait(harness.LIMIT_S) == 0
    reader.join(harness.LIMIT_S)
    assert [event["id"] for event in seen] == ids
    assert seen[-1]["job"] == last["id"]
    assert "going on after event" in watching.stderr.read()


def test_events_come_as_lines_on_a_terminal(reeve):
    reeve.start(slots=2)
    terminal = Terminal(reeve, "events", "-f", "--after", "0")
    job = reeve.run("/bin/true", name="x")
    seen = terminal.read_until('"exit_code":0')
    lines = seen.splitlines()
    assert [line.split()[2:5] for line in lines] == [
        ["submitted", "queued", job["id"]], ["started", "running", job["id"]], ["ended", "succeeded", job["id"]]]
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish()[0] == 0
    code, table = on_terminal(reeve, "events", job["id"], env={"NO_COLOR": "1"})
    assert code == 0 and table.splitlines()[0].split()[:4] == ["id", "at", "kind", "state"]
    # words of others do nothing to the terminal
    reeve.request("POST", "/v1/drain", {"reason": "a\u009bb"})
    code, text = on_terminal(reeve, "events", "--kind", "draining")
    assert code == 0 and "\u009b" not in text and "draining" in text


def test_a_lost_past_is_said(reeve):
    reeve.start_httpapi()
    done = reeve.cli("events", "--after", "99")
    assert (done.returncode, done.stdout) == (0, "")
    assert "there is no event 99" in done.stderr


def test_a_lost_first_page_is_asked_for_again(reeve):
    reeve.start()
    job = reeve.run("true")["id"]
    with Proxy(reeve, lambda number, _: 0 if number <= 2 else None) as proxy:
        done = reeve.cli("--server", proxy.server, "events", job)
    assert done.returncode == 0, done.stderr
    assert "asking again" in done.stderr and "after event" not in done.stderr
    assert done.stdout == reeve.cli("events", job).stdout
