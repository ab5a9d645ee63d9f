"""The README's own commands, run as they stand against a real service.

Each ```sh block is run; a ```text block after it is what must come out, `…` standing for
anything. Only the address is another: the README says 127.0.0.1:8080.
"""

import os
import re
import subprocess

import pytest

import harness

BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.S | re.M)


def blocks_of(name):
    with open(os.path.join(harness.ROOT, name), encoding="utf-8") as file:
        return BLOCK.findall(file.read())


def pattern(text):
    """`text` as a regular expression: a line that is only … stands for any lines."""
    lines = [r"(?:.*\n)*?" if line == "…" else
             ".*".join(re.escape(part) for part in line.split("…")) + r"\n?"
             for line in text.splitlines()]
    return re.compile("".join(lines) + r"\Z")


def checkout(reeve):
    """A folder that looks like a clone in which scripts/run has run."""
    build = os.path.join(reeve.work, "build/release")
    os.makedirs(build)
    os.symlink(reeve.bin, os.path.join(build, "bin"))
    os.symlink(reeve.state_dir, os.path.join(reeve.work, "var"))
    return reeve.work


@pytest.mark.parametrize("name, least", [
    ("README.md", 8), ("docs/waiting.md", 4), ("docs/pipelines.md", 8), ("docs/changing.md", 3),
    ("docs/events.md", 7),
    ("docs/operations.md", 1),
    ("docs/finding.md", 6)])
def test_commands_of(reeve, name, least):
    reeve.start()
    folder = checkout(reeve)
    blocks = blocks_of(name)
    assert len(blocks) >= least, f"{name} lost its commands"
    # One shell for all, as somebody would type them: a variable set above is used below.
    script, marker = "set -e; PATH=$PWD/build/release/bin:$PATH\n", "=== next block ==="
    for commands, _ in blocks:
        script += commands.replace("127.0.0.1:8080", "{}:{}".format(*reeve.address))
        script += f"\necho; echo '{marker}'\n"
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True,
                          timeout=harness.LIMIT_S,
                          env=reeve.env(REEVE_SERVER="unix:" + reeve.socket_path))
    outputs = done.stdout.split(f"\n{marker}\n")
    for number, (commands, expected) in enumerate(blocks):
        said = outputs[number] if number < len(outputs) else "(was not reached)"
        assert number < len(outputs) - 1, (
            f"this block of {name} failed:\n{commands}\n{said}\n{done.stderr}")
        if expected:
            assert pattern(expected).match(said.rstrip("\n") + "\n"), (
                f"{name} says that\n{commands}\nprints\n{expected}\nbut it printed\n{said}\n{done.stderr}")
    assert done.returncode == 0, done.stderr


def test_readme_names_only_what_exists():
    with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(harness.ROOT, "CONTRIBUTING.md"), encoding="utf-8") as file:
        text += file.read()
    names = re.findall(r"`((?:common|queue|worker|httpapi|client|migrations|scripts|tests|docs|bench)/[\w./-]*\w)`",
                       text)
    names += re.findall(r"\]\((?!http)([^)#]+)\)", text)
    missing = sorted({name for name in names if not os.path.exists(os.path.join(harness.ROOT, name))
                      and "NNNN" not in name})
    assert not missing, f"README or CONTRIBUTING name files that are not there: {missing}"
