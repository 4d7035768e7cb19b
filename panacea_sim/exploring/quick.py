"""The quick form of a sweep: `--set FIELD=a,b` on the command line is an axis of a grid."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import settings_model
from panacea_sim.hardware.registry import machine_names
from panacea_sim.hardware.yaml_file import parse_scalar

__all__ = ["has_axis", "quick_fields"]

_VALUE = re.compile(r"""(?:"[^"]*"|'[^']*'|\[[^\]]*\]|[^,"'\[])+""")
_NAMES = {"hardware.preset", "workload.name", "workload.profile", "workload.shape"}
"""Fields that hold names, paths or shapes, beside those of the hardware; a comma is part of them."""


def has_axis(settings: Iterable[str]) -> bool:
    """Return whether one of the settings has several values."""
    return any(len(_values(*_parts(setting))) > 1 for setting in settings)


def quick_fields(settings: Iterable[str]) -> tuple[dict[str, list[object]], dict[str, object]]:
    """Return the axes in the order of the command, and the settings that all points have; of one field the last counts.

    Raises ConfigError for another form than FIELD=VALUE and for values that are missing; names are checked later.
    """
    found: dict[str, list[object]] = {}
    for setting in settings:
        path, text = _parts(setting)
        found.pop(path, None)
        found[path] = [parse_scalar(path, value) for value in _values(path, text)]
    axes = {path: values for path, values in found.items() if len(values) > 1}
    return axes, {path: values[0] for path, values in found.items() if path not in axes}


def _parts(setting: str) -> tuple[str, str]:
    path, equals, text = (part.strip() for part in setting.partition("="))
    if not equals or not path:
        raise ConfigError("--set", repr(setting), "PATH=VALUE", "For example --set hardware.n_dwo=4,6,8")
    return path, text


def _values(path: str, text: str) -> list[str]:
    """Return the values between commas; one in quotes or brackets is one, and so is a name or a path."""
    if path in _NAMES or _is_name_of_hardware(path) or "," not in text:
        return [text]
    values = (
        [value.strip() for value in text.split(",")] if not re.search(r"""["'\[]""", text) else _VALUE.findall(text)
    )
    if not all(value.strip() for value in values):
        raise ConfigError("--set", repr(f"{path}={text}"), "a value before and after each comma", "Remove the comma")
    return values


def _is_name_of_hardware(path: str) -> bool:
    section, _, field = path.partition(".")
    if section != "hardware":
        return False
    found = [settings_model(machine).model_fields.get(field) for machine in machine_names()]
    return any(str in (each.annotation, *get_args(each.annotation)) for each in found if each is not None)
