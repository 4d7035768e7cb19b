"""A workload as all machines get it: a network with the weights of both kinds of scales, a layer, or an ablation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from panacea_sim.analysis.versus.contender import WEIGHTS
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.network import network_scenario
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.ablation import ablation_steps
from panacea_sim.running.versus.contest import Bout
from panacea_sim.running.versus.machines import Entrant, takes_own_codes
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import LayerFile, layer_file
from panacea_sim.workload.network import LayerGraph

__all__ = ["Fight", "GraphOf", "ablation_fight", "layer_fight", "network_fight"]

GraphOf = Callable[[str, Hardware], LayerGraph]
"""Returns the graph of a network with the densities of a profile, by its name or path, for a machine."""

_NO_SETTINGS: Mapping[str, object] = MappingProxyType({})
_OF_THE_LAYER = "the layer's"
_NO_OPERANDS = "the layers of a network have densities and no operands"


@dataclass(frozen=True)
class Fight:
    """A workload as all machines get it, and the layer whose products are the truth of accuracy.

    `no_accuracy` says why accuracy is not known, where that is so; `notes` what is to be known of the operands.
    """

    name: str
    bouts: tuple[Bout, ...]
    judge: AnyLayer | None = None
    accuracy_against: str | None = None
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    no_accuracy: str | None = None


def network_fight(graph_of: GraphOf, machines: Sequence[Entrant], profiles: Mapping[str, str] = WEIGHTS) -> Fight:
    """Return a network with each profile, whose value says what scales its weights have.

    Raises ConfigError for what `graph_of` refuses, and for layers without densities.
    """
    bouts = []
    for profile, weights in profiles.items():
        graphs = [graph_of(profile, each.hardware) for each in machines]
        scenarios = [network_scenario(graph, each.hardware) for graph, each in zip(graphs, machines, strict=True)]
        bouts.append(Bout(weights, profile, tuple(scenarios)))
    return Fight(bouts[0].scenarios[0].name, tuple(bouts), no_accuracy=_NO_OPERANDS)


def layer_fight(path: Path, machines: Sequence[Entrant], plain: Path | None = None) -> Fight:
    """Return the layer of a file; machines with a quantization of their own take it without ZPM and DBS, if given.

    Raises ConfigError naming a file, or --plain for another layer.
    """
    layer = layer_file(path)
    other = layer if plain is None else _same_layer("--plain", plain, layer)
    given = [other if takes_own_codes(each.hardware) else layer for each in machines]
    scenarios = [Scenario(layer.name, each, machine.hardware) for each, machine in zip(given, machines, strict=True)]
    return Fight(layer.name, (Bout(_OF_THE_LAYER, None, tuple(scenarios)),), other, _against(other))


def ablation_fight(
    path: Path, plain: Path, zpm: Path, settings: Mapping[str, object] = _NO_SETTINGS
) -> tuple[tuple[Entrant, ...], Fight]:
    """Return the steps of an ablation as machines, and the layer in three variants: with ZPM and DBS, and without.

    Raises ConfigError naming a file, or the option of another layer.
    """
    layer = layer_file(path)
    variants = {"plain": _same_layer("--plain", plain, layer), "zpm": _same_layer("--zpm", zpm, layer), "dbs": layer}
    steps = ablation_steps(settings)
    scenarios = [Scenario(layer.name, variants[each.variant], each.entrant.hardware) for each in steps]
    machines = tuple(each.entrant for each in steps)
    bouts = (Bout(_OF_THE_LAYER, None, tuple(scenarios)),)
    judge = variants["plain"]
    return machines, Fight(layer.name, bouts, judge, _against(judge), tuple(each.name for each in machines))


def _against(judge: LayerFile) -> str:
    return f"the dequantized codes of {judge.name}, which flatters machines that take these codes as they are"


def _same_layer(option: str, path: Path, layer: LayerFile) -> LayerFile:
    found = layer_file(path)
    if (found.M, found.K, found.N, found.repeat) != (layer.M, layer.K, layer.N, layer.repeat):
        sizes = f"{found.M} x {found.K} x {found.N}"
        raise ConfigError(option, f"{path}, {sizes}", f"the same layer, {layer.M} x {layer.K} x {layer.N}")
    return found
