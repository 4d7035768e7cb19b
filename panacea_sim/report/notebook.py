"""A run in a notebook: it shows its summary, its tables and its timeline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.dataset as ds

from panacea_sim.errors import ConfigError
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.units import duration_text

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

__all__ = ["Run", "Timeline"]

_FRAME_HEIGHT = 900


@dataclass(frozen=True, repr=False)
class Timeline:
    """A timeline that shows itself in a notebook; `html` is the page, which can also be kept as a file."""

    html: str

    def __repr__(self) -> str:
        """Return one line instead of the whole page."""
        return f"<Timeline: a page of {len(self.html) / 1e6:.1f} MB>"

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="{_FRAME_HEIGHT}" frameborder="0"></iframe>'


@dataclass(frozen=True, repr=False)
class Run:
    """A run folder in a notebook; `stored` is what panacea_sim.analysis.query asks."""

    stored: StoredRun

    @classmethod
    def open(cls, path: Path | str) -> Run:
        """Return the run in a folder, complete or partial; raises ConfigError if there is none."""
        return cls(open_run(path))

    @property
    def summary(self) -> Mapping[str, Any]:
        """Return what stands in summary.json, whose keys docs/files.md describes."""
        return self.stored.heading.to_json()

    @property
    def activities(self) -> ds.Dataset:
        """The intervals, unread: `.to_table(columns=..., filter=...)` reads, `.head(5)` reads the first rows.

        Raises ConfigError if they were not recorded, as `queues` and `dram` do.
        """
        return self.stored.dataset("activities")

    @property
    def queues(self) -> ds.Dataset:
        """The occupancies, unread."""
        return self.stored.dataset("queues")

    @property
    def dram(self) -> ds.Dataset:
        """The DRAM accesses, unread."""
        return self.stored.dataset("dram")

    def to_pandas(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        filter: ds.Expression | None = None,  # noqa: A002  # pyarrow's word
    ) -> pd.DataFrame:
        """Return a table, or some of its columns and rows, as a pandas.DataFrame; names are categories.

        Raises ConfigError without pandas, and as `activities` does.
        """
        table = self.stored.dataset(name)
        if find_spec("pandas") is None:
            hint = "Install it with: pip install pandas. Without it, Run.activities is a pyarrow dataset"
            raise ConfigError("to_pandas", "no pandas", "pandas installed", hint)
        return table.to_table(columns=columns, filter=filter).to_pandas()

    def timeline(self, window: tuple[int, int] | None = None) -> Timeline:
        """Return the timeline, of the cycles from the first of `window` to before its second if one is given.

        Raises ConfigError for a window that is none, and for one in which nothing was recorded.
        """
        if window is not None:
            _check_window(window)
        from panacea_sim.report.timeline import timeline_html  # noqa: PLC0415  # bokeh takes a while to import

        return Timeline(timeline_html(self.stored, window))

    def __repr__(self) -> str:
        """Return one line instead of the whole summary."""
        length = "partial" if self.stored.is_partial else f"{self.stored.end_cycle:,} cycles"
        return f"<Run {self.stored.name}: {length}, in {self.stored.path}>"

    def _repr_html_(self) -> str:
        summary = self.stored.summary
        rows = [*_facts(self.stored), *_component_rows({} if summary is None else summary.components)]
        return "<table>" + "".join(rows) + "</table>"


def _check_window(window: object) -> None:
    accepted = "(A, B), whole cycles with 0 <= A < B"
    match window:
        case (Integral() as first, Integral() as last):
            if not 0 <= int(first) < int(last):
                raise ConfigError("window", f"{window!r}, which holds no cycle", accepted)
        case _:
            raise ConfigError("window", repr(window), accepted, "For example window=(1000, 2000)")


def _facts(run: StoredRun) -> list[str]:
    heading, summary = run.heading, run.summary
    facts = {
        "run": run.name,
        "hardware": heading.hardware,
        "engine": heading.engine,
        "layers": ", ".join(run.layer_names),
    }
    if summary is None:
        facts["state"] = "partial: it did not reach its end"
    else:
        facts["makespan"] = f"{summary.makespan_cycles:,} cycles, {duration_text(summary.seconds)}"
        facts["exact"] = {True: "yes", False: "no", None: "no values travelled"}[summary.exact]
    return [_row(name, value) for name, value in facts.items()]


def _component_rows(components: Mapping[str, Mapping[State, int]]) -> list[str]:
    """Return the share of each state for each component, below a heading; nothing for a partial run."""
    rows = [
        _row(name, *(f"{cycles[state] / (sum(cycles.values()) or 1):.1%}" for state in State))
        for name, cycles in components.items()
    ]
    return [_row("component", *State, tag="th"), *rows] if rows else []


def _row(name: str, *values: str, tag: str = "td") -> str:
    return f"<tr><th>{escape(name)}</th>{''.join(f'<{tag}>{escape(value)}</{tag}>' for value in values)}</tr>"
