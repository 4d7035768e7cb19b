"""What the candidates of a mapping look like in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["print_candidates"]


def print_candidates(console: Console, layer: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print one row for each candidate, the least bound first; those that do not fit come last, with the reason."""
    table = Table(title=Text(f"Mappings of {layer}"), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD)
    for column in ("order", "tiles"):
        table.add_column(column, no_wrap=True)
    for column in ("W reads", "x reads", "read", "written", "bound", "simulated"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("bound by / obstacle")
    for row in rows:
        table.add_row(*_cells(row))
    console.print(table)
    console.print("Bytes are predicted, bound and simulated are cycles; tiles 2 = double-tile processing.")


def _cells(row: dict[str, Any]) -> list[str]:
    start = [row["loop_order"], "2" if row["double_tile"] else "1"]
    if row["obstacle"]:
        return [*start, *["-"] * 6, row["obstacle"]]
    simulated = row["simulated_cycles"]
    return [
        *start,
        "once" if row["weight_resident"] else "each task",
        "once" if row["activation_resident"] else "each task",
        f"{row['read_bytes']:,}",
        f"{row['write_bytes']:,}",
        f"{row['bound_cycles']:,}",
        "" if simulated is None else f"{simulated:,}",
        row["busiest"],
    ]
