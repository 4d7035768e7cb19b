"""What a comparison of runs looks like: tables in a terminal, and JSON."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from panacea_sim.analysis.comparison import Compared, Comparison, Row, Section, Span, Value
from panacea_sim.report.groups import plural
from panacea_sim.report.tables import Cell, Column, print_table
from panacea_sim.units import duration_text, energy_text

__all__ = [
    "TITLES",
    "bounds_text",
    "change_text",
    "comparison_json",
    "energy_note",
    "figure_texts",
    "has_changes",
    "key_cells",
    "key_titles",
    "not_explained",
    "print_comparison",
    "run_cells",
    "unlike_rows",
    "value_text",
]

_SHOWN_ROWS = 12
"""Rows of a section in a terminal; --json has all."""

TITLES = {
    "configuration": "Configuration",
    "mapping": "Layers: sizes, densities and mapping",
    "critical_path": "Critical path, cycles",
    "classes": "Critical path by class, cycles",
    "limits": "Crossed limits, cycles stalled at them",
    "root_causes": "Root causes of stalls, cycles",
    "states": "States, cycles",
    "stalls": "Stalls, cycles",
    "bytes": "Bytes",
    "work": "Work and use",
    "actions": "Actions",
    "energy": "Energy",
    "kinds": "Kinds of layers, cycles",
    "layers": "Layers, cycles",
}
_KEY_TITLES = {"cause_component": "other end"}
_SHARE = "_use"
"""Figures that are shares of what could be in use end so."""

_ENERGY_UNIT = "pJ"

_SETTINGS = {"configuration", "mapping"}


def print_comparison(console: Console, comparison: Comparison) -> None:
    """Print the runs, what is not known of them, and the rows of each section that differ, largest difference first."""
    _print_runs(console, comparison.runs)
    for note in (bounds_text(comparison), not_explained(comparison), energy_note(comparison)):
        if note:
            console.print(Text(note))
    for each in comparison.sections:
        _print_section(console, comparison.runs, each)


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return the content of `compare --json`, which docs/files.md describes: every row, also without a difference."""
    runs = [_run_json(each) | {"energy_table": comparison.energy_table} for each in comparison.runs]
    return {"runs": runs} | {each.name: [_row_json(each, row) for row in each.rows] for each in comparison.sections}


def bounds_text(comparison: Comparison) -> str:
    """Return what bounds each run whose critical path is known, with its share of the path; empty if none is."""
    texts = []
    for each in comparison.runs:
        if each.explained is not None and each.explained.path is not None and each.explained.classes:
            classes = each.explained.classes
            name = max(classes, key=lambda name: classes[name])
            texts.append(f"{each.label} by {name} ({classes[name] / sum(classes.values()):.1%})")
    return f"Bound: {', '.join(texts)}" if texts else ""


def not_explained(comparison: Comparison) -> str:
    """Return which runs have no explanation, and the command that explains the first of them; empty if all have one."""
    without = [each for each in comparison.runs if each.explained is None]
    if not without:
        return ""
    command = shlex.join(["panacea-sim", "why", str(without[0].run.path)])
    labels = ", ".join(each.label for each in without)
    return f"Not explained: {labels}, so that critical path and root causes are not compared: {command}"


def energy_note(comparison: Comparison) -> str:
    """Return by which table energy is compared; empty where that of no run is known."""
    rows = [row for each in comparison.sections if each.unit == _ENERGY_UNIT for row in each.rows]
    known = any(value is not None for row in rows for value in row.values)
    return f"Energy: nominal (low .. high), by the table {comparison.energy_table}" if known else ""


def unlike_rows(section: Section) -> list[Row]:
    """Return the rows with a difference, largest first, and those with a value that only some runs have."""
    return [row for row in section.rows if row.difference or len({value is None for value in row.values}) > 1]


def key_cells(row: Row) -> list[str]:
    """Return the parts of a row's key as people read them: groups with the number of their members."""
    parts = list(row.key)
    if row.members:
        parts[0] = _members_text(parts[0], [count for count in row.members if count])
    return parts


def key_titles(section: Section) -> list[str]:
    """Return the titles of the parts of a key."""
    return [_KEY_TITLES.get(key, key) for key in section.keys]


def figure_texts(section: Section, row: Row) -> list[str]:
    """Return the figure of each run as people read it, with its range where it has one."""
    texts = [value_text(section, row, value) for value in row.shown]
    spans = row.spans or [None] * len(texts)
    return [f"{text}{_span_text(span)}" for text, span in zip(texts, spans, strict=True)]


def _span_text(span: Span | None) -> str:
    low, high = ("", "") if span is None else map(energy_text, span)
    return "" if low == high else f" ({low} .. {high})"


def value_text(section: Section, row: Row, value: Value | None) -> str:
    """Return a figure as people read it; `-` for one that a run does not have."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value or "-"
    return _number_text(section, row, value)


def _number_text(section: Section, row: Row, value: float) -> str:
    if section.unit == _ENERGY_UNIT:
        return energy_text(value)
    if section.name == "configuration":
        return f"{value:,}"
    if _is_share(section, row):
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}" if section.unit else f"{value:,.4f}"


def has_changes(section: Section) -> bool:
    """Return whether figures can be subtracted: those of settings mean nothing by their difference."""
    return section.name not in _SETTINGS


def change_text(section: Section, row: Row, other: Value | None) -> str:
    """Return how a figure differs from that of the base: in the unit of all rows, points of percent, or percent."""
    base = row.shown[0]
    if base is None or other is None or isinstance(base, str) or isinstance(other, str):
        return ""
    if other == base:
        return "0"
    if section.unit == _ENERGY_UNIT:
        return f"{'-' if other < base else '+'}{energy_text(abs(other - base))}"
    if section.unit:
        return f"{other - base:+,.0f}"
    if _is_share(section, row):
        return f"{100 * (other - base):+.1f} points"
    return f"{(other - base) / base:+.1%}" if base else ""


def _is_share(section: Section, row: Row) -> bool:
    return section.name == "work" and row.key[0].endswith(_SHARE)


def _members_text(name: str, counts: Sequence[int]) -> str:
    if max(counts) == 1:
        return name
    different = "/".join(map(str, dict.fromkeys(counts)))
    if name.endswith("*"):
        return f"{name} (mean of {different})"
    return f"{different} {plural(name)} (mean)"


def _print_runs(console: Console, runs: Sequence[Compared]) -> None:
    columns = [
        Column("", "word"),
        Column("run", "name"),
        Column("hardware", "word", leaves=2),
        Column("cycles"),
        Column(f"to {runs[0].label}"),
        Column("%"),
        Column("time"),
        Column("tiles", leaves=1),
        Column("exact", "word", leaves=3),
    ]
    print_table(console, columns, [run_cells(each, runs[0]) for each in runs])
    for each in runs:
        for sentence in each.missing:
            console.print(Text(f"{each.label}: {sentence}"))


def run_cells(each: Compared, base: Compared) -> list[str]:
    """Return letter, folder, hardware, cycles, how they differ from the base's, time, tiles and whether it is exact."""
    summary = each.run.summary
    name, hardware = str(each.run.path), each.run.heading.hardware
    if summary is None:
        return [each.label, name, hardware, "partial", "", "", "", "", ""]
    by = "" if each is base or base.cycles is None else f"{summary.makespan_cycles - base.cycles:+,}"
    percent = f"{summary.makespan_cycles / base.cycles - 1:+.1%}" if by and base.cycles else ""
    exact = {None: "-", True: "yes", False: "NO"}[summary.exact]
    cycles = f"{summary.makespan_cycles:,}"
    return [
        each.label,
        name,
        hardware,
        cycles,
        by,
        percent,
        duration_text(summary.seconds),
        f"{summary.tiles:,}",
        exact,
    ]


def _print_section(console: Console, runs: Sequence[Compared], section: Section) -> None:
    if not section.rows:
        if section.name == "mapping" and all(each.cycles is not None for each in runs):
            console.print(
                Text("Layers: no two runs have one of the same name, so that sizes and mapping are not compared")
            )
        return
    title, unlike = TITLES[section.name], unlike_rows(section)
    if not unlike:
        console.print(Text(f"{title}: the same in all runs, {len(section.rows):,} figures"))
        return
    shown = unlike[:_SHOWN_ROWS]
    print_table(console, _columns(runs, section), [list(_cells(section, row)) for row in shown], title)
    if len(unlike) > len(shown):
        console.print(Text(f".. and {len(unlike) - len(shown):,} more that differ, none of them more: --json has all"))


def _columns(runs: Sequence[Compared], section: Section) -> list[Column]:
    columns = [Column(title, "name") for title in key_titles(section)]
    for number, each in enumerate(runs):
        columns.append(Column(each.label, "figure" if has_changes(section) else "name"))
        if number and has_changes(section):
            columns.append(Column(f"{each.label} - {runs[0].label}", leaves=1))
    return columns


def _cells(section: Section, row: Row) -> Iterator[Cell]:
    yield from key_cells(row)
    base, *others = figure_texts(section, row)
    yield base
    for text, value in zip(others, row.shown[1:], strict=True):
        yield text
        if has_changes(section):
            yield change_text(section, row, value)


def _run_json(each: Compared) -> dict[str, Any]:
    run, summary = each.run, each.run.summary
    figures = ("makespan_cycles", "seconds", "tiles", "exact")
    return {
        "label": each.label,
        "path": str(run.path),
        "scenario": run.name,
        "hardware": run.heading.hardware,
        "partial": run.is_partial,
        **{name: None if summary is None else getattr(summary, name) for name in figures},
        "recorded_cycles": list(run.recorded_cycles) if run.level != "off" else None,
        "explained": each.explained is not None,
        "missing": list(each.missing),
    }


def _row_json(section: Section, row: Row) -> dict[str, Any]:
    members = {"members": list(row.members)} if row.members else {}
    spans = {"spans": [None if each is None else list(each) for each in row.spans]} if row.spans else {}
    return {
        **dict(zip(section.keys, row.key, strict=True)),
        **members,
        **spans,
        "values": list(row.values),
        "difference": row.difference,
    }
