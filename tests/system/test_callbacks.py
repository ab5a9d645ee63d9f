"""Callbacks: what is sent, to whom, how often, and to whom it never is."""

import email.utils
import fcntl
import os
import re
import signal
import subprocess
import threading
import time

import pytest

import harness
from processes import is_alive, kill_pid, pids, proc_environ, exe_name, wait_gone, wait_until
from sink import OK, Sink, drip, flood, server_context, status, verify
from wall_clock import DAY, HOUR, WallClock

DELAYS_S = [5, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR]
JITTER = 0.15


@pytest.fixture
def sinks():
    made = []

    def make(*args, **how):
        made.append(Sink(*args, **how))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


def start(reeve, sinks, internal=None, **callbacks):
    """A service that may call these receivers, which are all on this machine."""
    hosts = [one if isinstance(one, str) else one.host for one in sinks]
    callbacks.setdefault("timeout_s", 1)
    return reeve.start(callbacks={"allowed_hosts": hosts,
                                  "internal_hosts": hosts if internal is None else internal,
                                  **callbacks})


def tell(reeve, url, on=("final",), command="/bin/true", **fields):
    return reeve.submit(command, callback={"url": url, "on": list(on)}, **fields)


FIELDS = ("webhook_id", "kind", "state", "tries", "last_status", "last_error", "attempt")


def messages(reeve, job=None):
    rows = reeve.sql(f"SELECT {', '.join(FIELDS)}, "
                     "coalesce(strftime('%s', next_at) - strftime('%s', 'now'), 0) "
                     "FROM v_callbacks WHERE job = ?1 OR ?1 IS NULL ORDER BY created_at",
                     job and job["id"])
    return [dict(zip(FIELDS + ("due_in",), row)) for row in rows]


def wait_message(reeve, job, wanted, timeout=None):
    """The one message of a job once this holds for it."""
    def look():
        found = messages(reeve, job)
        return found[0] if found and wanted(found[0]) else None
    return wait_until(look, lambda: f"the message; it is {messages(reeve, job)}\n{reeve.logs}",
                      timeout)


def wait_tried(reeve, job, tries=1):
    return wait_message(reeve, job, lambda one: one["tries"] >= tries)


def senders(reeve):
    return [pid for pid in pids() if exe_name(pid) == "reeve-sender" and is_alive(pid)
            and proc_environ(pid).get("HARNESS_OF") == reeve.mark]


def wait_sender(reeve, besides=()):
    found = wait_until(lambda: [pid for pid in senders(reeve) if pid not in besides],
                       lambda: f"a sender\n{reeve.logs}")
    return found[0]


def secret(reeve):
    with open(reeve.path("callback-secret"), encoding="ascii") as file:
        return file.read().strip()


# --- what is sent -------------------------------------------------------------------------------


def test_start_and_end_are_told_and_signed(reeve, sinks):
    sink = sinks()
    start(reeve, [sink])
    job = reeve.sh("echo out; echo err >&2; exit 3", name="a\"b", labels={"app": "library"},
                   environment={"LANG": "hush.UTF-8"},
                   callback={"url": sink.url("/done?key=1"), "on": ["started", "failed"]})
    requests = sorted(sink.wait(2), key=lambda one: one.json()["timestamp"])
    ended = reeve.wait(job)
    assert [one.json()["type"] for one in requests] == ["job.started", "job.failed"]
    for one in requests:
        assert (one.method, one.path, one.version) == ("POST", "/done?key=1", "HTTP/1.1")
        assert one.headers["host"] == sink.host
        assert one.headers["content-type"] == "application/json"
        assert re.fullmatch(r"Reeve/[0-9.]+", one.headers["user-agent"])
        assert re.fullmatch(r"msg_[0-9a-f]{32}", one.id)
        assert abs(int(one.headers["webhook-timestamp"]) - one.at) < 60
        assert not {"cookie", "authorization", "expect"} & set(one.headers)
        assert verify(one, secret(reeve))
        assert not verify(one, "whsec_" + "A" * 44)
        assert b"hush" not in one.body and b"echo" not in one.body
    assert requests[0].id != requests[1].id
    data = requests[1].json()["data"]
    for name in ("id", "name", "task", "queue", "labels", "owner", "state", "reason", "attempt",
                 "exit_code", "signal", "submitted_at", "started_at", "finished_at"):
        assert data[name] == ended[name], name
    assert data["output"] == {"stdout_bytes": 4, "stderr_bytes": 4, "dropped_bytes": 0}
    assert requests[1].json()["timestamp"] == ended["finished_at"]
    first = requests[0].json()["data"]
    assert (first["state"], first["exit_code"], first["finished_at"]) == ("running", None, None)
    wait_until(lambda: {one["state"] for one in messages(reeve, job)} == {"delivered"},
               "both to be written down")
    assert [one["tries"] for one in messages(reeve, job)] == [1, 1]
    assert [event["kind"] for event in reeve.events(job)][-2:] == ["callback_delivered"] * 2
    assert os.stat(reeve.path("callback-secret")).st_mode & 0o777 == 0o600
    assert reeve.cli("db", "verify", "--db", reeve.db).returncode == 0
    assert secret(reeve) not in reeve.logs and "key=1" not in reeve.logs


def test_a_job_that_never_ran_is_told_too(reeve, sinks):
    sink = sinks()
    start(reeve, [sink])
    job = tell(reeve, sink.url(), hold=True)
    reeve.cancel(job)
    assert sink.wait()[0].json()["type"] == "job.cancelled"


# --- what the receiver may do -------------------------------------------------------------------


def in_seconds(seconds):
    return lambda one: abs(one["due_in"] - seconds) <= max(10, JITTER * seconds + 5)


SOON = in_seconds(5)
HTTP_DATE = email.utils.formatdate(time.time() + 3 * HOUR, usegmt=True)

# what it answers, the state, the status, the words, and when it is tried again
ANSWERS = {
    "500": (status(500), "pending", 500, "answered 500", SOON),
    "404": (status(404), "pending", 404, "answered 404", SOON),
    "429": (status(429, "Retry-After: 7200"), "pending", 429, "answered 429", in_seconds(7200)),
    "503": (status(503, "Retry-After: " + HTTP_DATE), "pending", 503, "answered 503",
            in_seconds(3 * HOUR)),
    "429 for ever": (status(429, "Retry-After: 99999999"), "pending", 429, "answered 429",
                     in_seconds(DAY)),
    "500 and Retry-After": (status(500, "Retry-After: 7200"), "pending", 500, "answered 500", SOON),
    "410": (status(410), "dead", 410, "the receiver is gone (answered 410)", None),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", "delivered", 204, None, None),
    "100 before 200": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, "delivered", 200, None, None),
    "closes": (lambda connection, request: None, "pending", None,
               "it closed the connection without an answer", SOON),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", "pending", None, "its answer is not HTTP", SOON),
    "half a header": (lambda connection, request: connection.sendall(b"HTTP/1.1 200 OK\r\nX: "),
                      "pending", None, None, SOON),
    "drips": (drip, "pending", None, "there was no answer within 1 s", SOON),
    "endless headers": (flood(b"HTTP/1.1 200 OK\r\nX: "), "pending", None, None, SOON),
}


def test_each_answer(reeve, sinks):
    """All of them at once, so that the slow ones are waited for together."""
    made = {name: sinks(row[0]) for name, row in ANSWERS.items()}
    start(reeve, made.values(), parallel=64)
    jobs = {name: tell(reeve, sink.url()) for name, sink in made.items()}
    for name, (_, state, code, words, due) in ANSWERS.items():
        found = wait_tried(reeve, jobs[name])
        assert (found["state"], found["tries"], found["last_status"]) == (state, 1, code), (name, found)
        assert words is None or found["last_error"] == words, (name, found)
        assert (found["last_error"] is None) == (state == "delivered"), (name, found)
        assert due is None or due(found), (name, found)
        assert made[name].accepted == 1, name
    kinds = {name: [event["kind"] for event in reeve.events(jobs[name])][-1] for name in ("410", "204", "500")}
    assert kinds == {"410": "callback_dead", "204": "callback_delivered", "500": "ended"}


def test_one_that_hangs(reeve, sinks):
    sink = sinks()
    sink.answer = sink.wait_for_end
    start(reeve, [sink])
    found = wait_tried(reeve, tell(reeve, sink.url()))
    assert (found["last_status"], found["last_error"]) == (None, "there was no answer within 1 s")


def test_one_that_is_not_there(reeve, sinks):
    sink = sinks(listens=False)
    start(reeve, [sink])
    found = wait_tried(reeve, tell(reeve, sink.url()))
    assert (found["state"], found["last_error"]) == ("pending", "it cannot be connected to")


def test_an_endless_body_is_cut_off(reeve, sinks):
    answer = flood(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n")
    sink = sinks(answer)
    start(reeve, [sink], timeout_s=60)
    job = tell(reeve, sink.url())
    assert wait_tried(reeve, job)["state"] == "delivered"
    wait_until(lambda: answer.sent < 1 << 30 and not [t for t in sink._threads[1:] if t.is_alive()],
               "the end of the flood")
    assert answer.sent < 64 << 20, "what the buffers in between hold, and no more"
    assert "yyyy" not in reeve.logs and "yyyy" not in repr(messages(reeve, job))


@pytest.mark.parametrize("where", ["other", "metadata", "file", "itself"])
def test_redirects_are_not_followed(reeve, sinks, where):
    other = sinks()
    sink = sinks()
    target = {"other": other.url(), "metadata": "http://169.254.169.254/latest/meta-data/",
              "file": "file:///etc/passwd", "itself": "/elsewhere"}[where]
    sink.answer = status(307, "Location: " + target)
    start(reeve, [sink, other])
    found = wait_tried(reeve, tell(reeve, sink.url()))
    assert (found["state"], found["last_status"]) == ("pending", 307)
    assert found["last_error"] == "answered 307, and redirects are not followed"
    assert other.accepted == 0 and sink.accepted == 1


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """An authority, a certificate of it for 127.0.0.1, and one that nobody vouches for."""
    folder = tmp_path_factory.mktemp("tls")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True, timeout=60)

    for name in ("ca", "alone"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", name + ".key", "-out", name + ".pem", "-days", "2", "-subj", "/CN=" + name,
                "-addext", "subjectAltName=IP:127.0.0.1")
    for name, alternative in (("good", "IP:127.0.0.1"), ("other", "DNS:other.example")):
        (folder / (name + ".ext")).write_text(f"subjectAltName={alternative}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", name + ".key", "-out", name + ".csr", "-subj", "/CN=" + name)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial", "-days", "2", "-extfile", name + ".ext", "-out", name + ".pem")
    return folder


def test_certificates_are_checked(reeve, sinks, certificates):
    made = {name: sinks(context=server_context(certificates / (name + ".pem"), certificates / (name + ".key")))
            for name in ("good", "other", "alone")}
    made["plain"] = sinks()
    start(reeve, made.values(), ca_file=str(certificates / "ca.pem"), timeout_s=10)
    jobs = {name: tell(reeve, sink.url(scheme="https")) for name, sink in made.items()}
    found = {name: wait_tried(reeve, job) for name, job in jobs.items()}
    assert {name: one["state"] for name, one in found.items()} == {
        "good": "delivered", "other": "pending", "alone": "pending", "plain": "pending"}
    assert found["other"]["last_error"] == found["alone"]["last_error"] == "its certificate is not valid"
    assert [len(made[name].requests) for name in ("good", "other", "alone", "plain")] == [1, 0, 0, 0]


# --- to whom it never goes ----------------------------------------------------------------------


def test_a_name_that_is_this_machine_is_not_connected_to(reeve, sinks):
    """Allowed by name, and it resolves: but not to an address that is anybody's."""
    sink = sinks()
    name = f"localhost:{sink.port}"
    start(reeve, [name, sink.host], internal=[])
    for host in ("localhost", "127.0.0.1"):
        found = wait_tried(reeve, tell(reeve, sink.url(host=host)))
        assert found["last_error"] == f"the address of {host}:{sink.port} is not public"
        assert (found["state"], found["last_status"]) == ("pending", None)
    assert sink.accepted == 0
    reeve.write_config(callbacks={"internal_hosts": [name]})
    reeve.worker.process.send_signal(signal.SIGHUP)
    reeve.worker.wait_line(r"prog=reeve-sender ev=reloaded")
    job = tell(reeve, sink.url(host="localhost"))
    assert wait_tried(reeve, job)["state"] == "delivered"
    assert sink.accepted == 1


def preload_names(reeve):
    """The names of tests/helpers/libnames.c."""
    reeve.environ["LD_PRELOAD"] = os.path.join(harness.TESTS, "libnames.so")
    # a preloaded library comes before the sanitizers' own
    reeve.environ["ASAN_OPTIONS"] = reeve.env()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"


def test_what_a_name_resolves_to_is_judged(reeve, sinks):
    sink = sinks()
    preload_names(reeve)
    names = [f"{name}.test:{sink.port}" for name in ("loopback", "mapped", "link-local")]
    start(reeve, names, internal=names[:1])
    jobs = [tell(reeve, f"http://{name}/") for name in names]
    assert wait_tried(reeve, jobs[0])["state"] == "delivered"
    for job, name in list(zip(jobs, names))[1:]:
        assert wait_tried(reeve, job)["last_error"] == f"the address of {name} is not public"
    assert sink.accepted == 1


def test_a_resolver_that_hangs_holds_up_nobody_else(reeve, sinks):
    sink = sinks()
    preload_names(reeve)
    start(reeve, [sink, "hang.test:80"])
    lost = tell(reeve, "http://hang.test/")
    found = wait_tried(reeve, lost)
    assert (found["state"], found["last_error"]) == ("pending", "there was no answer within 1 s")
    tell(reeve, sink.url())
    sink.wait()


def test_what_was_written_by_hand_is_judged_as_well(reeve, sinks):
    """Rows that no intake would have made: each is refused, and nobody is connected to."""
    sink = sinks()
    start(reeve, [sink], internal=[])
    urls = [url.format(port=sink.port) for url in (
        "file:///etc/passwd", "http://127.1:{port}/", "http://2130706433:{port}/", "http://0x7f.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/", "http://[::1]:{port}/", "http://0.0.0.0:{port}/",
        "http://user@127.0.0.1:{port}/", "gopher://127.0.0.1:{port}/", "http://127.0.0.1:{port}/#f",
        "http://localhost:{port}/", "http://127.0.0.1:{port}/", "")]
    for number, url in enumerate(urls):
        for kind, host in enumerate((sink.host, re.sub(r"^\w+://([^/]*).*", r"\1", url) or "-")):
            reeve.sql_write(
                "INSERT INTO callbacks (webhook_id, job_id, owner, kind, attempt, url, host, body, created_at, next_at)"
                " VALUES (?, 0, 'uid:0', 'final', 1, ?, ?, '{}', 1, 1)", f"msg_{number}_{kind}", url, host)
    wait_until(lambda: all(one["tries"] for one in messages(reeve)), lambda: f"all of {messages(reeve)}")
    assert {one["state"] for one in messages(reeve)} == {"pending"}
    assert {one["last_status"] for one in messages(reeve)} == {None}
    assert sink.accepted == 0


def test_a_receiver_that_is_not_allowed_any_more(reeve, sinks):
    first, second = sinks(), sinks()
    first.answer = status(500)
    clock = WallClock(reeve)
    start(reeve, [first, second])
    job = tell(reeve, first.url())
    wait_tried(reeve, job)
    hosts = [second.host]
    reeve.write_config(callbacks={"allowed_hosts": hosts, "internal_hosts": hosts})
    reeve.worker.process.send_signal(signal.SIGHUP)
    reeve.worker.wait_line(r"prog=reeve-sender ev=reloaded")
    clock.set(60)
    found = wait_tried(reeve, job, 2)
    assert found["last_error"] == "it is not in callbacks.allowed_hosts of the settings"
    assert (found["state"], first.accepted) == ("pending", 1)


def test_no_proxy_and_no_netrc(reeve, sinks):
    proxy, sink = sinks(), sinks()
    with open(os.path.join(reeve.base, ".netrc"), "w", encoding="ascii") as file:
        file.write("machine 127.0.0.1 login somebody password secret\n")
    reeve.environ.update(http_proxy=proxy.url(""), ALL_PROXY=proxy.url(""), HOME=reeve.base,
                         NETRC=os.path.join(reeve.base, ".netrc"))
    start(reeve, [sink])
    tell(reeve, sink.url())
    assert "authorization" not in sink.wait()[0].headers
    assert proxy.accepted == 0


# --- again and again ----------------------------------------------------------------------------


def test_the_whole_table_until_it_is_dead_and_once_more(reeve, sinks):
    sink = sinks(status(500))
    clock = WallClock(reeve)
    start(reeve, [sink])
    job = tell(reeve, sink.url())
    now = 0
    for tries, delay in enumerate(DELAYS_S, 1):
        found = wait_tried(reeve, job, tries)
        assert (found["state"], found["tries"]) == ("pending", tries)
        waits = found["due_in"] - now
        assert delay * (1 - JITTER) - 5 <= waits <= delay * (1 + JITTER) + 5, (tries, found)
        now = found["due_in"] + 1
        clock.set(now)
    found = wait_message(reeve, job, lambda one: one["state"] != "pending")
    assert (found["state"], found["tries"], found["last_error"]) == ("dead", 10, "answered 500")
    clock.set(now + 30 * DAY)
    assert reeve.run("/bin/true")["state"] == "succeeded"
    assert len(sink.requests) == 10
    assert len({(one.id, one.body) for one in sink.requests}) == 1
    stamps = [int(one.headers["webhook-timestamp"]) for one in sink.requests]
    assert stamps == sorted(set(stamps)), "each try has its own time, and signature"
    assert all(verify(one, secret(reeve)) for one in sink.requests)
    sink.answer = OK
    answer = reeve.request("POST", f"/v1/callbacks/{found['webhook_id']}/redeliver", {})
    assert answer.status in (200, 202), answer
    found = wait_message(reeve, job, lambda one: one["state"] == "delivered")
    assert (found["tries"], len(sink.requests)) == (1, 11)
    assert sink.requests[10].id == sink.requests[0].id
    kinds = [event["kind"] for event in reeve.events(job) if event["kind"].startswith("callback")]
    assert kinds == ["callback_dead", "callback_redelivered", "callback_delivered"]


def test_one_that_hangs_holds_up_nobody_else(reeve, sinks):
    slow, quick = sinks(), sinks()
    slow.answer = slow.wait_for_end
    start(reeve, [slow, quick], parallel=6, parallel_per_host=4, timeout_s=300)
    for _ in range(30):
        tell(reeve, slow.url(), on=["started", "final"])
    wait_until(lambda: slow.accepted == 4, "as many as may be under way")
    for _ in range(20):
        tell(reeve, quick.url())
    quick.wait(20)
    assert (slow.accepted, len(slow.requests)) == (4, 4)


@pytest.mark.parametrize("seed", [1, 2])
def test_no_message_is_lost_when_the_sender_is_killed(reeve, sinks, seed):
    """At every request that arrives the sender may be killed: before it is answered, while it is
    written down, or soon after."""
    sink = sinks()
    killed = []

    def answer(connection, request):
        due = len(sink.requests) % 13 == seed
        if due:
            found = senders(reeve)
            if found and (len(killed) + seed) % 2 == 0:
                kill_pid(found[0])
                killed.append(found[0])
        connection.sendall(OK)
        if due and found and found[0] not in killed:
            kill_pid(found[0])
            killed.append(found[0])

    sink.answer = answer
    start(reeve, [sink], timeout_s=10)
    jobs = [tell(reeve, sink.url(), on=["started", "final"]) for _ in range(60)]
    for job in jobs:
        reeve.wait(job)
    while len(killed) < 6:
        before = len(killed)
        wait_until(lambda: len(killed) > before or done(reeve, 120), "a kill, or the end", 120)
        if done(reeve, 120):
            break
        # the worker starts the next one at once, as it does after a reload
        wait_gone(killed[-1])
        reeve.worker.process.send_signal(signal.SIGHUP)
    sink.answer = OK
    wait_until(lambda: done(reeve, 120), lambda: f"all to be delivered: {messages(reeve)[:3]}", 120)
    assert len(killed) >= 2, "or it was no test"
    sent = {}
    for request in sink.requests:
        sent.setdefault(request.id, set()).add(request.body)
    assert {one["webhook_id"] for one in messages(reeve)} == set(sent)
    assert all(len(bodies) == 1 for bodies in sent.values())
    assert len(sink.requests) > len(sent), "what was not answered was sent again"
    assert all(verify(request, secret(reeve)) for request in sink.requests)
    assert reeve.cli("db", "verify", "--db", reeve.db).returncode == 0


def done(reeve, count):
    (delivered,), = reeve.sql("SELECT count(*) FROM callbacks WHERE state = 'delivered'")
    return delivered == count


def test_killed_between_the_answer_and_its_record(reeve, sinks):
    """The receiver has it, and nobody can write that down: it is sent again, as it was."""
    sink = sinks()
    start(reeve, [sink], timeout_s=10)
    with open(reeve.path("reeve.db.writers"), "r+b") as writers:
        def answer(connection, _request):
            fcntl.flock(writers, fcntl.LOCK_EX)
            connection.sendall(OK)
            assert connection.recv(1) == b"", "it has read the answer, and closed"
            answered.set()

        answered = threading.Event()
        job = tell(reeve, sink.url())
        reeve.wait(job)
        sink.wait()
        sink.answer = answer
        second = tell(reeve, sink.url())
        sink.wait(2)
        assert answered.wait(30)
        sink.answer = OK
        sender = wait_sender(reeve)
        kill_pid(sender)
        wait_gone(sender)
        assert messages(reeve, second)[0]["tries"] == 0
        fcntl.flock(writers, fcntl.LOCK_UN)
        requests = sink.wait(3)
    assert (requests[1].id, requests[1].body) == (requests[2].id, requests[2].body)
    assert requests[0].id != requests[1].id
    assert wait_tried(reeve, second)["tries"] == 1, "only what was written down counts"


# --- the process --------------------------------------------------------------------------------


def test_the_sender_lives_with_its_worker(reeve, sinks):
    sink = sinks()
    start(reeve, [sink])
    first = wait_sender(reeve)
    kill_pid(first)
    second = wait_sender(reeve, besides=[first])
    reeve.worker.wait_line(r"ev=helper_died program=reeve-sender")
    reeve.kill_worker()
    wait_gone(second)
    assert senders(reeve) == []
    reeve.start_worker()
    third = wait_sender(reeve)
    reeve.stop_worker()
    wait_gone(third)
    reeve.start_worker()
    assert tell(reeve, sink.url()) and sink.wait()


def test_there_is_one_for_a_state_directory(reeve, sinks):
    sink = sinks()
    start(reeve, [sink])
    reeve.worker.wait_line(r"prog=reeve-sender ev=ready")
    with open(os.path.join(reeve.base, "second.log"), "w+b") as log:
        second = reeve.spawn(["reeve-sender", "--config", reeve.config_path],
                             stdin=subprocess.PIPE, stderr=log)
        wait_until(lambda: b"ev=waiting" in open(log.name, "rb").read(), "it to wait")
        tell(reeve, sink.url())
        sink.wait()
        kill_pid(wait_sender(reeve, besides=[second.pid]))
        wait_until(lambda: b"ev=ready" in open(log.name, "rb").read(), "it to take over")
        second.stdin.close()
        assert second.wait(30) == 0


def test_there_is_none_without_receivers(reeve, sinks):
    sink = sinks()
    reeve.start()
    assert reeve.run("/bin/true")["state"] == "succeeded"
    assert senders(reeve) == [] and not os.path.exists(reeve.path("callback-secret"))
    reeve.write_config(callbacks={"allowed_hosts": [sink.host], "internal_hosts": [sink.host]})
    for daemon in (reeve.worker, reeve.httpapi):
        daemon.process.send_signal(signal.SIGHUP)
    sender = wait_sender(reeve)
    reeve.httpapi.wait_line(r"ev=reloaded")
    assert tell(reeve, sink.url()) and sink.wait()
    reeve.write_config(callbacks={"allowed_hosts": [], "internal_hosts": []})
    reeve.worker.process.send_signal(signal.SIGHUP)
    wait_gone(sender)
    assert reeve.run("/bin/true")["state"] == "succeeded"
    assert senders(reeve) == []


def test_secrets_change_over(reeve, sinks):
    sink = sinks()
    start(reeve, [sink])
    tell(reeve, sink.url())
    assert verify(sink.wait()[0], secret(reeve))
    old, new = secret(reeve), "whsec_" + "b" * 32
    with open(reeve.path("callback-secret"), "w", encoding="ascii") as file:
        file.write(f"{new}\n{old}\n")
    reeve.worker.process.send_signal(signal.SIGHUP)
    reeve.worker.wait_line(r"prog=reeve-sender ev=reloaded")
    tell(reeve, sink.url())
    request = sink.wait(2)[1]
    assert verify(request, old) and verify(request, new)
    assert len(request.headers["webhook-signature"].split(" ")) == 2
    # one that others can read is refused, and the ones in force stay
    os.chmod(reeve.path("callback-secret"), 0o640)
    reeve.worker.process.send_signal(signal.SIGHUP)
    reeve.worker.wait_line(r"prog=reeve-sender ev=reload_refused .*chmod 600")
    tell(reeve, sink.url())
    assert verify(sink.wait(3)[2], new)
    # and one that was taken away is not made anew: receivers know the one in force
    os.unlink(reeve.path("callback-secret"))
    reeve.worker.process.send_signal(signal.SIGHUP)
    reeve.worker.wait_line(r"prog=reeve-sender ev=reload_refused .*No such file")
    assert not os.path.exists(reeve.path("callback-secret"))
    tell(reeve, sink.url())
    assert verify(sink.wait(4)[3], new)
    assert reeve.worker.log.count("ev=secret_made") == 1
    assert old not in reeve.logs and new not in reeve.logs


def test_nothing_is_sent_without_a_good_secret(reeve, sinks):
    sink = sinks()
    os.makedirs(reeve.state_dir, mode=0o700)
    with open(reeve.path("callback-secret"), "w", encoding="ascii") as file:
        file.write("whsec_short\n")
    os.chmod(reeve.path("callback-secret"), 0o600)
    start(reeve, [sink])
    job = tell(reeve, sink.url())
    assert reeve.wait(job)["state"] == "succeeded"
    reeve.worker.wait_line(r"prog=reeve-sender ev=start_failed")
    assert (messages(reeve, job)[0]["state"], sink.accepted) == ("pending", 0)
    os.unlink(reeve.path("callback-secret"))
    reeve.worker.process.send_signal(signal.SIGHUP)
    assert verify(sink.wait()[0], secret(reeve))
