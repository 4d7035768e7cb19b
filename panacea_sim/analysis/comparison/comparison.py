"""Several runs side by side: the first is the base, with which the others are compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from panacea_sim.analysis.comparison.energy import Charged, charged
from panacea_sim.analysis.comparison.explained import Explained, classes, critical_path, limits, root_causes
from panacea_sim.analysis.comparison.naming import Naming, namings
from panacea_sim.analysis.comparison.rows import Figures, Section, section
from panacea_sim.analysis.comparison.settings import configuration
from panacea_sim.analysis.comparison.soundness import check_sound
from panacea_sim.analysis.comparison.times import has_rows, stalls, states
from panacea_sim.analysis.comparison.work import actions, kinds, layers, mapping, moved_bytes, work
from panacea_sim.energy.charging import Charging, default_charging
from panacea_sim.errors import ConfigError
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.summary import Summary
from panacea_sim.trace.window import left_out

__all__ = ["Compared", "Comparison", "compare_runs", "run_labels"]

_FEWEST = 2


@dataclass(frozen=True)
class Compared:
    """A run of a comparison: its letter, and in sentences what is not known of it."""

    label: str
    run: StoredRun
    naming: Naming
    missing: tuple[str, ...]
    explained: Explained | None = None

    @property
    def cycles(self) -> int | None:
        """The makespan; None for a partial run."""
        return None if self.run.summary is None else self.run.summary.makespan_cycles


@dataclass(frozen=True)
class Comparison:
    """Runs in the order in which they were given, and their figures in sections; the name of the table of energies."""

    runs: tuple[Compared, ...]
    sections: tuple[Section, ...]
    energy_table: str = ""

    def section(self, name: str) -> Section:
        """Return the section of this name."""
        return next(each for each in self.sections if each.name == name)


def run_labels(count: int) -> list[str]:
    """Return A to Z, then AA, AB .. as columns of a spreadsheet are called."""

    def label(number: int) -> str:
        before, letter = divmod(number, 26)
        return (label(before - 1) if before else "") + chr(ord("A") + letter)

    return [label(number) for number in range(count)]


def compare_runs(
    runs: Sequence[StoredRun],
    explanations: Sequence[Explained | None] = (),
    charging: Charging | None = None,
) -> Comparison:
    """Return the figures of two or more runs side by side, in each section the largest difference to the first first.

    `explanations` are those of the runs, as far as they have one, in their order; without any there are no critical
    paths, limits and root causes. `charging` says by what energy is charged, by default the table `default`. Raises
    ConfigError for fewer runs, for one that is given twice, and for files that cannot be read.
    """
    if len(runs) < _FEWEST:
        accepted = "two or more run folders, or a study with two or more runs"
        raise ConfigError("compare", f"{len(runs)} run{'' if len(runs) == 1 else 's'}", accepted)
    places = [run.path.resolve() for run in runs]
    for number, place in enumerate(places):
        if place in places[:number]:
            raise ConfigError("compare", f"{runs[number].path} twice", "each run once", "Leave one of them out")
    for run in runs:
        check_sound(run)
    charging = charging or default_charging()
    energies = [charged(run.summary, charging) for run in runs]
    compared = tuple(
        Compared(label, run, naming, (*_missing(run), *found.reasons), explained)
        for label, run, naming, explained, found in zip(
            run_labels(len(runs)), runs, namings(runs), explanations or [None] * len(runs), energies, strict=True
        )
    )
    return Comparison(compared, tuple(_sections(compared, energies)), charging.text)


def _sections(runs: Sequence[Compared], energies: Sequence[Charged]) -> Iterator[Section]:
    members = [each.naming.members for each in runs]
    whole = partial(_of_whole, runs)
    yield section("configuration", ("of", "field"), "", "relative", [configuration(each.run) for each in runs])
    yield section("mapping", ("layer", "field"), "", "relative", _of_common_layers(whole(mapping)))
    yield from _explained(runs, members)
    of_states = [states(each.run, each.naming) for each in runs]
    yield section("states", ("component", "state"), "cycles", "absolute", of_states, members)
    of_stalls = [stalls(each.run, each.naming) for each in runs]
    keys = ("component", "state", "cause", "cause_component")
    yield section("stalls", keys, "cycles", "absolute", of_stalls, members)
    yield section("bytes", ("bytes",), "bytes", "absolute", whole(moved_bytes))
    yield section("work", ("figure",), "", "relative", whole(work))
    counted = [None if each.run.summary is None else actions(each.run.summary, each.naming) for each in runs]
    yield section("actions", ("component", "action"), "", "relative", counted)
    of_energy, spans = [each.figures for each in energies], [each.spans for each in energies]
    yield section("energy", ("of", "part"), "pJ", "absolute", of_energy, spans=spans)
    yield section("kinds", ("kind",), "cycles", "absolute", whole(kinds))
    yield section("layers", ("layer",), "cycles", "absolute", whole(layers))


def _explained(runs: Sequence[Compared], members: Sequence[Mapping[str, int]]) -> Iterator[Section]:
    keys = ("component", "kind", "cause")
    of_paths = _completed([critical_path(each.explained, each.naming) for each in runs])
    yield section("critical_path", keys, "cycles", "absolute", of_paths)
    of_classes = _completed([classes(each.explained) for each in runs])
    yield section("classes", ("class",), "cycles", "absolute", of_classes)
    of_limits = _completed([limits(each.explained, each.naming) for each in runs])
    yield section("limits", ("name", "kind"), "cycles", "absolute", of_limits)
    of_causes = [root_causes(each.explained, each.naming) for each in runs]
    yield section("root_causes", ("component", "terminal"), "cycles", "absolute", of_causes, members)


def _completed(of_runs: Sequence[Figures | None]) -> list[Figures | None]:
    """Return the figures of critical paths with 0 for what lies on that of another run alone."""
    zeros = {key: 0 for figures in of_runs for key in figures or ()}
    return [None if figures is None else {**zeros, **figures} for figures in of_runs]


def _of_whole(runs: Sequence[Compared], figures: Callable[[Summary], Figures]) -> list[Figures | None]:
    """Return the figures of the runs that have a summary, None for the others."""
    return [None if each.run.summary is None else figures(each.run.summary) for each in runs]


def _of_common_layers(of_runs: Sequence[Figures | None]) -> list[Figures | None]:
    """Return the fields of layers that two runs or more have: those of a single run have nothing beside them."""
    found = Counter(layer for figures in of_runs for layer in {key[0] for key in figures or ()})
    return [
        None if figures is None else {key: value for key, value in figures.items() if found[key[0]] > 1}
        for figures in of_runs
    ]


def _missing(run: StoredRun) -> Iterator[str]:
    """Return what a comparison cannot know of a run."""
    if run.is_partial:
        of_rows = f"states and stalls are those of its {run.end_cycle:,} recorded cycles"
        yield f"Partial: it has no totals; {of_rows if has_rows(run) else 'nothing was recorded of it'}."
    elif not has_rows(run):
        recorded = "no cycle of the --window" if run.has_table("activities") else f"--trace {run.level}"
        yield f"No intervals were recorded ({recorded}): its timeline shows only means over the whole run."
    if run.heading.topology is None:
        yield f"Schema {run.heading.schema_version}: no groups of components, and its actions were not counted."
    if run.summary is not None and run.summary.dram.burst_bytes is None:
        yield "Bytes of whole bursts were not counted when it was written."
    if not (run.path / "scenario.yaml").is_file():
        yield "No scenario.yaml: of its hardware only name and clock are known."
    yield from left_out(run) if has_rows(run) else ()
