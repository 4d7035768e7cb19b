"""The rates of a run beside what its machine could do, and how evenly its members worked."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest

from panacea_sim.analysis.performance import Performance, balances, layer_performances, performance
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.summary import Summary
from panacea_sim.workload.masked_layer import MaskedLayer

_LAYERS = (MaskedLayer("a", 100, 70, 90, 0.2, 0.9, 0), MaskedLayer("b", 64, 33, 5, 0.2, 0.9, 1, repeat=3))


@pytest.fixture(scope="module")
def summary() -> Summary:
    """Return the figures of two layers, one of three products."""
    return run(Scenario("two", _LAYERS, values="off")).summary


@pytest.fixture(scope="module")
def hardware() -> Hardware:
    """Return the machine on which they ran."""
    return load_hardware("panacea")


def test_rates_by_hand(summary: Summary, hardware: Hardware) -> None:
    """MACs are those of all products; a MAC takes four of 16 x 12 x 16 multipliers, and counts as two operations."""
    found = performance(summary, hardware)
    macs = [100 * 70 * 90, 3 * 64 * 33 * 5]
    assert found.macs == sum(macs)
    assert found.multipliers == 3072
    assert found.dense_cycles == sum(math.ceil(Fraction(4 * each, 3072)) for each in macs)
    assert found.macs_per_cycle == sum(macs) / summary.makespan_cycles
    assert found.tops == pytest.approx(2 * sum(macs) / (summary.makespan_cycles / 1e9) / 1e12)
    assert found.peak_share == found.macs_per_cycle / 768
    assert found.speedup_over_dense == found.dense_cycles / summary.makespan_cycles
    assert found.dram_bytes == summary.dram.read_bytes + summary.dram.write_bytes


@pytest.mark.parametrize(("dram_bytes", "roof"), [(1000, 768.0), (10_000, 768.0), (100_000, 320.0), (0, 768.0)])
def test_the_roof_by_hand(dram_bytes: int, roof: float) -> None:
    """Below 24 MACs a byte the roof is 32 bytes a cycle, above it all multipliers, as where nothing is moved."""
    found = Performance(1_000_000, 5000, 5e-6, 3072, 1303, dram_bytes, 32.0)
    assert found.ridge_macs_per_byte == 24
    assert found.roof_macs_per_cycle == roof


def test_a_machine_that_counts_no_multipliers_has_no_roof() -> None:
    """What follows from multipliers is unknown, the rates are not."""
    found = Performance(1000, 10, 1e-8, None, None, 100, 32.0)
    assert (found.peak_macs_per_cycle, found.peak_share, found.speedup_over_dense) == (None, None, None)
    assert (found.ridge_macs_per_byte, found.roof_macs_per_cycle) == (None, None)
    assert (found.macs_per_cycle, found.macs_per_byte) == (100, 10)


def test_balance_by_hand(summary: Summary) -> None:
    """The busiest PEA is compared with the mean over all 16."""
    (found,) = balances(summary)
    busy = {name: summary.components[name]["busy"] for name in (f"pea{number}" for number in range(16))}
    assert (found.group, found.members) == ("pea", 16)
    assert found.busiest_cycles == max(busy.values()) == busy[found.busiest]
    assert found.mean_cycles == sum(busy.values()) / 16
    assert found.imbalance == max(busy.values()) * 16 / sum(busy.values()) - 1
    assert found.imbalance > 0


def test_layers_share_the_macs_and_bytes_of_the_run(summary: Summary, hardware: Hardware) -> None:
    """Each layer has its own rates; MACs, dense cycles and bytes of all add up to those of the run."""
    whole, layers = performance(summary, hardware), layer_performances(summary, hardware)
    assert [each.macs for each in layers if each is not None] == [100 * 70 * 90, 3 * 64 * 33 * 5]
    assert sum(each.dram_bytes for each in layers if each is not None) == whole.dram_bytes
    assert sum(each.dense_cycles or 0 for each in layers if each is not None) == whole.dense_cycles
    for layer, each in zip(summary.layers, layers, strict=True):
        assert each is not None
        assert each.cycles == layer.end_cycle - layer.start_cycle
        assert each.seconds == each.cycles / 1e9
        assert (each.multipliers, each.peak_bytes_per_cycle) == (whole.multipliers, whole.peak_bytes_per_cycle)


def test_a_layer_without_a_cycle_has_no_rates(summary: Summary, hardware: Hardware) -> None:
    """A layer that took no time has none."""
    first, second = summary.layers
    none = first.model_copy(update={"end_cycle": first.start_cycle})
    found = layer_performances(summary.model_copy(update={"layers": (none, second)}), hardware)
    assert found[0] is None
    assert found[1] is not None


def test_layers_that_ran_alone_fill_the_run(hardware: Hardware) -> None:
    """Their cycles are those of the run, together with what was waited for before the first data."""
    summary = run(Scenario("alone", _LAYERS, schedule="barrier", values="off")).summary
    found = layer_performances(summary, hardware)
    assert sum(each.cycles for each in found if each is not None) == summary.makespan_cycles
