"""How many cases a property test takes whose every case is a whole run: fewer than the profile says."""

from __future__ import annotations

from hypothesis import settings

__all__ = ["at_most"]


def at_most(cases: int) -> settings:
    """Return settings with as many cases as the profile has, but no more than these."""
    return settings(max_examples=min(settings.default.max_examples, cases))
