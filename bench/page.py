"""docs/performance.md from a result: what stands between its marks is replaced, the rest stays."""

import os

import plot
import report
from scene import ROOT

PAGE = os.path.join(ROOT, "docs/performance.md")
PLOTS = os.path.join(ROOT, "docs/performance")
BEGIN = "<!-- figures: written by bench/run --docs -->"
END = "<!-- end of figures -->"


def sentence(result):
    machine = result["machine"]
    amounts = result["amounts"]
    return (f"Measured on {result['at'][:10]} with `bench/run`: {result['rounds']} rounds, "
            f"{amounts['seconds']} s a rate, {amounts['jobs']:,} no-op jobs, {result['slots']} slots"
            + (f", {result['history']:,} finished jobs for the rows that say so" if result["history"] else "")
            + f". {machine['processors']} processors ({machine['model']}), {machine['memory_gib']} GiB, "
            f"Linux {machine['kernel']}.")


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


def fill(result):
    """Rewrites the page's figures and every plot."""
    with open(PAGE, encoding="utf-8") as file:
        text = file.read()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"bench: {PAGE} has no line {BEGIN!r} or {END!r}")
    drawn = [f"![{title}](performance/{name})" for name, title, _ in plot.plots(result)]
    plot.write_all(result, PLOTS)
    body = "\n".join([*figures(result), "", *("\n\n".join(drawn)).split("\n")])
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n{body}\n{END}{tail}")
