"""Who wins, and on which terms: in words, of which a verdict that depends on the table of energies is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from panacea_sim.analysis.versus.contender import TABLES, Contender, Part, Versus
from panacea_sim.energy.ranges import Range

__all__ = ["BEST", "POOLED", "EnergyVerdict", "energy_ratios", "energy_verdict", "headlines"]

BEST, POOLED = "_best", "_pooled"
"""What is put behind the name of a machine at its best split, and with operators that can do all work."""

_NEAR = 0.05
"""Our assumption (A): figures of 4 to 5 times the range do not tell such differences."""

EnergyVerdict = Literal["less", "more", "depends on the table", "within the range", "unknown"]


@dataclass(frozen=True)
class _Ratio:
    """The energy of one machine by that of another one: nominal, and the least and greatest of the three cases."""

    low: float
    nominal: float
    high: float


def energy_ratios(one: Contender, other: Contender) -> dict[str, _Ratio | None]:
    """Return by each table what energy one machine takes for that of another one, None where a figure is missing."""
    return {table: _ratio(one, other, table) for table in TABLES}


def energy_verdict(one: Contender, other: Contender) -> EnergyVerdict:
    """Return whether one machine takes less energy than another one, or more, as far as figures reach.

    Tables that disagree say nothing; neither does one whose cases disagree, nor a difference of less than a twentieth.
    """
    ratios = list(energy_ratios(one, other).values())
    known = [ratio for ratio in ratios if ratio is not None]
    if len(known) < len(ratios) or not known:
        return "unknown"
    if len({ratio.nominal < 1 for ratio in known}) > 1:
        return "depends on the table"
    if any(ratio.low <= 1 <= ratio.high or abs(ratio.nominal - 1) < _NEAR for ratio in known):
        return "within the range"
    return "less" if known[0].nominal < 1 else "more"


def headlines(found: Versus) -> list[str]:
    """Return who wins: for each part the fastest, where the champion stands, and who takes least energy."""
    if found.steps:
        return list(_of_steps(found, found.parts[0]))
    return [line for part in found.parts for line in _of_part(found, part)]


def _of_steps(found: Versus, part: Part) -> Iterator[str]:
    """Return what each step of an ablation gains over the one before, and what all of them do together."""
    for more, where in (("", "at the preset's split"), (BEST, "at the best split of each step")):
        runs = [part.named(step + more) for step in found.steps]
        gains = [f"{each.name.removesuffix(BEST)} {_times(one.cycles / each.cycles)}" for one, each in pairwise(runs)]
        total = _times(runs[0].cycles / runs[-1].cycles)
        yield f"{where}, as fast as the step before: {', '.join(gains)}; together {total}"
    exact, least = part.named(found.steps[0]), part.named(found.steps[-1])
    if lost := _accuracies(least, exact):
        yield f"the last step costs accuracy{lost}"


def _of_part(found: Versus, part: Part) -> Iterator[str]:
    where = f"{part.weights} weights: " if len(found.parts) > 1 else ""
    yield f"{where}{_fastest(found, part)}, at equal {found.normalise}"
    if found.champion is not None:
        yield from (f"{where}{line}" for line in _standing(part, found.champion))
    yield f"{where}{_least_energy(part)}"


def _fastest(found: Versus, part: Part) -> str:
    """Return which machine is fastest, over the champion or, where it is that one, over the fastest other machine."""
    first = min(part.runs, key=lambda each: each.cycles)
    text = f"{_named(first)} is fastest: {first.cycles:,} cycles"
    own = {found.champion, f"{found.champion}{BEST}"}
    others = [each for each in part.runs if each is not first and (first.name not in own or each.name not in own)]
    if first.name != found.champion and found.champion is not None:
        others = [part.named(found.champion)]
    if not others:
        return text
    other = min(others, key=lambda each: each.cycles)
    return f"{text}, {_times(other.cycles / first.cycles)} as fast as {_named(other)}{_accuracies(first, other)}"


def _accuracies(one: Contender, other: Contender) -> str:
    """Return what is left of the outputs of two machines, where that is known and not the same."""
    if one.accuracy is None or other.accuracy is None or one.accuracy == other.accuracy:
        return ""
    return f", with outputs of {one.accuracy.text} beside {other.accuracy.text}"


def _standing(part: Part, champion: str) -> Iterator[str]:
    """Return where the champion stands against the fastest rival: at its preset, at its best split, and at most."""
    rivals = [each for each in part.runs if each.name not in {champion, champion + BEST}]
    if not rivals:
        return
    rival = min(rivals, key=lambda each: each.cycles)
    versions = [each for each in part.contenders if each.name in {champion, champion + BEST, champion + POOLED}]
    said = "; ".join(f"{_named(each)} {_times(rival.cycles / each.cycles)}" for each in versions)
    own = part.named(champion)
    yield f"against {rival.name}, the fastest rival, with its speed as 1: {said}{_accuracies(own, rival)}"
    verdicts = {each.name: energy_verdict(own, each) for each in rivals}
    texts = {
        "less": "takes less energy than",
        "more": "takes more energy than",
        "depends on the table": "cannot be told in energy, as the tables disagree, from",
        "within the range": "cannot be told in energy, within 5 % or the range of figures, from",
        "unknown": "cannot be told in energy, for want of figures, from",
    }
    parts = [
        f"{text} {', '.join(names)}"
        for verdict, text in texts.items()
        if (names := [name for name, each in verdicts.items() if each == verdict])
    ]
    yield f"{champion} {'; '.join(parts)}"


def _least_energy(part: Part) -> str:
    least = {table: _least(part.runs, table) for table in TABLES}
    if any(each is None for each in least.values()):
        return "least energy: unknown, as figures are missing"
    names = {table: each.name for table, each in least.items() if each is not None}
    if len(set(names.values())) == 1:
        return f"{names[TABLES[0]]} takes least energy, by the tables {' and '.join(TABLES)} alike"
    told = ", ".join(f"{name} by {table}" for table, name in names.items())
    return f"who takes least energy depends on the table of figures: {told}"


def _least(runs: Sequence[Contender], table: str) -> Contender | None:
    totals = [(total.nominal, each) for each in runs if (total := _total(each, table)) is not None]
    return min(totals, key=lambda pair: pair[0])[1] if len(totals) == len(runs) else None


def _ratio(one: Contender, other: Contender, table: str) -> _Ratio | None:
    above, below = _total(one, table), _total(other, table)
    if above is None or below is None or not below.nominal:
        return None
    cases = [float(above.low / below.low), float(above.nominal / below.nominal), float(above.high / below.high)]
    return _Ratio(min(cases), cases[1], max(cases))


def _total(each: Contender, table: str) -> Range | None:
    return each.energies[table].run.total if table in each.energies else None


def _named(each: Contender) -> str:
    return f"{each.name} ({each.said})" if each.said else each.name


def _times(ratio: float) -> str:
    return f"{ratio:.2f} times"
