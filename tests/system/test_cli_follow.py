"""`reeve logs`: following over retries, restarts and lost connections, times, searching."""

import os
import random
import re
import socket

import pytest

import harness
from cli_helpers import Proxy
from over_http import start_threads
from test_http_waiting import Gate
from test_output_bars import Scribble, with_helpers

PIPE = harness.subprocess.PIPE
TIMED = re.compile(r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (.*\n)")
TRIES = 'echo try $REEVE_ATTEMPT; [ $REEVE_ATTEMPT = 3 ] || exit 7'


def start_cli(reeve, *args, server=None, stdout=PIPE):
    """`reeve …`, running beside us."""
    return reeve.spawn(["reeve", "--server", server or "unix:" + reeve.socket_path, *args],
                       stdout=stdout, stderr=PIPE)


def end_of(process):
    """(exit code, standard output, standard error)"""
    out, err = process.communicate(timeout=harness.LIMIT_S)
    return process.returncode, out, err.decode()


# --- retries --------------------------------------------------------------------------------


def test_run_follow_shows_every_attempt(reeve):
    reeve.start()
    done = reeve.cli("run", "--follow", "--retries", "2", "--retry-delay", "0.1", "--", "sh", "-c", TRIES)
    assert (done.returncode, done.stdout) == (0, "try 1\ntry 2\ntry 3\n"), done.stderr
    assert "attempt 2\n" in done.stderr and "attempt 3\n" in done.stderr
    one = reeve.cli("run", "--follow", "--retries", "1", "--retry-delay", "0.1", "--", "sh", "-c", TRIES)
    assert (one.returncode, one.stdout) == (7, "try 1\ntry 2\n"), one.stderr


def test_logs_of_one_attempt_and_of_those_that_follow(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.sh(TRIES, retry={"max_attempts": 3, "delay_s": 0.1})["id"]
    follower = start_cli(reeve, "logs", "-f", job)
    reeve.start_worker()
    assert end_of(follower)[:2] == (0, b"try 1\ntry 2\ntry 3\n")
    assert reeve.cli("logs", job).stdout == "try 3\n"
    assert reeve.cli("logs", "-f", job).stdout == "try 3\n"
    assert reeve.cli("logs", "-f", "--attempt", "2", job).stdout == "try 2\n"
    assert reeve.cli("logs", "--attempt", "1", job).stdout == "try 1\n"
    assert reeve.cli("logs", "-f", "--attempt", "4", job).returncode == 3


def test_a_connection_lost_between_two_attempts(reeve):
    """It is cut when the first attempt is printed, and comes back when the third has ended."""
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"[ $REEVE_ATTEMPT = 1 ] && read go < {gate.path}; {TRIES}",
                       retry={"max_attempts": 3, "delay_s": 0.1})["id"]
        with Proxy(reeve, lambda number, _: None) as proxy:
            follower = start_cli(reeve, "logs", "-f", job, server=proxy.server)
            harness.wait_until(lambda: b"\nid: " in proxy.answered, "it to be told where it is")
            reeve.kill_httpapi()
            gate.write("go\n")
            harness.wait_until(lambda: reeve.sql("SELECT 1 FROM v_jobs WHERE state = 'succeeded'"),
                               "the last attempt")
            reeve.start_httpapi()
            code, out, err = end_of(follower)
    assert (code, out) == (0, b"try 1\ntry 2\ntry 3\n"), err


# --- lost connections -----------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["both", "stderr"])
def test_following_survives_every_loss(reeve, stream):
    """Connections lost at random bytes, and an intake that is killed: each byte once."""
    draw = random.Random(8)
    scribble = Scribble(reeve, 100000, 5, pause="1000/2")
    with_helpers(reeve)
    with Proxy(reeve, lambda number, _: draw.randrange(60000) if number < 40 else None) as proxy:
        job = scribble.submit(reeve)["id"]
        path = os.path.join(reeve.work, "followed")
        with open(path, "wb") as file:
            follower = start_cli(reeve, "logs", "-f", "--stream", stream, job, server=proxy.server,
                                 stdout=file)
        for count in (5, 10, 15):
            harness.wait_until(lambda: len(proxy.requests) > count, "it to come back")
            reeve.kill_httpapi()
            reeve.start_httpapi()
        code, _, err = end_of(follower)
    assert code == 0, err
    with open(path, "rb") as file:
        assert file.read() == scribble.views[stream]
    assert "resuming at byte" in err


def test_the_last_lines_and_what_follows_after_a_loss(reeve):
    """Where the last lines began is not asked again: what was printed stays printed."""
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"seq 1000; read go < {gate.path}; seq 1001 50000")["id"]
        reeve.wait_output(job, "\n1000\n")
        with Proxy(reeve, lambda number, _: 20000 if number < 8 else None) as proxy:
            follower = start_cli(reeve, "logs", "-f", "-n", "3", job, server=proxy.server)
            assert [follower.stdout.readline() for _ in range(3)] == [b"998\n", b"999\n", b"1000\n"]
            gate.write("go\n")
            code, out, err = end_of(follower)
        assert b"tail_lines=3" in proxy.requests[0] and len(proxy.requests) >= 8
        assert not any(b"tail_lines" in request for request in proxy.requests[1:])
    assert (code, out) == (0, "".join(f"{n}\n" for n in range(1001, 50001)).encode()), err


def test_a_service_that_stays_away_is_given_up(reeve):
    reeve.start()
    job = reeve.sh("echo up; exec sleep 1000")
    follower = start_cli(reeve, "--timeout", "0.1", "logs", "-f", job["id"])
    assert follower.stdout.readline() == b"up\n"
    reeve.kill_httpapi()
    code, out, err = end_of(follower)
    assert (code, out) == (6, b"")
    assert "resuming at byte 3" in err and "gave up after" in err and "cannot reach the service" in err
    reeve.start_httpapi()
    reeve.cancel(job, force=True)


AT = '"at": "2026-11-21T06:00:00.000000Z"'
ODD_EVENTS = (b": a comment\r\nretry: 10\r\n\r\n"
              b"event: stdout\rid:1:2\rdata: {" + AT.encode() + b",\rdata:\"text\": \"a\\r\"}\r\r"
              b"id: 1:3\n\n"  # an id alone moves on
              b"unknown: field\nevent: news\nid: 1:3\ndata: x\n\n"
              b"id: 1:7\nevent: stderr\ndata: {" + AT.encode() + b", \"base64\": \"/wBiCg==\"}\r\n\r\n"
              b"id: 1:9\nevent: stdout\ndata: {" + AT.encode() + b", \"text\": \"cut off\"}\n")
LAST_EVENTS = (b"id: 1:8\nevent: stdout\ndata: {" + AT.encode() + b", \"text\": \"c\"}\n\n"
               b"id: 1:8:end\nevent: end\ndata: {}\n\n")


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
def test_events_are_read_as_the_standard_has_them(reeve, piece):
    """All three line ends, comments, fields and events that we do not know, data of several
    lines, wherever the pieces are cut; what is not ended by an empty line is no event."""
    requests = []

    def serve(listener):
        for body in (ODD_EVENTS, LAST_EVENTS):
            client, _ = listener.accept()
            with client:
                requests.append(client.recv(65536))
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n")
                for at in range(0, len(body), piece):
                    part = body[at:at + piece]
                    client.sendall(b"%x\r\n%s\r\n" % (len(part), part))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        start_threads(serve, [(listener,)])
        where = "http://127.0.0.1:%d" % listener.getsockname()[1]
        done = reeve.cli("--server", where, "logs", "-f", "01a1ff62-1718-7831-83b5-81929cd240cd",
                         text=False)
    assert (done.returncode, done.stdout) == (0, b"a\r\xff\0b\nc"), done.stderr
    assert b"Last-Event-ID" not in requests[0] and b"\r\nLast-Event-ID: 1:7\r\n" in requests[1]


# --- the parts of an output -----------------------------------------------------------------


def test_the_last_lines_are_counted_by_the_service(reeve):
    reeve.start()
    job = reeve.run("seq", "600000")["id"]
    with Proxy(reeve, lambda number, _: None) as proxy:
        done = reeve.cli("--server", proxy.server, "logs", "-n", "3", job)
    assert done.stdout == "599998\n599999\n600000\n"
    assert len(proxy.requests) == 1 and b"tail_lines=3" in proxy.requests[0]
    assert reeve.cli("logs", "-n", "0", job).stdout == ""


def test_the_last_lines_of_a_lost_answer_are_asked_for_again(reeve):
    reeve.start()
    job = reeve.run("seq", "600000")["id"]
    with Proxy(reeve, lambda number, _: 10000 if number < 3 else None) as proxy:
        done = reeve.cli("--server", proxy.server, "logs", "-n", "9999", job)
    assert done.stdout == "".join(f"{n}\n" for n in range(590002, 600001)), done.stderr


def test_streams(reeve):
    reeve.start()
    job = reeve.run("sh", "-c", "echo one; echo two >&2; echo three")["id"]
    for how in ([], ["-f"]):
        assert reeve.cli("logs", *how, "--stream", "stdout", job).stdout == "one\nthree\n"
        assert reeve.cli("logs", *how, "--stream", "stderr", job).stdout == "two\n"
        assert reeve.cli("logs", *how, "--stream", "both", job).stdout == "one\ntwo\nthree\n"
    for wrong, words in ((["--stream", "stdin"], "--stream is one of both|stdout|stderr"),
                         (["--stream", "stdout", "--stderr"], "choose the same thing"),
                         (["-i"], "--ignore-case belongs to --grep"),
                         (["--grep", "x", "-f"], "without --follow"),
                         (["--grep", "x", "-n", "1"], "without --lines")):
        done = reeve.cli("logs", *wrong, job)
        assert done.returncode == 2 and words in done.stderr, done


@pytest.mark.parametrize("how", [[], ["-f"]])
def test_timestamps_stand_before_each_line(reeve, how):
    reeve.start()
    job = reeve.run("sh", "-c", "printf 'one\\ntw'; sleep 0.1; printf 'o\\n\\nlast'")
    done = reeve.cli("logs", *how, "--timestamps", job["id"])
    lines = done.stdout.split("\n")
    assert [line[28:] for line in lines] == ["one", "two", "", "last"], done.stdout
    times = [line[:27] for line in lines]
    assert times == sorted(times) and job["started_at"] <= times[0] and times[-1] <= job["finished_at"]
    tail = reeve.cli("logs", *how, "-t", "-n", "2", job["id"])
    assert tail.stdout == "\n".join(lines[2:])


@pytest.mark.parametrize("how", [[], ["-f"]])
def test_timestamps_after_a_loss(reeve, how):
    reeve.start()
    job = reeve.run("seq", "30000")["id"]
    whole = reeve.cli("logs", "-t", job).stdout
    assert TIMED.sub(r"\1", whole) == "".join(f"{n}\n" for n in range(1, 30001))
    with Proxy(reeve, lambda number, _: 40000 if number < 5 else None) as proxy:
        done = reeve.cli("--server", proxy.server, "logs", "-t", *how, job)
    assert done.stdout == whole, done.stderr
    assert len(proxy.requests) == 5


# --- searching ------------------------------------------------------------------------------


def test_grep(reeve):
    reeve.start()
    job = reeve.run("sh", "-c", "seq 100; echo Needle 7 >&2; echo; echo needle; printf 'a\\tneedle'")["id"]
    done = reeve.cli("logs", "--grep", "needle", job)
    assert (done.returncode, done.stdout) == (0, "103:needle\n104:a\tneedle\n")
    assert reeve.cli("logs", "-g", "needle", "-i", job).stdout == \
        "101:Needle 7\n103:needle\n104:a\tneedle\n"
    assert reeve.cli("logs", "--grep", "needle", "-i", "--stderr", job).stdout == "1:Needle 7\n"
    assert reeve.cli("logs", "--grep", "7", "--stdout", job).stdout.count("\n") == 19
    none = reeve.cli("logs", "--grep", "no such thing", job)
    assert (none.returncode, none.stdout, none.stderr) == (1, "", "")
    assert reeve.cli("logs", "--grep", "& %+ü", job).returncode == 1
    assert reeve.cli("logs", "--grep", "x", "--attempt", "2", job).returncode == 3


def test_grep_goes_on_where_an_answer_is_full(reeve):
    """The service answers with so many lines at once; all of them are printed."""
    reeve.start()
    job = reeve.run("seq", "100000")["id"]
    done = reeve.cli("logs", "--grep", "9", job)
    wanted = [n for n in range(1, 100001) if "9" in str(n)]
    assert done.stdout == "".join(f"{n}:{n}\n" for n in wanted)
