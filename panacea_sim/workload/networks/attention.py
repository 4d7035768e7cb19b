"""Attention as two layers, QK and PV, with a product for each sequence and each head of keys and values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal

from panacea_sim.workload.link import Link, Needs
from panacea_sim.workload.networks.builder import NetworkBuilder, Sizes
from panacea_sim.workload.networks.fit import offsets

__all__ = ["Attention", "Part", "add_attention", "link_attention", "links_to_heads"]


@dataclass(frozen=True)
class Part:
    """Features of a layer from `offset` on: of a fused weight's layer each operand is a part."""

    layer: str
    offset: int = 0


@dataclass(frozen=True)
class Attention:
    """The sizes of attention over `batch` sequences of equal lengths.

    The last `queries` of the `keys` are new, all others lie in DRAM. Query head h shares the keys and values of head
    h // (heads / kv_heads); the queries of the heads that share stand side by side. Repeats: sequences, then heads.
    """

    heads: int
    kv_heads: int
    head_size: int
    batch: int
    queries: int
    keys: int

    @property
    def group(self) -> int:
        """How many heads share keys and values."""
        return self.heads // self.kv_heads

    @property
    def repeats(self) -> list[tuple[int, int]]:
        """Sequence and head of keys and values of each repeat."""
        return list(product(range(self.batch), range(self.kv_heads)))

    @property
    def qk_shape(self) -> Sizes:
        """M, K and N of a product of keys and queries."""
        return self.keys, self.head_size, self.group * self.queries

    @property
    def pv_shape(self) -> Sizes:
        """M, K and N of a product of values and scores."""
        return self.head_size, self.keys, self.group * self.queries

    @property
    def new_keys(self) -> tuple[int, int] | None:
        """The keys that are outputs of the layers before, first to before last; None: all."""
        return None if self.keys == self.queries else (self.keys - self.queries, self.keys)


def add_attention(
    builder: NetworkBuilder, sizes: Attention, parts: tuple[Part, Part, Part], *, block: str = "", rotary: bool = False
) -> str:
    """Add QK and PV over the layers that make q, k and v; return the name of PV.

    The softmax between the two is vector work of QK.
    """
    count = len(sizes.repeats)
    qk, pv = (
        builder.add(name, shape, op="MatMul", kind=name, block=block, repeat=count, dynamic_weight=True, vector=vector)
        for name, shape, vector in (("qk", sizes.qk_shape, ("softmax",)), ("pv", sizes.pv_shape, ()))
    )
    link_attention(builder, sizes, parts, (qk, pv), rotary=rotary)
    return pv


def link_attention(
    builder: NetworkBuilder,
    sizes: Attention,
    parts: tuple[Part, Part, Part],
    layers: tuple[str, str],
    *,
    rotary: bool,
) -> None:
    """Let the layers QK and PV need q, k and v; `rotary` mixes the features of a head of q and k."""
    (q, k, v), (qk, pv) = parts, layers
    needs: Needs = "features" if rotary else "same"
    builder.link(q.layer, qk, *_query_links(sizes, q.offset, needs))
    builder.link(k.layer, qk, _key_link(sizes, k.offset, needs, "k"))
    builder.link(qk, pv, _score_link(sizes))
    builder.link(v.layer, pv, _key_link(sizes, v.offset, "same", "m"))


# The blocks of a network share their links: with many sequences there are many of them.
@lru_cache(maxsize=64)
def _query_links(sizes: Attention, offset: int, needs: Needs) -> tuple[Link, ...]:
    """Return a link for each head of a group: its queries are a segment of N."""
    size, queries = sizes.head_size, sizes.queries
    return tuple(
        Link(
            "x",
            needs,
            feature_offset=offsets([offset + (head * sizes.group + member) * size for _, head in sizes.repeats]),
            column_offset=offsets([(sequence - member) * queries for sequence, _ in sizes.repeats]),
            column_span=None if sizes.group == 1 else (member * queries, (member + 1) * queries),
        )
        for member in range(sizes.group)
    )


@lru_cache(maxsize=64)
def _key_link(sizes: Attention, offset: int, needs: Needs, features_on: Literal["k", "m"]) -> Link:
    """Return the link of keys (their features on k) or values (on m), of which only the new ones are waited for."""
    return Link(
        "w",
        needs,
        features_on=features_on,
        feature_offset=offsets([offset + head * sizes.head_size for _, head in sizes.repeats]),
        column_offset=offsets([(sequence + 1) * sizes.queries - sizes.keys for sequence, _ in sizes.repeats]),
        column_span=sizes.new_keys,
    )


@lru_cache(maxsize=64)
def _score_link(sizes: Attention) -> Link:
    """Return the link of PV to its own repeat of QK: a softmax needs all keys of a query."""
    starts = [number * sizes.keys for number in range(len(sizes.repeats))]
    return Link("x", "features", feature_offset=offsets(starts))


@lru_cache(maxsize=64)
def links_to_heads(sizes: Attention) -> tuple[Link, ...]:
    """Return the links to PV of a layer whose activations are all heads of all sequences side by side."""
    size, queries = sizes.head_size, sizes.queries
    one = sizes.batch == 1
    if sizes.group == 1:
        return tuple(
            Link(
                "x",
                feature_offset=sequence * sizes.heads * size,
                column_offset=-sequence * queries,
                column_span=None if one else (sequence * queries, (sequence + 1) * queries),
            )
            for sequence in range(sizes.batch)
        )
    return tuple(
        Link(
            "x",
            feature_span=(head * size, (head + 1) * size),
            feature_offset=(sequence * sizes.kv_heads + head // sizes.group - head) * size,
            column_offset=(head % sizes.group - sequence) * queries,
            column_span=None if one else (sequence * queries, (sequence + 1) * queries),
        )
        for sequence, head in product(range(sizes.batch), range(sizes.heads))
    )
