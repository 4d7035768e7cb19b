"""The timing of a DRAM channel with banks: when the next decision falls, which request goes, and what a grant costs.

Plain functions over the flat sequences of params.py. They use whole-number arithmetic, indexing and loops only,
so that the very same functions can be called on lists and compiled for arrays. Times inside are cycles of the device
clock; the cycles that come in and go out are the accelerator's. docs/dram.md explains every rule.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from panacea_sim.memory.arbiter import (
    ADDRESS,
    PRIORITY,
    REQUEST_CYCLE,
    SIZE_BYTES,
    WIDTH,
    WRITE,
    first_come_first_served,
    keep_order,
)
from panacea_sim.memory.params import (
    ACTIVATE_1,
    ACTIVATE_2,
    ACTIVATE_3,
    ACTIVATE_4,
    ACTIVATE_READY,
    ACTIVATED,
    ACTIVATES,
    AGE_CAP,
    BANK_BITS,
    BANK_WIDTH,
    BANKS_AT,
    BANKS_PER_GROUP,
    BURST,
    BURST_BITS,
    BURST_BYTES,
    BURSTS_PER_ROW,
    BUS_END,
    CCD_L,
    CCD_S,
    CL,
    CLOCK_DENOMINATOR,
    CLOCK_NUMERATOR,
    CLOSED,
    CLOSED_PAGE,
    COLUMN_BITS,
    CWL,
    FAW,
    FIRST_READY,
    GROUP_ACTIVATE,
    GROUP_BITS,
    GROUP_READ,
    GROUP_WIDTH,
    GROUP_WRITE,
    GROUPS,
    GROUPS_AT,
    LAST_READ,
    LAST_WRITE,
    NEXT_DECISION,
    OPEN_ROW,
    OUT_BANK,
    OUT_END,
    OUT_READY,
    OUT_REFRESH_UNTIL,
    OUT_ROW_HIT,
    OUT_ROW_HITS,
    OUT_ROW_MISSES,
    OUT_ROW_UNTIL,
    OUT_SIZE,
    OUT_START,
    OUT_TURNAROUND_UNTIL,
    PRECHARGE_READY,
    RAS,
    RC,
    RCD_READ,
    RCD_WRITE,
    READ_TO_PRECHARGE,
    READ_TO_WRITE,
    REFI,
    REFRESH_DUE,
    REFRESH_END,
    REFRESHES,
    RFC,
    ROTATED_BITS,
    ROTATED_GROUPS,
    RP,
    RRD_L,
    RRD_S,
    UNUSED,
    WRITE_TO_PRECHARGE,
    WRITE_TO_READ_L,
    WRITE_TO_READ_S,
)

__all__ = ["choose", "next_decision", "refreshes_before", "serve"]

_TOO_OLD = -1
"""The rank of a request that has waited longer than the age cap; others are never negative."""


def next_decision(params: Sequence[int], state: Sequence[int], earliest_request_cycle: int) -> int:
    """Return the first cycle in which the channel can grant a request that arrived in the given cycle.

    That is when the next column command can go out, while the data of the last one is still to come.
    """
    return max(earliest_request_cycle, _accelerator_cycle(params, state[NEXT_DECISION]))


def choose(params: Sequence[int], state: MutableSequence[int], cycle: int, queue: Sequence[int], count: int) -> int:
    """Return the position in `queue` (see arbiter.py) of the request to grant in `cycle`.

    Rows are opened for waiting requests first. Then FCFS takes the first by the order of arbiter.py. FR-FCFS takes, of
    the best priority, what has waited longer than the age cap; then what can send its column command earliest, of equal
    ones what finds its row open, and then the first. What may not overtake a request before it gives its turn to that.
    """
    if count == 1 and queue[REQUEST_CYCLE] == cycle:
        return 0  # `serve` opens its row no later
    now = _device_cycle(params, cycle)
    if now >= state[REFRESH_DUE]:
        _refresh(params, state, now)
    writes = _prepare(params, state, now, queue, count)
    if count == 1:
        return 0
    if not params[FIRST_READY]:
        return first_come_first_served(queue, count)
    best, best_priority, best_rank = 0, queue[PRIORITY], _rank(params, state, now, cycle, queue, 0)
    for position in range(1, count):
        base = position * WIDTH
        priority = queue[base + PRIORITY]
        # Nothing can beat a request of equal priority that may go at once.
        if priority < best_priority or (priority == best_priority and best_rank > 2 * now):
            rank = _rank(params, state, now, cycle, queue, base)
            if priority < best_priority or rank < best_rank:
                best, best_priority, best_rank = position, priority, rank
    return keep_order(queue, best) if writes else best


def serve(
    params: Sequence[int],
    state: MutableSequence[int],
    cycle: int,
    address: int,
    size_bytes: int,
    write: int,
    out: MutableSequence[int],
) -> None:
    """Grant in `cycle` as much of a request as lies in one row segment, change the state and fill `out`.

    The bursts of a segment lie in one row of one bank, or in the same row of the same bank in every group. The first
    burst in each bank is timed by itself; those behind follow at the rate of the bus.
    """
    now = _device_cycle(params, cycle)
    if now >= state[REFRESH_DUE]:
        _refresh(params, state, now)
    burst_bytes, rotated = params[BURST_BYTES], params[ROTATED_GROUPS]
    first_burst = address >> params[BURST_BITS]
    group, bank, column, row = _place(params, first_burst)
    # The round that a segment begins in may lack its first groups.
    left = (params[BURSTS_PER_ROW] - column) * rotated - (group & rotated - 1)
    bursts = min((address + size_bytes - 1 >> params[BURST_BITS]) - first_burst + 1, left)
    latency = params[CWL] if write else params[CL]
    step = params[CCD_S] if rotated > 1 else params[CCD_L]
    # Of the latency only what earlier data does not hide belongs to the gap before this data.
    shown_latency = 0
    if cycle > _accelerator_cycle(params, state[NEXT_DECISION]):
        shown_latency = max(0, now + latency - max(now, state[BUS_END]))
    turnaround = state[LAST_READ] + params[READ_TO_WRITE] if write else state[LAST_WRITE] + params[WRITE_TO_READ_L]
    last, row_hit, misses = _send(params, state, now, group, bank, row, bursts, write)
    if params[CLOSED_PAGE]:
        _close_rows(params, state, group, bank, min(bursts, rotated))
    end = last + latency + params[BURST]
    # Gaps between the first bursts, whose rows have to be opened, count as time before the data.
    start = end - params[BURST] - (bursts - 1) * step
    state[BUS_END] = end
    state[NEXT_DECISION] = last + params[CCD_S]
    out[OUT_START] = _accelerator_cycle(params, start)
    out[OUT_END] = out[OUT_READY] = _accelerator_cycle(params, end)
    out[OUT_SIZE] = min(size_bytes, (first_burst + bursts) * burst_bytes - address)
    out[OUT_BANK] = group * params[BANKS_PER_GROUP] + bank
    out[OUT_ROW_HIT] = row_hit
    out[OUT_ROW_HITS] = bursts - misses
    out[OUT_ROW_MISSES] = misses
    out[OUT_REFRESH_UNTIL] = _accelerator_cycle(params, state[REFRESH_END])
    out[OUT_TURNAROUND_UNTIL] = _accelerator_cycle(params, turnaround + latency - shown_latency)
    out[OUT_ROW_UNTIL] = _accelerator_cycle(params, start - shown_latency)


def refreshes_before(params: Sequence[int], state: Sequence[int], end_cycle: int) -> int:
    """Return the refreshes that fall due before an accelerator cycle, which is no earlier than the last decision.

    Those behind the last decision, when nobody asks any more, happen all the same: the cells have to keep their data.
    """
    last = _device_cycle(params, end_cycle) - 1
    return state[REFRESHES] + max(0, (last - state[REFRESH_DUE]) // params[REFI] + 1)


def _send(  # noqa: PLR0913, PLR0917  # flat numbers instead of objects, so that it can be compiled
    params: Sequence[int],
    state: MutableSequence[int],
    now: int,
    group: int,
    bank: int,
    row: int,
    bursts: int,
    write: int,
) -> tuple[int, int, int]:
    """Send the column commands of a segment, each row opened before where it has to be.

    Returns the cycle of the last one, 1 if the first burst found its row open, and the count of those that did not. The
    first burst in a row is a miss, whoever opened the row for it.
    """
    rotated, groups, banks, banks_at = params[ROTATED_GROUPS], params[GROUPS], params[BANKS_PER_GROUP], params[BANKS_AT]
    if write:
        own, other, last_at = GROUP_WRITE, GROUP_READ, LAST_WRITE
        rcd, turnaround, to_precharge = params[RCD_WRITE], params[READ_TO_WRITE], params[WRITE_TO_PRECHARGE]
        floor = max(now, state[LAST_READ] + turnaround)
    else:
        own, other, last_at = GROUP_READ, GROUP_WRITE, LAST_READ
        rcd, turnaround, to_precharge = params[RCD_READ], params[WRITE_TO_READ_L], params[READ_TO_PRECHARGE]
        floor = max(now, state[LAST_WRITE] + params[WRITE_TO_READ_S])
    ccd_s, ccd_l = params[CCD_S], params[CCD_L]
    last, row_hit, misses = state[last_at], 0, 0
    for burst in range(min(bursts, rotated)):
        at_group = group + burst & groups - 1
        at_bank = banks_at + (at_group * banks + bank) * BANK_WIDTH
        at_group = GROUPS_AT + at_group * GROUP_WIDTH
        if state[at_bank + OPEN_ROW] != row:
            _open_row(params, state, now, at_group, at_bank, row)
        if state[at_bank + UNUSED]:
            state[at_bank + UNUSED] = 0
            misses += 1
        elif burst == 0:
            row_hit = 1
        last = max(
            floor,
            last + ccd_s,
            state[at_bank + ACTIVATED] + rcd,
            state[at_group + own] + ccd_l,
            state[at_group + other] + turnaround,
        )
        state[at_group + own] = last
        state[at_bank + PRECHARGE_READY] = max(state[at_bank + PRECHARGE_READY], last + to_precharge)
    # The others follow at a fixed step, and only the last one in each bank leaves a trace.
    step = ccd_s if rotated > 1 else ccd_l
    behind = last - (rotated - 1) * step
    for burst in range(max(rotated, bursts - rotated), bursts):
        at_group = group + (burst & rotated - 1) & groups - 1
        at_bank = banks_at + (at_group * banks + bank) * BANK_WIDTH
        last = behind + burst * step
        state[GROUPS_AT + at_group * GROUP_WIDTH + own] = last
        state[at_bank + PRECHARGE_READY] = max(state[at_bank + PRECHARGE_READY], last + to_precharge)
    state[last_at] = last
    return last, row_hit, misses


# --- clocks and places ----------------------------------------------------------------------------------------------


def _device_cycle(params: Sequence[int], cycle: int) -> int:
    """Return the first device cycle that begins no earlier than this accelerator cycle."""
    if params[CLOCK_NUMERATOR] == params[CLOCK_DENOMINATOR]:
        return cycle  # divisions are slow, and one clock for both is common
    return _converted(cycle, params[CLOCK_NUMERATOR], params[CLOCK_DENOMINATOR])


def _accelerator_cycle(params: Sequence[int], cycle: int) -> int:
    """Return the first accelerator cycle that begins no earlier than this device cycle."""
    if params[CLOCK_NUMERATOR] == params[CLOCK_DENOMINATOR]:
        return cycle
    return _converted(cycle, params[CLOCK_DENOMINATOR], params[CLOCK_NUMERATOR])


def _converted(cycle: int, numerator: int, denominator: int) -> int:
    """Return cycle * numerator / denominator, rounded up, by steps: the whole product may not fit 64 bits."""
    whole = cycle // denominator
    rest = cycle - whole * denominator
    return whole * numerator - (-rest * numerator // denominator)


def _place(params: Sequence[int], burst: int) -> tuple[int, int, int, int]:
    """Return where a burst lies: bank group, bank in the group, column (in bursts) and row.

    All counts are powers of two, so that bits of the address choose.
    """
    rotated = params[ROTATED_GROUPS]
    group, above = burst & rotated - 1, burst >> params[ROTATED_BITS]
    column, above = above & params[BURSTS_PER_ROW] - 1, above >> params[COLUMN_BITS]
    if rotated == 1:
        group, above = above & params[GROUPS] - 1, above >> params[GROUP_BITS]
    return group, above & params[BANKS_PER_GROUP] - 1, column, above >> params[BANK_BITS]


# --- commands -------------------------------------------------------------------------------------------------------


def _activate_cycle(params: Sequence[int], state: Sequence[int], now: int, at_group: int, at_bank: int) -> int:
    """Return when a new row of the bank can be opened, after the open one is closed."""
    cycle = max(
        now,
        state[at_bank + ACTIVATE_READY],
        state[ACTIVATE_1] + params[RRD_S],
        state[at_group + GROUP_ACTIVATE] + params[RRD_L],
        state[ACTIVATE_4] + params[FAW],
    )
    if state[at_bank + OPEN_ROW] != CLOSED:
        cycle = max(cycle, max(now, state[at_bank + PRECHARGE_READY]) + params[RP])
    return cycle


def _open_row(
    params: Sequence[int], state: MutableSequence[int], now: int, at_group: int, at_bank: int, row: int
) -> None:
    """Issue PRE where a row is open, and ACT."""
    cycle = _activate_cycle(params, state, now, at_group, at_bank)
    state[ACTIVATE_4] = state[ACTIVATE_3]
    state[ACTIVATE_3] = state[ACTIVATE_2]
    state[ACTIVATE_2] = state[ACTIVATE_1]
    state[ACTIVATE_1] = state[at_group + GROUP_ACTIVATE] = cycle
    state[ACTIVATES] += 1
    state[at_bank + OPEN_ROW] = row
    state[at_bank + UNUSED] = 1
    state[at_bank + ACTIVATED] = cycle
    state[at_bank + PRECHARGE_READY] = cycle + params[RAS]
    state[at_bank + ACTIVATE_READY] = cycle + params[RC]


def _column_cycle(
    params: Sequence[int], state: Sequence[int], now: int, at_group: int, activated: int, write: int
) -> int:
    """Return when RD or WR of a request that waits could go out to a bank whose row was opened in cycle `activated`."""
    if write:
        return max(
            now,
            activated + params[RCD_WRITE],
            state[LAST_WRITE] + params[CCD_S],
            state[at_group + GROUP_WRITE] + params[CCD_L],
            state[LAST_READ] + params[READ_TO_WRITE],
        )
    return max(
        now,
        activated + params[RCD_READ],
        state[LAST_READ] + params[CCD_S],
        state[at_group + GROUP_READ] + params[CCD_L],
        state[LAST_WRITE] + params[WRITE_TO_READ_S],
        state[at_group + GROUP_WRITE] + params[WRITE_TO_READ_L],
    )


def _close_rows(params: Sequence[int], state: MutableSequence[int], group: int, bank: int, groups: int) -> None:
    """Close the rows of a segment as soon as they may be."""
    for number in range(groups):
        at_group = group + number & params[GROUPS] - 1
        at_bank = params[BANKS_AT] + (at_group * params[BANKS_PER_GROUP] + bank) * BANK_WIDTH
        state[at_bank + OPEN_ROW] = CLOSED
        state[at_bank + ACTIVATE_READY] = max(
            state[at_bank + ACTIVATE_READY], state[at_bank + PRECHARGE_READY] + params[RP]
        )


def _refresh(params: Sequence[int], state: MutableSequence[int], now: int) -> None:
    """Make the refreshes that are due, one at least: each closes every row and keeps all banks for tRFC."""
    start = due = state[REFRESH_DUE]
    for at_bank in range(params[BANKS_AT], len(state), BANK_WIDTH):
        if state[at_bank + OPEN_ROW] == CLOSED:
            start = max(start, state[at_bank + ACTIVATE_READY])
        else:
            start = max(start, max(due, state[at_bank + PRECHARGE_READY]) + params[RP])
    # Further ones that fell due meanwhile begin when they are due, or one behind the other until they have caught up.
    more = (now - due) // params[REFI]
    end = max(start + more * params[RFC], due + more * params[REFI]) + params[RFC]
    for at_bank in range(params[BANKS_AT], len(state), BANK_WIDTH):
        state[at_bank + OPEN_ROW] = CLOSED
        state[at_bank + UNUSED] = 0
        state[at_bank + ACTIVATE_READY] = end
    state[REFRESH_DUE] = due + (more + 1) * params[REFI]
    state[REFRESH_END] = end
    state[REFRESHES] += more + 1


def _prepare(params: Sequence[int], state: MutableSequence[int], now: int, queue: Sequence[int], count: int) -> int:
    """Open rows ahead for waiting requests, each bank for the first request that can have it; return if one writes.

    A bank waits for nobody: where its row cannot be closed before the next column command is due, requests to the open
    row may go on.
    """
    groups, banks, burst_bits = params[GROUPS], params[BANKS_PER_GROUP], params[BURST_BITS]
    taken = writes = 0
    for position in range(count):
        base = position * WIDTH
        address = queue[base + ADDRESS]
        writes |= queue[base + WRITE]
        first_burst = address >> burst_bits
        group, bank, _, row = _place(params, first_burst)
        last_burst = address + queue[base + SIZE_BYTES] - 1 >> burst_bits
        for burst in range(min(last_burst - first_burst + 1, params[ROTATED_GROUPS])):
            at_group = group + burst & groups - 1
            number = at_group * banks + bank
            if taken >> number & 1:
                continue
            at_bank = params[BANKS_AT] + number * BANK_WIDTH
            if state[at_bank + OPEN_ROW] == row:
                taken |= 1 << number
            elif not state[at_bank + UNUSED]:
                closed = state[at_bank + OPEN_ROW] == CLOSED
                ready = state[at_bank + ACTIVATE_READY] if closed else state[at_bank + PRECHARGE_READY]
                if ready <= now:
                    since = _device_cycle(params, queue[base + REQUEST_CYCLE])
                    _open_row(params, state, since, GROUPS_AT + at_group * GROUP_WIDTH, at_bank, row)
                    taken |= 1 << number
    return writes


def _rank(params: Sequence[int], state: Sequence[int], now: int, cycle: int, queue: Sequence[int], base: int) -> int:
    """Return the rank of the waiting request at `base` among those of its priority: the least goes first."""
    if cycle - queue[base + REQUEST_CYCLE] > params[AGE_CAP]:
        return _TOO_OLD
    group, bank, _, row = _place(params, queue[base + ADDRESS] >> params[BURST_BITS])
    at_bank = params[BANKS_AT] + (group * params[BANKS_PER_GROUP] + bank) * BANK_WIDTH
    at_group = GROUPS_AT + group * GROUP_WIDTH
    activated, miss = state[at_bank + ACTIVATED], 0
    if state[at_bank + OPEN_ROW] != row:
        activated, miss = _activate_cycle(params, state, now, at_group, at_bank), 1
    column = _column_cycle(params, state, now, at_group, activated, queue[base + WRITE])
    return 2 * column + miss
