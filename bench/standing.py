"""What stands around: memory of many running jobs, and what idle daemons do."""

import json
import os
import time

from scene import harness


def pss_kib(pid):
    """Proportional set size: shared pages are divided among those who share them."""
    for line in harness.proc_read(pid, "smaps_rollup").decode().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError(f"no memory of process {pid}")


def cpu_ns(pid):
    """Processor time of all threads, exact where utime of /proc counts in ticks."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        total += int(harness.proc_read(pid, f"task/{task}/schedstat").split()[0])
    return total


def jobs_of(shims):
    """The processes directly below the shims."""
    above = set(shims)
    return [pid for pid in harness.pids() if (harness.proc_stat(pid) or ("", 0))[1] in above]


def idle_percent(daemons, seconds):
    before, begin = [cpu_ns(pid) for pid in daemons], time.monotonic()
    time.sleep(seconds)
    spent = sum(cpu_ns(pid) - was for pid, was in zip(daemons, before))
    return 100 * spent / 1e9 / (time.monotonic() - begin)


def many_running(bench):
    """`sleep` so many times at once: PSS of their shims, of the jobs and of both daemons, and
    the processor time of the daemons while nothing happens."""
    count = bench.scale.running
    with bench.service(slots=count) as reeve:
        reeve.start()
        bench.load("unix:" + reeve.socket_path, 16, count, "-b",
                   json.dumps({"command": "/usr/bin/sleep", "args": ["100000"]}))

        def all_run():
            shims = reeve.shims()
            return shims if len(shims) == count and len(jobs_of(shims)) == count else None
        shims = harness.wait_until(all_run, f"{count} jobs to run", 300, pause_s=0.2)
        daemons = (reeve.httpapi.process.pid, reeve.worker.process.pid)
        shims_kib, daemons_kib = sum(map(pss_kib, shims)), list(map(pss_kib, daemons))
        found = {
            "running_kib": (shims_kib + sum(daemons_kib)) / count,
            "shim_kib": shims_kib / count,
            "sleep_kib": sum(map(pss_kib, jobs_of(shims))) / count,
            "intake_mib": daemons_kib[0] / 1024,
            "worker_mib": daemons_kib[1] / 1024,
            "idle_percent": idle_percent(daemons, bench.scale.idle_s),
        }
        reeve.cancel_all()
        return found
