"""docs/tasks.md, done as it stands: its configuration, its commands, real pictures.

Only the places are others: the page says /srv/media and var.
"""

import json
import os
import re
import subprocess

import harness
from test_readme import BLOCK, checkout, pattern


def page():
    with open(os.path.join(harness.ROOT, "docs/tasks.md"), encoding="utf-8") as file:
        return file.read()


def test_the_thumbnail_example(reeve):
    media = os.path.join(reeve.work, "media")
    os.makedirs(os.path.join(media, "thumbs"))
    subprocess.run(["convert", "-size", "640x480", "gradient:yellow-blue", os.path.join(media, "sun.png")],
                   check=True, timeout=harness.LIMIT_S)
    text = page().replace("/srv/media", media)
    config = json.loads(re.search(r"^```json\n(.*?)^```", text, re.S | re.M).group(1))
    reeve.start(**config)
    folder = checkout(reeve)
    environ = reeve.env(REEVE_SERVER="unix:" + reeve.socket_path)
    environ["PATH"] = reeve.bin + ":" + environ["PATH"]
    blocks = BLOCK.findall(text)
    assert len(blocks) == 4, "docs/tasks.md lost its commands"
    for commands, expected in blocks:
        done = subprocess.run(["bash", "-e", "-c", commands], cwd=folder, env=environ, capture_output=True,
                              text=True, timeout=harness.LIMIT_S)
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        said = done.stdout.rstrip("\n") + "\n"
        if "#/parameters" in expected:  # problems come in one line; their order is the program's
            for line in expected.splitlines():
                assert pattern("…" + line).match(said), f"{commands}\nsaid {said}\nnot {line}"
        else:
            assert pattern(expected).match(said), f"{commands}\nsaid\n{said}\nnot\n{expected}"
    assert len(reeve.sql("SELECT id FROM v_jobs WHERE task = 'createthumb' AND state = 'succeeded'")) == 2


def test_every_key_is_documented():
    text = page()
    for name in ("tasks/definition.c", "tasks/parameter.c"):
        with open(os.path.join(harness.ROOT, name), encoding="utf-8") as file:
            source = file.read()
        for table in re.findall(r"const struct (?:key|rule) \w+\[\] = \{\n(.*?)^\};", source, re.S | re.M):
            for key in re.findall(r'\.name = "(\w+)",\s.*?\.read = ', table):
                assert re.search(rf"`(limits\.)?{key}\b", text), f"docs/tasks.md does not say {key}"
