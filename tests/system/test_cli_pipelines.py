"""Dependencies, files of jobs, reruns and graphs on the command line."""

import fcntl
import json
import os
import signal
import subprocess

from cli_helpers import Proxy, Terminal, on_terminal


def ok(done):
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(reeve, name, content):
    path = os.path.join(reeve.work, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(content if isinstance(content, str) else json.dumps(content, indent=1))
    return path


def lines_of(reeve, count, name="lines.jsonl", command="true"):
    return write(reeve, name, "".join(json.dumps({"command": command, "name": f"l{i}"}) + "\n"
                                      for i in range(count)))


# --- run --------------------------------------------------------------------------------------


def test_run_after_other_jobs(reeve):
    reeve.start_httpapi()
    one, two = reeve.submit("true")["id"], reeve.submit("true")["id"]
    job = ok(reeve.cli("run", "--after", one, "--after", two + ":any", "--after", "last:started", "--keep",
                       "--any", "--unique", "a:b:reject", "--", "true")).strip()
    shown = reeve.job(job)
    assert {(d["job"], d["on"]) for d in shown["depends_on"]} == {
        (one, "success"), (two, "any"), (two, "started")}
    assert (shown["depends_rule"], shown["unique_key"]) == ("any", "a:b")
    again = reeve.cli("run", "--unique", "a:b:reject", "--", "true")
    assert again.returncode == 5 and job in again.stderr
    living = reeve.cli("run", "--unique", "a:b", "--", "true")
    assert living.returncode == 0 and living.stdout.strip() == job and "alive" in living.stderr
    text = ok(reeve.cli("show", job))
    assert f"success of {one} (pending)" in text and "depends_rule\tany" in text
    from_file = ok(reeve.cli("db", "show", "--db", reeve.db, job)).splitlines()
    for line in text.splitlines():
        if line.split("\t")[0] in ("after", "depends_rule", "dependants", "batch", "unique_key"):
            assert line in from_file


def test_a_prefix_is_completed_and_a_wrong_name_is_refused(reeve):
    reeve.start_httpapi()
    one = reeve.submit("true")["id"]
    job = ok(reeve.cli("run", "--after", one[:23] + ":failure", "--", "true")).strip()
    assert reeve.job(job)["depends_on"] == [{"job": one, "on": "failure", "state": "pending"}]
    assert reeve.cli("run", "--after", "ffffffff", "--", "true").returncode == 3
    assert reeve.cli("run", "--after", one + ":never", "--", "true").returncode == 2
    assert reeve.cli("run", "--after", "me", "--", "true").returncode == 2
    both = reeve.cli("run", "--stdin-from", one, "--stdin", "-", "--", "cat", input="")
    assert both.returncode == 2 and "not both" in both.stderr


def test_a_chain_on_the_command_line(reeve):
    reeve.start()
    ok(reeve.cli("run", "--", "echo", "hello"))
    done = reeve.cli("run", "--stdin-from", "last", "--follow", "--", "tr", "a-z", "A-Z")
    assert done.returncode == 0 and done.stdout == "HELLO\n", done.stderr


# --- submit -----------------------------------------------------------------------------------


def test_submit_one_job(reeve):
    reeve.start_httpapi()
    path = write(reeve, "job.json", {"command": "echo", "args": ["x"], "name": "one"})
    job = ok(reeve.cli("submit", path)).strip()
    assert reeve.job(job)["name"] == "one"
    assert json.loads(ok(reeve.cli("submit", "-o", "json", path)))["name"] == "one"
    from_pipe = ok(reeve.cli("submit", "-", input='\n {"command": "true"} \n\n')).strip()
    assert reeve.job(from_pipe)["command"] == ["/usr/bin/true"]
    key = ["submit", "--idempotency-key", "one", path]
    assert ok(reeve.cli(*key)) == ok(reeve.cli(*key))


def test_submit_a_batch(reeve):
    reeve.start_httpapi()
    jobs = [{"command": "true", "ref": "b", "depends_on": [{"job": "@a"}]}, {"command": "true", "ref": "a"}]
    for body in ({"jobs": jobs}, jobs):
        done = reeve.cli("submit", write(reeve, "batch.json", body))
        rows = [line.split("\t") for line in ok(done).splitlines()]
        assert [row[1:] for row in rows] == [["b", "waiting", "dependency", "false"],
                                             ["a", "queued", "", "false"]]
        assert reeve.job(rows[0][0])["depends_on"][0]["job"] == rows[1][0]
        assert reeve.job(rows[0][0])["batch"] in done.stderr
    ids = ok(reeve.cli("submit", "-o", "id", "-q", write(reeve, "batch.json", jobs))).split()
    assert [reeve.job(job)["state"] for job in ids] == ["waiting", "queued"]
    whole = json.loads(ok(reeve.cli("submit", "-o", "json", os.path.join(reeve.work, "batch.json"))))
    assert [job["ref"] for job in whole["jobs"]] == ["b", "a"]
    before = reeve.sql("SELECT count(*) FROM jobs")
    assert "waiting" in ok(reeve.cli("submit", "--dry-run", os.path.join(reeve.work, "batch.json")))
    wrong = reeve.cli("submit", write(reeve, "wrong.json", jobs + [{"command": "/etc/passwd"}]))
    assert wrong.returncode == 2 and "#/jobs/2/command" in wrong.stderr
    assert reeve.sql("SELECT count(*) FROM jobs") == before


def test_a_file_that_is_no_json_is_named_with_its_place(reeve):
    reeve.start_httpapi()
    done = reeve.cli("submit", write(reeve, "bad.json", '{"command": "true",\n "args": [}'))
    assert done.returncode == 2 and "bad.json: line 2, column 11" in done.stderr
    assert reeve.cli("submit", os.path.join(reeve.work, "absent.json")).returncode == 3
    assert reeve.cli("submit", write(reeve, "empty.json", "")).returncode == 2


def test_submit_one_job_a_line(reeve):
    reeve.start_httpapi()
    path = lines_of(reeve, 30)
    done = reeve.cli("submit", path)
    ids = ok(done).split()
    assert [reeve.job(job)["name"] for job in ids] == [f"l{i}" for i in range(30)]
    key = done.stderr.split("--idempotency-key ")[1].split()[0]
    again = reeve.cli("submit", "--idempotency-key", key, path)
    assert ok(again).split() == ids and "30 of 30 had been submitted before" in again.stderr
    anew = ok(reeve.cli("submit", path)).split()
    assert not set(anew) & set(ids)
    assert reeve.sql("SELECT count(*) FROM jobs") == [(60,)]
    listed = ok(reeve.cli("submit", "-o", "jsonl", "--dry-run", "-q", path)).splitlines()
    assert [json.loads(line)["name"] for line in listed] == [f"l{i}" for i in range(30)]
    assert reeve.sql("SELECT count(*) FROM jobs") == [(60,)]


def test_the_first_line_that_is_refused_ends_it_and_can_be_mended(reeve):
    reeve.start_httpapi()
    good = [json.dumps({"command": "true", "name": f"l{i}"}) for i in range(6)]
    broken = good[:3] + ["", '{"command": "true", "priority": 1000}'] + good[3:]
    path = write(reeve, "some.jsonl", "\n".join(broken) + "\n")
    done = reeve.cli("submit", "--idempotency-key", "mend", path)
    assert done.returncode == 2 and "some.jsonl: line 5: " in done.stderr and "#/priority" in done.stderr
    assert "3 of 7 are submitted" in done.stderr and "--idempotency-key mend" in done.stderr
    assert len(done.stdout.split()) == 3
    write(reeve, "some.jsonl", "\n".join(broken).replace("1000", "10") + "\n")
    mended = reeve.cli("submit", "--idempotency-key", "mend", path)
    assert ok(mended).split()[:3] == done.stdout.split()
    assert reeve.sql("SELECT count(*) FROM jobs") == [(7,)]
    torn = reeve.cli("submit", write(reeve, "torn.jsonl", "\n".join(good[:2] + ['{"command": '])))
    assert torn.returncode == 2 and "torn.jsonl: line 3: line 1, column" in torn.stderr


def test_a_submit_that_is_killed_goes_on_without_doubles(reeve):
    reeve.start_httpapi()
    path = lines_of(reeve, 400)
    argv = ["reeve", "submit", "--idempotency-key", "killed", path]
    server = {"REEVE_SERVER": "unix:" + reeve.socket_path}
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETPIPE_SZ, 4096)  # so that it is stopped amid its lines
    first = reeve.spawn(argv, env=server, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    with open(ours, "rb", buffering=0) as pipe:
        text = b""
        while text.count(b"\n") < 50:
            text += pipe.read(64)
        first.send_signal(signal.SIGKILL)
        first.wait()
    seen = text.decode().split("\n")[:50]
    there = reeve.sql("SELECT count(*) FROM jobs")[0][0]
    assert 50 <= there < 400
    ids = ok(reeve.cli(*argv[1:])).split()
    assert ids[:50] == seen and len(set(ids)) == 400
    assert reeve.sql("SELECT count(*), count(DISTINCT name) FROM jobs") == [(400, 400)]


def test_ctrl_c_says_how_to_go_on(reeve):
    reeve.start_httpapi()
    path = lines_of(reeve, 2000)
    terminal = Terminal(reeve, "submit", path)
    terminal.read_until("of 2000")
    terminal.process.send_signal(signal.SIGINT)
    code, text = terminal.finish()
    assert code == 130
    assert "of 2000 are submitted; to go on: reeve submit --idempotency-key" in text
    assert reeve.sql("SELECT count(*) FROM jobs")[0][0] < 2000


def test_an_answer_that_is_lost_makes_no_second_job(reeve):
    """The service has stored the first job, and the connection is lost: the same key is sent again."""
    reeve.start_httpapi()
    path = lines_of(reeve, 20)
    with Proxy(reeve, lambda number, _: 0 if number <= 2 else None) as proxy:
        done = reeve.cli("submit", "--server", proxy.server, path)
    assert len(set(ok(done).split())) == 20
    assert len(proxy.requests) >= 3
    assert reeve.sql("SELECT count(*), count(DISTINCT name) FROM jobs") == [(20, 20)]


def test_the_progress_is_drawn_on_a_terminal_only(reeve):
    reeve.start_httpapi()
    path = lines_of(reeve, 3)
    code, text = on_terminal(reeve, "submit", path)
    assert code == 0 and "] 0 of 3" in text and "\033[K" in text
    assert len([line for line in text.splitlines() if "01" in line]) >= 3
    assert " of 3" not in reeve.cli("submit", path).stderr
    assert " of 3" not in on_terminal(reeve, "submit", "-q", path)[1]


# --- again, and out ---------------------------------------------------------------------------


def test_rerun(reeve):
    reeve.start()
    top = reeve.run("false")
    child = reeve.submit("true", depends_on=[{"job": top["id"], "on": "failure"}])
    reeve.wait(child)
    new = ok(reeve.cli("rerun", top["id"])).strip()
    assert reeve.wait(new)["rerun_of"] == top["id"] and reeve.job(new)["batch"] is None
    shown = json.loads(ok(reeve.cli("rerun", "--cascade", "-o", "json", top["id"])))
    assert shown["batch"] and shown["rerun_of"] == top["id"]
    below = reeve.request("GET", f"/v1/jobs/{shown['id']}/graph").json()["dependencies"]
    assert len(below) == 1 and below[0]["on"] == "failure"
    reeve.wait(below[0]["job"])
    held = reeve.submit("true", hold=True)
    assert reeve.cli("rerun", held["id"]).returncode == 5
    assert reeve.cli("rerun", "ffffffff").returncode == 3


def test_stop_with_all_that_depends_on_it(reeve):
    reeve.start_httpapi()
    top = reeve.submit("true")["id"]
    child = reeve.submit("true", depends_on=[{"job": top, "on": "any"}])["id"]
    ok(reeve.cli("stop", "--cascade", top))
    assert {reeve.job(job)["state"] for job in (top, child)} == {"cancelled"}


# --- the graph --------------------------------------------------------------------------------


def make_graph(reeve):
    reeve.start_httpapi()
    jobs = [("a", "fetch", []), ("b", "unpack", [("a", "success")]), ("c", "resize", [("b", "success")]),
            ("d", "count", [("b", "success")]), ("e", "publish", [("c", "success"), ("d", "any")]),
            ("f", "al\"arm\\", [("c", "failure")])]
    answer = reeve.request("POST", "/v1/batches", {"jobs": [
        {"ref": ref, "name": name, "command": "true",
         "depends_on": [{"job": "@" + parent, "on": on} for parent, on in parents]}
        for ref, name, parents in jobs]})
    assert answer.status == 201, answer
    return {job["ref"]: job["id"] for job in answer.json()["jobs"]}


TREE = """\
a  queued  fetch{a}
↓ b  waiting  unpack
├─ c  waiting  resize{c}
│  ├─ e  waiting  publish
│  └─ f  waiting  al"arm\\  [on failure]
└─ d  waiting  count
   └─ e  waiting  publish  [on any]  (see above)
"""


def test_the_tree(reeve):
    ids = make_graph(reeve)
    for asked in "ac":
        code, text = on_terminal(reeve, "graph", ids[asked][:27], env={"NO_COLOR": "1"})
        assert code == 0
        for ref, id in ids.items():
            text = text.replace(id, ref).replace(id[:18], ref)
        assert text == TREE.format(**{ref: "  (this one)" if ref == asked else "" for ref in "ac"})
    assert "\033[33mwaiting" in on_terminal(reeve, "graph", ids["c"])[1]


def test_a_long_chain_stays_at_the_margin(reeve):
    reeve.start_httpapi()
    jobs = [{"ref": f"r{i}", "command": "true", "depends_on": [{"job": f"@r{i - 1}"}] if i else []}
            for i in range(500)]
    made = reeve.request("POST", "/v1/batches", {"jobs": jobs}).json()["jobs"]
    tree = ok(reeve.cli("graph", "-o", "tree", made[250]["id"])).splitlines()
    assert [line.split("  ")[0].removeprefix("↓ ") for line in tree] == [job["id"] for job in made] or (
        [line.split("  ")[0].removeprefix("↓ ") for line in tree] == [job["id"][:18] for job in made])
    assert tree[250].endswith("(this one)")


def test_the_graph_for_programs(reeve):
    ids = make_graph(reeve)
    rows = [line.split("\t") for line in ok(reeve.cli("graph", ids["a"])).splitlines()]
    assert [ids["e"], "any", ids["d"], "pending"] in rows and len(rows) == 6
    assert set(ok(reeve.cli("graph", "-o", "id", ids["a"])).split()) == set(ids.values())
    whole = json.loads(ok(reeve.cli("graph", "-o", "json", ids["a"])))
    assert len(whole["jobs"]) == 6 and len(whole["dependencies"]) == 6
    dot = ok(reeve.cli("graph", "-o", "dot", ids["a"]))
    assert dot.startswith("digraph reeve {\n") and dot.endswith("}\n")
    assert f'\t"{ids["c"]}" -> "{ids["f"]}" [label="failure"];\n' in dot
    assert f'\t"{ids["f"]}" [label="al\\"arm\\\\\\nwaiting"];\n' in dot
    assert reeve.cli("graph", "-o", "wide", ids["a"]).returncode == 2
    lone = reeve.submit("true", name="lone")["id"]
    assert ok(reeve.cli("graph", lone)) == ""
    assert "lone" in ok(reeve.cli("graph", "-o", "tree", lone))
