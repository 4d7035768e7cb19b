"""How much of the truth is left in numbers that were computed with quantized operands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.units import FloatArray

__all__ = ["OutputError"]


@dataclass(frozen=True)
class OutputError:
    """Sums of squares over outputs: of the exact ones, `signal`, and of what is wrong with them, `noise`.

    Errors of parts add up with `+`.
    """

    signal: float = 0.0
    noise: float = 0.0

    @classmethod
    def of(cls, exact: FloatArray, found: FloatArray) -> OutputError:
        """Return the error of outputs that should be `exact`, both of one shape."""
        return cls(float(np.square(exact).sum()), float(np.square(found - exact).sum()))

    def __add__(self, other: OutputError) -> OutputError:
        """Return the error of the outputs of both."""
        return OutputError(self.signal + other.signal, self.noise + other.noise)

    @property
    def sqnr_db(self) -> float | None:
        """The ratio of the exact outputs to their error in decibels; None if there is no error."""
        if self.noise == 0:
            return None
        return float(10 * np.log10(max(self.signal, np.finfo(float).tiny) / self.noise))
