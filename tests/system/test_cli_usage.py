"""The command line by itself: options, help, completion, `check`, and where the service is."""

import json
import os
import re
import socket
import subprocess

import pytest

import harness

VERBS = ["run", "ls", "show", "attempts", "events", "logs", "stop", "wait", "whoami", "api", "check",
         "db ls", "db show", "db logs", "db check", "db verify", "db backup", "db schema", "version",
         "help", "completion"]


@pytest.fixture
def run(new_reeve):
    """Runs `reeve` where no service is and none is named."""
    reeve = new_reeve()

    def go(*args, **env):
        environ = reeve.env(HOME=reeve.work, NO_COLOR="1", **env)
        environ.pop("XDG_CONFIG_HOME", None) if "XDG_CONFIG_HOME" not in env else None
        return subprocess.run([reeve.program("reeve"), *args], env=environ, cwd=reeve.work,
                              capture_output=True, text=True, timeout=harness.LIMIT_S)
    go.work = reeve.work
    return go


# --- verbs and options ----------------------------------------------------------------------


def test_no_verb_shows_help_on_stderr(run):
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Commands:" in done.stderr


def test_help_starts_with_examples_and_knows_every_verb(run):
    overview = run("help").stdout
    assert overview.index("Examples:") < overview.index("Commands:")
    assert "db verify" in run("help", "db").stdout
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", overview, re.M), f"{verb} is not in the overview"
        by_verb = run("help", *verb.split()).stdout
        by_option = run(*verb.split(), "--help").stdout
        assert by_verb == by_option
        assert by_verb.index("Examples:") < by_verb.index("Usage: reeve " + verb)


def test_version(run):
    for words in (["version"], ["--version"]):
        done = run(*words)
        assert done.returncode == 0
        assert re.fullmatch(r"reeve \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("words, meant", [
    (["rnu", "--", "true"], "did you mean run?"),
    (["db", "verfy"], "did you mean db verify?"),
    (["ls", "--lmit", "3"], "did you mean --limit?"),
    (["run", "--folow", "--", "true"], "did you mean --follow?"),
    (["--sever", "unix:x", "ls"], "did you mean --server?"),
    (["ls", "stat:failed"], "did you mean state:"),
    (["ls", "state:failled"], "did you mean failed?"),
    (["run", "--unique", "RU:rejct", "--", "true"], 'did you mean "RU:reject"?'),
    (["run", "--unique", "a:b:Replace", "--", "true"], 'did you mean "a:b:replace"?'),
])
def test_a_slip_names_what_was_meant(run, words, meant):
    done = run(*words)
    assert done.returncode == 2
    assert meant in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("words, said", [
    (["db"], "db wants one of: ls, show, logs"),
    (["show"], "too few arguments"),
    (["attempts", "a", "b"], "too many arguments"),
    (["run"], "too few arguments"),
    (["run", "--priority", "101", "--", "true"], "-100 to 100"),
    (["run", "--priority"], "--priority wants N"),
    (["run", "--label", "novalue", "--", "true"], "NAME=VALUE"),
    (["run", "--timeout", "soon", "--", "true"], "duration"),
    (["run", "-l", "a=1", "-l", "b=1", "-l", "a=2", "--", "true"], "--label a is given twice"),
    (["run", "-e", "A=1", "-e", "A=1", "--", "true"], "--env A is given twice"),
    (["run", "--task", "t", "-p", "n=1", "-p", "n=2"], "--parameter n is given twice"),
    (["change", "-l", "a=1", "-l", "a=2", "last"], "--label a is given twice"),
    (["run", "--at", "yesterday", "--", "true"], "--at wants a time such as 2026-11-21T06:00:00Z or +10m"),
    (["run", "--expires", "-5m", "--", "true"], '+10m, not "-5m"'),
    (["run", "--wait=yes", "--", "true"], "takes no value"),
    (["-o", "xml", "ls"], "table|wide|tsv|json|jsonl|id"),
    (["ls", "-Z"], "unknown option -Z"),
    (["ls", "limit:0"], "from 1 to"),
    (["show", "not-an-id"], "no job id"),
    (["api", "get", "/v1/jobs"], "no method"),
    (["api", "GET", "v1/jobs"], "no path"),
    (["completion", "tcsh"], "bash only"),
    (["run", "--idempotency-key", "a\r\nX-Evil: 1", "--", "true"], "visible ASCII"),
    (["--server", "http://127.0.0.1:99999", "ls"], "no address"),
])
def test_wrong_use_is_exit_code_2(run, words, said):
    done = run(*words)
    assert done.returncode == 2, done
    assert said in done.stderr
    assert done.stdout == ""


def test_completion_offers_verbs_and_options(run):
    script = run("completion", "bash").stdout

    def complete(*words):
        line = " ".join(f"'{word}'" for word in ("reeve", *words))
        done = subprocess.run(
            ["bash", "-c", f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words)}; _reeve; "
             'printf "%s\\n" "${COMPREPLY[@]}"'],
            capture_output=True, text=True, timeout=harness.LIMIT_S)
        assert done.stderr == ""
        return done.stdout.split()

    assert "run" in complete("ru") and "ls" not in complete("ru")
    assert complete("db", "ver") == ["verify"]
    assert complete("stop", "--re") == ["--reason"]
    assert "--server" in complete("ls", "--s")


def test_the_reference_in_docs_is_what_the_program_prints(run):
    """When this fails: replace what follows the marker in docs/cli.md by `reeve help --markdown`."""
    printed = run("help", "--markdown").stdout
    with open(os.path.join(harness.ROOT, "docs/cli.md"), encoding="utf-8") as file:
        _, marker, reference = file.read().partition("a test compares the two. -->\n\n")
    assert marker, "docs/cli.md lost its marker"
    assert reference == printed


def test_the_help_of_ls_has_its_words_and_that_of_stop_only_those_it_takes(run):
    ls, stop = run("help", "ls").stdout, run("help", "stop").stdout
    for word in ("sort:submitted", "sort:+finished", "limit:N", "finished-after:TIME", "succeeded"):
        assert word in ls and word not in stop
    assert "label:NAME=VALUE" in stop and "States: waiting, queued, running.\n" in stop


# --- check ----------------------------------------------------------------------------------


def test_check_accepts_its_own_example(run):
    example = run("check", "--example")
    assert example.returncode == 0
    path = os.path.join(run.work, "example.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(example.stdout)
    done = run("check", path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{path}: sound")


def test_check_says_where_a_mistake_is_and_what_was_meant(run):
    path = os.path.join(run.work, "bad.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write('{\n  // slots\n  "slts": 4\n}\n')
    done = run("check", path)
    assert done.returncode == 1
    assert "bad.json" in done.stderr and "slots" in done.stderr
    assert re.search(r"\b3\b", done.stderr), "the line is not named"
    assert done.stdout == ""


def test_check_of_a_missing_file_is_not_found(run):
    assert run("check", "nowhere.json").returncode == 3


# --- where the service is -------------------------------------------------------------------


def test_unreachable_is_exit_code_6(run):
    done = run("--server", "unix:" + os.path.join(run.work, "nobody.sock"), "ls")
    assert done.returncode == 6
    assert "cannot reach the service at unix:" in done.stderr


def test_unreachable_over_tcp(run):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        done = run("whoami", REEVE_SERVER="127.0.0.1:%d" % unused.getsockname()[1])
    assert done.returncode == 6


def test_run_does_not_repeat_what_was_never_sent(run):
    done = run("--server", "unix:" + os.path.join(run.work, "nobody.sock"), "run", "--", "true")
    assert done.returncode == 6
    assert "repeating" not in done.stderr


def test_the_local_socket_comes_from_the_configuration(run):
    path = os.path.join(run.work, "reeve.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"state_dir": os.path.join(run.work, "elsewhere"),
                   "listeners": [{"address": "127.0.0.1:0"}, {"address": "unix:run/other.sock"}]}, file)
    done = run("--config", path, "ls")
    assert done.returncode == 6
    assert os.path.join(run.work, "elsewhere/run/other.sock") in done.stderr


def profile(run, content):
    folder = os.path.join(run.work, "xdg/reeve")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(content, file)
    return {"XDG_CONFIG_HOME": os.path.join(run.work, "xdg")}


def test_profiles_say_where_the_service_is(run):
    env = profile(run, {"server": "unix:/nowhere/top",
                        "profiles": {"lab": {"server": "unix:/nowhere/lab"}}})
    assert "unix:/nowhere/top" in run("ls", **env).stderr
    assert "unix:/nowhere/lab" in run("--profile", "lab", "ls", **env).stderr
    assert "unix:/nowhere/env" in run("ls", REEVE_SERVER="unix:/nowhere/env", **env).stderr
    assert "unix:/nowhere/arg" in run("ls", "--server", "unix:/nowhere/arg",
                                      REEVE_SERVER="unix:/nowhere/env", **env).stderr
    assert run("--profile", "lob", "ls", **env).returncode == 3


def test_a_mistake_in_the_profile_is_named(run):
    env = profile(run, {"sever": "unix:/x"})
    done = run("ls", **env)
    assert done.returncode == 2
    assert "did you mean server?" in done.stderr


def token_file(run, mode, text="secret-0123456789\n"):
    path = os.path.join(run.work, f"token-{mode:o}")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_token_file_that_others_can_use_is_refused(run, mode):
    done = run("--server", "http://127.0.0.1:1", "--token-file", token_file(run, mode), "ls")
    assert done.returncode == 4
    assert "can be used by others" in done.stderr
    assert "secret" not in done.stderr


def test_a_private_token_file_is_taken(run):
    done = run("--server", "http://127.0.0.1:1", "--token-file", token_file(run, 0o600), "ls")
    assert done.returncode == 6, done.stderr


def test_other_troubles_with_token_files(run):
    where = ["--server", "http://127.0.0.1:1", "--token-file"]
    assert run(*where, os.path.join(run.work, "none"), "ls").returncode == 3
    assert run(*where, token_file(run, 0o600, "two words\n"), "ls").returncode == 2
    assert run(*where, "/dev/null", "ls").returncode == 2


def test_a_token_file_may_be_named_in_the_environment(run):
    done = run("ls", REEVE_SERVER="http://127.0.0.1:1", REEVE_TOKEN_FILE=token_file(run, 0o644))
    assert done.returncode == 4
    assert "can be used by others" in done.stderr


@pytest.mark.parametrize("server", ["http://127.evil.example:1", "http://192.0.2.1:1",
                                    "http://localhost.example:1", "reeve.example:1"])
def test_a_token_never_travels_in_clear(run, server):
    done = run("--server", server, "--token-file", token_file(run, 0o600), "ls")
    assert done.returncode == 4
    assert "in clear" in done.stderr


@pytest.mark.parametrize("server", ["ftp://x", "http://user:secret@127.0.0.1:1", "unix:/" + "x" * 120])
def test_impossible_servers(run, server):
    assert run("--server", server, "ls").returncode == 2
