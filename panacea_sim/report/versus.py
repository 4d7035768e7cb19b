"""Machines against each other in a terminal: who wins on which terms first, then a table for each part."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from panacea_sim.analysis.versus.contender import METRICS, SQNR, TABLES, Contender, Part, Versus
from panacea_sim.analysis.versus.verdicts import headlines
from panacea_sim.description.costs import MULTIPLY_4B, MULTIPLY_8B
from panacea_sim.energy.energy import CATEGORIES, Energy
from panacea_sim.energy.ranges import Range
from panacea_sim.report.energy import CATEGORY_LETTERS, energy_span, stacked_bar
from panacea_sim.report.tables import Bar, Cell, Column, print_table
from panacea_sim.units import energy_text

__all__ = ["print_versus"]

_BAR_WIDTH = 24
_SHORT_WORK = {MULTIPLY_4B: "4b", MULTIPLY_8B: "8b"}
_UNKNOWN = "-"


def print_versus(console: Console, found: Versus) -> None:
    """Print who wins, the terms, the tables, and what figures mean."""
    for line in headlines(found):
        console.print(Text(line, "bold"), soft_wrap=True)
    console.print(Text(f"Terms: {found.terms}"), soft_wrap=True)
    for part in found.parts:
        _print_part(console, found, part)
    console.print(Text("  " + "  ".join(f"{CATEGORY_LETTERS[each]} {each}" for each in CATEGORIES)))
    for line in _notes(found):
        console.print(Text(line), soft_wrap=True)


def _print_part(console: Console, found: Versus, part: Part) -> None:
    columns = (
        Column("machine", "name"),
        Column("as", "word", leaves=2),
        Column("cycles"),
        Column("speed-up"),
        Column("compute\nbusy", leaves=5),
        Column("products", leaves=6),
        Column("MB\nDRAM", leaves=4),
        Column(f"energy\n{TABLES[0]}"),
        Column("low .. high", "word", leaves=3),
        Column(f"energy\n{TABLES[1]}"),
        Column("pJ/MAC", leaves=7),
        Column("mm2", leaves=8),
        Column(_accuracy_title(part), "word"),
        Column("energy", "bar", leaves=1),
    )
    most = max((total for each in part.runs if (total := _nominal(each)) is not None), default=0.0)
    title = f"{part.weights} weights" if len(found.parts) > 1 else ""
    if part.profile is not None:
        title = f"{part.weights} weights (profile {part.profile})"
    print_table(console, columns, [_row(part, each, found.baseline, most) for each in part.contenders], title)


def _accuracy_title(part: Part) -> str:
    """Return what is shown of the outputs."""
    known = [each.accuracy for each in part.contenders if each.accuracy is not None]
    return METRICS[known[0].metric if known else SQNR]


def _row(part: Part, each: Contender, baseline: str, most: float) -> list[Cell]:
    first, second = (each.energies[table].run if table in each.energies else None for table in TABLES)
    total = None if first is None else first.total
    per_mac = None if first is None else first.pj_per_mac
    area = None if each.area is None else each.area.total
    moved = each.dram_bytes
    return [
        each.name,
        each.said,
        f"{each.cycles:,}",
        f"{part.named(baseline).cycles / each.cycles:.2f}",
        _UNKNOWN if each.compute_cycles is None else f"{each.compute_cycles / each.cycles:.0%}",
        " ".join(f"{count / 1e6:,.1f} M {_SHORT_WORK[name]}" for name, count in each.work.items()) or _UNKNOWN,
        _UNKNOWN if moved is None else f"{moved / 1e6:,.2f}",
        _energy(total),
        _UNKNOWN if total is None else energy_span(total),
        _energy(None if second is None else second.total),
        _UNKNOWN if per_mac is None else f"{float(per_mac.nominal):.3g}",
        _UNKNOWN if area is None else f"{float(area.nominal):.3f}",
        _UNKNOWN if each.accuracy is None else each.accuracy.text,
        _bar(first, most),
    ]


def _energy(total: Range | None) -> str:
    return _UNKNOWN if total is None else energy_text(float(total.nominal))


def _nominal(each: Contender) -> float | None:
    total = each.energies[TABLES[0]].run.total if each.energies else None
    return None if total is None else float(total.nominal)


def _bar(run: Energy | None, most: float) -> Bar | str:
    if run is None or run.total is None or not most:
        return ""
    share = float(run.total.nominal) / most
    return stacked_bar([run.of_category(each) for each in CATEGORIES], share)


def _notes(found: Versus) -> list[str]:
    tables = "Energy by two tables, sourced parts only: where they disagree, neither machine has won"
    notes = [f"Speed-up over {found.baseline}. {tables}"]
    if found.champion is not None:
        notes.append(
            f"{found.champion} at its preset has a split that is our assumption; its best split is that of this "
            "workload; the bound is what no split could be below, without any wait"
        )
    if found.accuracy_against is not None:
        notes.append(f"{_accuracy_title(found.parts[0])} of the outputs against {found.accuracy_against}")
    if found.no_accuracy is not None:
        notes.append(f"Accuracy is not known: {found.no_accuracy}")
    notes += found.notes
    reasons = [
        charge.price.reason for each in _runs(found) for run in each.energies.values() for charge in run.run.unknown
    ]
    return [*notes, *(f"No figure: {reason}" for reason in dict.fromkeys(reasons))]


def _runs(found: Versus) -> list[Contender]:
    return [each for part in found.parts for each in part.runs]
