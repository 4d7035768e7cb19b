"""What a run looks like in a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from panacea_sim.hardware.config import Source
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.trace.schema import NO_REQUESTS, State

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
_PEA_PART = re.compile(r"^(q_pea|q_sum|pea)\d+$")
_OPERATORS = ("dwo", "swo", "cs")


def print_run(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the summary of a run: verdict, layers, components with their states, operators and DRAM."""
    console.print(_headline(summary))
    console.print(Group(*_layer_lines(summary["layers"])))
    console.print(_component_table(summary))
    console.print(_legend())
    console.print(Group(_operator_line(summary), _dram_line(summary), _verdict(summary["exact"])))


def print_study(console: Console, title: str, summaries: Mapping[str, Mapping[str, Any]]) -> None:
    """Print one row for each run of a study: its cycles, and how busy the parts were that can be the bottleneck."""
    table = Table(
        title=Text(title), title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("case", no_wrap=True)
    for column in ("cycles", "a tile", "PEAs\nbusy", "PEAs\nwait", "DWO", "SWO", "CS", "DRAM\nbusy", "MB\nread"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("exact")
    for name, summary in summaries.items():
        table.add_row(Text(name), *_study_cells(summary), _yes_or_no(summary["exact"]))
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


def _headline(summary: Mapping[str, Any]) -> Text:
    cycles, tiles = summary["makespan_cycles"], summary["tiles"]
    microseconds = summary["seconds"] * 1e6
    text = Text.assemble((summary["scenario"], "bold"), f" on {summary['hardware']}, {summary['engine']} engine: ")
    text.append(f"{cycles:,} cycles", "bold")
    text.append(f" = {microseconds:,.1f} us at {summary['clock_hz'] / 1e9:g} GHz, ")
    text.append(f"{tiles:,} tiles, {cycles / tiles:.1f} cycles a tile")
    return text


def _layer_lines(layers: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    for layer in layers[:_MOST_LAYERS]:
        same = "" if layer["memoized_from"] is None else f" (the work of {layer['memoized_from']})"
        yield Text.assemble(
            (layer["name"], "bold"),
            same,
            f": {layer['M']} x {layer['K']} x {layer['N']} (M x K x N), cycles {layer['start_cycle']:,} "
            f"to {layer['end_cycle']:,}",
        )
        yield Text(
            f"  rho_w {_share(layer['rho_w'])}, rho_x {_share(layer['rho_x'])}; stored vectors with fillers: "
            f"{layer['stored_w']:,} w, {layer['stored_x']:,} x"
        )
        yield Text(
            f"  bytes: {layer['weight_bytes']:,} w ({_fetched(layer['weight_resident'])}), "
            f"{layer['activation_bytes']:,} x ({_fetched(layer['activation_resident'])}), "
            f"{layer['output_bytes']:,} written"
        )
    if len(layers) > _MOST_LAYERS:
        yield Text(f".. and {len(layers) - _MOST_LAYERS} more layers: see summary.json")


def _fetched(resident: bool) -> str:  # noqa: FBT001  # the value itself is what is shown
    return "fetched once" if resident else "fetched for every task"


def _component_table(summary: Mapping[str, Any]) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("component", no_wrap=True)
    table.add_column("states", no_wrap=True)
    for column in ("busy", "stall", "idle"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("waits longest for")
    makespan_cycles = summary["makespan_cycles"]
    for name, states, stalls in _component_rows(summary):
        busy, idle = states[State.BUSY], states[State.IDLE]
        shares = (busy, makespan_cycles - busy - idle, idle)
        longest = stalls[0] if stalls else None
        table.add_row(
            name,
            _bar(states, makespan_cycles),
            *(f"{cycles / makespan_cycles:.0%}" for cycles in shares),
            "" if longest is None else f"{_reason(longest)}, {longest['cycles'] / makespan_cycles:.0%}",
        )
    return table


def _component_rows(
    summary: Mapping[str, Any],
) -> Iterator[tuple[str, Mapping[str, int], Sequence[Mapping[str, Any]]]]:
    """Return the components in order, with all PEAs as one row of means: they do the same and would fill the screen."""
    components, stalls = summary["components"], summary["stalls"]
    peas = [name for name in components if name.startswith("pea")]
    for name, states in components.items():
        if name not in peas:
            yield name, states, _without_pea_numbers(stalls[name])
        elif name == peas[0]:
            mean = {state: sum(components[pea][state] for pea in peas) / len(peas) for state in states}
            yield f"{len(peas)} PEAs (mean)" if len(peas) > 1 else name, mean, _mean_stalls(peas, stalls)


def _mean_stalls(peas: Sequence[str], stalls: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    of_all = [{**stall, "cycles": stall["cycles"] / len(peas)} for pea in peas for stall in stalls[pea]]
    return _without_pea_numbers(of_all)


def _without_pea_numbers(stalls: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add up the stalls at all PEAs' queues: which PEA comes first in the order of taking or giving says nothing."""
    sums: dict[tuple[str, str, str], float] = {}
    for stall in stalls:
        key = (stall["state"], *(_PEA_PART.sub(r"\1*", stall[part]) for part in ("cause", "cause_component")))
        sums[key] = sums.get(key, 0) + stall["cycles"]
    rows = [
        {"state": state, "cause": cause, "cause_component": component, "cycles": cycles}
        for (state, cause, component), cycles in sums.items()
    ]
    return sorted(rows, key=lambda row: -row["cycles"])


def _reason(stall: Mapping[str, Any]) -> str:
    word = {State.STARVED: "empty", State.BLOCKED: "full", State.CONTENDED: "taken", State.WAITING: "not ready"}
    by = f" ({stall['cause_component']})" if stall["cause_component"] else ""
    if stall["cause"] == NO_REQUESTS:
        return "no request"
    channel, colon, reason = stall["cause"].partition(":")
    if colon:
        return f"{channel}: {reason}{by}"
    return f"{stall['cause']} {word[State(stall['state'])]}{by}"


def _bar(states: Mapping[str, float], makespan_cycles: int) -> Text:
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


def _operator_line(summary: Mapping[str, Any]) -> RenderableType:
    operators = summary["operators"]
    parts = [f"{name.upper()} {_utilization(operators, name):.1%}" for name in _OPERATORS]
    return Text(f"Operators in use: {', '.join(parts)}")


def _dram_line(summary: Mapping[str, Any]) -> RenderableType:
    dram, makespan_cycles = summary["dram"], summary["makespan_cycles"]
    share = dram["busy_cycles"] / makespan_cycles / len(dram["channels"])
    return Text(f"DRAM: {dram['read_bytes']:,} bytes read, {dram['write_bytes']:,} written, bus busy {share:.1%}")


def _verdict(exact: bool | None) -> Text:  # noqa: FBT001  # the value itself is what is shown
    if exact is None:
        return Text("Values: none travelled, so nothing was compared", "dim")
    if exact:
        return Text("Exact: every accumulator equals the integer product", "bold green")
    return Text("NOT EXACT: accumulators differ from the integer product", "bold red")


def _study_cells(summary: Mapping[str, Any]) -> list[str]:
    makespan_cycles, components = summary["makespan_cycles"], summary["components"]
    peas = [states for name, states in components.items() if name.startswith("pea")]
    dram = summary["dram"]
    shares = [
        sum(pea[State.BUSY] for pea in peas) / len(peas) / makespan_cycles,
        sum(pea[State.STARVED] for pea in peas) / len(peas) / makespan_cycles,
        *(_utilization(summary["operators"], name) for name in _OPERATORS),
        dram["busy_cycles"] / makespan_cycles / len(dram["channels"]),
    ]
    return [
        f"{makespan_cycles:,}",
        f"{makespan_cycles / summary['tiles']:.1f}",
        *(f"{share:.0%}" for share in shares),
        f"{dram['read_bytes'] / 1e6:.2f}",
    ]


def _utilization(operators: Mapping[str, int], name: str) -> float:
    return operators[f"{name}_busy"] / operators[f"{name}_capacity"]


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _yes_or_no(exact: bool | None) -> str:  # noqa: FBT001  # the value itself is what is shown
    return {None: "-", True: "yes", False: "NO"}[exact]
