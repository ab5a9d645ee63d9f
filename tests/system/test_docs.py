"""What the documents list must be what the programs do: settings, log events."""

import glob
import os
import re
import subprocess

import harness


def read(*names):
    with open(os.path.join(harness.ROOT, *names), encoding="utf-8") as file:
        return file.read()


def test_example_configuration_is_fresh(new_reeve):
    """When this fails: `reeve check --example > docs/reeve.example.json`."""
    printed = subprocess.run([new_reeve().program("reeve"), "check", "--example"], capture_output=True,
                             text=True, check=True).stdout
    assert printed == read("docs/reeve.example.json")


def test_example_configuration_is_valid(reeve):
    checked = reeve.cli("check", os.path.join(harness.ROOT, "docs/reeve.example.json"))
    assert checked.returncode == 0, checked.stderr


def test_settings_in_the_operations_page_exist():
    table = read("docs/operations.md").split("## Settings")[1].split("\n## ")[0]
    names = set(re.findall(r"^\| `([\w.]+)`", table, re.M))
    assert len(names) > 5
    example = re.sub(r"^\s*//.*", "", read("docs/reeve.example.json"), flags=re.M)
    missing = {name for name in names if f'"{name.split(".")[-1]}":' not in example}
    assert not missing


def test_every_log_event_is_documented_and_no_other():
    written = set()
    for path in glob.glob(os.path.join(harness.ROOT, "*/*.c")):
        if os.path.basename(os.path.dirname(path)) not in ("common", "queue", "worker", "sender", "httpapi"):
            continue
        source = read(path)
        for call in re.findall(r"\blog_event\((.*?)LOG_(?:TEXT|INT|END)", source, re.S):
            written |= set(re.findall(r'"(\w+)"', call))
        written |= set(re.findall(r'\{LOG_[A-Z]+, "(\w+)"\}', source))  # a table's row
        written |= set(re.findall(r"\bev=(\w+)", re.sub(r"/\*.*?\*/", "", source, flags=re.S)))
    table = read("docs/operations.md").split("| `ev=` |")[1].split("\n\n")[0]
    documented = set(re.findall(r"`(\w+)`", "\n".join(
        line.split("|")[1] for line in table.splitlines()[2:])))
    assert written == documented
