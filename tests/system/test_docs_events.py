"""docs/events.md: its kinds are those of the source. (Its commands: test_readme.py.)"""

import glob
import os
import re

import harness

# What writes an event, and which of its arguments is the kind.
WRITERS = {"event_of_move": 2, "service_event": 1, "cancel_event": 2, "wait_for": 2, "event_put": 2}


def read(*names):
    with open(os.path.join(harness.ROOT, *names), encoding="utf-8") as file:
        return file.read()


def arguments(source, start):
    """Those of the call whose bracket opens at `start`."""
    found, depth, at = [""], 0, start
    while True:
        char = source[at]
        depth += (char in "({[") - (char in ")}]")
        if depth == 0:
            return found
        if char == "," and depth == 1:
            found.append("")
        elif depth > 1 or char not in "({[":
            found[-1] += char
        at += 1


def written_kinds():
    kinds = set()
    for path in glob.glob(os.path.join(harness.ROOT, "queue", "*.c")):
        source = read(path)
        kinds |= set(re.findall(r'\.(?:kind|event) = "(\w+)"', source))
        for name, number in WRITERS.items():
            for call in re.finditer(rf"\b{name}\(", source):
                kinds |= set(re.findall(r'"(\w+)"', arguments(source, call.end() - 1)[number]))
        # whatever else passes a kind on has to be one of the writers above
        for helper, body in re.findall(r"\n(?:static )?int (\w+)\([^;{]*?\)\n\{(.*?)\n\}", source, re.S):
            if not ("event_append(" in body and re.search(r"\.kind = kind\b", body)):
                continue
            assert helper in WRITERS, f"{helper} of {path} writes events of kinds that nobody compares"
    return kinds


def test_every_kind_is_listed_and_documented():
    listed = set(re.findall(r'X\("(\w+)"\)', read("queue", "events.h").split("#define EVENT_KINDS")[1]))
    page = read("docs", "events.md").split("## An event")[1]
    documented = set()
    for table in page.split("| kind |")[1:]:
        rows = [line for line in table.split("\n\n")[0].splitlines()[2:]]
        for row in rows:
            documented |= set(re.findall(r"`(\w+)`", row.split("|")[1]))
    assert len(listed) >= 20
    assert written_kinds() == listed == documented
