"""Where tiles lie in DRAM: none overlaps another, each begins aligned, and channels share all bytes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.mapping.layout import dram_layout, split_over_channels

_SIZES = st.lists(st.integers(0, 300), min_size=1, max_size=12).map(lambda sizes: np.array(sizes, np.int64))


def test_layout_by_hand() -> None:
    """Weights, activations and outputs follow one another, each tile at a multiple of 32."""
    layout = dram_layout(64, np.array([[10, 32]]), np.array([[33]]), np.array([[1], [5]]), 32)
    assert layout.weight.tolist() == [64, 96]
    assert layout.activation.tolist() == [128]
    assert layout.output.tolist() == [192, 224]
    assert layout.end == 256


@given(weight=_SIZES, activation=_SIZES, output=_SIZES, alignment=st.integers(1, 64), start=st.integers(0, 5))
def test_tiles_do_not_overlap(
    weight: np.ndarray, activation: np.ndarray, output: np.ndarray, alignment: int, start: int
) -> None:
    """Each tile begins aligned, after the end of the one before, and ends before the end of the layout."""
    layout = dram_layout(start * alignment, weight, activation, output, alignment)
    firsts = [*layout.weight.tolist(), *layout.activation.tolist(), *layout.output.tolist()]
    sizes = [*weight.tolist(), *activation.tolist(), *output.tolist()]
    ends = [first + size for first, size in zip(firsts, sizes, strict=True)]
    assert firsts[0] == start * alignment
    assert all(first % alignment == 0 for first in firsts)
    assert all(end <= following for end, following in zip(ends, [*firsts[1:], layout.end], strict=True))


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
