"""A model file with samples as a workload of all machines: its sizes, at the densities that its own layers have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from panacea_sim.calibration.calibrated import calibrate, record_of
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.profile import profile_of, write_profile
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.onnx_models.load import load_model
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.versus.fight import Fight, network_fight
from panacea_sim.running.versus.machines import Entrant
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.profile import DensityProfile

__all__ = ["measured_profile", "model_fight"]

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
