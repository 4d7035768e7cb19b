"""The naive interpreter: slow, plain, and the judge of the engines.

It runs the machine of naive_machine.py and accounts for every cycle of every component and channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from naive_machine import Grant, Machine, Part, Posting, Row, StuckError
from watched_banks import Events, events_of

from panacea_sim.description.description import Description
from panacea_sim.memory.device import Service
from panacea_sim.trace.activity_log import NO_FIRING

__all__ = ["STATES", "Access", "NaiveResult", "Posting", "Row", "StuckError", "accounted", "interpret", "reason_of"]

STATES = ("busy", "starved", "blocked", "contended", "waiting", "idle")


class Access(NamedTuple):
    """A grant as dram.parquet has it."""

    channel: str
    port: str
    firing: int
    request_cycle: int
    start_cycle: int
    end_cycle: int
    ready_cycle: int


@dataclass(frozen=True)
class NaiveResult:
    """What a run gives: figures of every component and channel, and rows ordered by component, then start.

    `states` holds the cycles in each state; `high_water` the highest end-of-cycle occupancy of each queue (tokens) and
    memory (bytes); `events` what the device of each channel did.
    """

    makespan_cycles: int
    rows: list[Row]
    states: dict[str, dict[str, int]]
    high_water: dict[str, int]
    accesses: list[Access]
    postings: list[Posting]
    events: dict[str, Events]


def interpret(description: Description) -> NaiveResult:
    """Run `description` cycle by cycle.

    Raises StuckError when firings are left that nothing can ever start or end.
    """
    machine = Machine(description)
    machine.run()
    return accounted(machine)


def accounted(machine: Machine) -> NaiveResult:
    """Turn what happened into rows that tile the makespan for every component and channel."""
    description = machine.description
    ends = [cycle for cycles in machine.end_cycles.values() for cycle in cycles]
    ends += [grant.service.end_cycle for grants in machine.grants for grant in grants]
    makespan_cycles = max(ends, default=0)
    rows_of: dict[str, list[Row]] = {}
    for component in description.components:
        name = component.name
        rows = _posted_rows(machine, name) if component.posted else machine.rows[name]
        last_end_cycle = max(machine.end_cycles[name], default=0)
        rows_of[name] = [*rows, Row(name, "idle", last_end_cycle, makespan_cycles, NO_FIRING, "", "")]
    for channel, grants in zip(description.channels, machine.grants, strict=True):
        rows_of[channel.name] = _channel_rows(channel.name, grants, makespan_cycles)
    states = {}
    for name, rows in rows_of.items():
        rows[:] = sorted((row for row in rows if row.start_cycle < row.end_cycle), key=lambda row: row.start_cycle)
        edges = [0, *(row.end_cycle for row in rows)]
        assert edges == [*(row.start_cycle for row in rows), makespan_cycles], f"{name}: the rows leave gaps or overlap"
        states[name] = {
            state: sum(row.end_cycle - row.start_cycle for row in rows if row.state == state) for state in STATES
        }
    all_rows = [row for rows in rows_of.values() for row in rows]
    postings = [posting for of_component in machine.postings.values() for posting in of_component]
    events = {
        channel.name: events_of(device, makespan_cycles)
        for channel, device in zip(description.channels, machine.devices, strict=True)
    }
    return NaiveResult(makespan_cycles, all_rows, states, machine.high_water, _accesses(machine), postings, events)


def _accesses(machine: Machine) -> list[Access]:
    return [
        Access(
            channel.name,
            part.component,
            part.firing,
            part.request_cycle,
            service.start_cycle,
            service.end_cycle,
            service.ready_cycle,
        )
        for channel, grants in zip(machine.description.channels, machine.grants, strict=True)
        for service, part, _ in grants
    ]


def _posted_rows(machine: Machine, name: str) -> list[Row]:
    """Account a posting component by its oldest posted request, or by its issuer where nothing is posted."""
    gives = [row for row in machine.rows[name] if row.state == "blocked" and row.cause in machine.queue_capacity]
    rows = list(gives)  # these belong to completions; the other rows to the issuer
    previous_end_cycle = 0
    for firing, parts in enumerate(machine.parts[name]):
        post_cycle = machine.post_cycles[name][firing]
        rows += [_clip(row, previous_end_cycle, post_cycle) for row in machine.rows[name] if row not in gives]
        start_cycle = max(post_cycle, previous_end_cycle)
        if parts:
            first = min(parts, key=lambda part: part.services[0].start_cycle)  # the first of equals: part number
            grant_cycle = max(start_cycle, first.services[0].start_cycle)
            ready_cycle = max(service.ready_cycle for part in parts for service in part.services)
            rows += _contended_rows(machine, first, start_cycle, grant_cycle)
            rows.append(Row(name, "busy", grant_cycle, ready_cycle, firing, "", ""))
        previous_end_cycle = machine.end_cycles[name][firing]
    return rows


def _contended_rows(machine: Machine, part: Part, start_cycle: int, grant_cycle: int) -> list[Row]:
    """Split the time from `start_cycle` to `grant_cycle` where what keeps the part's channel changes."""
    channel = machine.description.channels[part.channel].name
    rows: list[Row] = []
    for seen in _channel_rows(channel, machine.grants[part.channel], grant_cycle):
        cause, holder = (channel, seen.cause_component) if seen.state == "busy" else (seen.cause, "")
        row = Row(part.component, "contended", seen.start_cycle, seen.end_cycle, part.firing, cause, holder)
        row = _clip(row, start_cycle, grant_cycle)
        if row.start_cycle >= row.end_cycle:
            continue
        if rows and rows[-1][5:] == row[5:]:
            rows[-1] = rows[-1]._replace(end_cycle=row.end_cycle)
        else:
            rows.append(row)
    return rows


def _channel_rows(name: str, grants: list[Grant], makespan_cycles: int) -> list[Row]:
    rows: list[Row] = []
    previous_end_cycle = 0
    for service, part, earliest_cycle in grants:
        reasons = [_reason(service, cycle, earliest_cycle) for cycle in range(previous_end_cycle, service.start_cycle)]
        cycle = previous_end_cycle
        for reason, cycles in groupby(reasons):
            end_cycle = cycle + len(list(cycles))
            if reason:
                row = Row(name, "contended", cycle, end_cycle, part.firing, f"{name}:{reason}", part.component)
            elif rows:
                row = Row(name, "starved", cycle, end_cycle, NO_FIRING, "requests", "")
            else:
                row = Row(name, "idle", cycle, end_cycle, NO_FIRING, "", "")
            rows.append(row)
            cycle = end_cycle
        rows.append(Row(name, "busy", service.start_cycle, service.end_cycle, part.firing, "", part.component))
        previous_end_cycle = service.end_cycle
    return [*rows, Row(name, "idle", previous_end_cycle, makespan_cycles, NO_FIRING, "", "")]


def _reason(service: Service, cycle: int, earliest_cycle: int) -> str:
    """Return why a channel has no data on its bus in a cycle before that of `service`; nothing: there is no request."""
    return "" if cycle < earliest_cycle else reason_of(service, cycle)


def reason_of(service: Service, cycle: int) -> str:
    """Return why a device has no data on its bus in a cycle before that of `service`, for which a request waits."""
    if cycle >= service.row_until:
        return "latency"
    if cycle < service.refresh_until:
        return "refresh"
    return "turnaround" if cycle < service.turnaround_until else "row"


def _clip(row: Row, start_cycle: int, end_cycle: int) -> Row:
    return row._replace(start_cycle=max(row.start_cycle, start_cycle), end_cycle=min(row.end_cycle, end_cycle))
