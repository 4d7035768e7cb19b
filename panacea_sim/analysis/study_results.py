"""The runs of a study as a table: one row for each, of whole figures of their summaries."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from panacea_sim.energy.energy import energy_of
from panacea_sim.energy.table import energy_table
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import Summary

__all__ = ["study_rows", "write_study_rows"]

Figure: TypeAlias = str | int | float | None

_LAYER_SUMS = ("weight_bytes", "activation_bytes", "output_bytes", "spilled_bytes")
_DRAM_SUMS = (
    "read_bytes",
    "write_bytes",
    "row_hits",
    "row_misses",
    "busy_cycles",
    "activates",
    "bursts",
    "burst_bytes",
    "refreshes",
)


def study_rows(summaries: Mapping[str, Summary]) -> list[dict[str, Figure]]:
    """Return a row for each run, all with the same columns, which docs/files.md (results.csv) describes.

    What a run does not have, as an operator of another machine, is None.
    """
    rows = [dict(_figures(name, summary)) for name, summary in summaries.items()]
    columns = dict.fromkeys(column for row in rows for column in row)
    return [{column: row.get(column) for column in columns} for row in rows]


def write_study_rows(path: Path, summaries: Mapping[str, Summary]) -> None:
    """Write the rows of a study as CSV with a header; true and false in small letters, nothing for None."""
    rows = study_rows(summaries)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _figures(case: str, summary: Summary) -> Iterator[tuple[str, Figure]]:
    named: dict[str, Figure] = {
        "case": case,
        "hardware": summary.hardware,
        "engine": summary.engine,
        "schedule": summary.schedule,
        "clock_hz": summary.clock_hz,
        "makespan_cycles": summary.makespan_cycles,
        "seconds": summary.seconds,
        "exact": None if summary.exact is None else str(summary.exact).lower(),
        "tiles": summary.tiles,
        "layers": len(summary.layers),
        "loop_orders": " ".join(dict.fromkeys(layer.loop_order for layer in summary.layers)),
        "double_tile_layers": sum(layer.double_tile for layer in summary.layers),
    }
    yield from named.items()
    for key in _LAYER_SUMS:
        yield key, sum(getattr(layer, key) for layer in summary.layers)
    computing = summary.machine.computing
    yield "compute_components", len(computing)
    for state in State:
        yield f"compute_{state}_cycles", sum(summary.components[name][state] for name in computing)
    yield from summary.operators.items()
    yield "dram_channels", len(summary.dram.channels)
    for key in _DRAM_SUMS:
        yield f"dram_{key}", getattr(summary.dram, key)
    yield from _energy(summary)


def _energy(summary: Summary) -> Iterator[tuple[str, Figure]]:
    """Return the nominal energy by the default table; None where a part of the run has no figure."""
    total = pj_per_mac = None
    if summary.operations is not None:
        run = energy_of(summary, energy_table()).run
        total, pj_per_mac = run.total, run.pj_per_mac
    yield "energy_pj", None if total is None else float(total.nominal)
    yield "pj_per_mac", None if pj_per_mac is None else float(pj_per_mac.nominal)
