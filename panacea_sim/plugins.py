"""What installed packages add by entry points: machines, hardware, DRAM devices, energy tables and workloads."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Literal, get_args

from panacea_sim.errors import ConfigError

__all__ = ["Kind", "Plugin", "plugin_names", "plugin_object", "plugin_path", "plugins"]

Kind = Literal["machines", "hardware", "dram_devices", "energy_tables", "workloads"]
"""What an entry point of the group `panacea_sim.KIND` adds."""

_REMEDY = "Repair or uninstall {package}"


@dataclass(frozen=True)
class Plugin:
    """An entry point: what it adds, under which name, where that is found, and the package that has it."""

    kind: Kind
    name: str
    value: str
    package: str

    @property
    def place(self) -> str:
        """What messages call it."""
        return f"panacea_sim.{self.kind}: {self.name} of {self.package}"

    def loaded(self) -> object:
        """Return the object that it names; raises ConfigError if that cannot be imported."""
        try:
            return EntryPoint(self.name, self.value, f"panacea_sim.{self.kind}").load()
        except ConfigError:
            raise
        except Exception as error:  # the code of others may fail in any way
            found = f"{self.value}, {type(error).__name__}: {error}"
            raise self.refusal(found, "an object that can be imported") from error

    def refusal(self, found: str, accepted: str) -> ConfigError:
        """Return the error that tells what is wrong with it."""
        return ConfigError(self.place, found, accepted, _REMEDY.format(package=self.package))


@cache
def plugins() -> tuple[Plugin, ...]:
    """Return all entry points for this package, by kind and name. Nothing is imported."""
    return tuple(sorted(_found(), key=lambda plugin: (get_args(Kind).index(plugin.kind), plugin.name, plugin.package)))


def _found() -> Iterator[Plugin]:
    for kind in get_args(Kind):
        for entry in entry_points(group=f"panacea_sim.{kind}"):
            package = "an unknown package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
            yield Plugin(kind, entry.name, entry.value, package)


def plugin_names(kind: Kind, own: Collection[str]) -> list[str]:
    """Return the names that packages add beside our own; raises ConfigError for one that is taken."""
    names: dict[str, Plugin] = {}
    for plugin in plugins():
        if plugin.kind != kind:
            continue
        if plugin.name in own:
            raise plugin.refusal(f"the name {plugin.name!r}, which panacea_sim has itself", "a name of its own")
        other = names.setdefault(plugin.name, plugin)
        if other is not plugin:
            raise plugin.refusal(f"the name {plugin.name!r}, which {other.package} has too", "a name of its own")
    return list(names)


def plugin_object(kind: Kind, name: str) -> tuple[Plugin, object] | None:
    """Return what packages add under a name, and the entry point; None if nobody does.

    Raises ConfigError if two do, or if it cannot be imported.
    """
    named = [plugin for plugin in plugins() if (plugin.kind, plugin.name) == (kind, name)]
    if not named:
        return None
    if len(named) > 1:
        raise named[1].refusal(f"the name {name!r}, which {named[0].package} has too", "a name of its own")
    return named[0], named[0].loaded()


def plugin_path(kind: Kind, name: str) -> Path | None:
    """Return the file that packages add under a name; None if nobody does.

    Raises ConfigError as `plugin_object` does, and if it is no file.
    """
    found = plugin_object(kind, name)
    if found is None:
        return None
    plugin, path = found
    if not isinstance(path, str | Path):
        raise plugin.refusal(f"{plugin.value}, which is {type(path).__name__}", "the path of a file, a Path or text")
    if not Path(path).is_file():
        raise plugin.refusal(str(path), "the path of a file that is there")
    return Path(path)
