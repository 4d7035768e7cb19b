"""Runs side by side: every figure is that of its run, and the largest difference comes first."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stored_runs import RUNS, rows, small_run

from panacea_sim.analysis.comparison import Comparison, Timing, compare_runs, layer_pieces, run_labels, timing
from panacea_sim.analysis.comparison.naming import namings
from panacea_sim.analysis.comparison.rows import Figures, Value, section
from panacea_sim.energy.charging import Charging
from panacea_sim.energy.energy import CATEGORIES, energy_of
from panacea_sim.energy.table import energy_table
from panacea_sim.errors import ConfigError
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun, open_run

SCHEMA_1 = Path(__file__).parents[1] / "trace" / "data" / "schema_1"
VALUES = st.one_of(
    st.integers(0, 50), st.floats(0, 50, allow_nan=False), st.booleans(), st.sampled_from(["on", "off"]), st.none()
)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoredRun, StoredRun]:
    """Return a run with 16 PEAs and two channels, and one with 4 PEAs and a single slow channel."""
    folder = tmp_path_factory.mktemp("pair")
    slow = small_run(folder / "slow", dram="ideal", dram_channels=1, dram_bytes_per_cycle=4, n_pea=4)
    return small_run(folder / "fast"), slow


@pytest.fixture(scope="module")
def compared(pair: tuple[StoredRun, StoredRun]) -> Comparison:
    """Return the two side by side."""
    return compare_runs(pair)


def _values(comparison: Comparison, name: str) -> dict[tuple[str, ...], tuple[Value | None, ...]]:
    return {row.key: row.values for row in comparison.section(name).rows}


def _plain_difference(order: str, base: Value | None, other: Value | None) -> Fraction:
    """Return what docs/files.md says of two figures that both runs know, a second time and in fractions."""
    if order == "absolute":
        return abs(Fraction(other or 0) - Fraction(base or 0))  # type: ignore[arg-type]  # numbers alone
    words = (str, bool, type(None))
    if isinstance(base, words) or isinstance(other, words):
        return Fraction(not (type(base) is type(other) and base == other))
    if base == other:
        return Fraction(0)
    return abs(Fraction(other) - Fraction(base)) / max(abs(Fraction(base)), abs(Fraction(other)))


@given(
    st.sampled_from(["absolute", "relative"]),
    st.lists(st.dictionaries(st.sampled_from("abcdef"), VALUES, max_size=6), min_size=2, max_size=4),
)
def test_the_largest_difference_to_the_first_run_comes_first(
    order: str, of_runs: list[dict[str, Value | None]]
) -> None:
    """Rows come in falling order of the largest difference that a plain second writing finds, equal ones as found."""
    if order == "absolute":
        of_runs = [{key: value for key, value in run.items() if type(value) in {int, float}} for run in of_runs]
    figures: list[Figures | None] = [{(key,): value for key, value in run.items()} for run in of_runs]
    found = section("figures", ("figure",), "", order, figures)  # type: ignore[arg-type]  # one of the two
    base, *others = of_runs
    differences: dict[str, Fraction] = {}
    for key in dict.fromkeys(key for run in of_runs for key in run):
        # None is what a run does not know; what is not there it does not have.
        known = [run for run in others if base.get(key, 0) is not None and run.get(key, 0) is not None]
        each = [_plain_difference(order, base.get(key), run.get(key)) for run in known]
        differences[key] = max(each, default=Fraction(0))
    expected = sorted(differences, key=lambda key: -float(differences[key]))
    assert [row.key[0] for row in found.rows] == expected
    for row in found.rows:
        assert row.difference == pytest.approx(float(differences[row.key[0]]), abs=1e-12)
        assert row.values == tuple(run.get(row.key[0]) for run in of_runs)


def test_groups_differ_by_their_means() -> None:
    """A sum over 4 members beside one over 2 is larger, but what is ordered and shown are the means."""
    figures: list[Figures] = [{("pea", "busy"): 40, ("ppu", "busy"): 5}, {("pea", "busy"): 20, ("ppu", "busy"): 7}]
    members: list[Mapping[str, int]] = [{"pea": 4, "ppu": 1}, {"pea": 2, "ppu": 1}]
    found = section("states", ("component", "state"), "cycles", "absolute", figures, members)
    assert [row.key[0] for row in found.rows] == ["ppu", "pea"]
    assert [row.difference for row in found.rows] == [2, 0]
    assert found.rows[1].values == (40, 20)
    assert found.rows[1].shown == (10, 10)


def test_states_are_those_of_the_summaries(pair: tuple[StoredRun, StoredRun], compared: Comparison) -> None:
    """Cycles of a state are the sum over the members of a group, in both runs, and all states are there."""
    found = _values(compared, "states")
    for number, run in enumerate(pair):
        assert run.summary is not None
        for state in State:
            peas = [cycles[state] for name, cycles in run.summary.components.items() if name.startswith("pea")]
            assert found["pea", state.value][number] == sum(peas)
            assert found["ppu", state.value][number] == run.summary.components["ppu"][state]
    assert len(found) == len({key[0] for key in found}) * len(State)
    members = {row.key[0]: row.members for row in compared.section("states").rows}
    assert members["pea"] == (16, 4)
    assert members["dram*"] == (2, 1)


def test_stalls_add_up_to_the_states(compared: Comparison) -> None:
    """The stalls of a group in a state, over all causes, are its cycles in that state, in every run."""
    states, sums = _values(compared, "states"), dict[tuple[str, ...], list[int]]()
    for (component, state, *_), values in _values(compared, "stalls").items():
        mine = sums.setdefault((component, state), [0, 0])
        for number, value in enumerate(values):
            assert isinstance(value, int)
            mine[number] += value
    stalled = {key: list(values) for key, values in states.items() if key[1] not in {"busy", "idle"} and any(values)}
    assert {key: values for key, values in sums.items() if any(values)} == stalled
    assert stalled


def test_queues_and_channels_have_one_name_in_both_runs(
    pair: tuple[StoredRun, StoredRun], compared: Comparison
) -> None:
    """One channel is called as two are, and causes lose the number of a member."""
    causes = {key[2] for key in _values(compared, "stalls")}
    assert "q_pea*" in causes
    assert not [cause for cause in causes if cause.startswith(("dram0", "dram1", "q_pea0"))]
    assert namings(pair)[1].cause("dram0:row") == "dram*:row"
    alone = namings(pair[1:] * 2)
    assert (alone[0].cause("dram0:row"), alone[0].channels) == ("dram0:row", "dram0")


def test_a_single_pea_is_called_as_several_are(pair: tuple[StoredRun, StoredRun], tmp_path: Path) -> None:
    """Queues of a run with one PEA have the name that those of 16 have beside it."""
    single = small_run(tmp_path / "single", n_pea=1)
    found = compare_runs([pair[0], single])
    blocked = _values(found, "stalls")["dispatcher", "blocked", "q_pea*", "pea*"]
    assert all(blocked)
    assert not [key for key in _values(found, "stalls") if "q_pea0" in key or "pea0" in key]


def test_bytes_and_work_are_those_of_the_summaries(pair: tuple[StoredRun, StoredRun], compared: Comparison) -> None:
    """Bytes, tiles, operators and actions are the figures of each run's summary."""
    moved, work, actions = (_values(compared, name) for name in ("bytes", "work", "actions"))
    for number, run in enumerate(pair):
        summary = run.summary
        assert summary is not None
        assert moved["read_bytes",][number] == summary.dram.read_bytes
        assert moved["spilled_bytes",][number] == sum(layer.spilled_bytes for layer in summary.layers)
        assert work["tiles",][number] == summary.tiles
        assert work["macs",][number] == sum(layer.M * layer.K * layer.N for layer in summary.layers)
        assert work["dwo_use",][number] == summary.operators["dwo_busy"] / summary.operators["dwo_capacity"]
        steps = sum(counts.get("dwo_steps", 0) for counts in summary.actions.values())
        assert actions["pea", "dwo_steps"][number] == steps > 0


def test_configurations_differ_where_they_were_set(compared: Comparison) -> None:
    """Exactly the fields that were set differ; the device of a preset is a word."""
    differing = {row.key for row in compared.section("configuration").rows if row.difference}
    fields = ("dram", "dram_channels", "dram_bytes_per_cycle", "n_pea")
    assert differing == {("hardware", field) for field in fields}
    first = compared.section("configuration").rows[0]
    assert (first.key, first.values, first.difference) == (("hardware", "dram"), ("hbm2", "ideal"), 1.0)
    assert ("run", "schedule") in _values(compared, "configuration")


def test_layers_and_their_mapping(pair: tuple[StoredRun, StoredRun], compared: Comparison) -> None:
    """Layers have their cycles, and the mapping of each field by field."""
    layers, mapping = _values(compared, "layers"), _values(compared, "mapping")
    for number, run in enumerate(pair):
        assert run.summary is not None
        for layer in run.summary.layers:
            assert layers[layer.name,][number] == layer.end_cycle - layer.start_cycle
            assert mapping[layer.name, "loop_order"][number] == layer.loop_order
            assert mapping[layer.name, "rho_x"][number] == layer.rho_x


def test_layers_of_one_run_alone_have_no_mapping_to_compare(pair: tuple[StoredRun, StoredRun]) -> None:
    """Layers that a single run has are in the table of layers, absent in the other, but not in that of mappings."""
    found = compare_runs([pair[0], open_run(SCHEMA_1)])
    assert found.section("mapping").rows == ()
    assert {values.count(None) for values in _values(found, "layers").values()} == {1}


@pytest.mark.parametrize("name", ["partial", "stalls", "window", "700 MHz"])
def test_every_kind_of_run_can_be_compared(pair: tuple[StoredRun, StoredRun], name: str, tmp_path: Path) -> None:
    """Runs that are partial or recorded in part are accepted, and what is not known of them is said."""
    run = RUNS[name](tmp_path)
    found = compare_runs([pair[0], run])
    sentences = " ".join(found.runs[1].missing)
    expected = {"partial": "Partial: it has no totals", "stalls": "were not recorded", "window": "Only the cycles"}
    assert expected.get(name, "") in sentences
    assert bool(sentences) == (name in expected)
    assert found.section("configuration").rows[0].difference == 0 or name == "700 MHz"


def test_a_partial_run_has_what_its_rows_say(pair: tuple[StoredRun, StoredRun], tmp_path: Path) -> None:
    """States and stalls are sums of the recorded rows; what only a summary has is not known, and differs by nothing."""
    partial = RUNS["partial"](tmp_path)
    found = compare_runs([pair[0], partial])
    states, stalls = _values(found, "states"), _values(found, "stalls")
    cycles: dict[str, int] = {}
    causes: dict[str, int] = {}
    for row in rows(partial, "activities"):
        if row["component"].startswith("pea"):
            length = row["end_cycle"] - row["start_cycle"]
            cycles[row["state"]] = cycles.get(row["state"], 0) + length
            if row["state"] == "starved":
                causes["q_pea*"] = causes.get("q_pea*", 0) + length
    assert {state: states["pea", state][1] for state in cycles} == cycles
    assert stalls["pea", "starved", "q_pea*", "dispatcher"][1] == causes["q_pea*"] > 0
    for name in ("bytes", "work", "layers", "actions"):
        assert {row.values[1] for row in found.section(name).rows} == {None}
        assert {row.difference for row in found.section(name).rows} == {0}


@pytest.mark.parametrize("table", ["default", "bitfusion"])
def test_energy_is_that_of_each_run(pair: tuple[StoredRun, StoredRun], tmp_path: Path, table: str) -> None:
    """The total, every category and component have the nominal figure and the range that the run has by itself."""
    slow = small_run(tmp_path / "slow", dram="ddr4_3200", n_pea=4, codec_bytes_per_cycle=1)
    figures = energy_table(table)
    found = compare_runs([pair[0], slow], (), Charging(figures)).section("energy")
    assert [row.difference for row in found.rows] == sorted((row.difference for row in found.rows), reverse=True)
    values, spans = ({row.key: getattr(row, what) for row in found.rows} for what in ("values", "spans"))
    for number, run in enumerate((pair[0], slow)):
        assert run.summary is not None
        alone = energy_of(run.summary, figures).run
        wanted = {("run", "total"): alone.total}
        wanted |= {("category", name): alone.of_category(name) for name in CATEGORIES}
        wanted |= {("component", name): alone.of_component(name) for name in alone.components}
        assert wanted.keys() == values.keys()
        for key, pj in wanted.items():
            assert pj is not None
            assert values[key][number] == float(pj.nominal)
            assert spans[key][number] == (float(pj.low), float(pj.high))


def test_energy_without_a_figure_is_not_known(pair: tuple[StoredRun, StoredRun], tmp_path: Path) -> None:
    """A run on ideal memory has that of its core alone, a partial one and one of schema 1 none; the run says why."""
    found = compare_runs([*pair, RUNS["partial"](tmp_path), open_run(SCHEMA_1)])
    values = _values(found, "energy")
    assert [value is None for value in values["run", "total"]] == [False, True, True, True]
    assert [value is None for value in values["category", "core"]] == [False, False, True, True]
    assert {row.difference for row in found.section("energy").rows if row.values[1] is None} == {0}
    reasons = [[each for each in run.missing if "energy" in each] for run in found.runs]
    assert reasons[0] == reasons[2] == []
    assert reasons[1] == ["Not all of its energy is known: the table 'default' has no DRAM figure for 'ideal'."]
    assert reasons[3] == [
        "Its energy is not known: found a run of an earlier version, which counted no elementary operations."
    ]


def test_states_that_were_not_recorded_are_not_known(pair: tuple[StoredRun, StoredRun], tmp_path: Path) -> None:
    """A partial run of which stalls alone were recorded does not know how long anything was busy."""
    stored = small_run(tmp_path / "stalls", TraceOptions("stalls"))
    partial = _as_partial(stored, tmp_path / "cut.partial")
    found = compare_runs([pair[0], partial])
    busy = next(row for row in found.section("states").rows if row.key == ("pea", "busy"))
    assert (busy.values[1], busy.difference) == (None, 0)
    starved = next(row for row in found.section("states").rows if row.key == ("pea", "starved"))
    assert starved.values[1]


def _as_partial(run: StoredRun, folder: Path) -> StoredRun:
    shutil.copytree(run.path, folder)
    names = ("schema", "scenario", "engine", "hardware", "clock_hz", "trace", "topology")
    summary = {key: run.heading.to_json()[key] for key in names}
    summary |= {"partial": True, "layers": [{"name": name} for name in run.layer_names]}
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return open_run(folder)


def test_schema_1_has_the_groups_of_the_other_run(tmp_path: Path) -> None:
    """A run without topology has the groups of another one with all of its components; what it lacks is said."""
    old = open_run(SCHEMA_1)
    new = small_run(tmp_path / "new")
    found = compare_runs([new, old])
    assert found.runs[1].missing[0] == "Schema 1: no groups of components, and its actions were not counted."
    components = {key[0] for key in _values(found, "states")}
    assert "pea" in components
    assert "pea0" not in components
    assert {row.values[1] for row in found.section("actions").rows} == {None}
    # Two runs that do not tell have each component alone.
    shutil.copytree(SCHEMA_1, tmp_path / "other")
    alone = compare_runs([old, open_run(tmp_path / "other")])
    assert "pea0" in {key[0] for key in _values(alone, "states")}


def test_other_machines_have_fields_and_parts_of_their_own(pair: tuple[StoredRun, StoredRun], tmp_path: Path) -> None:
    """Fields and components that one machine lacks are absent; the machine need not be known here."""
    other = shutil.copytree(pair[1].path, tmp_path / "other")
    scenario = (other / "scenario.yaml").read_text(encoding="utf-8")
    scenario = scenario.replace("machine: panacea", "machine: elsewhere").replace("n_dwo:", "array_rows:")
    (other / "scenario.yaml").write_text(scenario, encoding="utf-8")
    summary = (other / "summary.json").read_text(encoding="utf-8").replace('"ppu"', '"post"')
    (other / "summary.json").write_text(summary, encoding="utf-8")
    found = compare_runs([pair[0], open_run(other)])
    fields, states = _values(found, "configuration"), _values(found, "states")
    assert fields["hardware", "machine"] == ("panacea", "elsewhere")
    assert fields["hardware", "n_dwo"][1] is None
    assert fields["hardware", "array_rows"][0] is None
    assert states["ppu", "busy"][1] is None
    assert states["post", "busy"][0] is None
    absent = {row.key: row.difference for row in found.section("configuration").rows}
    assert absent["hardware", "n_dwo"] == absent["hardware", "array_rows"] == 1
    row = next(row for row in found.section("states").rows if row.key == ("post", "busy"))
    assert row.difference == row.values[1]


def test_a_device_of_the_users_own_is_compared_field_by_field(
    pair: tuple[StoredRun, StoredRun], tmp_path: Path
) -> None:
    """Where scenario.yaml has the content of a device, each of its fields is one."""
    other = shutil.copytree(pair[0].path, tmp_path / "other")
    scenario = (other / "scenario.yaml").read_text(encoding="utf-8")
    own = "dram: {name: mine, banks: 3, timing: {rcd: 7}}"
    (other / "scenario.yaml").write_text(scenario.replace("dram: hbm2", own), encoding="utf-8")
    fields = _values(compare_runs([pair[0], open_run(other)]), "configuration")
    assert fields["hardware", "dram"] == ("hbm2", "mine")
    assert fields["hardware", "dram.banks"] == (None, 3)
    assert fields["hardware", "dram.timing.rcd"] == (None, 7)


def test_a_folder_without_scenario_is_accepted(pair: tuple[StoredRun, StoredRun], tmp_path: Path) -> None:
    """Without scenario.yaml name and clock are known, and a sentence says so."""
    other = shutil.copytree(pair[0].path, tmp_path / "other")
    (other / "scenario.yaml").unlink()
    found = compare_runs([pair[0], open_run(other)])
    assert found.runs[1].missing == ("No scenario.yaml: of its hardware only name and clock are known.",)
    assert _values(found, "configuration")["hardware", "clock_hz"] == (10**9, 10**9)


def test_fewer_than_two_runs_and_the_same_twice_are_refused(pair: tuple[StoredRun, StoredRun]) -> None:
    """Both messages say what was found and what is accepted."""
    with pytest.raises(ConfigError, match=r"^compare: found 1 run; accepted: two or more run folders"):
        compare_runs(pair[:1])
    again = open_run(pair[1].path / ".." / pair[1].path.name)
    with pytest.raises(ConfigError, match=r"found \S+ twice; accepted: each run once"):
        compare_runs([*pair, again])


DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a part that is none": (
        lambda content: content["components"].update(nobody=content["components"]["ppu"]),
        r"summary\.json: components: found 'nobody'; accepted: the parts of its machine: w_dma",
    ),
    "stalls of nobody": (lambda content: content["stalls"].update(nobody=[]), r"summary\.json: stalls: found 'nobody'"),
    "actions of nobody": (lambda content: content["actions"].update(nobody={}), r"actions: found 'nobody'"),
    "a state less": (
        lambda content: content["components"]["ppu"].pop("idle"),
        r"components\.ppu: found the states busy, starved, blocked, contended, waiting; accepted: busy, .*idle\.",
    ),
    "no cycles": (lambda content: content.update(makespan_cycles=0), r"makespan_cycles: found 0; accepted: a whole"),
    "no capacity": (
        lambda content: content["operators"].pop("dwo_capacity"),
        r"operators\.dwo_capacity: found no cycle",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_summaries_that_contradict_themselves_are_refused(
    pair: tuple[StoredRun, StoredRun], damage: str, tmp_path: Path
) -> None:
    """Figures of parts that the machine does not have, and figures that are missing, are one message with the key."""
    change, message = DAMAGE[damage]
    other = shutil.copytree(pair[1].path, tmp_path / "other")
    content = json.loads((other / "summary.json").read_text(encoding="utf-8"))
    change(content)
    (other / "summary.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        compare_runs([pair[0], open_run(other)])


def test_labels_go_on_behind_z() -> None:
    """The 27th run is AA, the 53rd BA."""
    labels = run_labels(703)
    assert labels[:2] == ["A", "B"]
    assert (labels[25], labels[26], labels[52], labels[702]) == ("Z", "AA", "BA", "AAA")
    assert len(set(labels)) == 703


TIMINGS = st.lists(st.integers(0, 9), max_size=5).flatmap(
    lambda starts: st.integers(1, 12).map(
        lambda more: Timing(
            tuple(map(str, starts)), tuple(starts), tuple(start + 1 for start in starts), max([0, *starts]) + more
        )
    )
)


@given(st.lists(TIMINGS, min_size=1, max_size=4))
def test_layers_begin_at_the_same_place(runs: list[Timing]) -> None:
    """Cycle by cycle: each has one place, and layer i of all runs begins together, with no room lost."""
    pieces = layer_pieces(runs)
    # The plain writing: for each layer the latest place at which any run has done with the one before.
    count = max(len(run.starts) for run in runs)
    begins = [[max([0, *run.starts[: number + 1]]) for number in range(len(run.starts))] for run in runs]
    place_of_layer, place, before = [], 0, [0] * len(runs)
    for number in range(count):
        having = [i for i in range(len(runs)) if number < len(begins[i])]
        # A run that has no further layer needs room for what is left of it.
        ending = [i for i in range(len(runs)) if number == len(begins[i])]
        place += max([begins[i][number] - before[i] for i in having] + [runs[i].end_cycle - before[i] for i in ending])
        for i in having:
            before[i] = begins[i][number]
        place_of_layer.append(place)
    for run, mine, starts in zip(runs, pieces, begins, strict=True):
        for cycle in range(run.end_cycle):
            (piece,) = [each for each in mine if each.start <= cycle < each.end]
            layer = sum(start <= cycle for start in starts) - 1
            expected = cycle if layer < 0 else place_of_layer[layer] + cycle - starts[layer]
            assert cycle + piece.offset == expected
        assert all(piece.start < piece.end for piece in mine)


def test_layers_of_a_partial_run_are_those_of_its_rows(tmp_path: Path) -> None:
    """A partial run has begun a layer where something was busy with it first."""
    partial = RUNS["partial"](tmp_path)
    found = timing(partial)
    busy = [row for row in rows(partial, "activities") if row["state"] == "busy" and row["layer"]]
    for name, start, end in zip(found.names, found.starts, found.ends, strict=True):
        mine = [row for row in busy if row["layer"] == name]
        assert (start, end) == (min(row["start_cycle"] for row in mine), max(row["end_cycle"] for row in mine))
    assert found.names == partial.layer_names


@dataclass(frozen=True)
class _Row:
    component: str
    kind: str
    cause: str
    cycles: int


@dataclass(frozen=True)
class _Limit:
    name: str
    kind: str
    stalled_cycles: int


@dataclass(frozen=True)
class _Cause:
    component: str
    terminal: str
    cycles: int


@dataclass(frozen=True)
class _Explanation:
    path: tuple[_Row, ...] | None
    classes: dict[str, int]
    limits: tuple[_Limit, ...] = ()
    root_causes: tuple[_Cause, ...] = ()


def test_explanations_are_compared(pair: tuple[StoredRun, StoredRun]) -> None:
    """Paths, classes, limits and root causes of explained runs stand side by side, with one name for what is alike."""
    fast = _Explanation(
        (
            _Row("w_dma", "transfer", "dram0", 60),
            _Row("w_dma", "transfer", "dram1", 40),
            _Row("pea", "service", "dwo", 9),
        ),
        {"bandwidth": 100, "compute of pea": 9},
        (_Limit("q_pea3", "queue", 7), _Limit("w_dma behind o_dma on dram1", "order", 5)),
        (_Cause("pea0", "transfer of w_dma on dram0", 16), _Cause("pea1", "transfer of w_dma on dram1", 16)),
    )
    slow = _Explanation(
        (_Row("w_dma", "transfer", "dram0", 400), _Row("pea", "service", "dwo", 9)),
        {"bandwidth": 400, "compute of pea": 9},
        (_Limit("q_pea0", "queue", 4),),
        (_Cause("pea0", "transfer of w_dma on dram0", 80),),
    )
    found = compare_runs(pair, [fast, slow])
    path = found.section("critical_path")
    assert [(row.key, row.values, row.difference) for row in path.rows] == [
        (("w_dma", "transfer", "dram*"), (100, 400), 300),
        (("pea", "service", "dwo"), (9, 9), 0),
    ]
    assert _values(found, "classes") == {("bandwidth",): (100, 400), ("compute of pea",): (9, 9)}
    assert _values(found, "limits") == {
        ("w_dma behind o_dma on dram*", "order"): (5, 0),
        ("q_pea*", "queue"): (7, 4),
    }
    (cause,) = found.section("root_causes").rows
    assert (cause.key, cause.values, cause.members) == (("pea", "transfer of w_dma on dram*"), (32, 80), (16, 4))
    assert cause.difference == 18


def test_runs_that_are_not_explained_differ_by_nothing(pair: tuple[StoredRun, StoredRun]) -> None:
    """Beside an explained run another one without has no figures; a window has root causes and no path."""
    one = _Explanation((_Row("ppu", "service", "", 5),), {"compute of ppu": 5}, (), (_Cause("ppu", "ppu busy", 3),))
    found = compare_runs(pair, [one, None])
    for name in ("critical_path", "classes", "root_causes"):
        (row,) = found.section(name).rows
        assert (row.values[1], row.difference) == (None, 0)
    window = _Explanation(None, {}, (), (_Cause("ppu", "ppu busy", 7),))
    found = compare_runs(pair, [one, window])
    assert found.section("root_causes").rows[0].values == (3, 7)
    assert found.section("critical_path").rows[0].values == (5, None)
    other = _Explanation((_Row("encoder", "service", "", 4),), {"compute of encoder": 4})
    found = compare_runs(pair, [one, other])
    assert _values(found, "critical_path") == {("ppu", "service", ""): (5, 0), ("encoder", "service", ""): (0, 4)}
    assert compare_runs(pair).section("root_causes").rows == ()
