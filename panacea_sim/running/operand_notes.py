"""What is told of the operands of a model: whose they are, and how they became integers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.report.network import unsupported_lines

if TYPE_CHECKING:
    from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel

__all__ = ["operand_notes"]

_OPERANDS = {
    "sliced": "",
    "bytes": ", weights of 8 bits",
    "signed": ", symmetric activations of 7 bits",
}
"""What multipliers that take no slices make of it."""


def operand_notes(
    model: ImportedModel, sample: int, policies: Iterable[tuple[str, QuantizationPolicy]], clipped: int | None
) -> Iterator[str]:
    """Say which sample it is, how its operands became integers, and what of the model is not simulated.

    `policies` say for whom they are, nothing where there is one machine; `clipped` counts integer weights that were
    clipped, None where none may be.
    """
    assert model.samples is not None
    count, judging = len(model.samples), len(model.samples) - model.samples.held_out(0)
    yield f"Operands: held-out sample {sample} of {judging}, the last of {count} samples."
    real, coded = (_operands(model, real=is_real) for is_real in (True, False))
    if real:
        alone = "" if count > 1 else "; the one sample that chose them is simulated, which flatters"
        for whose, policy in policies:
            yield f"Quantized by policy{whose}: {real}; {_words(policy)}{alone}."
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


def _words(policy: QuantizationPolicy) -> str:
    words = ", ".join(f"{name} {value}" for name, value in policy.options().items() if name != "bits")
    return words + _OPERANDS[policy.operands]


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
