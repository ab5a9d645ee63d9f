"""The worker alone: jobs are put into the queue by the helper `submit`, results are read
from the database and the output files. No intake, so a red test here is the worker's."""

import hashlib
import os
import struct
import subprocess

import harness

FINAL = harness.FINAL


class Workbench:
    """One state directory, a worker, and what it did."""

    def __init__(self, reeve, **config):
        self.reeve = reeve
        os.makedirs(reeve.state_dir, mode=0o700, exist_ok=True)
        config.setdefault("slots", 4)
        config.setdefault("exec_roots", [{"path": path, "follow_links": True} for path in
                                         ("/usr/bin", "/bin", harness.TESTS, reeve.work)])
        reeve.write_config(**config)

    def start(self):
        self.reeve.start_worker()
        return self

    # -- jobs

    def submit_many(self, *argv, **options):
        words = [f"{name}={value}" for name, value in options.items()]
        done = subprocess.run([self.reeve.program("submit"), self.reeve.state_dir, *words, "--",
                               *map(str, argv)], capture_output=True, text=True, check=False,
                              env=self.reeve.env())
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def submit(self, *argv, **options):
        return self.submit_many(*argv, **options)[0]

    def sh(self, script, **options):
        return self.submit("/bin/sh", "-c", script, **options)

    def helper(self, name, *argv, **options):
        return self.submit(self.reeve.program(name), *argv, **options)

    def cancel(self, job, force=False):
        done = subprocess.run([self.reeve.program("cancel"), self.reeve.state_dir, job,
                               *(["force"] if force else [])], capture_output=True, text=True,
                              check=False, env=self.reeve.env())
        assert done.returncode == 0, done.stderr

    # -- what became of them

    def row(self, job):
        names = ("state", "reason", "exit_code", "signal", "attempt", "job_id")
        found = self.reeve.sql(f"SELECT {', '.join(names)} FROM v_jobs WHERE id = ?", job)
        return dict(zip(names, found[0]))

    def attempt(self, job, number=1):
        names = ("number", "state", "outcome", "pid", "exit_code", "signal", "error",
                 "cpu_user_s", "max_rss_bytes")
        found = self.reeve.sql(f"SELECT {', '.join(names)} FROM v_attempts WHERE id = ? "
                               "AND number = ?", job, number)
        return dict(zip(names, found[0])) if found else None

    def wait(self, job, limit_s=None):
        """The job's row once it is final."""
        harness.wait_until(lambda: self.row(job)["state"] in FINAL,
                           lambda: f"{job} to end: {self.row(job)}\n{self.reeve.logs}", limit_s)
        return self.row(job)

    def wait_all(self, limit_s=None):
        def left():
            return self.reeve.sql("SELECT count(*) FROM jobs WHERE state IN "
                                  "('waiting', 'queued', 'running')")[0][0]
        harness.wait_until(lambda: left() == 0,
                           lambda: f"{left()} jobs to end\n{self.reeve.logs}", limit_s)

    def wait_running(self, job):
        """Until a process of it exists that is not on its way to its program any more."""
        harness.wait_until(lambda: self.reeve.processes_of(job), lambda:
                           f"{job} to run: {self.row(job)}\n{self.reeve.logs}")

    def run(self, *argv, **options):
        job = self.submit(*argv, **options)
        return self.wait(job), job

    def wait_file(self, name):
        """The content of a file in the work directory, once it is there."""
        path = os.path.join(self.reeve.work, name)
        harness.wait_until(lambda: os.path.exists(path), f"the file {name}")
        with open(path, encoding="utf-8") as file:
            return file.read()

    # -- output

    def output(self, job, number=1):
        """(merged, stdout, stderr, row) of what it wrote; the row is None for silence."""
        names = ("stored", "stdout_bytes", "stderr_bytes", "dropped_bytes", "sha256", "path",
                 "content", "frames")
        found = self.reeve.sql(f"SELECT {', '.join(names)} FROM output WHERE job_id = ? AND "
                               "attempt = ?", self.row(job)["job_id"], number)
        if not found:
            return b"", b"", b"", None
        row = dict(zip(names, found[0]))
        content, frames = row["content"], row["frames"]
        if row["stored"] == "file":
            content = self.read(row["path"])
            frames = self.read(os.path.splitext(row["path"])[0] + ".idx")
        assert hashlib.sha256(content).digest() == row["sha256"]
        stdout, stderr = split(content, frames)
        assert len(stdout) == row["stdout_bytes"] and len(stderr) == row["stderr_bytes"]
        return content, stdout, stderr, row

    def read(self, name):
        with open(self.reeve.path(name), "rb") as file:
            return file.read()

    def output_files(self):
        return sorted(os.path.join(folder, name)
                      for folder, _, names in os.walk(self.reeve.path("output"))
                      for name in names)

    def journals(self):
        return sorted(os.listdir(self.reeve.path("attempts")))

    def journal(self, job, number=1):
        """The journal's lines, or [] when there is none."""
        try:
            return self.read(f"attempts/{job}-{number}").decode().splitlines()
        except FileNotFoundError:
            return []


def split(content, frames):
    """The two streams of an output, by its frames."""
    parts = {0: bytearray(), 1: bytearray()}
    marks = [struct.unpack_from("<QQQ", frames, at) for at in range(0, len(frames), 24)]
    for index, (mark, offset, stdout_bytes) in enumerate(marks):
        assert stdout_bytes == len(parts[0]) or offset > len(content)  # read while it grew
        end = marks[index + 1][1] if index + 1 < len(marks) else len(content)
        parts[mark & 1] += content[offset:end]
    return bytes(parts[0]), bytes(parts[1])
