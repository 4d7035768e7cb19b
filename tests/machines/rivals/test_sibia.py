"""The steps and bytes of sibia, counted a second time vector by vector."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import event, given
from hypothesis import strategies as st
from naive_work import Cut, rounded_up, stored_weights, weight_size
from real_layers import real_layer

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.sibia.work import SibiaWork, sibia_work_of
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import load_layer
from panacea_sim.workload.synthetic import synthetic_layer

_SHARES = st.sampled_from([0.0, 0.5, 0.95, 1.0])


def _hardware(**settings: object) -> Hardware:
    return load_hardware("sibia", {"dram": "ideal", "dram_channels": 1} | settings)


def _transposed(layer: GemmLayer) -> GemmLayer:
    """Return the layer whose 7-bit weights are the activations of this one, their columns as rows."""
    return replace(
        layer,
        weight=layer.activation.T.astype(np.int8),
        activation=layer.weight.T.astype(np.int8),
        weight_bits=7,
        weight_scale=1.0,
    )


@st.composite
def _operands(draw: st.DrawFn) -> GemmLayer:
    """Draw an own layer of sibia with runs of zeros that need fillers, around the ends of tiles."""
    m, k, n = (draw(st.integers(1, most)) for most in (10, 90, 10))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))

    def codes(shape: tuple[int, int], share: float) -> np.ndarray:
        small = np.repeat(generator.random((1, shape[1])) < share, shape[0], 0)
        return np.where(small, generator.integers(-8, 8, shape), generator.integers(-63, 64, shape)).astype(np.int8)

    return GemmLayer("layer", codes((m, k), draw(_SHARES)), codes((n, k), draw(_SHARES)).T, 0)


def _stored_share(layer: GemmLayer, v: int) -> float:
    """Return the share of the HO vectors of the weights that hold something else than zeros."""
    groups = [range(first, min(first + v, layer.M)) for first in range(0, layer.M, v)]
    vectors = [stored_weights(layer, rows, range(k, k + 1)) for rows in groups for k in range(layer.K)]
    return sum(streams[0][0] for streams in vectors) / len(vectors)


@at_most(60)
@given(_operands(), st.sampled_from([1, 2, 4]), st.integers(1, 3), st.sampled_from([7, 16, 32, 64]))
def test_steps_and_bytes_are_those_of_plain_counting(layer: GemmLayer, v: int, n_pea: int, tile_k: int) -> None:
    """Steps are the sum over k of (1 + w_k)(G + x_k); the coded operand has fillers, the raw one all vectors."""
    cut = Cut(v, v * n_pea, tile_k, 2 * v)
    hardware = _hardware(v=v, n_pea=n_pea, tile_k=tile_k, tile_n=cut.tile_n)
    work = sibia_work_of(machine_of(hardware).work(layer, hardware, None))
    other = _transposed(layer)
    raw = "x" if _stored_share(layer, v) < _stored_share(other, v) else "w"
    event(f"raw: {raw}")
    assert work.raw == raw
    for (m, pea, n, k), found in np.ndenumerate(work.steps):
        assert found == _plain_steps((layer, other), raw, cut, (int(m), int(pea), int(n), int(k)))
    _check_bytes(work, (layer, other), raw, cut)


def _plain_steps(operands: tuple[GemmLayer, GemmLayer], raw: str, cut: Cut, at: tuple[int, int, int, int]) -> int:
    m, pea, n, k = at
    layer, other = operands
    depth = range(k * cut.tile_k, min((k + 1) * cut.tile_k, layer.K))
    first = m * cut.tile_m + pea * cut.v
    if first >= layer.M:
        return 0
    columns = range(n * cut.tile_n, min((n + 1) * cut.tile_n, layer.N))
    rows = [range(first, min(first + cut.v, layer.M))]
    groups = [range(start, min(start + cut.v, columns.stop)) for start in columns[:: cut.v]]
    weight = [stream for group in rows for stream in _streams(layer, group, depth, is_raw=raw == "w")]
    activation = [stream for group in groups for stream in _streams(other, group, depth, is_raw=raw == "x")]
    return sum(
        (1 + sum(stream[at_k] for stream in weight)) * (len(groups) + sum(stream[at_k] for stream in activation))
        for at_k in range(len(depth))
    )


def _streams(layer: GemmLayer, rows: range, depth: range, *, is_raw: bool) -> list[list[bool]]:
    return [[True] * len(depth)] if is_raw else stored_weights(layer, rows, depth)


@at_most(60)
@given(_operands(), st.sampled_from([1, 2, 4]), st.integers(1, 3), st.sampled_from([7, 32]))
def test_single_slices_of_activations_are_packed(layer: GemmLayer, v: int, n_pea: int, tile_k: int) -> None:
    """Steps are the sum over k of (1 + w_k)(G + ceil(slices that are not zero / v)); bytes stay as they are."""
    cut = Cut(v, v * n_pea, tile_k, 2 * v)
    settings = {"v": v, "n_pea": n_pea, "tile_k": tile_k, "tile_n": cut.tile_n}
    off, on = (
        sibia_work_of(machine_of(hardware).work(layer, hardware, None))
        for hardware in (_hardware(**settings), _hardware(**settings, single_slices="on"))
    )
    assert np.array_equal(off.weight.total, on.weight.total)
    assert np.array_equal(off.activation.total, on.activation.total)
    event(f"raw: {on.raw}")
    if on.raw == "x":
        assert np.array_equal(off.steps, on.steps)
        return
    for (m, pea, n, k), found in np.ndenumerate(on.steps):
        columns = range(n * cut.tile_n, min((n + 1) * cut.tile_n, layer.N))
        depth = range(k * tile_k, min((k + 1) * tile_k, layer.K))
        there = m * cut.tile_m + pea * v < layer.M
        # The HO slice of a code is zero from -8 to 7.
        there_at = [sum(not -8 <= int(layer.activation[at, n]) <= 7 for n in columns) for at in depth]
        packed = [rounded_up(each, v) for each in there_at]
        assert found == there * sum(2 * (rounded_up(len(columns), v) + each) for each in packed)


@pytest.mark.parametrize(("name", "share"), [("ffn1_dbs", 0.995), ("out_dbs", 0.935), ("qkv_dbs", 0.923)])
def test_single_slices_of_real_layers(name: str, share: float) -> None:
    """On layers of MiniLM a few percent of the steps are those of single zero slices."""
    layer = load_layer(real_layer(f"minilm_l3_{name}"))
    kind = machine_of(load_hardware("sibia"))
    off, on = (
        int(sibia_work_of(kind.work(kind.own(layer), hardware, None)).steps.sum(dtype=np.int64))
        for hardware in (load_hardware("sibia", {"single_slices": each}) for each in ("off", "on"))
    )
    assert on / off == pytest.approx(share, abs=5e-4)


def test_masks_say_nothing_of_slices() -> None:
    """A layer without operands is refused where single slices are skipped."""
    hardware = _hardware(single_slices="on")
    with pytest.raises(ConfigError, match=r"skip masks in 'l'; accepted: operands, with hardware\.single_slices = on"):
        machine_of(hardware).work(MaskedLayer("l", 64, 64, 64, 0.1, 0.9, 0), hardware, None)


def _check_bytes(work: SibiaWork, operands: tuple[GemmLayer, GemmLayer], raw: str, cut: Cut) -> None:
    """Assert that the coded operand has LO slices and a run-length code, and the raw one two slices an element."""
    of_columns = Cut(cut.v, cut.tile_n, cut.tile_k, cut.tile_m)
    for operand, layer, tiles, own_cut in (
        ("w", operands[0], work.weight, cut),
        ("x", operands[1], work.activation, of_columns),
    ):
        for (row, k), found in np.ndenumerate(tiles.total):
            depth = min(cut.tile_k, layer.K - k * cut.tile_k)
            lanes = rounded_up(min(own_cut.tile_m, layer.M - row * own_cut.tile_m), cut.v) * cut.v
            size = weight_size(layer, own_cut, int(row), int(k))
            wanted = (0, lanes * depth) if raw == operand else (size.ho, size.total)
            assert (tiles.ho[row, k], found) == wanted


@pytest.mark.parametrize(
    ("name", "cycles"),
    [("ffn1_dbs", 49_824), ("out_dbs", 14_922), ("qkv_dbs", 43_956), ("out_plain", 15_642), ("qkv_plain", 42_570)],
)
def test_real_layers(name: str, cycles: int) -> None:
    """The busiest PEA on layers of MiniLM; for the `dbs` ones other code had counted these cycles before."""
    hardware = load_hardware("sibia")
    kind = machine_of(hardware)
    layer = load_layer(real_layer(f"minilm_l3_{name}"))
    work = sibia_work_of(kind.work(kind.own(layer), hardware, None))
    assert work.raw == "w"
    assert kind.least_cycles(work, hardware, 1) == cycles


def test_a_tie_skips_activations() -> None:
    """Where both operands have as many zero vectors, those of the activations are skipped."""
    hardware = _hardware()
    for rho_w, rho_x, raw in ((0.0, 0.0, "w"), (1.0, 1.0, "w"), (1.0, 0.5, "x"), (0.5, 1.0, "w")):
        work = machine_of(hardware).work(MaskedLayer("layer", 64, 64, 64, rho_w, rho_x, 0), hardware, None)
        assert sibia_work_of(work).raw == raw


def test_dense_slices_are_four_products() -> None:
    """Nothing to skip costs what bitfusion costs with 8 bits, everything of one operand half of it."""
    dense, sparse = (
        int(
            sibia_work_of(
                machine_of(_hardware()).work(MaskedLayer("l", 64, 32, 64, 0, share, 0), _hardware(), None)
            ).steps.sum()
        )
        for share in (0.0, 1.0)
    )
    assert (dense, sparse) == (16 * 4 * 32 * 16, 16 * 2 * 32 * 16)


def test_four_bit_weights_have_no_ho_slice() -> None:
    """They meet the slices of the activations only, which skip: half of the steps of weights of 7 bits."""
    hardware = _hardware()
    works = [
        machine_of(hardware).work(MaskedLayer("layer", 64, 32, 64, 0.0, 0.0, 0, weight_bits=bits), hardware, None)
        for bits in (4, 7, 10)
    ]
    assert [int(sibia_work_of(work).steps.sum()) for work in works] == [16 * each * 32 * 16 for each in (2, 4, 4)]


def test_what_a_run_says_is_skipped() -> None:
    """The share of skipped vectors of the raw operand is 0: it skips none."""
    layer = synthetic_layer(40, 50, 30, rho_w=0.9, rho_x=0.1, seed=1)
    hardware = _hardware()
    kind = machine_of(hardware)
    work = kind.work(kind.own(layer), hardware, None)
    assert sibia_work_of(work).raw == "x"
    assert work.stored_x.rho == 0.0
    assert work.stored_w.rho == pytest.approx(0.9, abs=0.1)


@pytest.mark.parametrize("rho_w", [0.0, 0.2, (0.9, 0.1)])
def test_a_raw_weight_has_a_density_that_decides_nothing(rho_w: float | tuple[float, float]) -> None:
    """Layers that differ in it alone have one digest and the same figures; where it may skip, they have two."""
    two_slices = isinstance(rho_w, tuple)
    layer = MaskedLayer("layer", 70, 64, 80, rho_w, 0.8, seed=3, weight_bits=10 if two_slices else 7)
    other = replace(layer, rho_w=(0.1, 0.05) if two_slices else 0.05)
    near = replace(layer, rho_w=(0.0, 0.75) if two_slices else 0.75)
    one, two, three = (Scenario("net", each, "sibia", values=False) for each in (layer, other, near))
    assert one.digest() == two.digest() != three.digest()
    first, second = (run(each, RunOptions(trace=TraceOptions("off"))).summary for each in (one, two))
    assert first.components == second.components
    assert first.layers == second.layers
    assert first.operations == second.operations
    of_panacea = {Scenario("net", each, "panacea", values=False).digest() for each in (layer, other)}
    assert len(of_panacea) == 2
