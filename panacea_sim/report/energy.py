"""The energy of a run for the terminal: the total first, where it goes, what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console
from rich.text import Text

from panacea_sim.energy.area import Area
from panacea_sim.energy.energy import CATEGORIES, Energy, RunEnergy, energy_of
from panacea_sim.energy.prices import Category
from panacea_sim.energy.ranges import Range
from panacea_sim.energy.table import energy_table
from panacea_sim.report.tables import Bar, Cell, Column, print_table
from panacea_sim.trace.summary import Summary
from panacea_sim.units import energy_text

__all__ = ["CATEGORY_COLOURS", "CATEGORY_LETTERS", "energy_line", "energy_span", "print_energy", "stacked_bar"]

CATEGORY_COLOURS: dict[Category, str] = {
    "static": "#999999",
    "DRAM": "#0072b2",
    "buffer": "#e69f00",
    "core": "#009e73",
}
"""Of Okabe and Ito's palette, as those of states are; always shown with a legend."""

CATEGORY_LETTERS: dict[Category, str] = {"static": "s", "DRAM": "d", "buffer": "b", "core": "█"}
"""What stands for a category in a bar of letters."""
_BAR_WIDTH = 30
_LISTED_LAYERS = 12
_UNKNOWN = "?"
_PARTS = tuple(Column(category, leaves=1) for category in CATEGORIES)
_NAMED = (Column("total"), Column("low .. high", "word", leaves=3), Column("share"), Column("of it", "bar", leaves=2))


def print_energy(console: Console, found: RunEnergy, area: Area) -> None:
    """Print the total, then categories, components, layers, efficiency, area, and what none of it holds."""
    run, prices = found.run, found.prices
    console.print(_headline(found))
    table = prices.table
    ways = {"lump": f"DRAM by the bit ({prices.device})", "events": f"DRAM by events ({prices.device})"}
    console.print(
        Text(f"Table {table.name}, {table.node}: {table.text}; {ways[prices.dram]}; SRAM cells {prices.cells.nominal}")
    )
    _print_categories(console, run)
    rows = [(name, _part(run, name)) for name in run.components]
    _print_stacked(
        console, "component", [(name, part) for name, part in rows if part.known.nominal or part.unknown], run
    )
    _print_layers(console, found)
    for line in _lines(found, area):
        console.print(Text(line))


def energy_line(summary: Summary) -> Text:
    """Return what a run takes by the default table, in a line; nothing of one that did not count operations."""
    if summary.operations is None:
        return Text("")
    found = energy_of(summary, energy_table())
    run = found.run
    if run.total is None or run.pj_per_mac is None:
        without = " and ".join(_without(run))
        return Text(f"Energy: {_text(run.known)} without {without}, which has no figures")
    return Text(
        f"Energy: {_text(run.total)} ({energy_span(run.total)}), {_number(run.pj_per_mac)} pJ/MAC, sourced parts only"
    )


def _without(run: Energy) -> list[str]:
    return list(dict.fromkeys(charge.category for charge in run.unknown))


def _headline(found: RunEnergy) -> Text:
    run = found.run
    text = Text.assemble("Energy of ", (run.name, "bold"), ": ")
    if run.total is None:
        text.append(f"{_text(run.known)}, without what has no figure: {', '.join(_without(run))}", "bold")
        return text
    text.append(_text(run.total), "bold")
    text.append(f" ({energy_span(run.total)})")
    if run.pj_per_mac is not None:
        text.append(f", {_number(run.pj_per_mac)} pJ/MAC", "bold")
        text.append(f" ({_number_span(run.pj_per_mac)})")
    return text


def _print_categories(console: Console, run: Energy) -> None:
    rows: list[list[Cell]] = []
    for category in CATEGORIES:
        of_category = run.of_category(category)
        if of_category is None:
            rows.append([category, _UNKNOWN, "", "", ""])
            continue
        share = _share(of_category, run)
        bar = Bar(((CATEGORY_LETTERS[category], CATEGORY_COLOURS[category], 1.0),), round(share * _BAR_WIDTH))
        rows.append([category, _text(of_category), energy_span(of_category), f"{share:.1%}", bar])
    print_table(console, (Column("category", "word"), *_NAMED), rows)


def _print_stacked(console: Console, title: str, parts: Sequence[tuple[str, Energy]], run: Energy) -> None:
    rows: list[list[Cell]] = []
    for name, part in parts:
        sums = [part.of_category(category) for category in CATEGORIES]
        shown = [_UNKNOWN if each is None else _text(each) if each.nominal else "" for each in sums]
        share = _share(part.known, run)
        rows.append([name, *shown, _text(part.known), f"{share:.1%}", stacked_bar(sums, share)])
    columns = (Column(title, "name"), *_PARTS, Column("total"), Column("share"), Column("of it", "bar", leaves=2))
    print_table(console, columns, rows)
    console.print(Text("  " + "  ".join(f"{CATEGORY_LETTERS[each]} {each}" for each in CATEGORIES)))


def stacked_bar(sums: Sequence[Range | None], share: float) -> Bar | str:
    """Return a bar of the categories, each as long as its part; nothing where none of them is known."""
    parts = tuple(
        (CATEGORY_LETTERS[category], CATEGORY_COLOURS[category], float(each.nominal))
        for category, each in zip(CATEGORIES, sums, strict=True)
        if each is not None and each.nominal
    )
    return Bar(parts, max(1, round(share * _BAR_WIDTH))) if parts else ""


def _print_layers(console: Console, found: RunEnergy) -> None:
    if found.layers is None:
        console.print("Layers overlap: what each of them takes is not known.")
        return
    if len(found.layers) < 2:  # noqa: PLR2004  # one is the run
        return
    longest = sorted(found.layers, key=lambda layer: -layer.known.nominal)[:_LISTED_LAYERS]
    _print_stacked(console, "layer", [(layer.name, layer) for layer in longest], found.run)
    if len(found.layers) > len(longest):
        console.print(f".. and {len(found.layers) - len(longest)} more layers, none of them with more: see --json")


def _lines(found: RunEnergy, area: Area) -> Iterator[str]:
    run = found.run
    if run.tops_per_watt is not None and found.energy_delay is not None:
        yield (
            f"Efficiency: {_number(run.tops_per_watt)} TOPS/W ({_number_span(run.tops_per_watt)}), "
            f"energy-delay product {_number(found.energy_delay)} J s; dense MACs, whatever was skipped"
        )
    yield from _area_lines(found, area)
    if found.padding_bytes:
        charged = "charged" if found.prices.dram == "events" else "not charged by the bit"
        yield f"Padding: {found.padding_bytes:,} bytes of whole bursts beyond what was asked for, {charged}"
    for reason in dict.fromkeys(charge.price.reason for charge in run.unknown):
        of = dict.fromkeys(charge.component for charge in run.unknown if charge.price.reason == reason)
        yield f"No figure: {reason} (asked by {', '.join(of)})"
    yield f"Left out, without a source: {', '.join(found.left_out)}"
    yield "Low and high are cases of the whole run: in one part low may be the higher one. Figures: list energy"


def _area_lines(found: RunEnergy, area: Area) -> Iterator[str]:
    if area.total is None:
        yield f"Area of the parts with a figure: {_number(area.known)} mm2"
        yield from (f"No area: {part.component} {part.what}: {part.reason}" for part in area.unknown)
        return
    yield (
        f"Area, sourced parts only: {_number(area.total)} mm2 ({_number_span(area.total)}), "
        f"arithmetic {_number(area.compute)} of it"
        + (
            f"; with 20 % more arithmetic for unsourced logic {_number(area.with_unsourced)}"
            if area.with_unsourced
            else ""
        )
    )
    density = area.tops_per_mm2(found.run.macs, found.seconds)
    if density is not None:
        yield f"Density: {_number(density)} TOPS/mm2 ({_number_span(density)})"


def _part(run: Energy, component: str) -> Energy:
    return Energy(component, tuple(each for each in run.charges if each.component == component), 0, run.cycles)


def _share(part: Range, run: Energy) -> float:
    return float(part.nominal / run.known.nominal) if run.known.nominal else 0.0


def _text(found: Range) -> str:
    return energy_text(float(found.nominal))


def energy_span(found: Range) -> str:
    """Return an energy from its low to its high case."""
    return _cases(found, energy_text)


def _number(found: Range) -> str:
    return f"{float(found.nominal):.4g}"


def _number_span(found: Range) -> str:
    return _cases(found, lambda each: f"{each:.4g}")


def _cases(found: Range, text: Callable[[float], str]) -> str:
    low, high = text(float(found.low)), text(float(found.high))
    return low if low == high else f"{low} .. {high}"
