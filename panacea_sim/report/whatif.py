"""What-if results in a terminal: every knob with its gain and its cost, pairs, bounds, and what was not tried."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console

from panacea_sim.analysis.whatif import CostChange, Gain, WhatIf, WhatIfRow
from panacea_sim.report.tables import Column, print_table
from panacea_sim.units import KIB

__all__ = ["cost_text", "print_whatif", "value_text"]

_SEEN_SHARE = 0.0005
"""Gains and losses below this share of the run are told in one line."""

_COLUMNS = (
    Column("knob", "name"),
    Column("from", "name"),
    Column("to", "name"),
    Column("cycles", leaves=1),  # the gain says it too
    Column("gain"),
    Column("share"),
    Column("mapping\nheld"),
    Column("cost", "name", leaves=2),
)
_DATA_COLUMNS = (*_COLUMNS[:7], Column("SQNR"))
_BOUND_COLUMNS = (Column("ideal machine", "name"), *_COLUMNS[3:7])


def print_whatif(console: Console, found: WhatIf) -> None:
    """Print what was tried, of each kind the largest gain first; gains are in cycles and in shares of the base."""
    base = f"{found.scenario} on {found.hardware}: {found.makespan_cycles:,} cycles, each change run again"
    steps, data, pairs, ideals = (found.of_kind(kind) for kind in ("step", "data", "pair", "ideal"))
    _say(console, base)
    if steps:
        print_table(console, _COLUMNS, [_cells(row) for row in steps if _is_seen(row)], "One step of each knob")
        _print_unseen(console, [row for row in steps if not _is_seen(row)])
    if data:
        rows = [[*_cells(row)[:7], _sqnr(row.sqnr_db)] for row in data]
        title = f"Other data on this machine, and what they lose; the base: {_sqnr(found.sqnr_db)}"
        print_table(console, _DATA_COLUMNS, rows, title)
    if pairs:
        print_table(console, _COLUMNS, [_cells(row) for row in pairs], "Two of the best together")
    if ideals:
        rows = [[_words(row.knob), *_cells(row)[3:7]] for row in ideals]
        print_table(console, _BOUND_COLUMNS, rows, "Bounds: machines that cannot be built")
        if any(gain.cycles < 0 for row in ideals for gain in (row.gain_planned, row.gain_held) if gain is not None):
            _say(console, "A bound below 0: other grants came first; more room and even work change their order.")
    _say(console, "Gain: cycles less than the base with layers mapped anew; mapping held: each layer as in the base.")
    _print_not_tried(console, found)


def _is_seen(row: WhatIfRow) -> bool:
    return any(gain is None or abs(gain.share) >= _SEEN_SHARE for gain in (row.gain_planned, row.gain_held))


def _cells(row: WhatIfRow) -> list[str]:
    planned = row.gain_planned
    return [
        row.knob,
        value_text(row.before),
        value_text(row.after),
        "does not fit" if row.cycles_planned is None else f"{row.cycles_planned:,}",
        "-" if planned is None else f"{planned.cycles:,}",
        _share(planned),
        "does not fit" if row.gain_held is None else _share(row.gain_held),
        cost_text(row),
    ]


def value_text(value: int | str) -> str:
    """Return a value of a knob, with separators between thousands."""
    return f"{value:,}" if isinstance(value, int) else value


def _share(gain: Gain | None) -> str:
    return "-" if gain is None else f"{round(gain.share, 3) + 0.0:.1%}"  # -0.0 becomes 0.0


def _sqnr(ratio_db: float | None) -> str:
    return "none lost" if ratio_db is None else f"{ratio_db:.1f} dB"


def cost_text(row: WhatIfRow) -> str:
    """Return what the change costs: what is counted of it, or its own step where nothing is."""
    counted = [] if row.cost is None else list(_counted(row.cost))
    if counted:
        return ", ".join(counted)
    if isinstance(row.before, int) and isinstance(row.after, int) and row.unit:
        return f"{row.after - row.before:+,} {row.unit}"
    return "none that is counted" if row.kind == "pair" else "none"


def _counted(cost: CostChange) -> Iterator[str]:
    if cost.multipliers:
        yield f"{cost.multipliers:+,} multipliers"
    if cost.sram_bytes:
        whole = cost.sram_bytes % KIB == 0
        yield f"{cost.sram_bytes // KIB:+,} KiB SRAM" if whole else f"{cost.sram_bytes:+,} bytes SRAM"
    if cost.dram_bytes_per_cycle:
        yield f"{cost.dram_bytes_per_cycle:+,.4g} bytes/cycle DRAM"


def _print_unseen(console: Console, rows: Sequence[WhatIfRow]) -> None:
    """Name the steps that change next to nothing; those that save something are the ones to look at."""
    values: dict[str, list[str]] = {}
    for row in rows:
        values.setdefault(row.knob, []).append(value_text(row.after))
    if values:
        texts = (f"{knob} {' or '.join(after)}" for knob, after in sorted(values.items()))
        _say(console, f"Below {_SEEN_SHARE:.2%} either way: {', '.join(texts)}.")
    savings = [f"{row.knob} {value_text(row.after)} ({cost_text(row)})" for row in rows if _saves(row)]
    if savings:
        _say(console, f"Among them, what saves hardware: {', '.join(savings)}.")


def _saves(row: WhatIfRow) -> bool:
    """Return whether a step needs less of something that is counted, and more of nothing."""
    if row.cost is None:
        return False
    changes = (row.cost.multipliers or 0, row.cost.sram_bytes, row.cost.dram_bytes_per_cycle)
    return min(changes) < 0 and max(changes) <= 0


def _print_not_tried(console: Console, found: WhatIf) -> None:
    by_reason: dict[str, list[str]] = {}
    for each in found.not_tried:
        by_reason.setdefault(each.reason, []).append(each.knob)
    texts = [f"{', '.join(knobs)} ({reason})" for reason, knobs in by_reason.items()]
    if texts:
        _say(console, f"Not tried: {'; '.join(texts)}.")


def _words(name: str) -> str:
    return name.replace("_", " ")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False)
