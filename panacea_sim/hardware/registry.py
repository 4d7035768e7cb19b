"""The kinds of machines, by name: those of the package, found by their module, and those that somebody registers.

Rooms above this one know how a machine is built; here it is only known that it has a name and a model of its settings.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["Registered", "machine_names", "register", "registered", "settings_of"]

_BUILDERS = "panacea_sim.machines"
"""The package in which each package, but `_SHARED`, has a MACHINE of its name, and may have its SETTINGS."""

_SHARED = "shared"

_registered: dict[str, Registered] = {}


class Registered(Protocol):
    """What is known here of a kind of machine."""

    @property
    def name(self) -> str:
        """What `hardware.machine` says."""
        ...

    @property
    def settings(self) -> type[Any]:
        """The model of its settings, a Hardware."""
        ...


def register(machine: Registered) -> None:
    """Make a kind of machine known by its name; raises ConfigError if another one has it.

    A class of the same name replaces the one before: a script that is run twice registers its machine twice.
    """
    known = _registered.setdefault(machine.name, machine)
    if type(known).__qualname__ == type(machine).__qualname__:
        _registered[machine.name] = known = machine
    if known is not machine or machine.name in _own_names():
        raise ConfigError("machine.name", repr(machine.name), "a name that no other machine has")


def registered(name: object) -> Registered:
    """Return the kind of machine of this name; raises ConfigError if there is none."""
    if isinstance(name, str) and name in _own_names():
        machine: Registered = import_module(f"{_BUILDERS}.{name}").MACHINE
        return machine
    if isinstance(name, str) and name in _registered:
        return _registered[name]
    names = machine_names()
    raise ConfigError("hardware.machine", repr(name), f"one of {', '.join(names)}", nearest_name(str(name), names))


def settings_of(name: object) -> type[Any]:
    """Return the model of the settings of a kind of machine, without its builder where that can be left out.

    Raises ConfigError as `registered` does.
    """
    if isinstance(name, str) and name in _own_names():
        module = import_module(f"{_BUILDERS}.{name}")
        if hasattr(module, "SETTINGS"):
            model: type[Any] = module.SETTINGS
            return model
    return registered(name).settings


def machine_names() -> list[str]:
    """Return the names of all kinds of machines."""
    return [*_own_names(), *_registered]


@cache
def _own_names() -> list[str]:
    folders = import_module(_BUILDERS).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folders) if module.ispkg and module.name != _SHARED)
