"""What the layers of a run look like in a terminal: some lines for each of a few, a table for a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from panacea_sim.choices import Schedule
from panacea_sim.report.tables import Column, print_table
from panacea_sim.trace.summary import LayerSummary

__all__ = ["double_tile_text", "order_text", "own_cycles", "print_layers"]

_DESCRIBED_LAYERS = 3
"""Layers that are described one by one; more of them are rows of a table."""

_LISTED_LAYERS = 12
"""Rows of that table: those of a whole network would fill the screen many times."""

_COLUMNS = (
    Column("layer", "name"),
    Column("M x K x N", "word"),
    Column("cycles"),
    Column("share"),
    Column("order", "word", leaves=4),
    Column("DTP", "word", leaves=4),
    Column("rho_w", leaves=3),
    Column("rho_x", leaves=3),
    Column("MB read", leaves=2),
    Column("same as", "name", leaves=1),
)


def own_cycles(layers: Sequence[LayerSummary], schedule: Schedule) -> list[int]:
    """Return the cycles that each layer takes of the run.

    A layer that runs alone takes those from its first to its last. Where layers overlap, one takes those from the last
    write of the layer before to its own last write: by so much it makes the run longer, and all add up to it.
    """
    if schedule == "barrier":
        return [layer.end_cycle - layer.start_cycle for layer in layers]
    ends = [layer.end_cycle for layer in layers]
    return [end - before for before, end in zip([0, *ends], ends, strict=False)]


def print_layers(
    console: Console, layers: Sequence[LayerSummary], makespan_cycles: int, schedule: Schedule = "barrier"
) -> None:
    """Print what a run says of its layers; of a network those with the most cycles, the longest first."""
    if len(layers) <= _DESCRIBED_LAYERS:
        for line in (line for layer in layers for line in _lines(layer)):
            console.print(line)
        return
    shown = list(zip(layers, own_cycles(layers, schedule), strict=True))
    if len(layers) > _LISTED_LAYERS:
        shown = sorted(shown, key=lambda each: -each[1])[:_LISTED_LAYERS]
    console.print(Text(_count(layers)))
    print_table(console, _COLUMNS, [_row(layer, cycles, makespan_cycles) for layer, cycles in shown])
    if schedule == "overlap":
        console.print("Layers overlap: the cycles of one are those from the last write of the layer before to its own.")
    if len(layers) > len(shown):
        rest = len(layers) - len(shown)
        console.print(Text(f".. and {rest} more layers, none of them longer: see summary.json"))


def order_text(layers: Sequence[LayerSummary]) -> str:
    """Return the loop order of the layers, or that they have several."""
    orders = {layer.loop_order for layer in layers}
    return orders.pop() if len(orders) == 1 else "mixed"


def double_tile_text(layers: Sequence[LayerSummary]) -> str:
    """Return whether the layers run with double-tile processing: on, off, or some of them."""
    found = {layer.double_tile for layer in layers}
    return "mixed" if len(found) > 1 else "on" if True in found else "off"


def _count(layers: Sequence[LayerSummary]) -> str:
    same = sum(layer.memoized_from is not None for layer in layers)
    return f"{len(layers):,} layers" + (f", {same:,} of them with the work of an equal one" if same else "")


def _row(layer: LayerSummary, cycles: int, makespan_cycles: int) -> list[str]:
    return [
        layer.name,
        f"{layer.M} x {layer.K} x {layer.N}",
        f"{cycles:,}",
        f"{cycles / makespan_cycles:.1%}",
        order_text([layer]),
        double_tile_text([layer]),
        _density(layer.rho_w),
        _density(layer.rho_x),
        f"{(layer.weight_bytes + layer.activation_bytes) / 1e6:,.2f}",
        layer.memoized_from or "",
    ]


def _lines(layer: LayerSummary) -> Iterator[Text]:
    same = "" if layer.memoized_from is None else f" (the work of {layer.memoized_from})"
    yield Text.assemble(
        (layer.name, "bold"),
        same,
        f": {layer.M} x {layer.K} x {layer.N} (M x K x N), cycles {layer.start_cycle:,} to {layer.end_cycle:,}",
    )
    yield Text(
        f"  rho_w {_density(layer.rho_w)}, rho_x {_density(layer.rho_x)}; stored vectors with fillers: "
        f"{layer.stored_w:,} w, {layer.stored_x:,} x"
    )
    yield Text(
        f"  bytes: {layer.weight_bytes:,} w ({_fetched(layer.weight_resident)}), "
        f"{layer.activation_bytes:,} x ({_fetched(layer.activation_resident)}), "
        f"{layer.output_bytes:,} written"
    )


def _fetched(resident: bool) -> str:  # noqa: FBT001  # the value itself is what is shown
    return "fetched once" if resident else "fetched for every task"


def _density(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
