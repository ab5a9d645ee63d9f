"""2 GiB of output: its end costs about what that of 2 MiB costs, and no memory.

What is compared are the reads of the intake, as the kernel counts them for the process, not
seconds: calls of read(2) and its like, and their bytes."""

import glob
import os

import pytest

import harness
from harness import wait_until

MIB = 1 << 20
SMALL, LARGE = 2 * MIB, 2048 * MIB
# Both streams, numbers that make no two places alike, and a known end.
SCRIPT = "seq 1000000000 1999999999 | head -c %d; echo; echo late >&2; seq 1000"


@pytest.fixture(scope="module")
def sizes():
    """Two finished jobs, by their size."""
    one = harness.Reeve()
    one.start(limits={"output_bytes": 2 * LARGE})
    jobs = {size: one.run("sh", "-c", SCRIPT % size, timeout=600) for size in (SMALL, LARGE)}
    yield one, jobs
    wrong = one.close(True)
    assert not wrong, wrong


def reads_of(pid):
    with open(f"/proc/{pid}/io", encoding="ascii") as file:
        found = dict(line.split(": ") for line in file.read().splitlines())
    return int(found["syscr"]), int(found["rchar"])


def memory_of(pid):
    """The most it ever had."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        (line,) = [line for line in file if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def last_bytes(reeve, job, count):
    """Of the merged bytes, from the file itself."""
    (name,) = glob.glob(reeve.path(f"output/*/{job['id']}-1.log"))
    with open(name, "rb") as file:
        file.seek(-count, os.SEEK_END)
        return file.read()


def cost(reeve, job, path, headers):
    """(calls, bytes) that one such request reads, and its body."""
    ask = lambda: reeve.request("GET", f"/v1/jobs/{job['id']}/output{path}", headers=headers)  # noqa: E731
    body = ask().body
    before = reads_of(reeve.httpapi.process.pid)
    for _ in range(10):
        assert ask().body == body
    after = reads_of(reeve.httpapi.process.pid)
    return (after[0] - before[0]) / 10, (after[1] - before[1]) / 10, body


END = b"".join(b"%d\n" % i for i in range(1, 1001))
TAIL = b"".join(b"%d\n" % i for i in range(901, 1001))
PLACES = [("", {"Range": "bytes=-3000"}, None),
          ("?tail_lines=100&stream=stdout", {}, TAIL),
          ("?tail_lines=10&stream=both&timestamps=1", {}, ...),
          ("?stream=stdout", {"Range": "bytes=-3893"}, END),
          ("?stream=stderr", {"Range": "bytes=-5"}, b"late\n")]


@pytest.mark.parametrize("path, headers, wanted", PLACES, ids=["both", "tail", "times", "stdout", "stderr"])
def test_the_end_costs_what_that_of_little_costs(sizes, path, headers, wanted):
    reeve, jobs = sizes
    pid = reeve.httpapi.process.pid
    calls, size, body = cost(reeve, jobs[SMALL], path, headers)
    assert wanted is ... or body == (wanted or last_bytes(reeve, jobs[SMALL], 3000))
    memory = memory_of(pid)
    more_calls, more_size, body = cost(reeve, jobs[LARGE], path, headers)
    assert wanted is ... or body == (wanted or last_bytes(reeve, jobs[LARGE], 3000))
    assert body.endswith(b"\n") and body.count(b"\n") >= 1
    # a binary search among 1,000 times the frames
    assert more_calls <= calls + 40
    assert more_size <= size + 256 * 1024
    assert memory_of(pid) <= memory + 4 * MIB


def test_all_of_it_is_sent_without_memory(sizes):
    reeve, jobs = sizes
    pid = reeve.httpapi.process.pid
    reeve.output(jobs[SMALL], "?stream=stdout")
    before = memory_of(pid)
    with reeve.stream(f"/v1/jobs/{jobs[LARGE]['id']}/output?stream=stdout") as response:
        total, end = 0, b""
        while piece := response.read(MIB):
            total += len(piece)
            end = (end + piece)[-len(END):]
    assert total == jobs[LARGE]["output"]["stdout_bytes"] and end == END
    assert memory_of(pid) <= before + 4 * MIB


@pytest.mark.parametrize("stream", ["both", "stdout", "stderr"])
def test_ranges_of_an_output_that_grows_are_stable(reeve, stream):
    """Going on where the last answer ended, all answers together are the output."""
    reeve.start()
    job = reeve.sh("i=0; while [ ! -e stop ]; do seq $i $((i + 500)); echo \"err $i\" >&2; i=$((i + 1)); done",
                   working_directory=reeve.work)
    path, got = f"/v1/jobs/{job['id']}/output?stream={stream}", b""

    def more():
        answer = reeve.request("GET", path, headers={"Range": f"bytes={len(got)}-"})
        if answer.status == 416:
            return b""
        if answer.status == 200:  # before there was a byte
            assert answer.body == b""
            return b""
        first, last = answer.headers["Content-Range"][6:].split("/")[0].split("-")
        assert int(first) == len(got) and int(last) == len(got) + len(answer.body) - 1
        return answer.body

    for _ in range(20):
        got += wait_until(more, "more output")
    # and a part that was there is what it was
    middle = reeve.request("GET", path, headers={"Range": f"bytes={len(got) // 2}-{len(got) - 1}"})
    assert middle.body == got[len(got) // 2:]
    open(os.path.join(reeve.work, "stop"), "wb").close()
    reeve.wait(job)
    whole = reeve.output(job, f"?stream={stream}")
    assert whole.startswith(got) and len(whole) >= len(got)
