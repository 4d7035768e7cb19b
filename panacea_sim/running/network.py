"""Networks as scenarios: their layers with skip masks of given densities, linked, each alone, mapped by class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, all_links, layers_in_order
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.vector_work import total_passes

__all__ = ["network_scenario"]

_NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


def network_scenario(
    graph: LayerGraph, hardware: Hardware | Path | str = "panacea", settings: Mapping[str, object] = _NO_SETTINGS
) -> Scenario:
    """Return the scenario that runs a network whose nodes are `Gemm`s, in the order of its graph.

    Raises ConfigError if layers wait for each other in a circle, and for a layer without densities.
    """
    layers = tuple(_masked(graph.nodes[name]["layer"], seed) for seed, name in enumerate(layers_in_order(graph)))
    # Masked layers write dense outputs, so that nobody can read these in place: every link is a wait.
    links = tuple((producer, consumer, replace(link, in_place=False)) for producer, consumer, link in all_links(graph))
    return Scenario(
        graph.graph.get("name", "network"),
        layers,
        hardware,
        settings,
        values=False,
        description=graph.graph.get("description", ""),
        schedule="barrier",
        mapping="class",
        links=links,
    )


def _masked(gemm: Gemm, seed: int) -> MaskedLayer:
    """Return the layer with masks of its own: two layers of one size are not the same work."""
    if gemm.rho_w is None or gemm.rho_x is None:
        hint = "Give rho_w and rho_x, or a profile"
        raise ConfigError(f"layer {gemm.name!r}", "no densities", "shares of skipped vectors", hint)
    return MaskedLayer(
        gemm.name,
        gemm.M,
        gemm.K,
        gemm.N,
        gemm.rho_w,
        gemm.rho_x,
        seed,
        weight_bits=gemm.weight_bits,
        activation_bits=gemm.activation_bits,
        repeat=gemm.repeat,
        sequential=gemm.sequential,
        passes=total_passes(gemm.vector),
        kind=gemm.kind,
        block=gemm.block,
    )
