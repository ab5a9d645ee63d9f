"""SIGHUP: the configuration and the tasks anew, without a restart; all of it or nothing."""

import json
import os
import re
import signal
import threading

import pytest

from harness import logfmt, wait_until
from over_http import get, join_threads, read_all, start_threads
from test_http_waiting import Gate

CLIENTS = 8
RELOADS = 50


def reload(daemon):
    """What the daemon says until it is through with it, as dicts; the last one is the result."""
    before = len(daemon.lines)
    os.kill(daemon.pid, signal.SIGHUP)

    def result():
        said = [logfmt(line) for line in daemon.lines[before:]]
        ends = [i for i, line in enumerate(said) if line["ev"] in ("reloaded", "reload_refused")]
        return said[:ends[0] + 1] if ends else None
    said = wait_until(result, lambda: f"{daemon.name} to reload; it said:\n{daemon.log}")
    assert daemon.is_running
    return said


def reloaded(daemon):
    """Reloads; the names of the settings that need a restart."""
    said = reload(daemon)
    assert said[-1]["ev"] == "reloaded", said
    return [line["setting"] for line in said if line["ev"] == "reload_needs_restart"]


def refused(daemon):
    said = reload(daemon)
    assert said[-1]["ev"] == "reload_refused", said
    return said[-1]["error"]


def run_args(reeve, count):
    return reeve.request("POST", "/v1/jobs", {"command": "true", "args": ["x"] * count}).status


def task(name, word):
    return {"name": name, "executable": "/bin/echo", "arguments": [word]}


def write_task_file(reeve, name, content):
    folder = os.path.join(reeve.base, "tasks.d")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))


# --- the intake -----------------------------------------------------------------------------


def test_a_changed_limit_holds_without_a_restart(reeve):
    reeve.write_config(limits={"args": 3})
    reeve.start_httpapi()
    with reeve.raw_socket("unix") as kept:  # a connection that is older than the change
        request = get("/v1/whoami").replace(b"Connection: close\r\n", b"")
        kept.sendall(request)
        assert b" 200 " in kept.recv(65536)
        assert run_args(reeve, 5) == 422
        reeve.write_config(limits={"args": 10})
        assert run_args(reeve, 5) == 422
        assert reloaded(reeve.httpapi) == []
        assert run_args(reeve, 5) == 201
        reeve.write_config(limits={"args": 2})
        assert reloaded(reeve.httpapi) == []
        assert run_args(reeve, 3) == 422
        kept.sendall(request.replace(b"whoami HTTP/1.1\r\n", b"whoami HTTP/1.1\r\nConnection: close\r\n"))
        assert b" 200 " in read_all(kept)


def test_the_log_level_changes(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    assert reeve.request("GET", "/v1/jobs/no-such-job").status == 404
    assert "level=debug" not in reeve.httpapi.log
    reeve.write_config(log_level="debug")
    reloaded(reeve.httpapi)
    assert reeve.request("GET", "/no/such/path").status == 404
    reeve.httpapi.wait_line("level=debug .*ev=refused")


def test_tasks_come_change_and_go(reeve):
    """What was accepted runs by the definition that it was accepted with."""
    reeve.write_config(tasks=[task("going", "as it was"), task("changing", "before")])
    write_task_file(reeve, "file.json", task("file", "first"))
    reeve.start_httpapi()
    jobs = {name: reeve.request("POST", "/v1/jobs", {"task": name}).json()
            for name in ("going", "changing", "file")}
    reeve.write_config(tasks=[task("changing", "after"), task("coming", "new")])
    write_task_file(reeve, "file.json", task("file", "second"))
    write_task_file(reeve, "more.json", task("more", "from a file"))
    reloaded(reeve.httpapi)
    names = [item["name"] for item in reeve.request("GET", "/v1/tasks").json()["items"]]
    assert names == ["changing", "coming", "file", "more"]
    assert reeve.request("GET", "/v1/tasks/going").status == 404
    gone = reeve.request("POST", "/v1/jobs", {"task": "going"})
    assert gone.status == 422 and gone.json()["errors"][0]["pointer"] == "#/task"
    later = {name: reeve.request("POST", "/v1/jobs", {"task": name}).json()
             for name in ("changing", "coming", "file", "more")}
    reeve.start_worker()
    said = {name: reeve.output(reeve.wait(job)) for name, job in jobs.items()}
    assert said == {"going": b"as it was\n", "changing": b"before\n", "file": b"first\n"}
    said = {name: reeve.output(reeve.wait(job)) for name, job in later.items()}
    assert said == {"changing": b"after\n", "coming": b"new\n", "file": b"second\n",
                    "more": b"from a file\n"}


# --- both -----------------------------------------------------------------------------------


def wrong_syntax(reeve):
    with open(reeve.config_path, "w", encoding="utf-8") as file:
        file.write('{\n  "limits": {"args": 50},\n  oops\n}\n')
    return rf"{re.escape(reeve.config_path)}:3:3: "


def wrong_setting(reeve):
    reeve.write_config(limits={"arg": 50})
    del reeve.config["limits"]["arg"]
    return rf"{re.escape(reeve.config_path)}:\d+:\d+: limits\.arg: unknown; did you mean limits\.args\?"


def wrong_task(reeve):
    reeve.write_config(tasks=[task("fine", "new"), {**task("bad", "x"), "timeout": "x"}])
    reeve.config["tasks"].pop()
    return rf"{re.escape(reeve.config_path)}:\d+:\d+: tasks\.1\.timeout"


def wrong_task_file(reeve):
    write_task_file(reeve, "broken.json", '{\n "name": "broken",\n "executable": 3}')
    return rf"{re.escape(reeve.base)}/tasks\.d/broken\.json:3:2: executable: "


def no_file(reeve):
    os.unlink(reeve.config_path)
    return re.escape(reeve.config_path)


@pytest.mark.parametrize("spoil", [wrong_syntax, wrong_setting, wrong_task, wrong_task_file, no_file])
def test_a_bad_file_is_refused_as_a_whole(reeve, spoil):
    """By both; what was in force stays, also where the file is right."""
    reeve.start(limits={"args": 3}, tasks=[task("fine", "old")], slots=1)
    reeve.config["limits"]["args"] = 50
    reeve.config["slots"] = 2
    reeve.config["tasks"] = [task("fine", "new")]
    reeve.write_config()
    place = spoil(reeve)
    for daemon in (reeve.httpapi, reeve.worker):
        assert re.search(place, refused(daemon)), daemon.log
    assert run_args(reeve, 5) == 422
    job = reeve.request("POST", "/v1/jobs?wait=60", {"task": "fine"}).json()
    assert reeve.output(job) == b"old\n"
    assert reeve.sql("SELECT slots FROM workers") == [(1,)]
    # Put right, it is taken.
    reeve.write_config()
    write_task_file(reeve, "broken.json", task("broken", "mended"))
    for daemon in (reeve.httpapi, reeve.worker):
        assert reloaded(daemon) == []
    assert run_args(reeve, 5) == 201
    job = reeve.request("POST", "/v1/jobs?wait=60", {"task": "fine"}).json()
    assert reeve.output(job) == b"new\n"
    wait_until(lambda: reeve.sql("SELECT slots FROM workers") == [(2,)], "the new slots")


def test_what_is_fixed_is_named_and_stays(reeve):
    """Each daemon names its own; the rest of the file is taken."""
    reeve.start(limits={"args": 3}, http={"threads": 3}, cgroup="off", slots=1)
    before = dict(reeve.config)
    reeve.config = {**before,
                    "state_dir": os.path.join(reeve.base, "other"),
                    "listeners": [{"address": "unix:run/other.sock", "mode": "0600"}],
                    "limits": {"args": 9, "connections": 77, "connections_per_address": 66,
                               "header_bytes": 2048, "target_bytes": 512},
                    "http": {"threads": 2, "request_deadline_s": 33},
                    "cgroup": "auto", "slots": 2, "wal_bytes": 1 << 20}
    reeve.write_config()
    assert reloaded(reeve.httpapi) == [
        "state_dir", "listeners", "limits.header_bytes", "limits.target_bytes",
        "limits.connections", "limits.connections_per_address", "http.threads",
        "http.request_deadline_s"]
    assert reloaded(reeve.worker) == ["state_dir", "cgroup"]
    assert not os.path.exists(reeve.config["state_dir"])
    assert run_args(reeve, 5) == 201  # at the old socket
    assert reeve.request("GET", "/v1/jobs/last", headers={"X-Wide": "x" * 4000}).status == 200
    assert reeve.submit("true", query="?wait=60")["state"] == "succeeded"
    # As it was at the start: nothing differs any more.
    reeve.config = before
    reeve.write_config()
    for daemon in (reeve.httpapi, reeve.worker):
        assert reloaded(daemon) == []


# --- under load -----------------------------------------------------------------------------


def test_reloads_under_load_lose_nothing(reeve):
    """Eight clients submit, some wait and follow meanwhile; the file changes all the time."""
    reeve.start(limits={"args": 20}, tasks=[task("always", "0")], slots=2)
    is_over = threading.Event()
    accepted, wrong = [], []

    def client(number):
        via = ("unix", "tcp")[number % 2]
        conn = reeve.connect(via)
        rounds = 0
        while not is_over.is_set():
            rounds += 1
            body = {"task": "always"} if rounds % 2 else {"command": "true", "args": ["x"] * 5}
            tail = "?wait=60" if rounds % 10 == 0 else ""
            answer = reeve.request("POST", "/v1/jobs" + tail, body, via=via, conn=conn)
            (accepted if answer.status == 201 else wrong).append(answer)
        conn.close()

    with Gate(reeve) as gate, reeve.raw_socket("unix") as waiting, reeve.raw_socket("unix") as following:
        held = reeve.sh(f"read line < {gate.path}; echo all of it")
        waiting.sendall(get(f"/v1/jobs/{held['id']}?wait=60"))
        following.sendall(get(f"/v1/jobs/{held['id']}/output?follow=1"))
        threads = start_threads(client, [(number,) for number in range(CLIENTS)])
        try:
            for number in range(RELOADS):
                reeve.write_config(limits={"args": 10 + number}, tasks=[task("always", str(number + 1))],
                                   http={"header_deadline_s": 10 + number % 2}, slots=2 + number % 2)
                assert reloaded(reeve.httpapi) == []
                assert reloaded(reeve.worker) == []
        finally:
            is_over.set()
        join_threads(threads)
        gate.write("go\n")
        assert b"all of it\n" in read_all(following)
        assert b" 200 " in read_all(waiting)
    assert wrong == []
    assert len(accepted) > CLIENTS
    ids = {answer.json()["id"] for answer in accepted}
    assert len(ids) == len(accepted)
    assert reeve.sql("SELECT count(*) FROM jobs") == [(len(accepted) + 1,)]
    wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state <> 'succeeded'") == [(0,)],
               "every job to have succeeded")
    # Each by one definition, whole: the one that it was accepted with.
    assert reeve.sql("SELECT count(DISTINCT command) > 1, count(*) > 0 FROM jobs WHERE task = 'always'") == [(1, 1)]


# --- the worker -----------------------------------------------------------------------------


def running(reeve):
    return reeve.sql("SELECT count(*) FROM jobs WHERE state = 'running'")[0][0]


def test_slots_change_under_running_jobs(reeve):
    reeve.start(slots=1)
    with Gate(reeve) as gate:
        jobs = [reeve.sh(f"read line < {gate.path}; echo $PATH") for _ in range(4)]
        first = reeve.wait_running(jobs[0])
        assert running(reeve) == 1
        reeve.write_config(slots=3, path="/usr/bin:/bin")
        assert reloaded(reeve.worker) == []
        for job in jobs[1:3]:
            reeve.wait_running(job)
        assert reeve.job(jobs[0])["state"] == "running"
        assert reeve.processes_of(first)
        assert len(reeve.shims()) == 3
        # Fewer: who runs goes on, nobody starts before there is room.
        reeve.write_config(slots=1)
        assert reloaded(reeve.worker) == []
        assert running(reeve) == 3
        gate.write("go\n" * 2)
        wait_until(lambda: running(reeve) == 1, "two of three to end")
        assert not reeve.processes_of(jobs[3])
        wait_until(lambda: len(reeve.shims()) == 1, "the shims of the slots that are gone to leave")
        gate.write("go\n")
        reeve.wait_running(jobs[3])
        gate.write("go\n")
        ended = [reeve.wait(job) for job in jobs]
    assert [job["state"] for job in ended] == ["succeeded"] * 4
    assert [reeve.output(job) for job in jobs] == [
        b"/usr/local/bin:/usr/bin:/bin\n"] + [b"/usr/bin:/bin\n"] * 3
    assert reeve.sql("SELECT count(*) FROM attempts WHERE outcome = 'exit'") == [(4,)]
    assert reeve.sql("SELECT slots FROM workers") == [(1,)]


def test_a_worker_that_adopts_can_reload(reeve):
    """Jobs of the worker before take up slots too."""
    reeve.start(slots=2)
    with Gate(reeve) as gate:
        jobs = [reeve.sh(f"read line < {gate.path}; echo done") for _ in range(2)]
        for job in jobs:
            reeve.wait_running(job)
        reeve.kill_worker()
        reeve.start_worker()
        reeve.write_config(slots=1)
        reloaded(reeve.worker)
        reeve.write_config(slots=3)
        reloaded(reeve.worker)
        third = reeve.sh("echo third")
        assert reeve.wait(third)["state"] == "succeeded"
        assert running(reeve) == 2
        gate.write("go\n" * 2)
        for job in jobs:
            assert reeve.wait(job)["state"] == "succeeded"


def test_retention_begins_at_once_by_the_new_rules(reeve):
    """The worker would do it again in an hour; that it was through once says the log."""
    reeve.start(retention={"every_s": 3600})
    jobs = [reeve.run("true") for _ in range(2)]
    reeve.stop_worker()
    reeve.write_config(retention={"rules": [{"queue": "default", "rows": {"keep_last": 1}}]})
    reeve.start_worker()
    reeve.worker.wait_line(r"ev=pruned jobs=1\b")
    assert reeve.request("GET", "/v1/jobs/" + jobs[0]["id"]).status == 410
    reeve.write_config(retention={"rules": [{"queue": "default", "rows": {"keep_last": 0}}]})
    reloaded(reeve.worker)
    wait_until(lambda: reeve.request("GET", "/v1/jobs/" + jobs[1]["id"]).status == 410,
               lambda: f"the other job to go\n{reeve.logs}")
