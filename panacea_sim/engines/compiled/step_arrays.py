"""The arrays of all steps as one array of 32-bit words: what each firing takes, waits for, serves or gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from panacea_sim.engines.compiled.columns import PACKED_BITS
from panacea_sim.errors import ConfigError
from panacea_sim.units import IntArray

__all__ = ["UNIFORM", "StepArrays"]

UNIFORM = -1
"""The offset of an array that is 1 for every firing."""

_BLOCK = 4_096
"""Firings whose lanes are put side by side at once: they stay in the cache."""


def _blocks(firings: int) -> list[slice]:
    return [slice(first, first + _BLOCK) for first in range(0, firings, _BLOCK)]


def _side_by_side(lanes: Sequence[IntArray]) -> Iterator[IntArray]:
    """Return the numbers of several lanes, [firing, lane], block by block."""
    columns = _columns(lanes)
    for block in _blocks(len(lanes[0])):
        yield np.stack([values[block] for values in lanes], 1) if columns is None else columns[block]


def _columns(lanes: Sequence[IntArray]) -> IntArray | None:
    """Return the array of which lanes are neighbouring columns, [firing, lane]; None where they are not."""
    first = lanes[0]
    places = [(each.__array_interface__["data"][0], each.strides, each.shape, each.dtype) for each in lanes]
    neighbours = [(places[0][0] + lane * first.itemsize, *places[0][1:]) for lane in range(len(lanes))]
    if places != neighbours:
        return None
    return np.lib.stride_tricks.as_strided(first, (len(first), len(lanes)), (first.strides[0], first.itemsize))


@dataclass(frozen=True, eq=False)
class _Rows:
    """Arrays that stand side by side, one word for each lane, or for two of them where they are packed."""

    lanes: Sequence[IntArray]
    packed: bool
    largest: int

    @property
    def words(self) -> int:
        """Words of a firing."""
        return (len(self.lanes) + self.packed) >> self.packed

    @property
    def length(self) -> int:
        """Words of all firings."""
        return self.words * len(self.lanes[0])

    def write(self, out: IntArray) -> None:
        """Write the words, [firing, word]."""
        if len(self.lanes) == 1:
            out[:, 0] = self.lanes[0]
            return
        for block, values in zip(_blocks(len(out)), _side_by_side(self.lanes), strict=True):
            if self.packed:
                out[block] = values[:, 0::2]
                out[block, : len(self.lanes) // 2] |= values[:, 1::2].astype(np.int32) << PACKED_BITS
            else:
                out[block] = values


@dataclass
class StepArrays:
    """The arrays of the steps; each is stored once, and described by its offset."""

    _rows: list[_Rows] = field(default_factory=list)
    _offsets: dict[int, int] = field(default_factory=dict)
    _length: int = 0

    def offset(self, values: IntArray) -> int:
        """Return the offset of an array, UNIFORM if it is 1 throughout; the array must live until all are joined."""
        known = self._offsets.get(id(values))
        if known is None:
            known = UNIFORM if (values == 1).all() else self.stored(values)
            self._offsets[id(values)] = known
        return known

    def stored(self, values: IntArray) -> int:
        """Return the offset of an array that is stored whatever it holds."""
        return self._add(_Rows((values,), packed=False, largest=int(values.max(initial=0))))

    def side_by_side(self, lanes: Sequence[IntArray]) -> tuple[int, bool]:
        """Return the offset of the arrays of several lanes, and whether they are packed.

        They are where all numbers are so small that two share a word; the one of the lower lane has the lower bits.
        """
        if len(lanes) == 1:
            return self.stored(lanes[0]), False
        largest = max((int(values.max()) for values in _side_by_side(lanes)), default=0)
        packed = largest >> (PACKED_BITS - 1) == 0
        return self._add(_Rows(lanes, packed, largest)), packed

    def joined(self) -> IntArray:
        """Return all arrays as one, and let them go: it is asked for once.

        Raises ConfigError if a number does not fit a word.
        """
        largest = max((rows.largest for rows in self._rows), default=0)
        if largest > np.iinfo(np.int32).max:
            found, accepted = f"a step of {largest} cycles or bytes", "steps that fit into 32 bits"
            raise ConfigError("compiled engine", found, accepted, "--engine reference has no such limit")
        words: IntArray = np.empty(self._length, np.int32)
        place = 0
        self._rows.reverse()
        while self._rows:
            rows = self._rows.pop()
            rows.write(words[place : place + rows.length].reshape(-1, rows.words))
            place += rows.length
        return words

    def _add(self, rows: _Rows) -> int:
        offset = self._length
        self._rows.append(rows)
        self._length += rows.length
        return offset
