"""The accounts of a run: what must add up, checked in every run."""

from __future__ import annotations

from collections.abc import Iterator

from panacea_sim.description.description import Description, requested_bytes
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import InvariantError
from panacea_sim.trace.schema import State

__all__ = ["check_conservation", "state_cycles"]


def state_cycles(result: EngineResult) -> dict[str, dict[State, int]]:
    """Return the cycles that each component and channel spent in each of the six states."""
    states: dict[str, dict[State, int]] = {}
    for name, totals in result.totals.items():
        states[name] = dict.fromkeys(State, 0)
        for total in totals:
            states[name][total.state] += total.cycles
    return states


def check_conservation(description: Description, result: EngineResult) -> None:
    """Check every law of docs/model.md, chapter "Conservation"; raises InvariantError that names all broken ones."""
    broken = [
        *_broken_states(result),
        *_broken_firings(description, result),
        *_broken_queues(result),
        *_broken_bytes(description, result),
    ]
    if broken:
        raise InvariantError("the accounts of the run do not add up: " + "; ".join(broken))


def _broken_states(result: EngineResult) -> Iterator[str]:
    for name, totals in result.totals.items():
        total = sum([each.cycles for each in totals])
        if total != result.makespan_cycles:
            yield f"the states of {name} add up to {total} cycles of {result.makespan_cycles}"


def _broken_firings(description: Description, result: EngineResult) -> Iterator[str]:
    for component in description.components:
        if result.firings[component.name] != component.firings:
            yield f"{component.name} fired {result.firings[component.name]} times of {component.firings}"


def _broken_queues(result: EngineResult) -> Iterator[str]:
    for name, queue in (*result.queues.items(), *result.memories.items()):
        if queue.put != queue.taken:
            yield f"{queue.put} went into {name}, but {queue.taken} came out"
        if queue.high_water > queue.capacity:
            yield f"{name} held {queue.high_water} of {queue.capacity}"


def _broken_bytes(description: Description, result: EngineResult) -> Iterator[str]:
    for write in (False, True):
        asked = requested_bytes(description, write=write)
        moved = sum(channel.write_bytes if write else channel.read_bytes for channel in result.channels.values())
        if asked != moved:
            yield f"{asked} bytes were to be {'written' if write else 'read'}, but {moved} were"
    for channel in description.channels:
        totals = result.channels[channel.name]
        moved = totals.read_bytes + totals.write_bytes
        most = channel.device.most_bytes(result.makespan_cycles)
        if moved > most:
            yield f"{channel.name} moved {moved} bytes, but can move {most} in the time"
