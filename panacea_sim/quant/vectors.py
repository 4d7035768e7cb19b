"""Slice vectors: `v` adjacent HO slices that are stored or skipped together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from panacea_sim.units import ceil_div

__all__ = [
    "BoolArray",
    "group_activation_vectors",
    "group_weight_vectors",
    "skipped_activation_vectors",
    "skipped_share",
    "skipped_weight_vectors",
]

BoolArray = npt.NDArray[np.bool_]

_Slice = TypeVar("_Slice", np.int8, np.uint8)


def group_weight_vectors(ho: npt.NDArray[np.int8], v: int) -> npt.NDArray[np.int8]:
    """Group HO weight slices [S, M, K] along M into vectors [S, ceil(M / v), K, v], padded with 0."""
    padding = np.zeros(len(ho), np.int8)
    return _group_last_axis(ho.swapaxes(1, 2), padding, v)


def group_activation_vectors(ho: npt.NDArray[np.uint8], frequent: Sequence[int], v: int) -> npt.NDArray[np.uint8]:
    """Group HO activation slices [S, K, N] along N into vectors [S, ceil(N / v), K, v], padded with r of the slice."""
    return _group_last_axis(ho, np.array(frequent, np.uint8), v)


def skipped_weight_vectors(ho: npt.NDArray[np.int8], v: int) -> BoolArray:
    """Tell which vectors of HO weight slices [S, M, K] hold zeros only: bool [S, ceil(M / v), K]."""
    is_zero = ho == 0
    skipped = np.ones((len(ho), ceil_div(ho.shape[1], v), ho.shape[2]), np.bool_)
    for lane in range(min(v, ho.shape[1])):
        part = is_zero[:, lane::v, :]
        skipped[:, : part.shape[1], :] &= part
    return skipped


def skipped_activation_vectors(ho: npt.NDArray[np.uint8], frequent: Sequence[int], v: int) -> BoolArray:
    """Tell which vectors of HO activation slices [S, K, N] hold r of their slice only: bool [S, ceil(N / v), K]."""
    is_frequent = ho == np.array(frequent, np.uint8)[:, None, None]
    skipped = np.ones((len(ho), ho.shape[1], ceil_div(ho.shape[2], v)), np.bool_)
    for lane in range(min(v, ho.shape[2])):
        part = is_frequent[:, :, lane::v]
        skipped[:, :, : part.shape[2]] &= part
    return np.ascontiguousarray(skipped.swapaxes(1, 2))


def skipped_share(skipped: BoolArray) -> float | None:
    """Return rho, the share of skipped vectors over all HO slices, or None for operands without a HO slice."""
    return int(np.count_nonzero(skipped)) / skipped.size if skipped.size else None


def _group_last_axis(slices: npt.NDArray[_Slice], padding: npt.NDArray[_Slice], v: int) -> npt.NDArray[_Slice]:
    slice_count, k, length = slices.shape
    groups = ceil_div(length, v)
    padded = np.empty((slice_count, k, groups * v), slices.dtype)
    padded[:, :, :length] = slices
    padded[:, :, length:] = padding[:, None, None]
    return np.ascontiguousarray(padded.reshape(slice_count, k, groups, v).swapaxes(1, 2))
