"""Idempotency-Key: the same request again makes no second job, and gets the first answer."""

from intake import server  # noqa: F401  (a fixture)
from over_http import all_at_once


def test_the_same_key_and_body_get_the_first_answer_again(server):
    body = {"command": "true", "name": "once"}
    first = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k1"})
    again = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": '"k1"'})
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["Idempotency-Replayed"] is None
    assert server.sql("SELECT count(*) FROM jobs WHERE name = 'once'") == [(1,)]


def test_the_first_answer_comes_again_after_the_job_has_moved_on(server):
    body = {"command": "true", "name": "moved"}
    first = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k2"})
    assert server.cancel(first.json()).status == 200
    again = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k2"})
    assert again.status == 201 and again.body == first.body


def test_the_same_key_with_another_body(server):
    server.submit("true", headers={"Idempotency-Key": "k3"})
    answer = server.request("POST", "/v1/jobs", {"command": "false"},
                            headers={"Idempotency-Key": "k3"})
    assert answer.status == 422


def test_keys_belong_to_a_principal(server):
    body = {"command": "true", "name": "keyed"}
    one = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k4"})
    two = server.request("POST", "/v1/jobs", body, headers={"Idempotency-Key": "k4"}, via="tcp")
    assert one.status == two.status == 201
    assert one.json()["id"] != two.json()["id"]


def test_a_refused_request_leaves_its_key_free(server):
    headers = {"Idempotency-Key": "k5"}
    assert server.request("POST", "/v1/jobs", {"command": 1}, headers=headers).status == 422
    assert server.request("POST", "/v1/jobs", {"command": "true"}, headers=headers).status == 201


def test_one_key_many_at_once(server):
    """Thirty clients repeat one request at the same time: one job, thirty equal answers."""
    answers = []
    all_at_once(lambda _: answers.append(server.request(
        "POST", "/v1/jobs", {"command": "true", "name": "race"}, headers={"Idempotency-Key": "k6"})), 30)
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body for answer in answers}) == 1
    assert sum(answer.headers["Idempotency-Replayed"] is None for answer in answers) == 1
    assert server.sql("SELECT count(*) FROM jobs WHERE name = 'race'") == [(1,)]


def test_one_bad_write_does_not_disturb_the_others_of_its_batch(server):
    """Refusals by the database itself (a key with another body) amid good submissions."""
    server.submit("true", name="batch0", headers={"Idempotency-Key": "k7"})
    answers = []

    def submit(i):
        headers = {"Idempotency-Key": "k7"} if i % 4 == 0 else {}
        answers.append((i, server.request("POST", "/v1/jobs", {"command": "true", "name": f"batch{i}x"},
                                          headers=headers).status))

    all_at_once(submit, 40)
    assert len(answers) == 40
    assert all(status == (422 if i % 4 == 0 else 201) for i, status in answers)
    assert server.sql("SELECT count(*) FROM jobs WHERE name LIKE 'batch%x'") == [(30,)]
