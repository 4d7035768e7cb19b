"""What a network did, by the kind of its layers: how much work there was, what it took and what bound it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console

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
    Column("at borders", leaves=2),
    Column("busiest", "word"),
)
_ALL = "all"


def print_kinds(console: Console, layers: Sequence[LayerSummary], makespan_cycles: int) -> None:
    """Print a row for each kind of layer, in the order of their first layers, and one for all.

    Nothing is printed where layers have no kinds.
    """
    kinds = dict.fromkeys(layer.kind for layer in layers if layer.kind)
    if not kinds:
        return
    rows = [_row(kind, [layer for layer in layers if layer.kind == kind], makespan_cycles) for kind in kinds]
    print_table(console, _COLUMNS, [*rows, _row(_ALL, layers, makespan_cycles)])
    console.print("At borders: share of the run in which layers have not begun to compute or are done with it.")


def _row(kind: str, layers: Sequence[LayerSummary], makespan_cycles: int) -> list[str]:
    cycles = sum(_cycles(layer) for layer in layers)
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
        f"{sum(layer.border_cycles or 0 for layer in layers) / makespan_cycles:.1%}",
        _busiest(layers),
    ]


def _cycles(layer: LayerSummary) -> int:
    return layer.end_cycle - layer.start_cycle


def _mean_density(weighted: Sequence[tuple[float | None, int]]) -> str:
    """Return the mean over the elements of the operands that have slices to skip."""
    known = [(density, elements) for density, elements in weighted if density is not None]
    if not known:
        return "-"
    return f"{sum(density * elements for density, elements in known) / sum(elements for _, elements in known):.3f}"


def _busiest(layers: Sequence[LayerSummary]) -> str:
    """Return the part that was busiest for most of the cycles, with its share of them where there are others."""
    cycles: Counter[str] = Counter()
    for layer in layers:
        cycles[layer.busiest or "-"] += _cycles(layer)
    name, most = cycles.most_common(1)[0]
    return name if len(cycles) == 1 else f"{name} ({most / cycles.total():.0%})"
