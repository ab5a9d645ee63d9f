"""The rounds of a run, and the file that has what they found: written after each of them, so that
a run that is cut off has lost one round at most, and another can go on behind it."""

import json
import os
import sys
import time

import measures
import report
import scene

# A file that says otherwise in one of these was measured otherwise.
SAME = ("scale", "amounts", "slots", "history", "only")


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(path, result):
    """Whole or not at all."""
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)


def with_sizes(figures):
    """JSON has made words of the sizes of a series."""
    return {name: {int(size): value for size, value in figure.items()} if isinstance(figure, dict)
            else figure for name, figure in figures.items()}


class Run:
    """What was found so far: of each round the figures by the names of their rows."""

    def __init__(self, rows, bench, options):
        self.rows, self.bench, self.options = rows, bench, options
        self.missing = {}  # row name -> why there is no figure
        self.found = self._resumed() if options.resume else []
        self.failed = False
        self.history = None
        self.begun = time.monotonic()

    def _resumed(self):
        before = load(self.options.json)
        now = json.loads(json.dumps(report.summary(self, self.options, [])))
        for name in SAME:
            if before[name] != now[name]:
                raise SystemExit(f"bench: {self.options.json} is of another run: {name} was {before[name]}")
        return [with_sizes(figures) for figures in before["found"]][:self.options.rounds]

    def measure(self, history, known):
        """All rounds that are missing; every other one goes through the table backwards. `known` are
        figures that no round changes."""
        self.history = history
        order = [row for row in self.rows if row.measure]
        for number in range(len(self.found), self.options.rounds):
            figures = dict(known)
            for row in order if number % 2 == 0 else order[::-1]:
                self._one(row, figures, f"round {number + 1}/{self.options.rounds}")
            self._derive(figures)
            self.found.append(figures)
            self._save()
        self._save()

    def _save(self):
        save(self.options.json, report.summary(self, self.options, self.found))

    def _one(self, row, figures, where):
        tail = measures.HISTORY if row.name.endswith(measures.HISTORY) else ""
        self.bench.history = self.history if tail or row.only_history else None
        for size in getattr(self.bench.scale, row.over) if row.over else (None,):
            value = self._tried(row, size)
            values = value if isinstance(value, dict) else {} if value is None else {row.name: value}
            for name, figure in values.items():
                name += tail if not name.endswith(tail) else ""
                if size is None:
                    figures[name] = figure
                else:
                    figures.setdefault(name, {})[size] = figure
                at = f" at {size}" if size is not None else ""
                print(f"{where}  {time.monotonic() - self.begun:6.0f} s  {name + at:<32} {figure:>14,.3f}",
                      file=sys.stderr, flush=True)

    def _tried(self, row, size):
        """What the row measures. Whatever goes wrong makes the others not worthless: it is said."""
        with self.bench.own_folder():
            try:
                return row.measure(self.bench) if size is None else row.measure(self.bench, size)
            except scene.NotInstalled as error:
                self.missing[row.name] = str(error)
            except Exception as error:  # noqa: BLE001
                self.failed = True
                said = f"{type(error).__name__}: {error}".strip()
                self.missing[row.name] = f"failed: {said.splitlines()[0]}"
                print(f"bench: {row.name} failed: {said}", file=sys.stderr, flush=True)
        return None

    def _derive(self, figures):
        for row in self.rows:
            if row.derive and all(name in figures for name in row.uses):
                figures[row.name] = row.derive(*(figures[name] for name in row.uses))
