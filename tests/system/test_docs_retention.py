"""docs/retention.md, done as it stands: its configuration and its commands."""

import json
import os
import re
import subprocess

import harness
from test_readme import BLOCK, checkout, pattern


def page():
    with open(os.path.join(harness.ROOT, "docs/retention.md"), encoding="utf-8") as file:
        return file.read()


def test_the_worked_example(reeve):
    config = json.loads(re.search(r"^```json\n(.*?)^```", page(), re.S | re.M).group(1))
    config["retention"]["every_s"] = 0  # else the worker may be quicker than the page
    reeve.start(**config)
    folder = checkout(reeve)
    environ = reeve.env(REEVE_SERVER="unix:" + reeve.socket_path, REEVE_CONFIG=reeve.config_path)
    environ["PATH"] = reeve.bin + ":" + environ["PATH"]
    blocks = BLOCK.findall(page())
    assert len(blocks) == 2, "docs/retention.md lost its commands"
    for commands, expected in blocks:
        done = subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=environ, capture_output=True,
                              text=True, timeout=harness.LIMIT_S)
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        assert pattern(expected).match(done.stdout), f"{commands}\nsaid\n{done.stdout}\nnot\n{expected}"


def test_every_key_is_documented():
    with open(os.path.join(harness.ROOT, "common/config_retention.c"), encoding="utf-8") as file:
        keys = re.findall(r'\{\.name = "(\w+)"', file.read())
    with open(os.path.join(harness.ROOT, "common/config_retention.h"), encoding="utf-8") as file:
        keys += re.findall(r'X\(OUTCOME_\w+,\s+"(\w+)"', file.read())
    assert len(keys) == 13
    for key in keys:
        assert f"`{key}`" in page(), f"docs/retention.md does not say {key}"
