"""What a timeline shows, read from a run."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from panacea_sim.analysis.shares import state_shares
from panacea_sim.energy.charging import Charging, default_charging
from panacea_sim.report.groups import group_label
from panacea_sim.report.names import name_forms
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.timeline.causes import read_causes
from panacea_sim.report.timeline.counts import interval_counts
from panacea_sim.report.timeline.curves import read_curves
from panacea_sim.report.timeline.operators import read_operators
from panacea_sim.report.timeline.packing import differences, ends_before
from panacea_sim.report.timeline.power import read_power
from panacea_sim.trace.column_batches import codes
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.utilization import operator_counts
from panacea_sim.trace.window import chosen_window, left_out, within
from panacea_sim.units import IntArray

__all__ = ["MOST_ROWS", "TimelineContent", "in_tracks", "timeline_content"]

MOST_ROWS = 1_000_000
"""The most intervals, and the most changes of queues, that a page holds one by one."""

_STRETCHES = 4096
_SECTIONS = ("memory", "codecs", "compute", "output")
_STATES = {state.value: number for number, state in enumerate(State)}
_LANE_COLUMNS = ("gap", "duration", "kind", "layer", "m", "n", "k")
_Columns = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class TimelineContent:
    """What a timeline shows: `header` becomes JSON, and `columns` are its long rows of whole numbers."""

    header: dict[str, Any]
    columns: _Columns


def timeline_content(
    run: StoredRun,
    window: tuple[int, int] | None,
    charging: Charging | None = None,
    *,
    most_rows: int = MOST_ROWS,
) -> TimelineContent:
    """Return what the timeline of a run shows.

    With more than `most_rows` intervals it holds the shares of states in stretches of time instead, and says so.
    `charging` says by what its power is, by default the table `default`. Raises ConfigError if no activity was recorded
    in `window`.
    """
    span = chosen_window(run, window)
    lanes = _lanes(run)
    count = int(run.dataset("activities").count_rows(filter=within(span)))
    described, columns, notes = _single(run, span, lanes) if count <= most_rows else _stretches(run, span, lanes, count)
    names = [lane["name"] for lane in lanes]
    causes = read_causes(run, span, names, most_rows=most_rows, with_stretches=count <= most_rows)
    curves, curve_notes = read_curves(run, span, most_rows=most_rows)
    operators, operator_notes = read_operators(curves, run, span, binned=count > most_rows)
    power, power_notes = read_power(curves, run, span, charging or default_charging())
    knots, values = curves.columns()
    header = {
        "name": run.name,
        "subtitle": _subtitle(run, span, count),
        "leftOut": " ".join([*_partial_note(run), *left_out(run)]),
        "span": span,
        "command": shlex.join(["panacea-sim", "timeline", str(run.path)]),
        "mostRows": most_rows,
        "states": [state.value for state in State],
        "colours": [STATE_COLOURS[state] for state in State],
        "curves": curves.described,
        "operators": operators,
        "power": power,
        "amounts": ["bytes", *operator_counts(run)],
        "shortNames": run.short_names,
        "example": _example(run),
        "layerSpans": _layer_spans(run, span),
        "notes": [*notes, *causes.notes, *curve_notes, *operator_notes, *power_notes],
        **described,
        **causes.header,
    }
    columns = columns | causes.columns
    return TimelineContent(header, columns | {"knots": differences(knots), "values": values})


def _lanes(run: StoredRun) -> list[dict[str, Any]]:
    """Return the lanes from top to bottom, grouped by section."""
    order = {section: number for number, section in enumerate(_SECTIONS)}
    names = sorted(run.sections, key=lambda name: order.get(run.sections[name], len(order)))
    several = {group: members for group, members in run.groups.items() if len(members) > 1}
    group_of = {name: group_label(group, len(members)) for group, members in several.items() for name in members}
    return [{"name": name, "section": run.sections[name], "group": group_of.get(name, "")} for name in names]


def _example(run: StoredRun) -> str:
    """Return a component to search for: the fourth of the largest group, as one of the first says less."""
    members = max(run.groups.values(), key=len)
    return members[min(3, len(members) - 1)]


def _single(
    run: StoredRun, span: tuple[int, int], lanes: list[dict[str, Any]]
) -> tuple[dict[str, Any], _Columns, list[str]]:
    """Return every interval in `span`, lane by lane, with dictionaries for what repeats."""
    table = run.dataset("activities").to_table(filter=within(span)).unify_dictionaries().combine_chunks()
    lane = codes(table["component"].chunk(0), {lane["name"]: number for number, lane in enumerate(lanes)})
    start, end = table["start_cycle"].to_numpy(), table["end_cycle"].to_numpy()
    order = np.lexsort((start, lane))
    lane, start, end = lane[order], start[order], end[order]
    begins = np.searchsorted(lane, np.arange(len(lanes) + 1))
    kinds, kind = _kinds(table)
    layers = table["layer"].chunk(0)
    amounts = ["bytes", *operator_counts(run)]
    columns = [
        start - ends_before(end, begins),
        end - start,
        kind[order],
        layers.indices.to_numpy()[order],
        *(differences(table[name].to_numpy()[order]) for name in ("m", "n", "k")),
        *(table[name].to_numpy()[order] for name in amounts),
    ]
    described = {
        "detail": "intervals",
        "seen": sorted({state for state, _, _ in kinds}),
        "lanes": [lane | {"from": int(a), "to": int(b)} for lane, a, b in zip(lanes, begins, begins[1:], strict=False)],
        "kinds": kinds,
        "layers": layers.dictionary.to_pylist(),
    }
    return described, dict(zip((*_LANE_COLUMNS, *amounts), columns, strict=True)), []


def _kinds(table: pa.Table) -> tuple[list[list[Any]], IntArray]:
    """Return the kinds of intervals, as state number, cause and component at the other end; and that of each row."""
    state, cause, other = (table[name].chunk(0) for name in ("state", "cause", "cause_component"))
    state_codes = codes(state, _STATES)
    causes, others = cause.dictionary.to_pylist(), other.dictionary.to_pylist()
    key = (state_codes * len(causes) + cause.indices.to_numpy()) * len(others) + other.indices.to_numpy()
    found, kind = np.unique(key, return_inverse=True)
    kinds = [
        [int(of // (len(causes) * len(others))), causes[of // len(others) % len(causes)], others[of % len(others)]]
        for of in found
    ]
    return kinds, kind


def _stretches(
    run: StoredRun, span: tuple[int, int], lanes: list[dict[str, Any]], count: int
) -> tuple[dict[str, Any], _Columns, list[str]]:
    """Return the cycles of each state in stretches of time, lane by lane."""
    shares = state_shares(run, _STRETCHES, span)
    rows = {name: number for number, name in enumerate(shares.components)}
    cycles = shares.cycles[[rows[lane["name"]] for lane in lanes]]
    bins = len(shares.edges) - 1
    described = {
        "detail": "stretches",
        "seen": np.flatnonzero(cycles.any(axis=(0, 1))).tolist(),
        "lanes": [lane | {"from": number * bins, "to": (number + 1) * bins} for number, lane in enumerate(lanes)],
        "kinds": [],
        "layers": [],
    }
    width = -(-(span[1] - span[0]) // bins)
    note = (
        f"{count:,} intervals are too many for a page: it holds the exact shares of the states in {bins:,} stretches "
        f"of at most {width:,} cycles. Single firings, causes, tiles and the search for tiles are left out; "
        "--window A:B shows them for a part of the run: the command above the lanes is that for this view."
    )
    begun, ended = interval_counts(run, shares.edges)
    columns = {"edges": differences(shares.edges), "cycles": cycles.reshape(-1), "begun": begun, "ended": ended}
    return described, columns, [note]


def _layer_spans(run: StoredRun, span: tuple[int, int]) -> list[dict[str, Any]]:
    """Return when each layer is worked on, in their order; a partial run knows it only from its activities."""
    spans: list[dict[str, Any]] = [
        {"name": layer.name, "start": layer.start_cycle, "end": layer.end_cycle}
        for layer in (() if run.summary is None else run.summary.layers)
    ]
    if not spans:
        rows = run.dataset("activities").to_table(
            columns=["layer", "start_cycle", "end_cycle"],
            filter=(ds.field("layer") != "") & (ds.field("state") == State.BUSY.value),
        )
        rows = rows.set_column(0, "layer", pc.cast(rows["layer"], pa.string()))
        found = (
            rows.group_by("layer").aggregate([("start_cycle", "min"), ("end_cycle", "max")]).sort_by("start_cycle_min")
        )
        spans = [
            {"name": row["layer"], "start": row["start_cycle_min"], "end": row["end_cycle_max"]}
            for row in found.to_pylist()
        ]
    shown = [layer for layer in spans if layer["start"] < span[1] and layer["end"] > span[0]]
    for layer, forms in zip(shown, name_forms([layer["name"] for layer in shown]), strict=True):
        layer["forms"] = forms
    return in_tracks(shown)


def in_tracks(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give every layer the first track that is free when it begins, because the layers of a chain overlap."""
    free_from: list[int] = []
    for layer in spans:
        free = (number for number, cycle in enumerate(free_from) if cycle <= layer["start"])
        layer["track"] = next(free, len(free_from))
        free_from[layer["track"] : layer["track"] + 1] = [layer["end"]]
    return spans


def _subtitle(run: StoredRun, span: tuple[int, int], count: int) -> str:
    return (
        f"{run.heading.hardware}, {run.heading.engine} engine: cycles {span[0]:,} to {span[1]:,}, {count:,} intervals"
    )


def _partial_note(run: StoredRun) -> list[str]:
    return ["This run did not reach its end: the timeline ends where the recording does."] if run.is_partial else []
