"""The tables of energy and area for the terminal, each figure with its range, standing and source."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from panacea_sim.energy.table import Bounds, EnergyTable, energy_table, list_tables
from panacea_sim.report.tables import Column, print_table

__all__ = ["print_energy_tables"]

_COLUMNS = (
    Column("figure", "word"),
    Column("low"),
    Column("nominal"),
    Column("high"),
    Column("unit", "word"),
    Column("standing", "word"),
    Column("source", "name"),
)


def print_energy_tables(console: Console) -> None:
    """Print all tables; of those with a base, the figures that differ from the default."""
    default = energy_table()
    shown = set(_rows(default))
    for name in list_tables():
        table = energy_table(name)
        rows = [row for row in _rows(table) if table is default or name == default.name or row not in shown]
        console.print(f"[bold]{name}[/bold], {table.node}: {table.text}")
        print_table(console, _COLUMNS, rows)
    console.print("Standing: S read in the source named, 2 second-hand, D derived, A an assumption of this project.")


def _rows(table: EnergyTable) -> Iterator[tuple[str, ...]]:
    for name, figure in table.operations.items():
        yield (name, *_amounts(figure), "pJ", figure.standing, figure.source)
    cells = table.sram
    yield ("sram", "", "", "", " ".join(cells.cells), cells.standing, cells.source)
    for name, dram in table.dram.items():
        yield (f"dram {name}", *_amounts(dram.read), "pJ/bit", dram.standing, dram.source)
        if dram.written is not None:
            yield (f"dram {name}, written", *_amounts(dram.written), "pJ/bit", dram.standing, dram.source)
        if dram.background_pj_per_cycle:
            each_cycle = f"{dram.background_pj_per_cycle:g}"
            yield (f"dram {name}", each_cycle, each_cycle, each_cycle, "pJ/cycle", dram.standing, dram.source)
    for name, figure in table.area.items():
        yield (f"area of {name}", *_amounts(figure), "um2", figure.standing, figure.source)


def _amounts(figure: Bounds) -> tuple[str, str, str]:
    return f"{figure.low:g}", f"{figure.nominal:g}", f"{figure.high:g}"
