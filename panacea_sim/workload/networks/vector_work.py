"""Vector work between products: what it is called, and how often its elements pass the PPU."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.workload.vector_stage import VectorStage

__all__ = ["PASSES", "REQUANTIZE_PASSES", "require_vector_work", "stage_of", "total_passes"]

REQUANTIZE_PASSES = 1
"""Every output is requantized once, whatever follows."""

PASSES = MappingProxyType(
    {
        "relu": 0,
        "function": 0,
        "batchnorm": 0,
        "resize": 0,
        "concat": 0,
        "residual": 1,
        "product": 1,
        "pooling": 1,
        "col2im": 1,
        "rotary": 2,
        "norm": 3,
        "softmax": 3,
    }
)
"""Passes over a layer's outputs beside the one that requantizes them: assumptions of ours (docs/model.md).

`function` is a table: GELU, SiLU, sigmoid, tanh. `product` is element-wise.
"""


_SECOND_INPUT = ("residual", "product")
_REDUCES = ("norm", "softmax")


def total_passes(work: Sequence[str]) -> int:
    """Return how often each output of a layer passes the PPU, requantization included."""
    return REQUANTIZE_PASSES + sum(PASSES[name] for name in work)


def stage_of(work: Sequence[str]) -> VectorStage | None:
    """Return vector work as a stage of its own; None where it has no passes: functions stay with requantization."""
    passes = total_passes(work)
    if passes == REQUANTIZE_PASSES:
        return None
    inputs = 1 + sum(name in _SECOND_INPUT for name in work)
    return VectorStage(passes, inputs, reduces=any(name in _REDUCES for name in work))


def require_vector_work(field: str, work: Sequence[str]) -> None:
    """Raise ConfigError, naming `field`, for vector work that has no passes."""
    for name in work:
        if name not in PASSES:
            raise ConfigError(field, repr(name), ", ".join(PASSES), nearest_name(str(name), PASSES))
