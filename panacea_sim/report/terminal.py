"""What a run looks like in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from panacea_sim.description.topology import Topology
from panacea_sim.hardware.config import Source
from panacea_sim.report.groups import group_label, plural
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.trace.schema import NO_REQUESTS, State
from panacea_sim.trace.summary import LayerSummary, Summary
from panacea_sim.trace.totals import StallTotal

__all__ = ["print_run", "print_sources", "print_study"]

_BAR_WIDTH = 24
_MOST_LAYERS = 12
"""Layers that are listed one by one; those of a whole network would fill the screen many times."""
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
    console.print(Group(*_layer_lines(summary.layers)))
    console.print(_component_table(summary))
    console.print(_legend())
    console.print(Group(_operator_line(summary), _dram_line(summary), _verdict(summary)))


def print_study(console: Console, title: str, summaries: Mapping[str, Summary]) -> None:
    """Print one row for each run of a study: its cycles, and how busy the parts were that can be the bottleneck."""
    table = Table(
        title=Text(title), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("case", no_wrap=True)
    operators = list(dict.fromkeys(name for summary in summaries.values() for name in summary.operator_names))
    compute = _compute_label(list(summaries.values()))
    columns = ("cycles", "a tile", f"{compute}\nbusy", f"{compute}\nwait", *(name.upper() for name in operators))
    for column in (*columns, "DRAM\nbusy", "MB\nread"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("exact")
    for name, summary in summaries.items():
        table.add_row(Text(name), *_study_cells(summary, operators), _yes_or_no(summary.exact))
    console.print(table)


def print_sources(console: Console, values: Mapping[str, object], sources: Mapping[str, Source]) -> None:
    """Print the fields of a hardware preset with the source of each figure."""
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("field", "value", "standing", "source"):
        table.add_column(column)
    for field, source in sources.items():
        cells = (f"hardware.{field}", str(values[field]), source.standing, source.text)
        table.add_row(*(Text(cell) for cell in cells))
    console.print(table)
    console.print("Standing: S read in the source named, 2 second-hand, D derived, A an assumption of this project.")


def _headline(summary: Summary) -> Text:
    cycles, tiles = summary.makespan_cycles, summary.tiles
    text = Text.assemble((summary.scenario, "bold"), f" on {summary.hardware}, {summary.engine} engine: ")
    text.append(f"{cycles:,} cycles", "bold")
    text.append(f" = {summary.seconds * 1e6:,.1f} us at {summary.clock_hz / 1e9:g} GHz, ")
    text.append(f"{tiles:,} tiles, {cycles / tiles:.1f} cycles a tile")
    return text


def _layer_lines(layers: Sequence[LayerSummary]) -> Iterator[Text]:
    for layer in layers[:_MOST_LAYERS]:
        same = "" if layer.memoized_from is None else f" (the work of {layer.memoized_from})"
        yield Text.assemble(
            (layer.name, "bold"),
            same,
            f": {layer.M} x {layer.K} x {layer.N} (M x K x N), cycles {layer.start_cycle:,} to {layer.end_cycle:,}",
        )
        yield Text(
            f"  rho_w {_share(layer.rho_w)}, rho_x {_share(layer.rho_x)}; stored vectors with fillers: "
            f"{layer.stored_w:,} w, {layer.stored_x:,} x"
        )
        yield Text(
            f"  bytes: {layer.weight_bytes:,} w ({_fetched(layer.weight_resident)}), "
            f"{layer.activation_bytes:,} x ({_fetched(layer.activation_resident)}), "
            f"{layer.output_bytes:,} written"
        )
    if len(layers) > _MOST_LAYERS:
        yield Text(f".. and {len(layers) - _MOST_LAYERS} more layers: see summary.json")


def _fetched(resident: bool) -> str:  # noqa: FBT001  # the value itself is what is shown
    return "fetched once" if resident else "fetched for every task"


def _component_table(summary: Summary) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("component", no_wrap=True)
    table.add_column("states", no_wrap=True)
    for column in ("busy", "stall", "idle"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("waits longest for")
    makespan_cycles = summary.makespan_cycles
    for name, states, stalls in _component_rows(summary):
        busy, idle = states[State.BUSY], states[State.IDLE]
        shares = (busy, makespan_cycles - busy - idle, idle)
        longest = stalls[0] if stalls else None
        table.add_row(
            name,
            _bar(states, makespan_cycles),
            *(f"{cycles / makespan_cycles:.0%}" for cycles in shares),
            "" if longest is None else f"{_reason(longest)}, {longest.cycles / makespan_cycles:.0%}",
        )
    return table


@dataclass(frozen=True)
class _Stall:
    """Stalls of a row of the table; means of several components are no whole numbers."""

    state: State
    cause: str
    cause_component: str
    cycles: float


def _component_rows(summary: Summary) -> Iterator[tuple[str, Mapping[State, float], Sequence[_Stall]]]:
    """Return the components and channels in order, each group as one row of means: its members do the same."""
    topology = _topology(summary)
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


def _topology(summary: Summary) -> Topology:
    assert summary.topology is not None  # a run that was just made has one
    return summary.topology


def _reason(stall: _Stall) -> str:
    word = {State.STARVED: "empty", State.BLOCKED: "full", State.CONTENDED: "taken", State.WAITING: "not ready"}
    by = f" ({stall.cause_component})" if stall.cause_component else ""
    if stall.cause == NO_REQUESTS:
        return "no request"
    channel, colon, reason = stall.cause.partition(":")
    if colon:
        return f"{channel}: {reason}{by}"
    return f"{stall.cause} {word[stall.state]}{by}"


def _bar(states: Mapping[State, float], makespan_cycles: int) -> Text:
    """Return a bar in which every state has its share of the width, rounded so that the widths add up."""
    bar = Text()
    done = 0.0
    for state in State:
        before = round(done / makespan_cycles * _BAR_WIDTH)
        done += states[state]
        width = round(done / makespan_cycles * _BAR_WIDTH) - before
        bar.append(_LETTERS[state] * width, STATE_COLOURS[state])
    return bar


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
    return Text(
        f"DRAM: {dram.read_bytes:,} bytes read, {dram.write_bytes:,} written, bus busy {_bus_share(summary):.1%}"
    )


def _bus_share(summary: Summary) -> float:
    return summary.dram.busy_cycles / summary.makespan_cycles / max(len(summary.dram.channels), 1)


def _verdict(summary: Summary) -> Text:
    if summary.exact is None:
        return Text("Values: none travelled, so nothing was compared", "dim")
    if summary.exact:
        checked = ", checked without events" if summary.values == "check" else ""
        return Text(f"Exact: every accumulator equals the integer product{checked}", "bold green")
    return Text("NOT EXACT: accumulators differ from the integer product", "bold red")


def _compute_label(summaries: Sequence[Summary]) -> str:
    """Return what the components that compute are called: by their group, or by their role if runs differ."""
    parts = [part for summary in summaries for part in _topology(summary).components if part.role == "compute"]
    groups = {plural(part.group) for part in parts}
    return groups.pop() if len(groups) == 1 else "compute"


def _study_cells(summary: Summary, operators: Sequence[str]) -> list[str]:
    makespan_cycles = summary.makespan_cycles
    computing = [part.name for part in _topology(summary).components if part.role == "compute"]

    def share(state: State) -> str:
        cycles = sum(summary.components[name][state] for name in computing)
        return f"{cycles / len(computing) / makespan_cycles:.0%}" if computing else "-"

    used = [f"{summary.utilization(name):.0%}" if name in summary.operator_names else "-" for name in operators]
    return [
        f"{makespan_cycles:,}",
        f"{makespan_cycles / summary.tiles:.1f}",
        share(State.BUSY),
        share(State.STARVED),
        *used,
        f"{_bus_share(summary):.0%}",
        f"{summary.dram.read_bytes / 1e6:.2f}",
    ]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _yes_or_no(exact: bool | None) -> str:  # noqa: FBT001  # the value itself is what is shown
    return {None: "-", True: "yes", False: "NO"}[exact]
