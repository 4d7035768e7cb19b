"""Widths: how many bits operands and their LO fields may have, and what must fit them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from panacea_sim.checks import require_integer, require_width
from panacea_sim.errors import ConfigError

__all__ = [
    "ACTIVATION_BITS",
    "LO_BITS",
    "MAX_ACTIVATION_BITS",
    "SIGNED_BITS",
    "SLICE_BITS",
    "SYMMETRIC_BITS",
    "WEIGHT_BITS",
    "next_width",
    "require_activation_bits",
    "require_frequent",
    "require_lo_bits",
    "require_weight_bits",
    "require_zero_point",
]

SLICE_BITS = 4
SIGNED_BITS = 7
"""Bits of a signed bit-slice operand with one HO slice."""
WEIGHT_BITS = (4, 7, 10)
ACTIVATION_BITS = (4, 8, 12)
SYMMETRIC_BITS = (7, 8)
"""Of activations whose codes are signed."""
LO_BITS = (4, 5, 6)
MAX_ACTIVATION_BITS = ACTIVATION_BITS[-1]

_DBS_BITS = 8


def require_weight_bits(field: str, value: object) -> int:
    """Return the width of a weight; raises ConfigError, naming the next width that there is, unless it is accepted."""
    return _require_bits(field, value, WEIGHT_BITS, "weights")


def require_activation_bits(field: str, value: object) -> int:
    """Return the width of an activation; raises ConfigError, naming the next width, unless it is accepted."""
    return _require_bits(field, value, ACTIVATION_BITS, "activations")


def require_lo_bits(field: str, value: object, bits: int) -> int:
    """Return the width of the LO field of `bits`-bit activations; raises ConfigError if it is not accepted."""
    if bits == _DBS_BITS:
        return require_width(field, value, LO_BITS)
    hint = f"Only {_DBS_BITS}-bit activations can have a wider LO field, these have {bits} bits"
    return require_width(field, value, (SLICE_BITS,), hint)


def require_zero_point(field: str, value: object, bits: int) -> int:
    """Return the zero point of `bits`-bit activations; raises ConfigError if it is none of their codes."""
    half = 1 << (bits - 1)
    is_signed = isinstance(value, int | np.integer) and -half <= value < 0
    hint = f"Codes are unsigned: add {half} to codes and zero point" if is_signed else ""
    return require_integer(field, value, 0, (1 << bits) - 1, hint)


def require_frequent(field: str, r: object, bits: int, lo_bits: int) -> tuple[int, ...]:
    """Return r as a tuple; raises ConfigError unless it has one value for each HO slice, and each fits its slice."""
    slices = len(range(lo_bits, bits, SLICE_BITS))
    # Only 8-bit activations with a wider LO field have a HO slice that is narrower than the others.
    slice_bits = min(SLICE_BITS, bits - lo_bits)
    highest = (1 << slice_bits) - 1
    if not isinstance(r, tuple) or len(r) != slices:
        accepted = f"{slices} whole numbers in 0 .. {highest}, one for each HO slice"
        raise ConfigError(field, repr(r), accepted, f"{bits}-bit activations have {slices} HO slices")
    hint = f"With a LO field of {lo_bits} bits the HO slice has {slice_bits} bits" if slice_bits < SLICE_BITS else ""
    return tuple(require_integer(field, value, 0, highest, hint) for value in r)


def next_width(bits: int, accepted: Sequence[int]) -> int | None:
    """Return the smallest of the `accepted` widths, in rising order, that holds `bits` bits, or None."""
    return next((width for width in accepted if width >= bits), None)


def _require_bits(field: str, value: object, accepted: Sequence[int], operands: str) -> int:
    if type(value) is int and value in accepted:
        return value  # networks have thousands of layers: none of them needs a hint
    return require_width(field, value, accepted, _wider_hint(operands, value, accepted))


def _wider_hint(operands: str, value: object, accepted: Sequence[int]) -> str:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        return ""
    wider = next_width(int(value), accepted)
    if wider is None:
        return f"Quantize the real {operands} anew to {accepted[-1]} bits or fewer"
    return f"Use {wider}: it holds {value}-bit {operands} exactly"
