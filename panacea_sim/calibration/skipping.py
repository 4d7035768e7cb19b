"""What a machine skips of a layer: shares of vectors at each step towards Panacea, and the work that remains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from panacea_sim.quant.rle import stored_with_fillers
from panacea_sim.quant.slicing import slice_activations, slice_weights
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors, skipped_weight_vectors
from panacea_sim.units import ceil_div
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["Counts", "Skipped", "Work", "skipped_activations", "skipped_of", "skipped_symmetric"]


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


@dataclass(frozen=True)
class Skipped:
    """The vectors of each HO slice of a weight, least significant first, those of an activation, and the work."""

    weights: tuple[Counts, ...]
    activations: Counts
    work: Work


def skipped_activations(codes: np.ndarray, bits: int, lo_bits: int, frequent: Sequence[int], v: int) -> Counts:
    """Return how many vectors of activation codes [R, K, N] hold r only, of all products and HO slices."""
    total = Counts()
    for product in codes:
        slices = slice_activations(product, bits, lo_bits)
        total += Counts.of(skipped_activation_vectors(slices.ho, frequent, v))
    return total


def skipped_symmetric(codes: np.ndarray, bits: int, v: int) -> Counts:
    """Return how many vectors of symmetric activation codes [R, K, N] are zero in a HO slice, of all of them."""
    total = Counts()
    for product in codes:
        total += Counts.of(skipped_weight_vectors(slice_weights(product.T, bits).ho, v))
    return total


def skipped_of(layer: GemmLayer, v: int, tile_k: int) -> Skipped:
    """Return the vectors of a layer that are skipped, and its work.

    The work is the sum over k of (groups of rows + w)(groups of columns + x), where w and x are the stored HO vectors
    at k, fillers included. Tiles and PEAs divide this sum without changing it; double-tile processing does not either.
    """
    weights, activations, work = [Counts()] * len(layer.weight_slices.ho), Counts(), Work()
    row_groups, column_groups = ceil_div(layer.M, v), ceil_div(layer.N, v)
    ho_weights = _of_products(layer, layer.weight_slices.ho, 1, layer.M)
    ho_activations = _of_products(layer, layer.activation_slices.ho, 2, layer.N)
    for weight, activation in zip(ho_weights, ho_activations, strict=True):
        skipped_w = skipped_weight_vectors(weight, v)
        skipped_x = skipped_activation_vectors(activation, layer.frequent, v)
        weights = [total + Counts.of(mask) for total, mask in zip(weights, skipped_w, strict=True)]
        activations += Counts.of(skipped_x)
        w, x = _stored(skipped_w, tile_k), _stored(skipped_x, tile_k)
        done = int(((row_groups + w) * (column_groups + x)).sum())
        dense = layer.K * row_groups * (1 + len(weight)) * column_groups * (1 + len(activation))
        work += Work(done, dense)
    return Skipped(tuple(weights), activations, work)


def _of_products(layer: GemmLayer, slices: np.ndarray, axis: int, length: int) -> list[np.ndarray]:
    """Return the HO slices [slice, ..] of each product, which lie one behind the other on an axis."""
    return np.split(slices, range(length, layer.repeat * length, length), axis)


def _stored(skipped: BoolArray, tile_k: int) -> np.ndarray:
    """Return how many vectors are stored at each k, of masks [slice, group, K]."""
    counts: np.ndarray = stored_with_fillers(skipped, tile_k).sum((0, 1), dtype=np.int64)
    return counts
