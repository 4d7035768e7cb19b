"""Waiting requests at a channel: who goes when nothing about the device speaks for one, and the order always kept.

The queue is one flat sequence of whole numbers, WIDTH for each request at the offsets named here, in order of request
cycle, then port. The functions use whole numbers, indexing and loops only, so that they can also be compiled.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "ADDRESS",
    "PORT",
    "PRIORITY",
    "REQUEST_CYCLE",
    "SIZE_BYTES",
    "WIDTH",
    "WRITE",
    "first_come_first_served",
    "keep_order",
    "place_in_queue",
]

PRIORITY, REQUEST_CYCLE, PORT, ADDRESS, SIZE_BYTES, WRITE, WIDTH = range(7)
"""Address and bytes are those that are still to be granted; `WRITE` is 0 or 1."""


def place_in_queue(queue: Sequence[int], count: int, request_cycle: int, port: int) -> int:
    """Return the position at which a request that arrives joins the queue: behind those of its own port.

    The position belongs to the machine, not to the order of events in a simulator: two requests of one cycle are always
    decided alike.
    """
    position = count
    while position > 0:
        base = (position - 1) * WIDTH
        if (queue[base + REQUEST_CYCLE], queue[base + PORT]) <= (request_cycle, port):
            break
        position -= 1
    return position


def first_come_first_served(queue: Sequence[int], count: int) -> int:
    """Return the position of the request to grant: of the least priority number the first; order is kept."""
    best = 0
    for position in range(1, count):
        if queue[position * WIDTH + PRIORITY] < queue[best * WIDTH + PRIORITY]:
            best = position
    return keep_order(queue, best)


def keep_order(queue: Sequence[int], chosen: int) -> int:
    """Return the position of the request that goes when the turn is that of the one at `chosen`.

    Requests that have bytes in common go in the order of the queue if one of them writes: the later one gives its turn
    to the first of those that it may not overtake, and that one likewise. So nobody waits longer than its own turn for
    a request of a worse priority.
    """
    position, base = 0, chosen * WIDTH
    address, end, write = queue[base + ADDRESS], queue[base + ADDRESS] + queue[base + SIZE_BYTES], queue[base + WRITE]
    while position < chosen:
        base = position * WIDTH
        if (
            queue[base + ADDRESS] < end
            and address < queue[base + ADDRESS] + queue[base + SIZE_BYTES]
            and (write or queue[base + WRITE])
        ):
            chosen, position = position, 0
            address, write = queue[base + ADDRESS], queue[base + WRITE]
            end = address + queue[base + SIZE_BYTES]
        else:
            position += 1
    return chosen
