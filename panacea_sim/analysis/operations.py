"""The elementary operations of a run, which cost energy: those that components declare, and those of their requests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.costs import DRAM_READ, DRAM_READ_BURSTS, DRAM_WRITTEN, DRAM_WRITTEN_BURSTS
from panacea_sim.description.description import Description
from panacea_sim.description.steps import Requests
from panacea_sim.hardware.config import Hardware
from panacea_sim.trace.counts import Counts
from panacea_sim.units import IntArray

__all__ = ["operation_arrays", "operations_of"]


def operations_of(description: Description, hardware: Hardware) -> Counts:
    """Return how often each component does each operation; components that do none are left out."""
    return {
        name: {operation: int(totals[0]) for operation, totals in of_component.items()}
        for name, of_component in operation_arrays(description, hardware, 1).items()
    }


def operation_arrays(description: Description, hardware: Hardware, runs: int) -> dict[str, dict[str, IntArray]]:
    """Return how often each component does each operation in each run, [run], for runs that follow each other."""
    device = hardware.dram_device
    burst_bytes = None if device is None else device.burst_bytes
    found = {}
    for component in description.components:
        mine: dict[str, IntArray] = {}
        for operation, totals in _costs(component, burst_bytes, runs):
            mine[operation] = mine.get(operation, 0) + totals
        if mine:
            found[component.name] = mine
    return found


def _costs(component: Component, burst_bytes: int | None, runs: int) -> Iterator[tuple[str, IntArray]]:
    for cost in component.costs:
        yield cost.operation, np.array(cost.totals(runs), np.int64)
    if component.requests is not None:
        yield from _of_requests(component.requests, burst_bytes, runs)


def _of_requests(requests: Requests, burst_bytes: int | None, runs: int) -> Iterator[tuple[str, IntArray]]:
    """Return the bytes that requests move, and their bursts where the device has any: each begins at a whole one."""
    bursts = None
    if burst_bytes is not None:
        ends = requests.address + requests.size_bytes
        bursts = (-(-ends // burst_bytes) - requests.address // burst_bytes) * (requests.size_bytes > 0)
    for write, of_bytes, of_bursts in ((0, DRAM_READ, DRAM_READ_BURSTS), (1, DRAM_WRITTEN, DRAM_WRITTEN_BURSTS)):
        some = requests.write.astype(np.int64) == write
        if some.any():
            for operation, of_parts in ((of_bytes, requests.size_bytes), (of_bursts, bursts)):
                if of_parts is not None:
                    yield operation, requests.of_firings(of_parts * some).reshape(runs, -1).sum(1)
