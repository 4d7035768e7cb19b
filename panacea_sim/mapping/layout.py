"""Where tiles lie in DRAM, and how a tile's bytes spread over the channels.

The weight tiles come first in the order (stack, k), then the activation tiles (n, k), the outputs (m, n, format), the
partial sums (m, n), if they spill, and the inputs and the results of a vector stage (m, n, input or format). A tile is
contiguous and begins at a multiple of the alignment; the tiles of a stack, and the next layer's activation tiles in an
output tile, follow each other without a gap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.mapping.stage import RAW_BYTES
from panacea_sim.mapping.work import LayerWork
from panacea_sim.units import IntArray, ceil_div

__all__ = ["ChannelParts", "DramLayout", "dram_layout", "split_over_channels"]


@dataclass(frozen=True, eq=False)
class DramLayout:
    """The first address of every tile of a layer, in bytes; `end` is past all of them.

    `weight` is indexed [stack, k], `activation` [n, k], `output` [m, n, format] and `partial_sums` [m, n]. A vector
    stage has `stage_output` [m, n, format], and `stage_inputs` [m, n, input] for all inputs but the first, which is
    `output`.
    """

    weight: IntArray
    activation: IntArray
    output: IntArray
    partial_sums: IntArray
    stage_inputs: IntArray
    stage_output: IntArray
    end: int


def dram_layout(
    start: int,
    plan: LayerPlan,
    alignment_bytes: int,
    written_activation: IntArray | None = None,
) -> DramLayout:
    """Return the layout of one layer from address `start`.

    All layers of a batch begin there. `written_activation` holds the addresses at which an earlier layer has written
    the activation tiles, [n, k]; without it they get a place of their own.
    """
    work = plan.work
    batch = plan.batch
    partial_bytes = work.outputs * BYTES_PER_PARTIAL_SUM * plan.partial_sums.spills
    own_activation = work.activation.total * (written_activation is None)
    sizes = [plan.weight.total, own_activation, work.output_bytes.total, partial_bytes, *_stage_bytes(work)]
    by_layer = np.concatenate([size.reshape(batch, -1) for size in sizes], 1)
    padded = ceil_div(by_layer, alignment_bytes) * alignment_bytes
    ends = start + np.cumsum(padded, 1)
    firsts = np.split(ends - padded, np.cumsum([size.size // batch for size in sizes])[:-1], 1)
    weight, activation, output, partial_sums, stage_inputs, stage_output = (
        first.reshape(size.shape) for first, size in zip(firsts, sizes, strict=True)
    )
    if written_activation is not None:
        activation = written_activation
    return DramLayout(weight, activation, output, partial_sums, stage_inputs, stage_output, int(ends[:, -1].max()))


def _stage_bytes(work: LayerWork) -> tuple[IntArray, IntArray]:
    """Return the bytes of the tiles of a stage's other inputs and of its results, [m, n, ..]."""
    if work.stage is None:
        nothing = np.zeros((*work.outputs.shape, 0), np.int64)
        return nothing, nothing
    others = np.repeat(work.outputs[..., None] * RAW_BYTES, work.stage.stage.inputs - 1, 2)
    return others, work.stage.output_bytes.total


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
