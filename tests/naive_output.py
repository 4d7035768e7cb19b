"""The output path in Python integers of any size, judge of the vectorised one."""

from __future__ import annotations

from panacea_sim.quant.requantizer import Requantizer

__all__ = ["requantized"]


def requantized(requantizer: Requantizer, accumulator: list[list[int]]) -> list[list[int]]:
    """Return the codes of accumulators [M, N]: offset, multiplied, divided, rounded half up, clipped."""
    highest = 2**requantizer.bits - 1
    constants = (requantizer.multiplier.tolist(), requantizer.shift.tolist(), requantizer.offset.tolist())
    rows = zip(*constants, accumulator, strict=True)
    return [
        [
            min(
                max(requantizer.zero_point + (2 * (value + offset) * multiplier + 2**shift) // 2 ** (shift + 1), 0),
                highest,
            )
            for value in row
        ]
        for multiplier, shift, offset, row in rows
    ]
