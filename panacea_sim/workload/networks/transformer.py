"""Transformers of all families: blocks of attention and FFN, and what stands before and behind them."""

from __future__ import annotations

from panacea_sim.workload.link import Link
from panacea_sim.workload.networks.attention import Attention, Part, add_attention, links_to_heads
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.model_table import Decoder, Transformer, Vision
from panacea_sim.workload.networks.residual import Stream, Term, added, links_to_token, read_stream

__all__ = ["add_decoder", "add_encoder", "add_vision"]

_ADD_AND_NORM = ("residual", "norm")
_FUNCTION_WORK = {"relu": "relu", "gelu": "function"}


def add_decoder(builder: NetworkBuilder, model: Decoder, sizes: Attention) -> None:
    """Add a language model whose head looks at the last token of each sequence."""
    tokens, last = sizes.batch * sizes.queries, sizes.queries - 1
    stream: Stream = ()
    if model.embedding is not None:
        shape = (model.hidden, model.embedding, tokens)
        # Its outputs, with their positions added, are read without a norm.
        stream = (Term(builder.add("project_in", shape, kind="project", vector=("residual",)), (Link("x"),)),)
    stream = _add_blocks(builder, model, sizes, stream)
    links = links_to_token(sizes.batch, sizes.queries, last)
    stream = tuple(Term(term.layer, links) for term in stream)
    width = model.hidden
    if model.embedding is not None:
        width = model.embedding
        project = builder.add("project_out", (width, model.hidden, sizes.batch), kind="project")
        read_stream(builder, project, stream)
        stream = (Term(project, (Link("x", in_place=True),)),)
    read_stream(builder, builder.add("head", (model.vocabulary, width, sizes.batch), kind="head"), stream)


def add_encoder(builder: NetworkBuilder, model: Transformer, sizes: Attention) -> None:
    """Add an encoder of text, without a head."""
    _add_blocks(builder, model, sizes, ())


def add_vision(builder: NetworkBuilder, model: Vision, sizes: Attention) -> None:
    """Add a vision transformer: patches, blocks, and a classifier that looks at the class token."""
    shape = (model.hidden, 3 * model.patch**2, sizes.batch * model.patches)
    patch = builder.add("patch", shape, op="Conv", kind="patch", vector=("concat", *_ADD_AND_NORM))
    stream = _add_blocks(builder, model, sizes, (Term(patch, _links_to_patches(sizes.batch, model.patches)),))
    links = links_to_token(sizes.batch, sizes.queries, 0)
    head = builder.add("head", (model.classes, model.hidden, sizes.batch), kind="head")
    read_stream(builder, head, tuple(Term(term.layer, links) for term in stream))


def _links_to_patches(batch: int, patches: int) -> tuple[Link, ...]:
    """Return the links of tokens to patches: token 0 of each image is the class token, which no layer writes."""
    return tuple(
        Link(
            "x",
            "features",
            column_offset=-image - 1,
            column_span=(image * (patches + 1) + 1, (image + 1) * (patches + 1)),
        )
        for image in range(batch)
    )


def _add_blocks(builder: NetworkBuilder, model: Transformer, sizes: Attention, stream: Stream) -> Stream:
    """Add all blocks over the residual stream, and return the stream behind them."""
    for number in range(model.layers):
        block = f"block{number}"
        out = _add_attention_half(builder, model, sizes, block, stream)
        stream = added(stream, out)
        stream = added(stream, _add_ffn(builder, model, sizes.batch * sizes.queries, block, stream))
    return stream


def _add_attention_half(
    builder: NetworkBuilder, model: Transformer, sizes: Attention, block: str, stream: Stream
) -> str:
    tokens = sizes.batch * sizes.queries
    parts = _add_qkv(builder, model, tokens, block, stream)
    pv = add_attention(builder, sizes, parts, block=block, rotary=model.position == "rotary")
    out = builder.add("out", (model.hidden, model.hidden, tokens), kind="out", block=block, vector=_ADD_AND_NORM)
    builder.link(pv, out, *links_to_heads(sizes))
    return out


def _add_qkv(
    builder: NetworkBuilder, model: Transformer, tokens: int, block: str, stream: Stream
) -> tuple[Part, Part, Part]:
    """Add what makes q, k and v of the stream, and return where each of them is."""
    width, kv_width = model.hidden, model.kv_heads * model.head_size
    rotary = ("rotary",) if model.position == "rotary" else ()
    if model.qkv == "fused":
        shape = (width + 2 * kv_width, width, tokens)
        layer = builder.add("qkv", shape, kind="qkv", block=block, vector=rotary)
        read_stream(builder, layer, stream)
        return Part(layer), Part(layer, width), Part(layer, width + kv_width)
    parts = []
    for name, features, work in (("q", width, rotary), ("k", kv_width, rotary), ("v", kv_width, ())):
        layer = builder.add(name, (features, width, tokens), kind="qkv", block=block, vector=work)
        read_stream(builder, layer, stream)
        parts.append(Part(layer))
    return parts[0], parts[1], parts[2]


def _add_ffn(builder: NetworkBuilder, model: Transformer, tokens: int, block: str, stream: Stream) -> str:
    """Add the FFN and return its last layer."""
    up_shape, down_shape = (model.ffn, model.hidden, tokens), (model.hidden, model.ffn, tokens)
    gated = model.ffn_form == "gated"
    # The product of gate and up is paid for by the later of the two.
    first = (("gate", "function"), ("up", "product")) if gated else (("ffn1", _FUNCTION_WORK[model.ffn_form]),)
    layers = [builder.add(name, up_shape, kind="ffn", block=block, vector=(work,)) for name, work in first]
    for layer in layers:
        read_stream(builder, layer, stream)
    name = "down" if gated else "ffn2"
    last = builder.add(name, down_shape, kind="ffn", block=block, vector=_ADD_AND_NORM)
    for layer in layers:
        builder.link(layer, last, Link("x", in_place=not gated))
    return last
