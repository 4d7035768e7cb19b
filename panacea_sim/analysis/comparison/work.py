"""What a run had to do, as a comparison has it: bytes, densities, actions, and its layers with their mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from panacea_sim.analysis.comparison.naming import Naming
from panacea_sim.analysis.comparison.rows import Figures, Key
from panacea_sim.trace.summary import LayerSummary, Summary

__all__ = ["actions", "kinds", "layers", "mapping", "mean_density", "moved_bytes", "work"]

_DRAM_BYTES = ("read_bytes", "write_bytes", "burst_bytes")
_LAYER_BYTES = ("weight_bytes", "activation_bytes", "output_bytes", "spilled_bytes")
_MAPPED = (
    "M",
    "K",
    "N",
    "repeat",
    "kind",
    "block",
    "loop_order",
    "double_tile",
    "weight_resident",
    "activation_resident",
    "mapping_from",
    "rho_w",
    "rho_x",
)


def moved_bytes(summary: Summary) -> Figures:
    """Return the bytes that the channels read and wrote (with padding: `burst_bytes`), and those of the layers by use.

    What a run of an earlier version did not count is None.
    """
    return {(name,): getattr(summary.dram, name) for name in _DRAM_BYTES} | {
        (name,): sum(getattr(layer, name) for layer in summary.layers) for name in _LAYER_BYTES
    }


def work(summary: Summary) -> Figures:
    """Return how much there was to do, and the shares of what could be in use.

    Densities are means over the elements of the operands that have slices to skip; `macs` are those of dense operands.
    `NAME_use` is the share of the operators' cycles, `bus_use` that of the channels'.
    """
    used = {f"{name}_use": summary.utilization(name) for name in summary.operator_names}
    figures = {
        "tiles": summary.tiles,
        "macs": sum(layer.repeat * layer.M * layer.K * layer.N for layer in summary.layers),
        "rho_w": mean_density((layer.rho_w, layer.repeat * layer.M * layer.K) for layer in summary.layers),
        "rho_x": mean_density((layer.rho_x, layer.repeat * layer.N * layer.K) for layer in summary.layers),
        "stored_w": sum(layer.stored_w for layer in summary.layers),
        "stored_x": sum(layer.stored_x for layer in summary.layers),
        **used,
        "bus_use": summary.bus_share,
    }
    # What no layer has is absent, not unknown.
    return {(name,): value for name, value in figures.items() if value is not None}


def mean_density(weighted: Iterable[tuple[float | None, int]]) -> float | None:
    """Return the mean of densities over elements; None if no operand has one."""
    known = [(density, elements) for density, elements in weighted if density is not None]
    return (
        sum(density * elements for density, elements in known) / sum(elements for _, elements in known)
        if known
        else None
    )


def actions(summary: Summary, naming: Naming) -> Figures | None:
    """Return how often (group, action) was done, sums over the group's members; None in runs that did not count it."""
    if not summary.actions:
        return None
    sums: Counter[Key] = Counter()
    for name, counted in summary.actions.items():
        for action, count in counted.items():
            sums[naming.group_of[name], action] += count
    return sums


def layers(summary: Summary) -> Figures:
    """Return the cycles of each layer, from its first data on the bus to its last write."""
    return {(layer.name,): layer.end_cycle - layer.start_cycle for layer in summary.layers}


def kinds(summary: Summary) -> Figures:
    """Return the cycles of all layers of each kind; nothing where layers have no kinds."""
    sums: Counter[Key] = Counter()
    for layer in summary.layers:
        if layer.kind:
            sums[layer.kind,] += layer.end_cycle - layer.start_cycle
    return sums


def mapping(summary: Summary) -> Figures:
    """Return (layer, field): sizes, densities and mapping of every layer."""
    return {(layer.name, field): value for layer in summary.layers for field, value in _mapped(layer)}


def _mapped(layer: LayerSummary) -> Iterable[tuple[str, int | float | str | bool]]:
    for field in _MAPPED:
        value = getattr(layer, field)
        if value is not None:
            yield field, value
