"""How large whole numbers from outside may be: the one table of their kinds.

Within these bounds sums and products of a run fit 64 bits. Models take a kind as the annotation of a field,
`checks.require_kind` takes it for a single value.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias, get_args

from annotated_types import Ge, Le

__all__ = [
    "Bytes",
    "ClockHz",
    "ClockPs",
    "Count",
    "CountOrZero",
    "Cycles",
    "CyclesOrZero",
    "Parts",
    "Seed",
    "Size",
    "SizeOrZero",
    "bounds_of",
]

Parts: TypeAlias = Annotated[int, Ge(1), Le(1024)]
"""Hardware parts that are modelled one by one: PEAs, channels, bank groups."""

Count: TypeAlias = Annotated[int, Ge(1), Le(65_536)]
"""Counts and depths: tile sizes, operators, lanes, queue slots, and the cycles between two commands of a device."""

CountOrZero: TypeAlias = Annotated[int, Ge(0), Le(65_536)]
"""A count that may be zero, such as a priority."""

Size: TypeAlias = Annotated[int, Ge(1), Le(2**31 - 1)]
"""Rows and columns of an operand: M, K, N; also pixels along an axis, and products of a layer."""

SizeOrZero: TypeAlias = Annotated[int, Ge(0), Le(2**31 - 1)]
"""Pixels of padding."""

Bytes: TypeAlias = Annotated[int, Ge(1), Le(2**40)]
"""Memories, transfers, and bytes a cycle."""

Cycles: TypeAlias = Annotated[int, Ge(1), Le(2**31 - 1)]
"""Times that are compared with how long something took."""

CyclesOrZero: TypeAlias = Annotated[int, Ge(0), Le(2**31 - 1)]
"""Latencies."""

ClockHz: TypeAlias = Annotated[int, Ge(1), Le(10**10)]
"""The clock of an accelerator, up to 10 GHz."""

ClockPs: TypeAlias = Annotated[int, Ge(1), Le(10**6)]
"""The clock period of a DRAM device, down to 1 MHz."""

Seed: TypeAlias = Annotated[int, Ge(0), Le(2**128 - 1)]
"""What random numbers begin with."""


def bounds_of(kind: Any) -> tuple[int, int]:  # noqa: ANN401  # an annotation
    """Return the least and the greatest number of a kind."""
    _, lowest, highest = get_args(kind)
    return lowest.ge, highest.le
