"""docs/callbacks.md, done as it stands: its receiver, its commands, its message.

Only the port is another one."""

import json
import os
import re
import socket
import subprocess
import sys

import harness
from harness import wait_until
from test_readme import BLOCK, checkout, pattern

LEAST_COMMANDS = 4


def page():
    with open(os.path.join(harness.ROOT, "docs/callbacks.md"), encoding="utf-8") as file:
        return file.read()


def fenced(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.S | re.M)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def receiver(reeve, text, port):
    """The program of the page, ready to take messages; the file that it prints into."""
    program, log = os.path.join(reeve.work, "receiver.py"), os.path.join(reeve.work, "receiver.log")
    with open(program, "w", encoding="utf-8") as file:
        file.write(fenced(text, "python")[0])
    secret = reeve.path("callback-secret")
    wait_until(lambda: os.path.exists(secret), "the secret to be made")
    with open(log, "wb") as out:
        reeve.spawn([sys.executable, program, secret, port], stdout=out)

    def is_there():
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", port)) == 0

    wait_until(is_there, "the receiver to listen")
    return log


def printed(log):
    with open(log, encoding="utf-8") as file:
        return file.read().splitlines()


def test_all_of_it(reeve):
    port = free_port()
    text = page().replace("8000", str(port))
    reeve.start(**json.loads(fenced(text, "json")[0]))
    log = receiver(reeve, text, port)
    folder, environ = checkout(reeve), reeve.env(REEVE_SERVER="unix:" + reeve.socket_path)
    environ["PATH"] = reeve.bin + ":" + environ["PATH"]
    blocks = BLOCK.findall(text)
    assert len(blocks) == LEAST_COMMANDS, "docs/callbacks.md lost its commands"
    for number, (commands, expected) in enumerate(blocks):
        done = subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=environ, capture_output=True,
                              text=True, timeout=harness.LIMIT_S)
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        assert pattern(expected).match(done.stdout.rstrip("\n") + "\n"), f"{commands}\nsaid\n{done.stdout}"
        kinds = ["callback_delivered"] * (1 + (number == 3))
        job = reeve.sql("SELECT id FROM v_jobs")[0][0]
        wait_until(lambda: [event["kind"] for event in reeve.events(job)].count("callback_delivered") == len(kinds),
                   lambda: f"a delivery: {reeve.sql('SELECT * FROM v_callbacks')}\n{reeve.logs}")
    # It came twice, and was acted on once.
    assert printed(log) == [f"job.failed {job} 3"]
    # A message that nobody signed is not acted on.
    answer = subprocess.run(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-d", "{}",
                             f"http://127.0.0.1:{port}/done"], capture_output=True, text=True, timeout=harness.LIMIT_S)
    assert answer.stdout == "403"
    message = json.loads(reeve.sql("SELECT body FROM v_callbacks")[0][0])
    shown = json.loads(fenced(text, "json")[1])
    assert list(message) == list(shown) and list(message["data"]) == list(shown["data"])
    assert list(message["data"]["output"]) == list(shown["data"]["output"])


def test_the_waits_are_those_of_the_program():
    with open(os.path.join(harness.ROOT, "queue/callbacks.c"), encoding="utf-8") as file:
        source = file.read()
    table = re.search(r"CALLBACK_DELAYS_US\[CALLBACK_TRIES\] = \{(.*?)\}", source, re.S).group(1)
    units = {"S": "s", "MINUTE": "min", "HOUR": "h"}
    waits = [re.sub(r"(\d+) \* (\w+)", lambda found: f"{found[1]} {units[found[2]]}", wait.strip())
             for wait in table.split(",") if wait.strip()]
    assert [("at once" if wait == "0" else wait) for wait in waits] == re.findall(r"^\| \d+ \| (.*) \|$", page(), re.M)


def test_every_word_of_on_is_documented():
    with open(os.path.join(harness.ROOT, "queue/queue.h"), encoding="utf-8") as file:
        final = re.findall(r'X\(JOB_\w+,\s+"(\w+)",\s+true\)', file.read())
    assert len(final) == 5
    for word in (*final, "final", "started"):
        assert f"`{word}`" in page(), word
