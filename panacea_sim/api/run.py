"""A run in Python: its figures as DataFrames, why it took so long, what would change it, and how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds

from panacea_sim.api.html import bold_line, line, table
from panacea_sim.api.own_folder import OwnFolder
from panacea_sim.api.pages import Picture, Timeline, check_window
from panacea_sim.api.words import in_python_words
from panacea_sim.checks import require_choice
from panacea_sim.errors import ConfigError
from panacea_sim.report.groups import group_label
from panacea_sim.trace.run_place import RUN_MARK
from panacea_sim.trace.schema import State
from panacea_sim.trace.store import RunFolder
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.units import duration_text

if TYPE_CHECKING:
    import pandas as pd

    from panacea_sim.api.answers import Diagnosis, EnergyAnswer

__all__ = ["Run"]

_SHOWN_SECONDS = 1.0
"""For so long a notebook waits for the gains of changes when it shows a run that was explained."""

Outputs = Mapping[str, npt.NDArray[np.int32]]


class Run:
    """A run: one that `simulate` has made, or one that `Run.open` has found in a folder.

    A run of `simulate` lives in a temporary folder of its own, which is gone when nobody holds the run any more, when
    it is closed (`with simulate(..) as run:`), or when Python ends; `save` keeps it. All frames are made anew when they
    are asked for. `stored` is what the functions of `panacea_sim.analysis` and `panacea_sim.report` take.
    """

    def __init__(self, stored: StoredRun, outputs: Outputs | None = None, folder: OwnFolder | None = None) -> None:
        self._stored = stored
        self._outputs = outputs
        self._folder = folder
        self._why: Diagnosis | None = None

    @classmethod
    @in_python_words()
    def open(cls, path: Path | str) -> Run:
        """Return the run in a folder, complete or partial; raises ConfigError if there is none."""
        return cls(open_run(path))

    @property
    def stored(self) -> StoredRun:
        """The run as a folder holds it; raises ConfigError if it was closed."""
        if self._folder is not None and self._folder.is_closed:
            hint = "Simulate it again, and save(folder) what is to stay"
            raise ConfigError("run", f"{self._stored.name!r}, which was closed", "a run that is open", hint)
        return self._stored

    @property
    def name(self) -> str:
        """The name of the scenario."""
        return self._stored.name

    @property
    def cycles(self) -> int | None:
        """The makespan in cycles; None of a partial run."""
        summary = self._stored.summary
        return None if summary is None else summary.makespan_cycles

    @property
    def exact(self) -> bool | None:
        """Whether every accumulator equals the plain integer product; None where no values were compared."""
        summary = self._stored.summary
        return None if summary is None else summary.exact

    @property
    def summary(self) -> Mapping[str, Any]:
        """What stands in summary.json, whose keys docs/files.md describes."""
        return self._stored.heading.to_json()

    @property
    @in_python_words()
    def states(self) -> pd.DataFrame:
        """The cycles of each component and channel in each state; each row adds up to `cycles`.

        Raises ConfigError for a partial run, as all frames of figures do.
        """
        from panacea_sim.api.frames import figures_of, state_frame  # noqa: PLC0415  # pandas takes a while

        return state_frame(figures_of(self._stored))

    @property
    @in_python_words()
    def components(self) -> pd.DataFrame:
        """What each component is, its share of busy cycles, its stalled cycles, and what it counts."""
        from panacea_sim.api.frames import component_frame  # noqa: PLC0415  # the same

        return component_frame(self._stored)

    @property
    @in_python_words()
    def stalls(self) -> pd.DataFrame:
        """For how many cycles each component was in which state for which cause, and who is at its other end."""
        from panacea_sim.api.frames import figures_of, stall_frame  # noqa: PLC0415  # the same

        return stall_frame(figures_of(self._stored))

    @property
    @in_python_words()
    def layers(self) -> pd.DataFrame:
        """What summary.json says of each layer: cycles, sizes, densities, mapping, bytes."""
        from panacea_sim.api.frames import figures_of, layer_frame  # noqa: PLC0415  # the same

        return layer_frame(figures_of(self._stored))

    @property
    @in_python_words()
    def critical_path(self) -> pd.DataFrame:
        """The cycles of the critical path, which add up to `cycles`, most first.

        Raises ConfigError for a run that was neither explained nor recorded whole, and for a window.
        """
        tables = self._explanation()
        if "critical_path" not in tables:
            raise ConfigError(f"{self._stored.path}", "a window of a run", "a run that was recorded whole")
        return tables["critical_path"].to_pandas()

    @property
    @in_python_words()
    def root_causes(self) -> pd.DataFrame:
        """For whom each component waits in the end: all of its stalled cycles. Raises as `critical_path` does."""
        return self._explanation()["root_causes"].to_pandas()

    @property
    @in_python_words()
    def intervals(self) -> pd.DataFrame:
        """What each component did, interval by interval, with `cycles`; raises ConfigError without a trace."""
        from panacea_sim.analysis.query import intervals  # noqa: PLC0415  # few ask
        from panacea_sim.analysis.selection import Selection  # noqa: PLC0415

        return intervals(self.stored, Selection()).read_all().to_pandas()

    @property
    @in_python_words()
    def queues(self) -> pd.DataFrame:
        """The occupancy of each queue (tokens) and memory (bytes) whenever it changes; raises without a full trace."""
        return self.to_pandas("queues")

    @property
    @in_python_words()
    def dram(self) -> pd.DataFrame:
        """Each access of a DRAM channel; raises ConfigError without a full trace."""
        return self.to_pandas("dram")

    @in_python_words()
    def dataset(self, name: str) -> ds.Dataset:
        """Return a table unread: `.to_table(columns=.., filter=..)` reads what is wanted, `.head(5)` the first rows.

        `name` is activities, queues, dram, postings, critical_path or root_causes. Raises ConfigError for another one,
        and for a table that was not recorded.
        """
        return self.stored.dataset(name)

    @in_python_words()
    def to_pandas(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        filter: ds.Expression | None = None,  # noqa: A002  # pyarrow's word
    ) -> pd.DataFrame:
        """Return a table, or some of its columns and rows, as a DataFrame; raises as `dataset` does."""
        return self.stored.dataset(name).to_table(columns=columns, filter=filter).to_pandas()

    @property
    @in_python_words()
    def outputs(self) -> Outputs:
        """The accumulators of each layer as they came out of the machine: int32 [M, N], of R products [R, M, N].

        They are there where values travelled or were checked in one simulation, for as long as this object. Raises
        ConfigError for other runs.
        """
        if self._outputs is None:
            found = "no values: none travelled, layers ran each alone, or the run was opened from a folder"
            hint = "simulate(layer, values='travel') has them"
            raise ConfigError("outputs", found, "a run in whose one simulation values travelled", hint)
        return self._outputs

    @in_python_words()
    def why(self, seconds: float = 2.0) -> Diagnosis:
        """Return why the run took so long and what to change, as `panacea-sim why` does; the answer is kept.

        It runs again for at most about `seconds` to measure what changes gain. Raises ConfigError for a run that was
        neither explained nor recorded whole.
        """
        # They take a while to import.
        from panacea_sim.api.answers import Diagnosis  # noqa: PLC0415
        from panacea_sim.running.why import why  # noqa: PLC0415

        self._why = Diagnosis(why(self.stored, seconds))
        return self._why

    @in_python_words()
    def whatif(self, *knobs: str, workers: int = 1) -> pd.DataFrame:
        """Turn every knob of the hardware one step, or only those named, and return what each change saves.

        Each change is a run of its own, in up to so many processes; a script that asks for more than one must keep its
        own work below `if __name__ == "__main__"`. Reruns are kept beside the run. Raises ConfigError for a name that
        is no knob, and for a partial run.
        """
        # They take a while to import.
        from panacea_sim.api.changes import tried_changes  # noqa: PLC0415

        return tried_changes(self.stored, knobs, workers)

    @in_python_words()
    def energy(
        self, table: str | Path = "default", dram: Literal["lump", "events"] = "lump", device: str | None = None
    ) -> EnergyAnswer:
        """Return what the run takes in pJ by a table of figures, by its name or path, and its machine in mm2.

        DRAM is charged by the bit or by its events; `device` gives the figure where the run's own memory has none.
        Raises ConfigError for a partial run, an unknown table or device, and a run that did not count operations.
        """
        from panacea_sim.api.answers import EnergyAnswer  # noqa: PLC0415  # pandas takes a while
        from panacea_sim.energy.stored import stored_energy  # noqa: PLC0415

        require_choice("dram", dram, ("lump", "events"))
        return EnergyAnswer(stored_energy(self.stored, str(table), dram, device))

    @in_python_words()
    def timeline(self, window: tuple[int, int] | None = None) -> Timeline:
        """Return the timeline, of the cycles from the first of `window` to before its second if one is given.

        Raises ConfigError for a window that is none, and for one in which nothing was recorded.
        """
        cycles = check_window(window)
        from panacea_sim.report.timeline import timeline_html  # noqa: PLC0415  # bokeh takes a while to import

        return Timeline(timeline_html(self.stored, cycles))

    @in_python_words()
    def picture(self, style: Literal["screen", "paper"] = "screen", window: tuple[int, int] | None = None) -> Picture:
        """Return how the states of every component share the time; raises ConfigError as `timeline` does."""
        cycles = check_window(window)
        from panacea_sim.report.picture import run_figure  # noqa: PLC0415  # matplotlib takes a while to import

        return Picture(run_figure(self.stored, style=style, window=cycles))

    @in_python_words()
    def save(self, folder: str | Path, *, force: bool = False) -> Run:
        """Keep the run in a folder, as `panacea-sim run --out` writes it, and return it there.

        Raises ConfigError for a folder that exists, unless it is a run's and `force` replaces it.
        """
        source = self.stored.path
        with RunFolder(Path(folder), force=force) as target:
            for path in source.iterdir():
                if path.name != RUN_MARK:  # the new folder has its own, by which it is locked
                    target.copy(path)
            target.complete()
        kept = Run(open_run(target.target), self._outputs)
        kept._why = self._why  # the same run
        return kept

    def close(self) -> None:
        """Remove the temporary folder of a run that was not saved; a run that was opened from a folder stays there."""
        if self._folder is not None:
            self._folder.close()

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Return one line instead of the whole summary."""
        length = "partial" if self.cycles is None else f"{self.cycles:,} cycles"
        summary = self._stored.summary
        bound = None if summary is None or summary.explanation is None else summary.explanation.bound
        where = "not saved" if self._folder is not None else f"in {self._stored.path}"
        return f"<Run {self.name}: {length}{f', bound by {bound}' if bound else ''}, {where}>"

    def _repr_html_(self) -> str:
        return "".join((self._headline(), *map(line, self._lines()), self._state_table()))

    def _explanation(self) -> Mapping[str, Any]:
        from panacea_sim.explanation.explained import explained  # noqa: PLC0415  # the walk takes a while
        from panacea_sim.explanation.folder import explanation_tables  # noqa: PLC0415

        return explanation_tables(explained(self.stored))

    def _headline(self) -> str:
        heading, summary = self._stored.heading, self._stored.summary
        if summary is None:
            return bold_line(self.name, f" on {heading.hardware}: partial, it did not reach its end")
        exact = {True: "exact", False: "NOT EXACT", None: "no values compared"}[summary.exact]
        length = f"{summary.makespan_cycles:,} cycles, {duration_text(summary.seconds)}"
        count = len(summary.layers)
        layers = f"layer {summary.layers[0].name}" if count == 1 else f"{count:,} layers"
        return bold_line(self.name, f" on {heading.hardware}: {length}; {layers}; {heading.engine} engine, {exact}")

    def _lines(self) -> list[str]:
        """Return what bounds the run and the first remedies, or why they are not known and how they can be."""
        summary = self._stored.summary
        if summary is None:
            return []
        if summary.explanation is None:
            if self._stored.level == "full":
                return ["Not explained yet: run.why()"]
            return ["Not explained: simulate it with explain=True to see why it takes so long"]
        if self._folder is not None and self._folder.is_closed:
            return [f"Bound by {summary.explanation.bound}; the run was closed"]
        # The report takes a while to import.
        from panacea_sim.report.why import first_line, remedy_line  # noqa: PLC0415

        found = (self._why or self.why(_SHOWN_SECONDS)).found
        more = "" if found.all_tried else " Every knob: run.whatif()"
        return [first_line(found.summary, found.bound).plain, f"{remedy_line(found)}{more}"]

    def _state_table(self) -> str:
        """Return the share of each state for each group of components; nothing for a partial run."""
        summary = self._stored.summary
        if summary is None:
            return ""
        groups = self._stored.groups | {name: (name,) for name in self._stored.channels}
        rows = []
        for group, members in groups.items():
            sums = {state: sum(summary.components[name][state] for name in members) for state in State}
            total = sum(sums.values()) or 1
            label = members[0] if len(members) == 1 else f"{group_label(group, len(members))} (mean)"
            rows.append([label, *(f"{sums[state] / total:.1%}" for state in State)])
        return table(["component", *State], rows)
