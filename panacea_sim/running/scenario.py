"""Scenarios: a layer, a machine and a question; how scripts give them and how a run folder keeps them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, cast, get_args

from panacea_sim.checks import require_choice
from panacea_sim.choices import MappingFrom, Schedule, ValuesChoice, values_word
from panacea_sim.errors import ConfigError, PanaceaError, nearest_name, with_article
from panacea_sim.hardware.config import Hardware, load_hardware, with_settings
from panacea_sim.running.digest import run_digest
from panacea_sim.running.edge_entry import edge_entry_of
from panacea_sim.running.layer_entry import entry_of
from panacea_sim.running.names import check_case_names, check_run_name
from panacea_sim.running.scenario_file import ScenarioFile, read_scenario_file
from panacea_sim.running.values_choice import has_values
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.trace.store import RunFolder
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import layer_file
from panacea_sim.workload.link import Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerLink

__all__ = ["LayerLike", "Scenario", "Schedule", "Study", "load_scenario", "read_script", "write_scenario"]

_VARIABLES = ("scenario", "study", "sweep")
"""The names under which a script offers what it is for, of which it sets one."""

_ENDING = "End the script with `scenario = Scenario(...)`"
_SETS = {"scenario": "a Scenario or a Study", "sweep": "a Sweep"}
_ENDINGS = {"scenario": _ENDING, "sweep": "End the script with `sweep = Sweep(...)`"}
_COMMANDS = {"scenario": "run", "study": "run", "sweep": "sweep"}

LayerLike: TypeAlias = AnyLayer | Path | str


@dataclass(frozen=True)
class Scenario:
    """One run: a layer on a machine.

    `layer` is a GemmLayer, a MaskedLayer or the path of a LAYER.npz file, or several of them, which run one after the
    other. With the schedule "overlap" they are one simulation, in which a layer begins while the one before it ends,
    and one whose `source` names an earlier one waits for the outputs that it needs. With "barrier" each runs alone,
    from its first cycle to its last, on a machine that is empty again. `links` say what else layers need of earlier
    ones, each a producer's name, a consumer's name and a Link; layers that read in place have a `source` instead. They
    hold up fetches where layers overlap; with "barrier" everything has been written.

    `hardware` is a Hardware, the name of a preset or the path of a YAML file, with `settings` (field name to value) on
    top. With the `values` "travel" (or True) the quantized slices travel through the machine; with "check" a compiled
    pass does to every tile what the components do; either way accumulators are compared with the integer product. With
    "off" (or False) only time passes, and "auto" chooses among the three by the layers.

    `mapping` says whether loop order and double-tile processing are
    chosen for each layer, or once for all layers of a class: equal sizes, widths and densities in sixteenths. Raises
    ConfigError for an unknown schedule, mapping or choice of values, where there is no layer, and for what is no link.
    """

    name: str
    layer: LayerLike | tuple[LayerLike, ...]
    hardware: Hardware | Path | str = "panacea"
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    values: ValuesChoice | bool = "auto"
    description: str = ""
    schedule: Schedule = "overlap"
    mapping: MappingFrom = "layer"
    links: tuple[LayerLink, ...] = ()

    def __post_init__(self) -> None:
        """Check the name, that there are layers, the schedule and the mapping."""
        check_run_name("scenario.name", self.name)
        object.__setattr__(self, "values", _values_choice(self.values))  # the only way in a frozen dataclass
        if not isinstance(self.description, str):
            raise ConfigError("scenario.description", repr(self.description), "text")
        if not self.layers:
            raise ConfigError("scenario.layer", "no layers", "a layer, or a tuple of at least one")
        require_choice("scenario.schedule", self.schedule, get_args(Schedule))
        require_choice("scenario.mapping", self.mapping, get_args(MappingFrom))
        object.__setattr__(self, "links", _checked_links(self.links, self.layers))

    def known_layers(self) -> tuple[AnyLayer, ...]:
        """Return the layers with their sizes; of those in files the headers are read, which raises ConfigError."""
        return tuple(layer_file(layer) if isinstance(layer, str | Path) else layer for layer in self.layers)

    def digest(self) -> str:
        """Return a digest, 64 hex digits, of what decides the figures: layers, machine, schedule, values or none.

        The same content gives the same digest, whether a script, a path or a scenario.yaml says it; names and
        descriptions do not count. Operands in files are read, one layer after the other. Raises ConfigError as `run`
        does for what cannot be read.
        """
        layers, hardware = self.known_layers(), self.resolved_hardware()
        values = has_values(self.values_choice, layers, hardware)
        return run_digest(layers, hardware, self.schedule, self.mapping, self.links, values=values)

    @property
    def values_choice(self) -> ValuesChoice:
        """What was asked for, in words."""
        return _values_choice(self.values)

    def resolved_hardware(self) -> Hardware:
        """Return the machine, with the settings applied; raises ConfigError for one that there cannot be."""
        given = self.hardware if isinstance(self.hardware, Hardware) else load_hardware(self.hardware)
        return with_settings(given, self.settings)

    @property
    def layers(self) -> tuple[LayerLike, ...]:
        """The layers in order."""
        return self.layer if isinstance(self.layer, tuple) else (self.layer,)

    def with_hardware(self, hardware: Hardware | Path | str | None, settings: Mapping[str, object]) -> Scenario:
        """Return the scenario on another machine (None: its own) and with further settings on top."""
        chosen = self.hardware if hardware is None else hardware
        kept = self.settings if hardware is None else {}
        return replace(self, hardware=chosen, settings={**kept, **settings})


@dataclass(frozen=True)
class Study:
    """Several scenarios for one question, shown in one table."""

    name: str
    scenarios: tuple[Scenario, ...]
    description: str = ""

    def __post_init__(self) -> None:
        """Check the name, and that there are scenarios, each with its own; raises ConfigError."""
        check_run_name("study.name", self.name)
        place, names = f"study.{self.name}.scenarios", [scenario.name for scenario in self.scenarios]
        if not names:
            raise ConfigError(place, names, "at least one, each with a name of its own")
        check_case_names(place, names)


def load_scenario(path: Path) -> Scenario | Study:
    """Return what a scenario script, or the scenario.yaml of a run folder, describes.

    A script is Python that sets `scenario` to a Scenario or a Study, or `study` to a Study. Raises ConfigError if there
    is none, and for a script that raises. Modules beside the script can be imported from then on.
    """
    if not path.is_file():
        raise ConfigError("scenario", f"no file {str(path)!r}", "the path of a scenario script or a scenario.yaml")
    if path.suffix in {".yaml", ".yml"}:
        return _read_yaml(path)
    found = read_script(path, ("scenario", "study"))
    if isinstance(found, Scenario | Study):
        return found
    raise ConfigError(f"{path}: scenario", with_article(type(found).__name__), "a Scenario or a Study", _ENDING)


def read_script(path: Path, wanted: Sequence[str]) -> object:
    """Return what a script sets under one of the names that are `wanted`.

    Raises ConfigError for a script that raises, and unless it sets exactly one of scenario, study and sweep.
    """
    content = _run_script(path)
    given = [name for name in _VARIABLES if name in content]
    if len(given) > 1:
        raise ConfigError(str(path), f"{' and '.join(given)} in one script", "one of them", "Make a script for each")
    if not given:
        raise ConfigError(f"{path}: {wanted[0]}", "nothing of that name", _SETS[wanted[0]], _ENDINGS[wanted[0]])
    if given[0] not in wanted:
        raise ConfigError(
            f"{path}: {wanted[0]}", f"a {given[0]}", _SETS[wanted[0]], f"panacea-sim {_COMMANDS[given[0]]} takes it"
        )
    return content[given[0]]


def write_scenario(folder: RunFolder, scenario: Scenario, layers: Sequence[AnyLayer], hardware: Hardware) -> None:
    """Write scenario.yaml, from which the same run can be made again, with the operands of its layers beside it."""
    content = ScenarioFile(
        schema=SCHEMA_VERSION,
        name=scenario.name,
        description=scenario.description,
        values=scenario.values_choice,
        schedule=scenario.schedule,
        mapping=scenario.mapping,
        layers=[entry_of(layer, number, folder.path) for number, layer in enumerate(layers)],
        **({"edges": [edge_entry_of(*link) for link in scenario.links]} if scenario.links else {}),
        hardware=hardware,
    )
    folder.write_yaml("scenario.yaml", content.content())


def _checked_links(links: Iterable[LayerLink], layers: Iterable[LayerLike]) -> tuple[LayerLink, ...]:
    """Return the links as a tuple; raises ConfigError for what is none, and for links that only a `source` can say.

    Of layers with operands a source says that they read in place, since their numbers have to agree.
    """
    given, masked = tuple(links), {layer.name for layer in layers if isinstance(layer, MaskedLayer)}
    for number, each in enumerate(given):
        field = f"scenario.links[{number}]"
        if not isinstance(each, tuple) or [type(part) for part in each] != [str, str, Link]:
            raise ConfigError(field, repr(each), "the names of a producer and a consumer, and a Link")
        if each[2].in_place and each[1] not in masked:
            hint = "A layer with operands that reads in place has the producer's name as its `source`"
            raise ConfigError(f"{field}.in_place", True, "False", hint)
    return given


def _values_choice(values: object) -> ValuesChoice:
    """Return what to do with values; raises ConfigError for what is no word for it."""
    word, known = values_word(values), get_args(ValuesChoice)
    if word not in known:
        hint = nearest_name(str(values), known)
        raise ConfigError("scenario.values", repr(values), " or ".join(known), hint)
    return cast("ValuesChoice", word)


def _run_script(path: Path) -> dict[str, Any]:
    # Modules beside a script are found, also by what is imported later and by worker processes; libraries come first.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        return runpy.run_path(str(path))
    except (PanaceaError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a script that exits has not said what to run either
        found = ": ".join(filter(None, [type(error).__name__, str(error)]))
        raise ConfigError(str(path), found, "a script that runs to its end", _place(error, path)) from error


def _place(error: BaseException, path: Path) -> str:
    """Return the line of the script at which it failed, for the message."""
    line, trace = None, error.__traceback__
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line = error.lineno
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"See line {line}" if line else ""


def _read_yaml(path: Path) -> Scenario:
    content, layers, links = read_scenario_file(path)
    return Scenario(
        content.name,
        layers,
        content.hardware,
        values=content.values,
        description=content.description,
        schedule=content.schedule,
        mapping=content.mapping,
        links=links,
    )
