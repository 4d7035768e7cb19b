"""The words among which a user chooses: of options, scenarios and functions alike, importable at no cost."""

from __future__ import annotations

from typing import Literal

__all__ = [
    "GROUP_KEYS",
    "Algorithm",
    "Alignment",
    "ChosenEngine",
    "ChosenValues",
    "Engine",
    "LogLevel",
    "Map",
    "MappingFrom",
    "Page",
    "Policy",
    "Schedule",
    "ValuesChoice",
    "values_word",
]

Engine = Literal["auto", "reference", "compiled"]
"""The engine that runs: `auto` takes the compiled one where no values travel and numba can be imported."""

ChosenEngine = Literal["reference", "compiled"]

ValuesChoice = Literal["auto", "travel", "check", "off"]
"""What happens to values: they travel through the components, a compiled pass checks them without events, or nothing;
`auto` chooses by the size of the run."""

ChosenValues = Literal["travel", "check", "off"]


def values_word(values: object) -> object:
    """Return the word for True and False, which scenarios could only say before; anything else comes back."""
    return {True: "travel", False: "off"}[values] if isinstance(values, bool) else values


Schedule = Literal["overlap", "barrier"]
"""How layers follow each other: in one simulation, or each alone on the drained machine."""

MappingFrom = Literal["layer", "class"]
"""What the mapping of a layer is chosen for: the layer itself, or all of its sizes, widths and rounded densities."""

LogLevel = Literal["debug", "info", "warning", "error"]
"""What goes into the log of a run: this and what is graver."""

Map = Literal["bank_group_low", "column_low"]
"""What the lowest bits of a DRAM address choose."""

Page = Literal["open", "closed"]
"""Whether a row of a bank stays open behind an access."""

Policy = Literal["fcfs", "fr_fcfs"]
"""Which request that waits for a channel goes first: the oldest, or the oldest whose row is open."""

Algorithm = Literal["tpe", "nsga2"]
"""How a search proposes points: by where good ones lie (TPE), or by crossing and changing good ones (NSGA-II)."""

Alignment = Literal["cycle", "share", "layer"]
"""What stands at one place where runs are drawn on one axis: a cycle, a share of the run, or the start of a layer."""

GROUP_KEYS = ("component", "cause", "layer", "state")
"""The columns by which the cycles of a trace are added up."""
