"""Tables and figures: what they hold, what a file of one's own may say, and what is refused with one message."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_energy import naive_bank, table_file

from panacea_sim.energy.area import area_of
from panacea_sim.energy.dram_events import dram_events, list_event_devices
from panacea_sim.energy.prices import SramCells
from panacea_sim.energy.ranges import Range, exact
from panacea_sim.energy.sram import bank_figures, bank_sizes
from panacea_sim.energy.table import energy_table, list_tables
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.hardware.dram.devices import dram_device, list_devices
from panacea_sim.machines.panacea.build import MACHINE

_CELLS = ("hp", "lop", "lstp")


@pytest.mark.parametrize("name", list_tables())
def test_every_figure_has_a_standing_and_a_source(name: str) -> None:
    """Each table of the package is complete, and each figure says where it comes from."""
    table = energy_table(name)
    assert table.name == name
    assert set(table.operations) == {"multiply_4b", "multiply_8b", "add_32b", "compensate_32b", "register_bits"}
    assert set(table.area) == {"multiply_4b", "multiply_8b", "compensate_32b"}
    assert set(table.dram) >= set(list_devices())
    for figure in (*table.operations.values(), *table.area.values(), *table.dram.values(), table.sram):
        assert figure.standing in {"S", "2", "D", "A"}
        assert len(figure.source) > len("in PE")


def test_the_nominal_figures_are_those_of_the_sources() -> None:
    """The default and Bit-Fusion's 8-bit MACs by bit slices differ as the rules say: 0.96 against 0.168 and 0.233."""

    def mac_pj(name: str) -> float:
        pj = {key: each.nominal for key, each in energy_table(name).operations.items()}
        return 4 * (pj["multiply_4b"] + pj["add_32b"] + 32 * pj["register_bits"])

    assert mac_pj("default") == pytest.approx(0.96)
    assert mac_pj("bitfusion") == pytest.approx(0.168)
    assert mac_pj("fusion_unit") == pytest.approx(0.233)
    assert energy_table("bitfusion").operations["multiply_8b"].nominal == 0.103


def test_a_table_has_the_figures_of_its_base_where_it_gives_none() -> None:
    """A named alternative differs from the default in nothing but what its file says."""
    default, other = energy_table().model_dump(), energy_table("bitfusion").model_dump()
    given = set(table_file("bitfusion")["operations"])
    assert {key for key in default if default[key] != other[key]} == {"name", "text", "operations"}
    assert {key for key in other["operations"] if key not in given} == set()
    assert energy_table("fusion_unit").operations["multiply_8b"] == energy_table("bitfusion").operations["multiply_8b"]


@given(cell=st.sampled_from(_CELLS), size=st.fractions(512, 524_288, max_denominator=16))
def test_banks_lie_on_the_line_between_their_neighbours(cell: str, size: Fraction) -> None:
    """Every figure is linear in log2 of the bytes between the two points around it, and exact at a point."""
    found = bank_figures(cell, size)  # type: ignore[arg-type]  # a Literal
    assert found is not None
    assert vars(found) == naive_bank(cell, size)


def test_a_bank_of_24_kib_is_the_one_of_the_sources() -> None:
    """The point of 24 KiB, and a size in the middle of two points by hand."""
    found, middle = (bank_figures("lop", Fraction(size)) for size in (24_576, math.isqrt(512 * 1024)))
    assert found is not None
    assert middle is not None
    assert (found.read_pj_per_byte, found.write_pj_per_byte) == (Fraction("0.2269"), Fraction("0.2183"))
    assert float(middle.read_pj_per_byte) == pytest.approx((0.0341 + 0.0375) / 2, rel=1e-3)


@pytest.mark.parametrize("size", [Fraction(511), Fraction(524_289), Fraction(0), Fraction(1023, 2)])
def test_banks_outside_the_points_have_no_figures(size: Fraction) -> None:
    """Nothing is extrapolated."""
    assert bank_sizes() == (512, 524_288)
    assert all(bank_figures(cell, size) is None for cell in ("hp", "lop", "lstp"))  # type: ignore[arg-type]  # a Literal


def test_events_are_those_of_devices_that_there_are() -> None:
    """Each device with energies of events is one that can run, with bursts of the size that the energies are for."""
    assert set(list_event_devices()) == set(list_devices()) - {"lpddr5_6400"}
    lines = (Path(__file__).parents[2] / "panacea_sim/energy/data/dram_events.csv").read_text().splitlines()
    burst_bytes = {line.split(",")[0]: line.split(",")[1] for line in lines if line[0] != "#"}
    for name in list_event_devices():
        assert int(burst_bytes[name]) == dram_device(name, "device").burst_bytes
    found = dram_events("hbm2")
    assert found is not None
    assert (found.activate_pj, found.read_pj, found.write_pj, found.refresh_pj) == (414, 402, 534, 30_420)


def test_the_area_is_units_and_banks_times_their_figures() -> None:
    """A second plain sum for the default machine; a fifth of the arithmetic more stands beside it."""
    inventory = MACHINE.inventory(load_hardware("panacea"))
    area = area_of(inventory, energy_table(), SramCells("lstp", "lop", "hp"))
    units = {"low": 3072 * 74.2 + 256 * 74.2, "nominal": 3072 * 74.2 + 256 * 74.2, "high": 3072 * 338.4 + 256 * 271.4}
    banks = {
        case: 4 * naive_bank(cell, Fraction(24_576))["area_mm2"]
        + 4 * naive_bank(cell, Fraction(16_384))["area_mm2"]
        + 16 * naive_bank(cell, Fraction(2_048))["area_mm2"]
        for case, cell in (("low", "lstp"), ("nominal", "lop"), ("high", "hp"))
    }
    assert area.total is not None
    assert area.with_unsourced is not None
    for case, um2 in units.items():
        assert float(getattr(area.total, case)) == pytest.approx(um2 / 1e6 + float(banks[case]), rel=1e-12)
        assert float(getattr(area.compute, case)) == pytest.approx(um2 / 1e6, rel=1e-12)
        assert getattr(area.with_unsourced, case) == getattr(area.total, case) + getattr(area.compute, case) / 5
    density = area.tops_per_mm2(10**9, Fraction(1, 1000))
    assert density is not None
    assert float(density.nominal) == pytest.approx(2 * 1e9 / 1e-3 / 1e12 / float(area.total.nominal))


def test_a_unit_without_an_area_leaves_the_total_open(tmp_path: Path) -> None:
    """It is listed with the reason, and what is known is the rest."""
    inventory = MACHINE.inventory(load_hardware("panacea"))
    inventory.units["pea"]["divide"] = 3  # type: ignore[index]  # a mapping of this test alone
    area = area_of(inventory, energy_table(), SramCells("lop", "lop", "lop"))
    assert area.total is None
    assert [part.reason for part in area.unknown] == ["table 'default' has no area of divide"]
    own = tmp_path / "own.yaml"
    own.write_text("base: default\narea:\n  divide: 1000000\n")
    with_own = area_of(inventory, energy_table(own), SramCells("lop", "lop", "lop"))
    assert with_own.total == area.known + Range.of(Fraction(3))


def test_a_file_of_ones_own_replaces_figures(tmp_path: Path) -> None:
    """A number alone is a figure without a range, an assumption; all others are the base's."""
    own = tmp_path / "mine.yaml"
    own.write_text(
        "base: bitfusion\nnode: 7 nm\noperations:\n  multiply_4b: 0.01\n"
        "  divide: {low: 1, nominal: 2, high: 3.5, standing: S, source: here}\n"
    )
    table = energy_table(str(own))
    assert (table.name, table.node) == ("mine", "7 nm")
    assert table.operations["multiply_4b"].range == Range.of(Fraction(1, 100))
    assert table.operations["multiply_4b"].standing == "A"
    assert table.operations["divide"].range == Range(Fraction(1), Fraction(2), Fraction(7, 2))
    assert table.operations["add_32b"] == energy_table("bitfusion").operations["add_32b"]


_REFUSED = {
    "operations:\n  multiply_4b: {low: 2, nominal: 1, high: 3, standing: A, source: x}\n": (
        r"operations.multiply_4b.nominal: found 1; accepted: a number >= 2, as low <= nominal <= high"
    ),
    "operations:\n  multiply_4b: -1\n": r"operations.multiply_4b.low: found -1; accepted: a number in 0",
    "operations:\n  multiply_4b: cheap\n": (
        r"operations.multiply_4b: found 'cheap'; accepted: a number, or low, nominal, high, standing, source"
    ),
    "operations:\n  multiply_4b: .inf\n": r"operations.multiply_4b.low: found inf",
    "operations: 3\n": r"operations: found 3; accepted",
    "sram: {nominal: fast, others: [], standing: A, source: x}\n": (
        r"sram.nominal: found 'fast'; accepted: one of 'hp', 'lop', 'lstp'"
    ),
    "drams: {}\n": r"drams: found an unknown field; accepted: name, node.*Did you mean 'dram'",
    "base: nothing\n": r"base: found 'nothing'; accepted: one of default, ant_dram",
    "base: 3\n": r"base: found 3; accepted: one of default",
    "base: own.yaml\n": r"base: found bases that go round in a circle",
    "area: {divide: {low: 1}}\n": r"area.divide.nominal: found nothing",
    "- a list\n": r"a YAML mapping",
}


@pytest.mark.parametrize("text", _REFUSED)
def test_bad_tables_are_refused(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the file and the field, what was found and what is accepted."""
    monkeypatch.chdir(tmp_path)
    Path("own.yaml").write_text(text if text.startswith(("base", "-")) else "base: default\n" + text)
    with pytest.raises(ConfigError, match=_REFUSED[text]) as caught:
        energy_table("own.yaml")
    assert "own.yaml" in str(caught.value)


def test_unknown_tables_are_refused(tmp_path: Path) -> None:
    """A name that is none is answered with the nearest; a file that is missing by its path."""
    with pytest.raises(ConfigError, match=r"--table: found 'bitfusoin'.*Did you mean 'bitfusion'"):
        energy_table("bitfusoin")
    with pytest.raises(ConfigError, match=r"none.yaml: found No such file"):
        energy_table(tmp_path / "none.yaml")


@given(number=st.floats(0, 1e9))
def test_written_numbers_are_exact(number: float) -> None:
    """A figure is the decimal number that stands in the file."""
    assert exact(number) == Fraction(str(number))
    assert float(exact(number)) == number
