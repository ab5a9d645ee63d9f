"""Rates over HTTP, and of the parts below: submissions, batches, status, pages."""

import contextlib
import glob
import json
import os
import random
import subprocess
import uuid

from scene import BODY, NOOP, ROOT

CONNECTIONS = 64
BESIDE = 8  # connections that submit while others read
GET = ("-m", "GET", "-e", "200")


# --- limits ---------------------------------------------------------------------------------


def http_constant(bench):
    """libmicrohttpd, told nothing and asking nobody, answers 201 as long as a job is."""
    with bench.constant_server(201, "submitted") as target:
        return bench.load(target, CONNECTIONS, bench.amount, "-b", BODY)["per_second"]


def http_constant_read(bench):
    """The same for a GET."""
    with bench.constant_server(200, "job") as target:
        return bench.load(target, CONNECTIONS, bench.amount, *GET)["per_second"]


def http_round_ms(bench):
    """One request at a time: the median of a round trip."""
    with bench.constant_server(201, "submitted") as target:
        return bench.load(target, 1, bench.amount, "-b", BODY)["p50_ms"]


def sqlite_rate(bench, per_commit):
    migrations = sorted(glob.glob(os.path.join(ROOT, "migrations/*.sql")))
    return float(bench.ask("limit_sqlite", bench.path("limit.db"), per_commit, bench.scale.seconds,
                           *migrations))


def sqlite_group(bench):
    return sqlite_rate(bench, CONNECTIONS)


def sqlite_single(bench):
    return sqlite_rate(bench, 1)


# --- submissions ----------------------------------------------------------------------------


def submit(bench, connections, jobs_each=1, *options, amount=None):
    """The worker stands still; afterwards as many rows are there as answers came."""
    with bench.service() as reeve:
        reeve.start_httpapi()
        first = reeve.last_row()
        found = bench.load("unix:" + reeve.socket_path, connections, amount or bench.amount, *options)
        stored = reeve.sql("SELECT count(*) FROM jobs WHERE id > ?", first)[0][0]
        answered = found["expected"] * jobs_each
        assert stored == answered, f"{answered} answered, {stored} stored"
        return found


def submissions(bench):
    found = submit(bench, CONNECTIONS, 1, "-b", BODY)
    return {"submissions": found["per_second"], "submission_ms": found["p50_ms"],
            "submission_p99_ms": found["p99_ms"]}


def submissions_tcp(bench):
    """As a peer over TCP has it: with a token in each request besides."""
    with bench.service() as reeve:
        reeve.start_httpapi()
        found = bench.load("{}:{}".format(*reeve.address), CONNECTIONS, bench.amount, "-b", BODY,
                           "-H", f"Authorization: Bearer {reeve.token}")
        stored = reeve.sql("SELECT count(*) FROM jobs")[0][0]
        assert stored == found["expected"], f"{found['expected']} answered, {stored} stored"
        return found["per_second"]


def submissions_one(bench):
    return submit(bench, 1, 1, "-b", BODY)["per_second"]


def batches(bench):
    """Four clients, so that one can be read while another is stored."""
    count = bench.scale.batch
    body = bench.path("batch.json")
    with open(body, "w", encoding="utf-8") as file:
        json.dump({"jobs": [{"command": NOOP}] * count}, file)
    found = submit(bench, 4, count, "-p", "/v1/batches", "-B", body)
    return found["per_second"] * count


def submissions_over(bench, connections):
    """Growth: how long an answer takes when so many ask at once."""
    amount = f"{bench.scale.growth_s}s"
    return submit(bench, connections, 1, "-b", BODY, amount=amount)["p50_ms"]


# --- reads ----------------------------------------------------------------------------------


@contextlib.contextmanager
def submitting(bench, target):
    """Jobs come on some other connections meanwhile."""
    load = subprocess.Popen([bench.program("load"), "-b", BODY, target, str(BESIDE), "600s"])
    try:
        yield
    finally:
        load.kill()
        load.wait()


def read(bench, paths_of, beside=None):
    """GETs of these paths in turn; with the worker's part done, as on a quiet service, or beside
    something."""
    with bench.service() as reeve:
        reeve.start()
        bench.load("unix:" + reeve.socket_path, CONNECTIONS, bench.scale.read, "-b", BODY)
        reeve.wait_all_ended()
        ids = [row[0] for row in reeve.sql(
            "SELECT lower(hex(uuid)) FROM jobs ORDER BY id DESC LIMIT ?", bench.scale.read)]
        file = bench.path("paths")
        with open(file, "w", encoding="ascii") as out:
            out.writelines(path + "\n" for path in paths_of(reeve, ids))
        target = "unix:" + reeve.socket_path
        with beside(bench, target) if beside else contextlib.nullcontext():
            return bench.load(target, CONNECTIONS, bench.amount, *GET, "-P", file)


def status_path(hex_id):
    return f"/v1/jobs/{uuid.UUID(hex_id)}"


def job_paths(_, ids):
    """Every job in turn, so that none is warm by chance."""
    return map(status_path, ids)


def status(bench):
    return read(bench, job_paths)["per_second"]


def status_busy(bench):
    """The same while something is committed all the time, so that nothing can be known from before."""
    return read(bench, job_paths, submitting)["per_second"]


def status_of_any_age(bench):
    """Jobs from all over a long history, in an order of chance: each has pages of its own."""
    def paths(reeve, ids):
        chance, newest = random.Random(1), reeve.last_row()
        found = reeve.sql("SELECT lower(hex(uuid)) FROM json_each(?) CROSS JOIN jobs ON jobs.id = value",
                          json.dumps([chance.randint(1, newest) for _ in ids]))
        return job_paths(reeve, [row[0] for row in found])
    return read(bench, paths)["per_second"]


def pages(bench):
    """The newest fifty, and the pages behind them by their cursors."""
    def paths(reeve, ids):
        found = ["/v1/jobs?limit=50"]
        while len(found) < 10:
            link = reeve.request("GET", found[-1]).headers.get("Link")
            if not link:
                break
            found.append(link[link.index("<") + 1:link.index(">")])
        return found
    return read(bench, paths)["per_second"]
