"""What `run` does with an ONNX model and samples: its layers with the integers of a held-out sample, as a scenario."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.calibration.policy import QuantizationPolicy
    from panacea_sim.hardware.config import Hardware
    from panacea_sim.onnx_models.imported import ImportedModel
    from panacea_sim.running.scenario import Scenario

__all__ = ["ModelOperands", "check_model_options", "model_scenario"]

_DEFAULT_SIZES = (4, 32)
"""v and T_K for machines without vectors of slices: those of `panacea`."""


@dataclass(frozen=True)
class ModelOperands:
    """The options that say which operands of a model are simulated."""

    data: Path
    sample: int | None
    clip_to: int | None
    weight_bits: int | None


def check_model_options(data: Path | None, sample: int | None, clip_to: int | None, profile: str | None) -> None:
    """Raise ConfigError for options of operands without samples, for a profile beside them, and for other widths."""
    for option, value in (("--sample", sample), ("--clip-to", clip_to)):
        if value is not None and data is None:
            raise ConfigError(option, value, "--data beside it: it is about the operands of samples")
    if profile is not None and data is not None:
        raise ConfigError("--profile", profile, "nothing beside --data: densities are those of the operands")
    if clip_to not in (None, 7):
        raise ConfigError("--clip-to", clip_to, "7, the bits to which wider stored weights are clipped")


@contextmanager
def model_scenario(path: Path, operands: ModelOperands, hardware: Hardware) -> Iterator[tuple[Scenario, list[str]]]:
    """Give the scenario of a model with the operands of a sample, and what is to be told of them.

    Its layers lie in files until the end. Raises ConfigError naming the option or the file.
    """
    from panacea_sim.calibration.policy import QuantizationPolicy
    from panacea_sim.commands.progress import shown_progress
    from panacea_sim.commands.vector_sizes import sizes_of
    from panacea_sim.onnx_models.load import load_model
    from panacea_sim.onnx_models.simulated_layers import check_clipping, simulated_layers
    from panacea_sim.running.network import operand_scenario
    from panacea_sim.workload.layer_file import LayerFile, stored_layer

    policy, sample = QuantizationPolicy(), operands.sample or 0
    model = load_model(path, operands.data, held_out=sample, weight_bits=operands.weight_bits)
    if operands.clip_to is not None:
        check_clipping(model)
    assert model.samples is not None  # those of --data
    stored: dict[str, LayerFile] = {}
    real: Counter[tuple[str, ...]] = Counter()
    clipped = 0
    with TemporaryDirectory(prefix="panacea-sim-") as folder:
        with shown_progress(f"operands of {path.name}") as tell:
            sizes = sizes_of(hardware) or _DEFAULT_SIZES
            clips = operands.clip_to is not None
            found = simulated_layers(model, model.samples, sample, policy, sizes, clips=clips, tell=tell)
            for number, each in enumerate(found):
                stored[each.layer.name] = stored_layer(each.layer, Path(folder) / f"{number}.npz")
                real[each.real] += 1
                clipped += each.clipped
        lines = list(_lines(model, sample, policy, real, clipped if clips else None))
        description = " ".join([model.network.graph["description"] + ".", *lines])
        yield operand_scenario(model.network, stored, hardware, description), lines


def _lines(
    model: ImportedModel,
    sample: int,
    policy: QuantizationPolicy,
    real: Counter[tuple[str, ...]],
    clipped: int | None,
) -> Iterator[str]:
    """Say which sample it is, how its operands became integers, and what of the model is not simulated."""
    from panacea_sim.report.network import unsupported_lines

    assert model.samples is not None
    count, judging = len(model.samples), len(model.samples) - model.samples.held_out(0)
    yield f"Operands: held-out sample {sample} of {judging}, the last of {count} samples."
    calibrated = sum(layers for operands, layers in real.items() if operands)
    if calibrated:
        words = ", ".join(f"{name} {value}" for name, value in policy.options().items() if name != "bits")
        weights = _widths([layer.gemm.weight_bits for layer in model.layers.values() if layer.weight.encoding is None])
        parts = [part for part in (f"weights of {weights} bits" if weights else "", words) if part]
        alone = "" if count > 1 else "; one sample alone chooses scales and is simulated, which flatters"
        yield f"Quantized by us: real operands of {_layers(calibrated)}: {', '.join(parts)}{alone}."
    taken = sum(layers for operands, layers in real.items() if len(operands) < len("wx"))
    if taken:
        both = real[()]
        some = f", of {_layers(taken - both)} one operand only" if taken > both else ""
        yield f"As in the model: integers of {_layers(taken)}{some}."
    if clipped is not None:
        stored = sum(
            layer.gemm.M * layer.gemm.K * layer.gemm.repeat
            for layer in model.layers.values()
            if layer.weight.encoding is not None and layer.weight.is_constant
        )
        yield f"Clipped to +-63: {clipped:,} of {stored:,} integer weights."
    missing = list(unsupported_lines(model.network))
    yield from missing or ["Not simulated: no operator that multiplies; vector work only by its passes of the PPU."]


def _layers(count: int) -> str:
    return f"{count} layer" if count == 1 else f"{count} layers"


def _widths(bits: Sequence[int]) -> str:
    return " and ".join(map(str, sorted(set(bits))))
