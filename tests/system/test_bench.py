"""The benchmark itself: it must work, and count only what it saw stored or ended."""

import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree

import harness
import pytest
import tracing

BENCH = os.path.join(harness.ROOT, "bench")
PROGRAMS = os.path.join(os.path.dirname(harness.BIN), "bench")


@pytest.fixture(scope="module")
def modules():
    """The table of measures and what makes a page of a result."""
    sys.path.insert(0, BENCH)
    import measures
    import page
    import plot
    import report
    import scene
    import spent
    import where_page
    sys.path.remove(BENCH)
    return {"measures": measures, "page": page, "plot": plot, "report": report,
            "scene": scene, "spent": spent, "where_page": where_page}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """One run of everything with next to nothing to do, on a short history as well."""
    folder = tmp_path_factory.mktemp("bench")
    result, plots = folder / "result.json", folder / "plots"
    done = subprocess.run([os.path.join(BENCH, "run"), "--tiny", "--history", "50", "--dir", "/tmp",
                           "--json", result, "--plots", plots], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    return {"result": json.loads(result.read_text()), "said": done.stdout, "plots": plots,
            "path": result}


def rows_of(result):
    return {row["name"]: row for row in result["rows"]}


def test_every_row_of_the_table_is_measured(tiny, modules):
    rows = rows_of(tiny["result"])
    measures = modules["measures"]
    assert set(rows) == {row.name for row in measures.with_history(measures.ROWS, 50)}
    for name, row in rows.items():
        if "points" in row:
            assert len(row["points"]) == 2 and all(point["median"] > 0 for point in row["points"]), row
        elif "median" in row:
            assert row["median"] >= 0 and (row["median"] > 0 or name.startswith("idle_percent")), row
        else:
            assert row["why_not"].endswith("is not installed"), row
        assert row["title"] in tiny["said"]
        for must in row["must"]:
            for bound in must["bounds"]:
                assert "median" in bound or bound["why_not"].endswith("is not installed"), (name, bound)


def test_limits_are_of_the_same_round(tiny):
    rows = rows_of(tiny["result"])
    http, sqlite, limit = (rows[name]["median"] for name in ("http", "sqlite", "limit"))
    assert limit == pytest.approx(1 / (1 / http + 1 / sqlite))
    (bound,) = rows["submissions"]["must"][0]["bounds"]
    assert bound["median"] == pytest.approx(rows["submissions"]["median"] / limit)
    (bound,) = rows["noop@history"]["must"][0]["bounds"]
    assert bound["median"] == pytest.approx(rows["noop@history"]["median"] / rows["noop"]["median"])


def test_plots_and_page_come_from_the_result(tiny, modules, tmp_path, monkeypatch):
    names = sorted(os.listdir(tiny["plots"]))
    assert names == ["answer_connections.svg", "follow_followers.svg", "reached.svg",
                     "run_waiting.svg", "start_waiting.svg"]
    for name in names:
        drawn = xml.etree.ElementTree.parse(tiny["plots"] / name).getroot()
        assert "NaN" not in (tiny["plots"] / name).read_text() and len(list(drawn)) > 5
    page = modules["page"]
    copy = tmp_path / "performance.md"
    with open(page.PAGE, encoding="utf-8") as file:
        copy.write_text(file.read())
    monkeypatch.setattr(page, "PAGE", str(copy))
    monkeypatch.setattr(page, "PLOTS", str(tmp_path / "performance"))
    page.fill(tiny["result"])
    once = copy.read_text()
    page.fill(tiny["result"])
    assert copy.read_text() == once and once.startswith("# Performance\n")
    for row in tiny["result"]["rows"]:
        assert row["title"].replace("|", "\\|") in once
    shown = re.findall(r"\]\(performance/(\w+\.svg)\)", once)
    assert sorted(shown) == names == sorted(os.listdir(tmp_path / "performance"))


def test_a_tiny_run_is_not_published(tiny, modules):
    with open(modules["page"].PAGE, encoding="utf-8") as file:
        before = file.read()
    done = subprocess.run([os.path.join(BENCH, "run"), "--docs", "--json", tiny["path"]],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "--tiny" in done.stderr
    with open(modules["page"].PAGE, encoding="utf-8") as file:
        assert file.read() == before


def test_peers_that_are_missing_have_no_figure(tmp_path):
    """Without PATH no peer is found (those of /usr/sbin apart): said, and never invented."""
    found = tmp_path / "result.json"
    done = subprocess.run(["/usr/bin/python3", os.path.join(BENCH, "run"), "--tiny", "--only", "nq",
                           "--dir", "/tmp", "--json", found], capture_output=True, text=True,
                          timeout=120, env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(found.read_text())["rows"]
    assert row["name"] == "nq" and row["why_not"] == "nq is not installed" and "median" not in row
    assert "nq is not installed" in done.stdout


def test_a_run_that_was_cut_off_goes_on_behind_its_last_whole_round(tmp_path):
    def bench(*options):
        done = subprocess.run([os.path.join(BENCH, "run"), "--tiny", "--only", "growth", "spawn", "--dir",
                               "/tmp", "--json", tmp_path / "result.json", *options], capture_output=True,
                              text=True, timeout=300)
        return done, json.loads((tmp_path / "result.json").read_text())
    done, first = bench("--rounds", "1")
    assert done.returncode == 0, done.stderr
    assert len(first["found"]) == first["rounds"] == 1
    done, both = bench("--rounds", "2", "--resume")
    assert done.returncode == 0, done.stderr
    assert "round 2/2" in done.stderr and "round 1/2" not in done.stderr
    assert both["found"][0] == first["found"][0] and both["rounds"] == 2
    for row in both["rows"]:
        for figure in row.get("points", [row]):
            assert len(figure["all"]) == 2, row
    done, kept = bench("--rounds", "3", "--resume", "--slots", "7")
    assert done.returncode != 0 and "slots was" in done.stderr and kept == both


def test_a_killed_run_leaves_its_whole_rounds(tmp_path):
    found = tmp_path / "result.json"
    process = subprocess.Popen([os.path.join(BENCH, "run"), "--tiny", "--only", "spawn", "--rounds", "100000",
                                "--dir", "/tmp", "--json", found], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        harness.wait_until(found.exists, "the first round", 60)
    finally:
        process.kill()
        process.wait()
    result = json.loads(found.read_text())
    assert len(result["found"]) == result["rounds"] >= 1 and rows_of(result)["spawn"]["median"] > 0


def test_a_history_is_kept_and_found_again(tmp_path):
    def bench(count):
        return subprocess.run([os.path.join(BENCH, "run"), "--tiny", "--history", str(count), "--history-dir",
                               tmp_path / "old", "--only", "worker_start", "history_bytes", "--dir", "/tmp",
                               "--json", tmp_path / "result.json"], capture_output=True, text=True, timeout=120)
    for is_made in (True, False):
        done = bench(30)
        assert done.returncode == 0, done.stderr
        assert ("making 30 finished jobs" in done.stderr) == is_made
        rows = rows_of(json.loads((tmp_path / "result.json").read_text()))
        assert set(rows) == {"worker_start", "worker_start@history", "history_bytes"}
        assert rows["history_bytes"]["median"] > 100
    refused = bench(31)
    assert refused.returncode != 0 and "has 30 jobs, fewer than 31" in refused.stderr


def test_a_measure_that_breaks_off_leaves_nothing_to_the_next_on_that_history(modules, tmp_path):
    scene, history = modules["scene"], str(tmp_path / "old")
    os.mkdir(history, 0o700)
    subprocess.run([os.path.join(harness.TESTS, "history"), history, "20", "0", "30", "1"], check=True,
                   timeout=60)
    bench = scene.Bench(scene.SCALES["tiny"], 2, str(tmp_path))
    bench.history = history
    with pytest.raises(ZeroDivisionError), bench.service() as reeve:
        reeve.start_httpapi()
        reeve.submit(scene.NOOP)
        raise ZeroDivisionError
    bench.history = None
    with bench.service() as reeve:
        reeve.start_httpapi()
    bench.history = history
    with bench.service() as reeve:
        assert reeve.sql("SELECT state FROM jobs WHERE id > 20") == [("cancelled",)]
        assert not reeve.httpapi.is_running and not reeve.worker.is_running


def test_a_failed_measure_fails_the_run_and_spares_the_others(tmp_path):
    """A program of the benchmark that is not there: its row says so, the rest is measured."""
    build = tmp_path / "build"
    os.makedirs(build / "bench")
    os.symlink(harness.BIN, build / "bin")
    for name in ("limit_spawn",):
        os.symlink(os.path.join(PROGRAMS, name), build / "bench" / name)
    found = tmp_path / "result.json"
    done = subprocess.run([os.path.join(BENCH, "run"), "--tiny", "--only", "spawn", "sqlite", "--dir", "/tmp",
                           "--json", found], capture_output=True, text=True, timeout=120,
                          env={**os.environ, "REEVE_BIN": str(build / "bin")})
    assert done.returncode == 1
    rows = rows_of(json.loads(found.read_text()))
    assert rows["spawn"]["median"] > 0
    assert rows["sqlite"]["why_not"].startswith("failed: ")


@pytest.mark.skipif(tracing.why_not() is not None, reason=str(tracing.why_not()))
def test_where_counts_what_each_piece_spends():
    done = subprocess.run([os.path.join(BENCH, "where"), "--jobs", "40", "--dir", "/tmp"],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    calls = re.findall(r"([\d.]+) system calls", done.stdout)
    assert len(calls) == 3 and all(float(number) >= 3 for number in calls), done.stdout
    # Requests are received, and a job is given its three streams.
    (received, *_), (streams,) = (re.findall(rf"([\d.]+)  {name}\n", done.stdout)
                                  for name in ("recvfrom", "dup2"))
    assert float(received) >= 1 and float(streams) >= 3, done.stdout
    cpu = re.findall(r"([\d.]+) us", done.stdout)
    assert len(cpu) == 5 and all(float(number) > 0 for number in cpu[:4]), done.stdout


def test_what_was_spent_is_written_into_the_page(modules, tmp_path, monkeypatch):
    """The section alone is replaced, and what is measured at another time stays."""
    page = modules["page"]
    found = {"processor": {"daemon": 12.5, "shims": 3, "jobs": 4}, "calls": {"fdatasync": 1, "write": 2.5},
             "places": {"objects": [(60, "[kernel.kallsyms]"), (40, "libsqlite3.so.0.8.6")],
                        "functions": [(9, "[kernel.kallsyms] [k] finish_task_switch.isra.0")]},
             "instructions": {("run", "libc.so.6"): 1500, ("run", "reeve-httpapi"): 2500}}
    copy = tmp_path / "performance.md"
    with open(page.PAGE, encoding="utf-8") as file:
        copy.write_text(file.read())
    before = copy.read_text()
    monkeypatch.setattr(page, "PAGE", str(copy))
    for _ in range(2):
        every = [(kind, found) for kind in modules["spent"].KINDS]
        page.fill_where(list(modules["where_page"].paragraphs(every, 7)))
        once = copy.read_text()
        for text in ("| 3.5 | 3.5 | 3.5 |", "4,000", "kernel 60, libsqlite3.so 40", "finish_task_switch` 9.0"):
            assert text in once, once
        for mark in (*page.FIGURES, *page.WHERE):
            assert once.count(mark) == 1
    assert once.partition(page.WHERE[0])[0] == before.partition(page.WHERE[0])[0]


@pytest.mark.parametrize("points, wanted", [
    ([(1, 5.0), (10, 5.0), (100, 5.0)], 0), ([(1, 1.0), (10, 1.0), (100, 10.0)], 1),
    ([(1, 1.0), (10, 2.0), (100, 200.0)], 2)])
def test_growth_is_judged_at_its_upper_end(modules, points, wanted):
    assert modules["measures"].exponent(points) == pytest.approx(wanted)


def test_unknown_measures_are_refused():
    done = subprocess.run([os.path.join(BENCH, "run"), "--only", "submisions"], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode != 0 and "submissions_one" in done.stderr


# --- the programs ---------------------------------------------------------------------------


def load(reeve, *args):
    done = subprocess.run([os.path.join(PROGRAMS, "load"), *args], capture_output=True, text=True,
                          timeout=harness.LIMIT_S)
    return done.returncode, json.loads(done.stdout)


def test_load_generator_counts_what_was_stored(reeve):
    reeve.start_httpapi()
    code, counted = load(reeve, "-b", '{"command": "true"}', "unix:" + reeve.socket_path, "4", "50")
    assert code == 0 and (counted["expected"], counted["other"]) == (50, 0)
    assert reeve.sql("SELECT count(*) FROM jobs") == [(50,)]
    host, port = reeve.address
    code, counted = load(reeve, "-m", "GET", "-p", "/v1/jobs?limit=50", "-e", "200", "-H",
                         f"Authorization: Bearer {reeve.token}", f"{host}:{port}", "2", "10")
    assert code == 0 and counted["expected"] == 10 and 0 < counted["p50_ms"] <= counted["max_ms"]


def test_load_generator_reports_answers_that_are_not_expected(reeve):
    reeve.start_httpapi()
    code, counted = load(reeve, "-b", '{"command": "no-such-program"}', "unix:" + reeve.socket_path,
                         "4", "20")
    assert code == 1 and (counted["expected"], counted["other"]) == (0, 20)


def test_fetch_counts_the_bytes_of_the_body(reeve):
    reeve.start(exec_roots=[{"path": "/usr/bin", "follow_links": True}, PROGRAMS])
    job = reeve.submit(PROGRAMS + "/pour", "3")
    for query in ("", "?follow=1"):  # by its length, and in chunks
        done = subprocess.run([os.path.join(PROGRAMS, "fetch"), "unix:" + reeve.socket_path, "3",
                               f"/v1/jobs/{reeve.wait(job)['id']}/output{query}"], capture_output=True,
                              text=True, timeout=harness.LIMIT_S)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert (found["fewest"], found["most"]) == (3 << 20, 3 << 20)
    lost = subprocess.run([os.path.join(PROGRAMS, "fetch"), "unix:" + reeve.socket_path, "1",
                           "/v1/jobs/ffffffff/output"], capture_output=True, text=True,
                          timeout=harness.LIMIT_S)
    assert lost.returncode == 1 and "404" in lost.stderr
