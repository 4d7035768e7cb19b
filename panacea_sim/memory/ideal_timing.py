"""The timing of a channel without banks, rows and refresh: the same set of functions as banked_timing.py.

`params` are the bytes that the bus moves in a cycle and the latency of reads; `state` is the cycle from which the bus
is free. All cycles are the accelerator's.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

from panacea_sim.memory.params import OUT_END, OUT_READY, OUT_ROW_MISSES, OUT_SIZE, OUT_START

__all__ = ["BYTES_PER_CYCLE", "LATENCY", "next_decision", "serve"]

BYTES_PER_CYCLE, LATENCY = range(2)
_FREE = 0


def next_decision(params: Sequence[int], state: Sequence[int], earliest_request_cycle: int) -> int:  # noqa: ARG001  # one signature for all devices
    """Return the first cycle in which the channel can grant a request that arrived in the given cycle."""
    return max(earliest_request_cycle, state[_FREE])


def serve(
    params: Sequence[int],
    state: MutableSequence[int],
    cycle: int,
    address: int,  # noqa: ARG001  # one signature for all devices
    size_bytes: int,
    write: int,
    out: MutableSequence[int],
) -> None:
    """Grant a whole request in `cycle`, change the state and fill `out`, whose other entries stay 0."""
    end_cycle = cycle + -(-size_bytes // params[BYTES_PER_CYCLE])
    state[_FREE] = end_cycle
    out[OUT_START] = cycle
    out[OUT_END] = end_cycle
    out[OUT_READY] = end_cycle if write else end_cycle + params[LATENCY]
    out[OUT_SIZE] = size_bytes
    out[OUT_ROW_MISSES] = 1
