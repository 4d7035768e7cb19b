"""What follows from the shape of a layer alone, kept for the next layers of that shape as long as it is small."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Kept"]

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """Values by what they are computed from, the latest ones: together they take `most_bytes` at most.

    `size_bytes` tells what a value takes. One that is larger alone is not kept, so that large layers leave nothing
    behind.
    """

    def __init__(self, most_bytes: int, size_bytes: Callable[[Value], int]) -> None:
        self._most_bytes = most_bytes
        self._size_bytes = size_bytes
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._taken_bytes = 0

    def of(self, key: Hashable, compute: Callable[[], Value]) -> Value:
        """Return the value of a key, computed unless it is kept; what `compute` raises is raised."""
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = compute()
        self._values[key] = value
        self._taken_bytes += self._size_bytes(value)
        while self._taken_bytes > self._most_bytes:
            _, oldest = self._values.popitem(last=False)
            self._taken_bytes -= self._size_bytes(oldest)
        return value
