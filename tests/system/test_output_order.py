"""The merged output is in the order of the job's writes; each stream is exactly its bytes."""

import array
import os
import socket
import textwrap

import pytest

from workbench import Workbench

ALL = 1 << 40  # a limit that nobody here reaches


@pytest.fixture
def bench(reeve):
    return Workbench(reeve).start()


def python(bench, script, *args, **options):
    return bench.submit("/usr/bin/python3", "-c", textwrap.dedent(script), *args, **options)


def assert_scribbled(bench, job, lines):
    """All lines of a scribbler, merged in their order and each in the stream that it names."""
    merged, stdout, stderr, row = bench.output(job)
    found = merged.split(b"\n")
    assert found.pop() == b"" and len(found) == lines
    for number, line in enumerate(found):
        assert line in (b"%d o" % number, b"%d e" % number), f"line {number} is {line}"
    assert stdout == b"".join(line + b"\n" for line in found if line.endswith(b"o"))
    assert stderr == b"".join(line + b"\n" for line in found if line.endswith(b"e"))
    assert row["dropped_bytes"] == 0 and stdout and stderr


@pytest.mark.parametrize("lines, flush", [
    (1000000, 4096),  # short and long runs
    (60000, 1),       # every line a write, every write another stream
    (300000, 100),
    (1500000, 1 << 20),  # long stretches of one stream, and back
])
def test_merged_is_in_the_order_of_the_writes(bench, lines, flush):
    job = bench.helper("scribbler", lines, 1, flush, output_bytes=ALL)
    assert bench.wait(job, 120)["state"] == "succeeded"
    assert_scribbled(bench, job, lines)


def test_several_jobs_at_once_keep_their_order_each(bench):
    jobs = {bench.helper("scribbler", 100000, seed, flush, output_bytes=ALL)
            for seed, flush in enumerate((4096, 200, 65536, 8192, 30000, 100))}
    for job in jobs:
        assert bench.wait(job, 120)["state"] == "succeeded"
        assert_scribbled(bench, job, 100000)


def test_writes_with_pauses_keep_their_order(bench):
    job = bench.helper("scribbler", 20000, 3, 2000, "300/20", output_bytes=ALL)
    assert bench.wait(job)["state"] == "succeeded"
    assert_scribbled(bench, job, 20000)


def test_processes_that_follow_each_other_keep_their_order(bench):
    job = bench.sh("for i in $(seq 150); do /bin/echo o$i; /bin/echo e$i >&2; echo p$i; done")
    bench.wait(job)
    assert bench.output(job)[0] == b"".join(b"o%d\ne%d\np%d\n" % (i, i, i) for i in range(1, 151))


def test_last_words_of_a_killed_job_are_in_order(bench):
    for _ in range(20):
        job = bench.sh("echo one; echo two >&2; echo three; echo four >&2; kill -9 $$")
        bench.wait(job)
        assert bench.output(job)[0] == b"one\ntwo\nthree\nfour\n"


# --- a flood on one stream ------------------------------------------------------------------


def test_flood_lets_the_other_stream_through(bench, reeve):
    # The flood has begun before the other process says anything, and ends only when that has
    # written all that it has to say.
    limit = 1 << 16
    log = reeve.path("output") + "/*/$REEVE_JOB_ID-1.log"
    job = bench.sh(f'yes & until [ "$(stat -c %s {log})" = {limit} ]; do :; done 2>/dev/null; '
                   "for i in $(seq 100); do echo line $i >&2; done; kill $!", output_bytes=limit)
    assert bench.wait(job)["exit_code"] == 0
    merged, _, _, row = bench.output(job)
    assert merged == b"y\n" * (limit // 2) and row["dropped_bytes"] > 100 * len("line 1")


def test_flood_and_the_other_stream_lose_nothing(bench):
    size = 60 << 20
    job = bench.sh(f"yes | head -c {size} & for i in $(seq 40); do /bin/echo line $i >&2; done; "
                   "wait", output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, row = bench.output(job)
    assert stdout == b"y\n" * (size // 2)
    assert stderr == b"".join(b"line %d\n" % i for i in range(1, 41))
    assert row["dropped_bytes"] == 0


def test_two_floods_at_once_lose_nothing(bench):
    job = bench.sh("yes | head -c 30000000 & yes n | head -c 20000000 >&2; wait", output_bytes=ALL)
    bench.wait(job)
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == b"y\n" * 15000000 and stderr == b"n\n" * 10000000


def test_flood_by_many_processes_loses_nothing(bench):
    script = "for i in 1 2 3 4; do yes | head -c 10000000 & done; echo odd >&2; wait"
    job = bench.sh(script, output_bytes=ALL)
    bench.wait(job)
    _, stdout, stderr, _ = bench.output(job)
    assert (len(stdout), stdout.count(b"y"), stderr) == (40000000, 20000000, b"odd\n")


def test_timeout_ends_a_flood(bench):
    job = bench.submit("/usr/bin/yes", timeout_us=300000, output_bytes=1000)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "timeout")


def test_timeout_ends_a_flood_that_will_not_end(bench):
    job = bench.sh("trap '' TERM; yes & yes >&2", timeout_us=300000, kill_grace_us=300000,
                   output_bytes=1000)
    row = bench.wait(job)
    assert (row["state"], row["reason"]) == ("failed", "timeout")
    bench.reeve.wait_no_processes(job)


def test_cancel_ends_a_flood_and_who_waits_behind_it(bench):
    job = bench.sh("yes & while :; do echo line >&2; done", output_bytes=1000)
    bench.wait_running(job)
    bench.cancel(job)
    assert bench.wait(job)["state"] == "cancelled"
    bench.reeve.wait_no_processes(job)


# --- jobs that do something with their pipes --------------------------------------------------


def test_reopened_streams_keep_every_byte(bench):
    job = bench.sh("for i in $(seq 300); do echo a$i; echo b$i > /dev/stderr; "
                   "echo c$i > /dev/stdout; done; head -c 3000000 /dev/zero > /dev/stdout; "
                   "echo end > /dev/stderr", output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == b"".join(b"a%d\nc%d\n" % (i, i) for i in range(1, 301)) + bytes(3000000)
    assert stderr == b"".join(b"b%d\n" % i for i in range(1, 301)) + b"end\n"


def test_reopened_stream_beside_a_flood_is_exactly_its_bytes(bench):
    # Through its own descriptor of the pipe the job may fill up pages that others began.
    job = bench.helper("reopener", 3000000, output_bytes=ALL)
    assert bench.wait(job, 120)["exit_code"] == 0
    _, stdout, stderr, _ = bench.output(job)
    assert stderr == b"e\n" * 3000000
    assert stdout == (b"o" * 63 + b"\n") * (len(stdout) // 64) and stdout


def test_job_that_closes_one_stream_goes_on_with_the_other(bench):
    job = bench.sh("echo first; exec >&-; head -c 2000000 /dev/zero >&2; echo last >&2; exit 3",
                   output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 3
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == b"first\n" and stderr == bytes(2000000) + b"last\n"


LARGER = """
    import fcntl, os, sys
    which, flood = int(sys.argv[1]), int(sys.argv[2])
    os.write(1, b"x" * flood)
    fcntl.fcntl(which, 1031, 1 << 20)        # F_SETPIPE_SZ
    for number in range(3000):
        os.write(1, b"o%d\\n" % number)
        os.write(2, b"e%d\\n" % number)
"""


@pytest.mark.parametrize("stream", [1, 2])
@pytest.mark.parametrize("flood", [0, 100, 500000])
def test_job_that_makes_its_pipe_larger_loses_nothing(bench, stream, flood):
    job = python(bench, LARGER, stream, flood, output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, row = bench.output(job)
    assert stdout == b"x" * flood + b"".join(b"o%d\n" % i for i in range(3000))
    assert stderr == b"".join(b"e%d\n" % i for i in range(3000))
    assert row["dropped_bytes"] == 0


def test_pipe_made_larger_behind_a_flood_loses_nothing(bench):
    # Another process of the job changes the pipe that is closed meanwhile, and fills it.
    job = python(bench, """
        import fcntl, os
        if os.fork() == 0:
            for turn in range(200):
                os.write(1, b"x" * 100000)
            os._exit(0)
        for turn in range(200):
            fcntl.fcntl(2, 1031, 4096 << turn % 5) if turn % 20 == 0 else None
            os.write(2, b"e%d\\n" % turn)
        os.wait()
        """, output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == b"x" * 20000000
    assert stderr == b"".join(b"e%d\n" % i for i in range(200))


def test_job_that_does_not_wait_for_its_pipe_loses_nothing(bench):
    job = python(bench, """
        import os, select
        for fd in (1, 2):
            os.set_blocking(fd, False)
        for number in range(20000):
            fd, line = 1 + number % 2, b"%d\\n" % number * (1 + number % 50)
            while line:
                try:
                    line = line[os.write(fd, line):]
                except BlockingIOError:
                    select.select([], [fd], [])
        """, output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == b"".join(b"%d\n" % i * (1 + i % 50) for i in range(0, 20000, 2))
    assert stderr == b"".join(b"%d\n" % i * (1 + i % 50) for i in range(1, 20000, 2))


@pytest.mark.parametrize("when", [0, 1])  # before the flood, during it
def test_stream_that_does_not_wait_has_room_beside_a_flood(bench, when):
    job = python(bench, """
        import os, sys
        floods, says = os.pipe()
        os.set_blocking(2, int(sys.argv[1]) != 0)
        child = os.fork()
        if child == 0:
            while True:
                for turn in range(32000):
                    os.write(1, b"o" * 256)
                os.write(says, b"!")
        os.read(floods, 1)
        os.set_blocking(2, False)
        os.read(floods, 1)
        os.read(floods, 1)
        try:
            os.write(2, b"fatal: it is broken\\n")
        finally:
            os.kill(child, 9)
        """, when, output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    assert bench.output(job)[2] == b"fatal: it is broken\n"


def test_spliced_pages_keep_every_byte(bench, reeve):
    # Pages of a file, which are no packets, put into the pipe without a write.
    path = os.path.join(reeve.work, "pages")
    with open(path, "wb") as file:
        file.write(bytes(range(256)) * 8192)
    job = python(bench, """
        import os, sys
        file = os.open(sys.argv[1], os.O_RDONLY)
        for turn in range(64):
            left = 32768
            while left:
                left -= os.splice(file, 1, left)
            os.write(2, b"e%d\\n" % turn)
        """, path, output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == bytes(range(256)) * 8192
    assert stderr == b"".join(b"e%d\n" % i for i in range(64))


def test_job_that_reads_its_own_pipe_hangs_nobody(bench):
    # What it takes from there is gone, also what the service put there.
    job = python(bench, """
        import os
        mine = os.open("/proc/self/fd/2", os.O_RDONLY | os.O_NONBLOCK)
        for turn in range(300):
            os.write(1, b"x" * 20000)
            try:
                os.read(mine, 100)
            except BlockingIOError:
                pass
        os.close(mine)
        os.write(2, b"end\\n")
        """, output_bytes=ALL)
    assert bench.wait(job)["exit_code"] == 0
    _, stdout, stderr, _ = bench.output(job)
    assert stdout == b"x" * 6000000 and stderr == b"end\n"


def test_somebody_else_with_the_pipe_keeps_no_attempt_alive(bench, reeve):
    path = os.path.join(reeve.work, "door")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen()
        job = python(bench, """
            import array, os, socket, sys
            os.write(1, b"mine\\n")
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(sys.argv[1])
                door.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                       array.array("i", [1]))])
                door.recv(1)
            os.write(1, b"last\\n")
            """, path)
        visitor, _ = door.accept()
        with visitor:
            _, extra, _, _ = visitor.recvmsg(1, 64)
            fd = array.array("i", extra[0][2])[0]
            os.write(fd, b"theirs\n")
            visitor.sendall(b"!")
            assert bench.wait(job)["exit_code"] == 0
    assert bench.output(job)[1] == b"mine\ntheirs\nlast\n"
    with pytest.raises(BrokenPipeError):
        os.write(fd, b"late\n")
    os.close(fd)
