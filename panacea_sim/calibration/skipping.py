"""What a machine skips of a layer: shares of vectors at each step towards Panacea, and the work that remains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panacea_sim.quant.rle import stored_with_fillers
from panacea_sim.quant.slicing import slice_activations
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors, skipped_weight_vectors
from panacea_sim.units import ceil_div
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["Counts", "Work", "skipped_activations", "skipped_weights", "work_of"]


@dataclass(frozen=True)
class Counts:
    """So many of a number of vectors are skipped; counts of parts add up with `+`."""

    skipped: int = 0
    total: int = 0

    @classmethod
    def of(cls, skipped: BoolArray) -> Counts:
        """Return the counts of a mask."""
        return cls(int(np.count_nonzero(skipped)), skipped.size)

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both."""
        return Counts(self.skipped + other.skipped, self.total + other.total)

    @property
    def share(self) -> float | None:
        """The share that is skipped, None where there are no vectors."""
        return self.skipped / self.total if self.total else None


@dataclass(frozen=True)
class Work:
    """Outer products of vectors that are done of a layer, dynamic and static ones, and those that a dense one has."""

    done: int = 0
    dense: int = 0

    def __add__(self, other: Work) -> Work:
        """Return the work of both."""
        return Work(self.done + other.done, self.dense + other.dense)

    @property
    def skipped_share(self) -> float:
        """The share of the dense work that is not done."""
        return 1 - self.done / self.dense


def skipped_activations(codes: np.ndarray, bits: int, lo_bits: int, frequent: Sequence[int], v: int) -> Counts:
    """Return how many vectors of activation codes [R, K, N] hold r only, of all products and HO slices."""
    total = Counts()
    for product in codes:
        slices = slice_activations(product, bits, lo_bits)
        total += Counts.of(skipped_activation_vectors(slices.ho, frequent, v))
    return total


def skipped_weights(layer: GemmLayer, v: int) -> tuple[Counts, ...]:
    """Return for each HO slice of the weight, least significant first, how many vectors are zero."""
    masks = [skipped_weight_vectors(ho, v) for ho in _of_products(layer, layer.weight_slices.ho, 1, layer.M)]
    return tuple(sum((Counts.of(mask[number]) for mask in masks), Counts()) for number in range(len(masks[0])))


def work_of(layer: GemmLayer, v: int, tile_k: int) -> Work:
    """Return the outer products of a layer: the sum over k of (groups of rows + w)(groups of columns + x).

    w and x are the stored HO vectors at k, fillers included. Tiles and PEAs divide this sum without changing it;
    double-tile processing does not change it either.
    """
    total = Work()
    row_groups, column_groups = ceil_div(layer.M, v), ceil_div(layer.N, v)
    weights = _of_products(layer, layer.weight_slices.ho, 1, layer.M)
    activations = _of_products(layer, layer.activation_slices.ho, 2, layer.N)
    for weight, activation in zip(weights, activations, strict=True):
        w = _stored(skipped_weight_vectors(weight, v), tile_k)
        x = _stored(skipped_activation_vectors(activation, layer.frequent, v), tile_k)
        done = int(((row_groups + w) * (column_groups + x)).sum())
        dense = layer.K * row_groups * (1 + len(weight)) * column_groups * (1 + len(activation))
        total += Work(done, dense)
    return total


def _of_products(layer: GemmLayer, slices: np.ndarray, axis: int, length: int) -> list[np.ndarray]:
    """Return the HO slices [slice, ..] of each product, which lie one behind the other on an axis."""
    return np.split(slices, range(length, layer.repeat * length, length), axis)


def _stored(skipped: BoolArray, tile_k: int) -> np.ndarray:
    """Return how many vectors are stored at each k, of masks [slice, group, K]."""
    counts: np.ndarray = stored_with_fillers(skipped, tile_k).sum((0, 1), dtype=np.int64)
    return counts
