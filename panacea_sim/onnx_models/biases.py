"""Biases that operators add to their products themselves; what an operator of its own adds is vector work."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from panacea_sim.onnx_models.graph import Array
from panacea_sim.onnx_models.imported import ImportedLayer
from panacea_sim.units import FloatArray

__all__ = ["bias_of", "bias_tensors"]

_INPUTS = {"Conv": 2, "QLinearConv": 8, "Gemm": 2}


def bias_tensors(layer: ImportedLayer) -> tuple[str, ...]:
    """Return the name of the tensor with the bias of a layer, if its operator has one."""
    node = layer.product.node
    name = node.input(_INPUTS[node.op]) if node.op in _INPUTS else ""
    return (name,) if name else ()


def bias_of(
    layer: ImportedLayer, values: Mapping[str, Array], weight_scale: float | FloatArray, activation_scale: float
) -> FloatArray | None:
    """Return the bias [R, M] of a layer in real units; None if it has none, or numbers that are not those of rows.

    Whole numbers of a quantized operator are in steps of both scales, `weight_scale` [R, M].
    """
    gemm, node = layer.gemm, layer.product.node
    shape = (gemm.repeat, gemm.M)
    for name in bias_tensors(layer):
        bias: FloatArray = np.asarray(values[name], np.float64)
        if node.op == "Gemm":
            # Rows of the layer are columns of the operator's output where its right operand is the weight.
            if layer.weight.view.tensors != (node.input(1),) or bias.shape not in ((gemm.M,), (1, gemm.M)):
                return None
            bias = bias * float(node.attribute("beta", 1.0))
        bias = bias.reshape(shape)
        return bias * activation_scale * weight_scale if node.op == "QLinearConv" else bias
    return None
