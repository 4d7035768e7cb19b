"""What `versus` is given: which workload is meant, and the options that it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panacea_sim.analysis.versus.contender import WEIGHTS
from panacea_sim.errors import ConfigError
from panacea_sim.running.network_file import NetworkSizes, check_sizes, network_of
from panacea_sim.running.versus.fight import Fight, ablation_fight, layer_fight, network_fight
from panacea_sim.running.versus.machines import Entrant, Normalise
from panacea_sim.running.versus.model_fight import OperandChoice, operand_fight
from panacea_sim.workload.samples import is_sample

__all__ = ["NetworkOptions", "ablation_of", "check_ablation", "fight_of", "is_layer", "refuse_options"]

_LAYER_ENDING = ".npz"


@dataclass(frozen=True)
class NetworkOptions:
    """The options of networks, which layers do not have."""

    sizes: NetworkSizes = field(default_factory=NetworkSizes)
    weight_bits: int | None = None
    profile: str | None = None


def fight_of(  # what the command is given
    workload: str,
    machines: Sequence[Entrant],
    options: NetworkOptions,
    plain: Path | None,
    operands: OperandChoice | None = None,
    folder: Path | None = None,
) -> Fight:
    """Return the workload of a name or a file; raises ConfigError for what there is not, and for useless options.

    `operands` says which operands of a model are simulated, None: its densities. They lie in the folder, which exists.
    """
    if is_layer(workload):
        refuse_options(workload, options)
        return layer_fight(Path(workload), machines, plain)
    if plain is not None:
        raise ConfigError("--plain", plain, f"nothing beside {workload}, which is no layer file", "Leave it out")
    if operands is not None:
        check_sizes(workload, options.sizes)
        assert options.sizes.data is not None
        assert folder is not None
        return operand_fight(Path(workload), options.sizes.data, machines, folder, operands)
    asked = options.profile
    profiles = WEIGHTS if asked is None else {asked: WEIGHTS.get(asked, asked)}
    return network_fight(
        lambda profile, hardware: network_of(workload, options.sizes, options.weight_bits, profile, hardware),
        machines,
        profiles,
    )


def check_ablation(machines: Sequence[str] | None, normalise: Normalise, zpm: Path | None, *, asked: bool) -> None:
    """Raise ConfigError for what means nothing beside an ablation, or without one."""
    if asked and (machines is not None or normalise != "multipliers"):
        raise ConfigError("--ablation", "--machines or --normalise area", "neither beside it: its steps are given")
    if zpm is not None and not asked:
        raise ConfigError("--zpm", zpm, "--ablation beside it", "Leave it out")


def ablation_of(
    workload: str, options: NetworkOptions, settings: Mapping[str, object], plain: Path | None, zpm: Path | None
) -> tuple[tuple[Entrant, ...], Fight]:
    """Return the steps of an ablation as machines; raises ConfigError unless all variants of the layer are given."""
    if not is_layer(workload):
        raise ConfigError("--ablation", workload, "a LAYER.npz that was quantized with ZPM and DBS")
    refuse_options(workload, options)
    if plain is None or zpm is None:
        missing = "--plain" if plain is None else "--zpm"
        raise ConfigError("--ablation", f"no {missing}", "the same layer without ZPM and DBS, and with ZPM alone")
    return ablation_fight(Path(workload), plain, zpm, settings)


def is_layer(workload: str) -> bool:
    """Return whether a name or a path means a layer, and no network."""
    return Path(workload).suffix.lower() == _LAYER_ENDING or is_sample(workload)


def refuse_options(workload: str, options: NetworkOptions, what: str = "is a layer") -> None:
    """Raise ConfigError for an option of networks that is given beside what is none."""
    sizes = options.sizes
    given = {
        "--phase": sizes.phase,
        "--tokens": sizes.tokens,
        "--context": sizes.context,
        "--batch": sizes.batch,
        "--weight-bits": options.weight_bits,
        "--profile": options.profile,
        "--data": sizes.data,
        "--shape": sizes.shapes or None,
    }
    for option, value in given.items():
        if value is not None:
            raise ConfigError(option, value, f"nothing beside {workload}, which {what}", "Leave it out")
