"""From the figures of all rounds to a result: medians, spread, what was to be reached; and the
result as text."""

import os
import platform
import statistics
import time

import measures


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "all": values}


# --- what was to be reached -----------------------------------------------------------------


def reached(row, of, found):
    """One figure a round: what the row reached of another one, or by itself."""
    if of == "exponent":
        exponents = [measures.exponent(sorted(figures[row.name].items()))
                     for figures in found if row.name in figures]
        return [value for value in exponents if value is not None]
    return [figures[row.name] / figures[of] if of else figures[row.name]
            for figures in found if row.name in figures and (not of or figures.get(of))]


def judged(row, must, found, titles, missing):
    """The bounds of one promise as a sentence, and whether the median keeps one of them."""
    bounds = []
    for factor, of in must.bounds:
        values = reached(row, of, found)
        bound = {"of": of, "title": titles.get(of, of), "sign": must.sign, "need": factor}
        if values:
            bound.update(spread(values))
            median = bound["median"]
            if factor is not None:
                bound["is_kept"] = median >= factor if must.sign == ">=" else median <= factor
        else:
            bound["why_not"] = missing.get(of) or "not measured in this run"
        bounds.append(bound)
    verdicts = [bound["is_kept"] for bound in bounds if "is_kept" in bound]
    return {"bounds": bounds, "is_kept": any(verdicts) if verdicts else None}


def described(row, found, missing, titles):
    ret = {name: getattr(row, name) for name in ("name", "topic", "title", "unit")}
    values = [figures[row.name] for figures in found if row.name in figures]
    if row.over:
        ret["over"] = measures.OVER[row.over]
        sizes = sorted({size for value in values for size in value})
        ret["points"] = [{"size": size, **spread([value[size] for value in values if size in value])}
                         for size in sizes]
    elif values:
        ret.update(spread(values))
    if not values:
        why = [missing[name] for name in (row.name, row.by, *row.uses) if name in missing]
        ret["why_not"] = why[0] if why else "not measured in this run"
    ret["must"] = [judged(row, must, found, titles, missing) for must in row.must]
    return ret


def machine():
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kib = int(file.readline().split()[1])
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return {"processors": os.cpu_count(), "model": model, "memory_gib": round(memory_kib / (1 << 20), 1),
            "kernel": platform.release().split("-")[0], "load_at_end": os.getloadavg()[0]}


def summary(run, options, found):
    titles = {row.name: row.title for row in run.rows}
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine(),
        "scale": options.scale,
        "amounts": vars(run.bench.scale),
        "rounds": len(found),
        "slots": options.slots,
        "history": options.history,
        "only": options.only,
        "rows": [described(row, found, run.missing, titles) for row in run.rows],
        "found": found,
    }


# --- text -----------------------------------------------------------------------------------


SIGNS = {">=": "≥", "<=": "≤"}
WIDTH = 78  # of what a line is about


def number(value):
    """With as many digits as mean something."""
    for limit, form in ((1000, ",.0f"), (100, ",.0f"), (10, ",.1f"), (1, ",.2f"), (0, ",.3f")):
        if abs(value) >= limit:
            return format(value, form)
    return format(value, ",.3f")


def factor(value):
    return format(value, ",.2f" if value < 100 else ",.0f")


def bound_text(bound):
    """('of: limit L', '0.70', '0.67 to 0.74', '≥ 0.40'), or a reason instead of figures."""
    what = {None: "itself", "exponent": "exponent of its growth"}.get(bound["of"]) or "of: " + bound["title"]
    sign = SIGNS[bound["sign"]]
    form = number if bound["of"] is None else factor
    need = f"{sign} {form(bound['need'])}" if bound["need"] is not None else ""
    if "why_not" in bound:
        return what, bound["why_not"], "", need
    return what, form(bound["median"]), f"{form(bound['min'])} to {form(bound['max'])}", need


def verdict(must):
    if all(bound["need"] is None for bound in must["bounds"]):
        return ""
    return {True: "kept", False: "MISSED", None: "unknown"}[must["is_kept"]]


def lines(result):
    """Each line of the table: (is a figure's own line, title, figure, spread, need, verdict)."""
    for row in result["rows"]:
        if "points" in row and row["points"]:
            yield True, f"{row['title']}, {row['unit']}", "", "", "", ""
            for point in row["points"]:
                yield (False, f"{point['size']:,} {row['over']}", number(point["median"]),
                       f"{number(point['min'])} to {number(point['max'])}", "", "")
        elif "median" in row:
            yield (True, f"{row['title']}, {row['unit']}", number(row["median"]),
                   f"{number(row['min'])} to {number(row['max'])}", "", "")
        else:
            yield True, f"{row['title']}, {row['unit']}", row["why_not"], "", "", ""
        for must in row["must"]:
            for place, bound in enumerate(must["bounds"]):
                what, figure, width, need = bound_text(bound)
                said = verdict(must) if place == len(must["bounds"]) - 1 else "or"
                yield False, what, figure, width, need, said


def table(result):
    found = [f"{'':<{WIDTH}} {'median':>10}   {'spread':<24} {'need':>9}"]
    for is_own, title, figure, width, need, said in lines(result):
        title = ("" if is_own else "    ") + title
        found.append(f"{title:<{WIDTH}} {figure:>10}   {width:<24} {need:>9}  {said}".rstrip())
    return "\n".join(found)


def listing(rows):
    return "\n".join(f"{row.name:<24} {row.topic:<12} {row.title}, {row.unit}" for row in rows)
