"""What people use today, measured in the same run.

Each is driven so that it looks its best: jobs are queued before the clock starts where the
peer can do that, it has as many slots as Reeve, its own defaults elsewhere, and its files lie
on the same disk. A peer that is not installed is said to be missing; it has no figure.
`scripts/install-deps --for bench` installs them all.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time

import outputs
from scene import LIMIT_S, NOOP, NotInstalled, harness


def found(program, package):
    """The path of a peer's program."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise NotInstalled(f"{package} is not installed")
    return path


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def answers(address):
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as sock:
        return sock.connect_ex(address) == 0


@contextlib.contextmanager
def server(bench, argv, address):
    """A peer's daemon, once somebody listens there; ended afterwards."""
    with open(bench.path("peer.log"), "wb") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   cwd=bench.folder)
    try:
        harness.wait_until(lambda: answers(address) or process.poll() is not None, argv[0], 30)
        assert process.poll() is None, open(bench.path("peer.log"), encoding="utf-8").read()
        yield process
    finally:
        process.terminate()
        process.wait(30)


class Gate:
    """A job that ends when it is told to: what is queued behind it starts all at once."""

    def __init__(self, bench, name):
        self.path = bench.path(name)
        os.mkfifo(self.path)
        self.argv = ["/bin/sh", "-c", 'read go < "$1"', "gate", self.path]

    def open(self):
        with open(self.path, "w", encoding="ascii") as file:
            file.write("go\n")


# --- running no-op jobs ---------------------------------------------------------------------


def task_spooler(bench):
    """`tsp true`, output kept in files as it does by itself, queued behind a job that waits;
    from that one's end to the last job's. A client of it waits for each job, hence few jobs."""
    tsp = found("tsp", "task-spooler")
    count = bench.scale.peer_jobs
    env = {**os.environ, "TMPDIR": bench.folder, "TS_SOCKET": bench.path("tsp.sock"),
           "TS_MAXFINISHED": str(count + 10), "TS_MAXCONN": str(count + 20), "TS_SLOTS": "1"}

    def run(*args):
        return subprocess.run([tsp, *args], env=env, check=True, stdout=subprocess.PIPE, text=True,
                              timeout=LIMIT_S).stdout
    gate = Gate(bench, "gate")
    try:
        run(*gate.argv)
        for _ in range(count):
            last = run(NOOP).strip()
        begin = time.monotonic()
        run("-S", str(bench.slots))
        gate.open()
        run("-w", last)
        harness.wait_until(lambda: run("-l").count(" finished ") == count + 1, "tsp's jobs", 60)
        return count / (time.monotonic() - begin)
    finally:
        subprocess.run([tsp, "-K"], env=env, check=False)


def gnu_parallel(bench):
    """`parallel --joblog`, which records start, duration and exit code of each job; arguments
    on its standard input, its own start included (a fifth of a second)."""
    parallel = found("parallel", "GNU parallel")
    count = bench.scale.peer_jobs
    env = {**os.environ, "PARALLEL_HOME": bench.folder, "TMPDIR": bench.folder}
    open(bench.path("will-cite"), "w", encoding="ascii").close()
    begin = time.monotonic()
    subprocess.run([parallel, "-j", str(bench.slots), "-n0", "--joblog", bench.path("joblog"), NOOP],
                   input="".join(f"{i}\n" for i in range(count)), text=True, env=env, check=True,
                   timeout=LIMIT_S)
    seconds = time.monotonic() - begin
    with open(bench.path("joblog"), encoding="ascii") as file:
        assert len(file.readlines()) == count + 1
    return count / seconds


def nq(bench):
    """It runs one job of a directory at a time, so as many directories as slots; each behind a
    job that waits, from that one's end to the last job's."""
    program = found("nq", "nq")
    count = bench.scale.peer_jobs // bench.slots * bench.slots or bench.slots
    lanes = [bench.path(f"nq{i}") for i in range(bench.slots)]
    gates = [Gate(bench, f"gate{i}") for i in range(bench.slots)]

    def run(lane, *args):
        return subprocess.run([program, *args], env={**os.environ, "NQDIR": lane}, check=True,
                              stdout=subprocess.PIPE, text=True, timeout=LIMIT_S).stdout.strip()
    for lane, gate in zip(lanes, gates):
        run(lane, *gate.argv)
    last = {}
    for i in range(count):
        lane = lanes[i % len(lanes)]
        last[lane] = run(lane, NOOP)
    begin = time.monotonic()
    for gate in gates:
        gate.open()
    for lane in lanes:
        run(lane, "-w", last[lane])
    return count / (time.monotonic() - begin)


# --- over a network -------------------------------------------------------------------------


def beanstalkd(bench):
    """`put` of as many bytes as a submission has, each synced to its log (-f 0), by 64 connections
    over TCP, which is what it speaks."""
    program = found("beanstalkd", "beanstalkd")
    os.mkdir(bench.path("log"))
    port = free_port()
    user = ["-u", "root"] if os.geteuid() == 0 else []
    with server(bench, [program, "-f", "0", "-b", bench.path("log"), "-l", "127.0.0.1",
                        "-p", str(port), *user], ("127.0.0.1", port)):
        body = json.dumps({"command": NOOP})
        return bench.load(f"127.0.0.1:{port}", 64, bench.amount, "-k", "beanstalk", "-b", body)["per_second"]


def webhook(bench):
    """A hook that runs `true` and answers when it has ended, asked by eight connections."""
    program = found("webhook", "webhook")
    port = free_port()
    with open(bench.path("hooks.json"), "w", encoding="ascii") as file:
        json.dump([{"id": "noop", "execute-command": NOOP,
                    "include-command-output-in-response": True}], file)
    with server(bench, [program, "-hooks", bench.path("hooks.json"), "-ip", "127.0.0.1",
                        "-port", str(port)], ("127.0.0.1", port)):
        return bench.load(f"127.0.0.1:{port}", 8, bench.amount, "-p", "/hooks/noop", "-e", "200",
                          "-b", "{}")["per_second"]


NGINX = """
daemon off;
worker_processes {slots};
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    default_type application/octet-stream;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen unix:{folder}/nginx.sock; root {folder}; }}
}}
"""


def nginx(bench):
    """The same bytes as a file, with sendfile, to one client on a Unix socket."""
    program = found("nginx", "nginx")
    with open(bench.path("nginx.conf"), "w", encoding="ascii") as file:
        file.write(NGINX.format(folder=bench.folder, slots=bench.slots,
                                user="user root;" if os.geteuid() == 0 else ""))
    with open(bench.path("out"), "wb") as out:
        subprocess.run([bench.program("pour"), str(bench.scale.output_mib)], stdout=out, check=True)
    target = "unix:" + bench.path("nginx.sock")
    argv = [program, "-e", bench.path("error.log"), "-p", bench.folder, "-c", bench.path("nginx.conf")]
    with server(bench, argv, bench.path("nginx.sock")):
        return outputs.read_rate(bench, target, "/out")
