"""Turns between owners, queues with limits, pauses and draining, with real processes.

Jobs that are shorter than a commit are claimed ahead of free slots, longer ones are not;
whoever waits for a turn may not notice the difference."""

import time

import harness
import pytest
from workbench import Workbench

SLOTS = 2
MANY = 10000
SHORT = ("/bin/true",)
LONG = ("/bin/sleep", "0.05")
# Started is what a shim has started. Of two, one that gets no processor is overtaken by all
# that the other starts meanwhile, though its job was handed out first; one alone cannot be.
PACES = pytest.mark.parametrize("argv, slots", [(SHORT, 1), (LONG, SLOTS)], ids=["short", "long"])
STILL_OVER = "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL"


def now_us():
    return time.time_ns() // 1000


def started_at(bench, job):
    """When its process was started, once it was; in microseconds."""
    return harness.wait_until(
        lambda: bench.reeve.sql("SELECT a.started_at FROM attempts a JOIN v_jobs v ON v.job_id = "
                                "a.job_id WHERE v.id = ? AND a.started_at IS NOT NULL", job),
        lambda: f"{job} to start: {bench.row(job)}\n{bench.reeve.logs}")[0][0]


def starts_between(bench, owner, begin, end):
    """How many processes of an owner's jobs were started after one moment and before another.
    Only a worker that has stopped has recorded them all."""
    return bench.reeve.sql("SELECT count(*) FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE "
                           "j.owner = ? AND a.started_at > ? AND a.started_at < ?",
                           owner, begin, end)[0][0]


@PACES
@pytest.mark.parametrize("owner", ["uid:1", "zoe"])
def test_one_job_waits_for_at_most_two_of_ten_thousand(reeve, argv, slots, owner):
    """All are queued when the worker starts; in the circle of names before or behind."""
    bench = Workbench(reeve, slots=slots)
    bench.submit_many(*argv, count=MANY, owner="uid:5")
    one = bench.submit(*argv, owner=owner)
    bench.start()
    begun = started_at(bench, one)
    reeve.stop_worker()
    assert starts_between(bench, "uid:5", 0, begun) <= 2


@PACES
def test_whoever_comes_while_ten_thousand_run_waits_for_at_most_two(reeve, argv, slots):
    """Over HTTP: the kernel's word for the one, the token for the other."""
    reeve.start(slots=slots)
    bench = Workbench(reeve)
    first = reeve.submit(*argv)
    bench.submit_many(*argv, count=MANY, owner=first["owner"])
    enough = 100 if argv == SHORT else 10
    harness.wait_until(lambda: reeve.sql(STILL_OVER)[0][0] > enough, "the many to be under way")
    for _ in range(5):
        one = reeve.submit(*argv, via="tcp")
        assert one["owner"] != first["owner"]
        answered = now_us()
        begun = started_at(bench, one["id"])
        reeve.wait(one)  # by then the starts before it are recorded
        between = starts_between(bench, first["owner"], answered, begun)
        assert between <= 2, f"{between} of the many were started before it"
    assert reeve.sql("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0] > MANY / 2


def test_the_jobs_of_who_comes_later_take_every_other_turn(reeve):
    """All of them, not only the first one: also while nobody submits anything more."""
    reeve.start(slots=1)
    bench = Workbench(reeve)
    bench.submit_many(*SHORT, count=MANY, owner="uid:5")
    harness.wait_until(lambda: reeve.sql(STILL_OVER)[0][0] > 100, "the many to be under way")
    few = bench.submit_many(*SHORT, count=40, owner="zoe")
    before = now_us()
    for job in few:
        bench.wait(job)
    starts = [before] + [at for at, in reeve.sql(
        "SELECT a.started_at FROM attempts a JOIN jobs j ON j.id = a.job_id WHERE "
        "j.owner = 'zoe' ORDER BY a.started_at")]
    between = [starts_between(bench, "uid:5", begin, end)
               for begin, end in zip(starts, starts[1:])]
    assert len(between) == len(few) and max(between) <= 2, between


def test_a_higher_priority_goes_before_what_was_claimed_ahead(reeve):
    reeve.start(slots=1)
    bench = Workbench(reeve)
    bench.submit_many(*SHORT, count=MANY, owner="uid:5")
    harness.wait_until(lambda: reeve.sql(STILL_OVER)[0][0] > 100, "the many to be under way")
    for _ in range(10):
        one = reeve.submit(*SHORT, priority=1)
        answered = now_us()
        begun = started_at(bench, one["id"])
        reeve.wait(one)
        assert starts_between(bench, "uid:5", answered, begun) <= SLOTS


# How somebody with a shell stops a queue, or everything, and lets it go on.
STOPS = {
    "paused": ("UPDATE queues SET paused_at = 1, paused_by = 'uid:0' WHERE name = 'default'",
               "UPDATE queues SET paused_at = NULL, paused_by = NULL WHERE name = 'default'"),
    "limited": ("UPDATE queues SET max_running = 0 WHERE name = 'default'",
                "UPDATE queues SET max_running = NULL WHERE name = 'default'"),
    "drained": ("INSERT INTO drain (id, since, by) VALUES (1, 1, 'uid:0')", "DELETE FROM drain"),
}


@pytest.mark.parametrize("how", STOPS)
def test_what_is_stopped_starts_nothing_more(reeve, how):
    """Not even what was claimed ahead: but for those at most whose start was under way."""
    stop, go_on = STOPS[how]
    bench = Workbench(reeve, slots=SLOTS)
    jobs = bench.submit_many(*SHORT, count=1000)
    bench.start()
    harness.wait_until(lambda: reeve.sql(STILL_OVER)[0][0] > 50, "some to have ended")
    reeve.sql_write(stop)
    stopped = now_us()
    harness.wait_until(lambda: reeve.sql("SELECT count(*) FROM jobs WHERE state = 'running'") ==
                       [(0,)], lambda: f"nothing to run\n{reeve.logs}")
    assert starts_between(bench, "uid:0", stopped, now_us()) <= SLOTS
    assert reeve.sql("SELECT count(*) FROM jobs WHERE state = 'queued'")[0][0] > 0
    # a new job of another owner and a new worker change nothing
    other = bench.submit(*SHORT, owner="uid:5")
    reeve.stop_worker()
    reeve.start_worker()
    version = reeve.sql("SELECT max(heartbeat_at) FROM workers")
    harness.wait_until(lambda: reeve.sql("SELECT max(heartbeat_at) FROM workers") != version,
                       "a sign of life of the new worker")
    assert bench.row(other)["state"] == "queued"
    reeve.sql_write(go_on)
    bench.wait_all()
    ends = reeve.sql("SELECT count(*), count(DISTINCT job_id) FROM attempts WHERE outcome = 'exit'")
    assert ends == [(len(jobs) + 1, len(jobs) + 1)]


def test_limits_are_never_exceeded(reeve):
    """Four queues side by side: claimed or running, there are never more than allowed."""
    limits = {"one": 1, "two": 2, "three": 3}
    bench = Workbench(reeve, slots=8, queues={name: {"max_running": limit}
                                              for name, limit in limits.items()})
    for name in (*limits, "default"):
        for owner in ("uid:1", "uid:2"):
            bench.submit_many(*SHORT, count=30, queue=name, owner=owner)
            bench.submit_many("/bin/sleep", "0.02", count=10, queue=name, owner=owner)
    bench.start()
    bench.wait_all()
    spans = reeve.sql("SELECT j.queue, a.claimed_at, a.ended_at FROM attempts a "
                      "JOIN jobs j ON j.id = a.job_id")
    for name, limit in limits.items():
        moments = sorted(moment for queue, begin, end in spans if queue == name
                         for moment in ((begin, 1), (end, -1)))
        running = most = 0
        for _, change in moments:
            running += change
            most = max(most, running)
        assert most == limit
    assert reeve.sql("SELECT count(*) FROM jobs WHERE state = 'succeeded'") == [(320,)]


def test_a_full_or_paused_queue_holds_nobody_back(reeve):
    bench = Workbench(reeve, slots=SLOTS, queues={"full": {"max_running": 1}, "shut": {}})
    bench.submit("/bin/sleep", "1000", queue="full")
    bench.start()
    reeve.sql_write("UPDATE queues SET paused_at = 1 WHERE name = 'shut'")
    for queue in ("full", "shut"):
        bench.submit_many("/bin/sleep", "1000", count=1000, queue=queue, priority=50)
    free = bench.submit(*SHORT)
    assert bench.wait(free)["state"] == "succeeded"
    assert reeve.sql("SELECT queue, count(*) FROM jobs WHERE state = 'running' GROUP BY queue") == \
        [("full", 1)]
    for job, in reeve.sql("SELECT id FROM v_running"):
        bench.cancel(job, force=True)
        bench.wait(job)


def test_a_pause_ends_by_itself(reeve):
    bench = Workbench(reeve, slots=SLOTS)
    bench.start()
    until = now_us() + 1500000
    reeve.sql_write("UPDATE queues SET paused_at = 1, paused_until = ? WHERE name = 'default'",
                    until)
    job = bench.submit(*SHORT)
    assert bench.wait(job)["state"] == "succeeded"
    assert started_at(bench, job) >= until
    assert reeve.sql("SELECT principal, data FROM events WHERE kind = 'queue_resumed'") == \
        [(None, '{"queue":"default"}')]
