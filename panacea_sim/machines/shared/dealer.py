"""The dispatcher: it deals pairs of tiles to PE arrays."""

from __future__ import annotations

import numpy as np

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.steps import Give, Need, Release, Take
from panacea_sim.machines.shared.costs import tile_read_costs
from panacea_sim.machines.shared.program import Program
from panacea_sim.units import ceil_div

__all__ = ["dealer", "pea_queue", "sum_queue"]


def pea_queue(pea: int) -> str:
    """Return the name of the queue from the dispatcher to a PEA."""
    return f"q_pea{pea}"


def sum_queue(pea: int) -> str:
    """Return the name of the queue from a PEA to the accumulator."""
    return f"q_sum{pea}"


def dealer(
    program: Program,
    peas: int,
    sram_bytes_per_cycle: int,
    *,
    takes: tuple[Take, ...] = (),
    needs: tuple[Need, ...] = (),
    releases: tuple[Release, ...] = (),
) -> Component:
    """Return `dispatcher`: it reads a weight and an activation tile side by side and deals them to all PEAs.

    It takes them from decoders, or where they were fetched, and then releases them.
    """
    one = program.one_per_task
    weight_bytes = program.of_weights(lambda layer: layer.plan.weight.total)
    activation_bytes = program.of_activations(lambda layer: layer.plan.work.activation.total)
    size_bytes = np.maximum(weight_bytes, activation_bytes)
    # Both are read side by side.
    service_cycles = np.maximum(
        program.of_weights(lambda layer: ceil_div(layer.plan.weight.total, sram_bytes_per_cycle)),
        program.of_activations(lambda layer: ceil_div(layer.plan.work.activation.total, sram_bytes_per_cycle)),
    )
    return Component(
        "dispatcher",
        "compute",
        len(size_bytes),
        service_cycles=service_cycles,
        takes=takes,
        needs=needs,
        releases=releases,
        gives=tuple(Give(pea_queue(pea), one) for pea in range(peas)),
        labels=program.task_labels,
        size_bytes=size_bytes,
        role="issue",
        actions=(action_of("dealt_bytes", "bytes", weight_bytes + activation_bytes),),
        costs=tile_read_costs(program),
    )
