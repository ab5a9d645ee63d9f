"""Running jobs: no-op ones to their end, how soon one starts, and asking for the end."""

import json
import os
import subprocess
import time

from scene import BODY, LIMIT_S, NOOP, harness

WAITERS = 8


def spawn(bench):
    """The bare loop: as many processes alive as the worker has slots."""
    return float(bench.ask("limit_spawn", bench.scale.jobs, bench.slots, NOOP))


def spawn_one(bench):
    return float(bench.ask("limit_spawn", max(20, bench.scale.jobs // 10), 1, NOOP))


def run_queued(bench, count):
    """(jobs, seconds) from the first start to the last recorded end, all queued beforehand."""
    with bench.service() as reeve:
        reeve.start_httpapi()
        first = reeve.last_row()
        bench.load("unix:" + reeve.socket_path, 64, count, "-b", BODY)
        reeve.stop_httpapi()
        reeve.start_worker()
        reeve.wait_all_ended()
        ended, begin, end = reeve.sql(
            "SELECT count(*), min(started_at), max(finished_at) FROM jobs "
            "WHERE state = 'succeeded' AND id > ?", first)[0]
        assert ended == count, f"{ended} of {count} jobs succeeded"
        return count, (end - begin) / 1e6


def noop(bench):
    count, seconds = run_queued(bench, bench.scale.jobs)
    return count / seconds


def run_waiting(bench, count):
    """Growth: seconds until so many queued jobs have ended."""
    return run_queued(bench, count)[1]


def start_latency(bench, reeve, count):
    return json.loads(bench.ask(
        "start", "unix:" + reeve.socket_path, count, 20, bench.program("stamp"),
        bench.path("stamps.sock")))


def start(bench):
    """Until the program's main() runs, on a service that does nothing else."""
    with bench.service() as reeve:
        reeve.start()
        found = start_latency(bench, reeve, bench.scale.starts)
        return {"start_ms": found["p50_ms"], "start_p99_ms": found["p99_ms"]}


def start_beside_waiting(bench, waiting):
    """Growth: the same while so many jobs are on hold."""
    with bench.service() as reeve:
        reeve.start()
        held = json.dumps({"command": NOOP, "hold": True})
        bench.load("unix:" + reeve.socket_path, 64, waiting, "-b", held)
        found = start_latency(bench, reeve, max(3, bench.scale.starts // 10))
        reeve.cancel_all()
        return found["p50_ms"]


def wait_rate(bench):
    """POST with ?wait: the answer comes when the job has ended, eight at once."""
    with bench.service() as reeve:
        reeve.start()
        first = reeve.last_row()
        found = bench.load("unix:" + reeve.socket_path, WAITERS, bench.amount,
                           "-p", "/v1/jobs?wait=30", "-b", BODY)
        ended = reeve.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded' AND id > ?", first)[0][0]
        assert ended == found["expected"], f"{found['expected']} answered, {ended} succeeded"
        return found["per_second"]


def worker_start(bench):
    """Seconds from the start of the worker's process until it is ready for jobs."""
    with bench.service() as reeve:
        reeve.start_httpapi()
        begin = time.monotonic()
        reeve.start_worker()
        return time.monotonic() - begin


def make_history(folder, count):
    """Fills a state directory with no-op jobs that ended during the last month: each with its
    attempt and its events, one of ten with eight bytes of output, by the product's own functions."""
    subprocess.run(["nice", os.path.join(harness.TESTS, "history"), "-n", "-o", "10", folder, str(count),
                    "0", "30", "1"], check=True, timeout=48 * LIMIT_S)
    os.sync()  # not in the time of what is measured next


def history_bytes(db, size, count):
    """(bytes of the file a finished job without output, with eight bytes of it)."""
    output = sum(db.execute("SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name = ?", (name,)).fetchone()[0]
                 for name in ("output", "sqlite_autoindex_output_1"))
    outputs = db.execute("SELECT count(*) FROM output").fetchone()[0]
    each = (size - output) / count
    return each, each + output / max(1, outputs)
