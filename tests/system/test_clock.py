"""Waiting by the wall clock, while somebody sets it and everybody dies: nothing starts too
early, nothing twice, and nothing is forgotten. No test waits for the hours it talks of."""

import os
import struct

import pytest

from test_http_waiting import Gate
from test_waiting import counter, kill_everything, kinds, ran
from wall_clock import DAY, HOUR, WallClock


@pytest.fixture
def clock(reeve):
    return WallClock(reeve)


def look(reeve):
    """The worker has seen the clock as it is now: it has done a whole job since."""
    assert reeve.run("/bin/true")["state"] == "succeeded"


def restart(reeve):
    kill_everything(reeve)
    reeve.start()


# --- the tool ---------------------------------------------------------------------------------


def test_the_daemons_go_by_the_clock_that_is_set(reeve, clock):
    clock.set(5 * DAY)
    reeve.start()
    job = reeve.submit("/bin/true", hold=True)
    assert clock.at(-60) < job["submitted_at"] < clock.at(60)
    clock.set(-5 * DAY)
    assert clock.at(-60) < reeve.submit("/bin/true", hold=True)["submitted_at"] < clock.at(60)
    soon = reeve.submit("/bin/true", run_at=clock.at(0.5))
    assert soon["state"] == "waiting"
    assert reeve.wait(soon)["state"] == "succeeded"


# --- not too early, not twice ------------------------------------------------------------------


def test_a_retry_survives_the_death_of_everything_and_starts_once(reeve, clock):
    reeve.start(slots=2)
    job = reeve.sh(counter(reeve), retry={"max_attempts": 2, "delay_s": HOUR, "jitter": 0})
    waiting = reeve.wait_state(job, "waiting")
    bystander = reeve.submit("/bin/sleep", "1000")
    reeve.wait_running(bystander)
    for offset in (0, HOUR - 60, -DAY):
        kill_everything(reeve)
        clock.set(offset)
        reeve.start()
        look(reeve)
        found = reeve.job(job)
        assert (found["state"], found["reason"], found["run_at"]) == ("waiting", "retry", waiting["run_at"])
        assert found["version"] == waiting["version"]
    assert ran(reeve) == ["1"]
    assert reeve.job(bystander)["state"] == "lost", "there was a shim to kill"
    kill_everything(reeve)
    clock.set(HOUR + 1)
    reeve.start()
    done = reeve.wait(job)
    assert (done["state"], done["attempt"]) == ("failed", 2)
    for offset in (0, HOUR + 1):
        clock.set(offset)
        restart(reeve)
        look(reeve)
    assert ran(reeve) == ["1", "2"]
    assert kinds(reeve, job) == ["submitted", "started", "retrying", "due", "started", "ended"]


@pytest.mark.parametrize("dies", [False, True], ids=["running", "killed"])
def test_a_time_ten_days_ahead_survives_jumps(reeve, clock, dies):
    def jump(offset):
        # Dead before the clock is set: whoever is killed with the job in hand starts it as a new attempt.
        if dies:
            kill_everything(reeve)
        clock.set(offset)
        if dies:
            reeve.start()

    reeve.start()
    job = reeve.sh(counter(reeve, "exit 0"), run_at=clock.at(10 * DAY))
    for offset in (DAY, -DAY, 0, 10 * DAY - 60, DAY):
        jump(offset)
        look(reeve)
        found = reeve.job(job)
        assert (found["state"], found["reason"], found["version"]) == ("waiting", "run_at", 1), offset
    jump(10 * DAY + 1)
    assert reeve.wait(job)["state"] == "succeeded"
    for offset in (0, 10 * DAY + 2):
        jump(offset)
        look(reeve)
    assert ran(reeve) == ["1"]
    assert kinds(reeve, job) == ["submitted", "due", "started", "ended"]


def test_what_became_due_stays_so_when_the_clock_goes_back(reeve, clock):
    """The clock is back before the job could start: it is queued, and starts once."""
    reeve.start(slots=1)
    job = reeve.sh(counter(reeve, "exit 0"), run_at=clock.at(HOUR))
    blocker = reeve.submit("/bin/sleep", "1000")
    reeve.wait_running(blocker)
    clock.set(HOUR + 1)
    assert reeve.wait_state(job, "queued")["attempt"] == 0
    clock.set(-DAY)
    reeve.cancel(blocker, force=True)
    assert reeve.wait(job)["state"] == "succeeded"
    assert ran(reeve) == ["1"]


def test_many_jobs_come_due_by_one_jump(reeve, clock):
    reeve.start(slots=2)
    jobs = [reeve.submit("/bin/true", run_at=clock.at(HOUR + i)) for i in range(30)]
    clock.set(2 * HOUR)
    for job in jobs:
        assert reeve.wait(job)["attempt"] == 1


# --- too late ----------------------------------------------------------------------------------


LIMITS = [("expires_at", lambda clock, seconds: clock.at(seconds)), ("deadline_s", lambda clock, seconds: seconds)]


@pytest.mark.parametrize("member, value", LIMITS, ids=[name for name, _ in LIMITS])
def test_what_did_not_start_in_time_fails_and_stays_failed(reeve, clock, member, value):
    reeve.start()
    held = reeve.submit("/bin/true", hold=True, **{member: value(clock, HOUR)})
    later = reeve.submit("/bin/true", hold=True, **{member: value(clock, 3 * HOUR)})
    early = reeve.submit("/bin/true", run_at=clock.at(HOUR), **{member: value(clock, 2 * HOUR)})
    for offset in (HOUR - 60, -DAY):
        clock.set(offset)
        look(reeve)
        assert [reeve.job(job)["state"] for job in (held, later, early)] == ["waiting"] * 3
    # over both its run_at and its end: it is too late, not due
    clock.set(2 * HOUR + 1)
    for job in (held, early):
        ended = reeve.wait(job)
        assert (ended["state"], ended["reason"], ended["attempt"]) == ("failed", "expired", 0)
    look(reeve)
    assert reeve.job(later)["state"] == "waiting"
    clock.set(0)
    restart(reeve)
    look(reeve)
    assert [reeve.job(job)["state"] for job in (held, early, later)] == ["failed", "failed", "waiting"]
    assert kinds(reeve, held) == ["submitted", "ended"]


def test_a_retry_that_can_no_longer_start_in_time_expires(reeve, clock):
    reeve.start()
    job = reeve.sh(counter(reeve), expires_at=clock.at(2 * HOUR),
                   retry={"max_attempts": 2, "delay_s": HOUR, "jitter": 0})
    reeve.wait_state(job, "waiting")
    clock.set(3 * HOUR)
    ended = reeve.wait(job)
    assert (ended["state"], ended["reason"], ended["exit_code"]) == ("failed", "expired", 1)
    assert ran(reeve) == ["1"]


# --- what runs minds no wall clock -----------------------------------------------------------------


@pytest.mark.parametrize("offset", [DAY, -DAY], ids=["forwards", "backwards"])
@pytest.mark.parametrize("limit", ["timeout_s", "deadline_s"])
def test_what_runs_is_not_stopped_by_a_jump(reeve, clock, offset, limit):
    reeve.start(slots=2)
    with Gate(reeve) as gate:
        job = reeve.sh(f"read line < {gate.path}", **{limit: HOUR})
        reeve.wait_running(job)
        clock.set(offset)
        look(reeve)
        reeve.kill_worker()
        reeve.start_worker()
        look(reeve)
        assert reeve.job(job)["state"] == "running"
        gate.write("go\n")
        assert reeve.wait(job)["state"] == "succeeded"


# --- what was claimed ahead ----------------------------------------------------------------------


@pytest.mark.parametrize("member, value", LIMITS, ids=[name for name, _ in LIMITS])
def test_what_is_over_while_it_is_at_hand_does_not_start(reeve, clock, member, value):
    """Claimed together with the job before it, which sets the clock: no slot comes free before."""
    reeve.start(slots=1)
    reeve.stop_worker()
    ahead = os.path.join(reeve.base, "ahead")
    with open(ahead, "wb") as file:
        file.write(struct.pack("=q", 2 * HOUR * 1_000_000))
    brisk = [reeve.submit("/bin/true") for _ in range(4)]
    setter = reeve.sh(f"cat {ahead} 1<> {reeve.environ['WALLCLOCK_FILE']}")
    late = [reeve.sh(counter(reeve, "exit 0"), **{member: value(clock, HOUR)}) for _ in range(3)]
    last = reeve.sh(counter(reeve, "exit 0"), **{member: value(clock, 3 * HOUR)})
    reeve.start_worker()
    for job in brisk + [setter, last]:
        assert reeve.wait(job)["state"] == "succeeded"
    for job in late:
        ended = reeve.wait(job)
        assert (ended["state"], ended["reason"]) == ("failed", "expired")
    assert ran(reeve) == [str(reeve.job(last)["attempt"])]
