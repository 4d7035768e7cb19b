"""Outputs of quantized models by three rules: onnxruntime's own, that rule written plainly, and that of our PPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel
from panacea_sim.onnx_models.samples import Feed
from panacea_sim.onnx_models.simulated_layers import simulated_layer
from panacea_sim.quant.requantizer import requantizer_for
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["compared_outputs"]

Array = np.ndarray[Any, Any]


def compared_outputs(model: ImportedModel, feeds: Iterable[Feed]) -> tuple[int, int]:
    """Return how many outputs our PPU makes others than onnxruntime in these runs, and how many there are.

    Behind each layer stands its QuantizeLinear. Fails unless the accumulators of all layers are the products of 64-bit
    integers, onnxruntime's outputs follow from them by its rule, and those of the PPU are at most 1 apart.
    """
    readers = {node.input(0): node for node in model.onnx.nodes if node.op == "QuantizeLinear"}
    behind = {name: readers[layer.product.node.outputs[0]] for name, layer in model.layers.items()}
    extra = [name for node in behind.values() for name in (*node.inputs[1:], node.outputs[0])]
    recorder = model.recorder(extra=extra, optimized=True)
    others = outputs = 0
    for feed in feeds:
        values = recorder.run(feed)
        for name, layer in model.layers.items():
            node = behind[name]
            scale, zero_point, wanted = values[node.input(1)], int(values[node.input(2)]), values[node.outputs[0]]
            ((_, term),) = layer.product.outputs
            feature, column, _ = term.positions(range(len(term.shape)))
            plain = list(_plain(layer, values))
            steps = np.concatenate([_as_ort(product, rows / scale) for product, rows in plain])
            by_ort = (steps + zero_point)[feature, column].reshape(term.shape).clip(0, 255)
            np.testing.assert_array_equal(by_ort, wanted, name)
            made = simulated_layer(layer, values).layer
            accumulators = made.reference_accumulator().reshape(-1, made.N)
            shift = made.zero_point * made.weight_rows.sum(1, dtype=np.int64)
            np.testing.assert_array_equal(accumulators - shift[:, None], np.concatenate([each for each, _ in plain]))
            by_ppu = _by_ppu(made, accumulators, float(scale), zero_point)[feature, column].reshape(term.shape)
            apart = np.abs(by_ppu.astype(int) - wanted)
            assert apart.max() <= 1
            others, outputs = others + np.count_nonzero(apart), outputs + apart.size
    return others, outputs


def _plain(layer: ImportedLayer, values: Mapping[str, Array]) -> Iterator[tuple[Array, Array]]:
    """Return for each repeat the product of the integers without zero points, and the scales of its rows."""
    pairs = zip(layer.weight.weight_codes(values), layer.activation.activation_codes(values), strict=True)
    for weight, activation in pairs:
        # Sums of integers below 2^53 are exact in 64-bit reals, of which products are much faster.
        centred = (activation.codes - activation.zero_point).astype(np.float64)
        product = weight.codes.astype(np.float64) @ centred
        yield product.astype(np.int64), np.float32(activation.scale) * np.asarray(weight.scale, np.float32)


def _as_ort(product: Array, multiplier: Array) -> Array:
    """Return outputs in steps of their scale: a multiplier of 32-bit reals, half to even."""
    steps: Array = np.rint(product.astype(np.float32) * multiplier.astype(np.float32)[:, None]).astype(np.int64)
    return steps


def _by_ppu(layer: GemmLayer, accumulators: Array, scale: float, zero_point: int) -> Array:
    """Return the outputs of all rows by the rule of our PPU."""
    rows = layer.weight_rows
    scales = np.broadcast_to(layer.weight_scale, layer.weight.shape[:-1]).ravel()
    own = (layer.activation_scale, layer.zero_point, np.zeros(len(rows)))
    return requantizer_for(rows, scales, *own, scale, zero_point).apply(accumulators)
