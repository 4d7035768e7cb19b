"""The steps of a firing, as integer arrays with one entry for each firing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.units import IntArray

__all__ = ["NO_NEED", "Acquire", "Give", "Need", "Put", "Release", "Requests", "Take", "Wait"]

NO_NEED = -1
"""The index in `Need.index` that stands for no need."""


@dataclass(frozen=True, eq=False)
class Take:
    """Firing i takes `tokens[i]` tokens of `queue` together (0: it takes none)."""

    queue: str
    tokens: IntArray


@dataclass(frozen=True, eq=False)
class Need:
    """Firing i needs token `index[i]` of `store` to exist; nothing is consumed (NO_NEED: none)."""

    store: str
    index: IntArray


@dataclass(frozen=True, eq=False)
class Wait:
    """Firing i waits until `component` has ended `firings[i]` firings (0: no dependence)."""

    component: str
    firings: IntArray


@dataclass(frozen=True, eq=False)
class Acquire:
    """Firing i acquires `size_bytes[i]` of `memory`."""

    memory: str
    size_bytes: IntArray


@dataclass(frozen=True, eq=False)
class Release:
    """Firing i releases `size_bytes[i]` of `memory` when its service ends."""

    memory: str
    size_bytes: IntArray


@dataclass(frozen=True)
class Put:
    """Every firing puts one token into `store`; the token of firing i has index i."""

    store: str


@dataclass(frozen=True, eq=False)
class Give:
    """Firing i gives a token to `queue` where `tokens[i]` is 1, and none where it is 0.

    A component that gives several tokens in one firing has a Give for each, which may name the same queue.
    """

    queue: str
    tokens: IntArray


@dataclass(frozen=True, eq=False)
class Requests:
    """What each firing of a DMA stream asks of the channels, in parts.

    Request j is the parts `offsets[j]` to `offsets[j + 1]`; a part reads or writes `size_bytes` from `address` of
    channel number `channel`. Firing i posts request `request[i]`, or request i where that is None: a tile that is
    fetched often is described once. All parts of a firing are posted in one cycle, and its data is ready when the last
    part is.
    """

    offsets: IntArray
    channel: IntArray
    address: IntArray
    size_bytes: IntArray
    write: IntArray
    request: IntArray | None = None

    @property
    def firings(self) -> int:
        """Number of firings that these are the requests of."""
        return len(self.offsets) - 1 if self.request is None else len(self.request)

    def times_posted(self) -> IntArray:
        """Return how many firings post each part."""
        requests = len(self.offsets) - 1
        times = np.ones(requests, np.int64) if self.request is None else np.bincount(self.request, minlength=requests)
        return np.repeat(times, np.diff(self.offsets))

    def of_firings(self, of_parts: IntArray) -> IntArray:
        """Return for each firing the sum of what its parts have."""
        before = np.concatenate([[0], np.cumsum(of_parts, dtype=np.int64)])
        of_requests: IntArray = before[self.offsets[1:]] - before[self.offsets[:-1]]
        return of_requests if self.request is None else of_requests[self.request]

    def moved_bytes(self, channels: int) -> IntArray:
        """Return the bytes that all firings ask of each channel, [channel, 2]: to read and to write."""
        moved = np.zeros((channels, 2), np.int64)
        np.add.at(moved, (self.channel, self.write.astype(np.int64)), self.size_bytes * self.times_posted())
        return moved
