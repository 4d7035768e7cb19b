"""Where tiles lie in DRAM, and how a tile's bytes spread over the channels.

The weight tiles come first in the order (stack, k), then the activation tiles (n, k), the outputs (m, n, format) and
the partial sums (m, n), if they spill. A tile is contiguous and begins at a multiple of the alignment; the tiles of a
stack, and the next layer's activation tiles in an output tile, follow each other without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.units import IntArray, ceil_div

__all__ = ["ChannelParts", "DramLayout", "dram_layout", "split_over_channels"]


@dataclass(frozen=True, eq=False)
class DramLayout:
    """The first address of every tile of a layer, in bytes; `end` is past all of them.

    `weight` is indexed [stack, k], `activation` [n, k], `output` [m, n, format] and `partial_sums` [m, n].
    """

    weight: IntArray
    activation: IntArray
    output: IntArray
    partial_sums: IntArray
    end: int


def dram_layout(
    start: int,
    plan: LayerPlan,
    alignment_bytes: int,
    written_activation: IntArray | None = None,
) -> DramLayout:
    """Return the layout of one layer from address `start`.

    `written_activation` holds the addresses at which an earlier layer has written the activation tiles, [n, k]; without
    it they get a place of their own.
    """
    work = plan.work
    partial_bytes = work.outputs * BYTES_PER_PARTIAL_SUM * plan.partial_sums.spills
    own_activation = work.activation.total * (written_activation is None)
    sizes = [plan.weight.total, own_activation, work.output_bytes.total, partial_bytes]
    padded = ceil_div(np.concatenate([size.ravel() for size in sizes]), alignment_bytes) * alignment_bytes
    ends = start + np.cumsum(padded)
    firsts = np.split(ends - padded, np.cumsum([size.size for size in sizes])[:-1])
    weight, activation, output, partial_sums = (
        first.reshape(size.shape) for first, size in zip(firsts, sizes, strict=True)
    )
    if written_activation is not None:
        activation = written_activation
    return DramLayout(weight, activation, output, partial_sums, int(ends[-1]))


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
    channel_start = np.arange(channels) * interleave_bytes

    def bytes_below(position: IntArray) -> IntArray:
        stripe = position // (channels * interleave_bytes)
        inside = (position - stripe * (channels * interleave_bytes))[:, None] - channel_start
        below: IntArray = (stripe * interleave_bytes)[:, None] + np.clip(inside, 0, interleave_bytes)
        return below

    first, end = np.split(bytes_below(np.concatenate([address, address + size_bytes])), 2)
    part_bytes = end - first
    some = part_bytes > 0
    offsets = np.append(0, np.cumsum(np.count_nonzero(some, axis=1)))
    return ChannelParts(offsets, np.nonzero(some)[1], first[some], part_bytes[some])
