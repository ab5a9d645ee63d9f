"""The intake as a daemon: who may ask, health, and starts that must fail with clear words."""

import os
import socket
import sqlite3
import stat
import subprocess

import pytest

from harness import logfmt
from intake import server  # noqa: F401  (a fixture)

# --- who asks -------------------------------------------------------------------------------


def test_the_token_and_the_socket(server):
    assert server.request("GET", "/v1/whoami").json() == {"principal": f"uid:{os.getuid()}",
                                                          "role": "admin"}
    assert server.request("GET", "/v1/whoami", via="tcp").json()["principal"] == "token:local"
    answer = server.request("GET", "/v1/whoami", via="tcp", headers={"Authorization": None})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


def test_the_token_is_a_secret(server):
    assert stat.S_IMODE(os.stat(server.path("token")).st_mode) == 0o600
    assert len(server.token) >= 43
    assert server.token not in server.httpapi.log
    assert server.path("token") in server.httpapi.log


def test_a_token_that_others_can_read_is_refused(new_reeve):
    one = new_reeve()
    os.mkdir(one.state_dir, 0o700)
    with open(one.path("token"), "w", encoding="ascii") as file:
        file.write("a" * 64 + "\n")
    os.chmod(one.path("token"), 0o644)
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert "chmod 600" in said(daemon)
    os.chmod(one.path("token"), 0o600)
    one.start_httpapi()
    assert one.request("GET", "/v1/whoami", via="tcp").status == 200


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_of_the_machine_is_refused(new_reeve):
    one = new_reeve()
    socket_path = os.path.join(one.base, "open.sock")
    one.write_config(listeners=[{"address": "unix:" + socket_path, "mode": "0666"}])
    os.chmod(one.base, 0o755)
    one.httpapi = one.launch("reeve-httpapi")
    one.httpapi.wait_line("ev=ready")
    script = ("import os,socket,sys; os.setgid(65534); os.setuid(65534);"
              "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
              "s.sendall(b'GET '+sys.argv[2].encode()+b' HTTP/1.1\\r\\nHost: x\\r\\n"
              "Connection: close\\r\\n\\r\\n');"
              "sys.stdout.buffer.write(b''.join(iter(lambda: s.recv(9999), b'')))")
    for path, status in (("/v1/whoami", b" 403 "), ("/v1/jobs", b" 403 "), ("/nothing", b" 403 "),
                         ("/healthz/live", b" 200 ")):
        out = subprocess.run(["/usr/bin/python3", "-c", script, socket_path, path],
                             capture_output=True, check=True, timeout=60).stdout
        assert status in out.splitlines()[0], out


def test_no_answer_lets_another_site_read_it(server):
    for path in ("/v1/whoami", "/v1/jobs", "/nothing"):
        answer = server.request("GET", path, headers={"Origin": "http://evil.example"})
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


# --- health, problems -----------------------------------------------------------------------


def test_health(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    live = reeve.request("GET", "/healthz/live", via="tcp", headers={"Authorization": None})
    assert (live.status, live.json()) == (200, {"status": "pass"})
    assert live.headers["Content-Type"] == "application/health+json"
    ready = reeve.request("GET", "/healthz/ready")
    assert ready.status == 503 and ready.json()["status"] == "fail"
    checks = ready.json()["checks"]
    assert checks["database:writable"][0]["status"] == "pass"
    assert checks["worker:heartbeat"][0]["status"] == "fail"
    reeve.start_worker()
    ready = reeve.request("GET", "/healthz/ready")
    assert ready.status == 200 and ready.json()["status"] in ("pass", "warn")
    reeve.stop_worker()
    assert reeve.request("GET", "/healthz/ready").status == 503


def test_ready_sees_a_worker_that_was_killed(reeve):
    reeve.start()
    reeve.kill_worker()
    reeve.sql_write("UPDATE workers SET heartbeat_at = heartbeat_at - 60000000")
    assert reeve.request("GET", "/healthz/ready").status == 503


def test_every_problem_type_is_served(server):
    answer = server.request("GET", "/nothing")
    page = server.request("GET", answer.json()["type"], via="tcp", headers={"Authorization": None})
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/plain")
    assert server.request("GET", "/problems/nonsense").status == 404


# --- starting and stopping ------------------------------------------------------------------


def test_a_stale_socket_is_replaced_and_a_served_one_is_not(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    one.kill_httpapi()
    assert os.path.exists(one.socket_path)
    one.start_httpapi()
    assert one.request("GET", "/healthz/live").status == 200
    second = one.launch("reeve-httpapi")
    assert second.wait_end() == 111
    assert one.request("GET", "/healthz/live").status == 200


def test_the_socket_has_its_mode_and_goes_at_the_end(new_reeve):
    one = new_reeve()
    one.write_config(listeners=[{"address": "unix:run/reeve.sock", "mode": "0600"}])
    one.httpapi = one.launch("reeve-httpapi")
    one.httpapi.wait_line("ev=ready")
    assert stat.S_IMODE(os.stat(one.socket_path).st_mode) == 0o600
    one.stop_httpapi()
    assert not os.path.exists(one.socket_path)


def said(daemon):
    """What a start that failed said: its one line at level error."""
    lines = [logfmt(line) for line in daemon.lines if " level=error " in line]
    assert len(lines) == 1, daemon.log
    assert lines[0]["ev"] == "failed"
    return lines[0]["error"]


def test_a_port_in_use_is_temporary(new_reeve):
    """Whoever has it may be about to end, like the intake before this one."""
    one = new_reeve()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        one.write_config(listeners=[{"address": address}])
        daemon = one.launch("reeve-httpapi")
        assert daemon.wait_end() == 111
        assert address in said(daemon) and "in use" in said(daemon)


def test_a_socket_path_that_no_socket_can_have(new_reeve):
    one = new_reeve()
    one.write_config(state_dir=one.state_dir + "x" * 100,
                     listeners=[{"address": "unix:run/reeve.sock"}])
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert "107 bytes" in said(daemon)


@pytest.mark.parametrize("below", ["", "/below"])
def test_a_state_directory_that_cannot_be(new_reeve, below):
    one = new_reeve()
    in_the_way = os.path.join(one.base, "file")
    with open(in_the_way, "w", encoding="ascii"):
        pass
    one.write_config(state_dir=in_the_way + below, listeners=[{"address": "127.0.0.1:0"}])
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert in_the_way in said(daemon)


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anywhere")
def test_a_state_directory_that_is_not_ours_to_write(new_reeve):
    one = new_reeve()
    os.mkdir(one.state_dir, 0o500)
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert one.state_dir in said(daemon)


@pytest.mark.parametrize("content", ["", "\n", "short\n", " " + "a" * 64])
def test_a_token_that_is_none_is_refused(new_reeve, content):
    """An empty secret is one that everybody knows."""
    one = new_reeve()
    os.mkdir(one.state_dir, 0o700)
    with open(one.path("token"), "w", encoding="ascii") as file:
        file.write(content)
    os.chmod(one.path("token"), 0o600)
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert "token" in said(daemon) and one.path("token") in said(daemon)


@pytest.mark.parametrize("args", [("--nonsense",), ("extra",), ("--port-file",)])
def test_wrong_arguments_are_permanent(new_reeve, args):
    assert new_reeve().launch("reeve-httpapi", *args).wait_end() == 100


def test_a_database_of_a_newer_version_is_refused(new_reeve):
    one = new_reeve()
    one.write_config()
    one.start_httpapi()
    one.stop_httpapi()
    with sqlite3.connect(one.db) as db:
        db.execute("PRAGMA user_version = 9999")
    db.close()
    daemon = one.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert "newer" in said(daemon) and "9999" in said(daemon)


def test_an_outside_address_is_refused(new_reeve):
    one = new_reeve()
    one.write_config(listeners=[{"address": "0.0.0.0:0"}])
    assert one.launch("reeve-httpapi").wait_end() == 100
