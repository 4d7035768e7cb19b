"""DRAM devices: their timing and organisation, read from YAML and checked before anything is built."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeGuard

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panacea_sim.bounds import Bytes, ClockPs, Count, Cycles, Parts
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.validation import config_error
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.plugins import plugin_names, plugin_path
from panacea_sim.units import BITS_PER_BYTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["IDEAL", "DramDevice", "dram_device", "is_named_device", "list_devices"]

IDEAL = "ideal"
"""The name of the memory without banks, which has no device file: its two figures are fields of the hardware."""

_FOLDER = Path(__file__).parent
_PS_HZ = 10**12
"""Picoseconds in a second."""


class DramDevice(BaseModel):
    """One channel of a DRAM standard, immutable: times in cycles of its own clock, sizes in the units of the names.

    There are no defaults: what a file leaves out is an error. Timing names are those of JEDEC without the t. What each
    means for the model is in docs/dram.md. Build one with `dram_device`, which raises ConfigError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: Annotated[str, Field(min_length=1)]

    clock_ps: ClockPs
    channel_bits: Annotated[Count, Ge(8)]
    burst_length: Count
    burst_cycles: Count
    bank_groups: Parts
    banks_per_group: Parts
    row_bytes: Bytes

    rcd_read_cycles: Count
    rcd_write_cycles: Count
    rp_cycles: Count
    cl_cycles: Count
    cwl_cycles: Count
    ras_cycles: Count
    rc_cycles: Count

    ccd_s_cycles: Count
    ccd_l_cycles: Count
    rrd_s_cycles: Count
    rrd_l_cycles: Count
    faw_cycles: Count
    wr_cycles: Count
    rtp_cycles: Count
    wtr_s_cycles: Count
    wtr_l_cycles: Count
    bus_gap_cycles: Count
    rfc_cycles: Count
    refi_cycles: Cycles

    @property
    def burst_bytes(self) -> int:
        """Bytes of one burst, the least that the device moves."""
        return self.burst_length * self.channel_bits // BITS_PER_BYTE

    @property
    def bursts_per_row(self) -> int:
        """Bursts in one row of one bank."""
        return self.row_bytes // self.burst_bytes

    def clock_ratio(self, clock_hz: int) -> tuple[int, int]:
        """Return numerator and denominator of device cycles in a cycle of `clock_hz`, in lowest terms."""
        numerator, denominator = _PS_HZ, clock_hz * self.clock_ps
        divisor = math.gcd(numerator, denominator)
        return numerator // divisor, denominator // divisor

    @property
    def peak_gbps(self) -> float:
        """Bytes per nanosecond of a data bus that never pauses."""
        return self.burst_bytes * 1000 / (self.burst_cycles * self.clock_ps)


def list_devices() -> list[str]:
    """Return the names of the devices that have a file, sorted, and behind them those that packages add.

    Raises ConfigError if a package adds one whose name is taken.
    """
    return [*_device_names(), *plugin_names("dram_devices", (IDEAL, *_device_names()))]


def is_named_device(found: object) -> TypeGuard[str]:
    """Return whether this is the name of a device, and no path, mapping or device."""
    return isinstance(found, str) and (found in _device_names() or found in list_devices())


@cache
def _device_names() -> tuple[str, ...]:
    """Look once: the files belong to the package, and what they hold is kept too."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def dram_device(found: object, field: str, also: tuple[str, ...] = ()) -> DramDevice:
    """Return the device that a name, the path of a YAML file or a mapping of its fields stands for.

    Raises ConfigError that names `field`, or the file and its field, for anything else and for impossible timings.
    `also` are the names that the caller accepts besides.
    """
    if isinstance(found, DramDevice):
        return found
    if isinstance(found, dict):
        return _checked(found, field)
    if isinstance(found, Path) or (isinstance(found, str) and found.endswith((".yaml", ".yml"))):
        return _checked(read_mapping(Path(found)), str(found))
    if isinstance(found, str) and is_named_device(found):
        return _named(found)
    names = [*also, *list_devices()]
    hint = nearest_name(found, names) if isinstance(found, str) else ""
    raise ConfigError(field, repr(found), f"one of {', '.join(names)}, or the path of a YAML file of a device", hint)


@cache
def _named(name: str) -> DramDevice:
    added = None if name in _device_names() else plugin_path("dram_devices", name)
    path = _FOLDER / f"{name}.yaml" if added is None else added
    return _checked(read_mapping(path), name if added is None else str(path))


def _checked(values: Mapping[str, object], section: str) -> DramDevice:
    try:
        device = DramDevice.model_validate(dict(values))
    except ValidationError as error:
        raise config_error(section, DramDevice, error, "A device has all of its fields, in whole cycles") from error
    for field, accepted in _impossible(device):
        raise ConfigError(f"{section}.{field}", getattr(device, field), accepted, "The timings contradict each other")
    return device


def _impossible(device: DramDevice) -> Iterator[tuple[str, str]]:
    """Return the fields that cannot be as they are, each with what the others allow."""
    least = {
        "ras_cycles": ("the larger of rcd_read_cycles and rcd_write_cycles", _rcd(device)),
        "rc_cycles": ("ras_cycles + rp_cycles", device.ras_cycles + device.rp_cycles),
        "ccd_s_cycles": ("burst_cycles", device.burst_cycles),
        "ccd_l_cycles": ("ccd_s_cycles", device.ccd_s_cycles),
        "rrd_l_cycles": ("rrd_s_cycles", device.rrd_s_cycles),
        "faw_cycles": ("rrd_s_cycles", device.rrd_s_cycles),
        "wtr_l_cycles": ("wtr_s_cycles", device.wtr_s_cycles),
        "refi_cycles": ("rfc_cycles + rc_cycles", device.rfc_cycles + device.rc_cycles),
        "row_bytes": ("the bytes of a burst", device.burst_bytes),
    }
    for field, (name, bound) in least.items():
        if getattr(device, field) < bound:
            yield field, f"at least {name} = {bound}"
    for field in ("channel_bits", "burst_length", "bank_groups", "banks_per_group", "row_bytes"):
        if getattr(device, field).bit_count() != 1:
            yield field, "a power of two"
    most = device.ccd_s_cycles * device.bank_groups
    if device.bank_groups > 1 and device.ccd_l_cycles > most:
        yield "ccd_l_cycles", f"at most ccd_s_cycles x bank_groups = {most}"
    if device.cwl_cycles >= device.cl_cycles + device.burst_cycles + device.bus_gap_cycles:
        yield "cwl_cycles", "less than cl_cycles + burst_cycles + bus_gap_cycles"


def _rcd(device: DramDevice) -> int:
    return max(device.rcd_read_cycles, device.rcd_write_cycles)
