"""What a network did, by the kind of its layers: how much work there was, what it took and what bound it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeAlias

from rich.console import Console

from panacea_sim.choices import Schedule
from panacea_sim.report.layers import own_cycles
from panacea_sim.report.tables import Column, print_table
from panacea_sim.trace.summary import LayerSummary

__all__ = ["print_kinds"]

_COLUMNS = (
    Column("kind", "word"),
    Column("layers", leaves=1),
    Column("GEMMs"),
    Column("GMACs"),
    Column("tiles", leaves=4),
    Column("cycles"),
    Column("share"),
    Column("rho_w", leaves=3),
    Column("rho_x", leaves=3),
    Column("DRAM MB"),
)
_OF_LAYERS_ALONE = (Column("at borders", leaves=2), Column("busiest", "word"))
"""What is only known of layers that ran alone."""
_ALL = "all"

_Timed: TypeAlias = tuple[LayerSummary, int]
"""A layer with the cycles that it takes of the run."""


def print_kinds(
    console: Console, layers: Sequence[LayerSummary], makespan_cycles: int, schedule: Schedule = "barrier"
) -> None:
    """Print a row for each kind of layer, in the order of their first layers, and one for all.

    Nothing is printed where layers have no kinds. Where layers overlap, nobody knows of a layer by itself what it loses
    at its borders and what bounds it.
    """
    kinds = dict.fromkeys(layer.kind for layer in layers if layer.kind)
    if not kinds:
        return
    timed = list(zip(layers, own_cycles(layers, schedule), strict=True))
    groups = {kind: [each for each in timed if each[0].kind == kind] for kind in kinds} | {_ALL: timed}
    rows = [_row(kind, group, makespan_cycles) for kind, group in groups.items()]
    if schedule == "overlap":
        print_table(console, _COLUMNS, rows)
        return
    alone = [_alone(group, makespan_cycles) for group in groups.values()]
    print_table(console, (*_COLUMNS, *_OF_LAYERS_ALONE), [row + more for row, more in zip(rows, alone, strict=True)])
    console.print("At borders: share of the run in which layers have not begun to compute or are done with it.")


def _row(kind: str, timed: Sequence[_Timed], makespan_cycles: int) -> list[str]:
    layers = [layer for layer, _ in timed]
    cycles = sum(own for _, own in timed)
    moved_bytes = sum(
        layer.weight_bytes + layer.activation_bytes + layer.output_bytes + layer.spilled_bytes + layer.vector_bytes
        for layer in layers
    )
    return [
        kind,
        f"{len(layers):,}",
        f"{sum(layer.repeat for layer in layers):,}",
        f"{sum(layer.repeat * layer.M * layer.K * layer.N for layer in layers) / 1e9:,.3f}",
        f"{sum(layer.tiles for layer in layers):,}",
        f"{cycles:,}",
        f"{cycles / makespan_cycles:.1%}",
        _mean_density([(layer.rho_w, layer.M * layer.K * layer.repeat) for layer in layers]),
        _mean_density([(layer.rho_x, layer.N * layer.K * layer.repeat) for layer in layers]),
        f"{moved_bytes / 1e6:,.2f}",
    ]


def _alone(timed: Sequence[_Timed], makespan_cycles: int) -> list[str]:
    return [f"{sum(layer.border_cycles or 0 for layer, _ in timed) / makespan_cycles:.1%}", _busiest(timed)]


def _mean_density(weighted: Sequence[tuple[float | None, int]]) -> str:
    """Return the mean over the elements of the operands that have slices to skip."""
    known = [(density, elements) for density, elements in weighted if density is not None]
    if not known:
        return "-"
    return f"{sum(density * elements for density, elements in known) / sum(elements for _, elements in known):.3f}"


def _busiest(timed: Sequence[_Timed]) -> str:
    """Return the part that was busiest for most of the cycles, with its share of them where there are others."""
    cycles: Counter[str] = Counter()
    for layer, own in timed:
        cycles[layer.busiest or "-"] += own
    name, most = cycles.most_common(1)[0]
    return name if len(cycles) == 1 else f"{name} ({most / cycles.total():.0%})"
