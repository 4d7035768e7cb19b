"""Matrix products in floating point: every one of ours is computed here, by the BLAS behind numpy.

Operands are finite and so are their products; sums of whole numbers below the bound of the type are exact. A BLAS may
still look at what stands in memory beside its operands, or where its result is to go. If that happens to be no number,
numpy warns of an invalid value although the result is right.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["finite_matmul", "finite_tensordot"]

_Array = npt.NDArray[Any]


def finite_matmul(
    left: _Array, right: _Array, out: _Array | None = None, dtype: type[np.floating] | None = None
) -> Any:  # noqa: ANN401  # its shape decides
    """Return `left @ right` of finite numbers as np.matmul does, in `out` if it is given and in `dtype` if that is."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.matmul(left, right, out=out, dtype=dtype)


def finite_tensordot(left: _Array, right: _Array, left_axis: int, right_axis: int) -> Any:  # noqa: ANN401  # the same
    """Return the sums over an axis of each of two arrays of finite numbers, as np.tensordot does."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.tensordot(left, right, axes=([left_axis], [right_axis]))
