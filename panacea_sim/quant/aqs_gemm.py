"""The AQS-GEMM product: exact matrix multiplication from slices that skips frequent slice vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError
from panacea_sim.matmul import finite_matmul
from panacea_sim.quant.rle import stored_with_fillers
from panacea_sim.quant.slicing import ActivationSlices, AnyIntArray, WeightSlices
from panacea_sim.quant.vectors import skipped_activation_vectors, skipped_weight_vectors
from panacea_sim.units import IntArray

__all__ = ["aqs_gemm", "check_accumulator", "integer_gemm"]

_Scalar = TypeVar("_Scalar", bound=np.generic)

_INT32 = np.iinfo(np.int32)
# Every whole number up to these is exact, and so is every partial sum of a product that stays below, in any order.
_EXACT_FLOATS: tuple[tuple[type[np.floating], int], ...] = ((np.float32, 1 << 24), (np.float64, 1 << 53))


def integer_gemm(weight: AnyIntArray, x_hat: AnyIntArray) -> IntArray:
    """Return `weight @ x_hat` exactly, int64 [M, N], from integers [M, K] and [K, N] whose products sum below 2^63.

    Of both there may be several along a leading axis; so are the products then.
    """
    bound = weight.shape[-1] * _magnitude(weight) * _magnitude(x_hat)
    for dtype, limit in _EXACT_FLOATS:
        if bound <= limit:
            exact: IntArray = finite_matmul(weight.astype(dtype), x_hat.astype(dtype)).astype(np.int64)
            return exact
    product: IntArray = weight.astype(np.int64) @ x_hat.astype(np.int64)
    return product


def check_accumulator(accumulator: IntArray) -> npt.NDArray[np.int32]:
    """Return the accumulators as int32; raises ConfigError if one of them does not fit."""
    least, most = int(accumulator.min()), int(accumulator.max())
    if least < _INT32.min or most > _INT32.max:
        worst = max(least, most, key=abs)
        raise ConfigError(
            "accumulator",
            worst,
            f"{_INT32.min} .. {_INT32.max} (int32)",
            "Split the layer along K or use narrower weights or activations",
        )
    return accumulator.astype(np.int32)


def aqs_gemm(
    weight_slices: WeightSlices, activation_slices: ActivationSlices, frequent: Sequence[int], v: int, tile_k: int
) -> npt.NDArray[np.int32]:
    """Return the accumulators `W @ x_hat` modulo 2^32, int32 [M, N], computed as the hardware computes them.

    Only stored vectors (fillers included, streams restart every `tile_k`) enter the HO products. Every HO activation
    slice with factor f and frequent value r adds `f*r*W@1` for all its vectors and takes `f*r*W@J` away again for those
    that are stored, J = 1 (docs/model.md, compensation).
    """
    weights = _stored_weight_slices(weight_slices, v, tile_k)
    accumulator = activation_slices.lo_factor * _sliced_product(weights, activation_slices.lo)
    weight_sums = _sliced_product(weights, np.ones((len(activation_slices.lo), 1), np.uint8))
    skipped = skipped_activation_vectors(activation_slices.ho, frequent, v)
    stored = stored_with_fillers(skipped, tile_k)
    for ho, factor, r, is_stored in zip(
        activation_slices.ho, activation_slices.ho_factors, frequent, stored, strict=True
    ):
        columns = ho.shape[1]
        product = _sliced_product(weights, ho * _ungroup(is_stored.T, v, columns))
        stored_sums = _sliced_product(weights, is_stored.T.view(np.uint8))
        accumulator += factor * (product + r * (weight_sums - _ungroup(stored_sums, v, columns)))
    return accumulator.astype(np.int32)


def _stored_weight_slices(slices: WeightSlices, v: int, tile_k: int) -> list[tuple[npt.NDArray[np.int8], int]]:
    """Return every weight slice with its factor, HO slices with the vectors that are not stored set to 0."""
    stored = stored_with_fillers(skipped_weight_vectors(slices.ho, v), tile_k)
    kept = slices.ho * _ungroup(stored, v, slices.lo.shape[0])
    return [(slices.lo, 1), *zip(kept, slices.ho_factors, strict=True)]


def _sliced_product(weights: list[tuple[npt.NDArray[np.int8], int]], operand: AnyIntArray) -> IntArray:
    lo, *ho = (factor * integer_gemm(slice_, operand) for slice_, factor in weights)
    for product in ho:
        lo += product
    return lo


def _ungroup(groups: npt.NDArray[_Scalar], v: int, length: int) -> npt.NDArray[_Scalar]:
    """Give every member of a group along axis 1 the value of its group."""
    return np.repeat(groups, v, axis=1)[:, :length]


def _magnitude(matrix: AnyIntArray) -> int:
    return max(abs(int(matrix.min())), abs(int(matrix.max())))
