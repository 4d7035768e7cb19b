"""What `versus` is given: a layer, or a network with the weights of both kinds of scales, for each machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panacea_sim.analysis.versus.contender import WEIGHTS
from panacea_sim.commands.network_file import NetworkSizes, network_of
from panacea_sim.errors import ConfigError
from panacea_sim.running.network import network_scenario
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.contest import Bout
from panacea_sim.running.versus.machines import Entrant, takes_own_codes
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import LayerFile, layer_file

__all__ = ["Fight", "fight_of"]

_LAYER_ENDING = ".npz"


@dataclass(frozen=True)
class Fight:
    """A workload as all machines get it, and the layer whose products are the truth of accuracy."""

    name: str
    bouts: tuple[Bout, ...]
    judge: AnyLayer | None = None
    accuracy_against: str | None = None


def fight_of(
    workload: str,
    machines: Sequence[Entrant],
    sizes: NetworkSizes,
    *,
    weight_bits: int | None,
    profile: str | None,
    plain: Path | None,
) -> Fight:
    """Return the workload of a name or a file; raises ConfigError for what there is not, and for useless options."""
    if Path(workload).suffix.lower() == _LAYER_ENDING:
        _refuse_options(workload, sizes, weight_bits, profile)
        return _of_layer(Path(workload), machines, plain)
    if plain is not None:
        raise ConfigError("--plain", plain, f"nothing beside {workload}, which is no layer file", "Leave it out")
    profiles = WEIGHTS if profile is None else {profile: WEIGHTS.get(profile, profile)}
    bouts = []
    for name, weights in profiles.items():
        graphs = [network_of(workload, sizes, weight_bits, name, each.hardware) for each in machines]
        scenarios = [network_scenario(graph, each.hardware) for graph, each in zip(graphs, machines, strict=True)]
        bouts.append(Bout(weights, name, tuple(scenarios)))
    return Fight(bouts[0].scenarios[0].name, tuple(bouts))


def _of_layer(path: Path, machines: Sequence[Entrant], plain: Path | None) -> Fight:
    layer = layer_file(path)
    other = layer if plain is None else _plain_layer(plain, layer)
    given = [other if takes_own_codes(each.hardware) else layer for each in machines]
    scenarios = [Scenario(layer.name, each, machine.hardware) for each, machine in zip(given, machines, strict=True)]
    against = f"the dequantized codes of {other.name}, which flatters machines that take these codes as they are"
    return Fight(layer.name, (Bout("the layer's", None, tuple(scenarios)),), other, against)


def _plain_layer(path: Path, layer: LayerFile) -> LayerFile:
    found = layer_file(path)
    if (found.M, found.K, found.N, found.repeat) != (layer.M, layer.K, layer.N, layer.repeat):
        sizes = f"{found.M} x {found.K} x {found.N}"
        raise ConfigError("--plain", f"{path}, {sizes}", f"the same layer, {layer.M} x {layer.K} x {layer.N}")
    return found


def _refuse_options(workload: str, sizes: NetworkSizes, weight_bits: int | None, profile: str | None) -> None:
    given = {
        "--phase": sizes.phase,
        "--tokens": sizes.tokens,
        "--context": sizes.context,
        "--batch": sizes.batch,
        "--weight-bits": weight_bits,
        "--profile": profile,
        "--shape": sizes.shapes or None,
    }
    for option, value in given.items():
        if value is not None:
            raise ConfigError(option, value, f"nothing beside {workload}, which is a layer", "Leave it out")
