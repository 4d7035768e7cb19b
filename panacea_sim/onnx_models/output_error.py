"""What quantized products cost the outputs of a whole model, on held-out samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from panacea_sim.calibration.calibrated import LayerScales
from panacea_sim.calibration.observed import held_out_count
from panacea_sim.errors import ConfigError
from panacea_sim.matmul import finite_matmul
from panacea_sim.onnx_models.graph import Array
from panacea_sim.onnx_models.imported import ImportedModel, Recorder
from panacea_sim.onnx_models.quantized_graph import quantized_graph
from panacea_sim.onnx_models.samples import Samples
from panacea_sim.onnx_models.session import ModelSession
from panacea_sim.quant.accuracy import OutputError

__all__ = ["ModelOutputError", "output_errors"]


@dataclass
class ModelOutputError:
    """The error of an output of the model over held-out samples, and the cosine of each sample's output to float's.

    `rows` counts those of its last axis, as scores of classes lie there, and `same_top` those with the same largest
    element as float's.
    """

    error: OutputError = field(default_factory=OutputError)
    cosines: list[float] = field(default_factory=list)
    rows: int = 0
    same_top: int = 0

    @property
    def mean_cosine(self) -> float | None:
        """The mean of the cosines; None where an output is all zeros."""
        return float(np.mean(self.cosines)) if self.cosines else None

    @property
    def top_agreement(self) -> float | None:
        """The share of rows with the same largest element; None where rows have one element."""
        return self.same_top / self.rows if self.rows else None

    def add(self, exact: Array, found: Array) -> None:
        """Add a sample's output, real and as the quantized model has it."""
        real, other = exact.astype(np.float64).ravel(), found.astype(np.float64).ravel()
        self.error += OutputError.of(real, other)
        lengths = float(np.linalg.norm(real) * np.linalg.norm(other))
        if lengths:
            self.cosines.append(float(finite_matmul(real, other)) / lengths)
        if exact.ndim and exact.shape[-1] > 1:
            same = exact.argmax(-1) == found.argmax(-1)
            self.rows += same.size
            self.same_top += int(np.count_nonzero(same))


def output_errors(
    model: ImportedModel, samples: Samples, scales: Mapping[str, LayerScales]
) -> dict[str, ModelOutputError]:
    """Return the error of each real output of the model with the products of some layers quantized.

    Raises ConfigError where the quantized model does not run.
    """
    layers = [model.layers[name] for name in scales]
    constants = [layer.weight.view.tensors[0] for layer in layers if layer.weight.is_constant]
    weights = Recorder(model.onnx, constants).run(samples.feed(0))
    changed = quantized_graph(model, scales, weights)
    real = ModelSession(model.onnx, model.onnx.outputs)
    quantized = ModelSession(changed, model.onnx.outputs)
    found: dict[str, ModelOutputError] = {}
    for number in range(len(samples) - held_out_count(len(samples)), len(samples)):
        exact, other = (session.run(samples.feed(number)) for session in (real, quantized))
        for name, values in exact.items():
            if values.dtype.kind != "f":
                continue
            if values.shape != other[name].shape:
                accepted = "a model whose outputs keep their shape"
                raise ConfigError(f"output {name!r}", "another shape when products are quantized", accepted)
            found.setdefault(name, ModelOutputError()).add(values, other[name])
    return found
