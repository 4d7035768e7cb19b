"""What a run looks like in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from rich.console import Console, Group, RenderableType
from rich.text import Text

from panacea_sim.hardware.config import Source
from panacea_sim.report.energy import energy_line
from panacea_sim.report.groups import group_label
from panacea_sim.report.kinds import print_kinds
from panacea_sim.report.layers import print_layers
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.tables import Bar, Cell, Column, print_table
from panacea_sim.trace.schema import NO_REQUESTS, State
from panacea_sim.trace.summary import Summary
from panacea_sim.trace.totals import StallTotal
from panacea_sim.units import duration_text

__all__ = ["print_run", "print_sources"]

_BAR_WIDTH = 24
_COMPONENT_COLUMNS = (
    Column("component", "name"),
    Column("states", "bar", leaves=1),
    Column("busy"),
    Column("stall"),
    Column("idle"),
    Column("waits longest for", "name"),
)
_SOURCE_COLUMNS = (
    Column("field", "word"),
    Column("value", "word"),
    Column("standing", "word"),
    Column("source", "name"),
)
_LETTERS = {
    State.BUSY: "█",
    State.STARVED: "s",
    State.BLOCKED: "b",
    State.CONTENDED: "c",
    State.WAITING: "w",
    State.IDLE: "·",
}


def print_run(console: Console, summary: Summary) -> None:
    """Print the summary of a run: verdict, layers, components with their states, operators and DRAM."""
    console.print(_headline(summary))
    print_layers(console, summary.layers, summary.makespan_cycles, summary.schedule)
    print_kinds(console, summary.layers, summary.makespan_cycles, summary.schedule)
    _print_components(console, summary)
    console.print(Group(_operator_line(summary), _dram_line(summary), energy_line(summary), _verdict(summary)))


def print_sources(console: Console, values: Mapping[str, object], sources: Mapping[str, Source]) -> None:
    """Print the fields of a hardware preset with the source of each figure."""
    rows = [
        [f"hardware.{field}", str(values[field]), source.standing, source.text] for field, source in sources.items()
    ]
    print_table(console, _SOURCE_COLUMNS, rows)
    console.print("Standing: S read in the source named, 2 second-hand, D derived, A an assumption of this project.")


def _headline(summary: Summary) -> Text:
    cycles, tiles = summary.makespan_cycles, summary.tiles
    text = Text.assemble((summary.scenario, "bold"), f" on {summary.hardware}, {summary.engine} engine: ")
    text.append(f"{cycles:,} cycles", "bold")
    text.append(f" = {duration_text(summary.seconds)} at {summary.clock_hz / 1e9:g} GHz, ")
    text.append(f"{tiles:,} tiles, {cycles / tiles:,.1f} cycles a tile")
    return text


def _print_components(console: Console, summary: Summary) -> None:
    makespan_cycles = summary.makespan_cycles
    rows: list[list[Cell]] = []
    for name, states, stalls in _component_rows(summary):
        busy, idle = states[State.BUSY], states[State.IDLE]
        shares = (busy, makespan_cycles - busy - idle, idle)
        longest = stalls[0] if stalls else None
        rows.append(
            [
                name,
                _bar(states),
                *(f"{cycles / makespan_cycles:.0%}" for cycles in shares),
                "" if longest is None else f"{_reason(longest)}, {longest.cycles / makespan_cycles:.0%}",
            ]
        )
    if not print_table(console, _COMPONENT_COLUMNS, rows):
        console.print(_legend())


def _bar(states: Mapping[State, float]) -> Bar:
    return Bar(tuple((_LETTERS[state], STATE_COLOURS[state], states[state]) for state in State), _BAR_WIDTH)


@dataclass(frozen=True)
class _Stall:
    """Stalls of a row of the table; means of several components are no whole numbers."""

    state: State
    cause: str
    cause_component: str
    cycles: float


def _component_rows(summary: Summary) -> Iterator[tuple[str, Mapping[State, float], Sequence[_Stall]]]:
    """Return the components and channels in order, each group as one row of means: its members do the same."""
    topology = summary.machine
    groups, short = topology.groups, topology.short_names
    for group, members in groups.items():
        several = len(members) > 1
        states = [summary.components[name] for name in members]
        mean = {state: sum(each[state] for each in states) / len(members) for state in State}
        stalls = _mean_stalls([summary.stalls[name] for name in members], short)
        yield f"{group_label(group, len(members))} (mean)" if several else members[0], mean, stalls
    for name in topology.channels:
        yield name, summary.components[name], _mean_stalls([summary.stalls[name]], short)


def _mean_stalls(of_members: Sequence[Sequence[StallTotal]], short: Mapping[str, str]) -> list[_Stall]:
    """Add up the stalls at all queues of a group: which member comes first in the order of giving says nothing."""
    sums: dict[tuple[State, str, str], int] = {}
    for stall in chain.from_iterable(of_members):
        cause, other = (short.get(each, each) for each in (stall.cause, stall.cause_component))
        key = (stall.state, cause, other)
        sums[key] = sums.get(key, 0) + stall.cycles
    rows = [_Stall(*key, cycles / len(of_members)) for key, cycles in sums.items()]
    return sorted(rows, key=lambda row: -row.cycles)


def _reason(stall: _Stall) -> str:
    word = {State.STARVED: "empty", State.BLOCKED: "full", State.CONTENDED: "taken", State.WAITING: "not ready"}
    by = f" ({stall.cause_component})" if stall.cause_component else ""
    if stall.cause == NO_REQUESTS:
        return "no request"
    channel, colon, reason = stall.cause.partition(":")
    if colon:
        return f"{channel}: {reason}{by}"
    return f"{stall.cause} {word[stall.state]}{by}"


def _legend() -> Text:
    legend = Text("  ")
    for state in State:
        legend.append(f"{_LETTERS[state]} {state}  ", STATE_COLOURS[state])
    return legend


def _operator_line(summary: Summary) -> RenderableType:
    parts = [f"{name.upper()} {summary.utilization(name):.1%}" for name in summary.operator_names]
    return Text(f"Operators in use: {', '.join(parts)}" if parts else "")


def _dram_line(summary: Summary) -> RenderableType:
    dram = summary.dram
    return Text(f"DRAM: {dram.read_bytes:,} bytes read, {dram.write_bytes:,} written, bus busy {summary.bus_share:.1%}")


def _verdict(summary: Summary) -> Text:
    if summary.exact is None:
        return Text("Values: none travelled, so nothing was compared", "dim")
    if summary.exact:
        checked = ", checked without events" if summary.values == "check" else ""
        return Text(f"Exact: every accumulator equals the integer product{checked}", "bold green")
    return Text("NOT EXACT: accumulators differ from the integer product", "bold red")
