"""The work of a layer on the Sibia machine: zero HO vectors of one operand are skipped, the other one is dense."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.machines.shared.dense_work import BYTE_BITS
from panacea_sim.machines.shared.encoded_outputs import encoded_outputs, masked_outputs
from panacea_sim.machines.shared.layer_outputs import layer_outputs, ppu_passes
from panacea_sim.machines.shared.own_operands import signed_codes
from panacea_sim.machines.shared.slice_steps import SliceSteps, batched_steps
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling, shared_tiling
from panacea_sim.machines.shared.sliced_work import SkipMasks, filled_up
from panacea_sim.machines.sibia.settings import SibiaHardware
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.mapping.work import LayerWork, TileBytes
from panacea_sim.quant.slicing import slice_weights
from panacea_sim.quant.vectors import BoolArray, skipped_share, skipped_weight_vectors
from panacea_sim.quant.widths import SIGNED_BITS, SLICE_BITS
from panacea_sim.units import FloatArray, IntArray, bits_to_bytes, ceil_div
from panacea_sim.workload.functional import FunctionalPass, WrittenCodes
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.link import Operand
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat
from panacea_sim.workload.written_format import Form

__all__ = ["SibiaWork", "batched_sibia", "has_raw_weight", "sibia_work", "sibia_work_of", "signed_written"]


_CERTAIN_DEVIATIONS = 7.0
"""Standard deviations of both shares together, at half / sqrt(n) each."""


@dataclass(frozen=True, eq=False)
class SibiaWork(SliceSteps):
    """What a layer asks of the PEAs. The masks of the `raw` operand skip nothing: all of its vectors are stored.

    `packed` are the vectors [n, K] that the HO slices of activations fill which are not zero, where single slices are
    skipped: those of all columns of a tile, v at a time.
    """

    raw: Operand
    packed: FloatArray | None = field(default=None, kw_only=True)

    @cached_property
    def weight(self) -> TileBytes:
        """Bytes of the weight tiles [m, k]."""
        coded = super().weight
        return _raw(self.tiling, self.tiling.row_groups, len(self.masks.weight)) if self.raw == "w" else coded

    @cached_property
    def activation(self) -> TileBytes:
        """Bytes of the activation tiles [n, k]."""
        groups = np.tile(self.tiling.column_groups, self.tiling.repeat)
        coded = super().activation
        return _raw(self.tiling, groups, len(self.masks.activation)) if self.raw == "x" else coded

    @cached_property
    def steps(self) -> IntArray:
        """Steps of the operators, [m, PEA, n, k]: every stored vector of a weight slice meets every one of the columns.

        Those of DWOs and SWOs together: sum over k of (1 + w_k) (G + x_k), with the LO slice and w_k, x_k HO vectors.
        """
        steps: IntArray = self.dwo.astype(np.int32) + self.swo
        return steps

    @property
    def multiplied_x(self) -> FloatArray:
        """Activation vectors of each n tile that are multiplied, float32 [n, K]."""
        return super().multiplied_x if self.packed is None else self.packed

    def forget_steps(self) -> None:
        """Let the steps go; they are computed again when they are asked for."""
        super().forget_steps()
        self.__dict__.pop("steps", None)

    def deciding(self) -> Iterable[np.ndarray]:
        """Return the skip masks, which operand is raw, and what is multiplied."""
        packed = () if self.packed is None else (self.packed,)
        return *super().deciding(), np.array([self.raw == "w"]), *packed


def sibia_work(layer: Layer, hardware: SibiaHardware, computed: FunctionalPass | None) -> SibiaWork:
    """Return the work of a layer; the operand with the larger share of zero HO vectors skips them.

    Raises ConfigError for a layer without operands where single slices are skipped.
    """
    sizes = (layer.M, layer.K, layer.N, hardware.tile_m, hardware.tile_k, hardware.tile_n)
    tiling = shared_tiling(SlicedTiling(*sizes, hardware.v, repeat=layer.repeat))
    outputs, stage = layer_outputs(
        tiling, layer, hardware, _encoded(tiling, layer, computed, may_be_raw=hardware.may_be_raw)
    )
    masks = _signed_masks(layer, hardware.v)
    raw: Operand = "x" if _share(masks.weight) > _share(masks.activation) else "w"
    return SibiaWork(
        tiling,
        outputs,
        computed,
        _one_sided(masks, raw),
        raw,
        passes=ppu_passes(layer, hardware),
        sequential=layer.sequential,
        weight_bits=layer.weight_bits,
        activation_bits=layer.activation_bits,
        stage=stage,
        may_be_raw=hardware.may_be_raw,
        packed=_packed(tiling, layer) if hardware.single_slices == "on" and raw == "w" else None,
    )


def sibia_work_of(work: LayerWork) -> SibiaWork:
    """Return the work as what it is: the layers of a program are planned by the builder that describes it."""
    assert isinstance(work, SibiaWork)
    return work


def batched_sibia(works: Sequence[SibiaWork]) -> SibiaWork | None:
    """Return the work of layers as that of one of all their products; None where not all have the same raw operand.

    None too where single slices are skipped: layers with operands run alone.
    """
    is_alike = len({work.raw for work in works}) == 1 and all(work.packed is None for work in works)
    return batched_steps(works) if is_alike else None


def signed_written(written: WrittenCodes) -> WrittenCodes:
    """Return outputs as they lie in memory: activations as signed slices, whose streams run along the features."""
    form = written.format
    if not isinstance(form, OutputFormat):
        return written
    codes = signed_codes(written.codes, form.zero_point, form.bits)
    return replace(written, format=WeightFormat("k", SIGNED_BITS), codes=codes)


def _packed(tiling: SlicedTiling, layer: Layer) -> FloatArray:
    """Return how many vectors of v the HO slices that are not zero fill at each position of each n tile, [n, K]."""
    if isinstance(layer, MaskedLayer):
        found, hint = f"skip masks in {layer.name!r}", "Masks say which vectors are zero, and not which slices"
        raise ConfigError("layer", found, "operands, with hardware.single_slices = on", hint)
    there = slice_weights(layer.activation_columns.T, SIGNED_BITS).ho[0] != 0
    first = np.arange(0, tiling.N, tiling.tile_n)
    starts = (np.arange(tiling.repeat)[:, None] * tiling.N + first).ravel()
    filled = ceil_div(np.add.reduceat(there, starts, 0, dtype=np.int64), tiling.v)
    return filled.astype(np.float32)


def has_raw_weight(layer: MaskedLayer, v: int) -> bool:
    """Return whether the masks that a layer draws leave its weight raw for certain, whatever is drawn.

    A share of n vectors that are drawn one by one is seven of its standard deviations from its density less often than
    once in 10^11: each of the two masks has one of half / sqrt(n) at most.
    """
    weight_slices, activation_slices = layer.ho_slices
    if not weight_slices or not activation_slices:
        return False
    rho_w = layer.rho_w[-1] if isinstance(layer.rho_w, tuple) else layer.rho_w
    vectors = layer.repeat * ceil_div(min(layer.M, layer.N), v) * layer.K
    return layer.rho_x - rho_w > _CERTAIN_DEVIATIONS / sqrt(vectors)


def _raw(tiling: SlicedTiling, groups: IntArray, ho_slices: int) -> TileBytes:
    size_bytes = bits_to_bytes(groups[:, None] * tiling.v * tiling.depths * SLICE_BITS * (1 + ho_slices))
    return TileBytes(np.zeros_like(size_bytes), size_bytes)


def _signed_masks(layer: Layer, v: int) -> SkipMasks:
    """Return which HO vectors of an operand hold zeros only; operands have one HO slice at most."""
    if isinstance(layer, MaskedLayer):
        weight, activation = layer.skip_masks(v)
        return SkipMasks(weight[-1:], activation[-1:])
    weight_ho = layer.weight_slices.ho
    activation_ho = slice_weights(layer.activation_columns.T, SIGNED_BITS).ho
    if layer.repeat > 1:
        weight_ho = filled_up(weight_ho, (0,) * len(weight_ho), layer.repeat, v)
        activation_ho = filled_up(activation_ho, (0,), layer.repeat, v)
    return SkipMasks(skipped_weight_vectors(weight_ho, v), skipped_weight_vectors(activation_ho, v))


def _share(skipped: BoolArray) -> float:
    """Return the share of vectors that could be skipped; less than any where there is no HO slice."""
    share = skipped_share(skipped)
    return -1.0 if share is None else share


def _one_sided(masks: SkipMasks, raw: Operand) -> SkipMasks:
    if raw == "w":
        return SkipMasks(np.zeros_like(masks.weight), masks.activation)
    return SkipMasks(masks.weight, np.zeros_like(masks.activation))


def _encoded(tiling: SlicedTiling, layer: Layer, computed: FunctionalPass | None, *, may_be_raw: bool) -> OutputBytes:
    """Return the bytes of outputs in the run-length code, and of those that nobody reads densely.

    Nobody reads them in place: the layer that reads them may have that operand raw.
    """
    if isinstance(layer, MaskedLayer):
        return replace(masked_outputs(tiling, layer, may_be_raw=may_be_raw), pieces=None)
    return _encoded_values(tiling, layer, computed, may_be_raw=may_be_raw)


def _encoded_values(
    tiling: SlicedTiling, layer: GemmLayer, computed: FunctionalPass | None, *, may_be_raw: bool
) -> OutputBytes:
    if computed is None or not layer.read_formats:
        return dense_outputs(tiling)
    written = replace(computed, written=tuple(signed_written(each) for each in computed.written))
    forms = tuple(_form_read(each.format) for each in computed.written if each.format is not None)
    read = replace(layer, output=None, formats=layer.read_formats)
    return replace(encoded_outputs(tiling, read, written, may_be_raw=may_be_raw), forms=forms)


def _form_read(form: OutputFormat | WeightFormat) -> Form:
    """Return the form in which others read outputs: their activations are signed, of one width."""
    return form.form._replace(bits=BYTE_BITS) if isinstance(form, OutputFormat) else form.form
