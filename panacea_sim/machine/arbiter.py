"""The rule by which a channel chooses among waiting requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = ["Pending", "first_come_first_served"]


class Pending(Protocol):
    """A request that waits at a channel; `sequence` counts the requests of one port."""

    priority: int
    request_cycle: int
    port: int
    sequence: int


def first_come_first_served(pending: Sequence[Pending]) -> int:
    """Return the position of the request to grant: least priority number, then request cycle, then port.

    All four parts of the key belong to the machine, none to the order of events in a simulator, so that two requests
    of one cycle are always decided alike.
    """
    return min(
        range(len(pending)),
        key=lambda i: (pending[i].priority, pending[i].request_cycle, pending[i].port, pending[i].sequence),
    )
