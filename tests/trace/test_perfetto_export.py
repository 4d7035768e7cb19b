"""Perfetto traces, read back with the protobuf definitions."""

from __future__ import annotations

import gzip
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TracePacket, TrackEvent
from stored_runs import RUNS, rows

from panacea_sim.explanation.explained import recorded_segments
from panacea_sim.trace.bandwidth import bandwidth
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.exporters import perfetto
from panacea_sim.trace.exporters.perfetto import BANDWIDTH_BINS, PATH_NAME, SLICE_NAMES, write_perfetto
from panacea_sim.trace.schema import ACTIVITIES, State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.units import cycles_to_ns


@dataclass
class _Read:
    """What a trace says: slices and counters by the names of track and group, and the two ends of each arrow.

    `inner` are slices inside of others, which they have as `outer`; `flows` the slices that name an arrow, in order.
    """

    slices: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    counters: dict[tuple[str, str], list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    units: dict[tuple[str, str], str] = field(default_factory=dict)
    sources: dict[int, dict[str, Any]] = field(default_factory=dict)
    stalls: dict[int, dict[str, Any]] = field(default_factory=dict)
    tracks: list[tuple[str, str]] = field(default_factory=list)
    open: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    inner: list[dict[str, Any]] = field(default_factory=list)
    flows: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))


def _read(path: Path) -> _Read:
    trace = Trace()
    trace.ParseFromString(gzip.decompress(path.read_bytes()))
    read = _Read()
    names: dict[int, tuple[str, str]] = {}
    interned: dict[str, dict[int, Any]] = defaultdict(dict)
    assert trace.packet[0].sequence_flags == TracePacket.SEQ_INCREMENTAL_STATE_CLEARED
    for packet in trace.packet:
        for kind in ("event_names", "debug_annotation_names", "debug_annotation_string_values"):
            for entry in getattr(packet.interned_data, kind):
                interned[kind][entry.iid] = entry.str.decode() if kind.endswith("values") else entry.name
        if packet.HasField("track_descriptor"):
            track = packet.track_descriptor
            names[track.uuid] = (names[track.parent_uuid][1] if track.parent_uuid else "", track.name)
            read.tracks.append(names[track.uuid])
            read.units[names[track.uuid]] = track.counter.unit_name
        elif packet.HasField("track_event"):
            _read_event(read, packet, names[packet.track_event.track_uuid], interned)
    return read


def _read_event(read: _Read, packet: Any, track: tuple[str, str], interned: dict[str, dict[int, Any]]) -> None:  # noqa: ANN401  # protobuf's classes have no types
    event = packet.track_event
    if event.type == TrackEvent.TYPE_COUNTER:
        value = event.counter_value if event.HasField("counter_value") else event.double_counter_value
        read.counters[track].append((packet.timestamp, value))
    elif event.type == TrackEvent.TYPE_SLICE_END:
        read.open[track].pop()["end"] = packet.timestamp
    else:
        found = {
            "name": event.name or interned["event_names"][event.name_iid],
            "start": packet.timestamp,
            "track": track[1],
        }
        for note in event.debug_annotations:
            text = interned["debug_annotation_string_values"].get(note.string_value_iid)
            found[interned["debug_annotation_names"][note.name_iid]] = note.int_value if text is None else text
        read.open[track].append(found)
        if len(read.open[track]) > 1:
            read.inner.append(found | {"outer": read.open[track][-2]})
            read.open[track][-1] = read.inner[-1]
            for arrow in event.flow_ids:
                read.flows[arrow].append(read.inner[-1])
            assert not event.terminating_flow_ids
            return
        read.slices[track].append(found)
        read.sources |= dict.fromkeys(event.flow_ids, found)
        read.stalls |= dict.fromkeys(event.terminating_flow_ids, found)


def _ns(run: StoredRun, *cycles: int) -> list[int]:
    found: list[int] = cycles_to_ns(np.array(cycles), run.heading.clock_hz).tolist()
    return found


def _drawn(run: StoredRun) -> list[dict[str, Any]]:
    """Return the rows that are drawn: idle time stays empty."""
    return [row for row in rows(run, "activities") if row["state"] != "idle"]


def _hue(name: str) -> int:
    """Return the hue that the Perfetto UI gives to slices of this name, in degrees: a product of floating point."""
    found = 0x811C9DC5 & 0xFFFFFFF
    for letter in name:
        found = int(float(found ^ ord(letter)) * 16777619) & 0xFFFFFFFF
        found -= (found >> 31) << 32
    return abs(found) % 360


def _expected_slice(run: StoredRun, row: dict[str, Any], window: tuple[int, int] | None = None) -> dict[str, Any]:
    first, last = window or run.recorded_cycles
    start, end = _ns(run, max(row["start_cycle"], first), min(row["end_cycle"], last))
    name = "busy" if row["state"] == "busy" else f"[{row['state']}]"
    found = {"name": name, "start": start, "end": end, "track": row["component"]}
    found |= {key: row[key] for key in ("m", "n", "k") if row[key] != -1}
    actions = (name for name in row if name not in ACTIVITIES.names)
    arguments = ("layer", "cause", "cause_component", "bytes", *actions)
    return found | {key: row[key] for key in arguments if row[key]}


def test_slices_are_the_rows(any_run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each activity but idle time is a slice on the track of its component, in its section, with state and arguments.

    Times are cut to the recorded cycles, as are those of layers.
    """
    monkeypatch.setattr(perfetto, "_ROWS_AT_ONCE", 50)
    write_perfetto(any_run, tmp_path / "trace")
    read = _read(tmp_path / "trace")
    expected = defaultdict(list)
    for row in _drawn(any_run):
        expected[any_run.sections[row["component"]], row["component"]].append(_expected_slice(any_run, row))
    layers = read.slices.pop((any_run.name, "layers"), [])
    assert read.slices == expected
    first, last = any_run.recorded_cycles
    assert [(layer["name"], layer["start"], layer["end"]) for layer in layers] == [
        (layer["name"], *_ns(any_run, max(layer["start_cycle"], first), min(layer["end_cycle"], last)))
        for layer in any_run.heading.to_json()["layers"]
        if "start_cycle" in layer and layer["start_cycle"] < last and layer["end_cycle"] > first
    ]


def test_arrows_lead_from_the_cause_to_the_stall(any_run: StoredRun, tmp_path: Path) -> None:
    """An arrow begins where the component at the other end was in the cycle before the stall; none is missing."""
    write_perfetto(any_run, tmp_path / "trace")
    read = _read(tmp_path / "trace")
    everything = _drawn(any_run)
    covering = {
        (row["component"], cycle): row for row in everything for cycle in range(row["start_cycle"], row["end_cycle"])
    }
    expected = {}
    for number, row in enumerate(everything):
        source = covering.get((row["cause_component"], row["start_cycle"] - 1))
        if row["state"] != "busy" and source is not None:
            expected[number + 1] = (_expected_slice(any_run, source), _expected_slice(any_run, row))
    assert {number: (read.sources[number], stall) for number, stall in read.stalls.items()} == expected
    assert set(read.sources) == set(expected)
    assert expected


def test_states_differ_in_colour() -> None:
    """The hues that Perfetto gives to the states lie at least 40 degrees apart; by their bare names they would not."""
    bare, chosen = ([_hue(name) for name in names] for names in (list(SLICE_NAMES), SLICE_NAMES.values()))
    assert _least_distance(bare) < 10
    assert _least_distance(chosen) >= 40
    assert len(chosen) == len(State) - 1


def _least_distance(hues: list[int]) -> int:
    return min(min((a - b) % 360, (b - a) % 360) for a, b in combinations(hues, 2))


def test_counters_are_the_tables(any_run: StoredRun, tmp_path: Path) -> None:
    """Occupancies have all rows of queues.parquet, and bandwidths the bytes of dram.parquet, each with its unit."""
    write_perfetto(any_run, tmp_path / "trace")
    read = _read(tmp_path / "trace")
    expected = defaultdict(list)
    for row in rows(any_run, "queues"):
        group = "memories" if row["queue"] in {"WMEM", "AMEM", "OMEM", "PSUM"} else "queues"
        expected[group, row["queue"]].append((_ns(any_run, row["cycle"])[0], row["occupancy"]))
    assert {track: values for track, values in read.counters.items() if track[0] != "DRAM bandwidth"} == expected
    edges = bin_edges(*any_run.recorded_cycles, BANDWIDTH_BINS)
    for channel, steps in bandwidth(any_run, edges).items() if rows(any_run, "dram") else ():
        times, values = zip(*read.counters["DRAM bandwidth", channel], strict=True)
        shown = np.searchsorted(times, _ns(any_run, *edges[:-1]), side="right") - 1
        assert np.array(values)[shown].tolist() == steps.tolist()
        assert max(times) < _ns(any_run, edges[-1])[0]
    units = {"queues": "tokens", "memories": "bytes", "DRAM bandwidth": "bytes/cycle"}
    assert all(read.units[track] == units[track[0]] for track in read.counters)


def test_a_window_keeps_what_overlaps_it(full_run: StoredRun, tmp_path: Path) -> None:
    """Slices that overlap the window are cut to it; arrows lead between them only; counters are inside."""
    write_perfetto(full_run, tmp_path / "trace", (900, 1100))
    read = _read(tmp_path / "trace")
    found = [row for track, slices in read.slices.items() if track[1] != "layers" for row in slices]
    kept = [row for row in _drawn(full_run) if row["start_cycle"] < 1100 and row["end_cycle"] > 900]
    expected = [_expected_slice(full_run, row, (900, 1100)) for row in kept]
    assert sorted(sorted(map(str, row.items())) for row in found) == sorted(
        sorted(map(str, row.items())) for row in expected
    )
    assert set(read.sources) == set(read.stalls)
    assert read.stalls
    assert all(900 <= time <= 1100 for values in read.counters.values() for time, _ in values)


def test_a_recorded_window_is_that_of_the_whole_run(full_run: StoredRun, tmp_path: Path) -> None:
    """A run that was recorded in a window and the window of a run that was recorded whole give the same trace."""
    windowed = RUNS["window"](tmp_path)
    write_perfetto(windowed, tmp_path / "recorded")
    write_perfetto(full_run, tmp_path / "cut", windowed.recorded_cycles)
    assert _read(tmp_path / "recorded") == _read(tmp_path / "cut")
    times = [time for values in _read(tmp_path / "recorded").counters.values() for time, _ in values]
    assert max(times) < _ns(windowed, windowed.recorded_cycles[1])[0]


def test_tracks_stand_in_the_order_of_the_machine(full_run: StoredRun, tmp_path: Path) -> None:
    """The run holds layers, sections with their components, bandwidths and occupancies, in this order."""
    write_perfetto(full_run, tmp_path / "trace")
    tracks = _read(tmp_path / "trace").tracks
    groups = [name for group, name in tracks if group == full_run.name]
    assert tracks[0] == ("", "small <b>")
    assert groups == [
        "layers",
        "layers",
        "memory",
        "codecs",
        "compute",
        "output",
        "DRAM bandwidth",
        "queues",
        "memories",
    ]
    assert [name for group, name in tracks if group in full_run.sections.values()] == list(full_run.sections)


def test_equal_runs_give_equal_files(full_run: StoredRun, tmp_path: Path) -> None:
    """A trace has no time of day in it."""
    write_perfetto(full_run, tmp_path / "a")
    write_perfetto(full_run, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


_WHOLE = ("full", "compiled", "700 MHz", "ideal")


def _stretches(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the stretches that lie on a track, with its name, in order of time."""
    on_channel = [{**each, "track": each["cause"]} for each in segments if each["kind"] == "transfer"]
    on_part = [{**each, "track": each["component"]} for each in segments if each["kind"] in {"service", "device"}]
    return sorted([*on_channel, *on_part], key=lambda each: each["start_cycle"])


@pytest.mark.parametrize("kind", _WHOLE)
def test_the_critical_path_lies_on_the_tracks(kind: str, tmp_path: Path) -> None:
    """Each stretch but latencies is a slice inside the row of its track, and arrows join them where the track changes.

    There are as many arrows as changes; each begins in a slice and ends in the next one, and begins where the one
    before has ended, or in a later slice of that track.
    """
    if kind == "compiled":
        pytest.importorskip("numba")
    run = RUNS[kind](tmp_path)
    path = recorded_segments(run)
    write_perfetto(run, tmp_path / "trace", critical_path=path)
    read = _read(tmp_path / "trace")
    stretches = _stretches(path.to_pylist())
    expected = [(each["track"], *_ns(run, each["start_cycle"], each["end_cycle"])) for each in stretches]
    found = sorted(read.inner, key=lambda each: (each["start"], each["end"]))
    assert [(each["track"], each["start"], each["end"]) for each in found] == expected
    assert {each["name"] for each in found} == {PATH_NAME}
    for each, stretch in zip(found, stretches, strict=True):
        assert each["outer"]["start"] <= each["start"] <= each["end"] <= each["outer"]["end"]
        assert each["outer"]["name"] == ("[contended]" if stretch["kind"] == "device" else "busy")
        if stretch["kind"] == "transfer":
            assert each["outer"]["cause_component"] == stretch["component"]
    changes = [
        (before, after) for before, after in pairwise(range(len(found))) if expected[before][0] != expected[after][0]
    ]
    order = {id(each): place for place, each in enumerate(found)}
    joined = {arrow: sorted(order[id(end)] for end in ends) for arrow, ends in read.flows.items()}
    assert sorted(map(tuple, joined.values())) == changes
    assert len(changes) > 4
    assert not {*joined} & {*read.sources}
    arrows = sorted(joined.values())
    for (_, into), (out, _) in pairwise(arrows):
        assert into <= out
        assert {found[place]["track"] for place in range(into, out + 1)} == {found[into]["track"]}


def test_a_window_has_its_part_of_the_path(full_run: StoredRun, tmp_path: Path) -> None:
    """Stretches are cut to the window, as rows are, and arrows lead between those in it only."""
    path = recorded_segments(full_run)
    stretches = _stretches(path.to_pylist())
    changes = [place for place, (one, other) in enumerate(pairwise(stretches)) if one["track"] != other["track"]]
    first, last = stretches[changes[0] - 1]["end_cycle"] - 1, stretches[changes[1] + 1]["start_cycle"] + 1
    write_perfetto(full_run, tmp_path / "trace", (first, last), critical_path=path)
    read = _read(tmp_path / "trace")
    inside = [each for each in stretches if each["start_cycle"] < last and each["end_cycle"] > first]
    expected = [
        (each["track"], *_ns(full_run, max(each["start_cycle"], first), min(each["end_cycle"], last)))
        for each in inside
    ]
    found = sorted(read.inner, key=lambda each: (each["start"], each["end"]))
    assert [(each["track"], each["start"], each["end"]) for each in found] == expected
    assert found[0]["end"] - found[0]["start"] == found[-1]["end"] - found[-1]["start"] == 1
    assert [len(ends) for ends in read.flows.values()] == [2, 2]


def test_without_a_path_nothing_is_marked(full_run: StoredRun, tmp_path: Path) -> None:
    """What is not given is not drawn."""
    write_perfetto(full_run, tmp_path / "trace")
    assert not _read(tmp_path / "trace").inner


def test_the_path_has_a_colour_of_its_own() -> None:
    """Its hue lies far from those of the slices that it lies in."""
    outer = [SLICE_NAMES[State.BUSY], SLICE_NAMES[State.CONTENDED]]
    assert all(_least_distance([_hue(PATH_NAME), _hue(name)]) >= 40 for name in outer)
