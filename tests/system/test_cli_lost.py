"""Connections that are lost: a submission is never doubled, a stream never loses a byte."""

import os
import re

import harness
from cli_helpers import Proxy


def through(proxy, reeve, *args, **how):
    return reeve.cli("--server", proxy.server, *args, **how)


def keys(proxy):
    return [match.group(1) for match in
            (re.search(rb"Idempotency-Key: (\S+)", request) for request in proxy.requests) if match]


def test_a_submission_whose_answer_was_lost_is_repeated_and_not_doubled(reeve):
    reeve.start()
    with Proxy(reeve, lambda number, _: 0 if number <= 2 else None) as proxy:
        done = through(proxy, reeve, "run", "--", "true")
    assert done.returncode == 0, done.stderr
    assert reeve.cli("ls", "-o", "id").stdout == done.stdout  # one job
    assert len(set(keys(proxy))) == 1 and len(keys(proxy)) == 3
    assert "repeating" in done.stderr


def test_a_submission_that_never_gets_an_answer_says_how_to_go_on(reeve):
    reeve.start()
    with Proxy(reeve, lambda number, _: 0) as proxy:
        done = through(proxy, reeve, "run", "--", "true")
    assert done.returncode == 6
    key = re.search(r"--idempotency-key (\S+)", done.stderr).group(1)
    again = reeve.cli("run", "--idempotency-key", key, "--", "true")
    assert again.returncode == 0
    assert reeve.cli("ls", "-o", "id").stdout == again.stdout


def test_a_lost_answer_to_stopping_many_says_that_some_may_have_been(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    for _ in range(3):
        reeve.submit("true")
    with Proxy(reeve, lambda number, _: 0 if number == 1 else None) as proxy:
        done = through(proxy, reeve, "stop", "--yes", "state:queued")
        assert done.returncode == 6
        assert "some may have been stopped; to ask again does no harm" in done.stderr
        again = through(proxy, reeve, "stop", "--yes", "state:queued")
    assert again.returncode == 0, again.stderr
    assert reeve.sql("SELECT count(*) FROM jobs WHERE state = 'cancelled'") == [(3,)]


def test_a_lost_stream_goes_on_at_its_last_byte(reeve):
    reeve.start()
    job = reeve.submit("sh", "-c", "seq 200000; read line; seq 10", stdin=b"\n")["id"]

    def judge(number, request):
        return 100000 * number if b"/output" in request and number <= 6 else None
    with Proxy(reeve, judge) as proxy:
        done = through(proxy, reeve, "logs", "-f", job)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "".join(f"{i}\n" for i in (*range(1, 200001), *range(1, 11)))
    assert "resuming at byte" in done.stderr
    assert len(proxy.requests) >= 6


def test_a_lost_download_goes_on_by_range(reeve):
    reeve.start()
    job = reeve.run("seq", "300000")["id"]
    with Proxy(reeve, lambda number, _: 500000 if number == 1 else None) as proxy:
        done = through(proxy, reeve, "logs", job)
    assert done.stdout == "".join(f"{i}\n" for i in range(1, 300001))
    assert b"\r\nRange: bytes=" in proxy.requests[1]


def test_following_and_waiting_survive_a_restart_of_the_service(reeve):
    reeve.start()
    fifo = os.path.join(reeve.work, "go")
    os.mkfifo(fifo)
    job = reeve.submit("sh", "-c", f"echo before; cat {fifo}; echo after; exit 9")["id"]
    follower = reeve.spawn(["reeve", "--server", "unix:" + reeve.socket_path, "logs", "-f", job],
                           stdout=harness.subprocess.PIPE)
    with Proxy(reeve, lambda number, _: None) as proxy:
        waiter = reeve.spawn(["reeve", "--server", proxy.server, "wait", job],
                             stdout=harness.subprocess.PIPE)
        assert follower.stdout.readline() == b"before\n"
        harness.wait_until(lambda: proxy.requests, "it to ask")
        reeve.kill_httpapi()
        reeve.start_httpapi()
        reeve.stop_httpapi()  # and an orderly one
        reeve.start_httpapi()
        with open(fifo, "w", encoding="ascii") as file:
            file.write("go\n")
        assert follower.communicate(timeout=harness.LIMIT_S)[0] == b"go\nafter\n"
        assert follower.returncode == 0
        out = waiter.communicate(timeout=harness.LIMIT_S)[0]
    assert waiter.returncode == 9, out
    assert len(proxy.requests) > 1


def test_a_service_that_does_not_answer_is_given_up(reeve):
    """It takes the connection and says nothing: --timeout ends that with exit code 6."""
    path = os.path.join(reeve.base, "mute.sock")
    with harness.socket.socket(harness.socket.AF_UNIX) as mute:
        mute.bind(path)
        mute.listen(8)
        done = reeve.cli("--server", "unix:" + path, "--timeout", "0.2", "ls")
    assert done.returncode == 6
    assert "lost" in done.stderr


def test_a_socket_with_a_full_queue_is_named_as_what_it_is(reeve):
    """Nobody asked for a host or a port."""
    path = os.path.join(reeve.base, "busy.sock")
    with harness.socket.socket(harness.socket.AF_UNIX) as busy, \
            harness.socket.socket(harness.socket.AF_UNIX) as first:
        busy.bind(path)
        busy.listen(0)
        first.connect(path)
        done = reeve.cli("--server", "unix:" + path, "ls")
    assert done.returncode == 6
    assert done.stderr == f"reeve: cannot reach the service at unix:{path}: it takes no connection just now\n"


def test_a_server_that_is_no_reeve_is_no_crash(reeve):
    """An answer that is not JSON, and a refusal without a problem document."""
    import http.server
    import threading

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = 200 if self.path.startswith("/v1/whoami") else 404
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"<html>\x1b[2Jhello")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = "http://127.0.0.1:%d" % server.server_address[1]
        assert reeve.cli("--server", where, "whoami").returncode == 1
        missing = reeve.cli("--server", where, "ls")
        server.shutdown()
    assert missing.returncode == 3
    assert "answered 404" in missing.stderr
