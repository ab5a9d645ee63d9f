"""Searching in an output over HTTP: against a loop over its lines, in pages, while it grows."""

import glob
import hashlib
import re
import struct
import urllib.parse

import pytest

import harness
# Lines on both streams, some without an end, some empty, some long, some no UTF-8.
SCRIPT = r"""
for i in $(seq 400); do
	echo "line $i of stdout"
	[ $((i % 7)) = 0 ] && echo "an Error at $i" >&2
	[ $((i % 50)) = 0 ] && printf 'half ' >&2 && printf 'error\n\n'
done
head -c 9000 /dev/zero | tr '\0' x; printf 'needle'; head -c 9000 /dev/zero | tr '\0' y; echo
printf 'broken \377\376 needle \001\n'
printf 'the last needle'
"""


@pytest.fixture(scope="module")
def done():
    one = harness.Reeve()
    one.start()
    job = one.run("sh", "-c", SCRIPT)
    yield one, job["id"]
    wrong = one.close(True)
    assert not wrong, wrong


def search(reeve, job, **query):
    return reeve.request("GET", f"/v1/jobs/{job}/output/search?" + urllib.parse.urlencode(query))


def all_pages(reeve, job, **query):
    """Every item, page by page, and how many pages it took."""
    items, pages, cursor = [], 0, {}
    while True:
        answer = search(reeve, job, **query, **cursor)
        assert answer.status == 200, answer
        page = answer.json()
        items += page["items"]
        pages += 1
        if page["next_cursor"] is None:
            return items, pages
        cursor = {"cursor": page["next_cursor"]}


def expected(output, needle, ignore_case=False):
    """(line, offset, bytes of the line) of each line that has it."""
    fold = bytes.lower if ignore_case else bytes
    found, offset = [], 0
    for number, line in enumerate(output.split(b"\n"), 1):
        if fold(needle) in fold(line):
            found.append((number, offset, line))
        offset += len(line) + 1
    return found


@pytest.mark.parametrize("stream", ["both", "stdout", "stderr"])
@pytest.mark.parametrize("needle, ignore_case", [("error", 0), ("error", 1), ("e 1", 0), ("needle", 0), ("x", 0),
                                                 ("of stdout", 0), ("nowhere", 0)])
@pytest.mark.parametrize("limit", [1000, 7])
def test_it_finds_what_a_loop_finds(done, stream, needle, ignore_case, limit):
    reeve, job = done
    output = reeve.output(job, f"?stream={stream}")
    items, _ = all_pages(reeve, job, q=needle, stream=stream, ignore_case=ignore_case, limit=limit)
    wanted = expected(output, needle.encode(), bool(ignore_case))
    assert [(item["line"], item["offset"]) for item in items] == [one[:2] for one in wanted]
    for item, (_, offset, line) in zip(items, wanted):
        assert item["text_is_cut"] == (len(line) > 4096)
        begin = item["text_offset"] - offset
        shown = re.sub("\ufffd+", "", item["text"])
        part = line[begin:begin + 4096] if item["text_is_cut"] else line
        assert shown == part.decode(errors="ignore")
        assert needle.lower() in item["text"].lower()


def test_time_and_stream_are_those_of_the_line(done):
    reeve, job = done
    told = {"stdout": set(), "stderr": set()}
    attempt = reeve.request("GET", f"/v1/jobs/{job}/attempts").json()["items"][0]
    for needle in ("of stdout", "an Error at"):
        for item in all_pages(reeve, job, q=needle, limit=1000)[0]:
            told[item["stream"]].add(needle)
            assert attempt["started_at"] <= item["at"] <= attempt["ended_at"]
    for stream, needle in (("stdout", "an Error at"), ("stderr", "of stdout")):
        assert not search(reeve, job, q=needle, stream=stream).json()["items"]
    assert told["stdout"] >= {"of stdout"} and told["stderr"] >= {"an Error at"}


WRONG = [({}, "q"), ({"q": ""}, "q"), ({"q": "a\nb"}, "q"), ({"q": "x" * 1025}, "q"),
         ({"q": "x", "stream": "all"}, "stream"), ({"q": "x", "limit": 0}, "limit"),
         ({"q": "x", "limit": 1001}, "limit"), ({"q": "x", "attempt": 0}, "attempt"),
         ({"q": "x", "ignore_case": "maybe"}, "ignore_case"), ({"q": "x", "cursor": "00"}, "cursor"),
         ({"q": "x", "cursor": "0" * 96}, "cursor")]


@pytest.mark.parametrize("query, name", WRONG, ids=[f"{name}-{i}" for i, (_, name) in enumerate(WRONG)])
def test_wrong_questions_are_refused_by_name(done, query, name):
    reeve, job = done
    answer = search(reeve, job, **query)
    assert answer.status == 400 and name in answer.text, answer


# Bytes that are no text, or that a terminal would act upon.
@pytest.mark.parametrize("needle", [b"a\tb", b"\r", b"\x1b[1m", b"\xff\xfe", b"\xfe", b"\x7f", b"\xc3", b"needle \x01"],
                         ids=repr)
def test_any_byte_of_a_line_can_be_looked_for(done, needle):
    reeve, _ = done
    job = reeve.run("printf", r"plain\na\tb\n\033[1mloud\033[0m\r\n\303\244\177\nbroken \377\376 needle \001\n")["id"]
    items = search(reeve, job, q=needle).json()["items"]
    assert items and [(one["line"], one["offset"]) for one in items] == [
        (line, offset) for line, offset, _ in expected(reeve.output(job), needle)]


@pytest.mark.parametrize("needle, words", [("a%00", "q has a NUL (%00)"), ("%00", "q has a NUL (%00)"),
                                           ("a%0ab", "q is what to search for: 1 to 1024 bytes of one line"),
                                           ("%0a", "q is what to search for: 1 to 1024 bytes of one line")])
def test_but_nul_and_newline(done, needle, words):
    reeve, job = done
    answer = reeve.request("GET", f"/v1/jobs/{job}/output/search?q={needle}")
    assert (answer.status, answer.json()["detail"]) == (400, words)


@pytest.mark.parametrize("query", [{"q": "of stdout", "limit": 7}, {"q": "needle", "limit": 1}, {"q": "nowhere"},
                                   {"q": "x", "stream": "stderr"}], ids=str)
def test_what_was_looked_at_adds_up(done, query):
    reeve, job = done
    scanned, cursor = 0, {}
    while cursor.get("cursor", "") is not None:
        page = search(reeve, job, **query, **cursor).json()
        scanned += page["scanned_bytes"]
        cursor = {"cursor": page["next_cursor"]}
    assert scanned == page["bytes"] == len(reeve.output(job, "?stream=" + query.get("stream", "both")))


def test_a_cursor_belongs_to_its_search(done):
    reeve, job = done
    query = {"q": "stdout", "stream": "both", "limit": 5}
    cursor = search(reeve, job, **query).json()["next_cursor"]
    assert search(reeve, job, **query, cursor=cursor).json()["items"][0]["line"] > 5
    other = reeve.run("echo", "stdout")["id"]
    for change in ({"q": "stderr"}, {"stream": "stdout"}, {"ignore_case": 1}, {"attempt": 2}):
        assert search(reeve, job, **{**query, **change}, cursor=cursor).status == 400, change
    assert search(reeve, other, **query, cursor=cursor).status == 400
    # but a page may be larger
    assert len(search(reeve, job, **{**query, "limit": 50}, cursor=cursor).json()["items"]) == 50


@pytest.mark.parametrize("attempt, place", [(1, (2 ** 63 - 1, 0, 0, 0)), (1, (10 ** 6, 0, 0, 0)),
                                            (-1, (0, 0, 0, 0)), (0, (0, 0, 0, 0)), (2 ** 32 + 1, (0, 0, 0, 0)),
                                            (1, (5, 9, 9, 0)), (1, (-1, -1, -1, 0))])
def test_a_cursor_made_by_hand_is_refused(done, attempt, place):
    """Its mark keeps mistakes apart; it is no secret, so whoever makes one must get nowhere."""
    reeve, job = done
    def cursor(*numbers):
        position = struct.pack("<5q", *numbers)
        what = hashlib.sha256(job.encode() + bytes([0, 0]) + b"stdout").digest()
        return (position + hashlib.sha256(what + position).digest()[:8]).hex()
    answer = search(reeve, job, q="stdout", cursor=cursor(attempt, *place))
    assert answer.status == 400 and "cursor" in answer.text, answer
    # made in the same way, but of a place where a search may be
    assert search(reeve, job, q="stdout", cursor=cursor(1, 0, 0, 0, 0)).status == 200


def test_jobs_and_attempts_that_are_not_there(done):
    reeve, job = done
    assert search(reeve, "0193f2c4-0000-7000-8000-000000000000", q="x").status == 404
    assert search(reeve, job, q="x", attempt=2).status == 404
    silent = reeve.run("true")["id"]
    answer = search(reeve, silent, q="x").json()
    assert answer == {"attempt": 1, "items": [], "scanned_bytes": 0, "bytes": 0, "next_cursor": None}
    held = reeve.submit("true", hold=True)["id"]
    assert search(reeve, held, q="x").json()["items"] == []


def test_a_large_output_is_searched_in_pages(reeve):
    """One request looks at a bounded part; all pages together at all of it."""
    reeve.start()
    job = reeve.run("sh", "-c", "seq 4000000; echo the needle; seq 10")["id"]
    items, pages = all_pages(reeve, job, q="needle")
    assert [(item["line"], item["text"]) for item in items] == [(4000001, "the needle")]
    assert pages > 2
    first = search(reeve, job, q="needle").json()
    assert first["items"] == [] and first["scanned_bytes"] < first["bytes"] / 2
    one = search(reeve, job, q="3999999").json()
    items, _ = all_pages(reeve, job, q="3999999")
    assert one["bytes"] == first["bytes"] and [item["line"] for item in items] == [3999999]


def test_what_is_written_so_far_is_searched(reeve):
    reeve.start()
    job = reeve.sh("echo one needle; printf 'two need'; while [ ! -e go ]; do sleep 0.02; done; echo le",
                   working_directory=reeve.work)["id"]
    reeve.wait_output(job, b"one needle\ntwo need")
    page = search(reeve, job, q="needle").json()
    assert [item["line"] for item in page["items"]] == [1] and page["next_cursor"] is None
    open(f"{reeve.work}/go", "wb").close()
    reeve.wait(job)
    assert [item["line"] for item in search(reeve, job, q="needle").json()["items"]] == [1, 2]


def test_a_removed_output_is_gone(reeve):
    reeve.start()
    job = reeve.run("echo", "needle")["id"]
    assert len(search(reeve, job, q="needle").json()["items"]) == 1
    reeve.sql_write("UPDATE output SET stored = 'removed', removed_at = 1700000000000000, content = NULL, frames = NULL")
    answer = search(reeve, job, q="needle")
    assert answer.status == 410 and answer.json()["removed"]["stdout_bytes"] == 7, answer


def test_damaged_frames_leave_the_merged_view(reeve):
    reeve.start(output_fold_bytes=0)
    job = reeve.run("sh", "-c", "echo needle; echo needle >&2")["id"]
    (index,) = glob.glob(reeve.path("output/*/*.idx"))
    with open(index, "r+b") as file:
        file.write(b"\1" * 24)
    items = search(reeve, job, q="needle").json()["items"]
    assert [(item["line"], item["at"], item["stream"]) for item in items] == [(1, None, None), (2, None, None)]
    assert search(reeve, job, q="needle", stream="stdout").status == 500
