"""Acknowledged is durable: what was answered 201 is there, once, whatever is killed."""

import contextlib
import fcntl
import http.client
import json
import random
import socket
import threading
import time

import pytest

from harness import wait_until
from over_http import join_threads, read_all, start_threads


class Clients:
    """Many clients that submit at once and keep what they were told."""

    def __init__(self, reeve, count, threads, with_key=False):
        self.reeve, self.with_key = reeve, with_key
        self.numbers = iter(range(count))
        self.lock = threading.Lock()
        self.answered = {}  # number -> id
        self.refused = []   # anything that is neither 201 nor a lost connection
        self.tried = 0
        self.count = threads

    def start(self):
        self.threads = start_threads(self.work, [()] * self.count)
        return self

    def join(self):
        join_threads(self.threads)

    def work(self):
        while True:
            with self.lock:
                number = next(self.numbers, None)
                self.tried += number is not None
            if number is None:
                return
            with contextlib.suppress(OSError, http.client.HTTPException, json.JSONDecodeError):
                self.submit(number)

    def submit(self, number):
        headers = {"Idempotency-Key": f"key-{number}"} if self.with_key else {}
        answer = self.reeve.request("POST", "/v1/jobs", {"command": "true", "name": f"n{number}"},
                                    headers=headers)
        if answer.status == 201:
            self.answered[number] = answer.json()["id"]
        else:
            self.refused.append(answer)
        return answer


def stored(reeve):
    """name -> how often, and every id."""
    rows = reeve.sql("SELECT name, lower(hex(uuid)) FROM jobs")
    ids = {}
    for name, uuid in rows:
        ids.setdefault(name, []).append(
            "-".join((uuid[:8], uuid[8:12], uuid[12:16], uuid[16:20], uuid[20:])))
    return ids


def check(reeve, clients):
    ids = stored(reeve)
    for number, id in clients.answered.items():
        assert ids.get(f"n{number}") == [id], f"job {number} was acknowledged as {id}"
    assert not clients.refused
    assert reeve.sql("PRAGMA integrity_check") == [("ok",)]
    # Each job with its event, or neither.
    assert reeve.sql("SELECT count(*) FROM jobs j WHERE NOT EXISTS (SELECT 1 FROM events e "
                     "WHERE e.job_id = j.id AND e.kind = 'submitted')") == [(0,)]


def test_killing_the_intake_during_a_thousand_submissions(reeve):
    reeve.write_config(limits={"connections": 2000})
    reeve.start_httpapi()
    clients = Clients(reeve, 1000, 64).start()
    wait_until(lambda: len(clients.answered) > 300, "some submissions to be answered")
    reeve.kill_httpapi()
    clients.join()
    assert 300 < len(clients.answered) < 1000
    reeve.start_httpapi()
    check(reeve, clients)
    for number, id in clients.answered.items():
        assert reeve.job(id)["name"] == f"n{number}"


@pytest.mark.parametrize("round", range(5))
def test_killing_it_at_any_moment(reeve, round):
    reeve.write_config(limits={"connections": 2000})
    reeve.start_httpapi()
    clients = Clients(reeve, 400, 32).start()
    moment = random.Random(round).randrange(1, 250)
    wait_until(lambda: len(clients.answered) >= moment, f"{moment} answers")
    reeve.kill_httpapi()
    clients.join()
    reeve.start_httpapi()
    check(reeve, clients)


def test_repeating_with_the_same_key_after_a_kill_makes_one_job_each(reeve):
    """Not acknowledged is unknown: the key makes repeating it safe."""
    reeve.write_config(limits={"connections": 2000})
    reeve.start_httpapi()
    clients = Clients(reeve, 600, 32, with_key=True).start()
    wait_until(lambda: len(clients.answered) > 200, "some submissions to be answered")
    reeve.kill_httpapi()
    clients.join()
    reeve.start_httpapi()
    before = dict(clients.answered)
    for number in range(clients.tried):
        clients.submit(number)
    assert all(clients.answered[number] == id for number, id in before.items())
    ids = stored(reeve)
    assert len(ids) == clients.tried and all(len(found) == 1 for found in ids.values())
    check(reeve, clients)


def test_stopping_it_loses_nobody(reeve):
    """SIGTERM: what was taken is answered; only new connections are refused."""
    reeve.write_config(limits={"connections": 2000})
    reeve.start_httpapi()
    clients = Clients(reeve, 1000, 32).start()
    wait_until(lambda: len(clients.answered) > 100, "some submissions to be answered")
    began = time.monotonic()
    reeve.stop_httpapi()
    assert time.monotonic() - began < 30
    clients.join()
    check(reeve, clients)
    assert sum(len(found) for found in stored(reeve).values()) == len(clients.answered)


def waits_for_a_lock(pid):
    """Is the process in line for a lock that somebody else has (proc(5), /proc/locks)?"""
    with open("/proc/locks", encoding="ascii") as locks:
        return any(" -> " in line and f" {pid} " in line for line in locks)


def test_a_stop_waits_for_a_commit_however_slow(reeve):
    """Somebody else holds the writers' lock for longer than a stop is patient with clients."""
    reeve.write_config()
    reeve.start_httpapi()
    with open(reeve.path("reeve.db.writers"), "rb") as lock, reeve.raw_socket("unix") as sock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b'Content-Length: 18\r\n\r\n{"command":"true"}')
        wait_until(lambda: waits_for_a_lock(reeve.httpapi.pid), "the writer to want the lock")
        reeve.httpapi.process.terminate()
        reeve.httpapi.wait_line("ev=stopping")
        with pytest.raises(AssertionError):
            reeve.httpapi.wait_end(7)
        fcntl.flock(lock, fcntl.LOCK_UN)
        answer = read_all(sock)  # to its end: a stopping server keeps no connection
        assert b"HTTP/1.1 201 Created" in answer and b"onnection: close" in answer
    assert reeve.httpapi.wait_end() == 0
    assert reeve.sql("SELECT count(*) FROM jobs") == [(1,)]


def test_a_stop_finishes_the_request_that_is_being_sent(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    with reeve.raw_socket("unix") as sock:
        sock.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                     b"Expect: 100-continue\r\nContent-Length: 18\r\nConnection: close\r\n\r\n")
        assert sock.recv(25, socket.MSG_WAITALL) == b"HTTP/1.1 100 Continue\r\n\r\n"
        reeve.httpapi.process.terminate()
        reeve.httpapi.wait_line("ev=stopping")
        sock.sendall(b'{"command":"true"}')
        assert b"HTTP/1.1 201 Created" in read_all(sock)
    assert reeve.httpapi.wait_end() == 0
    assert reeve.sql("SELECT count(*) FROM jobs") == [(1,)]
