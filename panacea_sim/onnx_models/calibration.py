"""Calibration of a model: its products observed sample by sample, some layers at a time to keep memory bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

import numpy as np

from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.onnx_models.graph import Array
from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel, ImportedOperand
from panacea_sim.onnx_models.samples import Samples

__all__ = ["calibrated_layers", "layer_groups", "observe_layer", "observed_layers", "real_layers"]

_GROUP_BYTES = 2**30
"""Operands that are observed at a time, of all samples."""

_Result = TypeVar("_Result")


def calibrated_layers(
    model: ImportedModel,
    samples: Samples,
    calibrate: Callable[[ObservedLayer], _Result],
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, _Result]:
    """Return what `calibrate` makes of each layer with real operands, by name; layers of integers are left out.

    `tell` is told how many layers are done, and of how many. Raises ConfigError where the model does not run.
    """
    found: dict[str, _Result] = {}
    names = real_layers(model)
    for observed in observed_layers(model, samples, names):
        found[observed.name] = calibrate(observed)
        tell(len(found), len(names))
    return found


def real_layers(model: ImportedModel) -> tuple[str, ...]:
    """Return the layers of which both operands are real numbers."""
    layers = model.layers.items()
    return tuple(name for name, layer in layers if layer.weight.encoding is None and layer.activation.encoding is None)


def observed_layers(model: ImportedModel, samples: Samples, names: Sequence[str]) -> Iterator[ObservedLayer]:
    """Return layers one by one with their operands in all samples; the model runs once for each group of layers."""
    for group in layer_groups(model, names, len(samples)):
        observed = {name: ObservedLayer(name, not model.layers[name].weight.is_constant) for name in group}
        recorder = model.recorder(group)
        for number in range(len(samples)):
            values = recorder.run(samples.feed(number))
            for name in group:
                observe_layer(observed[name], model.layers[name], values)
        for name in group:
            yield observed.pop(name)


def observe_layer(observed: ObservedLayer, layer: ImportedLayer, values: Mapping[str, Array]) -> None:
    """Add the operands of a layer in a sample to those that were observed."""
    if observed.samples and not observed.is_dynamic:
        weight = observed.samples[0].weight
    else:
        weight = _stacked(layer.weight, values)
    observed.add(weight, _stacked(layer.activation, values))


def _stacked(operand: ImportedOperand, values: Mapping[str, Array]) -> Array:
    """Return the matrices [R, rows, columns] of an operand."""
    found = [np.asarray(each) for each in operand.matrices(values)]
    return found[0][None] if len(found) == 1 else np.stack(found)


def layer_groups(model: ImportedModel, names: Sequence[str], samples: int) -> Iterator[list[str]]:
    """Return layers in their order, so many at a time as have room."""
    group: list[str] = []
    used = 0
    for name in names:
        needed = _operand_bytes(model.layers[name], samples)
        if group and used + needed > _GROUP_BYTES:
            yield group
            group, used = [], 0
        group.append(name)
        used += needed
    if group:
        yield group


def _operand_bytes(layer: ImportedLayer, samples: int) -> int:
    gemm = layer.gemm
    weight = gemm.M * gemm.K * (1 if layer.weight.is_constant else samples)
    return np.dtype(np.float32).itemsize * gemm.repeat * (weight + samples * gemm.K * gemm.N)
