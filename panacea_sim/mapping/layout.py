"""Where tiles lie in DRAM, and how a tile's bytes spread over the channels.

The weight tiles come first in the order (m, k), then the activation tiles (n, k), then the outputs (m, n). A tile is
contiguous and begins at a multiple of the alignment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.units import IntArray, ceil_div

__all__ = ["ChannelParts", "DramLayout", "dram_layout", "split_over_channels"]


@dataclass(frozen=True, eq=False)
class DramLayout:
    """The first address of every tile, in bytes, indexed by the flat tile number of its operand; `end` is past all."""

    weight: IntArray
    activation: IntArray
    output: IntArray
    end: int


def dram_layout(
    start: int, weight_bytes: IntArray, activation_bytes: IntArray, output_bytes: IntArray, alignment_bytes: int
) -> DramLayout:
    """Return the layout of one layer from address `start`, given the bytes of every tile."""
    sizes = [weight_bytes.ravel(), activation_bytes.ravel(), output_bytes.ravel()]
    padded = ceil_div(np.concatenate(sizes), alignment_bytes) * alignment_bytes
    ends = start + np.cumsum(padded)
    firsts = ends - padded
    weight, activation, output = np.split(firsts, np.cumsum([len(size) for size in sizes])[:-1])
    return DramLayout(weight, activation, output, int(ends[-1]))


@dataclass(frozen=True, eq=False)
class ChannelParts:
    """Requests cut into one part for each channel: request i owns the parts `offsets[i]` to `offsets[i + 1]`.

    `address` counts the bytes inside the channel.
    """

    offsets: IntArray
    channel: IntArray
    address: IntArray
    size_bytes: IntArray


def split_over_channels(address: IntArray, size_bytes: IntArray, channels: int, interleave_bytes: int) -> ChannelParts:
    """Cut requests over channels that take turns every `interleave_bytes`; a part without bytes is left out."""
    stripe = channels * interleave_bytes
    channel = np.arange(channels)

    def bytes_below(position: IntArray) -> IntArray:
        inside = np.clip(position[:, None] % stripe - channel * interleave_bytes, 0, interleave_bytes)
        below: IntArray = position[:, None] // stripe * interleave_bytes + inside
        return below

    first = bytes_below(address)
    part_bytes = bytes_below(address + size_bytes) - first
    some = part_bytes > 0
    offsets = np.concatenate([[0], np.cumsum(some.sum(1))])
    return ChannelParts(offsets, np.broadcast_to(channel, some.shape)[some], first[some], part_bytes[some])
