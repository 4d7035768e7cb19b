"""What `run` does with an ONNX model and samples: its layers with the integers of a held-out sample, as a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.calibration.policy import QuantizationPolicy
    from panacea_sim.hardware.config import Hardware
    from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel
    from panacea_sim.running.scenario import Scenario

__all__ = ["ModelOperands", "check_model_options", "operands_of_model"]


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
def operands_of_model(path: Path, operands: ModelOperands, hardware: Hardware) -> Iterator[tuple[Scenario, list[str]]]:
    """Give the scenario of a model with the operands of a sample, and what is to be told of them.

    Its layers lie in files until the end. Raises ConfigError naming the option or the file.
    """
    from panacea_sim.calibration.policy import QuantizationPolicy
    from panacea_sim.onnx_models.load import load_model
    from panacea_sim.onnx_models.simulated_layers import check_clipping
    from panacea_sim.report.progress import shown_progress
    from panacea_sim.running.model_scenario import stored_model
    from panacea_sim.running.network import check_operand_machine
    from panacea_sim.running.temporary import temporary_folder

    check_operand_machine(hardware)
    policy, sample = QuantizationPolicy(), operands.sample or 0
    model = load_model(path, operands.data, held_out=sample, weight_bits=operands.weight_bits)
    if operands.clip_to is not None:
        check_clipping(model)
    clips = operands.clip_to is not None
    with temporary_folder() as folder:
        with shown_progress(f"operands of {path.name}") as tell:
            found = stored_model(model, Path(folder), hardware, sample, policy, clips=clips, tell=tell)
        lines = list(_lines(model, sample, policy, found.clipped if clips else None))
        description = " ".join([model.network.graph["description"] + ".", *lines])
        yield replace(found.scenario, description=description), lines


def _lines(model: ImportedModel, sample: int, policy: QuantizationPolicy, clipped: int | None) -> Iterator[str]:
    """Say which sample it is, how its operands became integers, and what of the model is not simulated."""
    from panacea_sim.report.network import unsupported_lines

    assert model.samples is not None
    count, judging = len(model.samples), len(model.samples) - model.samples.held_out(0)
    yield f"Operands: held-out sample {sample} of {judging}, the last of {count} samples."
    real, coded = (_operands(model, real=is_real) for is_real in (True, False))
    if real:
        words = ", ".join(f"{name} {value}" for name, value in policy.options().items() if name != "bits")
        alone = "" if count > 1 else "; the one sample that chose them is simulated, which flatters"
        yield f"Quantized by policy: {real}; {words}{alone}."
    if coded:
        yield f"Integers as in the model: {coded}."
    if clipped is not None:
        stored = sum(
            layer.gemm.M * layer.gemm.K * layer.gemm.repeat
            for layer in model.layers.values()
            if layer.weight.encoding is not None and layer.weight.is_constant
        )
        yield f"Clipped to +-63: {clipped:,} of {stored:,} integer weights."
    steps = sum(_lacks_its_gate(layer) for layer in model.layers.values())
    if steps:
        yield f"Steps of {steps} GRU: the states in front of their reset gates are multiplied, not those behind them."
    missing = list(unsupported_lines(model.network))
    yield from missing or ["Not simulated: no operator that multiplies; vector work only by its passes of the PPU."]


def _lacks_its_gate(layer: ImportedLayer) -> bool:
    """Return whether a layer has the steps of a GRU that multiplies what its reset gate leaves of the states."""
    node = layer.product.node
    return layer.gemm.sequential and node.op == "GRU" and not node.attribute("linear_before_reset", 0)


def _operands(model: ImportedModel, *, real: bool) -> str:
    """Return how many operands are real, or integers, and their bits; weights of other layers for themselves."""
    layers = model.layers.values()
    weights = [each for each in layers if (each.weight.encoding is None) is real]
    bits = {
        "activations": [each.gemm.activation_bits for each in layers if (each.activation.encoding is None) is real],
        "stored weights": [each.gemm.weight_bits for each in weights if each.weight.is_constant],
        "dynamic weights": [each.gemm.weight_bits for each in weights if not each.weight.is_constant],
    }
    widths = {name: " and ".join(map(str, sorted(set(found)))) for name, found in bits.items()}
    return ", ".join(f"{len(found)} {name} of {widths[name]} bits" for name, found in bits.items() if found)
