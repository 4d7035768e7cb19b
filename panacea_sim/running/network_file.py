"""Which network commands mean: a model of the zoo, a table, a network file or an ONNX model, each with its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.machines.machine import machine_of
from panacea_sim.onnx_models.load import load_model
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.load import load_network
from panacea_sim.workload.networks.profile import Quantization, density_profile

__all__ = ["MODEL_ENDING", "NetworkSizes", "check_sizes", "is_network", "network_of"]

MODEL_ENDING = ".onnx"
_NETWORK = "network"


@dataclass(frozen=True)
class NetworkSizes:
    """The options that say how large a network's inputs are; those of models by name, and those of model files."""

    phase: Literal["prefill", "decode"] | None = None
    tokens: int | None = None
    context: int | None = None
    batch: int | None = None
    data: Path | None = None
    shapes: tuple[str, ...] = ()


def is_network(path: Path) -> bool:
    """Return whether a file is a table or a model, or says of itself that it is a network."""
    if path.suffix.lower() == MODEL_ENDING:
        return True
    if not path.is_file():
        return False
    if path.suffix.lower() == ".csv":
        return True
    if path.suffix not in {".yaml", ".yml"}:
        return False

    return read_mapping(path).get("kind") == _NETWORK


def network_of(
    workload: str, sizes: NetworkSizes, weight_bits: int | None, profile: str | None, hardware: Hardware
) -> LayerGraph:
    """Return the graph of a network for this hardware; raises ConfigError for options that it does not have."""
    check_sizes(workload, sizes)
    quantization = machine_of(hardware).quantization
    if profile is not None:
        _check_profile(profile, quantization, hardware.machine)
    if Path(workload).suffix.lower() == MODEL_ENDING:
        model = load_model(
            workload, sizes.data, sizes.shapes, weight_bits=weight_bits, profile=profile, quantization=quantization
        )
        return model.network

    of_network = (sizes.phase, sizes.tokens, sizes.context, sizes.batch)
    return load_network(
        workload,
        *of_network,
        weight_bits=weight_bits,
        profile=profile,
        quantization=quantization,
        tile_m=hardware.tile_m,
    )


def check_sizes(workload: str, sizes: NetworkSizes) -> None:
    """Raise ConfigError for options that a network does not have, or that leave no room for each other."""
    if Path(workload).suffix.lower() != MODEL_ENDING:
        for option, given in (("--data", sizes.data), ("--shape", sizes.shapes)):
            if given:
                raise ConfigError(option, given, f"nothing beside {workload}, which is no ONNX model", "Leave it out")
        return
    of_names = {"--phase": sizes.phase, "--tokens": sizes.tokens, "--context": sizes.context, "--batch": sizes.batch}
    for option, value in of_names.items():
        if value is not None:
            raise ConfigError(option, value, f"nothing beside {workload}", "Sizes are those of --shape or --data")
    if sizes.data is not None and sizes.shapes:
        raise ConfigError(
            "--shape", sizes.shapes[0], "nothing beside --data, whose samples have shapes", "Leave it out"
        )


def _check_profile(profile: str, quantization: Quantization, machine: str) -> None:
    """Check that a profile has the densities that a machine needs; raises ConfigError."""
    known = density_profile(profile)
    lacking = [
        kind for kind, densities in {**known.kinds, "other": known.other}.items() if quantization not in densities
    ]
    if lacking:
        found = f"{profile}, without densities for {quantization!r} of {', '.join(lacking)}"
        accepted = f"a profile with them, which machine {machine!r} needs"
        raise ConfigError("--profile", found, accepted, "The profiles that come with panacea_sim have them")
