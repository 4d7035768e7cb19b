"""Ways to map a layer onto the machine, each with a bound on its time, and the choice among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from panacea_sim.description.description import Description
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import described, machine_of
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.mapping.partial_sums import least_spilled_bytes
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.memory.channel_device import channel_device
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.units import ceil_div

__all__ = [
    "Candidate",
    "Check",
    "Simulate",
    "candidates",
    "choose_mapping",
    "mapped",
    "mapping_settings",
    "open_mappings",
]

_NEAR = 1.25
"""Bounds up to this ratio to the least one are near it."""

_SMALL_TASKS = 4_096
"""Layers of up to this many pairs of tiles are small: simulating a few mappings takes about a second."""

Simulate = Callable[[Description, Recorder], EngineResult]
"""An engine."""

Check = Callable[[str, int], None]
"""Raises an error for a loop order and height that cannot be."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mapping of one layer, and the least time that the machine can take for it.

    `bound_cycles` is the time of the busiest part, `busiest` its name. `program` and `description` are the layer alone
    on the machine, its activations in DRAM from the start. They are None where the layer does not fit in this order,
    and `obstacle` says why.
    """

    order: str
    height: int
    program: Program | None = None
    description: Description | None = None
    bound_cycles: int = 0
    busiest: str = ""
    read_bytes: int = 0
    write_bytes: int = 0
    obstacle: str = ""

    @property
    def plan(self) -> LayerPlan | None:
        """The plan of the layer, None where it does not fit."""
        return None if self.program is None else self.program.layers[0].plan

    def rank(self) -> tuple[bool, int, int]:
        """Return the key by which the best mapping comes first: it fits, its bound is least, then its bytes."""
        return self.program is None, self.bound_cycles, self.read_bytes + self.write_bytes


def candidates(name: str, work: LayerWork, hardware: Hardware) -> Iterator[Candidate]:
    """Return every mapping that the hardware and its machine leave open, K innermost first."""
    for order, height in open_mappings(hardware):
        yield mapped(name, work, hardware, order, height)


def mapping_settings(hardware: Hardware, order: str, height: int) -> dict[str, object]:
    """Return the settings that leave only this mapping open."""
    return {"loop_order": order, **machine_of(hardware).height_settings(height)}


def open_mappings(hardware: Hardware) -> list[tuple[str, int]]:
    """Return the loop orders and heights that the hardware leaves open."""
    orders = LOOP_ORDERS if hardware.loop_order == "auto" else (hardware.loop_order,)
    heights = machine_of(hardware).heights(hardware)
    inner_first = sorted(orders, key=lambda order: -order.index("k"))
    return [(order, height) for order in inner_first for height in heights]


def choose_mapping(
    name: str, work: LayerWork, hardware: Hardware, simulate: Simulate, check: Check | None = None
) -> Candidate:
    """Return the mapping with the least bound; of equal ones that with the fewest bytes, then the first.

    In a small layer filling, draining and waiting for OMEM count as much as the busiest part, and no bound sees them:
    there the mappings whose bounds are near the least are simulated without values, and the fastest is taken. Engines
    are equal, so the choice does not depend on `simulate`.

    `check` may refuse a mapping before it is planned. Raises MappingError if none fits, with what stands in the way of
    the first.
    """
    mappings = open_mappings(hardware)
    floors = _floors(work, hardware, mappings)
    is_small = work.tiling.tile_tasks <= _SMALL_TASKS
    near: dict[int, Candidate] = {}
    obstacles = {}
    # Plans and descriptions are large: those that cannot win are not made, and the most promising ones come first.
    for number in sorted(range(len(floors)), key=lambda number: (floors[number], number)):
        if not _can_win(number, floors[number], near, is_small=is_small):
            continue
        if check is not None:
            check(*mappings[number])
        try:
            plan = plan_layer(name, work, hardware, *mappings[number])
        except MappingError as error:
            obstacles[number] = str(error)
            continue
        if not _can_win(number, _floor_of_plan(plan, floors[number], hardware), near, is_small=is_small):
            continue
        near[number] = _bounded(plan, hardware)
        near = _kept(near, is_small=is_small)
        del plan  # of a large layer two mappings are in memory only while they are compared
    if not near:
        raise MappingError(obstacles[min(obstacles)])
    if len(near) == 1:
        return near.popitem()[1]
    ranked = sorted(near, key=lambda number: (near[number].rank(), number))
    return min((near[number] for number in ranked), key=lambda each: _simulated_cycles(each, simulate))


def _kept(found: dict[int, Candidate], *, is_small: bool) -> dict[int, Candidate]:
    """Return the candidates that may still be taken: those near the best of a small layer, the best of a large one."""
    if is_small:
        least = min(each.bound_cycles for each in found.values())
        return {number: each for number, each in found.items() if each.bound_cycles <= least * _NEAR}
    _, best = min((each.rank(), number) for number, each in found.items())
    return {best: found[best]}


def _simulated_cycles(candidate: Candidate, simulate: Simulate) -> int:
    assert candidate.description is not None  # those that do not fit are left out
    return simulate(candidate.description, Recorder(NO_TRACE)).makespan_cycles


def _can_win(number: int, floor: tuple[int, int], known: Mapping[int, Candidate], *, is_small: bool) -> bool:
    """Return whether a mapping can be the best of a large layer, or near the best of a small one."""
    if not known:
        return True
    if is_small:
        return floor[0] <= min(each.bound_cycles for each in known.values()) * _NEAR
    return ((False, *floor), number) < min((each.rank(), other) for other, each in known.items())


def _floors(work: LayerWork, hardware: Hardware, mappings: Sequence[tuple[str, int]]) -> list[tuple[int, int]]:
    """Return cycles and bytes that no plan of each mapping can be below: its compute, each operand fetched once."""
    tiles = (work.weight.total, work.activation.total, work.output_bytes.total)
    once_bytes = sum(int(each.sum()) for each in tiles)
    machine, heights = machine_of(hardware), {height for _, height in mappings}
    compute_cycles = {height: machine.least_cycles(work, hardware, height) for height in heights}
    floors = []
    for order, height in mappings:
        moved_bytes = once_bytes + least_spilled_bytes(work.tiling, order, height, hardware.psum_bytes)
        floors.append((max(compute_cycles[height], _channel_cycles(moved_bytes, hardware)), moved_bytes))
    return floors


def _floor_of_plan(plan: LayerPlan, floor: tuple[int, int], hardware: Hardware) -> tuple[int, int]:
    """Return the floor of a mapping that is planned, from the one before: now it is known what is fetched how often."""
    fetched_bytes = int(plan.weight_loads.size_bytes.sum()) + int(plan.activation_loads.size_bytes.sum())
    moved_bytes = fetched_bytes + int(plan.work.output_bytes.total.sum()) + int(plan.partial_sums.moved_bytes.sum())
    return max(floor[0], _channel_cycles(moved_bytes, hardware)), moved_bytes


def _channel_cycles(moved_bytes: int, hardware: Hardware) -> int:
    """Return the cycles that the channels need at least, each at its peak."""
    return channel_device(hardware).least_cycles(ceil_div(moved_bytes, hardware.dram_channels))


def mapped(name: str, work: LayerWork, hardware: Hardware, order: str, height: int) -> Candidate:
    """Return the mapping with its plan and bound, or what stands in its way."""
    try:
        plan = plan_layer(name, work, hardware, order, height)
    except MappingError as error:
        return Candidate(order, height, obstacle=str(error))
    return _bounded(plan, hardware)


def _bounded(plan: LayerPlan, hardware: Hardware) -> Candidate:
    """Return the mapping of a plan, described and with its bound."""
    program = plan_program(hardware, [plan])
    description = described(program)
    moved_bytes = description.moved_bytes
    loads = _loads(description, moved_bytes.sum(1).tolist())
    busiest = max(loads, key=lambda part: loads[part])
    read_bytes, write_bytes = moved_bytes.sum(0).tolist()
    return Candidate(plan.order, plan.height, program, description, loads[busiest], busiest, read_bytes, write_bytes)


def _loads(description: Description, channel_bytes: Sequence[int]) -> dict[str, int]:
    """Return the cycles that each private component serves, and that the channels need for all bytes at their peak."""
    loads = {component.name: component.served_cycles for component in description.components if not component.posted}
    for channel, moved in zip(description.channels, channel_bytes, strict=True):
        loads[channel.name] = channel.device.least_cycles(moved)
    return loads
