"""A whole model by a policy: its layers, and what quantizing all of them costs its outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from panacea_sim.calibration.calibrated import LayerRecord, calibrate, record_of
from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.search import Search, search
from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.calibration import calibrated_layers
from panacea_sim.onnx_models.imported import ImportedModel
from panacea_sim.onnx_models.output_error import ModelOutputError, output_errors
from panacea_sim.onnx_models.quantized_graph import replaceable_layers
from panacea_sim.onnx_models.samples import Samples

__all__ = ["CalibratedModel", "calibrate_model"]


@dataclass(frozen=True, eq=False)
class CalibratedModel:
    """The records of the layers with real operands by name, and the error of the model's outputs.

    `integers` are layers that the model multiplies as integers already. `left_real` were calibrated, but are real in
    the model that `outputs` are of: steps of recurrent layers. `searches` are in the order of the records.
    """

    model: ImportedModel
    records: Mapping[str, LayerRecord]
    searches: tuple[Search, ...]
    integers: tuple[str, ...]
    left_real: tuple[str, ...]
    outputs: Mapping[str, ModelOutputError]


def calibrate_model(
    model: ImportedModel,
    samples: Samples,
    policy: QuantizationPolicy,
    sizes: tuple[int, int] = (4, 32),
    *,
    searched: bool = False,
    min_sqnr_db: float | None = None,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> CalibratedModel:
    """Return the layers of a model by a policy, or by the one that the search chooses for each.

    `sizes` are v and T_K of the machine. Raises ConfigError for a model of integers only, and where it does not run.
    """

    def by_policy(observed: ObservedLayer) -> tuple[LayerRecord, Search | None]:
        if not searched:
            return record_of(calibrate(observed, policy, *sizes)), None
        found = search(observed, policy, min_sqnr_db, *sizes)
        return found.chosen, found

    found = calibrated_layers(model, samples, by_policy, tell)
    if not found:
        raise ConfigError("the model", "integers only: it is quantized already", "a model with real operands")
    records = {name: record for name, (record, _) in found.items()}
    scales = {name: record.scales for name, record in records.items()}
    in_place = replaceable_layers(model, scales)
    return CalibratedModel(
        model,
        records,
        tuple(each for _, each in found.values() if each is not None),
        tuple(name for name in model.layers if name not in records),
        tuple(name for name in records if name not in in_place),
        output_errors(model, samples, {name: scales[name] for name in in_place}),
    )
