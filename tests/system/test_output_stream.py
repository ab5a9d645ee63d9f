"""Output as server-sent events: exact, resumable, and readable in a browser."""

import contextlib
import hashlib
import random

import pytest

import harness
from over_http import body_of, get, read_all
from streams import Gate, Listener, events_of, listening, written


def path(job, query=""):
    return f"/v1/jobs/{job['id']}/output/events{query}"


def events(reeve, job, query="", **headers):
    answer = reeve.request("GET", path(job, query), headers=headers)
    assert answer.status == 200, answer
    return events_of(answer.body)


@pytest.fixture(scope="module")
def server():
    one = harness.Reeve()
    one.start()
    yield one
    wrong = one.close(True)
    assert not wrong, wrong


def test_a_finished_job_as_events(server):
    job = server.sh("echo one; sleep 0.03; echo two >&2; sleep 0.03; echo drei; exit 4")
    job = server.wait(job)
    answer = server.request("GET", path(job))
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-store"
    first, *rest, end = events_of(answer.body)
    assert first.retry == "2000" and first.kind is None
    assert [(e.id, e.kind, e.data["text"]) for e in rest] == [
        ("1:4", "stdout", "one\n"), ("1:8", "stderr", "two\n"), ("1:13", "stdout", "drei\n")]
    times = [e.data["at"] for e in rest]
    assert times == sorted(times)
    assert job["started_at"] <= times[0] < times[-1] <= job["finished_at"]
    whole = server.output(job)
    assert (end.id, end.kind) == ("1:13:end", "end")
    assert end.data == {"state": "failed", "reason": "exit", "attempt": 1, "outcome": "exit", "exit_code": 4,
                        "signal": None, "stdout_bytes": 9, "stderr_bytes": 4, "dropped_bytes": 0,
                        "stored": "row", "sha256": hashlib.sha256(whole).hexdigest()}
    # Of one stream, with its own offsets.
    assert [(e.id, e.kind) for e in events(server, job, "?stream=stderr")[1:]] == [
        ("1:4", "stderr"), ("1:4:end", "end")]
    assert written(events(server, job, "?stream=stdout")) == b"one\ndrei\n"
    assert written(events(server, job, "?tail_lines=1")) == b"drei\n"
    assert written(events(server, job, "?tail_lines=2&attempt=1")) == b"two\ndrei\n"
    head = server.request("HEAD", path(job))
    assert (head.status, head.body) == (200, b"")


def a_mess(seed):
    """Text, characters of all lengths, bytes that are no text, in pieces of odd lengths."""
    draw = random.Random(seed)
    parts = []
    for _ in range(400):
        kind = draw.randrange(6)
        if kind == 0:
            parts.append(draw.randbytes(draw.randrange(40)))
        elif kind == 1:
            parts.append("äöü€𝄞\u2028".encode() * draw.randrange(200))
        else:
            parts.append(b"plain text, \r\n and control \x1b[31m\t\x00"[:draw.randrange(40)] * draw.randrange(30))
    return b"".join(parts)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_byte_can_be_had_back(server, seed):
    """Whatever was written, and from whichever event on one resumes."""
    mess = a_mess(seed)
    job = server.run("sh", "-c", "tee /dev/stderr", stdin=mess)
    for stream, query in (("both", ""), ("stdout", "?stream=stdout"), ("stderr", "?stream=stderr")):
        whole = server.output(job, "?stream=" + stream)
        got = events(server, job, query)
        assert written(got) == whole
        if stream != "both":
            assert whole == mess
        assert len(got) > 10 and {e.kind for e in got[1:-1]} <= {"stdout", "stderr"}
        for one in random.Random(seed).sample(got[1:-1], 8):
            attempt, offset = one.id.split(":")
            rest = events(server, job, query, **{"Last-Event-ID": one.id})
            assert attempt == "1" and written(rest) == whole[int(offset):]
            more = f"{query}{'&' if query else '?'}after={one.id}"
            assert events_of(server.request("GET", path(job, more)).body)[-1].id == got[-1].id


def test_text_is_text_and_the_rest_is_base64(server):
    text = "é𝄞\r\n\t\x1b[0m\u2028 end".encode()
    job = server.run("cat", stdin=text)
    (one,) = events(server, job)[1:-1]
    assert one.data["text"].encode() == text and "base64" not in one.data
    for other in (b"a\0b", b"\xff", b"\xed\xa0\x80", b"caf\xc3"):
        job = server.run("cat", stdin=other)
        got = events(server, job)[1:-1]
        assert written(got) == other and "base64" in got[-1].data, got


def test_a_character_is_never_cut(reeve):
    """Its first byte waits for the rest; for ever it waits not."""
    reeve.start()
    with Gate(reeve) as gate:
        wait = f"read line < {gate.path}"
        job = reeve.sh(f"printf 'a\\303'; {wait}; printf '\\251b\\342\\202'; {wait}; printf x >&2; {wait}; "
                       f"printf '\\254\\360\\237'")
        with listening(reeve, job) as stream:
            assert stream.until("stdout")[-1].data["text"] == "a"
            gate.write("go\n")
            got = [stream.next()]
            while got[-1].id != "1:4":  # a piece has one time: the second write may be one of its own
                got.append(stream.next())
            assert [e.data["text"] for e in got] in (["éb"], ["é", "b"])
            gate.write("go\n")
            half, other = stream.next(), stream.next()
            assert (half.bytes(), half.kind, other.bytes()) == (b"\xe2\x82", "stdout", b"x")
            assert "base64" in half.data
            gate.write("go\n")
            rest = stream.until("end")
            assert written(rest) == b"\xac\xf0\x9f"
    reeve.wait(job)
    # Of stdout alone nothing stands between the bytes, and the sign is whole.
    got = events(reeve, job, "?stream=stdout")
    assert "€" in "".join(e.data.get("text", "") for e in got[1:-1])
    assert written(got) == reeve.output(job, "?stream=stdout")


@pytest.mark.parametrize("via", ["unix", "tcp"])
def test_live_from_before_the_start_to_the_end(reeve, via):
    reeve.write_config()
    reeve.start_httpapi()
    with Gate(reeve) as gate:
        job = reeve.sh(f"echo begun; read line < {gate.path}; echo done >&2")
        with listening(reeve, job, via=via) as stream:
            assert stream.next().retry == "2000"
            reeve.start_worker()
            assert stream.next().data["text"] == "begun\n"
            gate.write("go\n")
            *more, end = stream.until("end")
            assert written(more, "stderr") == b"done\n"
            assert end.data["state"] == "succeeded" and end.data["exit_code"] == 0
            assert stream.response.read() == b""


def test_a_job_that_never_starts(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    with listening(reeve, job) as stream, listening(reeve, job, "?attempt=1") as first:
        assert stream.next().id == "0:0" and first.next().id == "1:0"
        reeve.cancel(job)
        end = stream.next()
        assert first.next().id == "1:0:end"
    assert (end.kind, end.id) == ("end", "0:0:end")
    assert (end.data["state"], end.data["exit_code"], end.data["sha256"]) == ("cancelled", None, None)
    assert reeve.request("GET", path(job), headers={"Last-Event-ID": end.id}).status == 204


# --- attempts --------------------------------------------------------------------------------

def test_a_retry_goes_on_in_the_same_stream(reeve):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.sh('echo "try $REEVE_ATTEMPT"; test $REEVE_ATTEMPT = 2',
                   retry={"max_attempts": 2, "delay_s": 0.05, "on": ["exit"]})
    with listening(reeve, job) as stream:
        reeve.start_worker()
        got = stream.until("end")
    assert [(e.id, e.kind) for e in got[1:]] == [
        ("1:6", "stdout"), ("2:0", "attempt"), ("2:6", "stdout"), ("2:6:end", "end")]
    assert got[2].data == {"attempt": 2} and written(got) == b"try 1\ntry 2\n"
    assert got[-1].data["attempt"] == 2 and got[-1].data["outcome"] == "exit"
    # Later the last attempt is the default; from an id on, everything behind it.
    assert written(events(reeve, job)) == b"try 2\n"
    assert written(events(reeve, job, "?after=1:4")) == b"1\ntry 2\n"
    assert [e.kind for e in events(reeve, job, "?after=2:0")[1:]] == ["stdout", "end"]
    only = events(reeve, job, "?attempt=1")
    assert written(only) == b"try 1\n"
    assert (only[-1].data["attempt"], only[-1].data["exit_code"]) == (1, 1)


# --- resuming --------------------------------------------------------------------------------

def test_behind_the_end_there_is_nothing(server):
    job = server.run("echo", "x")
    end = events(server, job)[-1]
    answer = server.request("GET", path(job), headers={"Last-Event-ID": end.id})
    assert (answer.status, answer.body) == (204, b"")
    # Who was cut before the end is told of it.
    (_, again) = events(server, job, **{"Last-Event-ID": "1:2"})
    assert again.data == end.data and again.id == end.id


def test_an_end_that_nobody_was_told_of_is_refused(server):
    """Whoever has such an id is told so: 204 would have them take a part for the whole."""
    job = server.run("echo", "hello")
    never = server.submit("true", hold=True)
    server.cancel(never)
    for of, value, words in ((job, "1:3:end", "is not the end of attempt 1, which is at 6"),
                             (job, "1:0:end", "is not the end of attempt 1, which is at 6"),
                             (job, "1:7:end", "is beyond the 6 bytes of attempt 1"),
                             (job, "2:0:end", "is of attempt 2, which there is not"),
                             (job, "0:0:end", "is the end of a job that never began, and this one has"),
                             (never, "1:0:end", "is of attempt 1, which there is not")):
        answer = server.request("GET", path(of, f"?after={value}"))
        assert (answer.status, answer.json()["detail"]) == (400, "after " + words), value
    assert server.request("GET", path(never, "?after=0:0:end")).status == 204
    assert server.request("GET", path(job, "?stream=stderr&after=1:6:end")).status == 400
    assert server.request("GET", path(job, "?stream=stderr&after=1:0:end")).status == 204


def test_a_living_job_has_no_end(reeve):
    reeve.start()
    job = reeve.sh("echo here; exec sleep 1000")
    with listening(reeve, job) as stream:
        last = stream.until("stdout")[-1]
    answer = reeve.request("GET", path(job), headers={"Last-Event-ID": last.id + ":end"})
    assert (answer.status, answer.json()["detail"]) == (
        400, "Last-Event-ID is the end of attempt 1, which has not ended")
    reeve.cancel(job, force=True)
    reeve.wait(job)
    assert reeve.request("GET", path(job), headers={"Last-Event-ID": last.id + ":end"}).status == 204


def test_behind_the_end_of_an_attempt_comes_the_next(reeve):
    """The end of attempt 1 is all for whoever asked for attempt 1 alone."""
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f'echo "try $REEVE_ATTEMPT"; [ $REEVE_ATTEMPT = 1 ] && exit 1; read line < {gate.path}',
                       retry={"max_attempts": 2, "delay_s": 0.05, "on": ["exit"]})
        with listening(reeve, job) as stream:
            stream.until("attempt")
        end = events(reeve, job, "?attempt=1")[-1]
        assert end.id == "1:6:end"
        with listening(reeve, job, headers={"Last-Event-ID": end.id}) as stream:
            assert stream.until("stdout")[-1].data["text"] == "try 2\n"
            gate.write("go\n")
            assert stream.until("end")[-1].id == "2:6:end"
    assert [e.kind for e in events(reeve, job, "?after=1:6:end")[1:]] == ["attempt", "stdout", "end"]
    assert reeve.request("GET", path(job, "?attempt=1&after=1:6:end")).status == 204


def test_an_attempt_is_waited_for(reeve):
    """Attempt 1 before the start, attempt 2 while attempt 1 runs, raw and as events."""
    reeve.write_config()
    reeve.start_httpapi()
    with Gate(reeve) as gate, contextlib.ExitStack() as open_ones:
        job = reeve.sh(f'echo "try $REEVE_ATTEMPT"; read line < {gate.path}; exit 1',
                       retry={"max_attempts": 2, "delay_s": 0.05, "on": ["exit"]})

        def follow(attempt):
            raw = open_ones.enter_context(reeve.stream(f"/v1/jobs/{job['id']}/output?follow=1&attempt={attempt}"))
            assert (raw.status, raw.headers["Reeve-Attempt"]) == (200, str(attempt))
            one = open_ones.enter_context(listening(reeve, job, f"?attempt={attempt}"))
            assert one.next().id == f"{attempt}:0"
            return raw, one

        def is_exactly(raw, one, attempt):
            got = one.until("end")
            assert raw.read() == written(got) == b"try %d\n" % attempt
            assert (got[-1].id, got[-1].data["attempt"]) == (f"{attempt}:6:end", attempt)

        before = follow(1)
        # Beyond what the job may have, and what is not followed, there is nothing to wait for.
        for query in ("/events?attempt=3", "?follow=1&attempt=3", "?attempt=1", "?attempt=1&timestamps=1",
                      "/search?q=a&attempt=1"):
            answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output{query}")
            asked = query.partition("attempt=")[2][0]
            assert (answer.status, answer.json()["detail"]) == (
                404, f"there is no attempt {asked} of this job; it has had 0")
        reeve.start_worker()
        with listening(reeve, job) as stream:
            stream.until("stdout")
        second = follow(2)
        gate.write("go\n")
        is_exactly(*before, 1)
        gate.write("go\n")
        is_exactly(*second, 2)
    reeve.wait(job)


def test_an_attempt_that_never_comes(reeve):
    """The wait for it is over with the job: an end with nothing before it."""
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"read line < {gate.path}", retry={"max_attempts": 3, "delay_s": 0.05})
        with listening(reeve, job, "?attempt=2") as stream, \
                reeve.stream(f"/v1/jobs/{job['id']}/output?follow=1&attempt=2") as raw:
            assert stream.next().retry
            gate.write("go\n")
            end = stream.next()
            assert raw.read() == b"" and stream.response.read() == b""
    assert (end.kind, end.id, end.data["state"], end.data["outcome"]) == ("end", "2:0:end", "succeeded", None)
    back = {"Last-Event-ID": end.id}
    assert reeve.request("GET", path(job, "?attempt=2"), headers=back).status == 204
    assert reeve.request("GET", path(job), headers=back).status == 400
    answer = reeve.request("GET", path(job, "?attempt=2"))
    assert (answer.status, answer.json()["detail"]) == (404, "there is no attempt 2 of this job; it has had 1")


@pytest.mark.parametrize("value", ["", "x", "1", "1:", ":1", "1:x", "-1:0", "1:-1", "0:5", "1:0:", "1:0:begin",
                                   "01:0", "1:00", "1:99999999999999999999", "99999999999:0", "1:0 "])
def test_a_malformed_id_is_refused(server, value):
    job = server.run("echo", "hello")
    for name, query, headers in (("after", f"?after={value.replace(' ', '%20')}", {}),
                                 ("Last-Event-ID", "", {"Last-Event-ID": value})):
        if name == "Last-Event-ID" and value in ("1:0 ", ""):
            continue  # blanks at the end of a header are no part of it, and none is no id
        answer = server.request("GET", path(job, query), headers=headers)
        assert answer.status == 400, (name, value)
        assert answer.json()["errors"][0]["parameter"] == name


def test_an_empty_id_says_nothing(server):
    """As a browser means it: so the address says where to begin."""
    job = server.run("echo", "hello")
    for query, text in (("", b"hello\n"), ("?after=1:2", b"llo\n"), ("?tail_lines=0", b"")):
        assert written(events(server, job, query, **{"Last-Event-ID": ""})) == text


def test_an_id_that_cannot_be_is_refused(server):
    job = server.run("echo", "hello")
    for query, headers, words in (
            ("?after=1:7", {}, "after is beyond the 6 bytes of attempt 1"),
            ("?after=2:0", {}, "after is of attempt 2, which there is not"),
            ("", {"Last-Event-ID": "1:7"}, "Last-Event-ID is beyond the 6 bytes of attempt 1"),
            ("?stream=stderr&after=1:1", {}, "after is beyond the 0 bytes of attempt 1"),
            ("?after=2:0&attempt=1", {}, "after is of attempt 2, and attempt=1 is asked for"),
            ("?after=1:1&tail_lines=3", {}, "tail_lines and after exclude each other: both say where to begin")):
        answer = server.request("GET", path(job, query), headers=headers)
        assert (answer.status, answer.json()["detail"]) == (400, words)
    # A browser repeats the address it was given, and says where it was.
    got = events(server, job, "?tail_lines=1&after=1:0", **{"Last-Event-ID": "1:3"})
    assert written(got) == b"lo\n"
    assert server.request("GET", path(job, "?attempt=2")).status == 404
    assert server.request("GET", path(job, "?follow=1")).status == 400


def test_a_stop_of_the_intake_costs_no_byte(reeve):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"seq 1 3000; read line < {gate.path}; seq 3001 6000")
        got = []
        with listening(reeve, job) as stream:
            while not written(got).endswith(b"\n3000\n"):
                got.append(stream.next())
            reeve.stop_httpapi()
            with contextlib.suppress(Exception):
                stream.response.read()
        gate.write("go\n")
        reeve.start_httpapi()
        with listening(reeve, job, headers={"Last-Event-ID": got[-1].id}) as stream:
            got += stream.until("end")
    assert written(got) == b"".join(b"%d\n" % i for i in range(1, 6001)) == reeve.output(job)


def test_removed_output_is_410(reeve):
    reeve.start(retention={"rules": [{"output": {"keep_last": 0}}], "every_s": 0})
    job = reeve.run("echo", "gone")
    done = reeve.cli("--config", reeve.write_config(), "db", "prune")
    assert done.returncode == 0, done.stderr
    assert reeve.job(job)["output"]["stored"] == "removed"
    for query, headers in (("", {}), ("?after=1:2", {}), ("", {"Last-Event-ID": "1:5"})):
        answer = reeve.request("GET", path(job, query), headers=headers)
        assert answer.status == 410, answer
        assert answer.json()["removed"]["stdout_bytes"] == 5


# --- the wire --------------------------------------------------------------------------------

def test_http_1_0_has_no_chunks(server):
    job = server.run("seq", "5000")
    with server.raw_socket("unix") as sock:
        sock.sendall(get(path(job)).replace(b"HTTP/1.1", b"HTTP/1.0"))
        head, _, body = read_all(sock).partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert written(events_of(body)) == server.output(job)


def test_two_lines_of_accept_are_one_list(server):
    job = server.run("echo", "x")
    request = get(path(job), b"Accept: text/html\r\nAccept: text/event-stream\r\n")
    with server.raw_socket("unix") as sock:
        sock.sendall(request)
        assert written(events_of(body_of(read_all(sock)))) == b"x\n"


def test_silence_is_told_from_death(reeve):
    """Every 15 seconds a comment, which is no event and moves no id."""
    reeve.start()
    job = reeve.sh("echo here; exec sleep 1000")
    with listening(reeve, job) as stream, \
            reeve.stream(f"/v1/jobs/{job['id']}/output?follow=1") as raw:
        assert stream.until("stdout")[-1].data["text"] == "here\n"
        quiet = stream.next()
        assert quiet.comments == ["keepalive"] and quiet.id is None and quiet.kind is None
        assert raw.read(5) == b"here\n"
        reeve.cancel(job, force=True)
        assert stream.until("end")[-1].data["state"] == "cancelled"
        assert raw.read() == b""
    assert isinstance(stream, Listener)
