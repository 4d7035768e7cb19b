"""The arrays of all steps as one array of 32-bit words: what each firing takes, waits for, serves or gives."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True, eq=False)
class _Rows:
    """Arrays that stand side by side, one word for each lane, or for two of them where they are packed."""

    lanes: Sequence[IntArray]
    packed: bool

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
        for first in range(0, len(out), _BLOCK):
            block = slice(first, first + _BLOCK)
            for lane, values in enumerate(self.lanes):
                if self.packed and lane % 2:
                    out[block, lane // 2] |= values[block].astype(np.int32) << PACKED_BITS
                else:
                    out[block, lane >> self.packed] = values[block]


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
        return self._add(_Rows((values,), packed=False))

    def side_by_side(self, lanes: Sequence[IntArray]) -> tuple[int, bool]:
        """Return the offset of the arrays of several lanes, and whether they are packed.

        They are where all numbers are so small that two share a word; the one of the lower lane has the lower bits.
        """
        packed = len(lanes) > 1 and all(int(each.max(initial=0)) >> (PACKED_BITS - 1) == 0 for each in lanes)
        return self._add(_Rows(lanes, packed)), packed

    def joined(self) -> IntArray:
        """Return all arrays as one, and let them go: it is asked for once.

        Raises ConfigError if a number does not fit a word.
        """
        largest = max((int(lane.max(initial=0)) for rows in self._rows for lane in rows.lanes), default=0)
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
