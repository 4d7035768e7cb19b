"""A point of a design space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Point"]


@dataclass(frozen=True)
class Point:
    """The values of all axes, in the order of the axes; `index` is the row of the point, from 0."""

    index: int
    settings: Mapping[str, object]
