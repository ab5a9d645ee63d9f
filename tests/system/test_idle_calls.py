"""Idle daemons ask the kernel for nothing but the look once a second and the heartbeat."""

import collections
import contextlib
import os
import re
import shutil
import subprocess

import pytest

import harness
from workbench import Workbench

HEARTBEATS = 2
# Between two heartbeats lie five looks, or six. Each asks the clock's timer and SQLite whether
# anybody has written; a heartbeat is one transaction. More than a few calls each are a poll.
CALLS_A_HEARTBEAT = 40
LOOK = {"epoll_wait", "fcntl", "pread64"}
HEARTBEAT = {"read", "flock", "pwrite64", "fdatasync"}
LINE = re.compile(r"(\d+) +(\w+)\(")


def tracers_of(pid):
    """Who traces each of its threads; 0: nobody."""
    found = set()
    for task in os.listdir(f"/proc/{pid}/task"):
        status = harness.proc_read(pid, f"task/{task}/status").decode()
        found.add(int(re.search(r"TracerPid:\s*(\d+)", status).group(1)))
    return found


@contextlib.contextmanager
def traced(daemon, out):
    """Writes down its calls, from when every thread is watched."""
    with open(out + ".said", "wb") as said:
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", out, "-p", str(daemon.pid)], stderr=said)

    def is_attached():
        if tracer.poll() is not None:
            with open(out + ".said", encoding="utf-8") as file:
                pytest.skip("strace cannot watch another process here: " + file.read().strip())
        return tracers_of(daemon.pid) == {tracer.pid}
    try:
        harness.wait_until(is_attached, "strace to watch it")
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def calls_of(path):
    """Names in order, without what each thread was in when it was first seen."""
    seen, names = set(), []
    with open(path, encoding="utf-8") as file:
        for line in file:
            call = LINE.match(line)
            if not call:
                continue
            if call.group(1) in seen:
                names.append(call.group(2))
            seen.add(call.group(1))
    return names


def heartbeat(reeve):
    return reeve.sql("SELECT max(heartbeat_at) FROM workers")[0][0]


def wait_heartbeats(reeve, count):
    for _ in range(count):
        before = heartbeat(reeve)
        harness.wait_until(lambda: heartbeat(reeve) != before, "a heartbeat")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_idle_daemons_only_look(reeve):
    bench = Workbench(reeve, slots=2).start()
    reeve.start_httpapi()
    # What has been busy, and what still runs, must not keep anybody awake.
    bench.submit_many("/bin/true", count=20)
    bench.wait_all()
    sleeping = bench.submit("/bin/sleep", "1000")
    bench.wait_running(sleeping)
    harness.wait_until(lambda: os.path.getsize(reeve.path("reeve.db-wal")) == 0,
                       "the write-ahead log to be moved into the file")
    wait_heartbeats(reeve, 1)
    of_worker, of_intake = (os.path.join(reeve.base, name) for name in ("worker.calls", "intake.calls"))
    with traced(reeve.worker, of_worker), traced(reeve.httpapi, of_intake):
        wait_heartbeats(reeve, HEARTBEATS)
    for path, expected in ((of_worker, LOOK | HEARTBEAT), (of_intake, LOOK)):
        calls = collections.Counter(calls_of(path))
        print(path, calls)
        assert set(calls) <= expected
        # the first one was under way already
        assert sum(calls.values()) <= CALLS_A_HEARTBEAT * (HEARTBEATS + 1)
