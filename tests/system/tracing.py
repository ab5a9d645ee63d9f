"""strace on a daemon: how many system calls of which kind it makes while something happens."""

import contextlib
import os
import re
import shutil
import signal
import subprocess

import harness


class Tracer:
    """strace or perf on one process with its threads and later children; its report afterwards."""

    def __init__(self, argv, pid, report, is_ready):
        self.report = report
        self.process = subprocess.Popen([*argv, "-p", str(pid)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        harness.wait_until(lambda: is_ready(self.process.pid) or self.process.poll() is not None,
                           argv[0], 30)
        assert self.process.poll() is None, f"{argv[0]}: {self.process.stderr.read()}"

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=60)

    def said(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.report, encoding="utf-8", errors="replace") as file:
                return file.read()
        return ""

    def calls(self):
        """{name: calls} of a table of strace -c."""
        found = {}
        for line in self.said().splitlines():
            match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", line)
            if match and match.group(2) != "total":
                found[match.group(2)] = int(match.group(1))
        return found


def is_traced(pid):
    """Every thread of it, so that no call is missed."""
    for task in os.listdir(f"/proc/{pid}/task"):
        if b"TracerPid:\t0\n" in harness.proc_read(pid, f"task/{task}/status"):
            return False
    return True


def strace(folder, pid):
    report = os.path.join(folder, f"strace.{pid}")
    return Tracer(["strace", "-c", "-f", "-o", report], pid, report, lambda _: is_traced(pid))


def why_not():
    """Why nothing can be traced here, or None. Installed is not enough: containers may forbid it."""
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-c", "-o", "/dev/null", "true"], capture_output=True, text=True,
                          timeout=harness.LIMIT_S, check=False)
    return None if done.returncode == 0 else "strace may not trace here: " + done.stderr.strip()[:200]
