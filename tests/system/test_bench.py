"""The benchmark itself: it must work, and count only what it saw stored or ended."""

import json
import os
import subprocess

import harness


def test_bench_measures_every_rate(tmp_path):
    found = tmp_path / "result.json"
    done = subprocess.run(
        [os.path.join(harness.ROOT, "bench/run"), "--rounds", "1", "--seconds", "1", "--jobs", "40",
         "--dir", "/tmp", "--json", str(found)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    result = json.loads(found.read_text())
    assert set(result["rates"]) == {"http", "sqlite", "limit", "submissions", "spawn", "noop"}
    assert all(rate["median"] > 0 for rate in result["rates"].values())
    assert all(ratio["median"] > 0 for ratio in result["ratios"].values())


def test_load_generator_reports_answers_that_are_not_201(reeve):
    reeve.start_httpapi()
    load = os.path.join(os.path.dirname(reeve.bin), "bench/load")
    done = subprocess.run([load, "unix:" + reeve.socket_path, "4", "20", '{"command": "no-such-program"}'],
                          capture_output=True, text=True, timeout=harness.LIMIT_S)
    assert done.returncode == 1
    counted = json.loads(done.stdout)
    assert (counted["created"], counted["other"]) == (0, 20)
