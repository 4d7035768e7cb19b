"""The one description of a machine and its work, from which every engine is built.

A description holds components joined by queues, stores, memories and channels, and for each component integer
arrays with one entry for each of its firings. It says nothing about how to run: docs/model.md gives the meaning
of every field, and each engine evaluates the same arrays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.parts import Channel, Memory, Port, Queue, Store
from panacea_sim.description.wiring import Wiring, wiring_of
from panacea_sim.errors import ConfigError
from panacea_sim.mapping.labels import TileLabels
from panacea_sim.units import IntArray

__all__ = ["Description", "joined_labels", "requested_bytes"]


@dataclass(frozen=True, eq=False)
class Description:
    """A whole machine with its work.

    Raises ConfigError where the parts do not fit together: a name that is used twice or not defined, an array of
    the wrong length, a queue without exactly one producer and one consumer, or a capacity that can never do. `wiring`
    is what it says apart from arrays.
    """

    components: tuple[Component, ...]
    queues: tuple[Queue, ...] = ()
    stores: tuple[Store, ...] = ()
    memories: tuple[Memory, ...] = ()
    channels: tuple[Channel, ...] = ()
    ports: tuple[Port, ...] = ()
    wiring: Wiring = field(init=False)

    def __post_init__(self) -> None:
        """Check the description, its wiring first."""
        parts = tuple([component.wiring for component in self.components])
        channels = tuple([channel.name for channel in self.channels])
        wiring = wiring_of(parts, self.queues, self.stores, self.memories, channels, self.ports)
        # The only way to fill a field of a frozen dataclass.
        object.__setattr__(self, "wiring", wiring)
        for component in self.components:
            _check_lengths(component)
        capacity = {queue.name: queue.capacity for queue in self.queues}
        most: dict[int, int] = {}  # many steps share an array
        for component in self.components:
            for take in component.takes:
                needed = most.get(id(take.tokens))
                if needed is None:
                    needed = most[id(take.tokens)] = int(take.tokens.max(initial=1))
                _check_capacity(take.queue, capacity[take.queue], needed)

    @property
    def producer(self) -> dict[str, str]:
        """The component that fills each queue and store, or releases space of each memory."""
        return self.wiring.producer

    @property
    def consumer(self) -> dict[str, str]:
        """The component that empties each queue, needs each store, or acquires space of each memory."""
        return self.wiring.consumer

    @cached_property
    def moved_bytes(self) -> IntArray:
        """The bytes that all components ask of each channel, [channel, 2]: to read and to write."""
        moved = np.zeros((len(self.channels), 2), np.int64)
        for component in self.components:
            if component.requests is not None:
                moved += component.requests.moved_bytes(len(self.channels))
        return moved

    def port_of(self, component: str) -> int:
        """Return the number of the port that belongs to `component`."""
        return self.wiring.port_of[component]


def requested_bytes(description: Description, *, write: bool, channel: int | None = None) -> int:
    """Return the bytes that all components ask to read or write, of one channel (by number) or of all."""
    of_channel = description.moved_bytes[:, int(write)]
    return int(of_channel.sum() if channel is None else of_channel[channel])


def joined_labels(ported: list[Component]) -> tuple[TileLabels, np.ndarray, list[int]]:
    """Return the labels and bytes of all ports' firings one after the other, and where each port's begin."""
    first_firing = [0]
    for component in ported:
        first_firing.append(first_firing[-1] + component.firings)
    labels = [component.labels or TileLabels.none(component.firings) for component in ported]
    joined = TileLabels(
        *(
            np.concatenate([getattr(each, axis) for each in labels] or [np.zeros(0, np.int64)])
            for axis in ("layer", "m", "n", "k")
        )
    )
    sizes = [np.zeros(part.firings, np.int64) if part.size_bytes is None else part.size_bytes for part in ported]
    return joined, np.concatenate([*sizes, np.zeros(0, np.int64)]), first_firing


def _check_capacity(queue: str, capacity: int, needed: int) -> None:
    if capacity < needed:
        raise ConfigError(
            f"machine.{queue}.capacity",
            capacity,
            f"a whole number >= {needed}",
            f"Its consumer takes {needed} tokens at once.",
        )


def _arrays(component: Component) -> list[tuple[str, IntArray]]:
    arrays = [(take.queue, take.tokens) for take in component.takes]
    arrays += [(need.store, need.index) for need in component.needs]
    arrays += [(wait.component, wait.firings) for wait in component.waits]
    arrays += [(acquire.memory, acquire.size_bytes) for acquire in component.acquires]
    arrays += [(release.memory, release.size_bytes) for release in component.releases]
    arrays += [(give.queue, give.tokens) for give in component.gives]
    if component.service_cycles is not None:
        arrays.append(("service_cycles", component.service_cycles))
    return arrays


def _check_lengths(component: Component) -> None:
    if (component.service_cycles is None) == (component.requests is None):
        raise ConfigError(f"machine.{component.name}", "service_cycles and requests", "exactly one of the two")
    lengths = [(name, len(array)) for name, array in _arrays(component)]
    if component.requests is not None:
        lengths.append(("requests", component.requests.firings))
    for name, length in lengths:
        if length != component.firings:
            raise ConfigError(
                f"machine.{component.name}.{name}", f"{length} entries", f"{component.firings}, one for each firing"
            )
