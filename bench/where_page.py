"""What bench/where found, as a section of docs/performance.md."""

import re

import page
import spent


def most(figures):
    """[(number, name)], most first."""
    return sorted(((number, name) for name, number in figures.items()), reverse=True)


def by_object(instructions):
    found = {}
    for (_, where), number in instructions.items():
        found[where] = found.get(where, 0) + number
    return most(found)


def by_function(instructions):
    return most({f"{name} [{where}]": number for (name, where), number in instructions.items()})


def plain(name):
    """As a reader knows it: without versions and what the compiler appended."""
    name = name.replace("[kernel.kallsyms]", "kernel").replace("[k] ", "").replace("[.] ", "")
    name = re.sub(r"^\?+$", "unknown", name)
    return re.sub(r"(\.so)[.\d]*\b", r"\1", re.sub(r"(\.(isra|constprop|part)\.\d+)+", "", name))


def cells(title, figures):
    return f"| {title} | " + " | ".join("–" if figure is None else figure for figure in figures) + " |"


def some(items, form, least=0.0, limit=8, quote=""):
    return ", ".join(f"{quote}{plain(name)}{quote} {format(number, form)}"
                     for number, name in items[:limit] if number >= least)


def table(everything):
    """The kinds side by side."""
    kinds = [kind for kind, _ in everything]
    found = [figures for _, figures in everything]
    yield cells("", [kind.title for kind in kinds])
    yield "|---|" + "---:|" * len(kinds)
    for who, title in (("daemon", "processor time of the daemon, µs"), ("shims", "… of the shims, µs"),
                       ("jobs", "… of the jobs' own processes, µs")):
        yield cells(title, [f"{one['processor'][who]:,.1f}" if who in one["processor"] else None
                            for one in found])
    yield cells("system calls, shims and jobs included",
                [f"{sum(one['calls'].values()):.1f}" for one in found])
    yield cells("… of which `fdatasync`", [f"{one['calls'].get('fdatasync', 0):.2f}" for one in found])
    yield cells("instructions of the daemon, user space",
                [f"{sum(one['instructions'].values()):,.0f}" if "instructions" in one else None
                 for one in found])


def paragraphs(everything, jobs):
    machine = page.machine_of_today()
    yield (f"Measured with `bench/where --docs`, {jobs:,} jobs and {spent.KINDS[0].times * jobs:,} requests: "
           f"{machine}.")
    yield ""
    yield from table(everything)
    for kind, found in everything:
        yield ""
        yield f"**{kind.title[0].upper() + kind.title[1:]}**"
        yield ""
        yield "- System calls: " + some(most(found["calls"]), ".1f", 0.05, 12, "`") + "."
        if "places" in found:
            yield ("- The processor was, %, in: " + some(found["places"]["objects"], ".0f", 1)
                   + "; by function: " + some(found["places"]["functions"], ".1f", 1, 8, "`") + ".")
        if "instructions" in found:
            yield ("- Instructions by part: " + some(by_object(found["instructions"]), ",.0f", 500)
                   + "; by function: " + some(by_function(found["instructions"]), ",.0f", 500, 8, "`") + ".")
