"""The work and the bytes of tiles in plain Python, counted from a layer's operands: judge of arrays and of timing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat

__all__ = [
    "Codes",
    "Cut",
    "TileSize",
    "Work",
    "activation_is_raw",
    "activation_size",
    "output_size",
    "rounded_up",
    "shared",
    "stored_weights",
    "tile_work",
    "weight_is_raw",
    "weight_size",
]

Codes = list[list[int]]
"""Numbers of a matrix, row by row."""


@dataclass(frozen=True)
class Work:
    """Outer products of DWOs and SWOs, compensation steps, and cycles, of one firing or of all firings of a PEA."""

    dwo: int
    swo: int
    cs: int
    cycles: int


@dataclass(frozen=True)
class TileSize:
    """The bytes of a tile: its run-length code, and all of it."""

    ho: int
    total: int


@dataclass(frozen=True)
class Cut:
    """How a machine cuts layers into tiles, and whether the HO parts of these may be raw."""

    v: int
    tile_m: int
    tile_k: int
    tile_n: int
    may_be_raw: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Cut:
        """Return how the machine with these settings cuts."""
        return cls(
            settings["v"],
            settings["n_pea"] * settings["v"],
            settings["tile_k"],
            settings["tile_n"],
            settings.get("raw_ho") == "auto",
        )


# --- work ----------------------------------------------------------------------------------------------------------


def shared(tiles: list[tuple[int, int, int]], n_dwo: int, n_swo: int, n_cs: int) -> Work:
    """Let the DWOs take over static work of a second tile, as little of it as makes the firing shortest."""
    dynamic, static, compensation = (sum(column) for column in zip(*tiles, strict=True))
    shareable = tiles[1][1] if len(tiles) > 1 else 0

    def cycles(taken: int) -> int:
        return max(
            rounded_up(dynamic + taken, n_dwo),
            rounded_up(static - taken, n_swo),
            rounded_up(compensation, n_cs),
        )

    taken = min(range(shareable + 1), key=cycles)  # the first of equals
    return Work(dynamic + taken, static - taken, compensation, cycles(taken))


def tile_work(
    layer: GemmLayer, rows: range, depth: range, columns: range, v: int, raw: tuple[bool, bool] = (False, False)
) -> tuple[int, int, int]:
    """Return the steps of DWOs, SWOs and CS for one row group, n tile and k tile.

    Every vector that is stored meets every vector that is stored; of a `raw` weight or activation tile all are.
    """
    starts = columns[::v]
    weight = stored_weights(layer, rows, depth)
    activation = [
        stream for n in starts for stream in _stored_activations(layer, range(n, min(n + v, columns.stop)), depth)
    ]
    weight, activation = (
        [[True] * len(stream) for stream in streams] if is_raw else streams
        for streams, is_raw in zip((weight, activation), raw, strict=True)
    )
    dynamic = compensation = 0
    for at in range(len(depth)):
        w_stored = sum(stream[at] for stream in weight)
        x_stored = sum(stream[at] for stream in activation)
        dynamic += w_stored * x_stored + len(starts) * w_stored + x_stored
        compensation += x_stored
    return dynamic, len(depth) * len(starts), compensation


# --- bytes ---------------------------------------------------------------------------------------------------------


def weight_size(layer: GemmLayer, cut: Cut, m: int, k: int) -> TileSize:
    """Return the bytes of weight tile [m, k]."""
    streams, groups, depth = _weight_streams(layer, cut, m, k)
    return _size(streams, groups, depth, cut)


def weight_is_raw(layer: GemmLayer, cut: Cut, m: int, k: int) -> bool:
    """Return whether the HO part of weight tile [m, k] is stored as it is."""
    streams, _, depth = _weight_streams(layer, cut, m, k)
    return cut.may_be_raw and _raw_bits(streams, depth, cut) < _code_bits(streams, cut)


def _weight_streams(layer: GemmLayer, cut: Cut, m: int, k: int) -> tuple[list[list[bool]], int, int]:
    rows, depth = _part(m, cut.tile_m, layer.M), _part(k, cut.tile_k, layer.K)
    groups = _groups(rows, cut.v)
    return [stream for group in groups for stream in stored_weights(layer, group, depth)], len(groups), len(depth)


def activation_size(layer: GemmLayer, cut: Cut, n: int, k: int) -> TileSize:
    """Return the bytes of activation tile [n, k]."""
    streams, groups, depth = _activation_streams(layer, cut, n, k)
    return _size(streams, groups, depth, cut)


def activation_is_raw(layer: GemmLayer, cut: Cut, n: int, k: int) -> bool:
    """Return whether the HO part of activation tile [n, k] is stored as it is."""
    streams, _, depth = _activation_streams(layer, cut, n, k)
    return cut.may_be_raw and _raw_bits(streams, depth, cut) < _code_bits(streams, cut)


def _activation_streams(layer: GemmLayer, cut: Cut, n: int, k: int) -> tuple[list[list[bool]], int, int]:
    columns, depth = _part(n, cut.tile_n, layer.N), _part(k, cut.tile_k, layer.K)
    groups = _groups(columns, cut.v)
    return [stream for group in groups for stream in _stored_activations(layer, group, depth)], len(groups), len(depth)


def output_size(codes: Codes, form: OutputFormat | None, cut: Cut, m: int, n: int) -> TileSize:
    """Return the bytes of output tile [m, n] of the codes: the next layer's activation tiles, or a byte for each."""
    rows, columns = _part(m, cut.tile_m, len(codes)), _part(n, cut.tile_n, len(codes[0]))
    if form is None:
        return TileSize(0, len(rows) * len(columns))
    groups = _groups(columns, cut.v)
    ho = total = 0
    for first in rows[:: cut.tile_k]:
        depth = range(first, min(first + cut.tile_k, rows.stop))
        shifts = [(form.lo_bits + 4 * number, r) for number, r in enumerate(form.frequent)]
        streams = [
            _stored([any(codes[k][column] >> shift & 15 != r for column in group) for k in depth])
            for group in groups
            for shift, r in shifts
        ]
        piece = _size(streams, len(groups), len(depth), cut)
        ho, total = ho + piece.ho, total + piece.total
    return TileSize(ho, total)


def _size(streams: list[list[bool]], groups: int, depth: int, cut: Cut) -> TileSize:
    """Return the bytes of a tile: dense LO slices of 4 bits, and its code, or a flag and the shorter of both."""
    bits = _code_bits(streams, cut)
    if cut.may_be_raw and streams:
        bits = 1 + min(bits, _raw_bits(streams, depth, cut))
    ho = rounded_up(bits, 8)
    return TileSize(ho, ho + rounded_up(groups * cut.v * depth * 4, 8))


def _code_bits(streams: list[list[bool]], cut: Cut) -> int:
    """Return the bits of a count and the entries of each stream."""
    count_bits = 0
    while 2**count_bits < cut.tile_k + 1:
        count_bits += 1
    return sum(count_bits + sum(stream) * (4 + 4 * cut.v) for stream in streams)


def _raw_bits(streams: list[list[bool]], depth: int, cut: Cut) -> int:
    return len(streams) * depth * 4 * cut.v


def _part(number: int, length: int, whole: int) -> range:
    return range(number * length, min((number + 1) * length, whole))


def _groups(part: range, v: int) -> list[range]:
    return [range(first, min(first + v, part.stop)) for first in part[::v]]


# --- which vectors are stored --------------------------------------------------------------------------------------


def stored_weights(layer: GemmLayer, rows: range, depth: range) -> list[list[bool]]:
    """Return for each HO slice of a row group which of its vectors are stored."""
    slices = {4: 0, 7: 1, 10: 2}[layer.weight_bits]
    digits = [[_signed_digits(int(layer.weight[row, k]), slices) for row in rows] for k in depth]
    return [_stored([any(digit[number] for digit in at_k) for at_k in digits]) for number in range(slices)]


def _stored_activations(layer: GemmLayer, columns: range, depth: range) -> list[list[bool]]:
    """Return for each HO slice of a column group which of its vectors are stored."""
    streams = []
    for number, r in enumerate(layer.frequent):
        shift = layer.lo_bits + 4 * number
        needed = [any(int(layer.activation[k, n]) >> shift & 15 != r for n in columns) for k in depth]
        streams.append(_stored(needed))
    return streams


def _signed_digits(value: int, slices: int) -> list[int]:
    """Return the HO slices of a signed value, least significant first: it borrows so that small values have zeros."""
    digits = []
    for _ in range(slices):
        value = value // 8 if value >= 0 else -((-value - 1) // 8)
        digits.append(value)
    # All but the last are themselves sliced again.
    return [_low(digit) for digit in digits[:-1]] + digits[-1:]


def _low(value: int) -> int:
    return value % 8 if value >= 0 else -((-value - 1) % 8) - 1


def _stored(needed: list[bool]) -> list[bool]:
    """Add fillers: after 15 skipped vectors the next one is stored, if another one follows that must be."""
    stored, skipped = list(needed), 0
    for at, must_store in enumerate(needed):
        if must_store:
            skipped = 0
        elif skipped == 15:
            stored[at] = any(needed[at:])
            skipped = 0
        else:
            skipped += 1
    return stored


def rounded_up(work: int, operators: int) -> int:
    """Return the steps that so many operators need for the work."""
    return (work + operators - 1) // operators
