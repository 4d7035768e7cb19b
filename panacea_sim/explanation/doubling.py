"""Machines on which one finding of an explanation is twice as fast, or twice as large: what gains are measured on.

Loop orders, tiles and grants are those of the run: a changed machine only lives through the same work again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.topology import topology_of
from panacea_sim.explanation.explanation import Limit, PathRow
from panacea_sim.memory.device import DelayKind, Device

__all__ = ["doubled", "step_text"]

_STEPS = {
    "service": "{} in half the cycles",
    "queue": "twice the slots of {}",
    "memory": "twice the bytes of {}",
    "slot": "twice the requests in flight of {}",
    "order": "{} first",
    "dataflow": "no waits of {} for layers",
}


def doubled(description: Description, finding: PathRow | Limit) -> Description:
    """Return the machine on which the finding is twice as fast, twice as large, or for a dependence not there.

    A group serves in half the cycles; channels move twice the bytes a cycle; a latency or refresh takes half as long,
    and rows and turnarounds do so with the whole device; queues, memories and slots have twice the room; a dataflow
    edge is left out; a stream that went behind another goes first.
    """
    if isinstance(finding, Limit):
        return _with_room(description, finding)
    if finding.kind == "service":
        return _serving_twice_as_fast(description, finding.component)
    if finding.kind == "latency" and finding.component not in {channel.name for channel in description.channels}:
        return _joined_twice_as_fast(description, finding.component)
    what = cast("DelayKind", finding.cause if finding.kind == "device" else finding.kind)
    return _with_devices(description, lambda device: device.halved(what))


def step_text(finding: PathRow | Limit) -> str:
    """Return in words what `doubled` does about a finding; where it does the same, the words are the same."""
    if isinstance(finding, Limit):
        return _STEPS[finding.kind].format(finding.who)
    if finding.kind in _STEPS:
        return _STEPS[finding.kind].format(finding.component)
    if finding.kind == "transfer":
        return "twice the bandwidth"
    if finding.kind == "latency":
        return f"half the latency of {finding.component}"
    return "half the refresh" if finding.cause == "refresh" else "the DRAM device twice as fast"


def _serving_twice_as_fast(description: Description, group: str) -> Description:
    def halved(part: Component) -> Component:
        if part.group != group or part.service_cycles is None:
            return part
        return replace(part, service_cycles=part.service_cycles // 2)

    return replace(description, components=tuple(map(halved, description.components)))


def _joined_twice_as_fast(description: Description, name: str) -> Description:
    is_meant = _names(description, name)
    return replace(
        description,
        queues=tuple(
            replace(queue, latency_cycles=queue.latency_cycles // 2) if is_meant(queue.name) else queue
            for queue in description.queues
        ),
        stores=tuple(
            replace(store, latency_cycles=store.latency_cycles // 2) if is_meant(store.name) else store
            for store in description.stores
        ),
    )


def _with_devices(description: Description, changed: Callable[[Device], Device]) -> Description:
    channels = tuple(replace(channel, device=changed(channel.device)) for channel in description.channels)
    return replace(description, channels=channels)


def _with_room(description: Description, limit: Limit) -> Description:
    is_meant = _names(description, limit.name)
    if limit.kind == "queue":
        queues = tuple(
            replace(queue, capacity=2 * queue.capacity) if is_meant(queue.name) else queue
            for queue in description.queues
        )
        return replace(description, queues=queues)
    if limit.kind == "memory":
        memories = tuple(
            replace(memory, capacity_bytes=2 * memory.capacity_bytes) if is_meant(memory.name) else memory
            for memory in description.memories
        )
        return replace(description, memories=memories)
    if limit.kind == "slot":
        ports = tuple(
            replace(port, outstanding=2 * port.outstanding) if is_meant(port.component) else port
            for port in description.ports
        )
        return replace(description, ports=ports)
    if limit.kind == "order":
        return _going_first(description, limit.who)
    return _without_waits(description, limit.who)


def _going_first(description: Description, stream: str) -> Description:
    ports = tuple(
        replace(port, priority=0 if port.component == stream else port.priority + 1) for port in description.ports
    )
    return replace(description, ports=ports)


def _without_waits(description: Description, group: str) -> Description:
    components = tuple(replace(part, waits=()) if part.group == group else part for part in description.components)
    return replace(description, components=components)


def _names(description: Description, name: str) -> Callable[[str], bool]:
    """Return whether a part is meant by a name, which may be short for all parts alike."""
    short = topology_of(description).short_names
    return lambda part: name in {part, short.get(part, part)}
