"""The tables of the compiled engine: what stands in their columns, and the codes of its trace."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.units import IntArray

__all__ = [
    "ACCESSES",
    "ACTOR_WIDTH",
    "ADDS_TO",
    "AMOUNT",
    "AT_ONCE",
    "BANKED",
    "BLOCKED_INDEX",
    "BLOCKED_ON",
    "BUSY",
    "BUSY_CYCLES",
    "CAPACITY",
    "CHANNEL_END",
    "CHANNEL_WIDTH",
    "COMPONENT",
    "COMPONENT_WIDTH",
    "CONTENDED",
    "COUNTER_WIDTH",
    "DATA_CHANNEL",
    "DATA_CYCLE",
    "DATA_PART",
    "DECISION",
    "DONE",
    "END_STEP",
    "END_STRETCH",
    "EVENT_MASK",
    "FAN",
    "FIRING",
    "FIRINGS",
    "FIRST_REQUEST",
    "FIRST_STEP",
    "HEAD",
    "HELD_GRANTED",
    "HELD_PART",
    "HELD_READY",
    "HELD_REQUEST",
    "HELD_WIDTH",
    "HIGH_AT",
    "IDLE",
    "IDLE_CYCLES",
    "KEPT",
    "LANES",
    "LANE_AT",
    "LAST_END",
    "NONE",
    "OFFSET",
    "OP",
    "OPEN_LANES",
    "OPEN_PARTS",
    "OTHER_END",
    "PACKED",
    "PACKED_BITS",
    "PART_ADDRESS",
    "PART_BYTES",
    "PART_CHANNEL",
    "PART_WIDTH",
    "PART_WRITE",
    "PAUSED",
    "PORT_OF",
    "PORT_PRIORITY",
    "PORT_WIDTH",
    "POSTED",
    "POSTING_WIDTH",
    "POSTS",
    "QUEUED",
    "QUEUE_AT",
    "READY",
    "READY_TO_GO",
    "READ_BYTES",
    "REQUEST_WIDTH",
    "ROWS",
    "ROW_HITS",
    "ROW_MISSES",
    "ROW_WIDTH",
    "SLOT",
    "SLOTS_AT",
    "SLOT_MASK",
    "STALLS_AT",
    "STARVED",
    "STARVED_CYCLES",
    "STATE_SIZE",
    "STEP",
    "STEP_WIDTH",
    "STRETCHES_KEPT",
    "STRETCH_COUNT",
    "STUCK",
    "TAKER",
    "TIME",
    "TIMES_AT",
    "WAITS_FOR",
    "WAITS_FOR_DATA",
    "WAKE_AT",
    "WAKE_END",
    "WANTED_SLOT",
    "WRITE_BYTES",
    "Core",
    "Streams",
    "Trace",
]

DONE, PAUSED, STUCK = range(3)
"""How `evaluate` ends: all actors are done, it wants to be called again, or nothing can move."""

ROW_WIDTH = 4
"""A row of the trace: code, start, end, firing."""

BUSY, IDLE, STARVED = -1, -2, -3
"""Codes of rows; a code >= 0 is the number of the step that stalls."""

AT_ONCE, WANTED_SLOT = -1, -2
"""Codes of postings, apart from those of steps: nothing, or a place among the requests in flight, was waited for."""

POSTING_WIDTH = 4
"""A posting of the trace: firing, cycle, code, since when."""

CONTENDED = -10
"""From here down: for a stream CONTENDED - (channel * (ports + reasons) + port or ports + reason) says what it waits
for; for a channel CONTENDED - port says whose data it moves, and CONTENDED - ((1 + reason) * ports + port) what holds
it up.
"""

NONE = -1
"""No event, channel, part or firing."""

READY_TO_GO, WAITS_FOR_DATA = -1, -2
"""What an actor is blocked on, apart from counters."""

PACKED_BITS = 16
"""The bits of a number of which two stand in a word: the cycles of two lanes, where they are that small."""

STRETCHES_KEPT = 1 << 12
"""What a channel remembers of its past: far more stretches than requests can wait for at once."""


class Core(NamedTuple):
    """Actors, steps and counters: the tables of the inner loop. Each has a row for each of its kind, see the columns.

    `events` counts those of each counter so far and `times` holds them, or of some counters the last ones only, in a
    ring: event i stands at place i & EVENT_MASK. `highs` holds the highest occupancy of each queue. `wake` lists the
    actors that wait for each counter, `data` holds the arrays of the steps, `lane_cycle` the cycle of each lane of an
    actor, `stalled` the cycles of each stall, `heads` from when to when it was the wait for a first input instead, and
    `stack` the actors that may go on, its first entry being their number.
    """

    actors: IntArray
    steps: IntArray
    counters: IntArray
    events: IntArray
    components: IntArray
    wake: IntArray
    data: IntArray
    times: IntArray
    highs: IntArray
    lane_cycle: IntArray
    stalled: IntArray
    heads: IntArray
    stack: IntArray


class Streams(NamedTuple):
    """Requests, channels and devices: the tables of posting, granting and taking.

    `request_of` says which request each firing posts, port after port, and `part_at` where the parts of each request
    begin, one entry more for each port. `requests` and `stalls` hold the firings in flight and the last one before:
    firing i of a port stands at place i & SLOT_MASK. `stalls` is what posting sides waited for, start and end. `queue`
    and `held` are the waiting parts of each channel, `stretch` its past, `gaps` and `busy` its cycles by port, `waits`
    the cycles for which each port was contended.
    """

    ports: IntArray
    requests: IntArray
    request_of: IntArray
    part_at: IntArray
    parts: IntArray
    stalls: IntArray
    channels: IntArray
    queue: IntArray
    held: IntArray
    params: IntArray
    device: IntArray
    out: IntArray
    stretch: IntArray
    busy: IntArray
    gaps: IntArray
    waits: IntArray


class Trace(NamedTuple):
    """What is recorded: rows of each owner (components, then channels) and accesses of each channel, in order of time.

    `on` is 0 or 1; so is `whole`. A whole trace fills buffers: `rows` [owner, row], of which `row_counts` says how many
    there are, and `accesses` [channel, access], of which `access_counts` does. Without it services, which lie between
    the waits of a component, and transfers, which are accesses, need no rows, accesses have fewer columns, and nothing
    is emptied: rows are codes and end cycles, `kept_code` and `kept_end`, in a region for each owner. Its rows begin at
    `kept_first`, and in the place before that stands the cycle in which they begin; the next goes to `kept_next`, and
    behind `kept_limit`, as behind postings, there are `kept_margin` places for those of one more firing. Where
    `kept_serves` is 1 the services of an owner become rows, one for those without a cycle between them. `most` are the
    most rows of an owner, as many as a buffer has for a region that is full, and the most accesses.

    `postings` [port, row] has firing, cycle, code and since when for each step that delayed a posting, as many as
    `posting_counts` says; a code is that of a row, WANTED_SLOT or AT_ONCE, for a posting that nothing delayed.
    """

    on: int
    whole: int
    most: IntArray
    row_counts: IntArray
    rows: IntArray
    access_counts: IntArray
    accesses: IntArray
    kept_margin: int
    kept_first: IntArray
    kept_next: IntArray
    kept_limit: IntArray
    kept_serves: IntArray
    kept_code: npt.NDArray[np.int32]
    kept_end: IntArray
    posting_counts: IntArray
    postings: IntArray


(
    FIRINGS,
    COMPONENT,
    FIRST_STEP,
    END_STEP,
    POSTS,
    TIME,
    FIRING,
    STEP,
    BLOCKED_ON,
    BLOCKED_INDEX,
    LANES,
    LANE_AT,
    ACTOR_WIDTH,
) = range(13)
OP, WAITS_FOR, ADDS_TO, OFFSET, PACKED, AMOUNT, STALLS_AT, SLOT, FAN, STEP_WIDTH = range(10)
TIMES_AT, EVENT_MASK, WAKE_AT, WAKE_END, KEPT, OTHER_END, OPEN_LANES, CAPACITY, HIGH_AT, COUNTER_WIDTH = range(10)
PORT_OF, BUSY_CYCLES, HEAD, LAST_END, COMPONENT_WIDTH = range(5)
PORT_PRIORITY, FIRST_REQUEST, SLOTS_AT, SLOT_MASK, TAKER, PORT_WIDTH = range(6)
POSTED, OPEN_PARTS, READY, DATA_CYCLE, DATA_PART, DATA_CHANNEL, END_STRETCH, REQUEST_WIDTH = range(8)
PART_CHANNEL, PART_ADDRESS, PART_BYTES, PART_WRITE, PART_WIDTH = range(5)
(
    BANKED,
    STATE_SIZE,
    DECISION,
    QUEUED,
    QUEUE_AT,
    STRETCH_COUNT,
    CHANNEL_END,
    IDLE_CYCLES,
    STARVED_CYCLES,
    READ_BYTES,
    WRITE_BYTES,
    ROW_HITS,
    ROW_MISSES,
    CHANNEL_WIDTH,
) = range(14)
HELD_REQUEST, HELD_PART, HELD_GRANTED, HELD_READY, HELD_WIDTH = range(5)
ROWS, ACCESSES = range(2)
