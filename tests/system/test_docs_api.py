"""docs/api.md says what the intake does: its routes, its examples, its errors."""

import json
import re
import subprocess

import harness
from intake import pointers, server  # noqa: F401  (server is a fixture)

with open(harness.ROOT + "/docs/api.md", encoding="utf-8") as page:
    PAGE = page.read()


def section(title):
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def example(title):
    return json.loads(re.search(r"```json\n(.*?)```", section(title), re.S).group(1))


def first_column(title):
    return re.findall(r"^\| `(\w+)` \|", section(title), re.M)


def test_the_routes_are_those_of_the_program(server):  # noqa: F811
    """When this fails: paste what `reeve-httpapi --routes` prints."""
    printed = subprocess.run([server.program("reeve-httpapi"), "--routes"], capture_output=True,
                             text=True, check=True, timeout=60).stdout
    assert len(printed.splitlines()) > 10
    assert printed in section("Routes")


def test_every_route_of_the_page_is_served(server):  # noqa: F811
    """The table is not only printed: each row answers, and not with 404 or 405 for its path."""
    job = server.submit("true")
    rows = re.findall(r"^\| `(\w+) (\S+)` \|", section("Routes"), re.M)
    for method, path in rows:
        path = path.replace("{id}", job["id"]).replace("{name}", "conflict")
        path = path.replace("{task}", "greet").replace("{queue}", "default")
        path = path.replace("/output/search", "/output/search?q=x")
        if method == "GET":
            with server.stream(path) as answer:  # some of them do not end
                assert answer.status in (200, 503), path
        else:
            answer = server.request(method, path, {})
            assert answer.status in (200, 201, 422), (method, path, answer)


def test_the_submission_is_accepted_and_its_members_are_listed(server):  # noqa: F811
    body = example("Submitting")
    assert server.request("POST", "/v1/jobs?dry_run=1", body).status == 200
    members = first_column("Submitting")
    assert set(body) <= set(members)
    # Each listed member is read: a nonsense value of it is complained about.
    wrong = server.request("POST", "/v1/jobs", {name: -1000000000 for name in members})
    assert wrong.status == 422
    assert {pointer.split("/")[1] for pointer in pointers(wrong)} == set(members)


def test_the_job_has_these_members(new_reeve):
    one = new_reeve().start()
    job, shown = one.run("sh", "-c", "echo out; exit 3"), example("A job")
    assert list(job) == list(shown)
    for part in ("limits", "process", "output"):
        assert list(job[part]) == list(shown[part])


def test_the_error_is_the_one_shown(server):  # noqa: F811
    body = re.search(r"-d '(.*?)'", section("Errors")).group(1)
    answer, shown = server.request("POST", "/v1/jobs", body).json(), example("Errors")
    answer.pop("request_id"), shown.pop("request_id")
    assert answer == shown


def test_the_parameter_has_these_members(new_reeve):
    one = new_reeve().start(tasks=[{"name": "t", "executable": "/bin/true", "parameters": [
        {"name": "size", "type": "integer", "min": 16, "max": 512, "default": 128}]}])
    assert one.request("GET", "/v1/tasks/t").json()["parameters"] == [example("Tasks")]


def test_the_queue_has_these_members(server):  # noqa: F811
    shown = example("Queues, draining, explaining")
    queue = server.request("POST", "/v1/queues/default/pause", {"reason": "the disk is full"}).json()
    server.request("POST", "/v1/queues/default/resume")
    assert list(queue) == list(shown) and list(queue["pause"]) == list(shown["pause"])


def test_every_code_has_its_page(server):  # noqa: F811
    codes = first_column("Errors")
    assert len(codes) > 10
    for code in codes:
        assert server.request("GET", "/problems/" + code).status == 200


def test_the_statistics_have_these_members(new_reeve):
    one = new_reeve().start()
    one.run("true")
    found, shown = one.request("GET", "/v1/stats").json(), example("Statistics")
    assert list(found) == list(shown)
    for part in ("jobs", "worker", "sizes"):
        assert list(found[part]) == list(shown[part])
    assert list(found["last"]) == ["minute", "hour", "day"]
    assert list(found["last"]["minute"]) == list(shown["last"]["minute"])
    assert list(found["queues"][0]) == ["name", "jobs", "last"]
