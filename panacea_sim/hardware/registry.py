"""The kinds of machines, by name: those of the package, found by their module, and those that others add.

Others are entry points of installed packages, Python files that are named by their path, and what a script registers.
Rooms above this one know how a machine is built; here it is only known that it has a name and a model of its settings.
"""

from __future__ import annotations

import hashlib
import pkgutil
import sys
import traceback
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.plugin_files import file_digest, imported_file
from panacea_sim.plugins import plugin_names, plugin_object

__all__ = ["Registered", "code_of_machine", "is_machine_file", "machine_names", "register", "registered", "settings_of"]

_BUILDERS = "panacea_sim.machines"
"""The package in which each package, but `_SHARED`, has a MACHINE of its name, and may have its SETTINGS."""

_SHARED = "shared"

_FIELD = "hardware.machine"
_OBJECT = "MACHINE"
_PARTS = ("name", "settings", "work", "describe")
"""What makes an object of others a Machine as far as it is known here."""

_OF_OTHERS = {"panacea_sim", "pydantic", "builtins", "abc", "typing"}
"""Packages whose classes a machine is built on, and whose code is not its own."""

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
    """Return the kind of machine of this name, or of this Python file; raises ConfigError if there is none."""
    if isinstance(name, str):
        if name in _own_names():
            machine: Registered = import_module(f"{_BUILDERS}.{name}").MACHINE
            return machine
        if name in _registered:
            return _registered[name]
        found = _of_file(Path(name)) if is_machine_file(name) else _of_package(name)
        if found is not None:
            return found
    names = machine_names()
    accepted = f"one of {', '.join(names)}, or the path of a Python file with a {_OBJECT}"
    raise ConfigError(_FIELD, repr(name), accepted, nearest_name(str(name), names))


def is_machine_file(name: object) -> bool:
    """Return whether this names a machine by its file."""
    return isinstance(name, str) and name.endswith(".py")


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
    """Return the names of all kinds of machines; raises ConfigError if a package adds one whose name is taken."""
    own = _own_names()
    return [*own, *(name for name in plugin_names("machines", own) if name not in _registered), *_registered]


def code_of_machine(name: object) -> str | None:
    """Return a digest of the code of a machine that others add, as it was imported; None for those of the package.

    It is the file that was named, or all Python files of the packages in which its classes are. Raises ConfigError as
    `registered` does.
    """
    if isinstance(name, str) and name in _own_names():
        return None
    machine = registered(name)
    modules = {each.__module__ for kind in (type(machine), machine.settings) for each in kind.__mro__}
    digest = hashlib.blake2b(digest_size=32)
    for module in sorted({_code_unit(module) for module in modules} - _OF_OTHERS):
        digest.update(_code_digest(module).encode())
    return digest.hexdigest()


def _code_unit(module: str) -> str:
    """Return the package of a module, or the module of a file that was named by its path."""
    return module if file_digest(module) is not None else module.partition(".")[0]


@cache
def _code_digest(module: str) -> str:
    """Return a digest of a file that was imported, or of all Python files of a package; without a file, of nothing."""
    of_file = file_digest(module)
    if of_file is not None:
        return of_file
    loaded = sys.modules.get(module)
    digest = hashlib.blake2b(digest_size=32)
    folders = [Path(folder) for folder in getattr(loaded, "__path__", ())]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    named = getattr(loaded, "__file__", None)
    for file in files or ([Path(named)] if named else []):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _of_file(path: Path) -> Registered:
    """Return the machine of a Python file; raises ConfigError naming the file."""
    accepted = f"a Python file with a {_OBJECT}, the object of its kind of machine"
    if not path.is_file():
        raise ConfigError(_FIELD, str(path), f"{accepted}, that is there", "Check the path")
    try:
        module = imported_file(path)
    except ConfigError:
        raise
    except Exception as error:  # the code of others may fail in any way
        raise ConfigError(str(path), f"{type(error).__name__}: {error}", accepted, _place_in(path, error)) from error
    if not hasattr(module, _OBJECT):
        raise ConfigError(str(path), f"no {_OBJECT}", accepted, "docs/plugins.md has an example")
    machine = _checked(getattr(module, _OBJECT), str(path), "docs/plugins.md has an example")
    if machine.name in _own_names():
        raise ConfigError(f"{path}: {_OBJECT}.name", repr(machine.name), "a name that no other machine has")
    return machine


def _place_in(path: Path, error: Exception) -> str:
    """Return the line of a file in which an error arose, as a hint."""
    if isinstance(error, SyntaxError):
        return ""  # its text has the line
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.resolve()
    ]
    return f"See line {lines[-1]}" if lines else ""


def _of_package(name: str) -> Registered | None:
    """Return the machine that an installed package adds; raises ConfigError naming the package if it is none."""
    found = plugin_object("machines", name)
    if found is None:
        return None
    plugin, added = found
    machine = _checked(added, plugin.place, f"Repair or uninstall {plugin.package}")
    if machine.name != name:
        raise plugin.refusal(f"a machine that is called {machine.name!r}", f"one whose name is {name!r}")
    return machine


def _checked(found: object, place: str, hint: str) -> Registered:
    missing = [part for part in _PARTS if not hasattr(found, part)]
    if isinstance(found, type) or missing:
        what = f"the class {found.__name__}" if isinstance(found, type) else f"an object without {missing[0]!r}"
        raise ConfigError(place, what, "an object of a subclass of panacea_sim.machines.machine.Machine", hint)
    return cast("Registered", found)


@cache
def _own_names() -> list[str]:
    folders = import_module(_BUILDERS).__path__
    return sorted(module.name for module in pkgutil.iter_modules(folders) if module.ispkg and module.name != _SHARED)
