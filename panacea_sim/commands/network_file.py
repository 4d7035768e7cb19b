"""Which network commands mean: a model of the zoo, a table, a network file or an ONNX model, each with its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.commands.workload_options import Batch, Context, Data, Phase, Tokens

if TYPE_CHECKING:
    from panacea_sim.workload.network import LayerGraph

__all__ = ["MODEL_ENDING", "NetworkSizes", "check_sizes", "network_of"]

MODEL_ENDING = ".onnx"


@dataclass(frozen=True)
class NetworkSizes:
    """The options that say how large a network's inputs are; those of models by name, and those of model files."""

    phase: Phase
    tokens: Tokens
    context: Context
    batch: Batch
    data: Data
    shapes: tuple[str, ...]


def network_of(
    workload: str, sizes: NetworkSizes, weight_bits: int | None, profile: str | None, tile_m: int
) -> LayerGraph:
    """Return the graph of a network; raises ConfigError for options that it does not have."""
    check_sizes(workload, sizes)
    if Path(workload).suffix.lower() == MODEL_ENDING:
        from panacea_sim.onnx_models.load import load_model

        return load_model(workload, sizes.data, sizes.shapes, weight_bits=weight_bits, profile=profile).network
    from panacea_sim.workload.networks.load import load_network

    of_network = (sizes.phase, sizes.tokens, sizes.context, sizes.batch)
    return load_network(workload, *of_network, weight_bits=weight_bits, profile=profile, tile_m=tile_m)


def check_sizes(workload: str, sizes: NetworkSizes) -> None:
    """Raise ConfigError for options that a network does not have, or that leave no room for each other."""
    from panacea_sim.errors import ConfigError

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
