"""An attention block with real operands: every product equals a plain int64 model, however its values are handled."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from engine_runs import ENGINES, NEEDS_NUMBA
from naive_waits import assert_waits, needed_outputs
from unpacked_outputs import piece_at, unpacked_outputs

from panacea_sim.choices import Engine, Schedule, ValuesChoice
from panacea_sim.commands.main import main
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.dynamic_weight import dynamic_weight
from panacea_sim.workload.functional import functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import LayerLink
from panacea_sim.workload.networks.attention import Attention, Part, link_attention, links_to_heads
from panacea_sim.workload.networks.attention_operands import (
    grouped_queries,
    joined_heads,
    key_weights,
    value_weights,
)
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.output_format import ReadFormat, WeightFormat

HEADS, KV_HEADS, SIZE, TOKENS, HIDDEN = 4, 2, 40, 37, 52
GROUP = HEADS // KV_HEADS
SIZES = Attention(HEADS, KV_HEADS, SIZE, batch=1, queries=TOKENS, keys=TOKENS)
MACHINE = {"n_pea": 8, "v": 4, "tile_k": 32, "tile_n": 16}
EACH_WAY = [
    ("travel", "reference"),
    pytest.param("check", "reference", marks=NEEDS_NUMBA),
    pytest.param("check", "compiled", marks=NEEDS_NUMBA),
]
"""How values are handled, and by which engine."""

ZERO_POINT, Q_ZERO_POINT, PV_ZERO_POINT = 117, 131, 124
# Ratios of scales are powers of two, so that the model can round in whole numbers.
Q_SHIFT, K_SHIFT, V_SHIFT, PV_SHIFT = 6, 6, 6, 8

Ints = npt.NDArray[np.int64]


def _inputs() -> dict[str, Ints]:
    """Return hidden states and the four weights: codes with many small values, as quantizers make them."""
    generator = np.random.default_rng(19)

    def drawn(shape: tuple[int, int], spread: float, center: int, least: int, most: int) -> Ints:
        return np.rint(generator.normal(center, spread, shape)).clip(least, most).astype(np.int64)

    return {
        "x": drawn((HIDDEN, TOKENS), 24, ZERO_POINT, 0, 255),
        "q": drawn((HEADS * SIZE, HIDDEN), 14, 0, -63, 63),
        "k": drawn((KV_HEADS * SIZE, HIDDEN), 14, 0, -63, 63),
        "v": drawn((KV_HEADS * SIZE, HIDDEN), 14, 0, -63, 63),
        "out": drawn((HIDDEN, HEADS * SIZE), 14, 0, -63, 63),
    }


def _half_up(values: Ints, shift: int) -> Ints:
    return (values + (1 << (shift - 1))) >> shift


def _softmax(scores: Ints) -> Ints:
    """Return the softmax over axis 1 as unsigned 8-bit codes, 255 for 1: a table of exponentials in whole numbers."""
    table = np.rint(2.0**20 * np.exp(-np.arange(256) / 32)).astype(np.int64)
    powers = table[np.minimum((scores.max(1, keepdims=True) - scores) >> 8, 255)]
    sums = powers.sum(1, keepdims=True)
    return (powers * 255 + sums // 2) // sums


def _model() -> dict[str, Ints]:
    """Return the accumulators of each product, W @ codes, computed in int64 head by head; the package has no part."""
    given = _inputs()
    projected = {name: given[name] @ given["x"] for name in "qkv"}
    centered = {name: projected[name] - ZERO_POINT * given[name].sum(1)[:, None] for name in "qkv"}
    q = (_half_up(centered["q"], Q_SHIFT) + Q_ZERO_POINT).clip(0, 255).reshape(KV_HEADS, GROUP, SIZE, TOKENS)
    k = _half_up(centered["k"], K_SHIFT).clip(-63, 63).reshape(KV_HEADS, SIZE, TOKENS)
    v = _half_up(centered["v"], V_SHIFT).clip(-63, 63).reshape(KV_HEADS, SIZE, TOKENS)
    qk = np.einsum("hsk,hgsn->hgkn", k, q)
    scores = qk - Q_ZERO_POINT * k.sum(1)[:, None, :, None]
    codes = np.stack([[_softmax(scores[h, g][None])[0] for g in range(GROUP)] for h in range(KV_HEADS)])
    pv = np.einsum("hsk,hgkn->hgsn", v, codes)
    heads = (_half_up(pv, PV_SHIFT) + PV_ZERO_POINT).clip(0, 255).reshape(HEADS * SIZE, TOKENS)

    def side_by_side(of_heads: Ints) -> Ints:
        return np.concatenate([of_heads[:, member] for member in range(GROUP)], axis=2)

    return {**projected, "qk": side_by_side(qk), "pv": side_by_side(pv), "out": given["out"] @ heads}


def _layers() -> tuple[GemmLayer, ...]:
    """Return the products of the block as a user builds them."""
    given = _inputs()
    x = given["x"].astype(np.uint8)
    weights = {name: given[name].astype(np.int8) for name in ("q", "k", "v", "out")}
    q = GemmLayer("q", weights["q"], x, ZERO_POINT, output=OutputFormat(2.0**Q_SHIFT, Q_ZERO_POINT))
    k, v = (GemmLayer(name, weights[name], x, ZERO_POINT) for name in "kv")
    keys, values = dynamic_weight(k, scale=2.0**K_SHIFT), dynamic_weight(v, scale=2.0**V_SHIFT)
    queries = grouped_queries(functional_pass(q).output, SIZES)
    qk = GemmLayer("qk", key_weights(keys.codes, SIZES), queries, Q_ZERO_POINT)
    zero_point_part = Q_ZERO_POINT * qk.weight.sum(2, dtype=np.int64)
    codes = _softmax(qk.reference_accumulator() - zero_point_part[..., None]).astype(np.uint8)
    pv_output = OutputFormat(2.0**PV_SHIFT, PV_ZERO_POINT)
    pv = GemmLayer("pv", value_weights(values.codes, SIZES), codes, 0, output=pv_output)
    heads = joined_heads(functional_pass(pv).output, SIZES)
    return q, k, v, qk, pv, GemmLayer("out", weights["out"], heads, PV_ZERO_POINT)


def _fused_layers(layers: tuple[GemmLayer, ...]) -> tuple[GemmLayer, ...]:
    """Return the block with q, k and v as one layer, which writes three formats, as PV writes one of its own."""
    q, k, v, qk, pv, out = layers
    assert q.output is not None
    assert pv.output is not None
    ends = np.cumsum([0, q.M, k.M, v.M]).tolist()
    forms = (q.output, WeightFormat("k", scale=2.0**K_SHIFT), WeightFormat("m", scale=2.0**V_SHIFT))
    formats = tuple(ReadFormat(form, (span,)) for form, span in zip(forms, pairwise(ends), strict=True))
    weight = np.concatenate([q.weight, k.weight, v.weight])
    qkv = GemmLayer("qkv", weight, q.activation, ZERO_POINT, formats=formats)
    return qkv, qk, replace(pv, output=None, formats=(ReadFormat(pv.output),)), out


class _Links:
    """Takes what `link_attention` says as the links of a scenario."""

    def __init__(self) -> None:
        self.links: list[LayerLink] = []

    def link(self, producer: str, consumer: str, *links: Link) -> None:
        self.links += [(producer, consumer, link) for link in links]


def _fused_block(layers: tuple[GemmLayer, ...], **options: Any) -> Scenario:  # noqa: ANN401  # fields of a Scenario
    """Return the scenario of the fused block, with what each layer needs of the others."""
    found = _Links()
    parts = (Part("qkv"), Part("qkv", HEADS * SIZE), Part("qkv", (HEADS + KV_HEADS) * SIZE))
    link_attention(found, SIZES, parts, ("qk", "pv"), rotary=False)  # type: ignore[arg-type]  # all that it needs
    found.link("pv", "out", *links_to_heads(SIZES))
    return Scenario("block", _fused_layers(layers), settings=MACHINE, links=tuple(found.links), **options)


@pytest.fixture(scope="module")
def layers() -> tuple[GemmLayer, ...]:
    """Return the products of the block."""
    return _layers()


@pytest.fixture(scope="module")
def hashes() -> list[str]:
    """Return the hash of what each product must give."""
    wanted = _model()
    return [
        hashlib.sha256(wanted[name].astype("<i4").tobytes()).hexdigest() for name in ("q", "k", "v", "qk", "pv", "out")
    ]


def test_sizes_are_ragged_in_all_directions(layers: tuple[GemmLayer, ...]) -> None:
    """Two heads of keys and values, four of queries, and neither head size nor tokens fill their tiles."""
    shapes = [(layer.repeat, layer.M, layer.K, layer.N) for layer in layers]
    assert shapes == [
        (1, 160, 52, 37),
        (1, 80, 52, 37),
        (1, 80, 52, 37),
        (2, 37, 40, 74),
        (2, 40, 37, 74),
        (1, 52, 160, 37),
    ]
    for layer in layers[3:5]:
        assert np.abs(layer.weight).max() == 63  # some are clipped


def test_the_softmax_is_no_constant(layers: tuple[GemmLayer, ...]) -> None:
    """Codes of the softmax are spread, and sum to about 255 for each query."""
    codes = layers[4].activation
    assert codes.min() == 0
    assert codes.max() > 60
    assert np.abs(codes.sum(1, dtype=np.int64) - 255).max() <= TOKENS // 2 + 1


@pytest.mark.parametrize("schedule", ["barrier", "overlap"])
@pytest.mark.parametrize(("values", "engine"), EACH_WAY)
def test_each_product_equals_the_plain_model(
    values: ValuesChoice, engine: Engine, schedule: Schedule, layers: tuple[GemmLayer, ...], hashes: list[str]
) -> None:
    """All accumulators of the block are those of the int64 model: those that travel, and those that are checked."""
    scenario = Scenario("block", layers, settings=MACHINE, values=values, schedule=schedule)
    summary = run(scenario, RunOptions(engine=engine, trace=TraceOptions("off"))).summary
    assert summary.exact is True
    assert [layer.output_sha256 for layer in summary.layers] == hashes
    assert [layer.repeat for layer in summary.layers] == [1, 1, 1, 2, 2, 1]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtp", ["on", "auto"])
def test_mappings_of_the_block(dtp: str, engine: Engine, layers: tuple[GemmLayer, ...], hashes: list[str]) -> None:
    """Double-tile processing and partial sums that spill change no accumulator."""
    settings = {**MACHINE, "dtp": dtp, "loop_order": "kmn", "psum_bytes": 4096}
    scenario = Scenario("block", layers, settings=settings, schedule="barrier")
    summary = run(scenario, RunOptions(engine=engine, trace=TraceOptions("off"))).summary
    assert summary.exact is True
    assert [layer.output_sha256 for layer in summary.layers] == hashes


@pytest.mark.parametrize("schedule", ["barrier", "overlap"])
@pytest.mark.parametrize(("values", "engine"), EACH_WAY)
def test_a_fused_layer_writes_three_formats(
    values: ValuesChoice, engine: Engine, schedule: Schedule, layers: tuple[GemmLayer, ...], hashes: list[str]
) -> None:
    """With q, k and v in one layer the block has the sums of the plain model, and each tile is written once a format.

    Times are those without values.
    """
    wanted = _model()
    of_qkv = hashlib.sha256(np.concatenate([wanted[name] for name in "qkv"]).astype("<i4").tobytes()).hexdigest()
    scenario = _fused_block(layers, values=values, schedule=schedule)
    options = RunOptions(engine=engine, trace=TraceOptions("off"))
    summary = run(scenario, options).summary
    assert summary.exact is True
    assert [layer.output_sha256 for layer in summary.layers] == [of_qkv, *hashes[3:]]
    unchecked = run(replace(scenario, values="off"), options).summary
    assert summary.makespan_cycles == unchecked.makespan_cycles
    assert summary.layers[0].output_bytes == unchecked.layers[0].output_bytes


@pytest.mark.parametrize("values", ["travel", pytest.param("check", marks=NEEDS_NUMBA)])
@pytest.mark.parametrize("dtp", ["on", "off"])
def test_what_is_written_is_what_is_read(values: ValuesChoice, dtp: str, layers: tuple[GemmLayer, ...]) -> None:
    """The codes in DRAM are those of the stored operands of QK, PV and the projection: heads, grouped, K transposed."""
    scenario = replace(_fused_block(layers, values=values), settings={**MACHINE, "dtp": dtp})
    prepared = prepare(scenario)
    assert isinstance(prepared, Prepared)
    held = prepared.values
    assert held is not None
    if values == "travel":
        run_reference(prepared.description, Recorder(TraceOptions("off")), held.workers)
    assert held.exact()
    qkv, qk, pv, out = prepared.layers
    planned = {each.plan.name: each for each in prepared.program.layers}
    found = []
    for layer in (qkv, pv):
        assert isinstance(layer, GemmLayer)
        for number, read in enumerate(layer.formats):
            features = read.rows(layer.repeat * layer.M).tolist()
            found.append(unpacked_outputs(planned[layer.name], number, read.format, features, piece_at(held)))
    q, k, v, heads = found
    assert np.array_equal(grouped_queries(q, SIZES), qk.activation)
    assert np.array_equal(key_weights(k, SIZES), qk.weight)
    assert np.array_equal(value_weights(v, SIZES), pv.weight)
    assert np.array_equal(joined_heads(heads.reshape(KV_HEADS, SIZE, -1), SIZES), out.activation)


def test_each_fetch_waits_for_the_format_that_it_reads(layers: tuple[GemmLayer, ...]) -> None:
    """Queries, keys and values are fetched once their last tile has been written as such, and not later."""
    prepared = prepare(_fused_block(layers, values="off"))
    assert isinstance(prepared, Prepared)
    assert_waits(prepared.program)
    written, needed = needed_outputs(prepared.program)
    # Features end at 160, 240 and 320, tiles at each 32: of ten rows of tiles one has both keys and values.
    assert sum(layer == "qkv" for layer, *_ in written) == (10 + 1) * 3
    forms = {(tile.layer, tile.operand, form) for tile, some in needed.items() for _, _, _, form in some}
    assert forms == {("qk", "x", 0), ("qk", "w", 1), ("pv", "x", 0), ("pv", "w", 2), ("out", "x", 0)}


_SCRIPT = """
from panacea_sim import Scenario

layers = tuple("{folder}/" + name + ".npz" for name in ("qk", "pv"))
scenario = Scenario("heads", layers, settings={machine})
"""


@NEEDS_NUMBA
def test_the_products_run_from_the_command_line(
    tmp_path: Path, layers: tuple[GemmLayer, ...], hashes: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """QK and PV in files run alone by `gemm`, together by `run`, and again from their scenario.yaml."""
    for layer in layers[3:5]:
        save_layer(replace(layer, output=None), tmp_path / f"{layer.name}.npz")
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(folder=tmp_path, machine=MACHINE), encoding="utf-8")
    settings = [part for name, value in MACHINE.items() for part in ("--set", f"hardware.{name}={value}")]
    alone, both, again = (str(tmp_path / name) for name in ("alone", "both", "again"))
    commands = [
        ["gemm", str(tmp_path / "qk.npz"), *settings, "--values", "travel", "--out", alone],
        ["run", str(script), "--schedule", "barrier", "--values", "check", "--workers", "1", "--out", both],
        ["run", f"{both}/scenario.yaml", "--workers", "1", "--out", again],
    ]
    for command in commands:
        assert main(command) == 0, capsys.readouterr().err
    for folder, wanted in ((alone, hashes[3:4]), (both, hashes[3:5]), (again, hashes[3:5])):
        summary = json.loads(Path(folder, "summary.json").read_text(encoding="utf-8"))
        assert summary["exact"] is True
        assert [layer["output_sha256"] for layer in summary["layers"]] == wanted
        assert [layer["repeat"] for layer in summary["layers"]] == [2] * len(wanted)
    first, second = (load_scenario(Path(folder, "scenario.yaml")) for folder in (both, again))
    assert isinstance(first, Scenario)
    assert isinstance(second, Scenario)
    assert first.digest() == second.digest()
