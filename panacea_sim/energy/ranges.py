"""Figures with their range, exact: the parts of a run add up to the whole to the last digit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["ZERO", "Range", "exact", "summed"]


def exact(number: float) -> Fraction:
    """Return the decimal number that somebody wrote down: 0.1 is a tenth."""
    return Fraction(repr(number))


@dataclass(frozen=True)
class Range:
    """Three cases of one amount. Low is that of the case that is low as a whole: in a part it may be the higher one."""

    low: Fraction
    nominal: Fraction
    high: Fraction

    @classmethod
    def of(cls, number: Fraction) -> Range:
        """Return the same in all cases."""
        return cls(number, number, number)

    def __add__(self, other: Range) -> Range:
        """Return the sum, case by case."""
        return Range(self.low + other.low, self.nominal + other.nominal, self.high + other.high)

    def times(self, factor: Fraction | int) -> Range:
        """Return so many times this, case by case."""
        return Range(self.low * factor, self.nominal * factor, self.high * factor)

    def inverse(self, dividend: Fraction | int) -> Range | None:
        """Return `dividend` by this, where the highest is that of the low case; None where a case is nothing."""
        if not (self.low and self.nominal and self.high):
            return None
        return Range(dividend / self.high, dividend / self.nominal, dividend / self.low)

    def to_json(self) -> dict[str, float]:
        """Return the three cases as numbers."""
        return {"low": float(self.low), "nominal": float(self.nominal), "high": float(self.high)}


ZERO = Range.of(Fraction(0))


def summed(ranges: Iterable[Range]) -> Range:
    """Return the sum of ranges, case by case."""
    return sum(ranges, ZERO)
