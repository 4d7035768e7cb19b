"""What the critical path promises a machine whose components get faster, and the machines on which it is tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from engine_runs import LAYERS

from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import DeadlockError
from panacea_sim.explanation.explain import path_segments
from panacea_sim.explanation.records import recorder_records
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.units import IntArray

FASTER: tuple[Callable[[IntArray], IntArray], ...] = (lambda cycles: cycles // 2, np.zeros_like)
"""Half the service cycles, and none."""


@dataclass(frozen=True)
class Gain:
    """What a group of components that got faster gained, and what the path promised, of a makespan."""

    group: frozenset[str]
    cycles: int
    promised_cycles: int
    makespan_cycles: int


def gains(machine: Description) -> Iterator[Gain]:
    """Run a machine again with each group of its components faster; a machine that gets stuck gains nothing."""
    found = makespan_and_path(machine)
    if found is None:
        return
    makespan, path = found
    for group in groups(machine):
        for faster in FASTER:
            changed = {name: faster(cycles) for name, cycles in services(machine).items() if name in group}
            again = run_reference(with_services(machine, changed), Recorder(NO_TRACE)).makespan_cycles
            yield Gain(group, makespan - again, promised(path, group, faster), makespan)


def makespan_and_path(machine: Description) -> tuple[int, list[dict[str, object]]] | None:
    """Return the makespan and the stretches of the critical path, None of a machine that gets stuck."""
    recorder = Recorder(NO_TRACE, LAYERS, explains=True)
    try:
        makespan = run_reference(machine, recorder).makespan_cycles
    except DeadlockError:
        return None
    return makespan, path_segments(recorder_records(machine, recorder, makespan)).to_pylist()


def promised(path: list[dict[str, object]], group: frozenset[str], faster: Callable[[IntArray], IntArray]) -> int:
    """Return the cycles on the path that a group loses that gets faster."""
    services = [row for row in path if row["kind"] == "service" and row["component"] in group]
    cycles = np.array([row["end_cycle"] - row["start_cycle"] for row in services], np.int64)  # type: ignore[operator]
    return int((cycles - faster(cycles)).sum())


def groups(machine: Description) -> list[frozenset[str]]:
    """Return each component that serves by itself, and those of each group together."""
    names = list(services(machine))
    together: dict[str, set[str]] = {}
    for part in machine.components:
        if part.name in names:
            together.setdefault(part.group, set()).add(part.name)
    return list(dict.fromkeys([*(frozenset([name]) for name in names), *map(frozenset, together.values())]))


def services(machine: Description) -> dict[str, IntArray]:
    """Return the service cycles of each component that has some."""
    return {part.name: part.service_cycles for part in machine.components if part.service_cycles is not None}


def with_services(machine: Description, changed: Mapping[str, IntArray]) -> Description:
    """Return the machine with other service cycles of some components."""
    parts = [
        replace(part, service_cycles=changed[part.name]) if part.name in changed else part
        for part in machine.components
    ]
    return replace(machine, components=tuple(parts))


def with_private_channels(machine: Description) -> Description:
    """Give each stream channels of its own, so that no grant can change the order of another stream's."""
    channels: list[Channel] = []
    parts = []
    for part in machine.components:
        if part.requests is not None:
            own = replace(part.requests, channel=part.requests.channel + len(channels))
            channels += [Channel(f"{part.name}.{old.name}", old.device) for old in machine.channels]
            parts.append(replace(part, requests=own))
        else:
            parts.append(part)
    return replace(machine, components=tuple(parts), channels=tuple(channels))
