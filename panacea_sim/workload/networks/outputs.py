"""Outputs of a network's operators, and the links of a layer that reads them as its activations.

An operator may be several products: its outputs then lie in several layers, or in other places than features x columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Protocol

from panacea_sim.workload.link import Columns, Link, Needs
from panacea_sim.workload.networks.attention import Attention, links_to_heads
from panacea_sim.workload.networks.convolution import TransposedConvolution, ranges_through
from panacea_sim.workload.networks.fit import offsets

__all__ = ["HeadOutputs", "LayerOutputs", "LayerPart", "Outputs", "Reading", "RecurrentOutputs", "TransposedOutputs"]

LinkFrom = tuple[str, Link]
"""A link, and the layer that it leads from."""


@dataclass(frozen=True)
class Reading:
    """What the activations of a layer need of an operator's outputs, features x columns.

    `first` has the feature that row 0 stands for, for each repeat of the reader: those of its group.
    """

    needs: Needs
    first: tuple[int, ...] = (0,)


class Outputs(Protocol):
    """The outputs of an operator: so many features, and so many columns, which may be the pixels of images."""

    @property
    def features(self) -> int:
        """How many features there are."""
        ...

    @property
    def columns(self) -> int:
        """How many columns there are."""
        ...

    @property
    def size(self) -> tuple[int, ...] | None:
        """The size of the images that the columns are, or None."""
        ...

    def links(self, reading: Reading) -> Iterator[LinkFrom]:
        """Return the links of a layer that reads them so."""
        ...


@dataclass(frozen=True)
class LayerPart:
    """A layer that holds `features` of an operator's outputs, from `first` on."""

    layer: str
    first: int
    features: int


@dataclass(frozen=True)
class LayerOutputs:
    """Outputs that lie in layers as they are, feature by feature and column by column, each in its part of them."""

    parts: tuple[LayerPart, ...]
    columns: int
    size: tuple[int, ...] | None = None

    @property
    def features(self) -> int:
        """The features of all parts."""
        return sum(part.features for part in self.parts)

    def links(self, reading: Reading) -> Iterator[LinkFrom]:
        """Return a link to each part."""
        for part in self.parts:
            yield part.layer, self._link(part, reading)

    def _link(self, part: LayerPart, reading: Reading) -> Link:
        if reading.needs == "all":
            return Link("x", "all")
        if len(self.parts) == 1:
            return Link("x", reading.needs, feature_offset=offsets(reading.first))
        # A span is the same for all repeats: where they read other features each, they wait for the whole part.
        if reading.needs == "features" or len(reading.first) > 1:
            return Link("x", reading.needs, features=(0, part.features))
        taps = reading.needs.taps if isinstance(reading.needs, Columns) else 1
        first, start = reading.first[0], part.first
        span = ((start - first) * taps, (start - first + part.features) * taps)
        return Link("x", reading.needs, feature_span=span, feature_offset=first - start)


@dataclass(frozen=True)
class TransposedOutputs:
    """Outputs of a transposed convolution: each is a sum of outputs of its layer, over taps and input pixels."""

    layer: str
    convolution: TransposedConvolution

    @property
    def features(self) -> int:
        """The channels of the images."""
        return self.convolution.out_channels

    @property
    def columns(self) -> int:
        """The pixels of all images."""
        return self.convolution.window.batch * prod(self.size)

    @property
    def size(self) -> tuple[int, ...]:
        """The size of the images."""
        return self.convolution.window.size

    def links(self, reading: Reading) -> Iterator[LinkFrom]:
        """Return one link: to the input pixels that reach a pixel, with all features.

        The taps of a channel are rows of their own in the layer, which are not told apart here.
        """
        if reading.needs == "all":
            yield self.layer, Link("x", "all")
            return
        pixels = self.convolution.input_ranges()
        if isinstance(reading.needs, Columns):
            pixels = ranges_through((reading.needs.low, reading.needs.high), pixels)
        features = (0, self.convolution.rows * self.convolution.groups)
        yield self.layer, Link("x", Columns(*pixels), features=features)


@dataclass(frozen=True)
class RecurrentOutputs:
    """States of an LSTM or GRU, a column for each step and sequence: each is made of its gates in two layers."""

    inputs: str
    hidden: str
    gates: int
    features: int
    steps: int
    sequences: int

    size = None

    @property
    def columns(self) -> int:
        """Steps of all sequences."""
        return self.steps * self.sequences

    def links(self, reading: Reading) -> Iterator[LinkFrom]:
        """Return links to the gates of each step: the same feature of each gate, or all."""
        if reading.needs not in ("same", "features") or len(reading.first) > 1:
            yield self.hidden, Link("x", "all")
            return
        for gate, step in product(range(self.gates), range(self.steps)):
            link = self._link(reading, gate)
            span = (step * self.sequences, (step + 1) * self.sequences)
            yield self.inputs, replace(link, column_span=span)
            offset = link.feature_offset
            assert isinstance(offset, int)
            in_step = offset + step * self.gates * self.features
            yield self.hidden, replace(link, column_span=span, column_offset=-span[0], feature_offset=in_step)

    def _link(self, reading: Reading, gate: int) -> Link:
        start = gate * self.features
        if reading.needs == "features":
            return Link("x", "features", feature_offset=start, features=(0, self.features))
        return Link("x", "same", feature_offset=start + reading.first[0])


@dataclass(frozen=True)
class HeadOutputs:
    """Outputs of attention: the heads side by side, a column for each new token of each sequence."""

    layer: str
    attention: Attention

    size = None

    @property
    def features(self) -> int:
        """The features of all heads."""
        return self.attention.heads * self.attention.head_size

    @property
    def columns(self) -> int:
        """New tokens of all sequences."""
        return self.attention.batch * self.attention.queries

    def links(self, reading: Reading) -> Iterator[LinkFrom]:
        """Return links to the heads."""
        for link in self._links(reading):
            yield self.layer, link

    def _links(self, reading: Reading) -> Sequence[Link]:
        sizes = self.attention
        if reading.needs == "same" and reading.first == (0,):
            return links_to_heads(sizes)
        if reading.needs not in ("same", "features"):
            return (Link("x", "all"),)
        return [
            Link(
                "x",
                "features",
                features=(0, sizes.head_size),
                feature_offset=(sequence * sizes.kv_heads + head // sizes.group) * sizes.head_size,
                column_offset=(head % sizes.group - sequence) * sizes.queries,
                column_span=(sequence * sizes.queries, (sequence + 1) * sizes.queries),
            )
            for sequence, head in product(range(sizes.batch), range(sizes.heads))
        ]
