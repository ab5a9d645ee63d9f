"""A whole Reeve for one test: its own state directory, daemons, clients and clean-up.

Everything is real: the daemons are the built binaries, the database is a file, requests
travel over a Unix socket or TCP. Nothing waits by sleeping for a while: `wait_until` and
the `?wait` of the service wait for the thing itself, with a limit.

Two runs may share a machine: every instance has its own directory below /tmp, listens on
port 0, and marks its processes in their environment (MARK), so that clean-up finds its own
and nobody else's.
"""

import base64
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.parse

from over_http import Answer, Client, UnixConnection  # noqa: F401  (tests find them here)
from processes import (LIMIT_S, Daemon, children_of, exe_name, is_alive, kill_pid,  # noqa: F401
                       logfmt, pids, proc_environ, proc_read, proc_stat, wait_gone, wait_until)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("REEVE_BIN", os.path.join(ROOT, "build/release/bin")))
TESTS = os.path.abspath(os.environ.get("REEVE_TESTS", os.path.join(ROOT, "build/release/tests")))
MARK = "HARNESS_OF"

FINAL = ("succeeded", "failed", "cancelled", "skipped", "lost")
SANITIZER = re.compile(
    r"ERROR: (Address|Leak|Thread|Memory)Sanitizer|WARNING: ThreadSanitizer|: runtime error: ")


class Reeve(Client):
    """One service. Change `config` before the start; `start()` starts both daemons."""

    def __init__(self, bin_dir=BIN, parent="/tmp"):
        self.bin = bin_dir
        self.tests = TESTS
        self.base = tempfile.mkdtemp(prefix="rv-", dir=parent)
        self.mark = os.path.basename(self.base)
        self.state_dir = os.path.join(self.base, "s")
        self.config_path = os.path.join(self.base, "reeve.json")
        self.port_file = os.path.join(self.base, "ports")
        self.reports = os.path.join(self.base, "san")
        self.work = os.path.join(self.base, "w")
        os.mkdir(self.reports)
        os.mkdir(self.work)
        self.config = {"state_dir": self.state_dir,
                       "listeners": [{"address": "unix:run/reeve.sock", "mode": "0660"},
                                     {"address": "127.0.0.1:0"}]}
        self.environ = {}  # added to the daemons' environment
        self.worker = None
        self.httpapi = None
        self.daemons = []  # every one that was ever started
        self._others = []  # processes that `spawn` started
        self._tcp = None

    # -- files

    def path(self, name):
        return os.path.join(self.state_dir, name)

    @property
    def db(self):
        return self.path("reeve.db")

    @property
    def socket_path(self):
        return self.path("run/reeve.sock")

    @property
    def token(self):
        with open(self.path("token"), encoding="ascii") as file:
            return file.read().strip()

    @property
    def address(self):
        """(host, port) of the first TCP listener."""
        if self._tcp is None:
            with open(self.port_file, encoding="ascii") as file:
                host, _, port = file.readline().strip().rpartition(":")
            self._tcp = (host.strip("[]"), int(port))
        return self._tcp

    @property
    def url(self):
        return "http://{}:{}".format(*self.address)

    def program(self, name):
        """The path of a built program, or of a test helper."""
        for folder in (self.bin, self.tests):
            if os.access(os.path.join(folder, name), os.X_OK):
                return os.path.join(folder, name)
        raise AssertionError(f"no program {name} in {self.bin} or {self.tests}")

    def write_config(self, **changes):
        """Merges `changes` (nested dicts too) into the configuration and writes the file. Whoever
        reads it meanwhile finds the old one or the new one, never half of it."""
        merge(self.config, changes)
        fresh = self.config_path + ".new"
        with open(fresh, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=2)
        os.replace(fresh, self.config_path)
        return self.config_path

    def env(self, **more):
        """A daemon's environment: ours without foreign REEVE_ settings, marked, reporting."""
        environ = {name: value for name, value in os.environ.items()
                   if not name.startswith("REEVE_")}
        report = os.path.join(self.reports, "report")
        environ["ASAN_OPTIONS"] = f"log_path={report}:detect_leaks=1:abort_on_error=0:exitcode=86"
        environ["UBSAN_OPTIONS"] = f"log_path={report}:print_stacktrace=1"
        environ["TSAN_OPTIONS"] = f"log_path={report}:exitcode=86"
        environ[MARK] = self.mark
        environ.update(self.environ)
        environ.update(more)
        return environ

    # -- daemons

    def launch(self, program, *args, **environ):
        """Starts a daemon without waiting for it: for tests of starts that must fail."""
        self.write_config()
        name = f"{program}.{len(self.daemons)}"
        daemon = Daemon(name, [self.program(program), "--config", self.config_path, *args],
                        self.env(**environ), self.base, os.path.join(self.base, name + ".log"))
        self.daemons.append(daemon)
        return daemon

    def start_worker(self, **environ):
        assert not (self.worker and self.worker.is_running), "the worker runs already"
        self.worker = self.launch("reeve-worker", **environ)
        self.worker.wait_line(r"\bev=ready\b")
        return self.worker

    def start_httpapi(self, **environ):
        assert not (self.httpapi and self.httpapi.is_running), "the intake runs already"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.port_file)
        self._tcp = None
        self.httpapi = self.launch("reeve-httpapi", "--port-file", self.port_file, **environ)
        self.httpapi.wait_line(r"\bev=ready\b")
        return self.httpapi

    def start(self, **config):
        """Both daemons, with these changes to the configuration."""
        self.write_config(**config)
        self.start_httpapi()
        self.start_worker()
        return self

    def _stop(self, daemon):
        if daemon and daemon.is_running:
            daemon.process.send_signal(signal.SIGTERM)
            code = daemon.wait_end()
            assert code == 0, f"{daemon.name} ended with {code} on SIGTERM; it said:\n{daemon.log}"

    def _kill(self, daemon):
        if daemon and daemon.is_running:
            daemon.process.kill()
            daemon.wait_end()

    def stop_worker(self):
        self._stop(self.worker)

    def stop_httpapi(self):
        self._stop(self.httpapi)

    def stop(self):
        self.stop_httpapi()
        self.stop_worker()

    def kill_worker(self):
        self._kill(self.worker)

    def kill_httpapi(self):
        self._kill(self.httpapi)

    @property
    def logs(self):
        return "\n".join(f"--- {daemon.name}\n{daemon.log}" for daemon in self.daemons)

    # -- jobs

    def submit(self, command, *args, via="unix", headers=None, query="", **fields):
        """Submits one job, asserts 201, returns it as the server describes it."""
        body = {"command": command, **fields}
        if args:
            body["args"] = [str(arg) for arg in args]
        if isinstance(body.get("stdin"), (bytes, bytearray)):
            body["stdin"] = {"content": base64.b64encode(body["stdin"]).decode(),
                             "encoding": "base64"}
        answer = self.request("POST", "/v1/jobs" + query, body, headers=headers, via=via)
        assert answer.status == 201, answer
        return answer.json()

    def sh(self, script, **fields):
        """Submits `sh -c script`."""
        return self.submit("/bin/sh", "-c", script, **fields)

    def job(self, job, via="unix"):
        answer = self.request("GET", "/v1/jobs/" + job_id(job), via=via)
        assert answer.status == 200, answer
        return answer.json()

    def wait(self, job, timeout=None, via="unix"):
        """The job once it is final, by ?wait; an AssertionError when it never is."""
        end = time.monotonic() + (LIMIT_S if timeout is None else timeout)
        while True:
            left = max(1, min(30, int(end - time.monotonic()) + 1))
            answer = self.request("GET", f"/v1/jobs/{job_id(job)}?wait={left}", via=via,
                                  timeout=left + LIMIT_S)
            assert answer.status == 200, answer
            found = answer.json()
            if found["state"] in FINAL:
                return found
            assert time.monotonic() < end, f"job never ended: {found}\n{self.logs}"

    def wait_state(self, job, *states, timeout=None):
        """The job once its state is one of these."""
        def look():
            found = self.job(job)
            return found if found["state"] in states else None
        return wait_until(look, lambda: f"job {job_id(job)} to be {states}; it is "
                          f"{self.job(job)}\n{self.logs}", timeout)

    def wait_running(self, job, timeout=None):
        """The job once a process of it really exists."""
        self.wait_state(job, "running", *FINAL, timeout=timeout)
        wait_until(lambda: self.processes_of(job) or self.job(job)["state"] in FINAL,
                   f"a process of job {job_id(job)}", timeout)
        return self.job(job)

    def run(self, command, *args, timeout=None, **fields):
        return self.wait(self.submit(command, *args, **fields), timeout)

    def output(self, job, query="", via="unix"):
        """The bytes that the job wrote."""
        answer = self.request("GET", f"/v1/jobs/{job_id(job)}/output{query}", via=via)
        assert answer.status == 200, answer
        return answer.body

    def wait_output(self, job, wanted, timeout=None):
        """Waits until the output of a (running) job contains these bytes."""
        wanted = wanted.encode() if isinstance(wanted, str) else wanted
        wait_until(lambda: wanted in self.request("GET", f"/v1/jobs/{job_id(job)}/output").body,
                   f"{wanted!r} in the output of {job_id(job)}", timeout)

    def cancel(self, job, via="unix", **body):
        return self.request("POST", f"/v1/jobs/{job_id(job)}/cancel", body, via=via)

    def events(self, job):
        answer = self.request("GET", f"/v1/jobs/{job_id(job)}/events")
        assert answer.status == 200, answer
        found = answer.json()
        return found["items"] if isinstance(found, dict) else found

    # -- the database

    def sql(self, query, *args):
        """Rows (as tuples) of a query on the live file, which it cannot change."""
        return self._sql(f"file:{urllib.parse.quote(self.db)}?mode=ro", query, args)

    def sql_write(self, query, *args):
        """The same by somebody with write access and a shell."""
        return self._sql(f"file:{urllib.parse.quote(self.db)}?mode=rw", query, args)

    @staticmethod
    def _sql(uri, query, args):
        with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=LIMIT_S,
                                                isolation_level=None)) as db:
            return db.execute(query, args).fetchall()

    # -- the command line and other programs

    def cli(self, *args, input=None, env=None, timeout=LIMIT_S, tty=False, **how):
        """Runs `reeve …` against this instance: .returncode, .stdout, .stderr as text."""
        environ = self.env(REEVE_SERVER="unix:" + self.socket_path, NO_COLOR="1", **(env or {}))
        return subprocess.run([self.program("reeve"), *map(str, args)], input=input, env=environ,
                              cwd=self.work, capture_output=True, text=how.pop("text", True),
                              timeout=timeout, **how)

    def spawn(self, argv, env=None, **how):
        """A Popen that clean-up will end; `argv[0]` may be the bare name of a program of ours."""
        if "/" not in argv[0]:
            with contextlib.suppress(AssertionError):
                argv = [self.program(argv[0]), *argv[1:]]
        process = subprocess.Popen([str(arg) for arg in argv], env=self.env(**(env or {})),
                                   cwd=how.pop("cwd", self.work), **how)
        self._others.append(process)
        return process

    # -- processes

    def processes_of(self, job):
        """Living processes whose environment says that they belong to this job."""
        wanted = f"REEVE_JOB_ID={job_id(job)}".encode()
        return [pid for pid in pids()
                if wanted in proc_read(pid, "environ").split(b"\0") and is_alive(pid)
                and exe_name(pid) != "reeve-shim"]

    def wait_no_processes(self, job, timeout=None):
        wait_until(lambda: not self.processes_of(job),
                   lambda: f"the end of processes {self.processes_of(job)}", timeout)

    def shims(self):
        """Living shims of this instance (they outlive its workers)."""
        return [pid for pid in pids()
                if exe_name(pid) == "reeve-shim" and is_alive(pid) and self._is_ours(pid)]

    def shim_of(self, job):
        """The shim above a running job's processes."""
        for pid in self.processes_of(job):
            seen = pid
            while seen > 1:
                if exe_name(seen) == "reeve-shim":
                    return seen
                seen = (proc_stat(seen) or ("", 0, 0))[1]
        raise AssertionError(f"no shim above job {job_id(job)}")

    def _is_ours(self, pid):
        if proc_environ(pid).get(MARK) == self.mark:
            return True
        names = [f"/proc/{pid}/cwd", *glob.glob(f"/proc/{pid}/fd/*")]
        for name in names:
            with contextlib.suppress(OSError):
                if os.readlink(name).startswith(self.base + "/"):
                    return True
        return False

    def processes(self):
        """Everything alive that belongs to this instance: daemons, shims, jobs, their children."""
        jobs = self._job_ids()
        table = {pid: proc_stat(pid) for pid in pids()}
        ours = {pid for pid in table if pid != os.getpid()
                and (proc_environ(pid).get("REEVE_JOB_ID") in jobs or self._is_ours(pid))}
        while True:
            more = {pid for pid, stat in table.items() if stat and stat[1] in ours} - ours
            if not more:
                return sorted(pid for pid in ours if is_alive(pid))
            ours |= more

    def _job_ids(self):
        try:
            rows = self.sql("SELECT lower(hex(uuid)) FROM jobs")
        except sqlite3.Error:
            return set()
        return {"-".join((h[:8], h[8:12], h[12:16], h[16:20], h[20:])) for (h,) in rows}

    # -- the end

    def close(self, passed=True):
        """Stops and kills what is left, and says what was wrong: a list of sentences."""
        wrong = []
        for process in self._others:
            if process.poll() is None:
                process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    with contextlib.suppress(OSError):
                        pipe.close()
        for daemon in (self.httpapi, self.worker):
            try:
                self._stop(daemon)
            except AssertionError as error:
                wrong.append(str(error))
        for daemon in self.daemons:
            if daemon.is_running:
                wrong.append(f"{daemon.name} was left running")
                self._kill(daemon)
        wrong += self._end_jobs()
        wrong += self._sanitizer_reports()
        if passed and not wrong:
            shutil.rmtree(self.base, ignore_errors=True)
        return wrong

    def _end_jobs(self):
        """Kills the jobs; the shims must then leave by themselves."""
        def rest():
            left = self.processes()
            for pid in left:
                if exe_name(pid) != "reeve-shim":
                    kill_pid(pid)
            return not left
        try:
            wait_until(rest, "the shims to leave", 20)
        except AssertionError:
            left = self.processes()
            names = [f"{pid} {proc_read(pid, 'cmdline').split(bytes(1))[0].decode()}" for pid in left]
            for pid in left:
                kill_pid(pid)
            return [f"still there after the end of the test: {', '.join(names)}"] if left else []
        return []

    def _sanitizer_reports(self):
        found = []
        for name in sorted(glob.glob(os.path.join(self.reports, "*"))):
            with open(name, encoding="utf-8", errors="replace") as file:
                found.append(f"sanitizer report:\n{file.read()[:8000]}")
        for daemon in self.daemons:
            if SANITIZER.search(daemon.log):
                found.append(f"sanitizer report of {daemon.name}:\n{daemon.log[-8000:]}")
        return found


def merge(into, changes):
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            merge(into[name], value)
        else:
            into[name] = value


def job_id(job):
    return job["id"] if isinstance(job, dict) else job
