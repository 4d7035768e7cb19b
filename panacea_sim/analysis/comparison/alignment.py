"""Runs on one axis: where layer i of each begins at the same place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from panacea_sim.analysis.comparison.times import has_rows
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["Piece", "Timing", "layer_pieces", "timing"]


@dataclass(frozen=True)
class Timing:
    """When the layers of a run begin and end, in the order of the run, and when it ends; all in cycles."""

    names: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    end_cycle: int


@dataclass(frozen=True)
class Piece:
    """The cycles of a run from `start` to before `end`, which stand `offset` cycles further on the common axis."""

    start: int
    end: int
    offset: int


def timing(run: StoredRun) -> Timing:
    """Return when the layers of a run were worked on; a partial run knows it only from its intervals.

    Layers of which a partial run recorded nothing are left out.
    """
    if run.summary is not None:
        layers = run.summary.layers
        found = [(layer.name, layer.start_cycle, layer.end_cycle) for layer in layers]
    else:
        found = _recorded_layers(run) if has_rows(run) else []
    return Timing(
        tuple(name for name, _, _ in found),
        tuple(start for _, start, _ in found),
        tuple(end for _, _, end in found),
        run.end_cycle,
    )


def layer_pieces(runs: Sequence[Timing]) -> list[tuple[Piece, ...]]:
    """Return the pieces of each run so that layer i of all runs begins at the same place.

    A piece reaches from the start of a layer to that of the next one, or to the end of the run; the first one is what
    comes before the first layer. Each has as much room as the longest of its kind in any run. Layers that begin before
    an earlier one has begun count from there on, and pieces without cycles are left out.
    """
    borders = [_borders(run) for run in runs]
    count = max(len(each) for each in borders) - 1
    room = [
        max(each[number + 1] - each[number] for each in borders if number + 1 < len(each)) for number in range(count)
    ]
    places = [0, *accumulate(room)]
    return [
        tuple(
            Piece(start, end, place - start)
            for place, (start, end) in zip(places, pairwise(each), strict=False)
            if start < end
        )
        for each in borders
    ]


def _borders(run: Timing) -> list[int]:
    """Return 0, the starts of the layers, none before the one before it, and the end of the run."""
    return [0, *(min(start, run.end_cycle) for start in accumulate(run.starts, max)), run.end_cycle]


def _recorded_layers(run: StoredRun) -> list[tuple[str, int, int]]:
    rows = run.dataset("activities").to_table(
        columns=["layer", "start_cycle", "end_cycle"],
        filter=(ds.field("layer") != "") & (ds.field("state") == State.BUSY.value),
    )
    rows = rows.set_column(0, "layer", pc.cast(rows["layer"], pa.string()))
    found = rows.group_by("layer").aggregate([("start_cycle", "min"), ("end_cycle", "max")]).to_pylist()
    spans = {row["layer"]: (row["start_cycle_min"], row["end_cycle_max"]) for row in found}
    return [(name, *spans[name]) for name in run.layer_names if name in spans]
