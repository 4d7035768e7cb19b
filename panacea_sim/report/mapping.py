"""What the candidates of a mapping look like in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from panacea_sim.report.tables import Column, print_table

__all__ = ["print_candidates"]

_COLUMNS = (
    Column("order", "word"),
    Column("DTP", "word"),
    Column("W\nreads", leaves=1),
    Column("x\nreads", leaves=1),
    Column("bytes\nread"),
    Column("bytes\nwritten", leaves=2),
    Column("bound"),
    Column("simulated"),
    Column("bound by,\nobstacle", "name"),
)


def print_candidates(console: Console, layer: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print one row for each candidate, the least bound first; those that do not fit come last, with the reason."""
    print_table(console, _COLUMNS, [_cells(row) for row in rows], f"Mappings of {layer}")
    console.print("Bytes are predicted; bound and simulated are cycles. Operands are read once, or for each task.")
    console.print("DTP: double-tile processing.")


def _cells(row: dict[str, Any]) -> list[str]:
    start = [row["loop_order"], "on" if row["double_tile"] else "off"]
    if row["obstacle"]:
        return [*start, *["-"] * 6, row["obstacle"]]
    simulated = row["simulated_cycles"]
    return [
        *start,
        "once" if row["weight_resident"] else "each",
        "once" if row["activation_resident"] else "each",
        f"{row['read_bytes']:,}",
        f"{row['write_bytes']:,}",
        f"{row['bound_cycles']:,}",
        "" if simulated is None else f"{simulated:,}",
        row["busiest"],
    ]
