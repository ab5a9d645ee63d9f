"""The table of everything that is measured: one row per figure.

A row is measured (`measure`), or made from others of the same round (`derive` of `uses`), or
found by another row's measurement (`by`). `must` says what it has to reach: of a row of the
same round, or by itself. Rows with `over` are measured at each size of a series. `history`
marks the rows that a long history must not slow down: `--history N` measures them there too.
"""

import dataclasses
import math
from typing import Callable, Optional

import jobs
import outputs
import peers
import rates
import standing

# Speeds of programs that cannot be installed from Debian, as measured on the machine where the
# bare loop started so many processes a second: they are scaled by what it does today.
REFERENCE_SPAWN = 3825
REFERENCE_JOB_WORKER = 1714  # job-worker, nothing stored: starts a second
REFERENCE_WAIT = 1500  # ten times httpexec: calls a second


@dataclasses.dataclass(frozen=True)
class Must:
    """Kept when the figure is `sign` one of the bounds: a factor of another row, or itself."""
    sign: str  # >= or <=
    bounds: tuple  # (factor or None: nothing was promised, row name or None)


def at_least(factor, of=None):
    return Must(">=", ((factor, of),))


def at_most(factor, of=None):
    return Must("<=", ((factor, of),))


def beside(of):
    """Only shown: how much it is of another row."""
    return Must(">=", ((None, of),))


def no_worse_than_linear():
    """Of a series: the exponent of its growth over its upper sizes, with room for noise."""
    return Must("<=", ((1.1, "exponent"),))


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    topic: str
    title: str
    unit: str
    measure: Optional[Callable] = None
    derive: Optional[Callable] = None
    uses: tuple = ()
    by: Optional[str] = None
    must: tuple = ()
    over: Optional[str] = None  # a series: which sizes of the scale
    history: bool = False
    only_history: bool = False


OVER = {"waiting": "jobs waiting", "connections": "connections", "followers": "followers"}


def harmonic(*parts):
    return 1 / sum(1 / part for part in parts)


def scaled(reference):
    return lambda spawn: reference * spawn / REFERENCE_SPAWN


ROWS = (
    # submissions
    Row("http", "submissions", "libmicrohttpd, constant answer, 64 connections (H)", "/s",
        rates.http_constant),
    Row("sqlite", "submissions", "SQLite alone, group commits of 64 (S)", "/s", rates.sqlite_group),
    Row("limit", "submissions", "limit L = 1/(1/H + 1/S)", "/s", derive=harmonic, uses=("http", "sqlite")),
    Row("beanstalkd", "submissions", "beanstalkd -f 0, puts over 64 connections", "/s", peers.beanstalkd),
    Row("submissions", "submissions", "durable submissions, 64 connections", "/s", rates.submissions,
        must=(at_least(0.40, "limit"), at_least(2, "beanstalkd")), history=True),
    Row("submission_ms", "submissions", "… answered after, median", "ms", by="submissions"),
    Row("submission_p99_ms", "submissions", "… answered after, 99 of 100", "ms", by="submissions"),
    Row("submissions_tcp", "submissions", "durable submissions over TCP with a token, 64 connections", "/s",
        rates.submissions_tcp, must=(beside("beanstalkd"),)),
    Row("sqlite_single", "submissions", "SQLite alone, one job a commit", "/s", rates.sqlite_single),
    Row("submissions_one", "submissions", "durable submissions, one connection", "/s",
        rates.submissions_one, must=(at_least(0.5, "sqlite_single"),), history=True),
    Row("batches", "submissions", "durable submissions, batches of 1,000", "/s", rates.batches,
        must=(at_least(0.4, "sqlite"),), history=True),
    # no-op jobs
    Row("spawn", "jobs", "bare posix_spawn loop, as many at once as slots", "/s", jobs.spawn),
    Row("tsp", "jobs", "task-spooler, no-op jobs", "/s", peers.task_spooler),
    Row("parallel", "jobs", "GNU parallel --joblog, no-op jobs", "/s", peers.gnu_parallel),
    Row("nq", "jobs", "nq, no-op jobs", "/s", peers.nq),
    Row("job_worker", "jobs", "job-worker, in memory (scaled by the bare loop)", "/s",
        derive=scaled(REFERENCE_JOB_WORKER), uses=("spawn",)),
    Row("noop", "jobs", "no-op jobs, everything recorded", "/s", jobs.noop,
        must=(at_least(0.60, "spawn"), at_least(1, "job_worker"), at_least(1, "tsp"),
              at_least(1, "parallel"), at_least(1, "nq")), history=True),
    # latency
    Row("http_ms", "latency", "one HTTP round trip, constant answer", "ms", rates.http_round_ms),
    Row("commit_ms", "latency", "one commit of SQLite", "ms", derive=lambda rate: 1e3 / rate,
        uses=("sqlite_single",)),
    Row("spawn_one", "latency", "bare posix_spawn loop, one at a time", "/s", jobs.spawn_one),
    Row("spawn_ms", "latency", "one bare spawn, with its end", "ms", derive=lambda rate: 1e3 / rate,
        uses=("spawn_one",)),
    Row("start_floor_ms", "latency", "round trip + commit + spawn", "ms",
        derive=lambda *parts: sum(parts), uses=("http_ms", "commit_ms", "spawn_ms")),
    Row("start_ms", "latency", "submission to the program's main(), idle, median", "ms", jobs.start,
        must=(at_most(3, "start_floor_ms"),)),
    Row("start_p99_ms", "latency", "submission to the program's main(), idle, 99 of 100", "ms", by="start_ms",
        must=(at_most(10, "start_floor_ms"),)),
    Row("webhook", "latency", "webhook, `true` over 8 connections", "/s", peers.webhook),
    Row("wait_goal", "latency", "ten times httpexec (scaled by the bare loop)", "/s",
        derive=scaled(REFERENCE_WAIT), uses=("spawn",)),
    Row("wait", "latency", "submission with ?wait, `true` over 8 connections", "/s", jobs.wait_rate,
        must=(at_least(1, "wait_goal"), beside("webhook")), history=True),
    # reads
    Row("http_read", "reads", "libmicrohttpd, constant answer to GET, 64 connections", "/s",
        rates.http_constant_read),
    Row("status", "reads", "status of jobs in turn, 64 connections", "/s", rates.status,
        must=(at_least(0.5, "http_read"),), history=True),
    Row("status_busy", "reads", "… while jobs are submitted over 8 others", "/s", rates.status_busy),
    Row("pages", "reads", "pages of 50 jobs, 64 connections", "/s", rates.pages,
        must=(Must(">=", ((5000, None), (0.1, "http_read"))),), history=True),
    # what stands around
    Row("running_kib", "standing", "memory of a running job (PSS): shim, and its share of both daemons",
        "KiB", standing.many_running, must=(at_most(300),)),
    Row("shim_kib", "standing", "… of which the shim", "KiB", by="running_kib"),
    Row("sleep_kib", "standing", "… and beside it the job's own process, `sleep`", "KiB", by="running_kib"),
    Row("intake_mib", "standing", "memory of the intake beside them (PSS)", "MiB", by="running_kib",
        must=(at_most(16),)),
    Row("worker_mib", "standing", "memory of the worker beside them (PSS)", "MiB", by="running_kib",
        must=(at_most(16),)),
    Row("idle_percent", "standing", "processor time of both while nothing happens", "%", by="running_kib",
        must=(at_most(0.1),)),
    # output
    Row("output_cat", "output", "writing through a pipe to `cat > file`", "MiB/s", outputs.cat),
    Row("output_write", "output", "a job writing through its shim", "MiB/s", outputs.write,
        must=(at_least(0.7, "output_cat"),)),
    Row("output_known", "output", "… until its end is known: hashed and synced", "MiB/s",
        by="output_write"),
    Row("nginx", "output", "nginx serving the same file", "MiB/s", peers.nginx),
    Row("output_read", "output", "reading the output over HTTP", "MiB/s", outputs.read,
        must=(at_least(0.8, "nginx"),)),
    # a long history
    Row("worker_start", "history", "start of the worker", "s", jobs.worker_start, must=(at_most(2),),
        history=True),
    Row("history_bytes", "history", "database file, a finished job", "bytes", must=(at_most(600),),
        only_history=True),
    Row("history_output_bytes", "history", "the same with eight bytes of output", "bytes",
        only_history=True),
    Row("status_of_any_age", "history", "status of jobs from all over the history", "/s",
        rates.status_of_any_age, only_history=True, must=(beside("status"),)),
    # growth
    Row("run_waiting", "growth", "running all jobs that wait", "s", jobs.run_waiting, over="waiting",
        must=(no_worse_than_linear(),)),
    Row("start_waiting", "growth", "start of a job beside jobs on hold", "ms", jobs.start_beside_waiting,
        over="waiting", must=(no_worse_than_linear(),)),
    Row("answer_connections", "growth", "answer to a durable submission", "ms", rates.submissions_over,
        over="connections", must=(no_worse_than_linear(),)),
    Row("follow_followers", "growth", "a live job's MiB at all followers", "s", outputs.follow,
        over="followers", must=(no_worse_than_linear(),)),
)

HISTORY = "@history"


def with_history(rows, count):
    """Each row that a history must not slow down once more, beside the one without."""
    marked = {row.name for row in rows if row.history}
    for row in rows:
        if not row.only_history:
            yield row
        elif count:
            yield row
        if count and (row.history or row.by in marked):
            is_rate = row.unit == "/s"
            musts = (at_least(0.9, row.name),) if is_rate else row.must
            yield dataclasses.replace(
                row, name=row.name + HISTORY, title=f"{row.title}, after {count:,} others",
                by=row.by and row.by + HISTORY, must=musts)


def chosen(rows, words):
    """The rows that these names and topics mean, with all that they are compared with."""
    by_name = {row.name: row for row in rows}
    wanted = set()

    def want(name):
        row = by_name.get(name)
        if not row or name in wanted:
            return
        wanted.add(name)
        for other in (row.by, *row.uses, *(of for must in row.must for _, of in must.bounds)):
            want(other)
    unknown = set(words) - set(by_name) - {row.topic for row in rows}
    if unknown:
        raise SystemExit(f"bench: no measure and no topic is called {', '.join(sorted(unknown))}; "
                         f"topics are {', '.join(dict.fromkeys(row.topic for row in rows))}; "
                         f"measures are {', '.join(by_name)}")
    for row in rows:
        meant = {row.name, row.name.removesuffix(HISTORY), row.topic, row.by}
        if not words or meant & set(words):
            want(row.name)
    return [row for row in rows if row.name in wanted]


def upper(points, size_of):
    """The points whose growth is judged: within a tenth of the largest. What is flat at the
    beginning says nothing about the end."""
    largest = max(map(size_of, points))
    return [point for point in points if size_of(point) * 10 >= largest]


def exponent(points):
    """Of growth ~ size^exponent, by least squares, over the upper sizes."""
    judged = [(math.log(size), math.log(value)) for size, value in upper(points, lambda point: point[0])]
    if len(judged) < 2:
        return None
    mean_x = sum(x for x, _ in judged) / len(judged)
    mean_y = sum(y for _, y in judged) / len(judged)
    spread = sum((x - mean_x) ** 2 for x, _ in judged)
    return sum((x - mean_x) * (y - mean_y) for x, y in judged) / spread
