"""Output: written through the shim, read back over HTTP, followed by many."""

import json
import os
import statistics
import subprocess
import time

from scene import LIMIT_S, harness

MIB = 1 << 20


def cat(bench):
    """The same program through a pipe to `cat > file`: MiB a second."""
    size = bench.scale.output_mib
    os.sync()  # what others wrote before is not to be waited for here
    with open(bench.path("out"), "wb") as out:
        begin = time.monotonic()
        writer = subprocess.Popen([bench.program("pour"), str(size)], stdout=subprocess.PIPE)
        subprocess.run(["cat"], stdin=writer.stdout, stdout=out, check=True, timeout=LIMIT_S)
        writer.stdout.close()
        assert writer.wait() == 0
        seconds = time.monotonic() - begin
    assert os.path.getsize(bench.path("out")) == size * MIB
    return size / seconds


def write_job(bench, reeve):
    """The job that wrote it all, once it has ended, and the seconds until that was known."""
    os.sync()
    begin = time.monotonic()
    job = reeve.submit(bench.program("pour"), bench.scale.output_mib,
                       limits={"output_bytes": bench.scale.output_mib * MIB})
    job = reeve.wait(job, LIMIT_S)
    seconds = time.monotonic() - begin
    assert job["state"] == "succeeded" and job["output"]["dropped_bytes"] == 0, job
    assert job["output"]["stdout_bytes"] == bench.scale.output_mib * MIB, job
    return job, seconds


def write(bench):
    """While the job ran, by its attempt; and until its end was known, with its hash taken and
    its file safe on the disk."""
    with bench.service() as reeve:
        reeve.start()
        job, known_s = write_job(bench, reeve)
        seconds = reeve.sql("SELECT (ended_at - started_at) / 1e6 FROM attempts WHERE job_id = "
                            "(SELECT max(id) FROM jobs)")[0][0]
        return {"output_write": bench.scale.output_mib / seconds,
                "output_known": bench.scale.output_mib / known_s}


def fetch(bench, target, connections, path):
    return json.loads(bench.ask("fetch", target, connections, path))


def read_rate(bench, target, path):
    """MiB a second that one client gets of a file that lies on the disk and in memory: read once
    before, and the median of three."""
    os.sync()
    fetch(bench, target, 1, path)
    found = [fetch(bench, target, 1, path) for _ in range(3)]
    for one in found:
        assert one["fewest"] == bench.scale.output_mib * MIB, one
    return bench.scale.output_mib / statistics.median(one["seconds"] for one in found)


def read(bench):
    """By one client, on the Unix socket."""
    with bench.service() as reeve:
        reeve.start()
        job, _ = write_job(bench, reeve)
        return read_rate(bench, "unix:" + reeve.socket_path, f"/v1/jobs/{job['id']}/output")


def connected(path):
    """How many clients a Unix socket has."""
    with open("/proc/net/unix", encoding="utf-8") as file:
        return sum(line.endswith(" " + path + "\n") and line.split()[5] == "03" for line in file)


def follow(bench, followers):
    """Growth: seconds from a live job's first byte until so many followers have them all. The
    job waits at a pipe until everybody follows."""
    gate = bench.path("gate")
    os.mkfifo(gate)
    with bench.service() as reeve:
        reeve.start()
        job = reeve.submit("/bin/sh", "-c", 'read go < "$1"; exec "$2" "$3"', "follow", gate,
                           bench.program("pour"), bench.scale.follow_mib)
        reeve.wait_running(job)
        process = subprocess.Popen(
            [bench.program("fetch"), "unix:" + reeve.socket_path, str(followers),
             f"/v1/jobs/{job['id']}/output?follow=1"], stdout=subprocess.PIPE, text=True)
        harness.wait_until(lambda: connected(reeve.socket_path) >= followers or
                           process.poll() is not None, "the followers", 60)
        begin = time.monotonic()
        with open(gate, "w", encoding="ascii") as file:
            file.write("go\n")
        said, _ = process.communicate(timeout=LIMIT_S)
        seconds = time.monotonic() - begin
        assert process.returncode == 0, f"a follower was cut off: {said}"
        got, wanted = json.loads(said), bench.scale.follow_mib * MIB
        assert got["fewest"] == got["most"] == wanted, (got, wanted)
        return seconds
