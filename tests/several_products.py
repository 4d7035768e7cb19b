"""Layers of several products: their products as layers of their own, the plain products, and a ragged one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer

__all__ = ["MACHINE", "ODD_LAYER", "odd_products", "plain_products", "products_of"]

MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8}
ODD_LAYER = synthetic_layer(22, 21, 13, rho_w=0.4, rho_x=0.6, seed=5, weight_bits=10)
"""On that machine it has 3 x 3 x 2 tiles, all ragged."""


def plain_products(layer: GemmLayer) -> npt.NDArray[np.int64]:
    """Return the plain integer products, which share nothing with the package."""
    step = 1 << (layer.lo_bits - 4)
    return np.stack(
        [
            weight.astype(np.int64) @ (activation.astype(np.int64) // step * step)
            for weight, activation in zip(layer.weight, layer.activation, strict=True)
        ]
    )


def products_of(layer: GemmLayer) -> tuple[GemmLayer, ...]:
    """Return the products as layers of their own, with the frequent slices that all of them share."""
    scales = np.broadcast_to(layer.weight_scale, (layer.repeat, layer.M))
    return tuple(
        replace(
            layer,
            name=f"product {at}",
            weight=layer.weight[at],
            activation=layer.activation[at],
            r=layer.frequent,
            weight_scale=scales[at],
            bias=None if layer.bias is None else layer.bias[at],
        )
        for at in range(layer.repeat)
    )


def odd_products(**changes: Any) -> GemmLayer:  # noqa: ANN401 (fields of every type)
    """Return ODD_LAYER and two more products of its sizes as one layer."""
    others = [synthetic_layer(22, 21, 13, 0.3, 0.5, seed, weight_bits=10) for seed in (6, 7)]
    weight = np.stack([each.weight for each in (ODD_LAYER, *others)])
    activation = np.stack([each.activation for each in (ODD_LAYER, *others)])
    return replace(ODD_LAYER, weight=weight, activation=activation, recipe=None, **changes)
