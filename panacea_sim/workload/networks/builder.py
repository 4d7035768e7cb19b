"""What all builders of networks share: layers with densities of a profile, added to a graph."""

from __future__ import annotations

from dataclasses import dataclass, field

import networkx as nx

from panacea_sim.quant.slicing import weight_ho_factors
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import LayerGraph, add_layer
from panacea_sim.workload.networks.fit import connect
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.profile import DensityProfile, Quantization

__all__ = ["DYNAMIC_WEIGHT_BITS", "NetworkBuilder", "Sizes"]

DYNAMIC_WEIGHT_BITS = 7
"""Width of weights that are outputs of other layers."""

Sizes = tuple[int, int, int]
"""M, K and N."""


@dataclass
class NetworkBuilder:
    """A graph under construction, and what holds for all its layers."""

    profile: DensityProfile
    weight_bits: int = 7
    quantization: Quantization = "aqs"
    graph: LayerGraph = field(default_factory=nx.DiGraph)

    def add(  # noqa: PLR0913  # what a layer is; all by name
        self,
        name: str,
        sizes: Sizes,
        *,
        kind: str,
        op: str = "Gemm",
        block: str = "",
        repeat: int = 1,
        dynamic_weight: bool = False,
        vector: tuple[str, ...] = (),
    ) -> str:
        """Add a layer without links and return its name, that of its block in front."""
        bits = DYNAMIC_WEIGHT_BITS if dynamic_weight else self.weight_bits
        rho_w, rho_x = self.densities(kind, bits)
        layer = Gemm(
            f"{block}.{name}" if block else name,
            op,
            kind,
            block,
            *sizes,
            repeat=repeat,
            weight_bits=bits,
            dynamic_weight=dynamic_weight,
            rho_w=rho_w,
            rho_x=rho_x,
            vector=vector,
        )
        add_layer(self.graph, layer)
        return layer.name

    def densities(self, kind: str, weight_bits: int) -> tuple[tuple[float, ...], float]:
        """Return the profile's densities of a layer: for each HO slice of the weight, and of the activation."""
        density = self.profile.density(kind, self.quantization)
        return (density.rho_w,) * len(weight_ho_factors(weight_bits)), density.rho_x

    def link(self, producer: str, consumer: str, *links: Link) -> None:
        """Let the consumer need outputs of the producer; raises ConfigError where sizes do not fit."""
        connect(self.graph, producer, consumer, *links)
