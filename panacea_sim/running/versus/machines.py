"""Which machines are compared, and the terms on which they are equal: multipliers, or area of arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from panacea_sim.analysis.versus.contender import TABLES
from panacea_sim.energy.area import area_of
from panacea_sim.energy.prices import SramCells
from panacea_sim.energy.table import energy_table
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.config import (
    DEFAULT_PRESET,
    Hardware,
    list_added_hardware,
    list_presets,
    load_hardware,
    with_settings,
)
from panacea_sim.machines.machine import machine_of

__all__ = ["Entrant", "Normalise", "entrants", "takes_own_codes", "terms_of"]

Normalise = Literal["multipliers", "area"]
_MACHINES, _SETTINGS = "--machines", "--set"


@dataclass(frozen=True)
class Entrant:
    """A machine that is compared, by the name of its preset or file."""

    name: str
    hardware: Hardware


def entrants(names: Sequence[str] | None, settings: Mapping[str, object], normalise: Normalise) -> tuple[Entrant, ...]:
    """Return the machines of these names, all presets without any, with settings of fields that all machines have.

    Raises ConfigError naming the option.
    """
    own = [field for field in settings if field not in Hardware.model_fields]
    if own:
        hint = "Give --machines a YAML file for a machine of your own"
        raise ConfigError(_SETTINGS, f"hardware.{own[0]}", "a field that all machines have", hint)
    chosen = _presets() if names is None else list(names)
    found = [Entrant(name, with_settings(hardware, settings)) for name, hardware in map(_known, chosen)]
    repeated = [each.name for number, each in enumerate(found) if each.name in {one.name for one in found[:number]}]
    if repeated:
        raise ConfigError(_MACHINES, f"{repeated[0]!r} twice", "each machine once")
    if normalise == "multipliers":
        return tuple(found)
    target_mm2 = compute_mm2(load_hardware(DEFAULT_PRESET))
    return tuple(Entrant(each.name, _of_area(each, target_mm2)) for each in found)


def terms_of(machines: Sequence[Entrant], normalise: Normalise) -> str:
    """Return on which terms these machines are compared, for people."""
    same = "the same on-chip memories, DRAM and clock"
    if normalise == "area":
        target = float(compute_mm2(load_hardware(DEFAULT_PRESET)))
        return f"at most the area of arithmetic of {DEFAULT_PRESET}, {target:.3f} mm2 (sourced parts only); {same}"
    counts = {each.hardware.multipliers for each in machines}
    if len(counts) == 1 and (count := counts.pop()) is not None:
        return f"{count:,} multipliers of 4 x 4 bits each (four of them are one of 8 x 8 bits); {same}"
    return "multipliers as each machine has them, which are not equally many"


def takes_own_codes(hardware: Hardware) -> bool:
    """Return whether a machine has a quantization of its own, to which what was done for another one is a loss."""
    return machine_of(hardware).requantizes


def compute_mm2(hardware: Hardware) -> Fraction:
    """Return the area of a machine's arithmetic by the first table."""
    table = energy_table(TABLES[0])
    cell = table.sram.nominal
    return area_of(machine_of(hardware).inventory(hardware), table, SramCells(cell, cell, cell)).compute.nominal


def _presets() -> list[str]:
    """Return all presets, the default one first."""
    return [DEFAULT_PRESET, *(name for name in list_presets() if name != DEFAULT_PRESET)]


def _known(name: str) -> tuple[str, Hardware]:
    """Return the name and the hardware of a preset or a file; raises ConfigError for what is neither."""
    presets, path = _presets(), Path(name)
    if name not in presets and path.suffix not in {".yaml", ".yml"}:
        presets += list_added_hardware()
    if name in presets:
        return name, load_hardware(name)
    if path.suffix not in {".yaml", ".yml"}:
        accepted = f"presets ({', '.join(presets)}) or YAML files, with commas between"
        raise ConfigError(_MACHINES, f"the unknown machine {name!r}", accepted, nearest_name(name, presets))
    hardware = load_hardware(path)
    return hardware.name, hardware


def _of_area(entrant: Entrant, target_mm2: Fraction) -> Hardware:
    """Return the machine with as much arithmetic as there is room for; raises ConfigError where there is for none.

    A machine that knows no other size stays as it is.
    """
    hardware, machine = entrant.hardware, machine_of(entrant.hardware)
    if not machine.sized(hardware, 1):
        return hardware
    found, size = None, 1
    while True:
        larger = with_settings(hardware, machine.sized(hardware, size))
        if compute_mm2(larger) > target_mm2:
            break
        found, size = larger, size + 1
    if found is None:
        accepted = f"one whose smallest arithmetic has room in {float(target_mm2):.3f} mm2"
        raise ConfigError(_MACHINES, entrant.name, accepted, "Compare it with --normalise multipliers")
    return found
