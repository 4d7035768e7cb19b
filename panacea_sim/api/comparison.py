"""Runs side by side, as `panacea-sim compare` shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from panacea_sim.analysis.comparison import Comparison, Section, compare_runs
from panacea_sim.api.answers import printed
from panacea_sim.api.html import bold_line, line, table
from panacea_sim.api.run import Run
from panacea_sim.api.words import in_python_words
from panacea_sim.checks import require_choice
from panacea_sim.energy.stored import charging
from panacea_sim.energy.table import DEFAULT_TABLE
from panacea_sim.errors import ConfigError, nearest_name, with_article
from panacea_sim.explanation.known import known_explanation
from panacea_sim.report.comparison import (
    TITLES,
    bounds_text,
    change_text,
    energy_note,
    has_changes,
    key_cells,
    key_titles,
    print_comparison,
    run_cells,
    unlike_rows,
    value_text,
)

__all__ = ["RunComparison", "compare"]

_SECTIONS = ("configuration", "energy", "classes", "critical_path", "layers")
"""What a notebook shows: what was changed, what it takes, and where the cycles went."""

_ROWS = 8


@in_python_words()
def compare(
    runs: Sequence[Run | str | Path],
    *,
    table: str | Path = DEFAULT_TABLE,
    dram: Literal["lump", "events"] = "lump",
    device: str | None = None,
) -> RunComparison:
    """Put two or more runs side by side; the first is the one that the others are compared with.

    Paths are folders of runs. `table`, `dram` and `device` say how energy is charged, as `Run.energy` has them; the
    device counts for runs whose own has no figure. Raises ConfigError for fewer runs, one that is given twice, what is
    no run, and what `Run.energy` refuses.
    """
    if isinstance(runs, str | Path | Run):
        raise ConfigError("runs", with_article(type(runs).__name__), "a list of two or more runs")
    require_choice("dram", dram, ("lump", "events"))
    charged = charging(str(table), dram, device)
    opened = tuple(_opened(each) for each in runs)
    stored = [each.stored for each in opened]
    found = compare_runs(stored, [known_explanation(each) for each in stored], charged)
    return RunComparison(found, opened)


def _opened(run: object) -> Run:
    if isinstance(run, Run):
        return run
    if isinstance(run, str | Path):
        return Run.open(run)
    raise ConfigError("runs", with_article(type(run).__name__), "runs, or paths of their folders")


@dataclass(frozen=True, repr=False, eq=False)
class RunComparison:
    """Runs side by side: every figure of all of them, the largest difference to the first one first.

    Sums of a group of components are those over its members. `found` is what the functions of
    `panacea_sim.analysis.comparison` and `panacea_sim.report` take.
    """

    found: Comparison
    _held: tuple[Run, ...]
    """Their folders stay as long as this does."""

    @property
    def runs(self) -> pd.DataFrame:
        """The runs by their letters: name, hardware, cycles, and the difference to the first."""
        base = self.found.runs[0].cycles
        rows = [
            {
                "label": each.label,
                "run": each.run.name,
                "hardware": each.run.heading.hardware,
                "cycles": each.cycles,
                "difference_cycles": None if each.cycles is None or base is None else each.cycles - base,
            }
            for each in self.found.runs
        ]
        return pd.DataFrame(rows).set_index("label")

    @property
    def frame(self) -> pd.DataFrame:
        """Every row of every section: a column for each run by its letter, and what rows are ordered by."""
        rows = [
            {"section": each.name, "of": ", ".join(row.key), **self._values(row.values), "difference": row.difference}
            for each in self.found.sections
            for row in each.rows
        ]
        return pd.DataFrame(rows, columns=["section", "of", *self._labels(), "difference"])

    @in_python_words()
    def section(self, name: str) -> pd.DataFrame:
        """Return one section with the parts of its keys in columns, as "states"; raises ConfigError for no section."""
        names = [each.name for each in self.found.sections]
        if name not in names:
            raise ConfigError("section", repr(name), ", ".join(names), nearest_name(str(name), names))
        found = self.found.section(name)
        rows = [
            {**dict(zip(found.keys, row.key, strict=True)), **self._values(row.values), "difference": row.difference}
            for row in found.rows
        ]
        return pd.DataFrame(rows, columns=[*found.keys, *self._labels(), "difference"])

    def __repr__(self) -> str:
        """Return what `panacea-sim compare` prints."""
        return printed(lambda console: print_comparison(console, self.found))

    def _repr_html_(self) -> str:
        base = self.found.runs[0]
        titles = ["", "run", "hardware", "cycles", f"to {base.label}", "%", "time"]
        runs = [[each.label, each.run.name, *run_cells(each, base)[2:7]] for each in self.found.runs]
        parts = [table(titles, runs)]
        parts += [line(note) for note in (bounds_text(self.found), energy_note(self.found)) if note]
        parts += [self._section_html(self.found.section(name)) for name in _SECTIONS]
        return "".join(parts)

    def _labels(self) -> list[str]:
        return [each.label for each in self.found.runs]

    def _values(self, values: Sequence[object]) -> dict[str, object]:
        return dict(zip(self._labels(), values, strict=True))

    def _section_html(self, section: Section) -> str:
        unlike = unlike_rows(section)
        if not unlike:
            return ""
        labels = self._labels()
        changes = [f"{label} - {labels[0]}" for label in labels[1:]] if has_changes(section) else []
        rows = [
            [
                *key_cells(row),
                *(value_text(section, row, value) for value in row.shown),
                *(change_text(section, row, value) for value in row.shown[1:] if changes),
            ]
            for row in unlike[:_ROWS]
        ]
        more = f", {len(unlike) - _ROWS:,} more differ" if len(unlike) > _ROWS else ""
        return bold_line(TITLES[section.name], more) + table([*key_titles(section), *labels, *changes], rows)
