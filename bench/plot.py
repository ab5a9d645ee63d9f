"""A result as SVG: what was reached of what, and how things grow. Nothing but text is needed to
draw it; colours read on light and on dark paper."""

import math
import os
from xml.sax.saxutils import escape

import measures
import report

WIDTH = 760
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #57606a }
.name { fill: #24292f } .axis { stroke: #8c959f; fill: none } .grid { stroke: #8c959f; stroke-opacity: .25 }
.reached { fill: #2f81f7 } .missed { fill: #d1570d } .width { stroke: #57606a; stroke-width: 1.5 }
.need { stroke: #8250df; stroke-width: 2 } .line { stroke: #2f81f7; stroke-width: 2; fill: none }
.dot { fill: #2f81f7 } .linear { stroke: #8c959f; stroke-dasharray: 5 4; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #9ea7b3 } .name { fill: #e6edf3 } .width { stroke: #9ea7b3 } .need { stroke: #a371f7 } }
</style>"""


def svg(height, title, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img"><title>{escape(title)}</title>\n{STYLE}\n'
            + "\n".join(parts) + "\n</svg>\n")


def text(x, y, words, anchor="start", kind="", more=""):
    attribute = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{attribute}{more}>{escape(words)}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


# --- what was reached -----------------------------------------------------------------------


def promises(result):
    """(row, bound, kept) of each bound that was measured; how things grow has plots of its own."""
    for row in result["rows"]:
        for must in row["must"]:
            for bound in must["bounds"]:
                if bound["of"] != "exponent" and bound["need"] and "median" in bound:
                    yield row, bound, must["is_kept"]


def promise_text(row, bound):
    if bound["of"] is None:
        return f"{row['title']}, {row['unit']}"
    if row["name"] == bound["of"] + measures.HISTORY:
        return f"{row['title']} / without them"
    return f"{row['title']} / {bound['title']}"


def promise_figure(bound):
    form = report.number if bound["of"] is None else report.factor
    return f"{form(bound['median'])} ({report.SIGNS[bound['sign']]} {form(bound['need'])})"


def reached_plot(result):
    """Bars of reached / needed, so that 1 is the mark for each; with <= turned round."""
    rows = list(promises(result))
    left, right, step, top = 20, WIDTH - 126, 46, 34
    height = top + step * len(rows) + 40
    longest = 3.0  # of what was needed; beyond it a bar is cut and says its figure

    def x_of(share):
        return left + min(share, longest) / longest * (right - left)
    parts = [text(left, 18, "reached, as a multiple of what was to be reached (the mark)")]
    for share in (0, 1, 2, 3):
        parts += [line(x_of(share), top, x_of(share), height - 36, "grid"),
                  text(x_of(share), height - 20, f"{share} ×", "middle")]
    for place, (row, bound, is_kept) in enumerate(rows):
        y = top + step * place
        shares = [bound[key] / bound["need"] for key in ("median", "min", "max")]
        if bound["sign"] == "<=":
            shares = [1 / share if share else longest for share in shares]
        median, ends = shares[0], sorted(shares[1:])
        of = promise_text(row, bound)
        parts += [text(left, y + 14, of if len(of) < 105 else of[:104] + "…", kind="name"),
                  f'<rect x="{left}" y="{y + 20}" width="{x_of(median) - left:.1f}" height="12" '
                  f'class="{"reached" if is_kept else "missed"}"/>',
                  line(x_of(ends[0]), y + 26, x_of(ends[1]), y + 26, "width"),
                  line(x_of(1), y + 17, x_of(1), y + 35, "need"),
                  text(WIDTH - 4, y + 30, promise_figure(bound), "end")]
    return svg(height, "What was reached of what", parts)


# --- growth ---------------------------------------------------------------------------------


class Axes:
    """Both logarithmic: what grows linearly is a straight line at 45 degrees of its units."""

    def __init__(self, xs, ys):
        self.left, self.right, self.top, self.bottom = 80, WIDTH - 30, 40, 320
        self.xs = (math.log10(min(xs)), math.log10(max(xs)) or 1)
        self.ys = (math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)) + 1e-9))
        if self.ys[0] == self.ys[1]:
            self.ys = (self.ys[0], self.ys[0] + 1)

    def x(self, value):
        low, high = self.xs
        return self.left + (math.log10(value) - low) / ((high - low) or 1) * (self.right - self.left)

    def y(self, value):
        low, high = self.ys
        share = (math.log10(value) - low) / (high - low)
        return self.bottom - min(1, max(0, share)) * (self.bottom - self.top)

    def path(self, sizes, values):
        return " ".join(f"{self.x(size):.1f},{self.y(value):.1f}" for size, value in zip(sizes, values))

    def line_of_size_through(self, point):
        """Both ends, inside the axes, of the line on which values grow as sizes do."""
        shift = math.log10(point["median"]) - math.log10(point["size"])
        powers = (max(self.xs[0], self.ys[0] - shift), min(self.xs[1], self.ys[1] - shift))
        return [10 ** power for power in powers], [10 ** (power + shift) for power in powers]

    def drawn(self, row):
        parts = [line(self.left, self.bottom, self.right, self.bottom, "axis"),
                 line(self.left, self.top, self.left, self.bottom, "axis"),
                 text((self.left + self.right) / 2, self.bottom + 40, row["over"], "middle"),
                 text(16, self.top - 12, row["unit"])]
        for point in row["points"]:
            parts.append(text(self.x(point["size"]), self.bottom + 18, f"{point['size']:,}", "middle"))
        for power in range(self.ys[0], self.ys[1] + 1):
            y = self.y(10 ** power)
            parts += [line(self.left, y, self.right, y, "grid"),
                      text(self.left - 8, y + 4, f"{10 ** power:,g}", "end")]
        return parts


def growth_plot(row):
    """A series with its spread, and through the first of the points whose growth is judged what
    linear growth would be: what comes behind it must not lie above."""
    points = row["points"]
    axes = Axes([p["size"] for p in points], [v for p in points for v in (p["min"], p["max"])])
    parts = axes.drawn(row)
    parts.insert(0, text(axes.left, 18, f"{row['title']}, {row['unit']}; dashed: linear", kind="name"))
    sizes, values = axes.line_of_size_through(measures.upper(points, lambda p: p["size"])[0])
    parts.append(f'<polyline class="linear" points="{axes.path(sizes, values)}"/>')
    for point in points:
        x = axes.x(point["size"])
        parts += [line(x, axes.y(point["min"]), x, axes.y(point["max"]), "width"),
                  f'<circle class="dot" cx="{x:.1f}" cy="{axes.y(point["median"]):.1f}" r="4"/>']
    path = axes.path([p["size"] for p in points], [p["median"] for p in points])
    parts.append(f'<polyline class="line" points="{path}"/>')
    return svg(380, row["title"], parts)


def plots(result):
    """(file name, title, SVG) of each plot that the result has figures for."""
    if any(True for _ in promises(result)):
        yield "reached.svg", "What was reached of what", reached_plot(result)
    for row in result["rows"]:
        if len(row.get("points", ())) > 1:
            yield row["name"] + ".svg", f"{row['title']}, by {row['over']}", growth_plot(row)


def write_all(result, folder):
    os.makedirs(folder, exist_ok=True)
    written = []
    for name, _, drawn in plots(result):
        written.append(os.path.join(folder, name))
        with open(written[-1], "w", encoding="utf-8") as file:
            file.write(drawn)
    return written
