"""The checks of scripts/lint-includes and scripts/lint-sizes see what they are there to see.

Each test breaks one rule in a copy of the tree and expects the finding with its place.
"""

import os
import shutil
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PARTS = ("common", "queue", "tasks", "worker", "httpapi", "client", "tests", "bench",
         "migrations", "scripts")


@pytest.fixture
def tree(tmp_path):
    """A copy of everything that the checks look at."""
    for part in PARTS:
        if os.path.isdir(os.path.join(ROOT, part)):
            shutil.copytree(os.path.join(ROOT, part), tmp_path / part,
                            ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return tmp_path


def run(script, tree, *options):
    """(exit code, lines said) of the tree's own copy of a check."""
    result = subprocess.run([tree / "scripts" / script, *options], cwd="/", text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return result.returncode, result.stdout.splitlines()


def run_step(tree, step):
    """The same of one step of the whole."""
    result = subprocess.run([tree / "scripts/lint", step], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    return result.returncode, result.stdout.splitlines()


def add(path, text):
    """Appends to a file (or makes it); the number of the first new line."""
    old = path.read_text() if path.exists() else ""
    path.parent.mkdir(exist_ok=True)
    path.write_text(old + text)
    return old.count("\n") + 1


def function_of(lines, conditions=0, name="grown"):
    """A function of exactly so many lines, whose complexity is 1 + conditions."""
    tests = [f"\tif (a == {i}) a++;" for i in range(conditions)]
    body = tests + ["\ta++;"] * (lines - 5 - conditions)
    return "\n".join([f"int {name}(int a);", f"int {name}(int a)", "{", *body, "\treturn a;",
                      "", "}", ""])


@pytest.mark.parametrize("script", ["lint-includes", "lint-sizes"])
def test_the_tree_is_clean(script, tree):
    code, lines = run(script, tree)
    assert code == 0, "\n".join(lines)


@pytest.mark.parametrize("path, line, finding", [
    ("common/buf.c", '#include "queue/queue.h"', 'common/ must not include queue/ ("queue/queue.h")'),
    ("common/buf.h", '#include "queue/queue.h"', 'common/ must not include queue/ ("queue/queue.h")'),
    ("queue/state.c", '#include "worker/journal.h"',
     'queue/ must not include worker/ ("worker/journal.h")'),
    ("worker/journal.c", '#include "httpapi/request.h"',
     'worker/ must not include httpapi/ ("httpapi/request.h")'),
    ("httpapi/auth.c", '  #  include  "worker/journal.h"',
     'httpapi/ must not include worker/ ("worker/journal.h")'),
    ("client/api.c", '#include "httpapi/request.h"',
     'client/ must not include httpapi/ ("httpapi/request.h")'),
    ("worker/journal.c", '#include "queue/db.h"',
     '"queue/db.h" is private to queue/: include "queue/queue.h"'),
    ("client/api.c", '#include "common/json.h"',
     '"common/json.h" is private to common/: include "common/common.h"'),
    ("httpapi/auth.c", '#include "../queue/queue.h"', '"../queue/queue.h": expected "FOLDER/FILE.h"'),
    ("httpapi/auth.c", '#include "auth.h"', '"auth.h": expected "FOLDER/FILE.h"'),
    ("httpapi/auth.c", '#include "statements.h"', '"statements.h" belongs to queue/'),
    ("httpapi/auth.c", "#include <sqlite3.h>", "<sqlite3.h> (SQL) belongs to queue/"),
    ("worker/journal.c", "#include <microhttpd.h>",
     "<microhttpd.h> (libmicrohttpd) belongs to httpapi/"),
    ("httpapi/auth.c", "#include <curl/curl.h>", "<curl/curl.h> (libcurl) belongs to client and sender/"),
])
def test_a_wrong_include_is_found(path, line, finding, tree):
    number = add(tree / path, line + "\n")
    code, lines = run("lint-includes", tree, "--quick")
    assert code == 1
    assert f"{path}:{number}: {finding}" in lines


@pytest.mark.parametrize("path, call, finding", [
    ("httpapi/auth.c", "sqlite3_close(0)", "sqlite3_close (SQL) belongs to queue/"),
    ("client/api.c", "sqlite3_open (0, 0)", "sqlite3_open (SQL) belongs to queue/"),
    ("queue/state.c", "MHD_destroy_response(0)",
     "MHD_destroy_response (libmicrohttpd) belongs to httpapi/"),
    ("httpapi/auth.c", "curl_easy_init()", "curl_easy_init (libcurl) belongs to client and sender/"),
    ("httpapi/auth.c", "fork()", "fork (starting processes) belongs to worker/"),
    ("client/api.c", "execvp(0, 0)", "execvp (starting processes) belongs to worker/"),
    ("common/buf.c", "posix_spawn (0)", "posix_spawn (starting processes) belongs to worker/"),
    ("queue/state.c", "clone(0)", "clone (starting processes) belongs to worker/"),
    ("httpapi/auth.c", "syscall(SYS_execveat)",
     "SYS_execveat (starting processes) belongs to worker/"),
])
def test_a_call_out_of_its_folder_is_found(path, call, finding, tree):
    number = add(tree / path, f"void stray(void)\n{{\n\t{call};\n}}\n") + 2
    code, lines = run("lint-includes", tree, "--quick")
    assert code == 1
    assert f"{path}:{number}: {finding}" in lines


def test_words_in_comments_and_strings_are_no_calls(tree):
    before = run("lint-includes", tree, "--quick")
    add(tree / "httpapi/auth.c", """
/* sqlite3_open() and fork() are not called here;
#include "worker/journal.h"
 * nor is MHD_start. */
// execve(2) "
static const char *const words = "sqlite3_step( fork( \\" MHD_x";
static const char quote = '"'; // execve()
""")
    assert run("lint-includes", tree, "--quick") == before


def test_a_header_that_needs_another_first_is_found(tree):
    add(tree / "common/needy.h", "size_t needy(struct buf *buf);\n")
    code, lines = run("lint-includes", tree)
    assert code == 1
    assert any(line.startswith("common/needy.h:1: does not compile alone: ") for line in lines)


def test_an_empty_tree_is_no_clean_tree(tmp_path):
    shutil.copytree(os.path.join(ROOT, "scripts"), tmp_path / "scripts")
    (tmp_path / "migrations").mkdir()
    assert run("lint-includes", tmp_path)[0] == 1
    assert run("lint-sizes", tmp_path)[0] == 1


@pytest.mark.parametrize("lines, conditions, finding", [
    (60, 0, None),
    (61, 0, "grown has lines: 61, more than 60"),
    (60, 14, None),
    (60, 15, "grown has complexity 16, more than 15"),
])
def test_a_function_that_grows_too_large_is_found(lines, conditions, finding, tree):
    number = add(tree / "queue/state.c", function_of(lines, conditions)) + 1
    code, said = run("lint-sizes", tree)
    here = [line for line in said if line.startswith(f"queue/state.c:{number}: ")]
    assert here == ([f"queue/state.c:{number}: {finding}"] if finding else [])
    assert code == 1 or not finding


@pytest.mark.parametrize("condition", [
    "if (a) a++;", "for (; a;) a++;", "while (a) a++;", "a = a && 1;", "a = a || 1;",
    "a = a ? 1 : 2;", "switch (a) { case 1: break; }",
])
def test_each_kind_of_condition_counts(condition, tree):
    body = "\t/* if && */ // while\n" + f"\t{condition}\n" * 15 + '\tput("if && ?");\n'
    number = add(tree / "queue/state.c", f"int knot(int a)\n{{\n{body}\treturn a;\n}}\n")
    _, said = run("lint-sizes", tree)
    assert f"queue/state.c:{number}: knot has complexity 16, more than 15" in said


@pytest.mark.parametrize("path", ["queue/long.c", "queue/long.h", "queue/long.sql",
                                  "tests/system/long.py", "scripts/long"])
def test_a_file_that_grows_too_long_is_found(path, tree):
    add(tree / path, "\n" * 600)
    assert not any(line.startswith(path) for line in run("lint-sizes", tree)[1])
    add(tree / path, "\n")
    code, lines = run("lint-sizes", tree)
    assert code == 1
    assert f"{path}:1: the file has lines: 601, more than 600" in lines


def test_a_table_is_no_function(tree):
    before = run("lint-sizes", tree)[1]
    rows = "\n".join(f"\t{{(struct row){{{i}}}.a ? 1 : 2}}," for i in range(100))
    add(tree / "queue/state.c", f"#define LONG(a) \\\n\t{{ a }}\nconst struct row ROWS[] = {{\n{rows}\n}};\n"
        f"struct many {{\n" + "\tint a;\n" * 100 + "};\n")
    assert [line for line in run("lint-sizes", tree)[1] if "ROWS" in line or "many" in line] == []
    assert len(run("lint-sizes", tree)[1]) == len(before)


def test_lint_knows_its_steps(tree):
    result = subprocess.run([tree / "scripts/lint", "polish"], text=True, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert result.returncode == 2
    assert "includes" in result.stderr


def test_lint_fails_when_a_step_fails(tree):
    add(tree / "common/buf.c", '#include "queue/queue.h"\n')
    code, lines = run_step(tree, "includes")
    assert code == 1
    assert lines[-1] == "lint: failed: includes"
