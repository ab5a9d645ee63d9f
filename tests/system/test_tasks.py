"""Tasks as a client, an operator and the worker meet them: real daemons, real files."""

import json
import os
import subprocess

import pytest

SHOW = {"name": "show", "description": "prints a file", "executable": "/bin/cat",
        "arguments": ["@@file@@"],
        "parameters": [{"name": "file", "type": "path", "must_exist": True,
                        "description": "what to print"}]}


def echo(**more):
    return {"name": "echo", "executable": "/bin/echo", "arguments": ["id=@@id@@", "@@text@@"],
            "parameters": [{"name": "id", "type": "integer", "min": 1, "max": 99},
                           {"name": "text", "type": "string", "default": "nothing", "max_length": 20}],
            **more}


def post(reeve, **body):
    return reeve.request("POST", "/v1/jobs", body)


def pointers(answer):
    assert answer.status == 422, answer
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def run_task(reeve, task, parameters=None, **more):
    answer = post(reeve, task=task, parameters=parameters or {}, **more)
    assert answer.status == 201, answer
    return reeve.wait(answer.json())


@pytest.fixture
def media(reeve):
    """A directory with a file to show, a secret beside it, and the task to show it."""
    folder = os.path.join(reeve.work, "media")
    os.mkdir(folder)
    for name, text in (("media/a.txt", "a picture"), ("secret", "a secret")):
        with open(os.path.join(reeve.work, name), "w", encoding="ascii") as file:
            file.write(text)
    task = json.loads(json.dumps(SHOW))
    task["parameters"][0]["beneath"] = folder
    reeve.write_config(tasks=[task])
    return folder


# --- submitting -------------------------------------------------------------------------------


def test_a_task_runs_with_its_parameters(reeve):
    reeve.start(tasks=[echo()])
    submitted = post(reeve, task="echo", parameters={"id": "7", "text": "a b  $HOME *"})
    assert submitted.status == 201, submitted
    first = submitted.json()
    assert first["task"] == "echo"
    assert first["parameters"] == {"id": 7, "text": "a b  $HOME *"}
    assert first["command"] == ["/bin/echo", "id=7", "a b  $HOME *"]
    job = reeve.wait(first)
    assert job["state"] == "succeeded", job
    assert (job["task"], job["parameters"]) == ("echo", first["parameters"])
    assert reeve.output(job) == b"id=7 a b  $HOME *\n"
    listed = reeve.request("GET", "/v1/jobs").json()["items"][0]
    assert (listed["task"], listed["parameters"]) == ("echo", first["parameters"])


def test_defaults_are_part_of_the_parameters(reeve):
    reeve.start(tasks=[echo()])
    assert run_task(reeve, "echo", {"id": 1})["parameters"] == {"id": 1, "text": "nothing"}


def test_a_command_has_no_task(reeve):
    reeve.start(tasks=[echo()])
    job = reeve.submit("true")
    assert job["task"] is None and job["parameters"] is None


def test_all_problems_have_pointers(reeve):
    reeve.start(tasks=[echo()])
    found = pointers(post(reeve, task="echo", priority=1000,
                          parameters={"id": 100, "text": "x" * 21, "txt": "a"}))
    assert set(found) == {"#/parameters/id", "#/parameters/text", "#/parameters/txt", "#/priority"}
    assert found["#/parameters/id"] == "must be at most 99"
    assert 'did you mean "text"' in found["#/parameters/txt"]
    assert pointers(post(reeve, task="echo")) == {"#/parameters/id": "is required"}
    assert reeve.request("GET", "/v1/jobs").json()["items"] == []


@pytest.mark.parametrize("body, pointer", [
    ({}, "#/command"),
    ({"task": "echo", "command": "true", "parameters": {"id": 1}}, "#/command"),
    ({"task": "ecko", "parameters": {"id": 1}}, "#/task"),
    ({"task": 7}, "#/task"),
    ({"task": "echo", "parameters": {"id": 1}, "args": ["x"]}, "#/args"),
    ({"task": "echo", "parameters": [1]}, "#/parameters"),
    ({"command": "true", "parameters": {"id": 1}}, "#/parameters"),
])
def test_a_task_or_a_command(reeve, body, pointer):
    reeve.start(tasks=[echo()])
    assert pointer in pointers(post(reeve, **body))


def test_dry_run_shows_the_argv(reeve):
    reeve.start(tasks=[echo()])
    answer = reeve.request("POST", "/v1/jobs?dry_run=1", {"task": "echo", "parameters": {"id": 3}})
    assert answer.status == 200 and answer.json()["job"]["command"] == ["/bin/echo", "id=3", "nothing"]
    assert reeve.request("GET", "/v1/jobs").json()["items"] == []


def test_an_idempotency_key_gives_the_task_again(reeve):
    reeve.start(tasks=[echo()])
    body, headers = {"task": "echo", "parameters": {"id": 3}}, {"Idempotency-Key": "k"}
    first = reeve.request("POST", "/v1/jobs", body, headers=headers)
    reeve.wait(first.json())
    again = reeve.request("POST", "/v1/jobs", body, headers=headers)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first.json()


# --- what a task sets -------------------------------------------------------------------------


def test_environment_directory_and_timeout_of_a_task(reeve):
    task = {"name": "env", "executable": "/bin/sh",
            "arguments": ["-c", "echo $A $B $C; pwd"], "environment": {"A": "task", "B": "task"},
            "allow_environment": ["B", "LD_LIBRARY_PATH"], "working_directory": "/usr",
            "timeout_s": 50, "limits": {"output_bytes": 1000}}
    reeve.start(tasks=[task])
    job = run_task(reeve, "env", environment={"B": "request", "LD_LIBRARY_PATH": "/x"})
    assert reeve.output(job) == b"task request\n/usr\n"
    assert (job["timeout_s"], job["limits"]["output_bytes"]) == (50, 1000)
    assert reeve.output(run_task(reeve, "env")) == b"task task\n/usr\n"
    assert run_task(reeve, "env", timeout_s=10)["timeout_s"] == 10
    found = pointers(post(reeve, task="env", environment={"A": "x", "C": "x"}, timeout_s=51,
                          working_directory="/tmp", limits={"output_bytes": 1001}))
    assert set(found) == {"#/environment/A", "#/environment/C", "#/timeout_s", "#/working_directory",
                          "#/limits/output_bytes"}


def test_success_exit_codes_decide(reeve):
    task = {"name": "exit", "executable": "/bin/sh", "arguments": ["-c", "exit @@code@@"],
            "parameters": [{"name": "code", "type": "integer"}], "success_exit_codes": [1, 3]}
    reeve.start(tasks=[task])
    ends = {code: run_task(reeve, "exit", {"code": code}) for code in (0, 1, 2, 3)}
    assert [job["state"] for job in ends.values()] == ["failed", "succeeded", "failed", "succeeded"]
    assert [job["exit_code"] for job in ends.values()] == [0, 1, 2, 3]
    assert ends[0]["reason"] == "exit" and ends[3]["reason"] is None


def test_the_executable_may_be_outside_the_exec_roots(reeve):
    program = os.path.join(reeve.work, "own")
    with open(program, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho mine\n")
    os.chmod(program, 0o755)
    reeve.start(tasks=[{"name": "own", "executable": program}])
    assert reeve.output(run_task(reeve, "own")) == b"mine\n"
    assert "#/command" in pointers(post(reeve, command=program))
    os.unlink(program)
    assert "#/task" in pointers(post(reeve, task="own"))


# --- paths ------------------------------------------------------------------------------------


def test_a_path_stays_beneath(reeve, media):
    reeve.start()
    assert reeve.output(run_task(reeve, "show", {"file": media + "//./a.txt"})) == b"a picture"
    os.symlink("../secret", os.path.join(media, "link"))
    for path in (media + "/link", media + "/../secret", media + "/nothing", media, "/etc/passwd",
                 media + "2/a.txt", "a.txt"):
        assert "#/parameters/file" in pointers(post(reeve, task="show", parameters={"file": path})), path


def test_a_file_swapped_for_a_link_before_the_start(reeve, media):
    reeve.start_httpapi()
    path = os.path.join(media, "a.txt")
    job = post(reeve, task="show", parameters={"file": path}).json()
    os.unlink(path)
    os.symlink("../secret", path)
    reeve.start_worker()
    ended = reeve.wait(job)
    assert (ended["state"], ended["reason"]) == ("failed", "start_failed"), ended
    assert "parameters: file leads out of" in ended["error"]
    assert reeve.output(job) == b""


def test_a_directory_swapped_for_a_link_inside(reeve, media):
    os.mkdir(os.path.join(media, "x"))
    os.mkdir(os.path.join(media, "y"))
    for name in "xy":
        with open(os.path.join(media, name, "f"), "w", encoding="ascii") as file:
            file.write(name)
    reeve.start_httpapi()
    job = post(reeve, task="show", parameters={"file": media + "/x/f"}).json()
    os.rename(os.path.join(media, "x"), os.path.join(media, "z"))
    os.symlink("y", os.path.join(media, "x"))
    reeve.start_worker()
    ended = reeve.wait(job)
    assert ended["reason"] == "start_failed" and "leads elsewhere" in ended["error"]


# --- the configuration changes ----------------------------------------------------------------


def test_a_job_keeps_the_definition_it_was_accepted_with(reeve):
    old = {"name": "t", "executable": "/bin/sh", "arguments": ["-c", "echo old @@x@@; exit 4"],
           "parameters": [{"name": "x", "type": "string"}], "success_exit_codes": [4]}
    new = {"name": "t", "executable": "/bin/echo", "arguments": ["new", "@@y@@"],
           "parameters": [{"name": "y", "type": "string"}]}
    reeve.write_config(tasks=[old])
    reeve.start_httpapi()
    before = post(reeve, task="t", parameters={"x": "1"}).json()
    reeve.stop_httpapi()
    reeve.write_config(tasks=[new])
    reeve.start_httpapi()
    after = post(reeve, task="t", parameters={"y": "2"}).json()
    reeve.start_worker()
    assert reeve.wait(before)["state"] == "succeeded"
    assert reeve.output(before) == b"old 1\n"
    assert reeve.output(run_task(reeve, "t", {"y": "3"})) == b"new 3\n"
    assert reeve.wait(after)["state"] == "succeeded"
    rows = reeve.sql("SELECT name, hash FROM v_tasks ORDER BY first_used_at")
    assert [name for name, _ in rows] == ["t", "t"] and rows[0][1] != rows[1][1]
    assert reeve.sql("SELECT count(*) FROM jobs WHERE task_hash IS NOT NULL") == [(3,)]


def test_a_job_of_a_removed_task_still_runs(reeve):
    reeve.write_config(tasks=[echo()])
    reeve.start_httpapi()
    job = post(reeve, task="echo", parameters={"id": 5}).json()
    reeve.write_config(tasks=[])
    reeve.start_worker()
    assert reeve.wait(job)["state"] == "succeeded"
    assert reeve.output(job) == b"id=5 nothing\n"


def test_a_worker_killed_before_the_end_changes_nothing(reeve):
    task = {"name": "slow", "executable": "/bin/sh", "arguments": ["-c", "echo up; read x < @@fifo@@; exit 9"],
            "parameters": [{"name": "fifo", "type": "path", "beneath": reeve.work}],
            "success_exit_codes": [9]}
    fifo = os.path.join(reeve.work, "fifo")
    os.mkfifo(fifo)
    reeve.start(tasks=[task])
    job = post(reeve, task="slow", parameters={"fifo": fifo}).json()
    reeve.wait_output(job, "up")
    reeve.kill_worker()
    with open(fifo, "w", encoding="ascii") as file:
        file.write("go\n")
    reeve.start_worker()
    assert (reeve.wait(job)["state"], reeve.job(job)["exit_code"]) == ("succeeded", 9)


def test_definitions_in_the_database_cannot_be_changed(reeve):
    reeve.start(tasks=[echo()])
    run_task(reeve, "echo", {"id": 1})
    with pytest.raises(Exception, match="accepted with"):
        reeve.sql_write("UPDATE task_definitions SET definition = '{}'")


def test_the_views_show_the_task(reeve):
    reeve.start(tasks=[echo(success_exit_codes=[1])])
    job = run_task(reeve, "echo", {"id": 1})
    assert reeve.sql("SELECT task, parameters, state FROM v_jobs") == [
        ("echo", '{"id":1,"text":"nothing"}', "failed")]
    assert reeve.sql("SELECT id, task FROM v_failed") == [(job["id"], "echo")]
    assert reeve.sql("SELECT * FROM v_running") == reeve.sql("SELECT * FROM v_waiting") == []


# --- asking what there is ---------------------------------------------------------------------


def test_the_list_and_one_task(reeve):
    reeve.start(tasks=[SHOW, echo(environment={"SECRET": "x"})])
    items = reeve.request("GET", "/v1/tasks").json()["items"]
    assert [item["name"] for item in items] == ["echo", "show"]
    one = reeve.request("GET", "/v1/tasks/echo", via="tcp").json()
    assert one == items[0] and "SECRET" not in json.dumps(one)
    assert one["parameters"][0] == {
        "name": "id", "type": "integer", "input": "number", "description": None, "required": True,
        "default": None, "pattern": None, "min": 1, "max": 99, "min_length": None, "max_length": None,
        "values": None, "beneath": None, "must_exist": False, "allow_dash": False}
    assert one["parameters"][1]["default"] == "nothing" and not one["parameters"][1]["required"]
    assert items[1]["description"] == "prints a file"
    missing = reeve.request("GET", "/v1/tasks/nobody")
    assert (missing.status, missing.json()["code"]) == (404, "not_found")
    assert reeve.request("GET", "/v1/tasks", via="tcp", headers={"Authorization": None}).status == 401


RETRY = {"max_attempts": 3, "delay_s": 0, "on": ["exit"]}
WHOLE_RETRY = {"delay_s": 0, "factor": 2, "max_delay_s": 3600, "jitter": 0.1, "on": ["exit"], "exit_codes": None}


def test_a_task_says_what_the_request_leaves_open(reeve):
    reeve.start(tasks=[{"name": "flaky", "executable": "/bin/sh", "arguments": ["-c", "exit $((REEVE_ATTEMPT < 3))"],
                        "queue": "default", "priority": 7, "retry": RETRY, "deadline_s": 900}])
    done = run_task(reeve, "flaky")
    assert (done["state"], done["attempt"], done["max_attempts"]) == ("succeeded", 3, 3)
    assert (done["queue"], done["priority"], done["deadline_s"], done["retry"]) == ("default", 7, 900, WHOLE_RETRY)
    # null is the same as leaving it out
    assert run_task(reeve, "flaky", priority=None, retry=None)["priority"] == 7
    # the request's own values win, as a whole
    own = run_task(reeve, "flaky", priority=-1, retry={"max_attempts": 1}, deadline_s=60)
    assert (own["state"], own["attempt"], own["priority"], own["deadline_s"]) == ("failed", 1, -1, 60)
    assert own["retry"]["on"] == ["exit", "signal"]
    # but a deadline is a bound
    assert set(pointers(post(reeve, task="flaky", deadline_s=901))) == {"#/deadline_s"}
    shown = reeve.request("GET", "/v1/tasks/flaky").json()
    assert (shown["queue"], shown["priority"], shown["retry"], shown["deadline_s"]) == ("default", 7, RETRY, 900)


def test_a_task_of_a_queue_that_is_not_there_is_found_when_it_is_read(reeve):
    reeve.write_config(queues={"thumbs": {}}, tasks=[echo(queue="thumb")])
    checked = subprocess.run([reeve.program("reeve"), "check", reeve.config_path], env=reeve.env(), timeout=30,
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 1 and 'tasks.0.queue: there is no queue "thumb"; did you mean "thumbs"?' in checked.stderr
    reeve.start(queues={"thumbs": {}}, tasks=[echo(queue="thumbs")])
    assert post(reeve, task="echo", parameters={"id": 1}).json()["queue"] == "thumbs"


def test_tasks_of_the_directory_beside_the_configuration(reeve):
    folder = os.path.join(reeve.base, "tasks.d")
    os.mkdir(folder)
    with open(os.path.join(folder, "echo.json"), "w", encoding="ascii") as file:
        file.write("// one task a file\n" + json.dumps(echo()))
    reeve.start()
    assert reeve.output(run_task(reeve, "echo", {"id": 2})) == b"id=2 nothing\n"


def test_the_intake_refuses_a_bad_definition(reeve):
    reeve.write_config(tasks=[echo(run_as="media")])
    daemon = reeve.launch("reeve-httpapi")
    assert daemon.wait_end() == 100
    assert "run_as: not supported by this version" in daemon.log


# --- the command line -------------------------------------------------------------------------


def test_check_says_line_and_column(reeve):
    reeve.write_config(tasks=[echo(arguments=["@@idd@@"])])
    checked = reeve.cli("check", reeve.config_path)
    assert checked.returncode == 1
    with open(reeve.config_path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    line = next(number for number, text in enumerate(lines, 1) if "@@idd@@" in text)
    column = lines[line - 1].index('"@@idd@@"') + 1
    assert f"{reeve.config_path}:{line}:{column}: tasks.0.arguments.0: there is no parameter" in checked.stderr
    reeve.write_config(tasks=[echo(executable="/no/such/program")])
    checked = reeve.cli("check", reeve.config_path)
    assert checked.returncode == 0 and "/no/such/program" in checked.stderr


def test_run_task(reeve):
    reeve.start(tasks=[echo()])
    done = reeve.cli("run", "--follow", "--task", "echo", "-p", "id=8", "--parameter", "text=a=b c")
    assert (done.returncode, done.stdout) == (0, "id=8 a=b c\n"), done.stderr
    wrong = reeve.cli("run", "--task", "echo", "-p", "id=800")
    assert wrong.returncode == 2 and "#/parameters/id" in wrong.stderr
    for args in (["--task", "echo", "-p", "id=1", "--", "true"], ["-p", "id=1", "--", "true"], []):
        assert reeve.cli("run", *args).returncode == 2, args
    assert "echo" in reeve.cli("show", "last").stdout


def test_tasks_command(reeve):
    reeve.start(tasks=[SHOW, echo()])
    listed = reeve.cli("tasks")
    assert [line.split("\t")[0] for line in listed.stdout.splitlines()] == ["echo", "show"]
    one = reeve.cli("tasks", "echo").stdout
    assert "/bin/echo" in one and "id\tinteger\ttrue" in one
    assert json.loads(reeve.cli("tasks", "-o", "json", "echo").stdout)["name"] == "echo"
    assert reeve.cli("tasks", "nobody").returncode == 3


def test_task_jobs_in_the_database_commands(reeve):
    reeve.start(tasks=[echo()])
    run_task(reeve, "echo", {"id": 1})
    reeve.stop()
    shown = json.loads(reeve.cli("db", "show", "--db", reeve.db, "-o", "json", "last").stdout)
    assert (shown["task"], shown["parameters"]["id"]) == ("echo", 1)
    assert reeve.cli("db", "check", "--db", reeve.db).returncode == 0
