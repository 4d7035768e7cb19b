"""What `simulate` is given, as a scenario: a layer, a file, the name of a network, or a scenario itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import networkx as nx
import numpy as np

from panacea_sim.errors import ConfigError, with_article
from panacea_sim.hardware.config import Hardware, load_hardware, setting_fields, with_settings
from panacea_sim.running.names import run_name_fault
from panacea_sim.running.network import network_scenario
from panacea_sim.running.network_file import is_network, network_of
from panacea_sim.running.scenario import Scenario, Study, load_scenario
from panacea_sim.running.versus.workload import NetworkOptions, is_layer, refuse_options
from panacea_sim.trace.run_place import RUN_MARK
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer_file import LayerFile
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph

__all__ = ["HardwareLike", "WorkloadLike", "asked_machine", "asked_scenario", "settings_of"]

LayerLike: TypeAlias = GemmLayer | MaskedLayer | LayerFile
WorkloadLike: TypeAlias = "LayerLike | Scenario | LayerGraph | str | Path | Sequence[LayerLike | str | Path]"
"""What can be simulated."""

HardwareLike: TypeAlias = Hardware | str | Path | Mapping[str, object]
"""A machine: itself, a preset's name, a YAML file, or what such a file holds."""

_ACCEPTED = (
    "a layer, several layers, a Scenario, the graph of a network, the path of a LAYER.npz, a scenario or a network "
    "(.csv, .yaml, .onnx), or a name of `panacea-sim list layers` or `list workloads`"
)
_WHAT = "is no network by its name or file"
_SCENARIOS = (".py", ".yaml", ".yml")


@dataclass(frozen=True)
class Machine:
    """The machine that was asked for: None is that of the scenario, or `panacea`; with settings on top."""

    hardware: HardwareLike | None
    settings: Mapping[str, object]

    def alone(self) -> Hardware:
        """Return the machine where no scenario has one; raises ConfigError for one that there cannot be."""
        given = "panacea" if self.hardware is None else self.hardware
        if isinstance(given, Hardware):
            return with_settings(given, self.settings)
        return load_hardware(given, self.settings)


def asked_machine(hardware: HardwareLike | None, settings: Mapping[str, object] | None) -> Machine:
    """Return the machine of these settings, which `settings_of` reads; raises ConfigError for what is no hardware."""
    if not isinstance(hardware, Hardware | str | Path | Mapping | None):
        accepted = "a Hardware, the name of a preset, the path of a YAML file, or its fields"
        raise ConfigError("hardware", with_article(type(hardware).__name__), accepted)
    return Machine(hardware, settings_of(settings, hardware))


def settings_of(given: Mapping[str, object] | None, hardware: HardwareLike | None = None) -> dict[str, object]:
    """Return settings of a hardware by field name, of names or dotted paths; numbers of numpy become those of Python.

    Raises ConfigError for what is no mapping, and for an unknown path.
    """
    if given is not None and not isinstance(given, Mapping):
        raise ConfigError("set", repr(given), "fields with their values", "For example set={'n_dwo': 8}")
    plain = {name: each.item() if isinstance(each, np.generic) else each for name, each in (given or {}).items()}
    return setting_fields(plain, hardware)


def asked_scenario(workload: WorkloadLike, machine: Machine, options: NetworkOptions) -> tuple[Scenario, bool]:
    """Return what is to be simulated, and whether it is a network that is known by its densities.

    Raises ConfigError for what is no workload, and for options of networks beside what is none.
    """
    if isinstance(workload, nx.DiGraph):
        refuse_options("this graph", options, "says its own sizes")
        return network_scenario(workload, machine.alone()), True
    if isinstance(workload, str | Path) and _is_network(workload):
        hardware = machine.alone()
        graph = network_of(str(workload), options.sizes, options.weight_bits, options.profile, hardware)
        return network_scenario(graph, hardware), True
    refuse_options(_text(workload), options, _WHAT)
    return _scenario(workload, machine), False


def _is_network(workload: str | Path) -> bool:
    """Return whether a text or a path means a network: a file that is one, or what is no path of something else."""
    path = Path(workload)
    if is_layer(str(workload)) or path.is_dir():
        return False
    return is_network(path) or path.suffix.lower() not in _SCENARIOS


def _scenario(workload: object, machine: Machine) -> Scenario:
    match workload:
        case Scenario():
            return _on(workload, machine)
        case Study():
            hint = "Simulate them one by one: [simulate(each) for each in study.scenarios]"
            raise ConfigError("workload", f"the study {workload.name!r}", "one scenario", hint)
        case GemmLayer() | MaskedLayer() | LayerFile():
            name = workload.name if run_name_fault(workload.name) is None else "layer"
            return Scenario(name, workload, machine.alone())
        case str() | Path():
            return _of_file(Path(workload), machine)
        case list() | tuple() if workload and not any(isinstance(each, np.ndarray) for each in workload):
            return Scenario("layers", tuple(workload), machine.alone())
    arrays = workload if isinstance(workload, list | tuple) else (workload,)
    is_arrays = any(isinstance(each, np.ndarray) for each in arrays)
    hint = "Operands are quantized first: simulate(quantize(weight, activation))" if is_arrays else ""
    found = "arrays" if is_arrays else "nothing" if not arrays else with_article(type(workload).__name__)
    raise ConfigError("workload", found, _ACCEPTED, hint)


def _of_file(path: Path, machine: Machine) -> Scenario:
    if path.is_dir():
        is_run = (path / RUN_MARK).is_file()
        hint = f"It is opened with Run.open({str(path)!r})" if is_run else ""
        raise ConfigError("workload", f"the {'run ' if is_run else ''}folder {str(path)!r}", _ACCEPTED, hint)
    if is_layer(str(path)):
        return Scenario(path.stem, path, machine.alone())
    found = load_scenario(path)
    return _scenario(found, machine) if isinstance(found, Study) else _on(found, machine)


def _on(scenario: Scenario, machine: Machine) -> Scenario:
    if machine.hardware is None:
        return scenario.with_hardware(None, machine.settings)
    return replace(scenario, hardware=machine.alone(), settings={})


def _text(workload: WorkloadLike) -> str:
    return str(workload) if isinstance(workload, str | Path) else f"this {type(workload).__name__}"
