"""A million lines, a thousand followers, and one that is too slow: every byte, for everybody."""

import hashlib
import random
import resource
import subprocess

import pytest

from followers import EventFollower, RawFollower, drive
from harness import proc_read, wait_until
from test_http_waiting import Gate, sockets_of

MIB = 1 << 20
LINES = 1000000
CUTS = 100
KILLS = 5
MANY = 1000
KINDS = (RawFollower, EventFollower)


class Scribble:
    """What the helper `scribbler` writes by this seed, in each view."""

    def __init__(self, reeve, lines, seed, flush_bytes=4096, pause=None):
        self.argv = [reeve.program("scribbler"), lines, seed, flush_bytes]
        done = subprocess.run([str(arg) for arg in self.argv], capture_output=True, check=True)
        self.argv += [pause] if pause else []
        marks = bytearray(lines)
        for line in done.stderr.splitlines():
            marks[int(line.split()[0])] = 1
        self.views = {"both": b"".join(b"%d %c\n" % (i, b"oe"[marks[i]]) for i in range(lines)),
                      "stdout": done.stdout, "stderr": done.stderr}

    def submit(self, reeve, **fields):
        return reeve.submit(*self.argv, **fields)

    def digest(self, stream, start=0):
        return hashlib.sha256(self.views[stream][start:]).hexdigest()


def with_helpers(reeve, **config):
    """A started service that runs the helpers of the tests, too."""
    roots = [{"path": path, "follow_links": True} for path in ("/usr/bin", "/bin", reeve.tests)]
    reeve.start(exec_roots=roots, **config)
    return reeve


def cut_often(follower, total, seed):
    """It loses its connection at 100 bytes of its way, drawn by the seed."""
    spots = random.Random(seed).sample(range(1, total - follower.start), CUTS)
    follower.cut_points = sorted(spots)
    return follower


def memory(pid, name):
    """Bytes of a process: VmRSS is what is resident now, VmHWM the most that ever was."""
    (line,) = [line for line in proc_read(pid, "status").decode().splitlines()
               if line.startswith(name + ":")]
    return int(line.split()[1]) * 1024


# --- 1: a million lines ---------------------------------------------------------------------


def test_a_million_lines_arrive_whatever_is_cut(reeve):
    """From the start and from the middle, raw and as events, each view; some lose their
    connection a hundred times, and everybody loses the intake a few times."""
    scribble = Scribble(reeve, LINES, 4711, pause="1000/4")
    with_helpers(reeve)
    job = scribble.submit(reeve)
    total = len(scribble.views["both"])
    steady, shaken, late = [], [], []
    for number, kind in enumerate(KINDS):
        for stream, view in scribble.views.items():
            steady.append(kind(reeve, job, stream))
            shaken.append(cut_often(kind(reeve, job, stream), len(view), number))
    front = steady[0]  # raw, of both
    kills = [total * i // (KILLS + 1) for i in range(1, KILLS + 1)]

    def step():
        if kills and front.count >= kills[0]:
            kills.pop(0)
            reeve.kill_httpapi()
            reeve.start_httpapi()
        if late or front.count < total * 2 // 3:
            return None
        late.extend(kind(reeve, job, stream, start=len(view) // 2 + number)
                    for stream, view in scribble.views.items() for number, kind in enumerate(KINDS))
        return late
    drive(steady + shaken, step)
    assert reeve.wait(job)["state"] == "succeeded"
    for one in steady + shaken + late:
        assert one.count == len(scribble.views[one.stream]) - one.start, one
        assert one.digest == scribble.digest(one.stream, one.start), one
    assert not kills and late
    assert min(one.cuts for one in steady) >= KILLS
    assert min(one.cuts for one in shaken) >= CUTS
    assert reeve.output(job) == scribble.views["both"]


# --- 2: a thousand followers ----------------------------------------------------------------


def test_a_thousand_followers_get_every_byte_from_little_memory(reeve):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    scribble = Scribble(reeve, 25000, 12, pause="1000/2")
    with_helpers(reeve, limits={"connections": 3 * MANY, "connections_per_address": 3 * MANY})
    try:
        with Gate(reeve) as gate:
            words = " ".join(map(str, scribble.argv))
            job = reeve.sh(f"read go < {gate.path}; exec {words}")
            crowd = [KINDS[i % 2](reeve, job, ("both", "stdout", "stderr", "both")[i // 2 % 4],
                                  via=("unix", "tcp")[i // 8 % 2]) for i in range(MANY)]
            drive(crowd, is_over=lambda: all(one.body.status == 200 for one in crowd))
            gate.write("go\n")
            drive(crowd)
    finally:
        for one in crowd:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert memory(reeve.httpapi.pid, "VmHWM") < 64 * MIB
    assert {(one.stream, one.digest) for one in crowd} == \
        {(stream, scribble.digest(stream)) for stream in scribble.views}
    assert not any(one.cuts for one in crowd)


# --- 3: one that is too slow ----------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_follower_of_a_byte_a_second_is_cut_and_goes_on(reeve, kind):
    """It delays nothing and costs nothing. Nobody keeps its connection for it; where it was,
    it goes on."""
    scribble = Scribble(reeve, LINES, 13)
    with_helpers(reeve, http={"stall_s": 2})
    with Gate(reeve) as gate:
        words = " ".join(map(str, scribble.argv))
        job = reeve.sh(f"read go < {gate.path}; exec {words}")
        slow = kind(reeve, job).open()
        while slow.body.status is None:
            slow.read(1)
        held = memory(reeve.httpapi.pid, "VmRSS")
        open_sockets = sockets_of(reeve.httpapi.pid)
        gate.write("go\n")
        assert reeve.wait(job)["state"] == "succeeded"

    def is_cut():
        slow.read(1)
        return sockets_of(reeve.httpapi.pid) < open_sockets
    wait_until(is_cut, "the intake to close its connection", pause_s=1)
    assert memory(reeve.httpapi.pid, "VmRSS") - held < 4 * MIB
    assert slow.count < len(scribble.views["both"]) // 2
    slow.finish()
    assert slow.digest == scribble.digest("both")
