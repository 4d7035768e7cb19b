"""What energy is charged for: the counts of a run, or of one layer of it, in a form that knows no machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from panacea_sim.errors import ConfigError
from panacea_sim.trace.counts import counts_by_group
from panacea_sim.trace.summary import LayerSummary, Summary

__all__ = ["WorkCounts", "layer_counts", "run_counts"]


@dataclass(frozen=True)
class WorkCounts:
    """Operations by group of components, dense MACs, cycles, and what DRAM did besides; None where nobody knows.

    `uncounted` are groups that compute, but whose machine does not say what that costs.
    """

    name: str
    operations: Mapping[str, Mapping[str, int]]
    macs: int
    cycles: int
    activates: int | None
    refreshes: int | None
    uncounted: tuple[str, ...] = ()


def run_counts(summary: Summary) -> WorkCounts:
    """Return the counts of a whole run; raises ConfigError for one that did not count operations."""
    if summary.operations is None or summary.topology is None or summary.inventory is None:
        found = "a run of an earlier version, which counted no elementary operations"
        raise ConfigError(f"summary.json of {summary.scenario}", found, "a run that did", "Run the scenario again")
    return WorkCounts(
        summary.scenario,
        counts_by_group(summary.operations, summary.topology),
        sum(layer.macs for layer in summary.layers),
        summary.makespan_cycles,
        summary.dram.activates,
        summary.dram.refreshes,
        _uncounted(summary),
    )


def layer_counts(summary: Summary) -> list[WorkCounts] | None:
    """Return the counts of each layer, which add up to those of the run; None where layers overlap.

    The cycles of a layer are those from the end of the one before to its own end, of the last one to that of the run.
    """
    layers = summary.layers
    if any(layer.operations is None for layer in layers):
        return None
    ends = [*(layer.end_cycle for layer in layers[:-1]), summary.makespan_cycles]
    return [
        _of_layer(layer, end - start, _uncounted(summary))
        for layer, start, end in zip(layers, [0, *ends[:-1]], ends, strict=True)
    ]


def _of_layer(layer: LayerSummary, cycles: int, uncounted: tuple[str, ...]) -> WorkCounts:
    operations = layer.operations or {}
    return WorkCounts(layer.name, operations, layer.macs, cycles, layer.activates, layer.refreshes, uncounted)


def _uncounted(summary: Summary) -> tuple[str, ...]:
    """Return the groups that compute and of which no member counts an operation."""
    operations, topology = summary.operations or {}, summary.machine
    computing = dict.fromkeys(topology.group_of[name] for name in topology.computing)
    return tuple(group for group in computing if operations.keys().isdisjoint(topology.groups[group]))
