"""The residual stream of a transformer: whose outputs a layer needs that reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from panacea_sim.workload.link import Link
from panacea_sim.workload.networks.builder import NetworkBuilder

__all__ = ["Stream", "Term", "added", "links_to_token", "read_stream"]


@dataclass(frozen=True)
class Term:
    """A layer whose outputs were added to the stream, and the links of a layer that reads all tokens of the stream."""

    layer: str
    links: tuple[Link, ...] = (Link("x", "features"),)


Stream = tuple[Term, ...]
"""The terms of the latest addition, the newest first; without a term all is in DRAM from the start.

The sum before is one term, for which its newest layer stands: what older layers added to it was written before that.
"""


def added(stream: Stream, branch: str) -> Stream:
    """Return the stream after a layer's outputs were added to it and normed: every feature counts from there on."""
    before = [replace(term, links=tuple(replace(link, needs="features") for link in term.links)) for term in stream[:1]]
    return (Term(branch), *before)


def read_stream(builder: NetworkBuilder, consumer: str, stream: Stream) -> None:
    """Let a layer read all tokens of the stream."""
    for term in stream:
        builder.link(term.layer, consumer, *term.links)


def links_to_token(batch: int, tokens: int, position: int) -> tuple[Link, ...]:
    """Return the links of a layer that reads the token at one position of each sequence of `tokens` tokens."""
    if batch == 1 or tokens == 1:
        return (Link("x", "features", column_offset=position),)
    return tuple(
        Link(
            "x",
            "features",
            column_offset=sequence * tokens + position - sequence,
            column_span=(sequence, sequence + 1),
        )
        for sequence in range(batch)
    )
