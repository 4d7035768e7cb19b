"""Questions to a trace: the answers are those of a loop over its rows."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from case_counts import at_most
from hypothesis import assume, given
from hypothesis import strategies as st
from stored_runs import bare_run
from strategies import TRACED_ACTIONS, TRACED_COMPONENTS, TRACED_LAYERS, activity_rows, trace_selections

from panacea_sim.analysis.query import GROUP_KEYS, accesses, grouped, intervals, longest, occupancies
from panacea_sim.analysis.selection import STALL, Selection, joined_names, parse_tile
from panacea_sim.errors import ConfigError
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import ACTIVITIES, State, action_column, with_actions
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.synthetic import synthetic_layer

Rows = list[dict[str, Any]]

_TRACED = with_actions(action_column(name, "operator-cycles") for name in TRACED_ACTIONS)

# Every example writes a file.
_fewer = at_most(60)  # every example writes a file


@contextmanager
def _stored(rows: Rows, window: tuple[int, int] | None = None) -> Iterator[StoredRun]:
    """Keep rows as the trace of a run, in row groups so small that most questions span several."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(pa.Table.from_pylist(rows, _TRACED), Path(folder) / "activities.parquet", row_group_size=5)
        sections = dict.fromkeys(TRACED_COMPONENTS, "memory")
        # Of a partial run the rows alone tell when it ended.
        yield bare_run(Path(folder), sections, TRACED_LAYERS, window)


def _matches(row: dict[str, Any], wanted: Selection) -> bool:
    states = [
        s
        for name in wanted.states
        for s in (["starved", "blocked", "contended", "waiting"] if name == STALL else [name])
    ]
    by_name = {"component": wanted.components, "state": states, "cause": wanted.causes, "layer": wanted.layers}
    return (
        all(
            not patterns or (row[name] != "" and any(fnmatchcase(row[name], pattern) for pattern in patterns))
            for name, patterns in by_name.items()
        )
        and all(part in (None, row[axis]) for axis, part in zip("mnk", wanted.tile, strict=True))
        and (wanted.from_cycle is None or row["end_cycle"] > wanted.from_cycle)
        and (wanted.to_cycle is None or row["start_cycle"] < wanted.to_cycle)
    )


def _with_cycles(rows: Rows) -> Rows:
    return [row | {"cycles": row["end_cycle"] - row["start_cycle"]} for row in rows]


@_fewer
@given(st.data(), activity_rows())
def test_intervals_are_the_rows_that_match(data: st.DataObject, rows: Rows) -> None:
    """A selection gives the rows that match all its parts, whole, in the order of the file."""
    wanted = data.draw(trace_selections(rows))
    with _stored(rows) as stored:
        found = intervals(stored, wanted).read_all().to_pylist()
    assert found == _with_cycles([row for row in rows if _matches(row, wanted)])


_JOINED = st.sampled_from(
    [
        {},
        {"pea0": "pea*", "pea1": "pea*"},
        {"pea0": "pea*", "pea1": "pea*", "q_w": "q_*", "q_x": "q_*"},
    ]
)


@_fewer
@given(st.data(), activity_rows(), st.integers(1, 8), _JOINED)
def test_the_longest_come_first(data: st.DataObject, rows: Rows, count: int, joined: dict[str, str]) -> None:
    """The longest are the head of all intervals by length, then start, then place in the file.

    Idle ones are there only if states are named; of members of a group that do the same in one firing, the first is.
    """
    wanted = data.draw(trace_selections(rows))
    with _stored(rows) as stored:
        found = longest(stored, wanted, count, joined).to_pylist()
    matching = _with_cycles([row for row in rows if _matches(row, wanted)])
    ordered = sorted(
        (row for row in matching if wanted.states or row["state"] != "idle"),
        key=lambda row: (-row["cycles"], row["start_cycle"]),
    )
    expected: Rows = []
    for row in ordered:
        alike = [row[key] for key in ("state", "layer", "m", "n", "k")]
        alike += [joined.get(row["component"], row["component"]), joined.get(row["cause"], row["cause"])]
        if row["component"] not in joined or alike not in [each["alike"] for each in expected]:
            expected.append(row | {"alike": alike})
    for row in expected:
        del row["alike"]
    assert found == expected[:count]


@_fewer
@given(st.data(), activity_rows(), st.lists(st.sampled_from(GROUP_KEYS), min_size=1, max_size=3, unique=True), _JOINED)
def test_groups_add_up(data: st.DataObject, rows: Rows, keys: list[str], joined: dict[str, str]) -> None:
    """A group has the recorded cycles of its intervals in the range asked for, their number, the longest, a share.

    The share is one of the time of the components in question, of which there may be several.
    """
    # Rows are recorded whole, so a window may end anywhere in them.
    row = data.draw(st.sampled_from(rows))
    window = row["start_cycle"], data.draw(st.integers(row["start_cycle"] + 1, row["end_cycle"] + 20))
    rows = [row for row in rows if row["start_cycle"] < window[1] and row["end_cycle"] > window[0]]
    wanted = data.draw(trace_selections(rows))
    with _stored(rows, window) as stored:
        recorded = stored.recorded_cycles
        assume(wanted.from_cycle is None or wanted.from_cycle < recorded[1])
        assume(wanted.to_cycle is None or wanted.to_cycle > window[0])
        found = grouped(stored, wanted, keys, joined).to_pylist()
    lengths = defaultdict(list)
    for row in filter(lambda row: _matches(row, wanted), rows):
        start = max(row["start_cycle"], wanted.from_cycle or 0, window[0])
        end = min(row["end_cycle"], window[1], wanted.to_cycle or window[1])
        lengths[tuple(joined.get(row[key], row[key]) for key in keys)].append(end - start)
    span = min(recorded[1], wanted.to_cycle or recorded[1]) - max(recorded[0], wanted.from_cycle or 0)
    asked = [name for name in TRACED_COMPONENTS if not wanted.components or _is_any(name, wanted.components)]

    def members(names: tuple[str, ...]) -> int:
        of_row = dict(zip(keys, names, strict=True)).get("component")
        return sum(of_row in (None, joined.get(name, name)) for name in asked)

    assert found == [
        {
            **dict(zip(keys, names, strict=True)),
            "cycles": sum(cycles),
            "share": sum(cycles) / (span * members(names)),
            "intervals": len(cycles),
            "longest_cycles": max(cycles),
        }
        for names, cycles in sorted(lengths.items(), key=lambda item: (-sum(item[1]), item[0]))
    ]


def _is_any(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a small run with a full trace."""
    return _run(tmp_path_factory.mktemp("runs") / "small", TraceOptions())


def _run(folder: Path, trace: TraceOptions) -> StoredRun:
    layer = synthetic_layer(name="layer", M=70, K=40, N=20, rho_w=0.3, rho_x=0.6, seed=3)
    run(Scenario("small", layer, values=False), RunOptions(folder, trace=trace, engine="reference"))
    return open_run(folder)


def test_groups_of_a_run_equal_its_summary(traced: StoredRun) -> None:
    """The cycles by component and state are those of summary.json."""
    found = {
        (row["component"], row["state"]): row["cycles"]
        for row in grouped(traced, Selection(), ["component", "state"]).to_pylist()
    }
    components = traced.summary.to_json()["components"]
    assert found == {(name, state): n for name, states in components.items() for state, n in states.items() if n}


@pytest.mark.parametrize(
    ("wanted", "joined"),
    [
        (Selection(), {**{f"pea{n}": "pea*" for n in range(16)}, **{f"q_sum{n}": "q_sum*" for n in range(16)}}),
        (Selection(("pea1", "pea3", "ppu")), {"pea1": "pea*", "pea3": "pea*"}),
        (Selection(("pea1?",)), {f"pea{n}": "pea*" for n in range(10, 16)}),
        (Selection(("pea3", "ppu"), causes=("q_pea7",)), {}),
        (Selection(("dispatcher",), causes=("q_pea1", "q_pea2")), {"q_pea1": "q_pea*", "q_pea2": "q_pea*"}),
    ],
)
def test_several_members_of_a_group_are_one(traced: StoredRun, wanted: Selection, joined: dict[str, str]) -> None:
    """Members of a group get one name where the selection has several of them, and their queues likewise."""
    found = joined_names(traced, wanted)
    parts = {name for name in found if name.startswith("pea")}
    assert parts == {name for name in joined if name.startswith("pea")}
    assert found.items() >= joined.items()
    if wanted.causes:
        assert found == joined


def test_shares_of_a_whole_run_are_those_of_its_summary(traced: StoredRun) -> None:
    """A component that is always recorded has a share of 1, also the PEAs together; busy shares are the summary's."""
    joined = joined_names(traced, Selection())
    assert {row["share"] for row in grouped(traced, Selection(), ["component"], joined).to_pylist()} == {1.0}
    summary = traced.summary
    assert summary is not None
    shares = {
        row["component"]: row["share"]
        for row in grouped(traced, Selection(states=("busy",)), ["component"], joined).to_pylist()
    }
    busy = [summary.components[f"pea{n}"][State.BUSY] for n in range(16)]
    assert shares["pea*"] == pytest.approx(sum(busy) / 16 / summary.makespan_cycles)
    assert shares["ppu"] == pytest.approx(summary.components["ppu"][State.BUSY] / summary.makespan_cycles)


def test_occupancies_are_the_changes_in_the_range(traced: StoredRun) -> None:
    """Queues are found by glob, with the changes from the first cycle to before the last."""
    found = occupancies(traced, Selection(("q_?", "WMEM"), from_cycle=100, to_cycle=200)).read_all().to_pylist()
    every = traced.dataset("queues").to_table().to_pylist()
    wanted = [row for row in every if row["queue"] in {"q_w", "q_x", "q_o", "WMEM"} and 100 <= row["cycle"] < 200]
    assert found == wanted
    assert len(wanted) > 5


@pytest.mark.parametrize("name", ["dram0", "x_dma"])
def test_accesses_are_found_by_channel_and_by_port(traced: StoredRun, name: str) -> None:
    """A channel gives its own accesses, a stream those that it asked for; cycles are those on the bus."""
    found = accesses(traced, Selection((name,), from_cycle=60)).read_all().to_pylist()
    every = traced.dataset("dram").to_table().to_pylist()
    assert found == [row for row in every if name in (row["channel"], row["port"]) and row["end_cycle"] > 60]
    assert 0 < len(found) < len(every)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (Selection(("pea77",)), r"component: found 'pea77'; accepted: one of w_dma, .* Did you mean 'pea7'\?"),
        (Selection(("w_dma", "q_*")), r"component: found 'q_\*'; accepted: one of w_dma, x_dma"),
        (Selection(states=("bussy",)), r"state: found 'bussy'; .* idle, stall\. Did you mean 'busy'\?"),
        (Selection(causes=("wmem",)), r"cause: found 'wmem'; accepted: one of .*q_w"),
        (Selection(layers=("layr",)), r"layer: found 'layr'; accepted: one of layer\. Did you mean 'layer'\?"),
        (Selection(from_cycle=7, to_cycle=7), "cycles: found the empty range 7 to 7; accepted: A to B with A < B"),
        (
            Selection(from_cycle=10**9),
            r"cycles: found 1000000000 to the last; accepted: what overlaps the recorded cycles",
        ),
    ],
)
def test_what_a_run_does_not_have_is_refused(traced: StoredRun, wanted: Selection, message: str) -> None:
    """Unknown names get the nearest one, cycles the range that was recorded, before a row is read."""
    with pytest.raises(ConfigError, match=message):
        intervals(traced, wanted)


def test_an_exact_name_is_no_glob() -> None:
    """A layer whose name has the signs of a glob is found by its name alone."""
    row = dict.fromkeys(_TRACED.names, 0) | {
        "end_cycle": 4,
        "component": "pea0",
        "state": "busy",
        "cause": "",
        "cause_component": "",
    }
    with _stored([row | {"layer": "l[1]"}, row | {"layer": "l1"}]) as stored:
        run_of_two = replace(stored, layer_names=("l[1]", "l1"))
        found = intervals(run_of_two, Selection(layers=("l[1]",))).read_all()
    assert found["layer"].to_pylist() == ["l[1]"]


def test_the_longest_are_found_behind_many_alike() -> None:
    """However many intervals one row stands for, the next longest are still found."""
    row = dict.fromkeys(_TRACED.names, 0) | {
        "layer": "first",
        "cause": "q_w",
        "cause_component": "",
        "state": "starved",
    }
    lengths = [("pea0", cycles) for cycles in range(60, 20, -1)] + [("pea1", 61), ("w_dma", 3), ("dram0", 2)]
    rows = [row | {"component": component, "end_cycle": cycles} for component, cycles in lengths]
    with _stored(rows) as stored:
        joined = {"pea0": "pea*", "pea1": "pea*"}
        found = longest(stored, Selection(), 3, joined).to_pylist()
        everything = longest(stored, Selection(), 1000, joined).num_rows
    assert [(each["component"], each["cycles"]) for each in found] == [("pea1", 61), ("w_dma", 3), ("dram0", 2)]
    assert everything == 3


def test_queues_and_accesses_know_no_states(traced: StoredRun) -> None:
    """A state, cause, layer or tile of a table that has none is refused."""
    with pytest.raises(
        ConfigError, match=r"queues: found a state, cause, layer or tile; accepted: components and cycles"
    ):
        occupancies(traced, Selection(states=("busy",)))
    with pytest.raises(ConfigError, match="dram: found a state, cause, layer or tile"):
        accesses(traced, Selection(tile=(1, None, None)))
    with pytest.raises(ConfigError, match=r"queue: found 'q_q'; accepted: one of .* Did you mean 'q_"):
        occupancies(traced, Selection(("q_q",)))


def test_other_keys_and_counts_are_refused(traced: StoredRun) -> None:
    """Groups need a known key, the longest a count."""
    with pytest.raises(ConfigError, match=r"group-by: found 'caus'; accepted: one of .* Did you mean 'cause'\?"):
        grouped(traced, Selection(), ["caus"])
    with pytest.raises(ConfigError, match="group-by: found ''; accepted: one of component"):
        grouped(traced, Selection(), [])
    with pytest.raises(ConfigError, match="longest: found 0; accepted: a whole number >= 1"):
        longest(traced, Selection(), 0)


def test_a_table_without_rows_says_how_to_get_some(tmp_path: Path) -> None:
    """A window behind the end of the run is named, and for queues of a trace of stalls the options."""
    with pytest.raises(
        ConfigError, match=r"--window 100000000:1000000000 of the run lay behind its end at \d+; .* before cycle \d+"
    ):
        intervals(_run(tmp_path / "late", TraceOptions(window=(10**8, 10**9))), Selection())
    with pytest.raises(
        ConfigError, match=r"no row in queues\.parquet; .* --trace full and without --window, or one in which"
    ):
        occupancies(_run(tmp_path / "stalls", TraceOptions("stalls")), Selection())


@pytest.mark.parametrize(
    ("text", "tile"), [("3,*,0", (3, None, 0)), ("*,*,*", (None, None, None)), (" 1, 2 ,3", (1, 2, 3))]
)
def test_tiles(text: str, tile: tuple[int | None, ...]) -> None:
    """A tile is three coordinates, any of which may be left open."""
    assert parse_tile(text) == tile


@pytest.mark.parametrize("text", ["3,4", "3,4,5,6", "a,b,c", "-1,0,0", "", "²,0,0"])
def test_other_tiles_are_refused(text: str) -> None:
    """Any other text is refused with an example."""
    with pytest.raises(ConfigError, match=r"tile: found .*; accepted: m,n,k, .* For example 3,\*,0"):
        parse_tile(text)


def test_a_listing_needs_the_memory_of_one_row_group(tmp_path: Path) -> None:
    """However long a trace is and however slowly it is read, only about a row group of it is in memory."""
    rows, groups = 65_536, 24
    one = pa.array(["x"], pa.string()).dictionary_encode()
    columns = [
        pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), one.dictionary)
        if pa.types.is_dictionary(field.type)
        else pa.array(np.arange(rows), field.type)
        for field in ACTIVITIES
    ]
    table = pa.table(columns, schema=ACTIVITIES)
    with pq.ParquetWriter(tmp_path / "activities.parquet", ACTIVITIES) as writer:
        for _ in range(groups):
            writer.write_table(table)
    before, seen, most = pa.total_allocated_bytes(), 0, 0
    for batch in intervals(bare_run(tmp_path, {}, ()), Selection()):
        seen += batch.num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    assert seen == rows * groups
    assert most < 4 * table.nbytes
