"""Deadlocks: who waits for whom, found as a cycle of the wait-for graph."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx

__all__ = ["StandStill", "describe_deadlock"]


@dataclass(frozen=True)
class StandStill:
    """A component that cannot go on: which firing, in which state, for which queue or memory, and whose."""

    component: str
    firing: int
    firings: int
    state: str
    cause: str
    cause_component: str


def describe_deadlock(cycle: int, stands: list[StandStill]) -> str:
    """Return the message that names the cycle of components that wait for each other.

    Where no such cycle exists, some component waits for one that has already ended, and the chain to it is named.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    for stand in stands:
        graph.add_edge(stand.component, stand.cause_component, stand=stand)
    try:
        edges = [edge[:2] for edge in nx.find_cycle(graph)]
        head = f"deadlock at cycle {cycle}: " + " -> ".join([edges[0][0], *(edge[1] for edge in edges)])
    except nx.NetworkXNoCycle:
        stuck = {stand.component for stand in stands}
        last = next(stand for stand in stands if stand.cause_component not in stuck)
        edges = [(last.component, last.cause_component)]
        head = f"deadlock at cycle {cycle}: {last.component} waits for {last.cause_component}, which has ended"
    lines = [_line(graph.edges[edge]["stand"]) for edge in edges]
    others = len(stands) - len(edges)
    tail = [f"{others} more components wait behind them"] if others else []
    return "\n  ".join([head, *lines, *tail])


def _line(stand: StandStill) -> str:
    return (
        f"{stand.component}, firing {stand.firing} of {stand.firings}, is {stand.state} by {stand.cause}, "
        f"which waits for {stand.cause_component}"
    )
