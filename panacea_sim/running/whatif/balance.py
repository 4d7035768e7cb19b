"""The ideal machine whose computing components share their work evenly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.units import IntArray

__all__ = ["balanced"]

_COMPUTE = "compute"


def balanced(description: Description) -> Description:
    """Return the machine in which the computing members of a group serve the mean of their cycles in every firing.

    The mean is rounded so that all firings up to any one add up to its whole part: no member has more to do in all than
    before, on average.
    """
    groups: dict[str, list[Component]] = {}
    for part in description.components:
        if part.role == _COMPUTE and part.service_cycles is not None:
            groups.setdefault(part.group, []).append(part)
    services = {name: _even_cycles(members) for name, members in groups.items() if len(members) > 1}
    components = tuple(
        replace(part, service_cycles=services[part.group])
        if part.role == _COMPUTE and part.group in services and part.service_cycles is not None
        else part
        for part in description.components
    )
    return replace(description, components=components)


def _even_cycles(members: Sequence[Component]) -> IntArray:
    total = np.zeros(members[0].firings, np.int64)
    for member in members:
        assert member.service_cycles is not None  # those that serve by themselves
        total += member.service_cycles
    whole = np.cumsum(total) // len(members)
    return np.diff(whole, prepend=0)
