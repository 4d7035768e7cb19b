"""What-if: which machines are tried, that each row is a run that anybody can repeat, and that reruns are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from strategies import scenarios

from panacea_sim.analysis.whatif import WhatIf, WhatIfRow, stored_whatif
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running import host_memory
from panacea_sim.running.planning import AS_SCENARIO, GivenMapping, Planning
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.whatif.base import Base, read_base
from panacea_sim.running.whatif.explore import Exploration
from panacea_sim.running.whatif.reruns import Record, Rerun, rerun
from panacea_sim.running.whatif.store import opened_store
from panacea_sim.running.whatif.variants import variants_of
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.synthetic import synthetic_layer

MACHINE: dict[str, object] = {
    "n_pea": 2,
    "tile_k": 8,
    "tile_n": 8,
    "n_dwo": 1,
    "n_swo": 2,
    "dram": "ideal",
    "dram_channels": 1,
    "dram_bytes_per_cycle": 2,
    "wmem_bytes": 2048,
    "amem_bytes": 1024,
    "omem_bytes": 4096,
    "psum_bytes": 1024,
}
LAYER = synthetic_layer(24, 40, 20, 0.3, 0.6, seed=1)
QUIET = RunOptions(trace=TraceOptions("off"))


def _scenario(**changes: object) -> Scenario:
    return Scenario("small", LAYER, settings=MACHINE | changes, values=False)


def _explored(base: Base, out: Path, knobs: Sequence[str] = (), told: list[int] | None = None) -> WhatIf:
    """Return the results; `told` gets one entry for each rerun."""
    variants = variants_of(base.scenario.resolved_hardware(), knobs)
    with opened_store(base, out) as store:
        done = [] if told is None else told
        return Exploration(base, variants, store, 1).run(lambda number, _: done.append(number))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> WhatIf:
    """Return all that is found of a small machine."""
    return _explored(Base(_scenario(), Path("unused")), tmp_path_factory.mktemp("whatif") / "out")


def test_the_list_of_a_small_machine(found: WhatIf) -> None:
    """Written down by hand: every field of which a machine with one ideal channel can have another one."""
    doubled_and_halved = {
        "n_pea": 2,
        "tile_k": 8,
        "tile_n": 8,
        "n_swo": 2,
        "n_cs": 4,
        "pea_latency_cycles": 8,
        "accumulator_lanes": 64,
        "ppu_lanes": 32,
        "wmem_bytes": 2048,
        "amem_bytes": 1024,
        "omem_bytes": 4096,
        "psum_bytes": 1024,
        "queue_depth": 2,
        "codec_bytes_per_cycle": 32,
        "sram_bytes_per_cycle": 64,
        "omem_bytes_per_cycle": 256,
        "dram_bytes_per_cycle": 2,
        "dram_latency_cycles": 50,
        "outstanding": 4,
    }
    wanted = {(name, value, after) for name, value in doubled_and_halved.items() for after in (2 * value, value // 2)}
    wanted |= {("n_dwo", 1, 2)}  # half of one operator is none
    wanted |= {("n_dwo+n_swo", "1+2", "2+1")}
    wanted |= {(f"{stream}_dma_priority", 0, "first") for stream in "wxos"}
    assert {(row.knob, row.before, row.after) for row in found.of_kind("step")} == wanted
    assert len(found.of_kind("step")) == len(wanted) == 44
    assert {row.knob for row in found.of_kind("ideal")} == {
        "infinite_bandwidth",
        "unbounded_queues_and_memories",
        "perfect_balance",
    }
    refused = [each for each in found.not_tried if each.knob == "n_dwo = 0"]
    assert [each.reason for each in refused] == ["accepted: a whole number in 1 .. 65536"]
    silent = {each.knob for each in found.not_tried if each.reason == "it does not count on this machine"}
    assert silent == {
        "dram_channels",
        "dram_map",
        "dram_policy",
        "dram_age_cap_cycles",
        "dram_page",
        "interleave_bytes",
        "vmem_bytes",
    }


def _by_hand(row: WhatIfRow, mapping: dict[str, object]) -> int | None:
    """Return the cycles of the scenario with the settings of a row, as --set gives them; None if it does not fit."""
    try:
        return run(_scenario(**(row.settings | mapping)), QUIET).summary.makespan_cycles
    except MappingError:
        return None


def test_every_row_is_a_run_that_anybody_can_repeat(found: WhatIf) -> None:
    """The settings of a row give its cycles; with the base's loop order and stack height those of the held mapping."""
    base = run(_scenario(), QUIET).summary
    (layer,) = base.layers
    held = {"loop_order": layer.loop_order, "dtp": "on" if layer.double_tile else "off"}
    assert found.makespan_cycles == base.makespan_cycles
    for row in found.rows:
        if row.knob == "perfect_balance":
            continue  # no settings make it
        assert row.kind != "data"
        assert row.settings
        assert row.cycles_planned == _by_hand(row, {}), row
        assert row.cycles_held == _by_hand(row, held), row
        for cycles, gain in ((row.cycles_planned, row.gain_planned), (row.cycles_held, row.gain_held)):
            wanted = None if cycles is None else (base.makespan_cycles - cycles) / base.makespan_cycles
            assert (gain and gain.share) == wanted
            assert (gain and gain.cycles) == (None if cycles is None else base.makespan_cycles - cycles)
    assert any(row.cycles_held != row.cycles_planned for row in found.rows)


def test_what_no_longer_fits_says_why(tmp_path: Path) -> None:
    """A memory that holds just enough: halved, nothing fits, and both cycles and gains are null."""
    tight = _scenario(wmem_bytes=120)
    assert run(tight, QUIET).summary.makespan_cycles
    found = _explored(Base(tight, Path("unused")), tmp_path / "out", ["wmem_bytes"])
    larger, halved = found.of_kind("step")
    assert (larger.after, halved.after) == (240, 60)
    assert (halved.cycles_held, halved.cycles_planned, halved.gain_held, halved.gain_planned) == (None,) * 4
    assert "WMEM" in str(halved.obstacle_held)
    assert halved.obstacle_planned == halved.obstacle_held


def test_a_mapping_that_is_held_may_not_fit_where_another_does(tmp_path: Path) -> None:
    """Then only the gain with the mapping held is missing, with the reason."""
    scenario = replace(_scenario(spill="refuse", loop_order="auto", dtp="auto"), layer=(LAYER,))
    base = Base(scenario, Path("unused"))
    for order in ("kmn", "knm", "mkn", "nkm"):
        fixed = replace(scenario, settings={**scenario.settings, "loop_order": order})
        try:
            mapped = run(fixed, QUIET).summary
        except MappingError:
            continue
        needed = int(mapped.queues["PSUM"].high_water)
        settings = {**scenario.settings, "psum_bytes": needed}
        held = (GivenMapping(order, 2 if mapped.layers[0].double_tile else 1),)
        base = Base(replace(scenario, settings=settings), Path("unused"), None, held)
        break
    found = _explored(base, tmp_path / "out", ["psum_bytes"])
    halved = next(row for row in found.rows if row.after == needed // 2)
    assert halved.cycles_planned is not None
    assert halved.cycles_held is None
    assert halved.gain_held is None
    assert "partial sums" in str(halved.obstacle_held)


def test_rows_are_ranked_by_the_gain_planned_anew(found: WhatIf) -> None:
    """Steps, then pairs, then ideals; in each the largest gain first, and what does not fit last."""
    assert [row.kind for row in found.rows] == sorted(
        (row.kind for row in found.rows), key=["step", "pair", "ideal"].index
    )
    for kind in ("step", "pair", "ideal"):
        cycles = [row.cycles_planned for row in found.rows if row.kind == kind]
        fitting = [each for each in cycles if each is not None]
        assert fitting == sorted(fitting)
        assert cycles[len(fitting) :] == [None] * (len(cycles) - len(fitting))


def test_pairs_are_of_the_best_steps(found: WhatIf) -> None:
    """The four knobs that gain most, each at its best, two by two unless they turn the same field."""
    best: dict[str, WhatIfRow] = {}
    for row in found.of_kind("step"):
        assert row.gain_planned is not None or row.cycles_planned is None
        if row.gain_planned is not None and row.gain_planned.cycles > 0:
            best.setdefault(row.knob, row)
    four = list(best.values())[:4]
    wanted = {
        f"{one.knob} & {other.knob}": one.settings | other.settings
        for number, one in enumerate(four)
        for other in four[number + 1 :]
        if not set(one.settings) & set(other.settings)
    }
    assert {row.knob: row.settings for row in found.of_kind("pair")} == wanted
    assert len(wanted) >= 5


def test_costs_are_those_of_the_machine(found: WhatIf) -> None:
    """Against the base: multipliers of all PEAs, bytes of memories, bytes a cycle of DRAM; ideals have none."""
    rows = {(row.knob, row.after): row.cost for row in found.rows}

    def cost(knob: str, after: int | str) -> tuple[int | None, int, float]:
        found_cost = rows[knob, after]
        assert found_cost is not None
        return found_cost.multipliers, found_cost.sram_bytes, found_cost.dram_bytes_per_cycle

    assert cost("n_pea", 4) == (2 * 3 * 16, 0, 0)
    assert cost("n_dwo", 2) == (2 * 16, 0, 0)
    assert cost("n_dwo+n_swo", "2+1") == (0, 0, 0)
    assert cost("wmem_bytes", 1024) == (0, -1024, 0)
    assert cost("psum_bytes", 2048) == (0, 0, 0)  # a part of OMEM
    assert cost("dram_bytes_per_cycle", 4) == (0, 0, 2)
    assert rows["perfect_balance", ""] is None


def test_knobs_can_be_named(tmp_path: Path) -> None:
    """Only those are run, in their best pairs; whatif.json keeps what was found before."""
    base = Base(_scenario(), Path("unused"))
    first = _explored(base, tmp_path / "out", ["hardware.n_pea", "n_cs"])
    assert {row.knob for row in first.of_kind("step")} == {"n_pea", "n_cs"}
    assert first.of_kind("ideal") == []
    second = _explored(base, tmp_path / "out", ["perfect_balance"])
    assert [row.knob for row in second.rows] == ["perfect_balance"]
    kept = stored_whatif(tmp_path / "out")
    assert kept is not None
    assert {row.identity for row in kept.rows} == {row.identity for row in (*first.rows, *second.rows)}
    assert kept.key == second.key
    other = _explored(Base(_scenario(n_cs=8), Path("unused")), tmp_path / "out", ["n_pea"])
    kept = stored_whatif(tmp_path / "out")
    assert kept == other  # another base: nothing of the earlier one is left


@pytest.mark.parametrize(
    ("knob", "message"),
    [
        ("n_peas", r"^--knob: found 'n_peas'; accepted: tile_k, .*\. Did you mean 'n_pea'\?$"),
        ("dram_page", r"^--knob: found 'dram_page', which is not tried: it does not count on this machine; accepted: "),
        ("clock_hz", r"^--knob: found 'clock_hz', which is not tried: gains are counted in its cycles; accepted: "),
    ],
)
def test_unknown_knobs(knob: str, message: str) -> None:
    """One message with the nearest name, or with the reason why it is no knob here."""
    with pytest.raises(ConfigError, match=message):
        variants_of(load_hardware("panacea", MACHINE), ["n_pea", knob])


def test_reruns_are_kept(tmp_path: Path, found: WhatIf) -> None:
    """The second time nothing runs; a record that is gone or damaged runs again; the rows are the same."""
    base, told = Base(_scenario(), Path("unused")), list[int]()
    first = _explored(base, tmp_path / "out", told=told)
    assert first == found
    records = sorted((tmp_path / "out" / "reruns").iterdir())
    assert len(records) == len(told)
    again = list[int]()
    assert _explored(base, tmp_path / "out", told=again) == found
    assert again == []
    records[0].unlink()
    records[1].write_text('{"cycles": ', encoding="utf-8")
    records[2].write_text("[]", encoding="utf-8")
    assert _explored(base, tmp_path / "out", told=again) == found
    assert len(again) == 3


def test_records_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Cycles and mappings of a network, equal ones counted; and obstacles."""
    layers = tuple(MaskedLayer(f"layer{number}", 20, 24, 8 + 8 * (number > 1), 0.2, 0.5, number) for number in range(4))
    scenario = Scenario("network", layers, settings=MACHINE, values=False, schedule="barrier", mapping="class")
    record = rerun(Rerun("key", scenario, AS_SCENARIO, "compiled"))
    assert len(record.mappings) == 4
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record
    obstacle = Record(None, obstacle="it does not fit")
    assert Record.from_json(obstacle.to_json()) == obstacle
    base = Base(scenario, Path("unused"))
    rows = _explored(base, tmp_path / "out", ["n_dwo", "wmem_bytes"]).rows
    changed = replace(scenario, settings={**MACHINE, "n_dwo": 2})
    wanted = run(changed, QUIET).summary.makespan_cycles
    assert next(row for row in rows if row.knob == "n_dwo").cycles_planned == wanted


def test_what_the_host_refuses_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another computer may have the memory that this one lacks."""
    task = Rerun("key", _scenario(), AS_SCENARIO, "compiled")
    monkeypatch.setattr(host_memory, "lately_available_bytes", lambda: 1)
    record = rerun(task)
    assert (record.cycles, record.lasting) == (None, False)
    assert str(record.obstacle).startswith("memory: found layer")
    with opened_store(Base(_scenario(), Path("unused")), tmp_path / "out") as store:
        store.keep("key", record)
        assert store.record("key") is None


def test_a_run_is_the_base(tmp_path: Path) -> None:
    """Its mapping is held and its cycles are compared; values may have travelled in it."""
    run(replace(_scenario(), values="travel"), RunOptions(tmp_path / "run"))
    base = read_base(tmp_path / "run")
    assert base.mappings is not None
    assert base.folder == tmp_path / "run" / "whatif"
    found = _explored(base, tmp_path / "out", ["n_dwo"])
    assert found.makespan_cycles == base.cycles
    kept = tmp_path / "run" / "summary.json"
    content = json.loads(kept.read_text("utf-8"))
    kept.write_text(json.dumps(content | {"makespan_cycles": content["makespan_cycles"] + 1}), encoding="utf-8")
    message = r"run: found a run of \d+ cycles, which takes \d+ when it runs again; accepted: a run of this version"
    with pytest.raises(ConfigError, match=message):
        _explored(read_base(tmp_path / "run"), tmp_path / "other", ["n_dwo"])


def test_no_results() -> None:
    """A folder without what-if results has none."""
    assert stored_whatif(Path("nowhere")) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"whatif\.json: found no readable JSON"),
        ('{"schema": 99}', r"whatif\.json: found schema 99; accepted: schema 1"),
        ('{"schema": 1}', r"whatif\.json: scenario: found Field required; accepted: the results of panacea-sim whatif"),
    ],
)
def test_damaged_results(tmp_path: Path, text: str, message: str) -> None:
    """One message says what to do."""
    (tmp_path / "whatif.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        stored_whatif(tmp_path)


@pytest.mark.slow
@settings(max_examples=60)
@given(scenario=scenarios())
def test_infinite_bandwidth_is_a_bound(scenario: Scenario) -> None:
    """Of 60 machines with ideal memory none is faster than with endless bandwidth, mapping held."""
    scenario = replace(scenario, values=False)
    base = rerun(Rerun("base", scenario, AS_SCENARIO, "compiled"))
    (ideal,) = [each for each in variants_of(scenario.resolved_hardware()).tried if each.knob == "infinite_bandwidth"]
    endless = replace(scenario, hardware=ideal.hardware, settings={})
    bound = rerun(Rerun("ideal", endless, Planning(base.mappings), "compiled"))
    assert base.cycles is not None
    assert bound.cycles is not None
    assert bound.cycles <= base.cycles
