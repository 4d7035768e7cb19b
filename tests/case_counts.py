"""How many cases a property test takes whose every case is a whole run: fewer than the profile says."""

from __future__ import annotations

import os

from hypothesis import settings

__all__ = ["asked_machines", "at_most", "of_asked"]


def at_most(cases: int) -> settings:
    """Return settings with as many cases as the profile has, but no more than these."""
    return settings(max_examples=min(settings.default.max_examples, cases))


def asked_machines(otherwise: int) -> int:
    """Return how many machines of each kind `make equal N=...` asks for."""
    return int(os.environ.get("EQUAL_MACHINES", otherwise))


def of_asked(parts: int, otherwise: int) -> settings:
    """Return settings with one of so many parts of the machines that are asked for, but no fewer than `at_most`."""
    least = at_most(otherwise)
    return settings(max_examples=max(least.max_examples, asked_machines(0) // parts))
