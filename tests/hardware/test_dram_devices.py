"""DRAM devices: what their files hold, which are refused, and how a machine names one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import from_mapping, load_hardware, with_settings
from panacea_sim.hardware.dram.devices import DramDevice, dram_device, list_devices

PEAKS_GBPS = {"ddr4_2400": 19.2, "ddr4_3200": 25.6, "hbm2": 16, "lpddr4_3200": 6.4, "lpddr5_6400": 12.8}


def _fields(name: str = "hbm2", **changed: object) -> dict[str, Any]:
    return dram_device(name, "device").model_dump() | changed


def test_devices() -> None:
    """There is a file for each of the five devices."""
    assert list_devices() == sorted(PEAKS_GBPS)


@pytest.mark.parametrize("name", list_devices())
def test_device_files(name: str) -> None:
    """Every device has its peak, whole bursts in a row and a source."""
    device = dram_device(name, "device")
    assert device.peak_gbps == pytest.approx(PEAKS_GBPS[name], rel=1e-3)
    assert device.bursts_per_row * device.burst_bytes == device.row_bytes
    assert device.source.startswith(("Ramulator 2", "DRAMSys"))


@pytest.mark.parametrize("field", DramDevice.model_fields)
def test_a_missing_value_is_an_error(field: str) -> None:
    """No field of a device has a default."""
    values = _fields()
    del values[field]
    with pytest.raises(
        ConfigError, match=rf"^here\.{field}: found nothing; accepted: .*A device has all of its fields"
    ):
        dram_device(values, "here")


def test_unknown_field() -> None:
    """A field that devices do not have is refused with the nearest name."""
    with pytest.raises(ConfigError, match=r"^here\.cas_cycles: found an unknown field; .*Did you mean 'ras_cycles'"):
        dram_device(_fields(cas_cycles=3), "here")


@pytest.mark.parametrize("value", [0, -1, 1.5, "14", True], ids=repr)
def test_only_whole_cycles(value: object) -> None:
    """A timing is a whole number of cycles, at least one."""
    with pytest.raises(ConfigError, match=r"^here\.rp_cycles: found .*; accepted: a whole number in 1 .. 65536\."):
        dram_device(_fields(rp_cycles=value), "here")


@pytest.mark.parametrize(
    ("field", "value", "accepted"),
    [
        ("ras_cycles", 13, "at least the larger of rcd_read_cycles and rcd_write_cycles = 14"),
        ("rc_cycles", 47, "at least ras_cycles + rp_cycles = 48"),
        ("ccd_s_cycles", 1, "at least burst_cycles = 2"),
        ("ccd_l_cycles", 1, "at least ccd_s_cycles = 2"),
        ("ccd_l_cycles", 9, "at most ccd_s_cycles x bank_groups = 8"),
        ("rrd_l_cycles", 3, "at least rrd_s_cycles = 4"),
        ("faw_cycles", 3, "at least rrd_s_cycles = 4"),
        ("wtr_l_cycles", 5, "at least wtr_s_cycles = 6"),
        ("refi_cycles", 397, "at least rfc_cycles + rc_cycles = 398"),
        ("row_bytes", 16, "at least the bytes of a burst = 32"),
        ("row_bytes", 1000, "a power of two"),
        ("bank_groups", 3, "a power of two"),
        ("banks_per_group", 6, "a power of two"),
        ("burst_length", 6, "a power of two"),
        ("channel_bits", 24, "a power of two"),
        ("cwl_cycles", 18, "less than cl_cycles + burst_cycles + bus_gap_cycles"),
    ],
)
def test_impossible_timings(field: str, value: int, accepted: str) -> None:
    """Timings that contradict each other are refused with the field, its value and what the others allow."""
    with pytest.raises(ConfigError, match="^" + re.escape(f"here.{field}: found {value}; accepted: {accepted}. ")):
        dram_device(_fields(**{field: value}), "here")


def test_unknown_device() -> None:
    """An unknown name is refused with those that exist and the nearest of them."""
    message = (
        "hardware.dram: found 'ddr4_320'; accepted: one of ideal, ddr4_2400, ddr4_3200, hbm2, lpddr4_3200, "
        "lpddr5_6400, or the path of a YAML file of a device. Did you mean 'ddr4_3200'?"
    )
    with pytest.raises(ConfigError, match="^" + re.escape(message) + "$"):
        load_hardware("panacea", {"dram": "ddr4_320"})


@pytest.mark.parametrize("value", [None, 3, ["hbm2"]], ids=repr)
def test_no_device(value: object) -> None:
    """A value that is no name, file or device is refused."""
    with pytest.raises(ConfigError, match=r"^hardware\.dram: found .*; accepted: one of ideal, "):
        load_hardware("panacea", {"dram": value})


def test_device_file_of_the_user(tmp_path: Path) -> None:
    """A machine can use a device from a file, and keeps it: the file is not needed to make the machine again."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(_fields(rp_cycles=15, rc_cycles=49)), encoding="utf-8")
    hardware = load_hardware("panacea", {"dram": str(path)})
    path.unlink()
    assert hardware.dram_device is not None
    assert hardware.dram_device.rp_cycles == 15
    assert from_mapping(hardware.model_dump()) == hardware
    assert with_settings(hardware, {"outstanding": 2}).dram_device == hardware.dram_device


def test_error_in_a_file_of_the_user(tmp_path: Path) -> None:
    """An impossible timing in a file is reported with the file's path."""
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(_fields(ras_cycles=5)), encoding="utf-8")
    with pytest.raises(
        ConfigError, match="^" + re.escape(f"{path}.ras_cycles: found 5; accepted: at least the larger")
    ):
        load_hardware("panacea", {"dram": str(path)})


def test_missing_file() -> None:
    """A file that does not exist is refused as one that cannot be read."""
    with pytest.raises(ConfigError, match=r"^none\.yaml: found No such file or directory; "):
        load_hardware("panacea", {"dram": "none.yaml"})


def test_alignment() -> None:
    """Tiles begin at whole bursts of the device, or at whole cycles of the ideal memory."""
    assert load_hardware("panacea").dram_alignment_bytes == 32
    assert load_hardware("panacea", {"dram": "ddr4_3200"}).dram_alignment_bytes == 64


def test_bursts_fit_the_interleaving(tmp_path: Path) -> None:
    """Channels take turns in whole bursts."""
    path = tmp_path / "wide.yaml"
    path.write_text(yaml.safe_dump(_fields("ddr4_3200", channel_bits=256, row_bytes=65536)), encoding="utf-8")
    settings = {"dram": str(path), "interleave_bytes": 128}
    accepted = "a whole number in 64 .. 1099511627776 that is at least a burst of hardware.dram = 256"
    with pytest.raises(
        ConfigError, match="^" + re.escape(f"hardware.interleave_bytes: found 128; accepted: {accepted}")
    ):
        load_hardware("panacea", settings)


def test_clock_in_kilohertz() -> None:
    """With a device the clock is a whole number of kilohertz, so that cycles of both clocks stay whole numbers."""
    accepted = "a multiple of 1000 where hardware.dram is not ideal"
    take = r"\. Take 1000000000 or 1000001000$"
    with pytest.raises(ConfigError, match=rf"^hardware\.clock_hz: found 1000000001; accepted: {accepted}{take}"):
        load_hardware("panacea", {"clock_hz": 1_000_000_001, "dram": "hbm2"})
    assert load_hardware("panacea", {"clock_hz": 1_000_000_001, "dram": "ideal"}).clock_hz == 1_000_000_001


def test_clock_with_a_wild_ratio() -> None:
    """A clock whose ratio to the device's has terms of more than 31 bits is refused: times would not fit 64 bits."""
    with pytest.raises(
        ConfigError, match=r"^hardware\.clock_hz: found 9999999000; .*below 2\^31\. Take a multiple of 1"
    ):
        load_hardware("panacea", {"clock_hz": 9_999_999_000, "dram": "ddr4_2400"})
    assert load_hardware("panacea", {"clock_hz": 9_999_000_000, "dram": "ddr4_2400"}).clock_hz == 9_999_000_000


@pytest.mark.parametrize(
    ("field", "most"),
    [
        ("bank_groups", 1024),
        ("banks_per_group", 1024),
        ("wr_cycles", 65_536),
        ("burst_length", 65_536),
        ("row_bytes", 2**40),
        ("refi_cycles", 2**31 - 1),
        ("clock_ps", 10**6),
    ],
)
def test_largest_figures(field: str, most: int) -> None:
    """A device takes the largest figure of each kind and refuses the next one, and one with a fraction."""
    rates = {"burst_length": {"channel_bits": 8, "row_bytes": 65_536}}
    assert getattr(dram_device(_fields(**{**rates.get(field, {}), field: most}), "here"), field) == most
    for value in (most + 1, 10**20):
        with pytest.raises(
            ConfigError, match=rf"^here\.{field}: found {value}; accepted: a whole number in 1 \.\. {most}\."
        ):
            dram_device(_fields(**{field: value}), "here")
    with pytest.raises(ConfigError, match=rf"^here\.{field}: found 2\.5; .*\. Take 2 or 3$"):
        dram_device(_fields(**{field: 2.5}), "here")
