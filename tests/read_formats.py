"""Layers with values that write several formats: drawn ones, one for faults, and what DRAM must hold of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import event
from hypothesis import strategies as st
from unpacked_outputs import piece_at, unpacked_outputs

from panacea_sim.choices import ValuesChoice
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, WeightFormat
from panacea_sim.workload.written_format import joined_ranges

__all__ = [
    "DEEP",
    "LAYER",
    "MACHINE",
    "WRONG",
    "Case",
    "assert_dram_holds_the_codes",
    "cases",
    "plan_a_byte_more",
    "ran",
]

Ints = npt.NDArray[np.int64]
ZERO_POINT, SHIFT, Q_ZERO_POINT = 101, 5, 120


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
    repeat, k = draw(st.integers(1, 3)), draw(st.integers(1, 9))
    m, n = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    count = repeat * m
    formats = []
    for form in draw(st.lists(st.sampled_from(_ACTIVATIONS + _WEIGHTS), min_size=1, max_size=3, unique=True)):
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


def ran(layer: GemmLayer, settings: dict[str, Any], mode: ValuesChoice) -> tuple[Prepared, Any]:
    """Return a layer that has run with values that travel, or that is to be checked."""
    prepared = prepare(Scenario("formats", layer, settings=settings, values=mode))
    assert isinstance(prepared, Prepared)
    assert prepared.values is not None
    if mode == "travel":
        run_reference(prepared.description, Recorder(TraceOptions("off")), prepared.values.workers)
    return prepared, prepared.values


def assert_dram_holds_the_codes(case: Case, mode: ValuesChoice) -> None:
    """Check what lies in DRAM in each format: packed as planned, and what a model in int64 says."""
    prepared, values = ran(case.layer, case.settings, mode)
    assert values.exact()
    (planned,) = prepared.program.layers
    event(f"{len(case.layer.formats)} formats, {case.layer.repeat} products")
    for number, read in enumerate(case.layer.formats):
        features = _features_of(read, case.layer)
        found = unpacked_outputs(planned, number, read.format, features, piece_at(values))
        assert np.array_equal(found, _codes_of(case.layer, read.format, features))


def _codes_of(layer: GemmLayer, form: OutputFormat | WeightFormat, features: list[int]) -> Ints:
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


def _features_of(read: ReadFormat, layer: GemmLayer) -> list[int]:
    """Return the features that are read."""
    count = layer.repeat * layer.M
    return [at for first, end in read.features or ((0, count),) for at in range(first, end)]


MACHINE = {"n_pea": 4, "v": 4, "tile_k": 8, "tile_n": 8, "loop_order": "mnk", "dtp": "off"}


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


LAYER = _layer()


def _deep_case() -> Case:
    """Return outputs that are mostly 0, in tiles so deep that streams along both axes need fillers."""
    weight, x = np.zeros((90, 6), np.int8), np.full((6, 80), ZERO_POINT, np.uint8)
    weight[[20, 41, 60, 89]] = 40
    x[:, [20, 45, 79]] = 250
    formats = (
        ReadFormat(_ACTIVATIONS[0]),
        ReadFormat(WeightFormat("k", scale=2.0**9), ((1, 90),)),
        ReadFormat(WeightFormat("m", 10, scale=2.0**6)),
    )
    settings = {"n_pea": 12, "v": 4, "tile_k": 40, "tile_n": 48, "loop_order": "mnk", "dtp": "off"}
    return Case(GemmLayer("deep", weight, x, ZERO_POINT, formats=formats), settings)


DEEP = _deep_case()
WRONG = r"output tile \d, \d( of fused was written wrong, in format {0}| takes \d+ bytes, but was planned with \d+)"


def plan_a_byte_more(prepared: Prepared, number: int) -> str:
    """Plan one byte too many for the last output tile of a format; return what the error has to say of it."""
    (planned,) = prepared.program.layers
    m, n = np.argwhere(planned.output_bytes.total[..., number])[-1].tolist()
    planned.output_bytes.total[m, n, number] += 1
    return rf"output tile {m}, {n} takes \d+ bytes, but was planned with \d+"
