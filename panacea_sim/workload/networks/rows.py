"""What a network file may say of a layer: a model for each operator."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from panacea_sim.bounds import Count, Parts, Size, SizeOrZero

__all__ = [
    "AttentionRow",
    "ConvolutionRow",
    "Convolved",
    "GemmRow",
    "Pool",
    "RecurrentRow",
    "Row",
    "Source",
    "TransposedRow",
    "row_models",
]

_Text: TypeAlias = Annotated[str, MinLen(1)]
_Share: TypeAlias = Annotated[float, Ge(0), Le(1)]


def _listed(value: object) -> object:
    """Let one number stand for a list of one, which is then the same for all axes."""
    return [value] if isinstance(value, int) else value


def _paired(value: object) -> object:
    """Let one number stand for the padding before and behind the image."""
    if isinstance(value, int):
        return [[value, value]]
    if isinstance(value, list):
        return [[each, each] if isinstance(each, int) else each for each in value]
    return value


def _named(value: object) -> object:
    """Let a name stand for the layer that has it."""
    return {"layer": value} if isinstance(value, str) else value


def _all_named(value: object) -> object:
    """Let a name stand for a list of one layer."""
    each = value if isinstance(value, list) else [value]
    return [_named(one) for one in each]


_Axes: TypeAlias = Annotated[list[Size], MinLen(1), BeforeValidator(_listed)]
_Range: TypeAlias = Annotated[list[int], MinLen(2), MaxLen(2)]
_Offsets: TypeAlias = Annotated[list[int], MinLen(1), BeforeValidator(_listed)]
_Padding: TypeAlias = Annotated[
    list[Annotated[list[SizeOrZero], MinLen(2), MaxLen(2)]], MinLen(1), BeforeValidator(_paired)
]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Pool(_Entry):
    """A pooling between a layer and the one that reads it."""

    kernel: _Axes
    stride: _Axes
    padding: _Padding = [[0, 0]]


class Source(_Entry):
    """What a layer reads: the outputs of another one, or, with the fields of a Link, exactly what these say."""

    layer: _Text
    needs: Literal["same", "features", "columns", "all"] | None = None
    pool: Pool | None = None
    operand: Literal["x", "w"] = "x"
    features_on: Literal["k", "m"] | None = None
    feature_offset: _Offsets | None = None
    column_offset: _Offsets | None = None
    feature_span: _Range | None = None
    column_span: _Range | None = None
    features: _Range | None = None
    in_place: bool | None = None


_Sources: TypeAlias = Annotated[list[Source], BeforeValidator(_all_named)]


class Row(_Entry):
    """What every layer may say."""

    name: _Text
    op: str
    kind: _Text | None = None
    block: str = ""
    weight_bits: int | None = None
    rho_w: _Share | None = None
    rho_x: _Share | None = None
    vector: list[str] = []
    sources: _Sources = Field(default=[], alias="from")


class GemmRow(Row):
    """A matrix product as it is."""

    op: Literal["gemm"]
    M: Size
    K: Size
    N: Size
    repeat: Size = 1
    sequential: bool = False
    dynamic_weight: bool = False


class Convolved(Row):
    """What convolutions of both kinds say."""

    in_channels: Size
    out_channels: Size
    size: _Axes
    kernel: _Axes
    stride: _Axes = [1]
    padding: _Padding = [[0, 0]]
    dilation: _Axes = [1]
    groups: Count = 1
    batch: Size = 1


class ConvolutionRow(Convolved):
    """A convolution; `depthwise: packed` puts groups side by side in one product."""

    op: Literal["conv"]
    depthwise: Literal["groups", "packed"] = "groups"


class TransposedRow(Convolved):
    """A transposed convolution; `output_padding` are pixels of the output behind those that it reaches."""

    op: Literal["conv_transpose"]
    output_padding: Annotated[list[SizeOrZero], MinLen(1), BeforeValidator(_listed)] = [0]


class RecurrentRow(Row):
    """An LSTM or GRU over `steps` steps of `batch` sequences."""

    op: Literal["lstm", "gru"]
    input_size: Size
    hidden_size: Size
    steps: Count
    batch: Size = 1


class Part(_Entry):
    """Features of a layer from `offset` on."""

    layer: _Text
    offset: Annotated[int, Ge(0)] = 0


_Part: TypeAlias = Annotated[Part, BeforeValidator(_named)]


class AttentionRow(Row):
    """QK and PV over the outputs of the layers q, k and v."""

    op: Literal["attention"]
    heads: Parts
    kv_heads: Parts | None = None
    head_size: Size
    queries: Size
    keys: Size | None = None
    batch: Annotated[int, Ge(1), Le(4096)] = 1
    rotary: bool = False
    q: _Part
    k: _Part
    v: _Part


def row_models() -> dict[str, type[Any]]:
    """Return the model of each operator by its name."""
    return {
        "gemm": GemmRow,
        "conv": ConvolutionRow,
        "conv_transpose": TransposedRow,
        "lstm": RecurrentRow,
        "gru": RecurrentRow,
        "attention": AttentionRow,
    }
