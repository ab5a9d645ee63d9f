"""What a measure works with: how much to do, a folder, a service, the C programs beside it."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/system"))
sys.dont_write_bytecode = True

import harness  # noqa: E402  (the other modules take it from here)

PROGRAMS = os.path.join(os.path.dirname(harness.BIN), "bench")
NOOP = "/usr/bin/true"
BODY = json.dumps({"command": NOOP})
LIMIT_S = 1800  # nothing takes longer; a hang ends


def end_cleanly_when_told():
    """SIGTERM leaves nothing behind either: every `finally` is run."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


class NotInstalled(Exception):
    """A peer that this machine does not have; its text is the sentence for the reader."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is done of each."""
    seconds: float  # of a rate over HTTP or of storage
    jobs: int  # no-op jobs run to their end
    peer_jobs: int  # the same by peers, some of which keep a process for each job that waits
    starts: int  # of which the latency is taken
    batch: int  # jobs of a batch
    read: int  # finished jobs whose status and pages are read
    running: int  # jobs that only sleep
    idle_s: float  # how long idle daemons are watched
    output_mib: int  # what one job writes
    follow_mib: int  # what each follower gets
    growth_s: float  # of each size of a series that is a rate
    waiting: tuple  # growth: sizes of each series
    connections: tuple
    followers: tuple


SCALES = {
    "full": Scale(seconds=4, jobs=20000, peer_jobs=500, starts=300, batch=1000, read=5000, running=1000,
                  idle_s=60, output_mib=2048, follow_mib=1, growth_s=1.5,
                  waiting=(1, 10, 100, 1000, 10000), connections=(1, 2, 4, 8, 16, 32, 64, 128, 256),
                  followers=(1, 10, 100, 1000)),
    "quick": Scale(seconds=1, jobs=2000, peer_jobs=100, starts=50, batch=1000, read=1000, running=200,
                   idle_s=5, output_mib=512, follow_mib=1, growth_s=1,
                   waiting=(1, 10, 100, 1000), connections=(1, 4, 16, 64), followers=(1, 10, 100)),
    "tiny": Scale(seconds=0.03, jobs=20, peer_jobs=4, starts=3, batch=5, read=10, running=4,
                  idle_s=0.1, output_mib=2, follow_mib=1, growth_s=0.03, waiting=(1, 10),
                  connections=(1, 4), followers=(1, 4)),
}


class Service(harness.Reeve):
    """A Reeve of one measure, in a new state directory or on one with a long history."""

    def __init__(self, bench):
        super().__init__(parent=bench.parent)
        self.has_history = bench.history is not None
        if self.has_history:
            self.state_dir = self.config["state_dir"] = bench.history
        self.write_config(
            slots=bench.slots, timeout_s=0,
            exec_roots=[{"path": path, "follow_links": True}
                        for path in ("/usr/bin", "/bin", PROGRAMS)],
            limits={"connections": 4000, "output_bytes_max": 1 << 36})

    def _job_ids(self):
        # Of all that ever were it would be millions: only what runs can have left processes.
        rows = self.sql("SELECT lower(hex(uuid)) FROM jobs WHERE state = 'running'")
        return {"-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:])) for (h,) in rows}

    def last_row(self):
        """Inside number of the newest job: what comes later is ours."""
        return self.sql("SELECT max(id) FROM jobs")[0][0] or 0 if os.path.exists(self.db) else 0

    def wait_all_ended(self):
        # Looking costs as well: by an index, and seldom.
        harness.wait_until(lambda: not self.sql(
            "SELECT 1 FROM jobs WHERE state IN ('queued', 'running') LIMIT 1"),
            "the jobs to end", LIMIT_S, pause_s=0.05)

    def cancel_all(self):
        """Ends what waits or runs, so that closing has little to look for."""
        for state in ("queued", "waiting", "running"):
            answer = self.request("POST", "/v1/jobs/cancel", {"filter": {"state": state}, "force": True},
                                  timeout=LIMIT_S)
            assert answer.status == 200, answer
        if self.worker and self.worker.is_running:
            self.wait_all_ended()

    def settle(self):
        """A long history is used again: nothing waits in it, and its log is short."""
        if not (self.httpapi and self.httpapi.is_running):
            self.start_httpapi()
        self.cancel_all()
        if not (self.worker and self.worker.is_running):
            self.start_worker()
        wal = self.path("reeve.db-wal")
        harness.wait_until(lambda: not os.path.exists(wal) or os.path.getsize(wal) < 4 << 20,
                           "the write-ahead log to be moved into the file", LIMIT_S, pause_s=0.1)


class Bench:
    """What each measure is given."""

    def __init__(self, scale, slots, parent):
        self.scale = scale
        self.slots = slots
        self.parent = parent  # the disk that counts
        self.history = None  # state directory with many finished jobs, while one is asked for
        self.folder = None  # of the measure that runs
        self.is_unsettled = False  # a measure on the long history broke off
        self._answers = {}

    @property
    def amount(self):
        return f"{self.scale.seconds}s"

    @contextlib.contextmanager
    def own_folder(self):
        self.folder = tempfile.mkdtemp(prefix="rvb-", dir=self.parent)
        try:
            yield self.folder
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    # -- programs of bench/

    @staticmethod
    def program(name):
        return os.path.join(PROGRAMS, name)

    def ask(self, name, *args, **how):
        """What a program prints."""
        done = subprocess.run([self.program(name), *map(str, args)], capture_output=True, text=True,
                              timeout=LIMIT_S, check=False, **how)
        if done.returncode != 0:
            raise AssertionError(f"{name} ended with {done.returncode}: {done.stderr[:2000]}")
        return done.stdout

    def load(self, target, connections, amount, *options):
        return json.loads(self.ask("load", *options, target, connections, amount))

    # -- servers

    @contextlib.contextmanager
    def service(self, **config):
        """A Reeve whose daemons the measure starts. Closed afterwards."""
        reeve = Service(self)
        reeve.write_config(**config)
        failed = True
        try:
            if reeve.has_history:
                if self.is_unsettled:
                    reeve.settle()
                    reeve.stop()
                self.is_unsettled = True
            yield reeve
            if reeve.has_history:
                reeve.settle()
                self.is_unsettled = False
            failed = False
        finally:
            wrong = reeve.close()
            if failed:
                shutil.rmtree(reeve.base, ignore_errors=True)
        if wrong:
            raise AssertionError("\n".join(wrong))

    @contextlib.contextmanager
    def constant_server(self, status, answer):
        """libmicrohttpd giving one of `answers` again and again; the target to ask."""
        path = self.path("http.sock")
        body = self.path("answer")
        with open(body, "wb") as file:
            file.write(self.answers()[answer])
        server = subprocess.Popen([self.program("limit_http"), path, str(self.slots), str(status), body],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            server.stdout.readline()
            yield "unix:" + path
        finally:
            server.communicate()

    def answers(self):
        """Real answers of the service, so that constant ones are as long."""
        if not self._answers:
            history, self.history = self.history, None
            with self.service() as reeve:
                reeve.start_httpapi()
                made = reeve.request("POST", "/v1/jobs", {"command": NOOP})
                read = reeve.request("GET", "/v1/jobs/last")
                assert (made.status, read.status) == (201, 200), (made, read)
                self._answers = {"submitted": made.body, "job": read.body}
            self.history = history
        return self._answers
