"""What one submission, one status and one no-op job spend: processor time, system calls, and
instructions by function. Each KIND is done again for each way of looking, since every tool slows
down what it looks at in its own manner; processor time is taken without any."""

import contextlib
import dataclasses
import os
import re
import shutil
import stat
import subprocess
from typing import Callable

import rates
from scene import BODY, harness
from standing import cpu_ns
from tracing import Tracer, strace

TRACED = 500  # pieces under strace, which stops every process at every call
COUNTED = (200, 1200)  # pieces under callgrind: the difference is without start and end


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    title: str
    daemon: str  # whose work it is
    times: int  # so many more pieces than jobs: what is short is done more often
    is_counted: bool  # valgrind knows all calls of the daemon (but openat2; not pidfd_open)
    prepare: Callable  # (bench, reeve, pieces): starts the daemons; does the work when called


def load(bench, reeve, count, *options):
    bench.load("unix:" + reeve.socket_path, rates.CONNECTIONS, count, *options)


def submissions(bench, reeve, count):
    reeve.start_httpapi()
    return lambda: load(bench, reeve, count, "-b", BODY)


def statuses(bench, reeve, count):
    """Of a hundred jobs that have ended, in turn."""
    reeve.start()
    load(bench, reeve, 100, "-b", BODY)
    reeve.wait_all_ended()
    with open(bench.path("paths"), "w", encoding="ascii") as file:
        for (found,) in reeve.sql("SELECT lower(hex(uuid)) FROM jobs"):
            file.write(rates.status_path(found) + "\n")
    return lambda: load(bench, reeve, count, *rates.GET, "-P", bench.path("paths"))


def noops(bench, reeve, count):
    """Jobs are queued while the service drains; then all may start."""
    reeve.start()
    assert reeve.request("POST", "/v1/drain", {}).status == 200
    load(bench, reeve, count, "-b", BODY)

    def run():
        assert reeve.request("POST", "/v1/undrain").status == 200
        reeve.wait_all_ended()
    return run


KINDS = (
    Kind("submission", "a submission, 64 connections", "httpapi", 8, True, submissions),
    Kind("status", "a status, 64 connections", "httpapi", 8, True, statuses),
    Kind("noop", "a no-op job, queued beforehand", "worker", 1, False, noops),
)


STAND_IN = os.path.join(harness.TESTS, "libopenat2.so")  # what valgrind does not know


def missing(tools):
    found = [tool for tool in tools if not shutil.which(tool)]
    if "valgrind" in tools and not os.path.exists(STAND_IN):
        found.append(f"{os.path.relpath(STAND_IN)} (make helpers)")
    return found


# --- processor time -------------------------------------------------------------------------


def children_cpu_us(pid):
    """Processor time of ended and waited-for children, as far as /proc tells (in ticks)."""
    fields = harness.proc_read(pid, "stat").rsplit(b")", 1)[1].split()
    return (int(fields[13]) + int(fields[14])) * 1e6 / os.sysconf("SC_CLK_TCK")


def processor(bench, kind, count):
    """us a piece: {"daemon": …} and, of jobs, {"shims": …, "jobs": …}."""
    count *= kind.times
    with bench.own_folder(), bench.service() as reeve:
        run = kind.prepare(bench, reeve, count)
        pid = getattr(reeve, kind.daemon).process.pid
        before = cpu_ns(pid)
        run()
        found = {"daemon": (cpu_ns(pid) - before) / 1e3 / count}
        if kind.daemon == "worker":
            shims = reeve.shims()
            found["shims"] = sum(map(cpu_ns, shims)) / 1e3 / count
            found["jobs"] = sum(map(children_cpu_us, shims)) / count
        return found


# --- system calls ---------------------------------------------------------------------------


def calls(bench, kind, count):
    """{name: calls a piece}. Shims are children of the worker: those made meanwhile are in it."""
    count = min(count, TRACED)
    with bench.own_folder() as folder, bench.service() as reeve:
        run = kind.prepare(bench, reeve, count)
        with strace(folder, getattr(reeve, kind.daemon).process.pid) as tracer:
            run()
        return {name: number / count for name, number in tracer.calls().items()}


# --- where the processor was ----------------------------------------------------------------


def descriptors(pid):
    """What a process has open, by name."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def perf(folder, pid):
    report = os.path.join(folder, f"perf.{pid}")
    argv = ["perf", "record", "-q", "-F", "3000", "-e", "cpu-clock", "-o", report]
    return Tracer(argv, pid, report,
                  lambda tracer: any("perf_event" in name for name in descriptors(tracer)))


def shares(path, by):
    """[(share of the samples in percent, name)], most first."""
    done = subprocess.run(["perf", "report", "-i", path, "--stdio", "--no-children", "-s", by],
                          capture_output=True, text=True, check=False)
    found = []
    for line in done.stdout.splitlines():
        match = re.match(r"\s*([\d.]+)%\s+(.*?)[-\s]*$", line)
        if match:
            found.append((float(match.group(1)), re.sub(r"\s+", " ", match.group(2))))
    return found


def places(bench, kind, count):
    count *= kind.times
    with bench.own_folder() as folder, bench.service() as reeve:
        run = kind.prepare(bench, reeve, count)
        with perf(folder, getattr(reeve, kind.daemon).process.pid) as tracer:
            run()
        return {"objects": shares(tracer.report, "dso"),
                "functions": shares(tracer.report, "dso,symbol")}


# --- instructions ---------------------------------------------------------------------------


def under_callgrind(bench, reeve, program):
    """A folder of programs in which this one is run by callgrind, and where that will tell. Valgrind
    does not know openat2, and the programs do not do without it."""
    folder, found = bench.path("bin"), bench.path("callgrind.out")
    os.mkdir(folder)
    for name in os.listdir(reeve.bin):
        os.symlink(os.path.join(reeve.bin, name), os.path.join(folder, name))
    path = os.path.join(folder, program)
    os.unlink(path)
    with open(path, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nLD_PRELOAD={STAND_IN} exec valgrind -q --tool=callgrind '
                   f'--callgrind-out-file={found} {os.path.join(reeve.bin, program)} "$@"\n')
    os.chmod(path, stat.S_IRWXU)
    reeve.bin = folder
    return found


def annotated(path):
    """{(function, object): instructions} of a callgrind file."""
    done = subprocess.run(["callgrind_annotate", "--threshold=100", path], capture_output=True, text=True,
                          check=True)
    found = {}
    for line in done.stdout.splitlines():
        match = re.match(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+(?:\S*?):(\S.*?)(?: \[(.*)\])?$", line)
        if match:
            name = (match.group(2).partition("'")[0], os.path.basename(match.group(3) or "?"))
            found[name] = found.get(name, 0) + int(match.group(1).replace(",", ""))
    return found


def instructions(bench, kind):
    """{(function, object): instructions a piece} of the daemon in user space."""
    found = []
    for count in COUNTED:
        with bench.own_folder():
            with bench.service() as reeve:
                report = under_callgrind(bench, reeve, "reeve-" + kind.daemon)
                kind.prepare(bench, reeve, count)()
            found.append(annotated(report))
    few, many = found
    pieces = COUNTED[1] - COUNTED[0]
    return {name: (number - few.get(name, 0)) / pieces for name, number in many.items()}
