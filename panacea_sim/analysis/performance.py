"""How fast a run was, beside what its machine could do: rates, the dense machine, the roofline, and even work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from panacea_sim.hardware.config import Hardware
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import LayerSummary, Summary
from panacea_sim.units import ceil_div

__all__ = ["Balance", "Performance", "balances", "layer_performances", "performance"]

_PRODUCTS_A_MAC = 4
"""Products of two 4-bit slices in a multiplication of 8 by 8 bits."""

_OPERATIONS_A_MAC = 2
"""A multiplication and an addition, as the field counts operations."""


@dataclass(frozen=True)
class Performance:
    """The rates of a run. MACs are those of the dense product, whatever was skipped.

    `dense_cycles` are those of a machine with as many multipliers that skips nothing and never waits, None where the
    machine's model does not count its multipliers: the sum of ceil(4 * MACs / multipliers) over the layers.
    `peak_bytes_per_cycle` is what the channels can move.
    """

    macs: int
    cycles: int
    seconds: float
    multipliers: int | None
    dense_cycles: int | None
    dram_bytes: int
    peak_bytes_per_cycle: float

    @property
    def macs_per_cycle(self) -> float:
        """Effective MACs a cycle."""
        return self.macs / self.cycles

    @property
    def tops(self) -> float:
        """Effective operations a second, in 10^12: two for each MAC."""
        return _OPERATIONS_A_MAC * self.macs / self.seconds / 1e12

    @property
    def peak_macs_per_cycle(self) -> float | None:
        """Dense MACs a cycle of all multipliers."""
        return None if self.multipliers is None else self.multipliers / _PRODUCTS_A_MAC

    @property
    def peak_share(self) -> float | None:
        """Effective MACs beside those of the multipliers at work in every cycle; above 1 where skipping makes up."""
        return None if self.peak_macs_per_cycle is None else self.macs_per_cycle / self.peak_macs_per_cycle

    @property
    def speedup_over_dense(self) -> float | None:
        """How many times as long the dense machine takes."""
        return None if self.dense_cycles is None else self.dense_cycles / self.cycles

    @property
    def macs_per_byte(self) -> float | None:
        """Dense MACs for each byte that DRAM moved, the abscissa of the roofline; None if it moved nothing."""
        return self.macs / self.dram_bytes if self.dram_bytes else None

    @property
    def ridge_macs_per_byte(self) -> float | None:
        """MACs for each byte from which on the multipliers, and no more the bandwidth, are the roof."""
        peak = self.peak_macs_per_cycle
        return None if peak is None else peak / self.peak_bytes_per_cycle

    @property
    def roof_macs_per_cycle(self) -> float | None:
        """The roof over this run: the lower of what multipliers and bandwidth allow, at its MACs a byte."""
        peak, intensity = self.peak_macs_per_cycle, self.macs_per_byte
        if peak is None or intensity is None:
            return peak
        return min(peak, intensity * self.peak_bytes_per_cycle)


def performance(summary: Summary, hardware: Hardware) -> Performance:
    """Return the rates of a run on this hardware."""
    moved_bytes = summary.dram.read_bytes + summary.dram.write_bytes
    return _rates(summary.layers, summary.makespan_cycles, summary.seconds, moved_bytes, hardware)


def layer_performances(summary: Summary, hardware: Hardware) -> list[Performance | None]:
    """Return the rates of each layer by itself; None for one without a cycle.

    A layer that ran alone lasts from the end of the one before, any other from its first fetch, to its last write:
    layers that overlap share the machine in these cycles. DRAM moves for a layer what its figures say: operands,
    outputs, partial sums and the inputs of its vector stage.
    """
    starts = [layer.start_cycle for layer in summary.layers]
    if summary.schedule == "barrier":
        starts = [0, *(layer.end_cycle for layer in summary.layers[:-1])]
    return [
        _of_layer(layer, layer.end_cycle - start, summary.clock_hz, hardware)
        for layer, start in zip(summary.layers, starts, strict=True)
    ]


def _of_layer(layer: LayerSummary, cycles: int, clock_hz: int, hardware: Hardware) -> Performance | None:
    if cycles <= 0:
        return None
    moved = (
        layer.weight_bytes,
        layer.activation_bytes,
        layer.output_bytes,
        layer.spilled_bytes,
        layer.vector_bytes,
    )
    return _rates([layer], cycles, cycles / clock_hz, sum(moved), hardware)


def _rates(
    layers: Sequence[LayerSummary], cycles: int, seconds: float, dram_bytes: int, hardware: Hardware
) -> Performance:
    multipliers = hardware.multipliers
    dense_cycles = None
    if multipliers is not None:
        dense_cycles = sum(ceil_div(_PRODUCTS_A_MAC * layer.macs, multipliers) for layer in layers)
    macs, peak = sum(layer.macs for layer in layers), hardware.dram_peak_bytes_per_cycle
    return Performance(macs, cycles, seconds, multipliers, dense_cycles, dram_bytes, peak)


@dataclass(frozen=True)
class Balance:
    """How evenly the members of a computing group were busy; `busiest` is the first of those with the most cycles."""

    group: str
    members: int
    busiest: str
    busiest_cycles: int
    mean_cycles: float

    @property
    def imbalance(self) -> float:
        """By what share the busiest member was longer busy than the mean; 0 where nobody was."""
        return self.busiest_cycles / self.mean_cycles - 1 if self.mean_cycles else 0.0


def balances(summary: Summary) -> list[Balance]:
    """Return the balance of each computing group, in the machine's order."""
    computing = set(summary.machine.computing)
    found = []
    for group, names in summary.machine.groups.items():
        busy = {name: summary.components[name][State.BUSY] for name in names if name in computing}
        if busy:
            busiest = max(busy, key=lambda name: busy[name])
            found.append(Balance(group, len(busy), busiest, busy[busiest], sum(busy.values()) / len(busy)))
    return found
