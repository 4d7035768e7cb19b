"""Ways to map a layer onto the machine, each with a bound on its time, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machine.build import describe
from panacea_sim.machine.description import Description
from panacea_sim.machine.program import plan_program
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.mapping.outputs import OutputBytes
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import ceil_div

__all__ = ["Candidate", "candidates", "choose_plan"]

_HEIGHTS = {"off": (1,), "on": (2,), "auto": (1, 2)}


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mapping of one layer: its plan, and the least time that the machine can take for it.

    `bound_cycles` is the time of the busiest part, `busiest` its name. `plan` is None where the layer does not fit in
    this order, and `obstacle` says why.
    """

    order: str
    height: int
    plan: LayerPlan | None = None
    bound_cycles: int = 0
    busiest: str = ""
    read_bytes: int = 0
    write_bytes: int = 0
    obstacle: str = ""


def candidates(name: str, work: LayerWork, output_bytes: OutputBytes, hardware: Hardware) -> Iterator[Candidate]:
    """Return every mapping that the hardware's `loop_order` and `dtp` leave open, K innermost first."""
    orders = LOOP_ORDERS if hardware.loop_order == "auto" else (hardware.loop_order,)
    for order in sorted(orders, key=lambda order: -order.index("k")):
        for height in _HEIGHTS[hardware.dtp]:
            try:
                plan = plan_layer(name, work, hardware, order, height)
            except MappingError as error:
                yield Candidate(order, height, obstacle=str(error))
            else:
                yield _bounded(plan, output_bytes, hardware)


def choose_plan(name: str, work: LayerWork, output_bytes: OutputBytes, hardware: Hardware) -> LayerPlan:
    """Return the mapping with the least bound; of equal ones that with the fewest bytes, then the first.

    Raises MappingError if none fits, with what stands in the way of the first.
    """
    found = list(candidates(name, work, output_bytes, hardware))
    fitting = [candidate for candidate in found if candidate.plan is not None]
    if not fitting:
        raise MappingError(found[0].obstacle)
    best = min(fitting, key=lambda each: (each.bound_cycles, each.read_bytes + each.write_bytes))
    assert best.plan is not None
    return best.plan


def _bounded(plan: LayerPlan, output_bytes: OutputBytes, hardware: Hardware) -> Candidate:
    description = describe(plan_program(hardware, [(plan, output_bytes, None)]))
    loads = _loads(description)
    busiest = max(loads, key=lambda part: loads[part])
    read_bytes = int(plan.weight_loads.size_bytes.sum() + plan.activation_loads.size_bytes.sum())
    write_bytes = int(output_bytes.total.sum())
    return Candidate(plan.order, plan.height, plan, loads[busiest], busiest, read_bytes, write_bytes)


def _loads(description: Description) -> dict[str, int]:
    """Return the cycles that each private component serves, and that the channels need for all bytes at their peak."""
    loads = {
        component.name: int(component.service_cycles.sum())
        for component in description.components
        if component.service_cycles is not None
    }
    for number, channel in enumerate(description.channels):
        moved = sum(
            int(component.requests.size_bytes[component.requests.channel == number].sum())
            for component in description.components
            if component.requests is not None
        )
        loads[channel.name] = ceil_div(moved, channel.device.bytes_per_cycle)
    return loads
