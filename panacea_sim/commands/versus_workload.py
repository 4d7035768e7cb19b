"""What `versus` is given: a layer, or a network with the weights of both kinds of scales, for each machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from panacea_sim.analysis.versus.contender import WEIGHTS
from panacea_sim.commands.network_file import NetworkSizes, network_of
from panacea_sim.errors import ConfigError
from panacea_sim.running.network import network_scenario
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.ablation import ablation_steps
from panacea_sim.running.versus.contest import Bout
from panacea_sim.running.versus.machines import Entrant, takes_own_codes
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import LayerFile, layer_file

__all__ = ["Fight", "NetworkOptions", "ablation_of", "fight_of"]

_LAYER_ENDING = ".npz"


@dataclass(frozen=True)
class Fight:
    """A workload as all machines get it, and the layer whose products are the truth of accuracy."""

    name: str
    bouts: tuple[Bout, ...]
    judge: AnyLayer | None = None
    accuracy_against: str | None = None
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class NetworkOptions:
    """The options of networks, which layers do not have."""

    sizes: NetworkSizes
    weight_bits: int | None
    profile: str | None


def fight_of(workload: str, machines: Sequence[Entrant], options: NetworkOptions, plain: Path | None) -> Fight:
    """Return the workload of a name or a file; raises ConfigError for what there is not, and for useless options."""
    if _is_layer(workload):
        _refuse_options(workload, options)
        return _of_layer(Path(workload), machines, plain)
    if plain is not None:
        raise ConfigError("--plain", plain, f"nothing beside {workload}, which is no layer file", "Leave it out")
    profile = options.profile
    profiles = WEIGHTS if profile is None else {profile: WEIGHTS.get(profile, profile)}
    bouts = []
    for name, weights in profiles.items():
        graphs = [network_of(workload, options.sizes, options.weight_bits, name, each.hardware) for each in machines]
        scenarios = [network_scenario(graph, each.hardware) for graph, each in zip(graphs, machines, strict=True)]
        bouts.append(Bout(weights, name, tuple(scenarios)))
    return Fight(bouts[0].scenarios[0].name, tuple(bouts))


def ablation_of(
    workload: str, options: NetworkOptions, settings: Mapping[str, object], plain: Path | None, zpm: Path | None
) -> tuple[tuple[Entrant, ...], Fight]:
    """Return the steps of an ablation as machines; raises ConfigError unless all variants of the layer are given."""
    if not _is_layer(workload):
        raise ConfigError("--ablation", workload, "a LAYER.npz that was quantized with ZPM and DBS")
    _refuse_options(workload, options)
    if plain is None or zpm is None:
        missing = "--plain" if plain is None else "--zpm"
        raise ConfigError("--ablation", f"no {missing}", "the same layer without ZPM and DBS, and with ZPM alone")
    layer = layer_file(Path(workload))
    variants = {"plain": _same_layer("--plain", plain, layer), "zpm": _same_layer("--zpm", zpm, layer), "dbs": layer}
    steps = ablation_steps(settings)
    scenarios = [Scenario(layer.name, variants[each.variant], each.entrant.hardware) for each in steps]
    machines = tuple(each.entrant for each in steps)
    bouts = (Bout("the layer's", None, tuple(scenarios)),)
    judge = variants["plain"]
    return machines, Fight(layer.name, bouts, judge, _against(judge), tuple(each.name for each in machines))


def _is_layer(workload: str) -> bool:
    return Path(workload).suffix.lower() == _LAYER_ENDING


def _of_layer(path: Path, machines: Sequence[Entrant], plain: Path | None) -> Fight:
    layer = layer_file(path)
    other = layer if plain is None else _same_layer("--plain", plain, layer)
    given = [other if takes_own_codes(each.hardware) else layer for each in machines]
    scenarios = [Scenario(layer.name, each, machine.hardware) for each, machine in zip(given, machines, strict=True)]
    return Fight(layer.name, (Bout("the layer's", None, tuple(scenarios)),), other, _against(other))


def _against(judge: LayerFile) -> str:
    return f"the dequantized codes of {judge.name}, which flatters machines that take these codes as they are"


def _same_layer(option: str, path: Path, layer: LayerFile) -> LayerFile:
    found = layer_file(path)
    if (found.M, found.K, found.N, found.repeat) != (layer.M, layer.K, layer.N, layer.repeat):
        sizes = f"{found.M} x {found.K} x {found.N}"
        raise ConfigError(option, f"{path}, {sizes}", f"the same layer, {layer.M} x {layer.K} x {layer.N}")
    return found


def _refuse_options(workload: str, options: NetworkOptions) -> None:
    sizes = options.sizes
    given = {
        "--phase": sizes.phase,
        "--tokens": sizes.tokens,
        "--context": sizes.context,
        "--batch": sizes.batch,
        "--weight-bits": options.weight_bits,
        "--profile": options.profile,
        "--shape": sizes.shapes or None,
    }
    for option, value in given.items():
        if value is not None:
            raise ConfigError(option, value, f"nothing beside {workload}, which is a layer", "Leave it out")
