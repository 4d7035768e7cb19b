"""Outputs without values, written once a format: their bytes, their firings and their places."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from case_counts import at_most
from hypothesis import event, example, given
from hypothesis import strategies as st
from naive_outputs import output_bytes
from naive_waits import RAW, needed_outputs
from strategies import linked_programs

from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.encoded_outputs import masked_outputs
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.workload.link import Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link
from panacea_sim.workload.networks.formats import written_formats
from panacea_sim.workload.written_format import WrittenFormat, joined_ranges

_FORMS = [("x", "columns", bits) for bits in (4, 8, 12)]
_FORMS += [("w", axis, bits) for axis in ("columns", "features") for bits in (4, 7, 10)]


@st.composite
def _layers(draw: st.DrawFn) -> MaskedLayer:
    """Draw a layer that writes some of its features in some formats."""
    repeat, m = draw(st.integers(1, 3)), draw(st.integers(1, 20))
    count = repeat * m
    formats = []
    for operand, axis, bits in draw(st.lists(st.sampled_from(_FORMS), min_size=1, max_size=3, unique=True)):
        bounds = draw(st.lists(st.integers(0, count), min_size=2, max_size=4, unique=True))
        features = joined_ranges(zip(*[iter(sorted(bounds[: len(bounds) // 2 * 2]))] * 2, strict=True))
        slices = (bits - 1) // 3 - 1 if operand == "w" else bits // 4 - 1
        shares = draw(st.lists(st.sampled_from([0.0, 0.5, 0.95, 1.0]), min_size=slices, max_size=slices))
        formats.append(WrittenFormat(operand, axis, bits, features, tuple(shares)))  # type: ignore[arg-type]
    columns = draw(st.integers(1, 20) | st.integers(30, 50))
    return MaskedLayer("layer", m, 3, columns, 0.5, 0.5, 11, repeat=repeat, formats=tuple(formats))


@given(
    layer=_layers(),
    v=st.sampled_from([1, 2, 4]),
    groups=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    data=st.data(),
)
@example(
    # Tiles so deep that their streams need fillers, along features and along columns.
    layer=MaskedLayer(
        "deep",
        90,
        3,
        80,
        0.5,
        0.5,
        1,
        formats=(
            WrittenFormat("w", "features", 7, ((0, 90),), (0.95,)),
            WrittenFormat("w", "columns", 10, ((0, 20), (21, 90)), (0.95, 0.9)),
        ),
    ),
    v=2,
    groups=(40, 40),
    data=None,
)
def test_bytes_are_those_of_a_count_by_hand(
    layer: MaskedLayer, v: int, groups: tuple[int, int], data: st.DataObject | None
) -> None:
    """Each tile has, in each format, the bytes of its pieces, each rounded up by itself; what is not read has none."""
    tile_k = 64 if data is None else data.draw(st.integers(1, 40))
    tiling = SlicedTiling(
        layer.M, 3, layer.N, v=v, tile_m=v * groups[0], tile_k=tile_k, tile_n=v * groups[1], repeat=layer.repeat
    )
    found = masked_outputs(tiling, layer)
    assert found.forms == tuple(written.form for written in layer.formats)
    for number in range(len(layer.formats)):
        wanted = output_bytes(layer, tiling, number)
        for part, array in enumerate((found.ho, found.total)):
            sums = [[sum(piece[part] for piece in pieces) for pieces in row] for row in wanted]
            assert array[..., number].tolist() == sums


def test_masks_are_as_dense_as_asked_and_drawn_for_each_format() -> None:
    """Formats have masks of their own, the same each time, whatever is drawn at once."""
    pair = WrittenFormat("x", "columns", 12, ((0, 400),), (0.1, 0.9))
    layer = MaskedLayer("layer", 400, 8, 64, 0.5, 0.5, 3, formats=(pair, replace(pair, operand="w", bits=10)))
    first, second = (
        np.concatenate([block for _, block in layer.written_vectors(number, 64, 400)]) for number in (0, 1)
    )
    assert first.shape == (2 * 64, 400)
    assert np.allclose([first[:64].mean(), first[64:].mean()], [0.1, 0.9], atol=0.02)
    assert not np.array_equal(first, second)
    again = np.concatenate([block for _, block in layer.written_vectors(0, 64, 400)])
    assert np.array_equal(first, again)


def test_what_is_read_in_place_is_drawn_as_its_reader_draws_it() -> None:
    """The masks of a format with a seed are the activation masks of the layer with this seed."""
    reader = MaskedLayer("reader", 8, 30, 24, 0.5, 0.75, seed=9)
    written = WrittenFormat("x", "columns", 8, ((0, 30),), (0.75,), seed=9)
    layer = MaskedLayer("layer", 30, 8, 24, 0.5, 0.5, 3, formats=(written,))
    drawn = np.concatenate([block for _, block in layer.written_vectors(0, 6, 30)])
    assert np.array_equal(drawn, reader.skip_masks(4)[1][0])


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Masks that are drawn a lane at a time give the same bytes."""
    layer = MaskedLayer(
        "layer", 30, 8, 24, 0.5, 0.5, 3, formats=(WrittenFormat("w", "features", 10, ((3, 29),), (0.4, 0.6)),)
    )
    tiling = SlicedTiling(30, 8, 24, v=2, tile_m=8, tile_k=4, tile_n=6)
    whole = masked_outputs(tiling, layer)
    monkeypatch.setattr("panacea_sim.workload.masked_layer._DRAWN_AT_ONCE", 1)
    assert np.array_equal(masked_outputs(tiling, layer).total, whole.total)


@at_most(200)
@given(linked_programs())
def test_firings_tile_after_tile_and_format_after_format(program: Program) -> None:
    """PPU fires once a tile; encoder and `o_dma` once a tile and format, the first taking it, the last freeing it."""
    parts = {part.name: part for part in MACHINE.describe(program).components}
    names = [layer.plan.name for layer in program.layers]
    writes, _ = needed_outputs(program)
    event(f"firings a tile: {sorted({form + 1 for *_, form in writes})}")
    for name in ("encoder", "o_dma"):
        labels = parts[name].labels
        assert labels is not None
        found = [names[layer] for layer in labels.layer.tolist()], labels.m.tolist(), labels.n.tolist()
        assert list(zip(*found, strict=True)) == [tuple(write[:3]) for write in writes]
    outputs = {layer.plan.name: layer.plan.work.outputs for layer in program.layers}
    made = {layer.plan.name: layer.written for layer in program.layers}
    # What a stage makes is no output tile; it holds nothing in OMEM.
    is_made = [len(made[name]) > 1 and form != RAW for name, _, _, form in writes]
    tiles = [(*write[:3], stage) for write, stage in zip(writes, is_made, strict=True)]
    takes, releases = parts["encoder"].takes[0].tokens, parts["o_dma"].releases[0].size_bytes
    assert takes.tolist() == [tile not in tiles[:at] for at, tile in enumerate(tiles)]
    assert releases.tolist() == [
        0 if tile[3] else 4 * int(outputs[tile[0]][tile[1:3]]) * (tile not in tiles[at + 1 :])
        for at, tile in enumerate(tiles)
    ]
    sizes = [made[tile[0]][tile[3]].output_bytes for tile in tiles]
    moved, encoded = parts["o_dma"].size_bytes, parts["encoder"].size_bytes
    assert moved is not None
    assert encoded is not None
    places = [(m, n, max(form, 0)) for _, m, n, form in writes]
    assert moved.tolist() == [int(each.total[place]) for each, place in zip(sizes, places, strict=True)]
    assert encoded.tolist() == [int(each.ho[place]) for each, place in zip(sizes, places, strict=True)]
    raw = [size for size, (name, m, n, form) in zip(moved.tolist(), writes, strict=True) if form == RAW]
    assert raw == [2 * int(outputs[name][m, n]) for name, m, n, form in writes if form == RAW]
    assert parts["ppu"].gives[0].tokens.sum() == len(set(tiles))


def _in_place(tile_k: int) -> Program:
    """Return two masked layers of which the second reads what the first writes, in place if its tiles allow it."""
    hardware = load_hardware("panacea", {"n_pea": 2, "v": 4, "tile_k": tile_k, "tile_n": 8})
    graph: LayerGraph = nx.DiGraph()
    layers = {
        "first": MaskedLayer("first", 22, 8, 20, 0.5, 0.5, 0),
        "second": MaskedLayer("second", 8, 22, 20, 0.5, 0.75, 1),
    }
    for layer in layers.values():
        add_layer(graph, layer)
    add_link(graph, "first", "second", Link("x", in_place=True))
    formats = written_formats(graph, list(layers), {"first": 0, "second": 1})
    layers = {name: replace(layer, formats=formats[name]) for name, layer in layers.items()}
    plans = [
        plan_layer(name, MACHINE.work(layer, hardware, None), hardware, "mnk", 1) for name, layer in layers.items()
    ]
    return plan_program(hardware, plans, graph)


def test_masked_layers_read_in_place() -> None:
    """Where output tiles are a whole number of the reader's, it finds its own tiles in them, byte by byte."""
    first, second = _in_place(tile_k=4).layers
    assert second.reads_in_place
    assert first.output_bytes.total.sum() == second.plan.work.activation.total.sum()
    place = first.layout.output[..., 0]
    assert second.layout.activation[:, 0].tolist() == place[0].tolist()
    assert second.layout.activation[:, 4].tolist() == place[2].tolist()
    inner = second.layout.activation[:, 3] - place[1]
    assert inner.tolist() == second.plan.work.activation.total[:, 2].tolist()


def test_other_tiles_lie_at_a_place_of_their_own() -> None:
    """Tiles that reach over two output tiles cannot be read in place."""
    first, second = _in_place(tile_k=6).layers
    assert not second.reads_in_place
    assert second.layout.activation.min() > first.layout.output.max()
