"""Outputs with values in several formats: what lies in DRAM are the codes of a plain model, and faults are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from unpacked_outputs import piece_at, unpacked_outputs

pytest.importorskip("numba")

from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import InvariantError
from panacea_sim.machines.panacea import encoder
from panacea_sim.machines.panacea import values as travelling
from panacea_sim.machines.panacea.check.values import CheckedValues
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.shared import ppu
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, WeightFormat
from panacea_sim.workload.written_format import joined_ranges

Ints = npt.NDArray[np.int64]
ZERO_POINT, SHIFT, Q_ZERO_POINT = 101, 5, 120


def codes_of(layer: GemmLayer, form: OutputFormat | WeightFormat, features: list[int]) -> Ints:
    """Return what a format holds of features, computed in int64; scales are 1, and those of formats powers of two."""
    weight, x = layer.weight.astype(np.int64), layer.activation.astype(np.int64)
    if weight.ndim == 2:
        weight, x = weight[None], x[None]
    sums = (weight @ (x - ZERO_POINT)).reshape(-1, layer.N)[features]
    assert form.scale is not None
    shift = int(np.log2(form.scale))
    codes = (sums + (1 << (shift - 1))) >> shift
    if isinstance(form, WeightFormat):
        limit = (1 << (form.bits - 1)) - 1
        return codes.clip(-limit, limit)
    codes = (codes + form.zero_point).clip(0, (1 << form.bits) - 1)
    if form.function == "relu":
        codes = codes.clip(form.zero_point)
    return codes >> (form.lo_bits - 4) << (form.lo_bits - 4)


def features_of(read: ReadFormat, layer: GemmLayer) -> list[int]:
    """Return the features that are read."""
    count = layer.repeat * layer.M
    return [at for first, end in read.features or ((0, count),) for at in range(first, end)]


def ran(layer: GemmLayer, settings: dict[str, Any], mode: str) -> tuple[Prepared, TravellingValues | CheckedValues]:
    """Return a layer that has run in one of the two ways of values."""
    prepared = prepare(Scenario("formats", layer, settings=settings, values=mode))  # type: ignore[arg-type]  # a word
    assert isinstance(prepared, Prepared)
    values = prepared.values
    assert isinstance(values, TravellingValues | CheckedValues)
    if isinstance(values, TravellingValues):
        run_reference(prepared.description, Recorder(TraceOptions("off")), values.workers)
    return prepared, values


_ACTIVATIONS = [
    OutputFormat(2.0**SHIFT, Q_ZERO_POINT),
    OutputFormat(2.0**SHIFT, Q_ZERO_POINT, lo_bits=5, function="relu"),
    OutputFormat(2.0 ** (SHIFT + 3), 7, bits=4),
    OutputFormat(2.0, 2000, bits=12, r=(3, 7)),
]
_WEIGHTS = [WeightFormat(axis, bits, 2.0 ** (17 - bits - 5)) for axis in ("k", "m") for bits in (4, 7, 10)]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    """A layer with formats, and a machine."""

    layer: GemmLayer
    settings: dict[str, Any]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw layers of one or several products, formats of some of their features, and ragged tiles in any order."""
    repeat, m, k, n = (draw(st.integers(1, most)) for most in (3, 21, 9, 21))
    count = repeat * m
    formats = []
    for form in draw(st.lists(st.sampled_from(_ACTIVATIONS[:3] + _WEIGHTS), min_size=1, max_size=3, unique=True)):
        bounds = draw(st.lists(st.integers(0, count), min_size=2, max_size=4, unique=True))
        ranges = joined_ranges(zip(*[iter(sorted(bounds[: len(bounds) // 2 * 2]))] * 2, strict=True))
        formats.append(ReadFormat(form, draw(st.sampled_from([ranges, ranges, None]))))
    formats = [each for i, each in enumerate(formats) if each.format.form not in [f.format.form for f in formats[:i]]]
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    spread = draw(st.sampled_from([2, 20]))
    shape = (repeat,) if repeat > 1 else ()
    weight = np.rint(generator.normal(0, spread, (*shape, m, k))).clip(-63, 63).astype(np.int8)
    x = np.rint(generator.normal(ZERO_POINT, spread, (*shape, k, n))).clip(0, 255).astype(np.uint8)
    layer = GemmLayer("layer", weight, x, ZERO_POINT, formats=tuple(formats))
    v = draw(st.sampled_from([1, 2, 4]))
    settings = {
        "n_pea": draw(st.integers(1, 4)),
        "v": v,
        "tile_k": draw(st.integers(1, 9)),
        "tile_n": v * draw(st.integers(1, 4)),
        "loop_order": draw(st.sampled_from(["mnk", "nmk", "mkn", "kmn"])),
        "dtp": draw(st.sampled_from(["on", "off"])),
    }
    return Case(layer, settings)


@pytest.mark.parametrize("mode", ["travel", "check"])
@given(case=cases())
def test_what_lies_in_dram_are_the_codes_of_the_plain_model(mode: str, case: Case) -> None:
    """Every format, range of features, product and ragged tile: packed as planned, and what int64 says."""
    prepared, values = ran(case.layer, case.settings, mode)
    assert values.exact()
    (planned,) = prepared.program.layers
    event(f"{len(case.layer.formats)} formats, {case.layer.repeat} products")
    for number, read in enumerate(case.layer.formats):
        features = features_of(read, case.layer)
        found = unpacked_outputs(planned, number, read.format, features, piece_at(values))
        assert np.array_equal(found, codes_of(case.layer, read.format, features))


def test_a_tile_is_requantized_once_and_written_once_a_format() -> None:
    """The PPU fires once a tile, encoder and o_dma once a tile and format that it has features of."""
    prepared, values = ran(_LAYER, _MACHINE, "travel")
    firings = {each.name: each.firings for each in prepared.description.components}
    # 3 tiles of 16, 16 and 8 rows, 3 of columns: x is in the first two, w on k in the last two, w on m in all.
    assert (firings["ppu"], firings["encoder"], firings["o_dma"]) == (9, 21, 21)
    assert values.exact()


_MACHINE = {"n_pea": 4, "v": 4, "tile_k": 8, "tile_n": 8, "loop_order": "mnk", "dtp": "off"}


def _layer() -> GemmLayer:
    generator = np.random.default_rng(4)
    weight = np.rint(generator.normal(0, 20, (40, 24))).clip(-63, 63).astype(np.int8)
    x = np.rint(generator.normal(ZERO_POINT, 20, (24, 22))).clip(0, 255).astype(np.uint8)
    formats = (
        ReadFormat(OutputFormat(2.0**SHIFT, Q_ZERO_POINT), ((0, 18),)),
        ReadFormat(WeightFormat("k", scale=2.0**7), ((18, 32), (35, 39))),
        ReadFormat(WeightFormat("m", 10, scale=2.0**4)),
    )
    return GemmLayer("fused", weight, x, ZERO_POINT, formats=formats)


_LAYER = _layer()
_WRONG = r"output tile \d, \d( of fused was written wrong, in format {0}| takes \d+ bytes, but was planned with \d+)"


_CHECKED_FAULTS: dict[str, Callable[[Any], Any]] = {
    "rows": lambda numbers: np.where(np.arange(len(numbers)) < 4, numbers[3], numbers),
    "multiplier": lambda numbers: numbers + (1 << 26),
    "shift": lambda numbers: numbers + 1,
    "offset": lambda numbers: numbers + 200,
    "zero_point": lambda number: number + 1,
    "lowest": lambda _: 30,
    "highest": lambda number: number >> 1,
    "read_as": lambda kind: 3 - kind,
    "on_columns": lambda flag: 1 - flag,
}


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("constant", _CHECKED_FAULTS)
def test_a_wrong_constant_of_any_format_is_caught_by_check(constant: str, number: int) -> None:
    """Accumulators are right, and the message says which tile and format are wrong."""
    _, values = ran(_LAYER, _MACHINE, "check")
    assert isinstance(values, CheckedValues)
    path = values.outputs[0][number]
    values.outputs[0][number] = path._replace(**{constant: _CHECKED_FAULTS[constant](getattr(path, constant))})
    with pytest.raises(InvariantError, match=_WRONG.format(number)):
        values.exact()
    assert np.array_equal(values.accumulators[0], _LAYER.reference_accumulator())


def _changed_codes(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    correct = ppu.PpuWorker.fire

    def fire(self: ppu.PpuWorker, firing: int, inputs: list[tuple[Any, ...]]) -> Any:  # noqa: ANN401  # a token
        (tiles,) = correct(self, firing, inputs)
        if tiles[number] is not None:
            tiles[number][-1, -1] ^= 1
        return (tiles,)

    return lambda patch: patch.setattr(ppu.PpuWorker, "fire", fire)


def _formats_exchanged(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        correct = encoder.encode_output_tile
        wrong = _LAYER.formats[number].format
        if isinstance(wrong, WeightFormat):
            other: Any = replace(wrong, features_on="m" if wrong.features_on == "k" else "k")
        else:
            other = replace(wrong, r=(3,))

        def encode(tile: Any, form: Any, v: int, tile_k: int) -> list[bytes]:  # noqa: ANN401  # what it is called with
            return correct(tile, other if form == wrong else form, v, tile_k)

        patch.setattr(encoder, "encode_output_tile", encode)

    return plant


def _written_elsewhere(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        correct = travelling.output_addresses

        def addresses(program: Any) -> Any:  # noqa: ANN401  # a program and its addresses
            found = correct(program).copy()
            of_format = np.flatnonzero(program.written_formats() == number)
            found[of_format[:2]] = found[of_format[1::-1]]
            return found

        patch.setattr(travelling, "output_addresses", addresses)

    return plant


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("fault", [_changed_codes, _formats_exchanged, _written_elsewhere])
def test_a_fault_in_any_format_is_caught_by_travel(
    fault: Callable[[int], Callable[[pytest.MonkeyPatch], None]], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One code, the way of packing, or the place of a tile that is wrong is an error that names tile and format."""
    fault(number)(monkeypatch)
    _, values = ran(_LAYER, _MACHINE, "travel")
    with pytest.raises(InvariantError, match=_WRONG.format(number)):
        values.exact()


@pytest.mark.parametrize("mode", ["travel", "check"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_other_bytes_than_planned_are_caught(number: int, mode: str) -> None:
    """The packed size of each format is compared with the planned one."""
    prepared, values = ran(_LAYER, _MACHINE, mode)
    (planned,) = prepared.program.layers
    m, n = np.argwhere(planned.output_bytes.total[..., number])[-1].tolist()
    planned.output_bytes.total[m, n, number] += 1
    with pytest.raises(InvariantError, match=rf"output tile {m}, {n} takes \d+ bytes, but was planned with \d+"):
        values.exact()


@pytest.mark.parametrize("mode", ["travel", "check"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_place_that_is_not_the_planned_one_is_caught(number: int, mode: str) -> None:
    """Where values are looked for afterwards is where the plan has them, in each format."""
    prepared, values = ran(_LAYER, _MACHINE, mode)
    (planned,) = prepared.program.layers
    place = planned.layout.output[..., number]
    (a, b), (c, d) = np.argwhere(planned.output_bytes.total[..., number])[:2].tolist()
    if mode == "travel":
        place[a, b], place[c, d] = place[c, d], place[a, b]
    else:
        place[a, b] = place[c, d]  # the tile that is written later stands there
    with pytest.raises(InvariantError, match=r"of fused was written wrong"):
        values.exact()
