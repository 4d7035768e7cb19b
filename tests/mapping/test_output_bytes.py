"""The bytes of output tiles: what is planned is what the encoder packs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from panacea_sim.errors import MappingError
from panacea_sim.machines.shared.encoded_outputs import encoded_outputs
from panacea_sim.machines.shared.encoded_tiles import encode_output_tile
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.workload.functional import FunctionalPass, functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat


def _written(output: npt.NDArray[np.unsignedinteger], form: OutputFormat) -> tuple[GemmLayer, FunctionalPass]:
    """Return a layer with this output format, and these codes as what it writes."""
    rows, columns = output.shape
    layer = GemmLayer("any", np.zeros((rows, 1), np.int8), np.zeros((1, columns), np.uint8), 0, output=form)
    computed = functional_pass(layer)
    return layer, replace(computed, written=(replace(computed.written[0], codes=output),))


_FORMS = st.sampled_from([(4, 4), (8, 4), (8, 5), (8, 6), (12, 4)])


def test_dense_outputs_take_a_byte_each() -> None:
    """Without a next layer a tile takes one byte an output and nothing to encode."""
    found = dense_outputs(Tiling(10, 7, 9, tile_m=8, tile_k=3, tile_n=4))
    assert found.total[..., 0].tolist() == [[32, 32, 8], [8, 8, 2]]
    assert not found.ho.any()


@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 20)),
    v=st.sampled_from([1, 2, 4, 8]),
    groups=st.integers(1, 4),
    k_per_m=st.integers(1, 3),
    tile_k=st.integers(1, 20),
    widths=_FORMS,
    frequent_share=st.sampled_from([0.0, 0.5, 0.95, 1.0]),
    seed=st.integers(0, 1000),
)
# So deep a tile that its streams need fillers.
@example(shape=(200, 4), v=1, groups=4, k_per_m=1, tile_k=200, widths=(8, 4), frequent_share=0.95, seed=0)
def test_planned_bytes_are_packed_bytes(  # noqa: PLR0913  # the axes of one law
    *,
    shape: tuple[int, int],
    v: int,
    groups: int,
    k_per_m: int,
    tile_k: int,
    widths: tuple[int, int],
    frequent_share: float,
    seed: int,
) -> None:
    """Each encoded output tile has exactly the bytes that the plan says."""
    tiling = SlicedTiling(shape[0], 5, shape[1], v=v, tile_m=v * tile_k * k_per_m, tile_k=tile_k, tile_n=v * groups)
    generator = np.random.default_rng(seed)
    form = OutputFormat(1.0, 3, *widths)
    values = generator.integers(0, 1 << widths[0], shape)
    output = np.where(generator.random(shape) < frequent_share, 3, values).astype(np.uint16)
    planned = encoded_outputs(tiling, *_written(output, form))
    for m in range(tiling.m_tiles):
        for n in range(tiling.n_tiles):
            tile = output[m * tiling.tile_m : (m + 1) * tiling.tile_m, n * tiling.tile_n : (n + 1) * tiling.tile_n]
            pieces = encode_output_tile(tile, form, v, tile_k)
            assert planned.total[m, n].tolist() == [sum(len(piece) for piece in pieces)]
            assert planned.pieces is not None
            first_k = m * k_per_m * v
            assert planned.pieces[n, first_k : first_k + len(pieces)].tolist() == [len(piece) for piece in pieces]
    assert (planned.ho <= planned.total).all()


def test_offsets_of_pieces_by_hand() -> None:
    """A piece begins behind those before it in the same output tile; the next output tile begins anew."""
    pieces = np.array([[3, 4, 5, 6, 7], [1, 1, 1, 1, 1]])
    totals = np.zeros((3, 2, 1), np.int64)
    assert OutputBytes(totals, totals, pieces=pieces).piece_offsets(2).tolist() == [[0, 3, 0, 5, 0], [0, 1, 0, 1, 0]]


def test_tiles_that_the_next_layer_cannot_read_are_refused() -> None:
    """An output tile that is no whole number of the next layer's tiles is a MappingError with both figures."""
    tiling = SlicedTiling(8, 8, 4, v=4, tile_m=8, tile_k=3, tile_n=4)
    with pytest.raises(MappingError, match=r"An output tile has 8 rows, which is not a multiple of tile_k = 3"):
        encoded_outputs(tiling, *_written(np.zeros((8, 4), np.uint8), OutputFormat(1.0, 0)))
