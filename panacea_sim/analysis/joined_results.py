"""Runs put one behind the other: the accounts of layers that ran each alone, as those of one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, fields
from functools import reduce

from panacea_sim.engines.result import EngineResult
from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal

__all__ = ["joined_results"]


def joined_results(results: Sequence[EngineResult]) -> EngineResult:
    """Return the figures of runs that follow each other on one machine, in the order of the largest one's parts.

    A part that is missing in one of the runs was idle there. Capacities, like high-water marks, are the highest of all
    runs: OMEM is smaller where partial sums need a part of it. No firing times are kept.
    """
    largest = max(results, key=lambda result: len(result.totals))
    return EngineResult(
        sum(result.makespan_cycles for result in results),
        {name: _joined_totals(name, results) for name in largest.totals},
        {name: sum(result.firings.get(name, 0) for result in results) for name in largest.firings},
        {name: _joined_queue(name, results, lambda result: result.queues) for name in largest.queues},
        {name: _joined_queue(name, results, lambda result: result.memories) for name in largest.memories},
        {name: _joined_channel(result.channels[name] for result in results) for name in largest.channels},
        {},
    )


def _joined_totals(name: str, results: Sequence[EngineResult]) -> list[StallTotal]:
    cycles: dict[tuple[State, str, str], int] = {}
    for result in results:
        for total in result.totals.get(name, [StallTotal(State.IDLE, "", "", result.makespan_cycles)]):
            kind = (total.state, total.cause, total.cause_component)
            cycles[kind] = cycles.get(kind, 0) + total.cycles
    return [StallTotal(*kind, total) for kind, total in cycles.items()]


def _joined_queue(
    name: str, results: Sequence[EngineResult], of_result: Callable[[EngineResult], dict[str, QueueTotals]]
) -> QueueTotals:
    found = [of_result(result)[name] for result in results if name in of_result(result)]
    return QueueTotals(
        max(totals.capacity for totals in found),
        sum(totals.put for totals in found),
        sum(totals.taken for totals in found),
        max(totals.high_water for totals in found),
    )


def _joined_channel(channels: Iterable[ChannelTotals]) -> ChannelTotals:
    sums = reduce(
        lambda so_far, channel: [a + b for a, b in zip(so_far, astuple(channel), strict=True)],
        channels,
        [0] * len(fields(ChannelTotals)),
    )
    return ChannelTotals(*sums)
