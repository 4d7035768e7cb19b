"""A model file with samples as a workload of all machines: with the operands of a sample, or with its densities."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.analysis.versus.contender import Accuracy, Metric
from panacea_sim.calibration.calibrated import calibrate, record_of
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.profile import profile_of, write_profile
from panacea_sim.choices import ValuesChoice
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.onnx_models.load import load_model
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.model_scenario import sized_policy, stored_variants
from panacea_sim.running.network import check_operand_machine, operand_scenario
from panacea_sim.running.operand_notes import operand_notes
from panacea_sim.running.versus.contest import Bout
from panacea_sim.running.versus.fight import Fight, network_fight
from panacea_sim.running.versus.machines import Entrant
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.profile import DensityProfile

if TYPE_CHECKING:
    from panacea_sim.calibration.calibrated import LayerScales
    from panacea_sim.onnx_models.imported import ImportedModel
    from panacea_sim.onnx_models.output_error import ModelOutputError
    from panacea_sim.onnx_models.simulated_layers import SizedPolicy

__all__ = ["OperandChoice", "measured_profile", "model_fight", "operand_fight"]

_POLICIES: Mapping[str, QuantizationPolicy] = {
    "per channel": QuantizationPolicy(per_channel=True),
    "per tensor": QuantizationPolicy(per_channel=False),
}
"""What scales the weights have, by what is said of it."""


def model_fight(path: Path, data: Path, machines: Sequence[Entrant], folder: Path) -> Fight:
    """Return a model of the sizes of its first sample, with the mean densities of each kind of its own layers.

    They are measured with both kinds of scales of the weights, and written as profiles into the folder, which exists.
    Raises ConfigError naming a file, or a layer.
    """
    profiles = {}
    for weights, policy in _POLICIES.items():
        profile = folder / f"{path.stem}-{weights.replace(' ', '_')}.yaml"
        write_profile(measured_profile(path, data, policy), profile)
        profiles[str(profile)] = weights

    def graph_of(profile: str, hardware: Hardware) -> LayerGraph:
        return load_model(path, data, profile=profile, quantization=machine_of(hardware).quantization).network

    return network_fight(graph_of, machines, profiles)


@dataclass(frozen=True)
class OperandChoice:
    """Which operands of a model are simulated, as `run MODEL --data` has it, and the metric of its outputs.

    `sample` counts held-out samples; `clips` says that integer weights of more than 7 bits are clipped; `values` what
    happens to values in the runs.
    """

    sample: int = 0
    weight_bits: int | None = None
    clips: bool = False
    metric: Metric = "cosine"
    values: ValuesChoice = "auto"


def operand_fight(
    path: Path, data: Path, machines: Sequence[Entrant], folder: Path, choice: OperandChoice | None = None
) -> Fight:
    """Return a model with the operands of a held-out sample, each machine's in its own quantization.

    Real operands are quantized for each machine from the real numbers, once for each kind of scales of the weights;
    what each quantization costs the outputs of the model is measured on all held-out samples. Integers of the model are
    taken as they are, by machines of other widths as what they stand for. Layers lie in files in the folder, which
    exists. Raises ConfigError naming a file, an option or a layer.
    """
    from panacea_sim.onnx_models.simulated_layers import check_clipping  # noqa: PLC0415  # it imports onnx

    choice = choice or OperandChoice()
    for each in machines:
        check_operand_machine(each.hardware)
    model = load_model(path, data, held_out=choice.sample, weight_bits=choice.weight_bits)
    assert model.samples is not None
    if choice.clips:
        check_clipping(model)
    wanted = {
        weights: [sized_policy(each.hardware, policy) for each in machines] for weights, policy in _POLICIES.items()
    }
    policies = list(dict.fromkeys(each for of_bout in wanted.values() for each in of_bout))
    with shown_progress(f"operands of {path.name}") as tell:
        stored = stored_variants(model, folder, policies, choice.sample, clips=choice.clips, tell=tell)
    with shown_progress(f"outputs of {path.name}") as tell:
        known = _accuracies(model, stored.scales, choice.metric, tell)
    accuracies = dict(zip(policies, known, strict=True))
    bouts = [
        Bout(
            weights,
            None,
            tuple(
                replace(
                    operand_scenario(model.network, stored.layers[policies.index(policy)], each.hardware),
                    values=choice.values,
                )
                for policy, each in zip(of_bout, machines, strict=True)
            ),
            tuple(accuracies[policy] for policy in of_bout),
        )
        for weights, of_bout in wanted.items()
    ]
    notes = operand_notes(
        model, choice.sample, _named_policies(machines, wanted), stored.clipped if choice.clips else None
    )
    against, unknown = _judged(model, known)
    return Fight(path.stem, tuple(bouts), None, against, notes=tuple(notes), no_accuracy=unknown)


def _accuracies(
    model: ImportedModel,
    scales: Sequence[Mapping[str, LayerScales]],
    metric: Metric,
    tell: Callable[[int, int], None],
) -> list[Accuracy | None]:
    """Return what each quantization costs the outputs of the model; None for a model without real operands."""
    # They import onnx and onnxruntime, which may be missing.
    from panacea_sim.onnx_models.calibration import real_layers  # noqa: PLC0415
    from panacea_sim.onnx_models.output_error import output_errors  # noqa: PLC0415
    from panacea_sim.onnx_models.quantized_graph import replaceable_layers  # noqa: PLC0415

    assert model.samples is not None
    names = real_layers(model)
    found = []
    for number, each in enumerate(scales):
        in_place = replaceable_layers(model, {name: each[name] for name in names})
        chosen = {name: each[name] for name in in_place}
        found.append(_accuracy(output_errors(model, model.samples, chosen), metric) if chosen else None)
        tell(number + 1, len(scales))
    return found


def _accuracy(outputs: Mapping[str, ModelOutputError], metric: Metric) -> Accuracy | None:
    """Return what is left of the first output that is real, and all figures of every one; None without any."""
    figures: dict[str, dict[str, float | None]] = {
        name: {"sqnr": each.error.sqnr_db, "cosine": each.mean_cosine, "top-1": each.top_agreement}
        for name, each in outputs.items()
    }
    first = next(iter(figures.values()), None)
    return None if first is None else Accuracy(first[metric], metric, figures)


def _judged(model: ImportedModel, accuracies: Iterable[Accuracy | None]) -> tuple[str | None, str | None]:
    """Return what accuracy is measured against, and why it is not known; one of them is None."""
    known = next((each for each in accuracies if each is not None), None)
    if known is None:
        return None, "no product of two real operands becomes one of integers, or no output of the model is real"
    assert model.samples is not None
    count = len(model.samples) - model.samples.held_out(0)
    return f"float, for output {next(iter(known.figures))!r} over {count} held-out samples", None


def _named_policies(
    machines: Sequence[Entrant], wanted: Mapping[str, Sequence[SizedPolicy]]
) -> list[tuple[str, QuantizationPolicy]]:
    """Return each policy with the machines that it is for."""
    names: dict[SizedPolicy, dict[str, None]] = {}
    for of_bout in wanted.values():
        for machine, policy in zip(machines, of_bout, strict=True):
            names.setdefault(policy, {})[machine.name] = None
    return [(f" for {', '.join(of_policy)}", policy.policy) for policy, of_policy in names.items()]


def measured_profile(path: Path, data: Path, policy: QuantizationPolicy) -> DensityProfile:
    """Return the mean densities of each kind of layer with real operands, as `calibrate` measures them on samples.

    Raises ConfigError naming a file, and for a model whose layers are all integers.
    """
    # It imports onnx and onnxruntime, which may be missing.
    from panacea_sim.onnx_models.calibration import calibrated_layers  # noqa: PLC0415

    model = load_model(path, data)
    assert model.samples is not None
    with shown_progress(f"calibrating {path.name}") as tell:
        records = calibrated_layers(model, model.samples, lambda each: record_of(calibrate(each, policy)), tell)
    if not records:
        raise ConfigError(str(path), "integers only: it is quantized already", "a model with real operands")
    return profile_of(path.stem, [(model.layers[name].gemm.kind, record) for name, record in records.items()])
