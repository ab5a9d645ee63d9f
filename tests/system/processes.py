"""Processes of a test: waiting for things, looking into /proc, running daemons."""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

# How long anything may take before a test gives up. Long, because the machine may be slow
# and the binaries may be sanitized: a limit says "never", it does not measure.
LIMIT_S = float(os.environ.get("HARNESS_LIMIT_S", "60"))


def wait_until(check, what, limit_s=None, pause_s=0.01):
    """The first true answer of `check`, or an AssertionError that says what never came."""
    end = time.monotonic() + (LIMIT_S if limit_s is None else limit_s)
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited too long for {what() if callable(what) else what}")
        threading.Event().wait(pause_s)


def logfmt(line):
    """A logfmt line as a dict: ts=… ev=ready note="two words"."""
    fields = {}
    for name, quoted, bare in re.findall(r'([\w.]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))', line):
        fields[name] = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare
    return fields


# --- processes, by /proc --------------------------------------------------------------------


def proc_read(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def proc_environ(pid):
    pairs = (item.partition(b"=") for item in proc_read(pid, "environ").split(b"\0") if item)
    return {name.decode(errors="replace"): value.decode(errors="replace")
            for name, _, value in pairs}


def proc_stat(pid):
    """(state letter, parent's pid, start time), or None when there is no such process."""
    data = proc_read(pid, "stat")
    if not data:
        return None
    fields = data[data.rindex(b")") + 2:].split()
    return fields[0].decode(), int(fields[1]), int(fields[19])


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def is_alive(pid):
    """Is it there, and not merely waiting to be reaped?"""
    stat = proc_stat(pid)
    return stat is not None and stat[0] not in "ZX"


def exe_name(pid):
    try:
        return os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    except OSError:
        return ""


def children_of(pid):
    return [other for other in pids() if (proc_stat(other) or ("", 0, 0))[1] == pid]


def kill_pid(pid, number=signal.SIGKILL):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_gone(pid, limit_s=None):
    wait_until(lambda: not is_alive(pid), f"the end of process {pid}", limit_s)


# --- a daemon -------------------------------------------------------------------------------


class Daemon:
    """One running program, and what it has said: its output goes into a file, so that all of it
    is there once the process is gone, whoever else (a shim) still has the file open."""

    def __init__(self, name, argv, environ, cwd, log_path):
        self.name = name
        self.log_path = log_path
        # When the tests themselves are killed, the daemon goes with them.
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *argv]
        with open(log_path, "ab") as log:
            self.process = subprocess.Popen(argv, env=environ, cwd=cwd, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=subprocess.STDOUT,
                                            start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        return self.process.poll() is None

    @property
    def log(self):
        with contextlib.suppress(FileNotFoundError), open(
                self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()
        return ""

    @property
    def lines(self):
        return self.log.splitlines()

    def wait_line(self, pattern, limit_s=None):
        """The first line that matches, said already or to come."""
        wanted = re.compile(pattern)

        def look():
            ended = not self.is_running  # before reading: then nothing more is to come
            for line in self.lines:
                if wanted.search(line):
                    return line
            assert not ended, (f"{self.name} ended ({self.process.returncode}) without saying "
                               f"{pattern!r}; it said:\n{self.log}")
            return None
        return wait_until(look, lambda: f"{self.name} to say {pattern!r}; it said:\n{self.log}",
                          limit_s, pause_s=0.005)

    def wait_end(self, limit_s=None):
        """Its exit code (negative: the signal that ended it)."""
        try:
            return self.process.wait(LIMIT_S if limit_s is None else limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end; it said:\n{self.log}") from None
