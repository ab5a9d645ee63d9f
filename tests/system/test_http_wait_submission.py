"""A submission with ?wait: the connection sleeps from before its commit until the job's end, and
whatever else may happen meanwhile wakes it too."""

import contextlib
import json

import pytest

from harness import wait_until
from over_http import body_of, join_threads, read_all, start_threads

LONG = "?wait=60"  # longer than any client here has patience


def post(path, body):
    data = json.dumps(body).encode()
    return (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n").encode() + data


def wait_jobs(reeve, count, state="queued"):
    wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state = ?", state) == [(count,)],
               f"{count} jobs to be {state}")


def test_what_has_ended_at_its_birth_is_answered(reeve):
    """No end of it will ever be told."""
    reeve.start()
    failed = reeve.submit("false", query=LONG)
    assert failed["state"] == "failed"
    answer = reeve.request("POST", "/v1/jobs" + LONG, {"command": "true", "depends_on": [{"job": failed["id"]}]})
    assert (answer.status, answer.json()["state"]) == (201, "skipped")


def test_the_time_may_be_over_first(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    answer = reeve.request("POST", "/v1/jobs?wait=0.3", {"command": "true"})
    assert (answer.status, answer.json()["state"]) == (201, "queued")
    assert answer.headers["Location"] == "/v1/jobs/" + answer.json()["id"]


@contextlib.contextmanager
def one_waits(reeve):
    """The socket on which one submission waits that nobody runs."""
    reeve.write_config()
    reeve.start_httpapi()
    with reeve.raw_socket("unix") as sock:
        sock.sendall(post("/v1/jobs" + LONG, {"command": "true"}))
        wait_jobs(reeve, 1)
        yield sock


def test_a_cancel_is_its_end(reeve):
    with one_waits(reeve) as sock:
        assert reeve.cancel(reeve.request("GET", "/v1/jobs/last").json()).status == 200
        assert json.loads(body_of(read_all(sock)))["state"] == "cancelled"


def test_a_stop_answers(reeve):
    with one_waits(reeve) as sock:
        reeve.stop_httpapi()
        answer = read_all(sock)
        assert b" 201 " in answer.partition(b"\r\n")[0]
        assert json.loads(body_of(answer))["state"] == "queued"


def test_who_closes_one_side_is_answered_as_of_now(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    answer = reeve.raw(post("/v1/jobs" + LONG, {"command": "true"}), "unix", half_close=True)
    assert json.loads(body_of(answer))["state"] == "queued"


def test_who_hangs_up_leaves_the_job(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    for count in range(1, 11):
        with reeve.raw_socket("unix") as sock:
            sock.sendall(post("/v1/jobs" + LONG, {"command": "true"}))
            wait_jobs(reeve, count)
    reeve.start_worker()
    wait_jobs(reeve, 10, "succeeded")
    assert reeve.submit("true", query=LONG)["state"] == "succeeded"


def test_a_refused_one_is_answered(reeve):
    """Only its transaction can tell: the other one with this name lives."""
    reeve.write_config()
    reeve.start_httpapi()
    unique = {"command": "true", "unique": {"key": "nightly", "on_conflict": "reject"}}
    reeve.request("POST", "/v1/jobs", unique)
    assert reeve.request("POST", "/v1/jobs" + LONG, unique).status == 409


@pytest.mark.parametrize("at_once", [2, 16])
def test_the_same_key_at_once_is_one_job_and_all_see_its_end(reeve, at_once):
    reeve.start(slots=1)
    found = []

    def ask(number):
        answer = reeve.request("POST", "/v1/jobs" + LONG, {"command": "true"},
                               headers={"Idempotency-Key": f"k{number}"}, conn=reeve.connect())
        found.append((answer.status, answer.json()["id"], answer.json()["state"]))
    for number in range(5):
        join_threads(start_threads(ask, [(number,)] * at_once))
    assert len(found) == 5 * at_once
    assert {(status, state) for status, _, state in found} == {(201, "succeeded")}
    assert len({job for _, job, _ in found}) == 5


def test_many_wait_and_each_gets_its_own_end(reeve):
    reeve.start(slots=4)
    wrong = []

    def ask(code):
        conn = reeve.connect()
        for _ in range(10):
            answer = reeve.request("POST", "/v1/jobs" + LONG, {"command": "sh", "args": ["-c", f"exit {code}"]},
                                   conn=conn)
            if answer.status != 201 or answer.json()["exit_code"] != code:
                wrong.append(answer)
    join_threads(start_threads(ask, [(code,) for code in range(12)]))
    assert not wrong
