"""Symmetric quantization of activations, for machines without zero points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from panacea_sim.checks import require_finite, require_scale
from panacea_sim.quant.quantizer import ActivationQuantizer, symmetric_scale
from panacea_sim.quant.saturation import saturating_ratio
from panacea_sim.quant.widths import SIGNED_BITS, SLICE_BITS

__all__ = ["SignedQuantizer"]


@dataclass(frozen=True)
class SignedQuantizer:
    """Codes of 7 bits for real activations: `x = scale * q`, q in -63 .. 63.

    Raises ConfigError for a scale that is not a positive number.
    """

    scale: float
    bits: ClassVar[int] = SIGNED_BITS
    lo_bits: ClassVar[int] = SLICE_BITS
    zero_point: ClassVar[int] = 0
    highest: ClassVar[int] = (1 << (SIGNED_BITS - 1)) - 1
    lowest: ClassVar[int] = -highest

    def __post_init__(self) -> None:
        """Check the scale."""
        require_scale("activation_scale", self.scale)

    @classmethod
    def over(cls, calibrated: ActivationQuantizer) -> SignedQuantizer:
        """Return the quantizer of the range of an asymmetric one, whose further end becomes 63."""
        return cls(symmetric_scale(calibrated, cls.bits))

    def quantize(self, x: npt.NDArray[np.floating]) -> npt.NDArray[np.int8]:
        """Round real activations to int8, ties to even; values outside the range saturate.

        Raises ConfigError if a value is not finite.
        """
        steps = np.rint(saturating_ratio(require_finite("activation", x), self.scale))
        return steps.clip(self.lowest, self.highest).astype(np.int8)
