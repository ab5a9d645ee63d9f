"""Outputs in odd moments: before there is one, between two attempts, while they go away."""

import pytest

from followers import EventFollower, RawFollower, drive
from harness import wait_until
from test_http_waiting import Gate
from test_retention import prune

KINDS = (RawFollower, EventFollower)
PATHS = ("/output?follow=1", "/output/events")


def begin(follower):
    """Until the answer to it has begun."""
    follower.open()
    while follower.body.status is None:
        assert follower.read(1), "no answer"
    return follower


@pytest.mark.parametrize("path", PATHS)
def test_head_is_answered_at_once_while_others_follow(reeve, path):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"echo one; read go < {gate.path}; echo two")
        followers = [begin(kind(reeve, job).keep()) for kind in KINDS]
        for _ in range(3):
            answer = reeve.request("HEAD", f"/v1/jobs/{job['id']}{path}")
            assert (answer.status, answer.body) == (200, b"")
        gate.write("go\n")
        drive(followers)
    assert [bytes(one.kept) for one in followers] == [b"one\ntwo\n"] * 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", ["both", "stdout", "stderr"])
def test_a_job_cancelled_before_its_start_ends_its_followers(reeve, kind, stream):
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.submit("true")
    follower = begin(kind(reeve, job, stream))
    assert reeve.cancel(job).status == 200
    follower.finish()
    assert follower.count == 0 and follower.cuts == 0
    if follower.end:
        assert follower.end["state"] == "cancelled"


RETRY = {"max_attempts": 3, "delay_s": 0.2, "jitter": 0}
TRIES = 'echo out $REEVE_ATTEMPT; echo err $REEVE_ATTEMPT >&2; [ $REEVE_ATTEMPT = 3 ]'


@pytest.mark.parametrize("kind", KINDS)
def test_following_goes_on_with_the_next_attempt(reeve, kind):
    """Whoever begins before the start gets all of them, one after the other."""
    reeve.write_config()
    reeve.start_httpapi()
    job = reeve.sh(TRIES, retry=RETRY)
    followers = {stream: begin(kind(reeve, job, stream).keep()) for stream in ("both", "stdout", "stderr")}
    reeve.start_worker()
    drive(list(followers.values()))
    assert reeve.wait(job)["attempt"] == 3
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        assert bytes(followers[stream].kept).decode() == "".join(f"{word} {n}\n" for n in (1, 2, 3))
    whole = bytes(followers["both"].kept)
    assert whole == b"".join(reeve.output(job, f"?attempt={n}") for n in (1, 2, 3))
    one = kind(reeve, job, query="&attempt=2").keep().finish()
    assert bytes(one.kept) == reeve.output(job, "?attempt=2")


def test_an_id_of_an_earlier_attempt_goes_on_from_there(reeve):
    """It was cut in the first attempt, and comes back when the third has ended."""
    reeve.start()
    job = reeve.wait(reeve.sh(TRIES, retry=RETRY))
    first = reeve.output(job, "?attempt=1")
    for offset in (0, 3, len(first)):
        late = EventFollower(reeve, job).keep()
        late.last_id = f"1:{offset}"
        late.finish()
        assert bytes(late.kept) == first[offset:] + reeve.output(job, "?attempt=2") + reeve.output(job)
    assert late.last_id.startswith("3:")


@pytest.mark.parametrize("kind", KINDS)
def test_two_clients_of_different_streams_do_not_mix(reeve, kind):
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"while read n; do echo o$n; echo e$n >&2; done < {gate.path}")
        views = {stream: begin(kind(reeve, job, stream).keep()) for stream in ("stdout", "stderr", "both")}
        for number in range(1, 51):
            gate.write(f"{number}\n")
            for stream, form in (("stdout", "o{}\n"), ("stderr", "e{}\n"), ("both", "o{0}\ne{0}\n")):
                wanted = "".join(form.format(n) for n in range(1, number + 1))
                while len(views[stream].kept) < len(wanted):
                    assert views[stream].read()
        reeve.cancel(job)
        drive(list(views.values()))
    assert views["stdout"].kept.decode() == "".join(f"o{n}\n" for n in range(1, 51))
    assert views["stderr"].kept.decode() == "".join(f"e{n}\n" for n in range(1, 51))
    assert sorted(views["both"].kept.split()) == sorted((views["stdout"].kept + views["stderr"].kept).split())


@pytest.mark.parametrize("kind", KINDS)
def test_an_output_that_goes_while_it_is_followed(reeve, kind):
    """Who reads it reads on to its end; who comes back is told that it is gone."""
    reeve.start(retention={"rules": [{"output": {"keep_last": 0}}], "every_s": 0})
    job = reeve.run("seq", "2000000")
    reading = begin(kind(reeve, job).keep())
    cut = begin(kind(reeve, job))
    while cut.count == 0:
        assert cut.read(4096)
    cut.close()
    prune(reeve)
    assert reeve.job(job)["output"]["stored"] == "removed"
    reading.finish()
    assert reading.cuts == 0
    assert bytes(reading.kept) == "".join(f"{n}\n" for n in range(1, 2000001)).encode()
    target, headers = cut.target()
    headers = dict(line.split(": ", 1) for line in headers)
    answer = reeve.request("GET", target, headers=headers)
    assert answer.status == 410, answer
    assert answer.json()["removed"]["sha256"] == job["output"]["sha256"]


def test_a_range_of_a_growing_output_is_stable(reeve):
    """The length is the one at the beginning of the answer, however slowly it is read and
    whatever is written meanwhile; the bytes are those that stay."""
    reeve.start()
    with Gate(reeve) as gate:
        job = reeve.sh(f"seq 1000000; while read n; do seq $n 1000000; done < {gate.path}")
        path = f"/v1/jobs/{job['id']}/output"
        size = len("".join(f"{n}\n" for n in range(1, 1000001)))
        wait_until(lambda: reeve.job(job)["output"]["stdout_bytes"] == size, "the first million")
        with reeve.stream(path, {"Range": "bytes=1000-"}) as stream:
            assert stream.status == 206
            assert stream.headers["Content-Range"] == f"bytes 1000-{size - 1}/{size}"
            got = stream.read(5000)
            gate.write("1\n")
            wait_until(lambda: reeve.job(job)["output"]["stdout_bytes"] == 2 * size, "the second")
            got += stream.read()
        again = reeve.request("GET", path, headers={"Range": "bytes=1000-4000000"})
        assert again.headers["Content-Range"] == f"bytes 1000-4000000/{2 * size}"
        reeve.cancel(job)
        reeve.wait(job)
    whole = reeve.output(job)
    assert got == whole[1000:size] and again.body == whole[1000:4000001]
