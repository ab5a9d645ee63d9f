"""Callbacks as a submission names them: what is taken, what is refused, and who never is called."""

import socket

import pytest

import harness
from intake import pointers
from told import APP, LISTENERS, ended, get, server, submit  # noqa: F401  (server is a fixture)


# --- the member of a submission -------------------------------------------------------------


@pytest.mark.parametrize("via", LISTENERS)
@pytest.mark.parametrize("given, shown", [
    ({"url": APP}, {"url": APP, "on": ["final"]}),
    ({"url": APP, "on": None}, {"url": APP, "on": ["final"]}),
    ({"url": "HTTPS://App.Example:443/Done?x=%2F", "on": ["lost", "started", "failed"]},
     {"url": "https://app.example/Done?x=%2F", "on": ["started", "failed", "lost"]}),
    ({"url": "http://127.0.0.1:8000", "on": ["succeeded", "cancelled", "skipped", "final"]},
     {"url": "http://127.0.0.1:8000/", "on": ["final", "succeeded", "cancelled", "skipped"]}),
    ({"url": "http://[2001:DB8:0::1]:8080/x"}, {"url": "http://[2001:db8::1]:8080/x", "on": ["final"]}),
])
def test_it_is_taken_and_shown(server, via, given, shown):  # noqa: F811
    dry = submit(server, given, "?dry_run=1", via=via)
    assert dry.status == 200 and dry.json()["job"]["callback"] == shown, dry
    made = submit(server, given, via=via)
    assert made.status == 201 and made.json()["callback"] == shown, made
    found = get(server, "/v1/jobs/" + made.json()["id"], via)
    assert found["callback"] == shown and list(found["callback"]) == ["url", "on"]


@pytest.mark.parametrize("given", [None, "absent"])
def test_without_one_nobody_is_told(server, given):  # noqa: F811
    made = server.request("POST", "/v1/jobs", {"command": "true"} if given else {"command": "true", "callback": None})
    assert made.json()["callback"] is None
    server.cancel(made.json())
    assert get(server, f"/v1/jobs/{made.json()['id']}/callbacks")["items"] == []


WORDS = '"final", "started", "succeeded", "failed", "cancelled", "skipped", "lost"'
MISTAKES = [
    ([], "#/callback", "must be an object"),
    ("https://app.example/", "#/callback", "must be an object"),
    ({}, "#/callback/url", "is required"),
    ({"url": None}, "#/callback/url", "is required"),
    ({"on": ["final"]}, "#/callback/url", "is required"),
    ({"url": 1}, "#/callback/url", "must be a string"),
    ({"url": ""}, "#/callback/url", "must not be empty"),
    ({"url": APP, "On": ["final"]}, "#/callback/On", 'did you mean "on"?'),
    ({"url": APP, "secret": "x"}, "#/callback/secret", "unknown key"),
    ({"url": APP, "headers": {"Host": "x"}}, "#/callback/headers", "unknown key"),
    ({"url": APP, "on": "final"}, "#/callback/on", "must be an array of at least one word"),
    ({"url": APP, "on": []}, "#/callback/on", "must be an array of at least one word"),
    ({"url": APP, "on": ["final", "done"]}, "#/callback/on/1", "must be one of " + WORDS),
    ({"url": APP, "on": ["running"]}, "#/callback/on/0", "must be one of " + WORDS),
    ({"url": APP, "on": [None]}, "#/callback/on/0", "must be one of " + WORDS),
    ({"url": APP, "on": [["final"]]}, "#/callback/on/0", "must be one of " + WORDS),
    ({"url": APP, "on": ["lost", "final", "lost"]}, "#/callback/on/2", "is there twice"),
    ({"url": APP + "/" + "a" * 2048}, "#/callback/url", "is longer than 2048 bytes"),
    ({"url": "https://other.example/"}, "#/callback/url",
     "other.example:443 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "http://app.example/"}, "#/callback/url",
     "app.example:80 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "https://app.example:8443/"}, "#/callback/url",
     "app.example:8443 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "https://app.example.evil/"}, "#/callback/url",
     "app.example.evil:443 is not in callbacks.allowed_hosts of the settings"),
    ({"url": "https://user:secret@app.example/"}, "#/callback/url", "must not have a user name or password"),
    ({"url": "https://app.example/#x"}, "#/callback/url", "must not have a fragment"),
]


@pytest.mark.parametrize("given, pointer, words", MISTAKES, ids=[str(i) for i in range(len(MISTAKES))])
def test_a_mistake_is_named(server, given, pointer, words):  # noqa: F811
    before = server.sql("SELECT count(*) FROM jobs")
    answer = submit(server, given)
    assert answer.status == 422 and pointers(answer) == {pointer}, answer
    assert words in answer.json()["errors"][0]["detail"], answer
    assert "secret" not in answer.text or pointer.endswith("secret")
    assert server.sql("SELECT count(*) FROM jobs") == before


def test_all_mistakes_are_told_at_once(server):  # noqa: F811
    answer = submit(server, {"url": "file:///etc/passwd", "on": ["x", "final", "final"], "to": 1}, priority=1000)
    assert pointers(answer) == {"#/callback/url", "#/callback/on/0", "#/callback/on/2", "#/callback/to", "#/priority"}


@pytest.mark.parametrize("via", LISTENERS)
def test_without_allowed_hosts_there_are_none(new_reeve, via):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    answer = submit(one, {"url": APP}, via=via)
    assert answer.status == 422 and pointers(answer) == {"#/callback/url"}
    assert "callbacks are off here: callbacks.allowed_hosts" in answer.text


def test_in_a_batch(server):  # noqa: F811
    jobs = [{"command": "true", "callback": {"url": APP}}, {"command": "true"},
            {"command": "true", "callback": {"url": "https://evil.example/", "on": ["x"]}}]
    answer = server.request("POST", "/v1/batches", {"jobs": jobs})
    assert answer.status == 422
    assert pointers(answer) == {"#/jobs/2/callback/url", "#/jobs/2/callback/on/0"}
    jobs[2]["callback"] = {"url": APP + "/2", "on": ["started"]}
    made = server.request("POST", "/v1/batches", {"jobs": jobs})
    assert made.status == 201
    shown = [get(server, "/v1/jobs/" + one["id"])["callback"] for one in made.json()["jobs"]]
    assert shown == [{"url": APP, "on": ["final"]}, None, {"url": APP + "/2", "on": ["started"]}]


def test_a_rerun_tells_the_same(server):  # noqa: F811
    first = ended(server, on=["cancelled", "started"])
    again = server.request("POST", f"/v1/jobs/{first}/rerun", {})
    assert again.status == 201, again
    assert again.json()["callback"] == {"url": APP, "on": ["started", "cancelled"]}


def test_a_repeated_request_shows_it_again(server):  # noqa: F811
    body, headers = {"command": "true", "callback": {"url": APP}}, {"Idempotency-Key": "again"}
    first = server.request("POST", "/v1/jobs", body, headers)
    again = server.request("POST", "/v1/jobs", body, headers)
    assert again.headers["Idempotency-Replayed"] == "true" and again.json() == first.json()


def test_a_living_job_of_the_same_key_tells_whom_it_did(server):  # noqa: F811
    first = server.request("POST", "/v1/jobs", {"command": "true", "unique": {"key": "told"}})
    again = submit(server, {"url": APP}, unique={"key": "told"})
    assert (again.status, again.json()["id"], again.json()["callback"]) == (200, first.json()["id"], None)


def test_it_cannot_be_changed_afterwards(server):  # noqa: F811
    made = submit(server, {"url": APP}).json()
    answer = server.request("PATCH", "/v1/jobs/" + made["id"], {"callback": None})
    assert answer.status == 422 and pointers(answer) == {"#/callback"}


# --- what must never be called --------------------------------------------------------------

# PORT is that of a sink, which is allowed by each of its canonical names.
DISGUISES = [
    "http://127.1:PORT/", "http://127.0.1:PORT/", "http://2130706433:PORT/", "http://0x7f000001:PORT/",
    "http://0x7f.1:PORT/", "http://0177.0.0.1:PORT/", "http://017700000001:PORT/", "http://127.0.0.1.:PORT/",
    "http://localhost.:PORT/", "http://[::ffff:127.0.0.1]:PORT/", "http://[::ffff:7f00:1]:PORT/",
    "http://[::127.0.0.1]:PORT/", "http://[::1]:PORT/", "http://[::]:PORT/", "http://0:PORT/", "http://0.0.0.0:PORT/",
    "http://127.0.0.2:PORT/", "http://127.000.000.001:PORT/", "http://%31%32%37.0.0.1:PORT/",
    "http://127。0。0。1:PORT/", "http://①27.0.0.1:PORT/", "http://localhost%00.evil:PORT/",
    "http://a@127.0.0.1:PORT/", "http://127.0.0.1:PORT@evil.example/", "http://evil.example:PORT@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@evil.example/", "http://evil.example#@127.0.0.1:PORT/",
    "http://evil.example\\.127.0.0.1:PORT/", "http://127.0.0.1:PORT#/", "http://127.0.0.1\t:PORT/",
    "\thttp://127.0.0.1:PORT/", "http://127.0.0.1:PORT/\r\nHost: evil.example", "http://127.0.0.1 :PORT/",
    "http:/127.0.0.1:PORT/", "http:127.0.0.1:PORT/", "http:///127.0.0.1:PORT/", "//127.0.0.1:PORT/",
    "127.0.0.1:PORT", "http://[::1", "http://[127.0.0.1]:PORT/", "http://[fe80::1%25lo]:PORT/",
    "http://127.0.0.1:0PORT/", "http://127.0.0.1:+PORT/", "http://127.0.0.1:PORT:80/", "http://127.0.0.1:/",
    "http://127.0.0.1/", "https://127.0.0.1/", "http://127.0.0.1:PORT/a/../b", "http://127.0.0.1:PORT/%2e%2e/b",
    "file:///etc/passwd", "file://127.0.0.1:PORT/", "ftp://127.0.0.1:PORT/", "gopher://127.0.0.1:PORT/_x",
    "dict://127.0.0.1:PORT/x", "unix:///run/reeve.sock", "data:,x", "http+unix://127.0.0.1:PORT/",
    "http://169.254.169.254/latest/meta-data/", "http://metadata.google.internal/", "http://[fd00:ec2::254]/",
]


def test_no_disguise_of_an_allowed_host_is_taken(new_reeve):
    """Nor is anybody called for having been named: not even a sink that may be."""
    with socket.create_server(("127.0.0.1", 0)) as sink:
        port = str(sink.getsockname()[1])
        one = new_reeve()
        hosts = ["127.0.0.1:" + port, "localhost:" + port]
        one.write_config(callbacks={"allowed_hosts": hosts, "internal_hosts": hosts})
        one.start_httpapi()
        texts = [text.replace("PORT", port) for text in DISGUISES]
        for number, text in enumerate(texts):
            answer = submit(one, {"url": text}, via=LISTENERS[number % 2])
            assert answer.status == 422 and pointers(answer) == {"#/callback/url"}, (text, answer)
        batch = one.request("POST", "/v1/batches", {"jobs": [{"command": "true", "callback": {"url": text}}
                                                              for text in texts]})
        assert batch.status == 422
        assert one.sql("SELECT count(*) FROM jobs") == one.sql("SELECT count(*) FROM callbacks") == [(0,)]
        good = submit(one, {"url": f"http://127.0.0.1:{port}/"})
        assert good.status == 201
        assert one.cancel(good.json()).status == 200
        # The intake calls nobody: what has to be sent lies in the outbox.
        assert one.sql("SELECT state, tries FROM callbacks") == [("pending", 0)]
        sink.setblocking(False)
        with pytest.raises(BlockingIOError):
            sink.accept()


# --- the settings ---------------------------------------------------------------------------


@pytest.mark.parametrize("callbacks, words", [
    ({"allowed_hosts": ["app.example"]}, "callbacks.allowed_hosts.0: must have a port"),
    ({"allowed_hosts": ["https://app.example"]}, "callbacks.allowed_hosts.0: must be HOST:PORT alone"),
    ({"allowed_hosts": ["a:1", "127.1:80"]}, "callbacks.allowed_hosts.1: must write an IPv4 address as four"),
    ({"allowed_hosts": ["*.example:443"]}, "callbacks.allowed_hosts.0: must have a host of letters"),
    ({"allowed_hosts": ["App.example:443"]}, "callbacks.allowed_hosts.0: must be in small letters"),
    ({"allowed_hosts": ["a:1"], "internal_hosts": ["b:1"]},
     "callbacks.internal_hosts: b:1 is not in callbacks.allowed_hosts as well"),
])
def test_wrong_settings_are_named(reeve, callbacks, words):
    done = reeve.cli("check", reeve.write_config(callbacks=callbacks))
    assert done.returncode != 0 and words in done.stderr, done


def test_a_host_is_allowed_and_forbidden_without_a_restart(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    assert submit(reeve, {"url": APP}).status == 422
    for hosts, status in ((["app.example:443"], 201), (["app.example:80"], 422)):
        reeve.write_config(callbacks={"allowed_hosts": hosts})
        reeve.httpapi.process.send_signal(harness.signal.SIGHUP)
        harness.wait_until(lambda: submit(reeve, {"url": APP}).status == status, f"{hosts} to be in force")
