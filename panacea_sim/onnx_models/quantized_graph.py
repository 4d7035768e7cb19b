"""A model whose products multiply what codes stand for: it shows what quantization costs the model's outputs.

In front of each product its activation is rounded, clipped and cut as the machine sees it, and made real again; so are
weights that other layers make. Weights of the file are replaced by what their codes stand for. The products themselves
are the runtime's, in floating point: apart from its rounding they are those of the integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from panacea_sim.calibration.calibrated import LayerScales
from panacea_sim.onnx_models.graph import Array, OnnxGraph, node_names
from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel
from panacea_sim.onnx_models.views import ImageView, MatrixView
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.workload.networks.convolution import Pads

__all__ = ["quantized_graph", "replaceable_layers"]

_PREFIX = "panacea quantized "


def replaceable_layers(model: ImportedModel, scales: Mapping[str, LayerScales]) -> tuple[str, ...]:
    """Return the layers that a quantized model has in place: those of nodes that are one product of tensors."""
    counts: dict[str, int] = {}
    for layer in model.layers.values():
        counts[layer.node] = counts.get(layer.node, 0) + 1
    return tuple(
        name
        for name in scales
        if counts[model.layers[name].node] == 1 and isinstance(model.layers[name].weight.view, MatrixView)
    )


def quantized_graph(model: ImportedModel, scales: Mapping[str, LayerScales], weights: Mapping[str, Array]) -> OnnxGraph:
    """Return the model with the products of some layers quantized; `weights` has the values of constant weights.

    The layers must be replaceable ones.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(model.onnx.proto)
    by_node = {model.layers[name].node: name for name in scales}
    nodes: list[onnx.NodeProto] = []
    for own_name, node in zip(list(node_names(proto.graph)), list(proto.graph.node), strict=True):
        name = by_node.get(own_name)
        if name is not None:
            made = _Made(name, model.layers[name], scales[name], weights)
            nodes.extend(made.in_front_of(node))
            proto.graph.initializer.extend(made.tensors)
        nodes.append(node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    return OnnxGraph(proto, model.onnx.folder)


class _Made:
    """The nodes and tensors that quantize the operands of a layer."""

    def __init__(self, name: str, layer: ImportedLayer, scales: LayerScales, weights: Mapping[str, Array]) -> None:
        self.tensors: list[onnx.TensorProto] = []
        self._prefix = f"{_PREFIX}{name} "
        self._layer, self._scales, self._weights = layer, scales, weights

    def in_front_of(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """Return nodes to run before a product, whose inputs become what they give."""
        weight, activation = self._layer.weight.view.tensors[0], self._layer.activation.view.tensors[0]
        numbers = list(node.input)
        view = self._layer.activation.view
        padding = view.convolution.window.padding if isinstance(view, ImageView) else ()
        if any(map(any, padding)):
            yield self._pad(node, activation, padding)
            yield from self._activation_nodes(self._name("padded"))
        else:
            yield from self._activation_nodes(activation)
        if self._layer.weight.is_constant:
            self.tensors.append(numpy_helper.from_array(self._real_weight(weight), self._name("weight")))
        else:
            yield from self._dynamic_nodes(weight)
        is_same = weight == activation
        for number, name in enumerate(numbers):
            # A product of a tensor with itself has its weight on the right.
            if name == activation and not (is_same and number):
                node.input[number] = self._name("activation")
            elif name == weight:
                node.input[number] = self._name("weight")

    def _name(self, what: str) -> str:
        return self._prefix + what

    def _constant(self, what: str, value: float) -> str:
        self.tensors.append(numpy_helper.from_array(np.array(value, np.float32), self._name(what)))
        return self._name(what)

    def _pad(self, node: onnx.NodeProto, activation: str, padding: Pads) -> onnx.NodeProto:
        """Return what pads images before they are quantized: padding is the code of the zero point, cut as others."""
        before, behind = zip(*padding, strict=True)
        pads = np.array([0, 0, *before, 0, 0, *behind], np.int64)
        self.tensors.append(numpy_helper.from_array(pads, self._name("pads")))
        kept = [each for each in node.attribute if each.name not in ("pads", "auto_pad")]
        del node.attribute[:]
        node.attribute.extend(kept)
        return helper.make_node("Pad", [activation, self._name("pads")], [self._name("padded")])

    def _activation_nodes(self, source: str) -> Iterator[onnx.NodeProto]:
        quantizer = self._scales.activations
        scale, zero_point = self._constant("scale", quantizer.scale), self._constant("zero point", quantizer.zero_point)
        least, most = self._constant("least code", quantizer.lowest), self._constant("most", quantizer.highest)
        yield helper.make_node("Div", [source, scale], [self._name("steps")])
        yield helper.make_node("Round", [self._name("steps")], [self._name("rounded")])
        yield helper.make_node("Add", [self._name("rounded"), zero_point], [self._name("codes")])
        yield helper.make_node("Clip", [self._name("codes"), least, most], [self._name("clipped")])
        codes = self._name("clipped")
        dropped = 1 << (quantizer.lo_bits - SLICE_BITS)
        if dropped > 1:
            step = self._constant("dropped", float(dropped))
            middle = (dropped - 1) / 2 if self._scales.policy.dbs_offset == "midpoint" else 0.0
            yield helper.make_node("Div", [codes, step], [self._name("parts")])
            yield helper.make_node("Floor", [self._name("parts")], [self._name("whole")])
            yield helper.make_node("Mul", [self._name("whole"), step], [self._name("cut")])
            yield helper.make_node("Add", [self._name("cut"), self._constant("middle", middle)], [self._name("seen")])
            codes = self._name("seen")
        yield helper.make_node("Sub", [codes, zero_point], [self._name("centred")])
        yield helper.make_node("Mul", [self._name("centred"), scale], [self._name("activation")])

    def _dynamic_nodes(self, source: str) -> Iterator[onnx.NodeProto]:
        assert isinstance(self._scales.weight_scale, float)  # one number over all products
        scale = self._constant("weight scale", self._scales.weight_scale)
        limit = float(self._scales.policy.weight_limit)
        yield helper.make_node("Div", [source, scale], [self._name("weight steps")])
        yield helper.make_node("Add", [self._name("weight steps"), self._constant("half", 0.5)], [self._name("up")])
        yield helper.make_node("Floor", [self._name("up")], [self._name("weight rounded")])
        low, high = self._constant("least", -limit), self._constant("limit", limit)
        yield helper.make_node("Clip", [self._name("weight rounded"), low, high], [self._name("weight codes")])
        yield helper.make_node("Mul", [self._name("weight codes"), scale], [self._name("weight")])

    def _real_weight(self, name: str) -> Array:
        """Return a weight of the file as its codes stand for it, in its own shape."""
        view, found = self._layer.weight.view, self._weights[name]
        matrices = np.stack(list(view.matrices(found)))
        # Where each element of the matrices lies in the tensor: the view of its indices.
        places = np.stack(list(view.matrices(np.arange(found.size).reshape(found.shape))))
        scale = np.reshape(self._scales.weight_scale, (*matrices.shape[:2], 1))
        real = found.astype(np.float64).ravel()
        real[places] = self._scales.weight_codes(matrices) * scale
        return real.reshape(found.shape).astype(found.dtype)
