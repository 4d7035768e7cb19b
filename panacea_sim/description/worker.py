"""What a component does to the values that travel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

__all__ = ["Worker"]


class Worker(Protocol):
    """What a component does to the values that travel."""

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return one token for each put and give, in order.

        `inputs` has a tuple of tokens for each take and need, in order.
        """
        ...
