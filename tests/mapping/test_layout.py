"""Where tiles lie in DRAM: none overlaps another, each begins aligned, and channels share all bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from strategies import Mapping, mappings

from panacea_sim.mapping.layout import dram_layout, split_over_channels
from panacea_sim.mapping.outputs import dense_outputs
from panacea_sim.mapping.plan import LayerPlan, plan_layer


def _plan(mapping: Mapping) -> LayerPlan:
    return plan_layer("layer", mapping.work, mapping.hardware, mapping.order, mapping.height)


@given(mappings(), st.integers(1, 64), st.integers(0, 5))
def test_tiles_do_not_overlap(mapping: Mapping, alignment: int, start: int) -> None:
    """Stacks, activations, outputs and spilled partial sums follow one another, each aligned, none over another."""
    plan, output_bytes = _plan(mapping), dense_outputs(mapping.work.tiling)
    layout = dram_layout(start * alignment, plan, alignment)
    partial_bytes = 4 * mapping.work.outputs if plan.partial_sums.spills else 0 * mapping.work.outputs
    sizes = [plan.weight.total, mapping.work.activation.total, output_bytes.total, partial_bytes]
    places = [layout.weight, layout.activation, layout.output, layout.partial_sums]
    assert [place.shape for place in places] == [size.shape for size in sizes]
    firsts = [first for place in places for first in place.ravel().tolist()]
    ends = [first + size for first, size in zip(firsts, np.concatenate([size.ravel() for size in sizes]), strict=True)]
    assert firsts[0] == start * alignment
    assert all(first % alignment == 0 for first in firsts)
    assert all(end <= following for end, following in zip(ends, [*firsts[1:], layout.end], strict=True))


@given(mappings())
def test_activations_that_were_written_need_no_place(mapping: Mapping) -> None:
    """Where an earlier layer has written the activations, their addresses are taken over and nothing is set aside."""
    plan = _plan(mapping)
    own = dram_layout(0, plan, 1)
    written = np.arange(plan.work.activation.total.size).reshape(plan.work.activation.total.shape)
    chained = dram_layout(0, plan, 1, written)
    assert np.array_equal(chained.activation, written)
    assert own.end - chained.end == plan.work.activation.total.sum()
    assert np.array_equal(chained.weight, own.weight)


def test_split_by_hand() -> None:
    """200 bytes from 200 over two channels that take turns every 64 bytes."""
    parts = split_over_channels(np.array([200]), np.array([200]), channels=2, interleave_bytes=64)
    # Channel 0 has the bytes 256 to 319 and 384 to 399, channel 1 has 200 to 255 and 320 to 383.
    assert parts.offsets.tolist() == [0, 2]
    assert parts.channel.tolist() == [0, 1]
    assert parts.size_bytes.tolist() == [64 + 16, 56 + 64]
    assert parts.address.tolist() == [2 * 64, 64 + 8]


@given(
    starts=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 1500)), min_size=1, max_size=5),
    channels=st.integers(1, 5),
    interleave_bytes=st.sampled_from([64, 128, 256]),
)
def test_split_conserves_every_byte(starts: list[tuple[int, int]], channels: int, interleave_bytes: int) -> None:
    """Each byte of a request is in exactly one part, in the channel and at the address where it lies."""
    address, size_bytes = (np.array(axis, np.int64) for axis in zip(*starts, strict=True))
    parts = split_over_channels(address, size_bytes, channels, interleave_bytes)
    assert len(parts.offsets) == len(starts) + 1
    for number, (first, last) in enumerate(pairwise(parts.offsets.tolist())):
        wanted: dict[int, list[int]] = {}
        for byte in range(starts[number][0], sum(starts[number])):
            stripe, inside = divmod(byte, channels * interleave_bytes)
            channel, rest = divmod(inside, interleave_bytes)
            wanted.setdefault(channel, []).append(stripe * interleave_bytes + rest)
        found = {
            int(parts.channel[part]): list(
                range(int(parts.address[part]), int(parts.address[part] + parts.size_bytes[part]))
            )
            for part in range(first, last)
        }
        assert found == wanted
