"""The fields that axes and settings name: which there are, and the sections to which they belong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.exploring.start import Start
from panacea_sim.hardware.config import settings_model
from panacea_sim.hardware.registry import machine_names

__all__ = ["PRESET", "Sections", "check_fields", "known_fields", "sections_of"]

PRESET = "preset"
"""Takes the machine of another preset, or of a YAML file, before its fields are set."""

_SCENARIO = {"schedule": "schedule", "chosen_for": "mapping"}
"""What `mapping.` sets of a scenario: the order of layers, and whether a mapping is chosen for each or for a class."""

_OF_HARDWARE = ("loop_order", "residency", "spill", "dtp", "tile_k", "tile_n")
"""Fields of the hardware that say how a layer is cut and ordered: they may be called `mapping.` too."""


@dataclass(frozen=True)
class Sections:
    """The settings of a point by what they change, each by the name of its field there."""

    hardware: dict[str, object] = field(default_factory=dict)
    workload: dict[str, object] = field(default_factory=dict)
    scenario: dict[str, object] = field(default_factory=dict)
    quantization: dict[str, object] = field(default_factory=dict)


def known_fields(start: Start) -> dict[str, tuple[str, str]]:
    """Return the section and the field behind every name that axes of a sweep may have."""
    # A machine that is named by its file is in no list.
    models = [type(start.hardware), *(settings_model(machine) for machine in machine_names())]
    hardware = dict.fromkeys([PRESET, *(field for model in models for field in model.model_fields)])
    return {
        **{f"hardware.{field}": ("hardware", field) for field in hardware},
        **{f"workload.{field}": ("workload", field) for field in start.workload_fields},
        **{f"mapping.{name}": ("scenario", field) for name, field in _SCENARIO.items()},
        **{f"mapping.{field}": ("hardware", field) for field in _OF_HARDWARE},
        **{f"quantization.{field}": ("quantization", field) for field in start.quantization_fields},
    }


def check_fields(names: Iterable[str], start: Start, place: str) -> None:
    """Raise ConfigError for a name that no field has, and for two names of one field."""
    known, met = known_fields(start), dict[tuple[str, str], str]()
    for name in names:
        if name not in known:
            section = name.partition(".")[0]
            near = [each for each in known if each.startswith(f"{section}.")] or list(known)
            raise ConfigError(place, f"the unknown field {name!r}", ", ".join(near), nearest_name(name, known))
        other = met.setdefault(known[name], name)
        if other != name:
            raise ConfigError(place, f"{other} and {name}", "one of them: they are the same field")


def sections_of(settings: Mapping[str, object], known: Mapping[str, tuple[str, str]]) -> Sections:
    """Return settings, whose names have been checked, by section."""
    found = Sections()
    for name, value in settings.items():
        section, field = known[name]
        getattr(found, section)[field] = value
    return found
