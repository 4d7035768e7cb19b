"""Checks of quantized operands, whose hints say how to keep the numbers that were given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError, with_article
from panacea_sim.quant.widths import ACTIVATION_BITS, SLICE_BITS, SYMMETRIC_BITS, WEIGHT_BITS, next_width

__all__ = [
    "RANKS_OF_PRODUCTS",
    "require_activation",
    "require_activation_form",
    "require_integer_matrix",
    "require_products",
    "require_symmetric_activation",
    "require_weight",
    "require_weight_form",
    "signed_hint",
]

_BYTE_BITS = 8
_MATRIX_RANK = 2
# Matrices of several products lie one behind the other along a leading axis.
RANKS_OF_PRODUCTS = (_MATRIX_RANK, _MATRIX_RANK + 1)
_WHOLE_KINDS = "iu"
# A matrix of booleans holds whole numbers as well, once it is converted.
_CONVERTIBLE_KINDS = "iub"

_ANEW = "Quantize the real numbers anew: no width holds these"

_Hint = Callable[[npt.NDArray[Any], int], str]


def require_weight(
    field: str, weight: object, bits: int, dtypes: Sequence[str] = (), ranks: Sequence[int] = (_MATRIX_RANK,)
) -> npt.NDArray[Any]:
    """Return `weight` if it is a non-empty matrix of one of `dtypes`, any integers by default, that fits `bits` bits.

    With the ranks 2 and 3 it may be several matrices along a leading axis. Raises ConfigError for another type, rank or
    dtype, an empty dimension, or a value out of range (with position).
    """
    hints = (_weight_type_hint, _weight_range_hint)
    return _require_operand(field, weight, bits, dtypes, _signed_bounds(bits), hints, ranks)


def require_activation(
    field: str, activation: object, bits: int, dtypes: Sequence[str] = (), ranks: Sequence[int] = (_MATRIX_RANK,)
) -> npt.NDArray[Any]:
    """Return `activation` if it is a non-empty matrix of one of `dtypes` that fits `bits` unsigned bits.

    Raises ConfigError like `require_weight`.
    """
    hints = (_activation_type_hint, _activation_range_hint)
    return _require_operand(field, activation, bits, dtypes, (0, (1 << bits) - 1), hints, ranks)


def require_symmetric_activation(activation: npt.NDArray[Any], bits: int, zero_point: int, lo_bits: int) -> None:
    """Check what must hold for signed codes, whose zero point is 0; raises ConfigError naming `layer.<field>`."""
    if zero_point != 0:
        hint = f"{signed_hint(bits)}. Or store symmetric codes, with the zero point 0"
        raise ConfigError("layer.zero_point", zero_point, f"0, as the activation is {activation.dtype}", hint)
    for field, found, accepted in (("activation_bits", bits, SYMMETRIC_BITS), ("lo_bits", lo_bits, (SLICE_BITS,))):
        if found not in accepted:
            wanted = f"{' or '.join(map(str, accepted))}, as the activation is {activation.dtype}"
            raise ConfigError(f"layer.{field}", found, wanted, f"Set {field}={accepted[-1]}")
    hints = (_activation_type_hint, _activation_range_hint)
    _require_operand("layer.activation", activation, bits, (), _signed_bounds(bits), hints, RANKS_OF_PRODUCTS)


def require_weight_form(field: str, dtype: np.dtype[Any], shape: tuple[int, ...], dtypes: Sequence[str]) -> None:
    """Check what can be said of the weights of a layer without their values: dtype, rank and dimensions.

    Raises ConfigError.
    """
    require_weight(field, np.broadcast_to(np.zeros((), dtype), shape), WEIGHT_BITS[0], dtypes, RANKS_OF_PRODUCTS)


def require_activation_form(field: str, dtype: np.dtype[Any], shape: tuple[int, ...], dtypes: Sequence[str]) -> None:
    """Check what can be said of an activation without its values, as `require_weight_form` does."""
    form = np.broadcast_to(np.zeros((), dtype), shape)
    require_activation(field, form, ACTIVATION_BITS[0], dtypes, RANKS_OF_PRODUCTS)


def require_products(weight: tuple[int, ...], activation: tuple[int, ...]) -> None:
    """Check that operands of these shapes can be multiplied; raises ConfigError.

    Weights are [M, K] or [R, M, K], activations [K, N] or [R, K, N], for R products.
    """
    wanted, found = (shape[:-_MATRIX_RANK] for shape in (weight, activation))
    shapes = "weight is [M, K], activation is [K, N]; for R products [R, M, K] and [R, K, N]"
    if wanted != found:
        raise ConfigError(
            "layer.activation",
            f"{_products(*found)}, shape {activation}",
            f"{_products(*wanted)}, as weight with shape {weight}",
            shapes,
        )
    if weight[-1] != activation[-2]:
        raise ConfigError(
            "layer.activation",
            f"K = {activation[-2]}, shape {activation}",
            f"K = {weight[-1]}, as weight with shape {weight}",
            shapes,
        )


def _products(count: int | None = None) -> str:
    return "one product without a leading axis" if count is None else f"{count} product{'s' * (count != 1)}"


def require_integer_matrix(
    field: str, array: npt.NDArray[Any], bounds: tuple[int, int] | None = None, rows: int | None = None
) -> None:
    """Raise ConfigError unless `array` is a matrix of integers within `bounds`, where given, and with `rows` rows."""
    if array.ndim != _MATRIX_RANK or array.dtype.kind not in _WHOLE_KINDS or rows not in {None, len(array)}:
        accepted = "a matrix of integers" if rows is None else f"a matrix of integers with {rows} rows"
        raise ConfigError(field, f"shape {array.shape}, dtype {array.dtype}", accepted)
    if bounds is None:
        return
    kind = np.iinfo(array.dtype)
    # The type alone says so for the accumulators of the machine, tile by tile.
    if (kind.min < bounds[0] or kind.max > bounds[1]) and array.size and not _fits(array, *bounds):
        raise ConfigError(field, f"values in {array.min()} .. {array.max()}", f"{bounds[0]} .. {bounds[1]}")


def _require_operand(
    field: str,
    array: object,
    bits: int,
    dtypes: Sequence[str],
    bounds: tuple[int, int],
    hints: tuple[_Hint, _Hint],
    ranks: Sequence[int],
) -> npt.NDArray[Any]:
    accepted = f"a matrix of {' or '.join(dtypes) or 'integers'}"
    type_hint, range_hint = hints
    if not isinstance(array, np.ndarray):
        raise ConfigError(field, with_article(type(array).__name__), accepted)
    if array.dtype.name not in dtypes if dtypes else array.dtype.kind not in _WHOLE_KINDS:
        hint = type_hint(array, bits) if array.size else ""
        raise ConfigError(field, f"dtype {array.dtype}", accepted, hint)
    if array.ndim not in ranks:
        several = ", or 3 for several products" if len(ranks) > 1 else ""
        wanted = f"{accepted}, {_MATRIX_RANK} dimensions{several}"
        raise ConfigError(field, f"{array.ndim} dimensions, shape {array.shape}", wanted)
    if array.size == 0:
        raise ConfigError(field, f"an empty dimension, shape {array.shape}", "dimensions >= 1")
    lowest, highest = bounds
    if not _fits(array, lowest, highest):
        outside = (array < lowest) | (array > highest)
        position = tuple(int(index) for index in np.unravel_index(int(outside.argmax()), array.shape))
        hint = f"Values out of range: {int(outside.sum())}. {range_hint(array, bits)}"
        raise ConfigError(field, f"{array[position]} at {list(position)}", f"{lowest} .. {highest}", hint)
    return array


def _weight_type_hint(weight: npt.NDArray[Any], bits: int) -> str:
    if weight.dtype.kind == "f":
        return "Quantize it with panacea_sim.quant.quantizer.quantize_weights"
    if weight.dtype.kind not in _CONVERTIBLE_KINDS:
        return ""
    if weight.dtype == np.uint8:
        return (
            "Subtract the zero point, 0 if there is none, as int16 and set weight_bits=10, which holds all differences"
        )
    width = _weight_width(weight)
    if width is None:
        return _ANEW
    convert = f"onvert it with astype(np.int{_storage_bits(max(width, bits))})"
    return f"C{convert}" if width <= bits else f"{_weight_range_hint(weight, bits)}, and c{convert}"


def _weight_range_hint(weight: npt.NDArray[Any], _: int) -> str:
    width = _weight_width(weight)
    return _ANEW if width is None else f"Set weight_bits={width}, which holds them exactly"


def _weight_width(weight: npt.NDArray[Any]) -> int | None:
    return next((width for width in WEIGHT_BITS if _fits(weight, *_signed_bounds(width))), None)


def _activation_type_hint(activation: npt.NDArray[Any], bits: int) -> str:
    if activation.dtype.kind == "f":
        return "Quantize it with panacea_sim.quant.quantizer.panacea_quantizer"
    if activation.dtype.kind not in _CONVERTIBLE_KINDS:
        return ""
    # Codes of int8 are signed ones even where none of them is negative.
    if activation.dtype == np.int8 and _fits(activation, *_signed_bounds(bits)):
        return signed_hint(bits)
    if _fits(activation, 0, (1 << bits) - 1):
        return f"Convert it with astype(np.uint{_storage_bits(bits)})"
    return _activation_range_hint(activation, bits)


def _activation_range_hint(activation: npt.NDArray[Any], bits: int) -> str:
    if int(activation.min()) < 0:
        return signed_hint(bits) if _fits(activation, *_signed_bounds(bits)) else _ANEW
    width = next_width(int(activation.max()).bit_length(), ACTIVATION_BITS)
    if width is None:
        return _ANEW
    lo_bits = ", and lo_bits=4" if width > _BYTE_BITS else ""
    return f"Store it as uint{_storage_bits(width)} and set activation_bits={width}, which holds them exactly{lo_bits}"


def signed_hint(bits: int = _BYTE_BITS) -> str:
    """Return how signed codes of `bits` bits become unsigned ones that mean the same."""
    half = 1 << (bits - 1)
    # Wide enough before the sum: int8 codes would wrap.
    return f"Add {half} to codes and zero point: (codes.astype(int) + {half}).astype(np.uint{_storage_bits(bits)})"


def _signed_bounds(bits: int) -> tuple[int, int]:
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def _storage_bits(bits: int) -> int:
    return 8 if bits <= _BYTE_BITS else 16


def _fits(array: npt.NDArray[Any], lowest: int, highest: int) -> bool:
    return lowest <= int(array.min()) and int(array.max()) <= highest
