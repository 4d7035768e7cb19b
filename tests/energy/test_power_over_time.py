"""Power over time: all that a run is charged is there to the last digit, in the cycles in which it was done."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_runs import rows

from panacea_sim.energy.charging import Charging, default_charging
from panacea_sim.energy.energy import CATEGORIES, RunEnergy
from panacea_sim.energy.power import power_over_time
from panacea_sim.energy.table import energy_table
from panacea_sim.report.timeline.content import timeline_content
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.synthetic import synthetic_layer

_LAYER = synthetic_layer(140, 70, 40, rho_w=0.3, rho_x=0.6, seed=2, name="layer")
_SPILLING = {"loop_order": "kmn", "tile_k": 16, "omem_bytes": 1 << 16, "psum_bytes": 10_240}


def _stored(
    folder: Path, machine: str = "panacea", trace: TraceOptions | None = None, **settings_: object
) -> StoredRun:
    scenario = Scenario("power", _LAYER, machine, settings_, values=False)
    run(scenario, RunOptions(folder, engine="reference", trace=trace or TraceOptions()))
    return open_run(folder)


@pytest.fixture(
    scope="module",
    params=[("panacea", _SPILLING), ("panacea", {"dram": "ddr4_3200"}), ("sibia", {}), ("sa_ws", {})],
    ids=["spilling", "ddr4", "sibia", "sa_ws"],
)
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a run of one layer on one of several machines, recorded whole."""
    machine, settings_ = request.param
    return _stored(tmp_path_factory.mktemp("power") / "run", machine, **settings_)


def _energy(stored: StoredRun, table: str, dram: Any) -> RunEnergy:  # noqa: ANN401  # a Literal
    assert stored.summary is not None
    return Charging(energy_table(table), dram).of(stored.summary)


@settings(max_examples=8)
@given(inner=st.sets(st.integers(1, 1_000), max_size=30))
@pytest.mark.parametrize(("table", "dram"), [("default", "lump"), ("default", "events"), ("ant_dram", "lump")])
def test_bins_add_up_to_the_energy(stored: StoredRun, table: str, dram: str, inner: set[int]) -> None:
    """Whatever the bins, those of each category are its energy exactly."""
    found = _energy(stored, table, dram)
    edges = np.array(sorted({0, stored.end_cycle, *(cycle for cycle in inner if cycle < stored.end_cycle)}))
    power = power_over_time(stored, found, edges)
    for category in CATEGORIES:
        of_category = found.run.of_category(category)
        assert of_category is not None
        assert len(power[category]) == len(edges) - 1
        assert sum(power[category]) == of_category.nominal


def test_each_cycle_has_what_its_rows_say(stored: StoredRun) -> None:
    """Cycle by cycle, products lie where a plain reading of the rows has them, and leakage is even."""
    found = _energy(stored, "default", "lump")
    power = power_over_time(stored, found, np.arange(stored.end_cycle + 1))
    static = found.run.of_category("static")
    assert static is not None
    assert set(power["static"]) == {static.nominal / stored.end_cycle}
    steps = [0] * stored.end_cycle
    for row in rows(stored, "activities"):
        done = [row.get(name) or 0 for name in ("dwo_steps", "swo_steps", "mac_steps", "product_steps")]
        _add(steps, row["start_cycle"], row["end_cycle"], sum(done))
    # All that is done beside products in the core is what the CS of panacea add: only where there are steps as well.
    assert not [cycle for cycle, each in enumerate(steps) if each and not power["core"][cycle]]


def test_each_byte_has_its_price_when_it_moves(stored: StoredRun) -> None:
    """Cycle by cycle, bytes that are read and written have the two prices of a table that tells them apart."""
    power = power_over_time(stored, _energy(stored, "ant_dram", "lump"), np.arange(stored.end_cycle + 1))
    moved = {False: [0] * stored.end_cycle, True: [0] * stored.end_cycle}
    for row in rows(stored, "dram"):
        _add(moved[row["write"]], row["start_cycle"], row["end_cycle"], row["bytes"])
    read, written = (8 * Fraction(each) for each in ("0.63", "0.77"))
    of_bytes = zip(moved[False], moved[True], strict=True)
    assert power["DRAM"] == [read * each + written * other + 970 for each, other in of_bytes]


def _add(cycles: list[int], start: int, end: int, amount: int) -> None:
    """Add an amount to the cycles of an interval, of which each has its share of the rounded sum."""
    for number in range(end - start):
        cycles[start + number] += amount * (number + 1) // (end - start) - amount * number // (end - start)


def test_the_page_has_the_energy_of_the_run(stored: StoredRun) -> None:
    """The curves of a timeline add up to the energy within 1 fJ, those of a window to that of its cycles."""
    charging = default_charging()
    found = _energy(stored, "default", "lump")
    third = stored.end_cycle // 3
    for window, span in ((None, (0, stored.end_cycle)), ((third, 2 * third), (third, 2 * third))):
        content = timeline_content(stored, window, charging)
        edges = np.array(sorted({0, *span, stored.end_cycle}))
        wanted = power_over_time(stored, found, edges)
        at = int(np.flatnonzero(edges == span[0])[0])
        curves = [each for each in content.header["curves"] if each["panel"] == "power"]
        assert [each["name"] for each in curves] == list(CATEGORIES)
        for each in curves:
            units = int(content.columns["values"][each["from"] : each["to"]].sum())
            assert abs(units - wanted[each["name"]][at] * 1000) <= 1
    assert content.header["power"]["mwPerUnitPerCycle"] == stored.heading.clock_hz / 1e12
    assert any("Power by the table default, DRAM by the bit" in note for note in content.header["notes"])


@pytest.mark.parametrize(
    ("settings_", "trace", "said"),
    [
        ({}, TraceOptions("stalls"), "Power over time is not known: it is drawn of runs that"),
        ({}, TraceOptions(window=(0, 500)), "Power over time is not known: it is drawn of runs that"),
        ({"dram": "ideal"}, TraceOptions(), "Power lacks DRAM: the table 'default' has no DRAM figure for 'ideal'."),
    ],
)
def test_what_is_not_known_is_said(
    settings_: dict[str, object], trace: TraceOptions, said: str, tmp_path: Path
) -> None:
    """Of a run that was recorded in part nothing is drawn; what has no figure is left out by name."""
    header = timeline_content(_stored(tmp_path / "run", trace=trace, **settings_), None).header
    assert any(note.startswith(said) for note in header["notes"])
    names = [each["name"] for each in header["curves"] if each["panel"] == "power"]
    assert names == (["static", "buffer", "core"] if settings_ else [])
