"""The command line against a running service: each command, and each exit code."""

import json
import os
import re
import signal
import uuid

import harness

JOB_COLUMNS = ["id", "state", "reason", "exit_code", "signal", "submitted", "started", "finished",
               "owner", "priority", "attempt", "labels", "name", "command"]


def rows(text, names=JOB_COLUMNS):
    """Tab-separated lines as dicts."""
    return [dict(zip(names, line.split("\t"), strict=True)) for line in text.splitlines()]


def record(text):
    """The long form of one item as a dict."""
    return dict(line.split("\t", 1) for line in text.splitlines())


# --- run ------------------------------------------------------------------------------------


def test_run_prints_the_id_and_nothing_else(reeve):
    reeve.start()
    done = reeve.cli("run", "--", "true")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert str(uuid.UUID(done.stdout.strip())) + "\n" == done.stdout
    assert reeve.wait(done.stdout.strip())["state"] == "succeeded"


def test_run_passes_every_option_on(reeve):
    reeve.start(allow_environment=["*"])
    path = os.path.join(reeve.work, "input")
    with open(path, "wb") as file:
        file.write(bytes(range(256)))
    done = reeve.cli("run", "--wait", "--name", "a name", "--label", "app=x", "--label", "b=c=d",
                     "--env", "GREETING=hello there", "--cwd", ".", "--timeout", "1m", "--priority",
                     "-7", "--stdin", path, "--", "sh", "-c", 'pwd; echo "$GREETING $1"; cat', "-", "--wait")
    assert done.returncode == 0, done.stderr
    job = reeve.job(done.stdout.strip())
    assert job["name"] == "a name"
    assert job["labels"] == {"app": "x", "b": "c=d"}
    assert job["timeout_s"] == 60
    assert job["priority"] == -7
    assert job["command"][1:] == ["-c", 'pwd; echo "$GREETING $1"; cat', "-", "--wait"]
    # --cwd . is the directory that we were in; --wait behind the command is the command's
    assert reeve.output(job) == f"{os.path.realpath(reeve.work)}\nhello there --wait\n".encode() + bytes(range(256))


def test_run_reads_its_own_standard_input(reeve):
    reeve.start()
    done = reeve.cli("run", "--follow", "--stdin", "-", "--", "rev", input="abc\n")
    assert done.stdout == "cba\n"


def test_options_behind_the_command_belong_to_it(reeve):
    reeve.start()
    done = reeve.cli("run", "--follow", "echo", "--wait", "--name", "x", "-o", "json")
    assert done.stdout == "--wait --name x -o json\n"


def test_exit_codes_of_wait_and_follow_are_the_job_s(reeve):
    reeve.start()
    for how in ("--wait", "--follow"):
        assert reeve.cli("run", how, "--", "true").returncode == 0
        assert reeve.cli("run", how, "--", "sh", "-c", "exit 42").returncode == 42
        killed = reeve.cli("run", how, "--", "sh", "-c", "echo before; kill -TERM $$; sleep 60")
        assert killed.returncode == 128 + signal.SIGTERM
        assert "SIGTERM" in killed.stderr
    assert killed.stdout == "before\n"


def test_a_stopped_job_never_looks_like_a_success(reeve):
    """It traps the signal and exits 0; it was cancelled all the same, and our code says so."""
    reeve.start()
    waiter = reeve.spawn(["reeve", "--server", "unix:" + reeve.socket_path, "run", "--wait", "--", "sh",
                          "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"],
                         stdout=harness.subprocess.PIPE, stderr=harness.subprocess.PIPE)
    job = waiter.stdout.readline().decode().strip()
    reeve.wait_output(job, "ready")
    reeve.cancel(job)
    said = waiter.communicate(timeout=harness.LIMIT_S)[1].decode()
    ended = reeve.job(job)
    assert (ended["state"], ended["exit_code"]) == ("cancelled", 0)
    assert waiter.returncode == 1
    assert "cancelled" in said


def test_follow_prints_the_output_and_only_that_on_stdout(reeve):
    reeve.start()
    done = reeve.cli("run", "--follow", "--", "sh", "-c", "echo out; echo err >&2; exit 5")
    assert sorted(done.stdout.splitlines()) == ["err", "out"]
    assert done.returncode == 5
    assert re.search(r"^reeve: job [0-9a-f-]{36}$", done.stderr, re.M)
    assert reeve.cli("-q", "run", "--follow", "--", "true").stderr == ""


def test_follow_brings_every_byte(reeve):
    reeve.start()
    data = os.urandom(3 << 20)
    path = os.path.join(reeve.work, "data")
    with open(path, "wb") as file:
        file.write(data)
    done = reeve.cli("run", "--follow", "--stdin", path, "--", "cat", text=False)
    assert done.stdout == data
    assert done.returncode == 0


def test_wait_prints_the_final_job_as_json(reeve):
    reeve.start()
    done = reeve.cli("run", "--wait", "-o", "json", "--", "sh", "-c", "exit 3")
    job = json.loads(done.stdout)
    assert (job["state"], job["exit_code"], done.returncode) == ("failed", 3, 3)


def test_dry_run_stores_nothing(reeve):
    reeve.start()
    done = reeve.cli("run", "--dry-run", "--name", "n", "--", "true")
    assert done.returncode == 0, done.stderr
    assert record(done.stdout)["command"].endswith("/true")
    assert json.loads(reeve.cli("run", "--dry-run", "-o", "json", "--", "true").stdout)["dry_run"] is True
    assert reeve.cli("ls").stdout == ""


def test_the_same_key_gives_the_same_job(reeve):
    reeve.start()
    one = reeve.cli("run", "--idempotency-key", "k1", "--", "true")
    two = reeve.cli("run", "--idempotency-key", "k1", "--", "true")
    other = reeve.cli("run", "--idempotency-key", "k1", "--", "false")
    assert one.stdout == two.stdout != ""
    assert other.returncode == 2
    assert reeve.cli("run", "--", "true").stdout != reeve.cli("run", "--", "true").stdout


def test_every_problem_of_a_request_is_printed(reeve):
    reeve.start()
    done = reeve.cli("run", "--env", "LD_PRELOAD=x", "--cwd", "/no/such/place", "--", "no-such-program")
    assert done.returncode == 2
    assert done.stdout == ""
    for pointer in ("#/command: ", "#/environment/LD_PRELOAD: ", "#/working_directory: "):
        assert pointer in done.stderr


# --- looking --------------------------------------------------------------------------------


def test_ls_elsewhere_than_on_a_terminal_is_whole_and_tab_separated(reeve):
    reeve.start()
    job = reeve.run("sh", "-c", "exit 4", "tab\there\nand \\", name="n", labels={"k": "v"})
    found = rows(reeve.cli("ls").stdout)
    assert len(found) == 1
    assert found[0]["id"] == job["id"]
    assert (found[0]["state"], found[0]["reason"], found[0]["exit_code"]) == ("failed", "exit", "4")
    assert found[0]["submitted"] == job["submitted_at"]
    assert found[0]["finished"] == job["finished_at"]
    assert found[0]["command"].endswith("/sh -c 'exit 4' 'tab\\there\\nand \\\\'")
    assert json.loads(found[0]["labels"]) == {"k": "v"}
    assert "\033" not in reeve.cli("ls").stdout


def test_ls_filters(reeve):
    reeve.start()
    good, bad = reeve.run("true")["id"], reeve.run("false")["id"]
    assert reeve.cli("ls", "-o", "id").stdout == f"{bad}\n{good}\n"
    assert reeve.cli("ls", "-o", "id", "state:failed").stdout == f"{bad}\n"
    assert reeve.cli("ls", "-o", "id", "limit:1").stdout == f"{bad}\n"
    assert reeve.cli("ls", "-o", "id", "-n1").stdout == f"{bad}\n"
    assert reeve.cli("ls", "-o", "id", f"owner:uid:{os.getuid()}", "state:succeeded").stdout == f"{good}\n"
    assert reeve.cli("ls", "-o", "id", "owner:uid:4711").stdout == ""


def test_ls_pages_through_more_than_one_page(reeve):
    reeve.start_httpapi()  # no worker: the jobs stay queued
    conn = reeve.connect()
    made = [reeve.request("POST", "/v1/jobs", {"command": "true"}, conn=conn).json()["id"]
            for _ in range(510)]
    conn.close()
    assert reeve.cli("ls", "-o", "id", "limit:505").stdout.split() == made[:4:-1]
    assert len(json.loads(reeve.cli("ls", "-o", "json", "limit:1000").stdout)) == 510
    assert len(reeve.cli("ls").stdout.splitlines()) == 50


def test_output_formats(reeve):
    reeve.start()
    one, two = reeve.run("true")["id"], reeve.run("false")["id"]
    assert [job["id"] for job in json.loads(reeve.cli("ls", "-o", "json").stdout)] == [two, one]
    lines = reeve.cli("ls", "-o", "jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [two, one]
    table = reeve.cli("ls", "-o", "table").stdout.splitlines()
    assert table[0].split()[:2] == ["id", "state"]
    assert len(table) == 3 and "\t" not in table[1]
    assert table[1].startswith(two + "  failed")  # whole: this is no terminal
    assert "owner" in reeve.cli("ls", "-o", "wide").stdout.splitlines()[0]
    assert reeve.cli("show", "-o", "id", two[:18]).stdout == two + "\n"
    assert json.loads(reeve.cli("show", "-o", "json", two).stdout)["state"] == "failed"
    assert json.loads(reeve.cli("ls", "-o", "json", "state:lost").stdout) == []


def test_show_attempts_events(reeve):
    reeve.start()
    job = reeve.run("sh", "-c", "echo 12345; exit 9", name="nine")
    shown = record(reeve.cli("show", job["id"]).stdout)
    assert (shown["id"], shown["exit_code"], shown["stdout"], shown["name"]) == (job["id"], "9", "6", "nine")
    attempts = [line.split("\t") for line in reeve.cli("attempts", job["id"]).stdout.splitlines()]
    assert [line[:4] for line in attempts] == [["1", "ended", "exit", "9"]]
    events = [line.split("\t") for line in reeve.cli("events", job["id"]).stdout.splitlines()]
    assert [line[2] for line in events] == ["submitted", "started", "ended"]
    assert events[0][4] == f"uid:{os.getuid()}"
    assert json.loads(events[2][5])["exit_code"] == 9


def test_last_is_the_caller_s_newest_job(reeve):
    reeve.start()
    nothing = reeve.cli("show", "last")
    assert nothing.returncode == 3
    reeve.run("true")
    mine = reeve.run("true")["id"]
    others = reeve.submit("true", via="tcp")["id"]  # of token:local
    assert reeve.cli("show", "-o", "id", "last").stdout == mine + "\n"
    assert reeve.cli("ls", "-o", "id").stdout.split()[0] == others
    token = os.path.join(reeve.state_dir, "token")
    assert reeve.cli("--server", reeve.url, "--token-file", token, "show", "-o", "id",
                     "last").stdout == others + "\n"


def test_ids_may_be_shortened_as_long_as_they_are_unique(reeve):
    reeve.start()
    one, two = reeve.submit("true")["id"], reeve.submit("true")["id"]
    shared = os.path.commonprefix([one, two])
    assert reeve.cli("show", "-o", "id", one[:len(shared) + 1]).stdout == one + "\n"
    unclear = reeve.cli("show", shared[:8])
    assert unclear.returncode == 5, unclear
    assert reeve.cli("show", "00000000").returncode == 3
    assert reeve.cli("show", one[:3]).returncode == 2


def test_whoami(reeve):
    reeve.start()
    assert reeve.cli("whoami").stdout == f"principal\tuid:{os.getuid()}\nrole\tadmin\n"


def test_api(reeve):
    reeve.start()
    made = reeve.cli("api", "POST", "/v1/jobs", '{"command": "true"}')
    assert made.returncode == 0, made.stderr
    job = json.loads(made.stdout)["id"]
    assert json.loads(reeve.cli("api", "GET", f"/v1/jobs/{job}").stdout)["id"] == job
    piped = reeve.cli("api", "POST", "/v1/jobs", "-", input='{"command": "false"}')
    assert json.loads(piped.stdout)["command"] == ["/usr/bin/false"]
    missing = reeve.cli("api", "GET", "/v1/nothing")
    assert missing.returncode == 3
    assert json.loads(missing.stdout)["status"] == 404


def test_not_allowed_is_exit_code_4(reeve):
    reeve.start()
    assert reeve.cli("--server", reeve.url, "ls").returncode == 4  # no token
    wrong = os.path.join(reeve.work, "wrong")
    with open(wrong, "w", encoding="ascii") as file:
        file.write("0" * 64)
    os.chmod(wrong, 0o600)
    assert reeve.cli("--server", reeve.url, "--token-file", wrong, "ls").returncode == 4
    assert reeve.cli("--server", reeve.url, "--token-file", os.path.join(reeve.state_dir, "token"),
                     "ls").returncode == 0


# --- logs -----------------------------------------------------------------------------------


def test_logs(reeve):
    reeve.start()
    job = reeve.run("sh", "-c", "echo one; echo two >&2; echo three")["id"]
    assert sorted(reeve.cli("logs", job).stdout.split()) == ["one", "three", "two"]
    assert reeve.cli("logs", "--stdout", job).stdout == "one\nthree\n"
    assert reeve.cli("logs", "--stderr", job).stdout == "two\n"
    assert reeve.cli("logs", "--stdout", "-n", "1", job).stdout == "three\n"
    assert reeve.cli("logs", "--stdout", "-n0", job).stdout == ""
    assert reeve.cli("logs", "--stdout", "-n", "99", job).stdout == "one\nthree\n"
    assert reeve.cli("logs", "--stdout", "-f", "-n1", job).stdout == "three\n"
    assert reeve.cli("logs", "--attempt", "1", "--stderr", job).stdout == "two\n"
    assert reeve.cli("logs", "--attempt", "2", job).returncode == 3
    assert reeve.cli("logs", "00000000").returncode == 3


def test_logs_in_a_pipe_are_the_very_bytes(reeve):
    reeve.start()
    data = bytes(range(256)) * 3
    job = reeve.run("cat", stdin=data)["id"]
    assert reeve.cli("logs", job, text=False).stdout == data


def test_last_lines_of_a_large_output(reeve):
    reeve.start()
    job = reeve.run("seq", "600000")["id"]  # some 4 MB
    assert reeve.cli("logs", "-n", "3", job).stdout == "599998\n599999\n600000\n"
    assert reeve.run("printf", "a\\nb\\nno newline")["state"] == "succeeded"
    assert reeve.cli("logs", "-n", "2", "last").stdout == "b\nno newline"


def test_following_begins_with_a_job_that_has_not_started(reeve):
    reeve.start_httpapi()
    job = reeve.submit("echo", "at last")["id"]
    follower = reeve.spawn(["reeve", "--server", "unix:" + reeve.socket_path, "logs", "-f", job],
                           stdout=harness.subprocess.PIPE)
    reeve.start_worker()
    assert follower.communicate(timeout=harness.LIMIT_S)[0] == b"at last\n"
    assert follower.returncode == 0


# --- stop, wait -----------------------------------------------------------------------------


def test_stop_a_running_job(reeve):
    reeve.start()
    job = reeve.submit("sleep", "1000")["id"]
    reeve.wait_running(job)
    plan = reeve.cli("stop", "--dry-run", job)
    assert plan.stdout.split("\t")[:2] == [job, "would stop"]
    assert reeve.job(job)["state"] == "running"
    done = reeve.cli("stop", "--reason", "wrong file", job)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\t")[:2] == [job, "stopping"]
    ended = reeve.wait(job)
    assert ended["state"] == "cancelled"
    assert "wrong file" in reeve.cli("events", job).stdout
    again = reeve.cli("stop", job)
    assert again.returncode == 0
    assert again.stdout.split("\t")[1] == "cancelled"


def test_stop_before_the_start_and_after_the_end(reeve):
    reeve.start_httpapi()
    job = reeve.submit("true")["id"]
    assert reeve.cli("stop", job).stdout.split("\t")[:3] == [job, "cancelled", "cancelled"]
    reeve.start_worker()
    ended = reeve.run("true")["id"]
    late = reeve.cli("stop", ended)
    assert late.returncode == 5
    assert reeve.cli("stop", "00000000").returncode == 3


def test_several_are_stopped_only_with_yes(reeve):
    reeve.start_httpapi()
    jobs = [reeve.submit("true")["id"] for _ in range(3)]
    refused = reeve.cli("stop", *jobs)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert {reeve.job(job)["state"] for job in jobs} == {"queued"}
    assert len(reeve.cli("stop", "--dry-run", *jobs).stdout.splitlines()) == 3
    assert {reeve.job(job)["state"] for job in jobs} == {"queued"}
    done = reeve.cli("stop", "--yes", "00000000", *jobs)
    assert done.returncode == 3  # of the first that went wrong; the others are stopped all the same
    assert "00000000" in done.stderr
    assert {reeve.job(job)["state"] for job in jobs} == {"cancelled"}


def test_wait(reeve):
    reeve.start()
    good = reeve.submit("true")["id"]
    bad = reeve.submit("sh", "-c", "exit 6")["id"]
    done = reeve.cli("wait", good, bad)
    assert done.returncode == 6
    assert [line.split("\t")[:2] for line in done.stdout.splitlines()] == [
        [good, "succeeded"], [bad, "failed"]]
    assert reeve.cli("wait", "last").returncode == 6
    assert reeve.cli("wait", good).returncode == 0
    assert reeve.cli("wait", "00000000").returncode == 3


def test_wait_gives_up_with_124(reeve):
    reeve.start_httpapi()
    job = reeve.submit("true")["id"]
    for limit in ("0", "0.3", "1s"):
        done = reeve.cli("wait", "--timeout", limit, job)
        assert done.returncode == 124, done
        assert "time over" in done.stderr
    assert reeve.job(job)["state"] == "queued"


def test_wait_any_returns_with_the_first(reeve):
    reeve.start(slots=2)
    slow = reeve.submit("sleep", "1000")["id"]
    fast = reeve.submit("sh", "-c", "exit 7")["id"]
    done = reeve.cli("wait", "--any", slow, fast)
    assert done.returncode == 7
    assert done.stdout.startswith(fast)
    assert reeve.job(slow)["state"] != "cancelled"
    reeve.cancel(slow, force=True)
    reeve.wait(slow)


# --- leaving --------------------------------------------------------------------------------


def interrupted(reeve, *args, after):
    """Runs `reeve`, presses Ctrl-C once `after(process)` has come true."""
    process = reeve.spawn(["reeve", "--server", "unix:" + reeve.socket_path, *args],
                          stdout=harness.subprocess.PIPE, stderr=harness.subprocess.PIPE)
    after(process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=harness.LIMIT_S)
    return process.returncode, out.decode(), err.decode()


def test_ctrl_c_while_following_detaches_and_the_job_goes_on(reeve):
    reeve.start()
    code, _, said = interrupted(
        reeve, "run", "--follow", "--", "sh", "-c", "echo up; sleep 1000",
        after=lambda process: process.stdout.read(3))
    assert code == 130
    job = re.search(r"reeve logs -f ([0-9a-f-]{36})", said).group(1)
    assert reeve.job(job)["state"] == "running"
    assert reeve.processes_of(job)
    reeve.cancel(job, force=True)
    reeve.wait(job)


def test_ctrl_c_while_waiting_detaches(reeve):
    reeve.start_httpapi()
    code, out, said = interrupted(reeve, "run", "--wait", "--", "true",
                                  after=lambda process: process.stdout.readline())
    assert code == 130
    assert "reeve wait " in said
    job = reeve.submit("true")["id"]
    waiter = reeve.spawn(["reeve", "--server", "unix:" + reeve.socket_path, "wait", job],
                         stderr=harness.subprocess.PIPE)
    harness.wait_until(lambda: "\nSigBlk:\t0000000000000002" in
                       harness.proc_read(waiter.pid, "status").decode(), "it to listen for Ctrl-C")
    waiter.send_signal(signal.SIGINT)
    assert "the jobs go on" in waiter.communicate(timeout=harness.LIMIT_S)[1].decode()
    assert waiter.returncode == 130


def test_a_reader_that_goes_away_is_no_trouble(reeve):
    reeve.start_httpapi()
    for _ in range(5):
        reeve.submit("true", "x" * 60000)
    command = f"{reeve.program('reeve')} --server unix:{reeve.socket_path} -o json ls | head -c 1"
    done = harness.subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True,
                                  text=True, timeout=harness.LIMIT_S, env=reeve.env())
    assert done.stderr == ""
    assert done.returncode == 0


def test_a_full_disk_behind_standard_output_is_said(reeve):
    reeve.start()
    reeve.run("true")
    with open("/dev/full", "w", encoding="ascii") as full:
        done = harness.subprocess.run(
            [reeve.program("reeve"), "--server", "unix:" + reeve.socket_path, "ls"], stdout=full,
            stderr=harness.subprocess.PIPE, text=True, timeout=harness.LIMIT_S, env=reeve.env())
    assert done.returncode == 1
    assert "standard output" in done.stderr


def test_a_service_that_holds_no_answer_back_is_waited_for_all_the_same(reeve):
    reeve.start(http={"wait_max_s": 0})
    assert reeve.cli("run", "--wait", "--", "sh", "-c", "sleep 0.3; exit 5").returncode == 5


def test_api_without_a_body(reeve):
    reeve.start_httpapi()
    job = reeve.submit("true")["id"]
    done = reeve.cli("api", "POST", f"/v1/jobs/{job}/cancel")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["state"] == "cancelled"


def test_following_into_a_pipe_that_closes_detaches(reeve):
    """How the job will end is not known then, so the exit code must not say that all is well."""
    reeve.start()
    script = (f"{reeve.program('reeve')} --server unix:{reeve.socket_path} run --follow -- "
              "sh -c 'while :; do echo line; done' | head -n 1; echo ${PIPESTATUS[0]}")
    done = harness.subprocess.run(["bash", "-c", script], capture_output=True, text=True,
                                  timeout=harness.LIMIT_S, env=reeve.env())
    assert done.stdout == "line\n1\n"
    assert "the job goes on" in done.stderr
    job = reeve.cli("ls", "-o", "id").stdout.strip()
    assert reeve.job(job)["state"] == "running"
    reeve.cancel(job, force=True)
    reeve.wait(job)


def test_no_proxy_stands_between_us_and_the_service(reeve):
    reeve.start()
    token = os.path.join(reeve.state_dir, "token")
    done = reeve.cli("--server", reeve.url, "--token-file", token, "whoami",
                     env={"http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
    assert done.stdout == "principal\ttoken:local\nrole\tadmin\n", done.stderr
