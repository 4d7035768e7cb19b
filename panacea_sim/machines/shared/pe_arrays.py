"""PE arrays with operators of one kind, and the machines that consist of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.description.parts import Queue
from panacea_sim.description.steps import Give, Take
from panacea_sim.machines.shared.costs import outer_product_costs
from panacea_sim.machines.shared.dealer import dealer, pea_queue, sum_queue
from panacea_sim.machines.shared.dense_work import DenseWork, dense_work_of
from panacea_sim.machines.shared.fetched_tiles import tile_need, tile_release
from panacea_sim.machines.shared.frame import around, framed, output_queues
from panacea_sim.machines.shared.inventory import inventory_of
from panacea_sim.machines.shared.packer import raw_packer
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.vector_settings import OperatorHardware
from panacea_sim.units import IntArray, ceil_div, narrow
from panacea_sim.workload.link import Operand

__all__ = [
    "PEA_ACTIONS",
    "StepsOf",
    "dense_machine",
    "dense_steps",
    "least_dense_cycles",
    "operator_inventory",
    "operator_machine",
]

PEA_ACTIONS = ("read_bytes", "dealt_bytes", "accumulated_outputs", "written_bytes", "requantized_outputs")
"""What the components of such a machine count, beside the steps of its operators."""

StepsOf = Callable[[PlannedLayer], IntArray]
"""Returns for each task of a layer the steps of the operators of each PEA, [task, PEA]."""


def dense_machine(program: Program, hardware: OperatorHardware, action: str, products: StepsOf) -> Description:
    """Return a machine without codecs, whose dispatcher takes the tiles where they were fetched."""
    operands: tuple[Operand, ...] = ("w", "x")
    source = dealer(
        program,
        hardware.n_pea,
        hardware.sram_bytes_per_cycle,
        needs=tuple(tile_need(program, operand) for operand in operands),
        releases=tuple(tile_release(program, operand) for operand in operands),
    )
    return operator_machine(program, hardware, (source,), action, products, raw_packer(program))


def operator_machine(
    program: Program,
    hardware: OperatorHardware,
    sources: Sequence[Component],
    action: str,
    steps_of: StepsOf,
    packer: Component,
    queues: Sequence[Queue] = (),
) -> Description:
    """Return a machine of PEAs behind `sources`, the last of which deals; `queues` are those between the sources.

    The operators do `steps_of` each task, which are counted as `action`.
    """
    peas, depth = range(hardware.n_pea), hardware.queue_depth
    steps = program.joined(lambda layer: narrow(steps_of(layer)))
    arrays = [_pe_array(program, hardware, pea, action, steps[:, pea]) for pea in peas]
    sums = [sum_queue(pea) for pea in peas]
    return framed(
        program,
        around(program, (*sources, *arrays), sums, packer),
        (
            *queues,
            *(Queue(pea_queue(pea), depth) for pea in peas),
            *(Queue(queue, depth, hardware.pea_latency_cycles) for queue in sums),
            *output_queues(program),
        ),
    )


def operator_inventory(hardware: OperatorHardware, left_out: tuple[str, ...]) -> Inventory:
    """Return what such a machine is built of, with parts that nobody has figures for."""
    return inventory_of(hardware, {"pea": {hardware.multiply: hardware.products_per_cycle}}, left_out)


def _pe_array(program: Program, hardware: OperatorHardware, pea: int, action: str, steps: IntArray) -> Component:
    """Return the PEA with this number: in a cycle each of its operators makes one of the steps of a task."""
    counted = replace(action_of(action, "operator-cycles", steps), per_cycle=hardware.n_operators)
    return Component(
        f"pea{pea}",
        "compute",
        len(steps),
        service_cycles=ceil_div(steps, hardware.n_operators),
        takes=(Take(pea_queue(pea), program.one_per_task),),
        gives=(Give(sum_queue(pea), program.sums_given[0]),),
        labels=program.task_labels,
        role="compute",
        group="pea",
        actions=(counted,),
        costs=outer_product_costs(counted, hardware.v, hardware.multiply),
    )


def dense_steps(layer: PlannedLayer, products: int = 1) -> IntArray:
    """Return the steps [task, PEA] where every element of K makes `products` of them with each column group.

    A PEA without rows in a tile has none.
    """
    tasks, tiling = layer.plan.tasks, dense_work_of(layer.plan.work).tiling
    steps = narrow(products * tiling.column_groups[:, None] * tiling.depths)
    has_rows = np.arange(tiling.most_row_groups) < tiling.row_groups[:, None]
    of_tasks: IntArray = steps[tasks.n, tasks.k][:, None] * has_rows[tasks.stack]
    return of_tasks


def least_dense_cycles(work: DenseWork, hardware: OperatorHardware, products: int = 1) -> int:
    """Return the cycles of the first PEA, which has rows in every tile, with the steps of `dense_steps`."""
    tiling = work.tiling
    steps = products * tiling.column_groups[:, None] * tiling.depths
    return len(tiling.rows) * int(ceil_div(steps, hardware.n_operators).sum())
