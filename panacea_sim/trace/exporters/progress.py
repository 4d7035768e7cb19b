"""How far an export has come, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[int, int], None]
"""Is told now and then how much is done, and how much there is to do."""


def silent(done: int, total: int) -> None:
    """Tell nobody."""
