"""The energy of a run: counts times a table to the last digit, and all of its parts add up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from naive_energy import CASES, leakage_pj, naive_cells, naive_pj

from panacea_sim.energy.energy import CATEGORIES, RunEnergy, energy_of
from panacea_sim.energy.ranges import summed
from panacea_sim.energy.table import energy_table, list_tables
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.summary import Summary
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.synthetic import synthetic_layer
from panacea_sim.workload.vector_stage import VectorStage

_LAYER = synthetic_layer(140, 70, 40, rho_w=0.3, rho_x=0.6, seed=2, name="layer")
_SPILLING = {"loop_order": "kmn", "tile_k": 16, "omem_bytes": 1 << 16, "psum_bytes": 10_240}


def _summary(*layers: Any, schedule: Any = "overlap", **settings: object) -> Summary:  # noqa: ANN401  # those of a scenario
    scenario = Scenario("run", layers, settings=settings, values=False, schedule=schedule)
    return run(scenario, RunOptions(trace=TraceOptions("off"), engine="reference")).summary


@pytest.fixture(
    scope="module",
    params=[
        {},
        {"dram": "ddr4_3200", "dram_channels": 3, "wmem_bytes": 70_000, "clock_hz": 700_000_000},
        _SPILLING,
        {"dram": "lpddr4_3200", "wmem_bytes": 4_096, "tile_n": 16},
    ],
    ids=["plain", "ddr4", "spilling", "lpddr4"],
)
def summary(request: pytest.FixtureRequest) -> Summary:
    """Return the summary of a small run on one of several machines."""
    return _summary(_LAYER, **request.param)


@pytest.mark.parametrize("dram", ["lump", "events"])
def test_energy_is_counts_times_the_table(summary: Summary, dram: Any) -> None:  # noqa: ANN401  # a Literal
    """By category and case, every digit is that of a plain sum over summary.json and the files of figures."""
    found, plain = energy_of(summary, energy_table(), dram), summary.to_json()
    cells = naive_cells(plain)
    for case in CASES:
        expected = naive_pj(plain, case, cells[case], events=dram == "events")
        for category in CATEGORIES:
            of_category = found.run.of_category(category)
            assert of_category is not None
            assert getattr(of_category, case) == expected[category], (category, case)
        assert found.run.total is not None
        assert getattr(found.run.total, case) == sum(expected.values())


def test_ratios_follow_from_the_total(summary: Summary) -> None:
    """PJ a MAC, TOPS/W and the energy-delay product are the total by MACs and time; low energy is high TOPS/W."""
    found = energy_of(summary, energy_table())
    total, macs = found.run.total, 140 * 70 * 40
    assert total is not None
    assert found.run.pj_per_mac is not None
    assert found.run.tops_per_watt is not None
    assert found.energy_delay is not None
    assert found.run.pj_per_mac.nominal == total.nominal / macs
    assert found.run.tops_per_watt.high == 2 * macs / total.low
    seconds = Fraction(summary.makespan_cycles, summary.clock_hz)
    assert found.energy_delay.high == total.high * seconds / 10**12


@pytest.mark.parametrize("cell", ["hp", "lop", "lstp"])
def test_static_is_leakage_times_time(summary: Summary, cell: str) -> None:
    """What memories leak in a run is their power times its seconds, for each kind of cells."""
    table = energy_table({"lop": "default"}.get(cell, cell))
    static = energy_of(summary, table).run.of_category("static")
    assert static is not None
    assert static.nominal == leakage_pj(summary.to_json(), cell)


@pytest.mark.parametrize("table", list_tables())
@pytest.mark.parametrize("dram", ["lump", "events"])
def test_parts_add_up_by_every_table(summary: Summary, table: str, dram: Any) -> None:  # noqa: ANN401  # a Literal
    """Components, and categories, add up to the total; low is no more than nominal, nominal no more than high."""
    found = energy_of(summary, energy_table(table), dram).run
    components = [found.of_component(name) for name in found.components]
    categories = [found.of_category(category) for category in CATEGORIES]
    assert summed(each for each in components if each) == summed(each for each in categories if each) == found.total
    assert found.total is not None
    assert found.total.low <= found.total.nominal <= found.total.high


_NETWORK = tuple(
    MaskedLayer(f"layer{number}", *size, rho_w=0.2, rho_x=0.9, seed=number % 3, repeat=repeat)
    for number, (size, repeat) in enumerate([((140, 70, 40), 1)] * 4 + [((30, 90, 50), 2), ((140, 70, 40), 1)])
)


def _check_sums(found: RunEnergy) -> None:
    """Check that energy, MACs and cycles of the layers add up to those of the network, exactly."""
    assert found.layers is not None
    assert len(found.layers) == len(_NETWORK)
    for category in CATEGORIES:
        parts = [layer.of_category(category) for layer in found.layers]
        assert summed(each for each in parts if each is not None) == found.run.of_category(category)
    assert summed(layer.total for layer in found.layers if layer.total) == found.run.total
    assert sum(layer.macs for layer in found.layers) == found.run.macs
    assert sum(layer.cycles for layer in found.layers) == found.run.cycles


@pytest.mark.parametrize("dram", ["lump", "events"])
@pytest.mark.parametrize("settings", [{}, _SPILLING], ids=["plain", "spilling"])
def test_a_network_is_the_sum_of_its_layers(dram: Any, settings: dict[str, object]) -> None:  # noqa: ANN401  # a Literal
    """So it is where layers run one by one, some of them for equal ones."""
    _check_sums(energy_of(_summary(*_NETWORK, schedule="barrier", **settings), energy_table(), dram))


@pytest.mark.parametrize("dram", ["lump", "events"])
@pytest.mark.parametrize("settings", [{}, _SPILLING], ids=["plain", "spilling"])
def test_compiled_batches_are_the_sum_of_their_layers(dram: Any, settings: dict[str, object]) -> None:  # noqa: ANN401  # a Literal
    """So it is where small layers run together."""
    pytest.importorskip("numba")
    scenario = Scenario("run", _NETWORK, settings=settings, values=False, schedule="barrier", mapping="class")
    summary = run(scenario, RunOptions(trace=TraceOptions("off"), engine="compiled")).summary
    _check_sums(energy_of(summary, energy_table(), dram))


def test_layers_that_overlap_have_no_energy_of_their_own() -> None:
    """Of several layers that overlap only the sum is known; one that is the whole run has all of it."""
    assert energy_of(_summary(*_NETWORK[:2]), energy_table()).layers is None
    alone = energy_of(_summary(_NETWORK[0]), energy_table())
    assert alone.layers is not None
    assert [layer.total for layer in alone.layers] == [alone.run.total]


def test_a_memory_without_figures_has_no_energy() -> None:
    """Banks of another size than the points reach have none, with the reason; the rest is known, the cycles stay."""
    found = energy_of(_summary(_LAYER, omem_bytes=4_096, tile_n=16), energy_table())
    assert found.run.total is None
    assert found.run.of_category("buffer") is None
    assert found.run.of_component("OMEM") is None
    assert found.run.of_category("core") is not None
    reasons = {charge.price.reason for charge in found.run.unknown}
    assert reasons == {"OMEM has 16 banks of 256 bytes; figures reach from 512 to 524288"}


def test_ideal_memory_takes_the_figure_of_a_named_device() -> None:
    """It has none by itself, nor events; with a device its bytes are charged, and nothing else changes."""
    summary = _summary(_LAYER, dram="ideal")
    for dram in ("lump", "events"):
        without = energy_of(summary, energy_table(), dram)  # type: ignore[arg-type]  # a Literal
        assert without.run.total is None
        assert without.run.of_category("DRAM") is None
        assert "'ideal'" in without.run.unknown[0].price.reason
    found = energy_of(summary, energy_table(), device="lpddr4_3200").run
    moved = summary.dram.read_bytes + summary.dram.write_bytes
    of_dram = found.of_category("DRAM")
    assert of_dram is not None
    assert of_dram.nominal == moved * 8 * 8


def test_ant_charges_each_way_and_each_cycle() -> None:
    """Its table has other figures for read and written bits, and a figure for each cycle."""
    summary = _summary(_LAYER)
    of_dram = energy_of(summary, energy_table("ant_dram")).run.of_category("DRAM")
    assert of_dram is not None
    read, written = (8 * count for count in (summary.dram.read_bytes, summary.dram.write_bytes))
    assert of_dram.nominal == Fraction("0.63") * read + Fraction("0.77") * written + 970 * summary.makespan_cycles


def test_vector_stages_pay_for_their_memory() -> None:
    """A stage writes VMEM as DRAM is read, and reads all of it; the memory leaks where vector work is not fused."""
    stage = VectorStage(inputs=2, passes=3, reduces=True)
    layer = MaskedLayer("layer", 64, 32, 48, 0.5, 0.5, 1, feeds_stage=True, stage=stage)
    summary = _summary(layer, vector="unfused")
    assert summary.operations is not None
    assert summary.inventory is not None
    assert [memory.name for memory in summary.inventory.memories] == ["WMEM", "AMEM", "OMEM", "VMEM"]
    assert summary.operations["v_dma"]["VMEM.written_bytes"] == 2 * 64 * 48 * 2
    # Twice the two inputs: once for the sums, once for the results.
    assert summary.operations["ppu"]["VMEM.read_bytes"] == 2 * 2 * 64 * 48 * 2
    assert summary.operations["ppu"]["OMEM.read_bytes"] == 64 * 48 * 4
    assert isinstance(energy_of(summary, energy_table()), RunEnergy)
