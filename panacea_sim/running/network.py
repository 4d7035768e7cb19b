"""Networks as scenarios, linked, each layer alone, mapped by class: with skip masks of given densities or operands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.layer_file import LayerFile
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, all_links, layers_in_order
from panacea_sim.workload.networks.formats import stage_producers, written_formats
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.vector_work import total_passes
from panacea_sim.workload.written_format import WrittenFormat

__all__ = ["check_operand_machine", "network_scenario", "operand_scenario"]

_NO_SETTINGS: Mapping[str, object] = MappingProxyType({})


def network_scenario(
    graph: LayerGraph, hardware: Hardware | Path | str = "panacea", settings: Mapping[str, object] = _NO_SETTINGS
) -> Scenario:
    """Return the scenario that runs a network whose nodes are `Gemm`s, in the order of its graph.

    Raises ConfigError if layers wait for each other in a circle, and for a layer without densities.
    """
    order = layers_in_order(graph)
    products: list[Gemm] = [graph.nodes[name]["layer"] for name in order]
    _check_densities(products)
    # Each layer has masks of its own: two layers of one size are not the same work.
    formats = written_formats(graph, order, {name: seed for seed, name in enumerate(order)})
    feeding = stage_producers(graph, order)
    layers = tuple(
        _masked(gemm, seed, formats[gemm.name], feeds_stage=gemm.name in feeding) for seed, gemm in enumerate(products)
    )
    return Scenario(
        graph.graph.get("name", "network"),
        layers,
        hardware,
        settings,
        values=False,
        description=graph.graph.get("description", ""),
        schedule="barrier",
        mapping="class",
        links=tuple(all_links(graph)),
    )


def operand_scenario(
    graph: LayerGraph, layers: Mapping[str, LayerFile], hardware: Hardware, description: str = ""
) -> Scenario:
    """Return the scenario that runs a network whose layers have operands, given by name, in the order of its graph.

    All operands lie in DRAM: between the layers of the network is vector work of which nobody computes the values here.
    Links are waits. Raises ConfigError if layers wait for each other in a circle, and for a machine with vector stages.
    """
    check_operand_machine(hardware)
    links = [(producer, consumer, replace(link, in_place=False)) for producer, consumer, link in all_links(graph)]
    return Scenario(
        graph.graph.get("name", "network"),
        tuple(layers[name] for name in layers_in_order(graph)),
        hardware,
        description=description,
        schedule="barrier",
        mapping="class",
        links=tuple(links),
    )


def check_operand_machine(hardware: Hardware) -> None:
    """Raise ConfigError for a machine that does more between layers with operands than pass outputs through its PPU."""
    if hardware.vector == "unfused":
        hint = "Run the network with densities instead: give sizes with --shape in place of --data"
        raise ConfigError("hardware.vector", "unfused for layers with values", "fused or free", hint)


def _check_densities(products: Sequence[Gemm]) -> None:
    for gemm in products:
        if gemm.rho_w is None or gemm.rho_x is None:
            hint = "Give rho_w and rho_x, or a profile"
            raise ConfigError(f"layer {gemm.name!r}", "no densities", "shares of skipped vectors", hint)


def _masked(gemm: Gemm, seed: int, formats: tuple[WrittenFormat, ...], *, feeds_stage: bool) -> MaskedLayer:
    assert gemm.rho_w is not None
    assert gemm.rho_x is not None
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
        formats=formats,
        feeds_stage=feeds_stage,
        stage=gemm.stage,
    )
