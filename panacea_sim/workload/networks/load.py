"""A network by its name in the zoo, or from a table or file of the user's."""

from __future__ import annotations

from pathlib import Path

from panacea_sim.errors import ConfigError
from panacea_sim.plugins import plugin_path
from panacea_sim.quant.widths import require_weight_bits
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.model_table import list_models
from panacea_sim.workload.networks.network_file import read_network_file
from panacea_sim.workload.networks.profile import DEFAULT_PROFILE, Quantization, density_profile
from panacea_sim.workload.networks.table import read_table
from panacea_sim.workload.networks.zoo import Phase, build

__all__ = ["load_network"]

_DEFAULT_WEIGHT_BITS = 7
_TABLE, _FILES = (".csv",), (".yaml", ".yml")


def load_network(  # noqa: PLR0913  # the options of a command, one by one
    workload: str,
    phase: Phase | None = None,
    tokens: int | None = None,
    context: int | None = None,
    batch: int | None = None,
    *,
    weight_bits: int | None = None,
    profile: str | None = None,
    quantization: Quantization = "aqs",
    tile_m: int = 64,
) -> LayerGraph:
    """Return the graph of a network of the zoo, or that of a .csv or .yaml file, which says its own sizes.

    A package may add such a file under a name.

    Weights have 7 bits and densities are those of the profile "measured" by default. `tile_m` counts where a file packs
    groups into a product. `graph.graph` has what `build` says. Raises ConfigError naming the option, or the file and
    the place in it.
    """
    path = _added_file(workload) or Path(workload)
    weight_bits = _DEFAULT_WEIGHT_BITS if weight_bits is None else weight_bits
    profile = DEFAULT_PROFILE if profile is None else profile
    ending = path.suffix.lower()
    if ending not in (*_TABLE, *_FILES):
        if path.exists() or path.name != workload:
            raise ConfigError("workload", repr(workload), "the name of a model, or a .csv or .yaml file")
        sizes = (phase or "prefill", tokens, context, 1 if batch is None else batch)
        return build(workload, *sizes, weight_bits=weight_bits, profile=profile, quantization=quantization)
    for option, value in (("--phase", phase), ("--tokens", tokens), ("--context", context), ("--batch", batch)):
        if value is not None:
            raise ConfigError(option, value, f"nothing beside {workload}, which says its own sizes", "Leave it out")
    require_weight_bits("--weight-bits", weight_bits)
    builder = NetworkBuilder(density_profile(profile), weight_bits, quantization)
    graph = read_table(path, builder) if ending in _TABLE else read_network_file(path, builder, tile_m)
    graph.graph.update(
        name=graph.graph.get("name", path.stem), description=f"from {path.name}", profile=builder.profile, unpaid=()
    )
    return graph


def _added_file(workload: str) -> Path | None:
    """Return the file that a package adds under this name; None if none does. Names of the zoo come first."""
    if Path(workload).suffix or any(model.name == workload for model in list_models()):
        return None
    return plugin_path("workloads", workload)
