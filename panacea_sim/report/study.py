"""What a study looks like in a terminal: one row for each of its runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console

from panacea_sim.report.groups import plural
from panacea_sim.report.layers import double_tile_text, order_text
from panacea_sim.report.tables import Cell, Column, print_table
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import Summary

__all__ = ["print_study"]


def print_study(console: Console, title: str, summaries: Mapping[str, Summary]) -> None:
    """Print one row for each run of a study: its cycles, its mapping, how busy what can be the bottleneck was."""
    runs = list(summaries.values())
    operators = list(dict.fromkeys(name for summary in runs for name in summary.operator_names))
    compute = _compute_label(runs)
    columns = [
        Column("case", "name"),
        Column("order", "word"),
        Column("DTP", "word"),
        Column("cycles"),
        Column("a tile", leaves=1),
        Column(f"{compute}\nbusy"),
        Column(f"{compute}\nwait", leaves=3),
        *(Column(name.upper(), leaves=4) for name in operators),
        Column("DRAM\nbusy"),
        Column("MB\nread", leaves=2),
        Column("exact", "word"),
    ]
    print_table(console, columns, [[name, *_cells(summaries[name], operators)] for name in summaries], title)


def _compute_label(summaries: Sequence[Summary]) -> str:
    """Return what the components that compute are called: by their group, or by their role if runs differ."""
    groups = {plural(summary.machine.group_of[name]) for summary in summaries for name in summary.machine.computing}
    return groups.pop() if len(groups) == 1 else "compute"


def _cells(summary: Summary, operators: Sequence[str]) -> Iterator[Cell]:
    makespan_cycles = summary.makespan_cycles
    computing = summary.machine.computing

    def share(state: State) -> str:
        cycles = sum(summary.components[name][state] for name in computing)
        return f"{cycles / len(computing) / makespan_cycles:.0%}" if computing else "-"

    yield from (order_text(summary.layers), double_tile_text(summary.layers))
    yield from (f"{makespan_cycles:,}", f"{makespan_cycles / summary.tiles:,.1f}")
    yield from (share(State.BUSY), share(State.STARVED))
    for name in operators:
        yield f"{summary.utilization(name):.0%}" if name in summary.operator_names else "-"
    yield from (f"{summary.bus_share:.0%}", f"{summary.dram.read_bytes / 1e6:,.2f}")
    yield {None: "-", True: "yes", False: "NO"}[summary.exact]
