"""Measure the density profiles of the zoo on the models of `make models`, and write them into the package.

Each figure is the mean over the layers of a kind in a model, then over the models that have the kind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.profile import profile_of
from panacea_sim.commands.progress import shown_progress
from panacea_sim.hardware.yaml_file import write_mapping
from panacea_sim.onnx_models.calibrated_model import CalibratedModel, calibrate_model
from panacea_sim.onnx_models.load import load_model
from panacea_sim.onnx_models.samples import read_samples
from panacea_sim.workload.networks.profile import Density, DensityProfile, Quantization

MODELS = {"MiniLM": "minilm", "SmolLM2": "smollm2"}
FILES = {"minilm": ("minilm_fp32.onnx", "minilm_text.npz"), "smollm2": ("smollm2.onnx", "smollm2_text.npz")}
SAMPLES = 16
HEAD = "logits"
IMAGES = {
    "conv": (
        "D",
        0.62,
        0.605,
        {"measured": 0.097, "measured-per-tensor": 0.624},
        "thin ResNet-50, mean over all its convolutions",
    ),
    "patch": (
        "A",
        0.915,
        0.73,
        {"measured": 0.049, "measured-per-tensor": 0.513},
        "not measured: as the mean of ViT-S over all its layers",
    ),
}
"""Kinds of image models: standing, rho_x of aqs and of sbr7, rho_w by profile, and source."""
INTO = Path(__file__).parent.parent / "panacea_sim/workload/networks/data/profiles"
WEIGHTS = {"measured": "a scale for each channel of the weights", "measured-per-tensor": "one scale for each weight"}
HEADER = """\
# Shares of skipped vectors by the kind of a layer and the quantization of the machine. Written by `make profiles`.
# aqs: 7-bit weights, 8-bit asymmetric activations with ZPM and DBS (z = 2). sbr7: 7-bit symmetric activations in signed
# slices. v = 4, min-max calibration on 12 blocks of 128 tokens, measured on 4 others. Weights that other layers make
# (qk, pv) have one scale over all heads.
# Standing: D = derived from figures that were measured, A = our assumption.

"""


def main() -> None:
    """Measure and write both profiles."""
    for name, about in WEIGHTS.items():
        policy = QuantizationPolicy(per_channel=name == "measured")
        profiles = {title: _measured(title, model, policy) for title, model in MODELS.items()}
        found = _mean(name, about, profiles)
        with (INTO / f"{name}.yaml").open("w", encoding="utf-8") as file:
            file.write(HEADER)
            write_mapping(found.model_dump(exclude={"name"}), file)
        print(INTO / f"{name}.yaml")


def _measured(title: str, model: str, policy: QuantizationPolicy) -> DensityProfile:
    found = _calibrated(title, *(Path("models") / name for name in FILES[model]), policy)
    kinds = [
        ("head" if name == HEAD else found.model.layers[name].gemm.kind, record)
        for name, record in found.records.items()
    ]
    return profile_of(title, kinds)


def _calibrated(title: str, model: Path, data: Path, policy: QuantizationPolicy) -> CalibratedModel:
    with tempfile.TemporaryDirectory() as folder, np.load(data) as samples:
        few = Path(folder) / data.name
        np.savez(few, **{name: samples[name][:SAMPLES] for name in samples.files})
        imported = load_model(model, few)
        with shown_progress(f"calibrating {title}") as tell:
            return calibrate_model(imported, read_samples(few, imported.inputs), policy, tell=tell)


def _mean(name: str, about: str, found: Mapping[str, DensityProfile]) -> DensityProfile:
    quantizations = next(iter(found.values())).other
    kinds: dict[str, dict[Quantization, Density]] = {}
    for kind in dict.fromkeys(kind for profile in found.values() for kind in profile.kinds):
        known = [profile.kinds[kind] for profile in found.values() if kind in profile.kinds]
        kinds[kind] = {each: _joined([own[each] for own in known]) for each in quantizations}
    for kind, (standing, aqs, sbr7, rho_w, source) in IMAGES.items():
        shares = zip(quantizations, (aqs, sbr7), strict=True)
        kinds[kind] = {
            each: Density(rho_w=rho_w[name], rho_x=rho_x, standing=standing, source=source) for each, rho_x in shares
        }
    other = {each: _assumed(kinds["ffn"][each]) for each in quantizations}
    return DensityProfile(
        name=name, about=f"means by the kind of a layer, {about}", kinds={**kinds, "project": other}, other=other
    )


def _joined(found: Sequence[Density]) -> Density:
    rho_w, rho_x = (round(sum(getattr(each, field) for each in found) / len(found), 4) for field in ("rho_w", "rho_x"))
    source = ", ".join(f"{each.source} ({each.rho_w}, {each.rho_x})" for each in found)
    return Density(rho_w=rho_w, rho_x=rho_x, standing="D", source=source)


def _assumed(density: Density) -> Density:
    return density.model_copy(update={"standing": "A", "source": f"not measured: as ffn, {density.source}"})


if __name__ == "__main__":
    main()
