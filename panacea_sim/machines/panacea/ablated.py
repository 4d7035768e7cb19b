"""Panacea without what makes it one: nothing skipped and no code, or vectors of zeros alone skipped.

They are steps of an ablation (docs/versus.md) and no machines that anybody would build.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cached_property

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.panacea.build import Panacea
from panacea_sim.machines.panacea.work import PanaceaWork, panacea_work
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.mapping.work import TileBytes
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import IntArray, bits_to_bytes
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["DENSE", "ZERO", "DensePanacea", "ZeroSkippingPanacea"]


class _UncompensatedWork(PanaceaWork):
    """Work in which nothing is compensated: skipped vectors are zeros, or there are none."""

    @cached_property
    def cs(self) -> IntArray:
        """Steps of the CS: none."""
        return np.broadcast_to(np.zeros(1, np.int8), self.swo.shape)


class _RawWork(_UncompensatedWork):
    """Work with all slices stored as they are, of which the decoders have nothing to read."""

    @cached_property
    def weight(self) -> TileBytes:
        """Bytes of the weight tiles [m, k]."""
        return self._raw(self.tiling.row_groups, len(self.masks.weight))

    @cached_property
    def activation(self) -> TileBytes:
        """Bytes of the activation tiles [n, k]."""
        return self._raw(np.tile(self.tiling.column_groups, self.tiling.repeat), len(self.masks.activation))

    def _raw(self, groups: IntArray, ho_slices: int) -> TileBytes:
        bits = groups[:, None] * self.tiling.v * self.tiling.depths * SLICE_BITS * (1 + ho_slices)
        return TileBytes(np.zeros_like(bits), bits_to_bytes(bits))


class DensePanacea(Panacea):
    """All slices are stored as they are and multiplied."""

    name = "panacea_dense"
    values_ways = ("off",)

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> PanaceaWork:
        """Return the tiles, bytes and operator steps of a layer of which nothing is skipped."""
        found = super().work(layer, hardware, computed)
        weight, activation = (np.zeros_like(each) for each in (found.masks.weight, found.masks.activation))
        return _as(_RawWork, replace(found, masks=SkipMasks(weight, activation)))


class ZeroSkippingPanacea(Panacea):
    """Vectors are skipped whose slices are all zero; no other slice is frequent, so that nothing is compensated."""

    name = "panacea_zero"
    values_ways = ("off",)

    def check(self, layer: AnyLayer) -> None:
        """Raise ConfigError for symmetric activations, and for layers whose masks were drawn for frequent slices."""
        super().check(layer)
        if isinstance(layer, MaskedLayer):
            found = f"skip masks in {layer.name!r}"
            raise ConfigError("layer", found, "operands, on this machine", "Densities are those of frequent slices")

    def own(self, layer: GemmLayer) -> GemmLayer:
        """Return the layer with zero as the frequent slice."""
        return replace(layer, r=(0,) * len(layer.frequent), recipe=None)

    def work(self, layer: Layer, hardware: Hardware, computed: FunctionalPass | None) -> PanaceaWork:
        """Return the tiles, bytes and operator steps of a layer."""
        return _as(_UncompensatedWork, super().work(layer, hardware, computed))


def _as(kind: type[PanaceaWork], work: PanaceaWork) -> PanaceaWork:
    """Return the same work, counted in another way."""
    given = {each.name: getattr(work, each.name) for each in fields(work) if each.init}
    return panacea_work(kind(**given))


DENSE, ZERO = DensePanacea(), ZeroSkippingPanacea()
"""What the registry of machines finds by their names."""
