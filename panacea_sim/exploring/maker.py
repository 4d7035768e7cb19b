"""Points made: the scenario behind the settings of a point, and the key of what it gives."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from panacea_sim.choices import ValuesChoice
from panacea_sim.exploring.fields import PRESET, Sections, check_fields, known_fields, sections_of
from panacea_sim.exploring.start import Start, Workload, start_of
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.hardware.config import Hardware, load_hardware, with_settings
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.digest import code_digest, content_digest, hardware_figures, layers_digest
from panacea_sim.running.scenario import Scenario
from panacea_sim.units import FloatArray
from panacea_sim.version import VERSION

__all__ = ["Base", "Made", "Maker", "base_of"]

_FIGURES = ("energy", "analysis", "calibration", "explanation")
"""Rooms that decide figures of a record beside its cycles."""

_KEPT_WORKLOADS = 8

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Base:
    """What all points of a sweep have in common; it is sent to workers."""

    start: Start
    settings: Mapping[str, object]
    values: ValuesChoice


@dataclass(frozen=True, eq=False)
class Made:
    """A scenario on a resolved machine, its workload, and what is kept of that from point to point."""

    scenario: Scenario
    hardware: Hardware
    workload: Workload
    kept: dict[object, Any]

    def once(self, name: object, compute: Callable[[], Value]) -> Value:
        """Return what is computed once for all points of a workload."""
        if name not in self.kept:
            self.kept[name] = compute()
        found: Value = self.kept[name]
        return found


@dataclass(eq=False)
class Maker:
    """Makes scenarios and keys of points; a few workloads are kept, since most points differ in their machines."""

    base: Base
    _known: dict[str, tuple[str, str]] = field(init=False)
    _workloads: OrderedDict[object, tuple[Workload, dict[object, Any]]] = field(default_factory=OrderedDict)
    _presets: dict[str, Hardware] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Look up the fields that settings may name."""
        self._known = known_fields(self.base.start)

    def made(self, settings: Mapping[str, object]) -> Made:
        """Return the scenario of a point; raises ConfigError for settings of which none can be made."""
        parts = sections_of({**self.base.settings, **settings}, self._known)
        hardware = self._hardware(parts)
        workload, kept = self._workload(parts, hardware)
        changes: dict[str, Any] = {"hardware": hardware, "settings": {}, "values": self.base.values, **parts.scenario}
        return Made(replace(workload.scenario, **changes), hardware, workload, kept)

    def key(self, made: Made) -> str:
        """Return the digest of everything that decides the record of a point, 64 hex digits."""
        scenario = made.scenario
        links = scenario.links if scenario.schedule == "overlap" else ()
        counts_masks = machine_of(made.hardware).counts_masks
        layers = made.once(
            ("layers", bool(links), counts_masks),
            lambda: layers_digest(scenario.known_layers(), links, counts_masks=counts_masks),
        )
        return content_digest(
            {
                "version": VERSION,
                "code": code_digest(*_FIGURES),
                "layers": layers,
                "hardware": hardware_figures(made.hardware),
                "schedule": scenario.schedule,
                "mapping": scenario.mapping,
                "values": scenario.values_choice,
                "dram": _device_of(made.hardware),
                "truth": made.once("truth", lambda: _digests_of(made.workload.truth)),
            }
        )

    def values_of(self, settings: Mapping[str, object]) -> dict[str, object]:
        """Return the values that constraints may name: of all fields, by their names with and without the section.

        A field that is set wins over one of another section with the same name.
        """
        given = {**self.base.settings, **settings}
        machine = self._hardware_before(sections_of(given, self._known))
        fields = {name: getattr(machine, name) for name in type(machine).model_fields}
        named = {f"hardware.{name}": value for name, value in fields.items()} | given
        return fields | {name.partition(".")[2]: value for name, value in given.items()} | named

    def _hardware(self, parts: Sections) -> Hardware:
        machine = self._hardware_before(parts)
        changes = {name: value for name, value in parts.hardware.items() if name != PRESET}
        return with_settings(machine, changes) if changes else machine

    def _hardware_before(self, parts: Sections) -> Hardware:
        """Return the machine whose fields are set."""
        if PRESET not in parts.hardware:
            return self.base.start.hardware
        preset = str(parts.hardware[PRESET])
        if preset not in self._presets:
            self._presets[preset] = load_hardware(preset)
        return self._presets[preset]

    def _workload(self, parts: Sections, hardware: Hardware) -> tuple[Workload, dict[object, Any]]:
        start = self.base.start
        key = repr((parts.workload, parts.quantization, start.depends(hardware)))
        if key not in self._workloads:
            made = start.workload(parts.workload, parts.quantization, hardware)
            self._workloads[key] = (made, {})
            if len(self._workloads) > _KEPT_WORKLOADS:
                self._workloads.popitem(last=False)
        self._workloads.move_to_end(key)
        return self._workloads[key]


def _device_of(hardware: Hardware) -> str:
    """Return the name of the DRAM device, by which energy is charged; nothing for one without a name."""
    return hardware.dram if isinstance(hardware.dram, str) else ""


def _digests_of(truth: Sequence[FloatArray] | None) -> list[str] | None:
    """Return a digest of each of the real outputs by which accuracy is judged."""
    if truth is None:
        return None
    return [hashlib.blake2b(np.ascontiguousarray(each, "<f8").data, digest_size=32).hexdigest() for each in truth]


def base_of(sweep: Sweep) -> Base:
    """Return what the points of a sweep start from; raises ConfigError for axes and settings that name no field."""
    start = start_of(sweep)
    check_fields([*sweep.settings, *sweep.axis_names], start, "sweep")
    return Base(start, dict(sweep.settings), sweep.values)
