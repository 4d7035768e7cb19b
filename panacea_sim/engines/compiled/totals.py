"""The totals of a run of the compiled engine: cycles by state and cause, and what went through queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel
from panacea_sim.engines.compiled import columns as col
from panacea_sim.engines.compiled.lowering import Lowered
from panacea_sim.engines.compiled.structure import Structure
from panacea_sim.engines.compiled.tables import highs_at
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.trace.schema import GAP_REASONS, NO_REQUESTS, State
from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal
from panacea_sim.units import IntArray

__all__ = [
    "Accounts",
    "Kind",
    "accounts_of",
    "channel_kind",
    "channel_totals",
    "cycle_totals",
    "ends_of",
    "figures_of",
    "firing_counts",
    "queue_figures",
    "queue_totals",
    "served_cycles",
]

Kind: TypeAlias = tuple[State, str, str]
"""State, cause, and the component at the other end."""


def channel_kind(structure: Structure, owner: int, number: int) -> Kind:
    """Return what a stream waits for at the channels, or what a channel does; `number` is the one under CONTENDED."""
    wiring = structure.wiring
    ports, components = [port.component for port in wiring.ports], len(wiring.parts)
    if owner < components:
        channel, what = divmod(number, len(ports) + len(GAP_REASONS))
        name = wiring.channels[channel]
        if what < len(ports):
            return State.CONTENDED, name, ports[what]
        return State.CONTENDED, f"{name}:{GAP_REASONS[what - len(ports)]}", ""
    reason, port = divmod(number, len(ports))
    if not reason:
        return State.BUSY, "", ports[port]
    return State.CONTENDED, f"{wiring.channels[owner - components]}:{GAP_REASONS[reason - 1]}", ports[port]


@dataclass(frozen=True, eq=False)
class Accounts:
    """The accounts of all `owners`, in their order: whose each is, and cycles of what kind it counts.

    `by_account` puts the figures of the engine, as `figures_of` gives them, account by account; those of each account
    begin at `starts`. `posted` says which components post requests.
    """

    owners: tuple[str, ...]
    kinds: list[tuple[str, Kind]]
    by_account: IntArray
    starts: IntArray
    posted: BoolArray

    def cycles(self, figures: IntArray) -> IntArray:
        """Return the cycles of each account, from figures [..., figure]."""
        cycles: IntArray = np.add.reduceat(figures[..., self.by_account], self.starts, -1)
        return cycles


@lru_cache(maxsize=64)
def accounts_of(structure: Structure) -> Accounts:
    """Return the accounts of a structure."""
    wiring = structure.wiring
    components, ports, channels = len(wiring.parts), len(wiring.ports), len(wiring.channels)
    waited = channels * (ports + len(GAP_REASONS))
    numbered = [components + number for number in range(channels)]
    owned: list[tuple[int, Kind]] = [
        *((number, (State.IDLE, "", "")) for number in range(components)),
        *((number, (State.BUSY, "", "")) for number in range(components)),
        *((owner, (state, cause, other)) for owner, state, cause, other in structure.slots),
        *(
            (number, channel_kind(structure, number, what))
            for number in (wiring.number[port.component] for port in wiring.ports)
            for what in range(waited)
        ),
        *((number, (State.IDLE, "", "")) for number in numbered),
        *((number, (State.STARVED, NO_REQUESTS, "")) for number in numbered),
        *((number, channel_kind(structure, number, port)) for number in numbered for port in range(ports)),
        *(
            (number, channel_kind(structure, number, (1 + reason) * ports + port))
            for number in numbered
            for port in range(ports)
            for reason in range(len(GAP_REASONS))
        ),
    ]
    by_owner: list[dict[Kind, int]] = [{} for _ in range(components + channels)]
    for owner, kind in owned:
        by_owner[owner].setdefault(kind, len(by_owner[owner]))
    starts = np.cumsum([0, *(len(kinds) for kinds in by_owner)]).tolist()
    owners = (*wiring.names, *wiring.channels)
    place = np.array([starts[owner] + by_owner[owner][kind] for owner, kind in owned], np.int64)
    by_account = np.argsort(place, kind="stable")
    return Accounts(
        owners,
        [(owner, kind) for owner, kinds in zip(owners, by_owner, strict=True) for kind in kinds],
        by_account,
        # Every account has a figure.
        np.searchsorted(place[by_account], np.arange(starts[-1])),
        np.array([part.posted for part in wiring.parts], np.bool_),
    )


def cycle_totals(
    lowered: Lowered, core: col.Core, streams: col.Streams, makespan_cycles: int
) -> dict[str, list[StallTotal]]:
    """Return the cycles of each component and channel by state and cause, those that had any."""
    accounts = accounts_of(lowered.structure)
    (served,) = served_cycles(lowered.description, 1)
    cycles = accounts.cycles(figures_of(accounts, served, core, streams, makespan_cycles))
    totals: dict[str, list[StallTotal]] = {owner: [] for owner in accounts.owners}
    some = np.flatnonzero(cycles)
    for place, total in zip(some.tolist(), cycles[some].tolist(), strict=True):
        owner, kind = accounts.kinds[place]
        totals[owner].append(StallTotal(*kind, total))
    return totals


def served_cycles(description: Description, runs: int) -> IntArray:
    """Return the cycles of private service, [run, component]; none where a component posts requests instead."""
    return np.stack([_served(part, runs) for part in description.components], 1)


def _served(part: Component, runs: int) -> IntArray:
    if runs == 1:
        return np.array([part.served_cycles])
    if part.service_cycles is None:
        return np.zeros(runs, np.int64)
    served: IntArray = part.service_cycles.reshape(runs, -1).sum(1)
    return served


def figures_of(
    accounts: Accounts, served: IntArray, core: col.Core, streams: col.Streams, makespan_cycles: int
) -> IntArray:
    """Return all cycles that a run has counted; `served` are those of private service, of each component."""
    components, channels = core.components, streams.channels
    return np.concatenate(
        [
            components[:, col.HEAD] + makespan_cycles - components[:, col.LAST_END],
            np.where(accounts.posted, components[:, col.BUSY_CYCLES], served),
            core.stalled,
            streams.waits.ravel(),
            channels[:, col.IDLE_CYCLES] + makespan_cycles - channels[:, col.CHANNEL_END],
            channels[:, col.STARVED_CYCLES],
            streams.busy.ravel(),
            streams.gaps.ravel(),
        ]
    )


@dataclass(frozen=True, eq=False)
class Ends:
    """Where the counters of all components, and those of all queues with their highest occupancy, stand."""

    ended: IntArray
    put: IntArray
    taken: IntArray
    high: IntArray


@lru_cache(maxsize=64)
def ends_of(structure: Structure) -> Ends:
    """Return where those counters of a structure stand."""
    names, places = [queue.name for queue in structure.wiring.queues], structure.places
    put = np.array([places[f"put:{name}"] for name in names], np.int64).reshape(-1, 2)
    taken = np.array([places[f"taken:{name}"][0] for name in names], np.int64)
    ended = np.array([places[f"ended:{name}"][0] for name in structure.wiring.names], np.int64)
    return Ends(ended, put[:, 0], taken, highs_at(structure)[put[:, 0]] + put[:, 1])


def firing_counts(structure: Structure, core: col.Core) -> dict[str, int]:
    """Return how many firings of each component have ended."""
    return dict(zip(structure.wiring.names, core.events[ends_of(structure).ended].tolist(), strict=True))


def queue_totals(structure: Structure, core: col.Core) -> dict[str, QueueTotals]:
    """Return what went through each queue, where its highest occupancy was noted on the way."""
    queues = structure.wiring.queues
    counted: Sequence[Sequence[int]] = queue_figures(ends_of(structure), core).tolist()
    return {queue.name: QueueTotals(queue.capacity, *each) for queue, each in zip(queues, counted, strict=True)}


def queue_figures(ends: Ends, core: col.Core) -> IntArray:
    """Return what went into each queue, what came out, and the highest occupancy, [queue, 3]."""
    put, taken = core.events[ends.put], core.events[ends.taken]
    # A token that stays is there at the end of every cycle since.
    return np.stack([put, taken, np.maximum(core.highs[ends.high], put - taken)], 1)


def channel_totals(streams: col.Streams, number: int, channel: Channel, makespan_cycles: int) -> ChannelTotals:
    """Return what a channel did."""
    row = streams.channels[number].tolist()
    row_hits, row_misses = row[col.ROW_HITS], row[col.ROW_MISSES]
    state = streams.device[number, : row[col.STATE_SIZE]].tolist()
    events = channel.device.events(state, row_hits + row_misses, makespan_cycles)
    busy_cycles = int(streams.busy[number].sum())
    return ChannelTotals(
        row[col.READ_BYTES], row[col.WRITE_BYTES], row_hits, row_misses, busy_cycles, **events._asdict()
    )
