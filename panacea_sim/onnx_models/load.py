"""Loading a model file: as a network of the sizes that samples or shapes say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.availability import require_onnx
from panacea_sim.quant.widths import require_weight_bits
from panacea_sim.workload.networks.profile import DEFAULT_PROFILE, Quantization, density_profile

if TYPE_CHECKING:
    from panacea_sim.onnx_models.imported import ImportedModel

__all__ = ["load_model"]

_DEFAULT_WEIGHT_BITS = 7


def load_model(  # the options of a command, one by one
    path: str | Path,
    data: str | Path | None = None,
    shapes: Sequence[str] = (),
    *,
    held_out: int | None = None,
    weight_bits: int | None = None,
    profile: str | None = None,
    quantization: Quantization = "aqs",
) -> ImportedModel:
    """Return the network of an ONNX model for a sample of an .npz file, or for shapes NAME=1,3,224,224 of its inputs.

    The sample is the first one, or a held-out one, of which the first is number 0. Inputs of one size need neither.
    Real weights get 7 bits and densities are those of the profile "measured" by
    default. Raises ConfigError naming the file or option.
    """
    require_onnx()
    # These import onnx and onnxruntime, which may be missing.
    from panacea_sim.onnx_models.model_file import open_model  # noqa: PLC0415
    from panacea_sim.onnx_models.network import imported_model  # noqa: PLC0415
    from panacea_sim.onnx_models.samples import parse_shapes, read_samples, zeros  # noqa: PLC0415
    from panacea_sim.workload.networks.places import placed  # noqa: PLC0415

    path = Path(path)
    bits = _DEFAULT_WEIGHT_BITS if weight_bits is None else require_weight_bits("--weight-bits", weight_bits)
    densities = density_profile(DEFAULT_PROFILE if profile is None else profile)
    if data is not None and shapes:
        raise ConfigError("--shape", shapes[0], "nothing beside --data, whose samples have shapes", "Leave it out")
    given = parse_shapes(shapes)
    graph = open_model(path)
    with placed(f"{path}: "):
        inputs = graph.inputs
    samples = None if data is None else read_samples(Path(data), inputs)
    if samples is None:
        feed = zeros(inputs, given)
    else:
        feed = samples.feed(0 if held_out is None else samples.held_out(held_out))
    with placed(f"{path}: "):
        model = imported_model(graph, feed, densities, bits, quantization)
    described = ", ".join(f"{name} {' x '.join(map(str, array.shape)) or 'one number'}" for name, array in feed.items())
    model.network.graph.update(
        name=path.stem, description=f"from {path.name}" + (f", {described}" if described else "")
    )
    return replace(model, samples=samples)
