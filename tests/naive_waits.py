"""What fetches wait for, element by element in plain Python: judge of the lowering of links between layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import networkx as nx
import numpy as np
from naive_mapping import loop_nest, visits

from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.plan import LayerPlan
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.link import Columns, Link, Operand
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, WeightFormat
from panacea_sim.workload.written_format import WrittenFormat

__all__ = [
    "RAW",
    "OperandTile",
    "Output",
    "assert_waits",
    "needed_outputs",
    "read_features",
    "stack_of",
    "stream_waits",
]

Output = tuple[str, int, int, int]
"""An output tile in a format: the layer's name, its coordinates (m, n) and the number of the format.

RAW stands for what a vector stage reads.
"""

RAW = -1

Element = tuple[int, int]
"""Feature and column of an output."""


@dataclass(frozen=True)
class OperandTile:
    """A tile, or stack of tiles, of an operand of a layer: along m or n, and along k."""

    layer: str
    operand: str
    across: int
    k: int


def stack_of(plan: LayerPlan, m: Any) -> Any:  # noqa: ANN401  # one m tile, or an array of them
    """Return the stack of m tiles; both are numbered over all products, each of which has lower stacks at its end."""
    m_tiles = -(-plan.work.tiling.M // plan.work.tiling.tile_m)
    return m // m_tiles * -(-m_tiles // plan.height) + m % m_tiles // plan.height


@dataclass(frozen=True)
class _Cut:
    """How a layer is cut and worked through."""

    sizes: dict[str, int]
    tiles: dict[str, int]
    order: str
    height: int
    repeat: int
    sequential: bool
    formats: tuple[WrittenFormat, ...]
    has_stage: bool

    def indices(self, axis: str, tile: int, height: int = 1) -> range:
        """Return the indices of a tile (of `height` in a stack) along an axis."""
        step = self.tiles[axis] * height
        return range(tile * step, min((tile + 1) * step, self.sizes[axis]))

    def trips(self, axis: str, height: int = 1) -> int:
        """Return the number of tiles along an axis."""
        return -(-self.sizes[axis] // (self.tiles[axis] * height))

    def written(self) -> list[tuple[int, int]]:
        """Return the output tiles of a product in the order in which they are written: that of their last visits."""
        trips = {axis: self.trips(axis, self.height if axis == "m" else 1) for axis in "mnk"}
        visited = visits(loop_nest(self.order, trips), self.trips("m"), self.height)
        return [tile for at, tile in enumerate(visited) if tile not in visited[at + 1 :]]

    def writes(self) -> Iterator[tuple[int, int, int]]:
        """Yield what is written, (m, n, format): the tiles of all products, then those of a stage behind the layer."""
        m_tiles = self.trips("m")
        for number in range(self.repeat):
            for m, n in self.written():
                for form in [RAW] if self.has_stage else self.forms(number, m):
                    yield number * m_tiles + m, n, form
        for number, n, m in product(
            range(self.repeat if self.has_stage else 0), range(self.trips("n")), range(m_tiles)
        ):
            for form in self.forms(number, m):
                yield number * m_tiles + m, n, form

    def forms(self, number: int, m: int) -> list[int]:
        """Return the formats in which a tile of a product is written: those that have one of its features."""
        features = [number * self.sizes["m"] + row for row in self.indices("m", m)]
        found = [
            at
            for at, written in enumerate(self.formats)
            if any(first <= feature < end for first, end in written.features for feature in features)
        ]
        return found or [0]

    def form_read(self, link: Link, consumer: Layer) -> int:
        """Return the format that a link leads to; there is one where nobody knows of formats."""
        vectors_on = "features" if (link.operand, link.features_on) == ("w", "m") else "columns"
        bits = {"w": consumer.weight_bits, "x": consumer.activation_bits}[link.operand]
        wanted = (link.operand, vectors_on, bits)
        forms = [(written.operand, written.vectors_on, written.bits) for written in self.formats]
        return forms.index(wanted) if forms else 0


def read_features(graph: nx.DiGraph[str], consumer: str) -> list[tuple[str, Link, set[int]]]:
    """Return the links into a layer, each with its producer and the features of it that any element needs."""
    layer = graph.nodes[consumer]["layer"]
    sizes = {"m": layer.M, "n": layer.N, "k": layer.K}
    found = []
    for name, link in _links(graph, consumer):
        made = graph.nodes[name]["layer"]
        producer = {"m": made.M * made.repeat, "n": made.N}
        needed = [
            _elements(_of_product(link, number), {axis: range(size) for axis, size in sizes.items()}, sizes, producer)
            for number in range(layer.repeat)
        ]
        found.append((name, link, {feature for elements in needed for feature, _ in elements}))
    return found


def needed_outputs(program: Program) -> tuple[list[Output], dict[OperandTile, set[Output]]]:
    """Return what is written, tile by tile and format by format, and what each tile of an operand needs of it."""
    layers: dict[str, Layer] = dict(program.graph.nodes(data="layer"))
    cuts = {
        layer.plan.name: _Cut(
            {"m": layer.plan.work.tiling.M, "n": layer.plan.work.tiling.N, "k": layer.plan.work.tiling.K},
            {
                "m": layer.plan.work.tiling.tile_m,
                "n": layer.plan.work.tiling.tile_n,
                "k": layer.plan.work.tiling.tile_k,
            },
            layer.plan.order,
            layer.plan.height,
            layer.plan.work.tiling.repeat,
            layer.plan.work.sequential,
            _formats_of(layers[layer.plan.name], program.hardware.vector),
            _has_stage(layers[layer.plan.name], program.hardware.vector),
        )
        for layer in program.layers
    }
    written = [(name, *write) for name, cut in cuts.items() for write in cut.writes()]
    needed: dict[OperandTile, set[Output]] = {}
    for name, cut in cuts.items():
        for operand, axis, height in (("w", "m", cut.height), ("x", "n", 1)):
            trips = cut.trips(axis, height)
            for number, across, k in product(range(cut.repeat), range(trips), range(cut.trips("k"))):
                tile = {axis: cut.indices(axis, across, height), "k": cut.indices("k", k)}
                needed[OperandTile(name, operand, number * trips + across, k)] = {
                    (
                        producer,
                        _m_tile(cuts[producer], feature),
                        column // cuts[producer].tiles["n"],
                        cuts[producer].form_read(link, layers[name]),
                    )
                    for producer, link in _links(program.graph, name)
                    if link.operand == operand
                    for feature, column in _elements(
                        _of_product(link, number), tile, cut.sizes, _with_all_features(cuts[producer])
                    )
                }
                if cut.sequential and operand == "x" and number:
                    first, form = (number - 1) * cut.trips("m"), cut.form_read(Link("x", "all"), layers[name])
                    needed[OperandTile(name, operand, number * trips + across, k)] |= {
                        (name, first + m, n, form) for m, n in cut.written()
                    }
    return written, needed


def _has_stage(layer: Layer, vector: str) -> bool:
    return vector == "unfused" and isinstance(layer, MaskedLayer) and layer.stage is not None


def _formats_of(layer: Layer, vector: str) -> tuple[WrittenFormat, ...]:
    """Return the formats in which a layer, or the stage behind it, is read; none of one that feeds a later stage."""
    if isinstance(layer, GemmLayer):
        return tuple(_without_values(read, layer.repeat * layer.M) for read in layer.formats)
    if not isinstance(layer, MaskedLayer) or (vector == "unfused" and layer.feeds_stage and layer.stage is None):
        return ()
    return layer.formats


def _without_values(read: ReadFormat, features: int) -> WrittenFormat:
    """Return what a format of a layer with values says of who waits for what."""
    on_features = isinstance(read.format, WeightFormat) and read.format.features_on == "m"
    operand: Operand = "x" if isinstance(read.format, OutputFormat) else "w"
    bits = read.format.bits
    slices = bits // 4 - 1 if operand == "x" else (bits - 1) // 3 - 1
    ranges = read.features or ((0, features),)
    return WrittenFormat(operand, "features" if on_features else "columns", bits, ranges, (0.0,) * slices)


def stream_waits(program: Program, operand: str) -> list[tuple[OperandTile, int]]:
    """Return the tile of each fetch of an operand, and the firings of `o_dma` for which it waits."""
    component = next(part for part in MACHINE.describe(program).components if part.name == f"{operand}_dma")
    assert {wait.component for wait in component.waits} <= {"o_dma"}
    firings = sum(wait.firings for wait in component.waits) + np.zeros(component.firings, np.int64)
    labels = component.labels
    assert labels is not None
    found = []
    for number, layer in enumerate(program.layers):
        mine = labels.layer == number
        # A stack is labelled with its first tile.
        across = labels.n[mine] if operand == "x" else stack_of(layer.plan, labels.m[mine])
        tiles = zip(across.tolist(), labels.k[mine].tolist(), strict=True)
        names = [OperandTile(layer.plan.name, operand, *tile) for tile in tiles]
        found += zip(names, firings[mine].tolist(), strict=True)
    return found


def assert_waits(program: Program) -> None:
    """Check that every fetch waits for the last output that it needs, and for nothing more."""
    written, needed = needed_outputs(program)
    place = {output: number + 1 for number, output in enumerate(written)}
    for operand in ("w", "x"):
        for tile, firings in stream_waits(program, operand):
            assert firings == max((place[output] for output in needed[tile]), default=0), tile


def _with_all_features(cut: _Cut) -> dict[str, int]:
    """Return the sizes of a producer, its products one below the other."""
    return {**cut.sizes, "m": cut.sizes["m"] * cut.repeat}


def _m_tile(cut: _Cut, feature: int) -> int:
    """Return the tile of a feature; tiles of a product are behind those of the one before."""
    return feature // cut.sizes["m"] * cut.trips("m") + feature % cut.sizes["m"] // cut.tiles["m"]


def _of_product(link: Link, number: int) -> Link:
    """Return a link with the offsets of one product of the consumer."""
    feature_offset, column_offset = (
        offset[number] if isinstance(offset, tuple) else offset for offset in (link.feature_offset, link.column_offset)
    )
    return replace(link, feature_offset=feature_offset, column_offset=column_offset)


def _links(graph: nx.DiGraph[str], consumer: str) -> Iterator[tuple[str, Link]]:
    for producer, to, links in graph.edges(data="links"):
        if to == consumer:
            yield from ((producer, link) for link in links)


def _elements(link: Link, tile: dict[str, range], sizes: dict[str, int], producer: dict[str, int]) -> set[Element]:
    """Return the outputs that a tile of the operand needs."""
    across = "m" if link.operand == "w" else "n"
    feature_axis, column_axis = ("k", across) if link.features_on == "k" else (across, "k")
    features = _spanned(tile[feature_axis], link.feature_span)
    columns = _spanned(tile[column_axis], link.column_span)
    if not features or not columns:
        return set()
    wanted_features = set(_wanted_features(link, features, range(sizes[feature_axis]), producer["m"]))
    wanted_columns = set(_wanted_columns(link, columns, producer["n"]))
    return {
        (feature, column)
        for feature in range(producer["m"])
        for column in range(producer["n"])
        if feature in wanted_features and column in wanted_columns
    }


def _spanned(indices: range, span: tuple[int, int] | None) -> list[int]:
    return [index for index in indices if span is None or span[0] <= index < span[1]]


def _wanted_features(link: Link, own: list[int], axis: range, count: int) -> Iterator[int]:
    if link.features is not None:
        yield from (feature + link.feature_offset for feature in range(*link.features))
    elif link.needs == "all":
        yield from range(count)
    elif link.needs == "features":
        yield from (index + link.feature_offset for index in _spanned(axis, link.feature_span))
    elif isinstance(link.needs, Columns):
        yield from (index // link.needs.taps + link.feature_offset for index in own)
    else:
        yield from (index + link.feature_offset for index in own)


def _wanted_columns(link: Link, own: list[int], count: int) -> Iterator[int]:
    if link.needs == "all":
        yield from range(count)
    elif isinstance(link.needs, Columns):
        low, high = link.needs.low.tolist(), link.needs.high.tolist()
        windows = [range(low[index] + link.column_offset, high[index] + link.column_offset) for index in own]
        found = [column for window in windows for column in window if 0 <= column < count]
        yield from range(min(found, default=0), max(found, default=-1) + 1)
    else:
        yield from (index + link.column_offset for index in own)
