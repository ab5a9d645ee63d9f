"""docs/performance.md from a result: what stands between its marks is replaced, the rest stays."""

import os
import time

import plot
import report
from scene import ROOT

PAGE = os.path.join(ROOT, "docs/performance.md")
PLOTS = os.path.join(ROOT, "docs/performance")
# What stands between the two marks of a section is replaced.
FIGURES = ("<!-- figures: written by bench/run --docs -->", "<!-- end of figures -->")
WHERE = ("<!-- where: written by bench/where --docs -->", "<!-- end of where -->")


def machine_words(machine):
    return (f"{machine['processors']} processors ({machine['model']}), {machine['memory_gib']} GiB, "
            f"Linux {machine['kernel']}")


def machine_of_today():
    return f"{time.strftime('%Y-%m-%d', time.gmtime())}, {machine_words(report.machine())}"


def sentence(result):
    amounts = result["amounts"]
    return (f"Measured on {result['at'][:10]} with `bench/run`: {result['rounds']} rounds, "
            f"{amounts['seconds']} s a rate, {amounts['jobs']:,} no-op jobs, {result['slots']} slots"
            + (f", {result['history']:,} finished jobs for the rows that say so" if result["history"] else "")
            + f". {machine_words(result['machine'])}.")


def cell(words):
    return words.replace("|", "\\|")


def figures(result):
    yield sentence(result)
    yield ""
    yield "| | median | spread | need | |"
    yield "|---|---:|---|---|---|"
    for is_own, title, figure, width, need, said in report.lines(result):
        name = f"**{title}**" if is_own else f"· {title}"
        yield f"| {cell(name)} | {figure} | {width} | {need} | {said} |"


def replace(marks, body):
    """Writes these lines between the marks of the page."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    head, begin, rest = text.partition(marks[0])
    _, end, tail = rest.partition(marks[1])
    if not begin or not end:
        raise SystemExit(f"bench: {PAGE} has no line {marks[0]!r} or {marks[1]!r}")
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write("\n".join([head + begin, *body, end + tail]))


def fill(result):
    """Rewrites the page's figures and every plot."""
    drawn = [f"![{title}](performance/{name})" for name, title, _ in plot.plots(result)]
    plot.write_all(result, PLOTS)
    replace(FIGURES, [*figures(result), "", *("\n\n".join(drawn)).split("\n")])


def fill_where(lines):
    replace(WHERE, lines)
