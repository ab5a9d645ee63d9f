"""Large finished outputs are compressed by the worker when it is idle, and nothing else changes."""

import glob
import hashlib
import http.client
import os
import random
import shutil
import subprocess

import pytest

import harness
from harness import wait_until

LARGE = "i=0; while [ $i -lt %d ]; do seq $((i * 10000)) $((i * 10000 + 9999)); echo \"err $i\" >&2; i=$((i + 1)); done"


def write(reeve, rounds=60):
    """A job with some MiB on both streams; about 60 KB a round."""
    return reeve.run("sh", "-c", LARGE % rounds, timeout=120)


def encoding(reeve, job):
    return reeve.job(job)["output"].get("encoding")


def wait_compressed(reeve, *jobs):
    wait_until(lambda: all(encoding(reeve, job) == "zstd" for job in jobs),
               lambda: f"the outputs to be compressed\n{reeve.logs}")


def files(reeve, suffix):
    return sorted(glob.glob(reeve.path("output/*/*" + suffix)))


def views(reeve, job):
    return {stream: reeve.output(job, f"?stream={stream}") for stream in ("both", "stdout", "stderr")}


def assert_verified(reeve):
    checked = reeve.cli("db", "verify", "--db", reeve.db)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_all_is_read_as_before(reeve):
    reeve.start()
    job = write(reeve)
    plain = views(reeve, job)
    assert len(plain["both"]) > 2 << 20 and b"err 59" in plain["stderr"]
    assert encoding(reeve, job) is None and "file_bytes" not in reeve.job(job)["output"]
    reeve.stop_worker()
    reeve.write_config(output_compress_bytes=1 << 20)
    reeve.start_worker()
    wait_compressed(reeve, job)
    (packed,) = files(reeve, ".log.zst")
    assert not files(reeve, ".log") and len(files(reeve, ".idx")) == 1
    output = reeve.job(job)["output"]
    assert output["file_bytes"] == os.path.getsize(packed) < len(plain["both"]) / 2
    assert output["stored"] == "file" and output["sha256"] == hashlib.sha256(plain["both"]).hexdigest()
    assert views(reeve, job) == plain
    for first, last in ((0, 0), (262143, 262145), (1000000, 1999999), (len(plain["both"]) - 5, len(plain["both"]) - 1)):
        answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output", headers={"Range": f"bytes={first}-{last}"})
        assert answer.status == 206 and answer.body == plain["both"][first:last + 1]
    for stream, bytes_of in plain.items():
        tail = reeve.output(job, f"?stream={stream}&tail_lines=20")
        assert tail == b"".join(bytes_of.splitlines(True)[-20:])
    found = reeve.request("GET", f"/v1/jobs/{job['id']}/output/search?q=err+31&stream=stderr").json()["items"]
    assert [(item["line"], item["text"]) for item in found] == [(32, "err 31")]
    with reeve.stream(f"/v1/jobs/{job['id']}/output?follow=1") as response:
        assert response.read() == plain["both"]
    assert_verified(reeve)
    assert "ev=compressed outputs=1" in reeve.logs
    (row,) = reeve.sql("SELECT encoding, file_bytes, stdout_bytes FROM v_output")
    assert row == ("zstd", output["file_bytes"], len(plain["stdout"]))


def test_zstd_itself_gives_the_bytes_back(reeve):
    if not shutil.which("zstd"):
        pytest.skip("there is no zstd program here (scripts/install-deps --for test)")
    reeve.start(output_compress_bytes=1 << 20)
    job = write(reeve)
    wait_compressed(reeve, job)
    (packed,) = files(reeve, ".log.zst")
    plain = subprocess.run(["zstd", "-dc", packed], capture_output=True, check=True, timeout=60).stdout
    assert plain == reeve.output(job)
    assert hashlib.sha256(plain).hexdigest() == reeve.job(job)["output"]["sha256"]


def test_it_is_the_input_of_another_job(reeve):
    reeve.start(output_compress_bytes=1 << 20)
    job = write(reeve)
    quiet = reeve.run("seq", "500000")
    wait_compressed(reeve, job, quiet)
    for parent in (job, quiet):
        child = reeve.run("sha256sum", stdin={"from_job": parent["id"]},
                          depends_on=[{"job": parent["id"], "on": "success"}])
        assert child["state"] == "succeeded", child
        assert reeve.output(child).split()[0].decode() == hashlib.sha256(
            reeve.output(parent, "?stream=stdout")).hexdigest()


def test_small_ones_and_noise_stay_as_they_are(reeve):
    reeve.start(output_compress_bytes=1 << 20)
    small = reeve.run("seq", "100000")
    noise = reeve.run("head", "-c", "3000000", "/dev/urandom")
    large = write(reeve)
    wait_compressed(reeve, large)
    wait_until(lambda: reeve.sql("SELECT count(*) FROM output WHERE file_bytes IS NOT NULL") == [(2,)],
               "the noise to be looked at")
    assert encoding(reeve, small) is None and encoding(reeve, noise) is None
    assert len(files(reeve, ".log")) == 2 and len(files(reeve, ".log.zst")) == 1
    assert_verified(reeve)
    # a smaller setting, by SIGHUP, finds what was too small
    reeve.write_config(output_compress_bytes=100000)
    reeve.worker.process.send_signal(harness.signal.SIGHUP)
    wait_compressed(reeve, small)
    assert reeve.output(small) == b"".join(b"%d\n" % i for i in range(1, 100001))


def test_a_job_is_not_kept_waiting(reeve):
    """While much is compressed, jobs start and end; and it goes on afterwards."""
    reeve.start()
    jobs = [write(reeve, 200) for _ in range(3)]
    reeve.stop_worker()
    reeve.write_config(output_compress_bytes=1 << 20)
    reeve.start_worker()
    done = 0
    while not all(encoding(reeve, job) == "zstd" for job in jobs):
        assert reeve.run("true")["state"] == "succeeded"
        done += 1
    assert done > 5
    assert_verified(reeve)


def test_kill_9_at_any_moment_loses_nothing(reeve):
    """The worker dies again and again while it compresses; each time all is there."""
    reeve.start()
    jobs = [write(reeve, 80) for _ in range(4)]
    plain = {job["id"]: hashlib.sha256(reeve.output(job)).hexdigest() for job in jobs}
    reeve.stop_worker()
    reeve.write_config(output_compress_bytes=1 << 20)
    dice = random.Random(4)
    for _ in range(12):
        reeve.start_worker()
        # as soon as some bytes of some file are there, or nothing is left to do
        wanted = dice.randrange(1, 500000)
        wait_until(lambda: any(os.path.getsize(name) > wanted for name in files_now(reeve))
                   or all(encoding(reeve, job) == "zstd" for job in jobs), "something to be compressed")
        reeve.kill_worker()
        for job, digest in plain.items():
            assert hashlib.sha256(reeve.output(job)).hexdigest() == digest
        assert_verified(reeve)
        if all(encoding(reeve, job) == "zstd" for job in jobs):
            break
    reeve.start_worker()
    wait_compressed(reeve, *jobs)
    for job, digest in plain.items():
        assert hashlib.sha256(reeve.output(job)).hexdigest() == digest
    # what was left twice is for the sweep, once it is an hour old
    for name in files(reeve, ".log"):
        os.utime(name, (1, 1))
    reeve.stop_worker()
    reeve.start_worker()
    wait_until(lambda: not files(reeve, ".log"), lambda: f"the sweep\n{reeve.logs}")
    assert len(files(reeve, ".log.zst")) == len(jobs)
    assert_verified(reeve)


def files_now(reeve):
    """Those of which no row tells yet."""
    known = {reeve.path(path) for (path,) in reeve.sql("SELECT path FROM output WHERE encoding = 'zstd'")}
    return [name for name in files(reeve, ".log.zst") if name not in known and os.path.exists(name)]


def test_damage_is_told_and_not_served(reeve):
    reeve.start(output_compress_bytes=1 << 20)
    job = write(reeve)
    wait_compressed(reeve, job)
    (packed,) = files(reeve, ".log.zst")
    with open(packed, "r+b") as file:
        file.seek(5000)
        file.write(b"damaged")
    checked = reeve.cli("db", "verify", "--db", reeve.db)
    assert checked.returncode != 0 and "frame 0" in checked.stdout + checked.stderr
    # the length is promised: the answer is cut
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        reeve.output(job)
    end = reeve.request("GET", f"/v1/jobs/{job['id']}/output", headers={"Range": "bytes=-7"})
    assert end.status == 206 and end.body in (b"599999\n", b"err 59\n")
    os.truncate(packed, os.path.getsize(packed) - 3)
    answer = reeve.request("GET", f"/v1/jobs/{job['id']}/output")
    assert answer.status == 500, answer
    assert "seek table" in reeve.logs


def test_retention_takes_it_away(reeve):
    reeve.start(output_compress_bytes=1 << 20)
    job = write(reeve)
    wait_compressed(reeve, job)
    reeve.write_config(retention={"rules": [{"output": {"keep_last": 0}}]})
    done = reeve.cli("db", "prune", "--config", reeve.config_path)
    assert done.returncode == 0, done.stderr
    assert not files(reeve, "")
    assert reeve.request("GET", f"/v1/jobs/{job['id']}/output").status == 410
    assert "encoding" not in reeve.job(job)["output"]
