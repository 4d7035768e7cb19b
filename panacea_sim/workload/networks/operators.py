"""Operators of a network file as matrix products: their layers, how these read activations, and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.quant.slicing import weight_ho_factors
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import add_layer, add_link
from panacea_sim.workload.networks.attention import Attention, Part, link_attention
from panacea_sim.workload.networks.builder import DYNAMIC_WEIGHT_BITS, NetworkBuilder, Sizes
from panacea_sim.workload.networks.convolution import Convolution, TransposedConvolution, Window
from panacea_sim.workload.networks.fit import offsets
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.outputs import (
    HeadOutputs,
    LayerOutputs,
    LayerPart,
    Outputs,
    Reading,
    RecurrentOutputs,
    TransposedOutputs,
)
from panacea_sim.workload.networks.rows import (
    AttentionRow,
    ConvolutionRow,
    Convolved,
    GemmRow,
    RecurrentRow,
    Row,
    TransposedRow,
)

__all__ = ["Operator", "Reader", "operator_of"]

_GATES = {"lstm": 4, "gru": 3}
_CELL_WORK = ("residual", "product")
"""Gates of a step are added to those of its input; their products are one pass over all gates together."""


@dataclass(frozen=True)
class Reader:
    """A layer of an operator that reads its activations, and what it needs of them."""

    layer: str
    first: tuple[int, ...] = (0,)
    convolution: Convolution | None = None

    @property
    def reading(self) -> Reading:
        """What the layer needs where nothing else is said: its windows, or its own features and columns."""
        return Reading("same" if self.convolution is None else self.convolution.needs, self.first)


@dataclass(frozen=True)
class Operator:
    """The layers of an operator that read activations, how many features and columns these have, and its outputs.

    `size` is that of the images that it reads, if they are images. `reads_all`: where nothing else is said, it needs
    everything of a layer that it reads, instead of what its readers say.
    """

    readers: tuple[Reader, ...]
    features: int
    columns: int
    outputs: Outputs
    size: tuple[int, ...] | None = None
    reads_all: bool = False


def operator_of(builder: NetworkBuilder, row: Row, tile_m: int) -> Operator:
    """Add the layers of an operator, and the links among them.

    `tile_m` says how many groups are packed into a product. Raises ConfigError naming the field.
    """
    if isinstance(row, GemmRow):
        return _product(builder, row)
    if isinstance(row, ConvolutionRow):
        return _convolution(builder, row, tile_m)
    if isinstance(row, TransposedRow):
        return _transposed(builder, row)
    if isinstance(row, RecurrentRow):
        return _recurrent(builder, row)
    assert isinstance(row, AttentionRow)
    return _attention(builder, row)


def _product(builder: NetworkBuilder, row: GemmRow) -> Operator:
    sizes = (row.M, row.K, row.N)
    name = _add(builder, row, sizes, op="Gemm", repeat=row.repeat, sequential=row.sequential)
    part = LayerPart(name, 0, row.M * row.repeat)
    return Operator((Reader(name),), row.K, row.N, LayerOutputs((part,), row.N), reads_all=True)


def _convolution(builder: NetworkBuilder, row: ConvolutionRow, tile_m: int) -> Operator:
    window = _window(row, _axes(row.size, len(row.size), "size"))
    convolution = Convolution(row.in_channels, row.out_channels, window, row.groups)
    packed = 1
    if row.depthwise == "packed":
        packed = min(max(tile_m // convolution.rows, 1), row.groups)
    in_group = row.in_channels // row.groups
    readers, parts = [], []
    for number, (first, repeat, count) in enumerate(_packing(row.groups, packed)):
        sizes = (count * convolution.rows, count * convolution.depth, convolution.columns)
        name = _add(builder, row, sizes, op="Conv", repeat=repeat, packed=count, suffix=".rest" if number else "")
        starts = tuple((first + index * count) * in_group for index in range(repeat))
        readers.append(Reader(name, starts, convolution))
        parts.append(LayerPart(name, first * convolution.rows, repeat * count * convolution.rows))
    outputs = LayerOutputs(tuple(parts), convolution.columns, window.output_size)
    pixels = window.batch * prod(window.size)
    return Operator(tuple(readers), row.in_channels, pixels, outputs, window.size)


def _packing(groups: int, packed: int) -> list[tuple[int, int, int]]:
    """Return the first group, the repeats and the groups in each: full products, and one with those that remain."""
    full, rest = divmod(groups, packed)
    parts = [(0, full, packed)] if full else []
    return [*parts, (full * packed, 1, rest)] if rest else parts


def _transposed(builder: NetworkBuilder, row: TransposedRow) -> Operator:
    axes = len(row.size)
    kernel, stride, dilation = (_axes(getattr(row, field), axes, field) for field in ("kernel", "stride", "dilation"))
    padding, behind = _axes(row.padding, axes, "padding"), _axes(row.output_padding, axes, "output_padding")
    size = tuple(
        (pixels - 1) * step + (taps - 1) * apart + 1 - sum(pads) + more
        for pixels, step, taps, apart, pads, more in zip(
            row.size, stride, kernel, dilation, padding, behind, strict=True
        )
    )
    for step, more in zip(stride, behind, strict=True):
        if more >= step:
            raise ConfigError("output_padding", more, f"less than the stride, {step}")
    if min(size) < 1:
        raise ConfigError("padding", row.padding, f"so little that an output is left; its size is {size}")
    convolution = TransposedConvolution(row.in_channels, row.out_channels, _window(row, size), row.groups)
    sizes = (convolution.rows, convolution.depth, convolution.columns)
    vector = ("col2im", *row.vector)
    name = _add(builder, row, sizes, op="ConvTranspose", repeat=row.groups, vector=vector)
    starts = tuple(group * convolution.depth for group in range(row.groups))
    outputs = TransposedOutputs(name, convolution)
    reader = Reader(name, starts)
    return Operator((reader,), row.in_channels, convolution.columns, outputs, tuple(row.size))


def _recurrent(builder: NetworkBuilder, row: RecurrentRow) -> Operator:
    gates, op = _GATES[row.op], row.op.upper()
    rows, columns = gates * row.hidden_size, row.steps * row.batch
    inputs = _add(builder, row, (rows, row.input_size, columns), op=op, suffix=".input", vector=())
    hidden = _add(
        builder,
        row,
        (rows, row.hidden_size, row.batch),
        op=op,
        suffix=".hidden",
        repeat=row.steps,
        sequential=True,
        vector=(*_CELL_WORK, *row.vector),
    )
    # The state in front of a step is made of the inputs of the step before; in front of the first there is none.
    before = [(step - 1) * row.batch for step in range(row.steps)]
    link = Link("x", "features", features=(0, rows), column_offset=offsets(before))
    add_link(builder.graph, inputs, hidden, link)
    outputs = RecurrentOutputs(inputs, hidden, gates, row.hidden_size, row.steps, row.batch)
    return Operator((Reader(inputs),), row.input_size, columns, outputs)


def _attention(builder: NetworkBuilder, row: AttentionRow) -> Operator:
    kv_heads, keys = row.kv_heads or row.heads, row.keys or row.queries
    if row.heads % kv_heads:
        raise ConfigError("kv_heads", kv_heads, f"a divisor of heads = {row.heads}")
    if keys < row.queries:
        raise ConfigError("keys", keys, f"at least queries = {row.queries}: the new tokens are keys too")
    sizes = Attention(row.heads, kv_heads, row.head_size, row.batch, row.queries, keys)
    for field in ("q", "k", "v"):
        layer = getattr(row, field).layer
        if layer not in builder.graph:
            hint = nearest_name(layer, builder.graph)
            raise ConfigError(field, repr(layer), "a matrix product or convolution above it in the file", hint)
    parts = (Part(row.q.layer, row.q.offset), Part(row.k.layer, row.k.offset), Part(row.v.layer, row.v.offset))
    count = len(sizes.repeats)
    qk = _add(builder, row, sizes.qk_shape, op="MatMul", repeat=count, suffix=".qk", kind="qk", vector=("softmax",))
    pv = _add(builder, row, sizes.pv_shape, op="MatMul", repeat=count, suffix=".pv", kind="pv")
    link_attention(builder, sizes, parts, (qk, pv), rotary=row.rotary)
    return Operator((), 0, 0, HeadOutputs(pv, sizes))


def _add(  # noqa: PLR0913  # what a layer is; all by name
    builder: NetworkBuilder,
    row: Row,
    sizes: Sizes,
    *,
    op: str,
    kind: str | None = None,
    repeat: int = 1,
    sequential: bool = False,
    packed: int = 1,
    suffix: str = "",
    vector: Sequence[str] | None = None,
) -> str:
    """Add a layer of a row and return its name, which is that of the row and a suffix."""
    is_dynamic = isinstance(row, AttentionRow) or (isinstance(row, GemmRow) and row.dynamic_weight)
    default_bits = DYNAMIC_WEIGHT_BITS if is_dynamic else builder.weight_bits
    bits = default_bits if row.weight_bits is None else row.weight_bits
    kind = row.kind or kind or row.op
    rho_w, rho_x = builder.densities(kind, bits)
    layer = Gemm(
        row.name + suffix,
        op,
        kind,
        row.block,
        *sizes,
        repeat=repeat,
        sequential=sequential,
        weight_bits=bits,
        dynamic_weight=is_dynamic,
        rho_w=rho_w if row.rho_w is None else (row.rho_w,) * len(weight_ho_factors(bits)),
        rho_x=rho_x if row.rho_x is None else row.rho_x,
        packed=packed,
        vector=tuple(row.vector if vector is None else vector),
    )
    add_layer(builder.graph, layer)
    return layer.name


def _window(row: Convolved, size: tuple[int, ...]) -> Window:
    axes = len(row.size)
    return Window(
        size,
        _axes(row.kernel, axes, "kernel"),
        _axes(row.stride, axes, "stride"),
        tuple((before, behind) for before, behind in _axes(row.padding, axes, "padding")),
        _axes(row.dilation, axes, "dilation"),
        row.batch,
    )


_Item = TypeVar("_Item")


def _axes(values: Sequence[_Item], axes: int, field: str) -> tuple[_Item, ...]:
    """Return a value for each axis, of which one may stand for all."""
    if len(values) not in (1, axes):
        raise ConfigError(field, f"{len(values)} axes", f"{' or '.join(sorted({'1', str(axes)}))}, as many as size has")
    return tuple(values) * (axes if len(values) == 1 else 1)
