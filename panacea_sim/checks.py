"""Checks of single values and of real arrays, which every room above the machine's own settings shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.bounds import bounds_of
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.units import FloatArray

__all__ = [
    "require_channel_numbers",
    "require_channel_scales",
    "require_choice",
    "require_finite",
    "require_flag",
    "require_integer",
    "require_kind",
    "require_number",
    "require_row_numbers",
    "require_scale",
    "require_share",
    "require_width",
]

_MATRIX_RANK = 2
# A switch that is on or off is often given as a boolean, by Python and by YAML alike.
_SWITCHES = {False: "off", True: "on"}


def require_integer(field: str, value: object, lowest: int, highest: int | None = None, hint: str = "") -> int:
    """Return `value` as an int; raises ConfigError if it is no whole number (a bool is none) or out of range."""
    accepted = f"a whole number >= {lowest}" if highest is None else f"a whole number in {lowest} .. {highest}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ConfigError(field, repr(value), accepted)
    if value < lowest or (highest is not None and value > highest):
        raise ConfigError(field, int(value), accepted, hint)
    return int(value)


def require_kind(field: str, value: object, kind: Any) -> int:  # noqa: ANN401  # an annotation
    """Return `value` as an int; raises ConfigError unless it is a whole number of this kind (bounds.py)."""
    return require_integer(field, value, *bounds_of(kind))


def require_width(field: str, value: object, accepted: Sequence[int], hint: str = "") -> int:
    """Return a width in bits as an int; raises ConfigError unless it is one of `accepted`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value not in accepted:
        raise ConfigError(field, repr(value), ", ".join(map(str, accepted)), hint)
    return int(value)


def require_choice(field: str, value: object, accepted: Sequence[str]) -> None:
    """Raise ConfigError unless `value` is one of the texts `accepted`; the hint names the one that was meant."""
    if isinstance(value, str) and value in accepted:
        return
    meant = _SWITCHES[bool(value)] if isinstance(value, bool | np.bool_) else value
    # Only what is meant as a text can be near one: None is no slip of "on".
    hint = nearest_name(meant.lower(), accepted) if isinstance(meant, str) else ""
    raise ConfigError(field, repr(value), ", ".join(accepted), hint)


def require_flag(field: str, value: object) -> bool:
    """Return `value` as a bool; raises ConfigError for anything else, whose truth might not be what it says."""
    if not isinstance(value, bool | np.bool_):
        raise ConfigError(field, repr(value), "True, False")
    return bool(value)


def require_number(field: str, value: object, lowest: float, highest: float | None = None) -> float:
    """Return `value` as a float; raises ConfigError unless it is one finite number in `lowest` .. `highest`."""
    accepted = f"a finite number >= {lowest:g}" if highest is None else f"a number in {lowest:g} .. {highest:g}"
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise ConfigError(field, repr(value), accepted)
    if not (lowest <= value < np.inf and (highest is None or value <= highest)):
        raise ConfigError(field, value, accepted)
    return float(value)


def require_share(field: str, value: object) -> float:
    """Return a share as a plain float; raises ConfigError unless it is a number in 0 .. 1."""
    return require_number(field, value, 0, 1)


def require_scale(field: str, value: object) -> float:
    """Return `value` as a float; raises ConfigError unless it is one finite number > 0."""
    numbers = _real_numbers(field, value)
    if numbers.ndim != 0:
        raise ConfigError(field, f"shape {numbers.shape}", "one number")
    _require_positive(field, numbers)
    return float(numbers)


def require_channel_scales(field: str, value: object, *rows: int) -> float | FloatArray:
    """Return one scale, or one for each row; raises ConfigError, with the row, unless all are > 0.

    `rows` is how many there are; of several products their number and then the rows of each.
    """
    numbers = _channel_numbers(field, value, rows)
    _require_positive(field, numbers)
    return numbers if numbers.ndim else float(numbers)


def require_channel_numbers(field: str, value: object, length: int) -> float | FloatArray:
    """Return one number, or one for each of `length` rows; raises ConfigError, with the row, unless all are finite."""
    numbers = _channel_numbers(field, value, (length,))
    if not np.isfinite(numbers).all():
        raise ConfigError(field, _first(numbers, ~np.isfinite(numbers)), "finite numbers")
    return numbers if numbers.ndim else float(numbers)


def require_row_numbers(field: str, value: object, *rows: int) -> FloatArray:
    """Return a number for each row as float64 [*rows]; `rows` as in `require_channel_scales`.

    Raises ConfigError for another shape or a number that is not finite.
    """
    numbers = _real_numbers(field, value)
    if numbers.shape != rows:
        raise ConfigError(field, f"shape {numbers.shape}", f"shape {rows}: one number for each row")
    if not np.isfinite(numbers).all():
        at = np.unravel_index(int((~np.isfinite(numbers)).argmax()), rows)
        raise ConfigError(field, f"{numbers[at]} at {[int(index) for index in at]}", "finite numbers")
    return numbers


def require_finite(field: str, values: object, *, matrix: bool = False) -> FloatArray:
    """Return real values as float64, same shape; raises ConfigError unless all are finite and there is one.

    With `matrix` they must have 2 dimensions.
    """
    numbers = _real_numbers(field, values)
    if matrix and numbers.ndim != _MATRIX_RANK:
        raise ConfigError(field, f"{numbers.ndim} dimensions, shape {numbers.shape}", "a matrix, 2 dimensions")
    if numbers.size == 0 or not np.isfinite(numbers).all():
        bad = np.count_nonzero(~np.isfinite(numbers))
        raise ConfigError(field, f"{bad} of {numbers.size} not finite", "finite numbers, at least one")
    return numbers


def _real_numbers(field: str, value: object) -> FloatArray:
    try:
        numbers: npt.NDArray[np.generic] = np.asarray(value)
    except ValueError:
        raise ConfigError(field, "rows of different lengths", "real numbers") from None
    if numbers.dtype.kind not in "fiu":
        raise ConfigError(field, repr(value), "real numbers")
    return numbers.astype(np.float64, copy=False)


def _channel_numbers(field: str, value: object, rows: tuple[int, ...]) -> FloatArray:
    numbers = _real_numbers(field, value)
    if numbers.ndim and numbers.shape != rows:
        raise ConfigError(field, f"shape {numbers.shape}", f"one number, or shape {rows}: one for each row")
    return numbers


def _require_positive(field: str, numbers: FloatArray) -> None:
    bad = ~(np.isfinite(numbers) & (numbers > 0))
    if bad.any():
        is_zero_row = numbers.ndim and numbers.flat[int(bad.argmax())] == 0
        hint = "A row of zero weights can have any scale, such as the smallest of the other rows" if is_zero_row else ""
        raise ConfigError(field, _first(numbers, bad), "finite numbers > 0", hint)


def _first(numbers: FloatArray, bad: npt.NDArray[np.bool_]) -> str:
    at = int(bad.argmax())
    if not numbers.ndim:
        return str(numbers)
    product, row = divmod(at, numbers.shape[-1])
    return f"{numbers.flat[at]} in row {row}" + f" of product {product}" * (numbers.ndim > 1)
