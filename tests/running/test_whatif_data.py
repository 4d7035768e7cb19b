"""What-if with other data: the width of the LO field and the zero point, with the error that they cost."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.whatif.base import Base
from panacea_sim.running.whatif.data_knobs import changed_data, sqnr_db
from panacea_sim.running.whatif.explore import Exploration
from panacea_sim.running.whatif.store import opened_store
from panacea_sim.running.whatif.variants import variants_of
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

HARDWARE = load_hardware("panacea", {"n_pea": 2, "tile_k": 8, "tile_n": 8})
QUIET = RunOptions(trace=TraceOptions("off"))


def _layer(zero_point: int = 100, name: str = "real") -> GemmLayer:
    random = np.random.default_rng(3)
    weight = random.integers(-60, 60, (24, 40)).astype(np.int8)
    activation = np.clip(random.normal(zero_point, 12, (40, 20)).round(), 0, 255).astype(np.uint8)
    scales = random.uniform(0.01, 0.1, 24)
    return GemmLayer(name, weight, activation, zero_point, weight_scale=scales, activation_scale=0.03)


def _naive_sqnr_db(layer: GemmLayer, wanted: GemmLayer) -> float:
    """Compute the error of a layer number by number: what is left of each code, and the middle of what was dropped."""
    signal = noise = 0.0
    step = 1 << (layer.lo_bits - 4)
    for m in range(layer.M):
        for n in range(layer.N):
            exact = got = 0.0
            for k in range(layer.K):
                exact += int(layer.weight[m, k]) * (int(wanted.activation[k, n]) - wanted.zero_point)
                kept = int(layer.activation[k, n]) // step * step + (step - 1) / 2
                got += int(layer.weight[m, k]) * (kept - layer.zero_point)
            scale = float(np.broadcast_to(layer.weight_scale, (layer.M,))[m]) * layer.activation_scale
            signal += (scale * exact) ** 2
            noise += (scale * (got - exact)) ** 2
    return 10 * math.log10(signal / noise)


def test_turns_of_one_layer() -> None:
    """Both other widths and the centred zero point, each with its error; at l = 4 nothing is lost."""
    layer = _layer()
    found = changed_data([layer])
    assert [(each.knob, each.before, each.after) for each in found.tried] == [
        ("lo_bits", "4", "5"),
        ("lo_bits", "4", "6"),
        ("zero_point", "100", "104"),
    ]
    assert (found.sqnr_db, found.not_tried) == (None, ())
    five, six, moved = (each.layers[0] for each in found.tried)
    assert (five.lo_bits, six.lo_bits, moved.zero_point) == (5, 6, 104)
    assert np.array_equal(moved.activation, layer.activation + 4)
    assert moved.frequent == (104 >> 4,)
    assert found.tried[2].sqnr_db is None
    for each in found.tried[:2]:
        assert each.sqnr_db == pytest.approx(_naive_sqnr_db(each.layers[0], layer))


def test_codes_that_leave_their_range_saturate() -> None:
    """A zero point near the end pushes the highest codes over it, and the error says so."""
    layer = _layer(zero_point=242)
    (moved,) = [each for each in changed_data([layer]).tried if each.knob == "zero_point"]
    assert moved.after == "248"
    assert moved.layers[0].activation.max() == 255
    assert moved.sqnr_db == pytest.approx(_naive_sqnr_db(moved.layers[0], layer))


def test_the_base_may_lose_something_itself() -> None:
    """Its own l is compared with the whole codes; the narrowest one loses nothing."""
    layer = replace(_layer(), lo_bits=5, bias=np.full(24, 7.0))
    found = changed_data([layer])
    assert found.sqnr_db == pytest.approx(_naive_sqnr_db(layer, layer))
    four, six, _ = found.tried
    assert (four.after, four.sqnr_db) == ("4", None)
    assert six.sqnr_db is not None
    assert found.sqnr_db is not None
    assert six.sqnr_db < found.sqnr_db


def test_several_layers_change_together() -> None:
    """The error is that of the worst."""
    layers = [_layer(), replace(_layer(56, "other"), lo_bits=5)]
    found = changed_data(layers)
    assert [(each.before, each.after) for each in found.tried] == [
        ("4, 5", "4"),
        ("4, 5", "5"),
        ("4, 5", "6"),
        ("100, 56", "104, 48"),
    ]
    six = found.tried[2]
    assert [each.lo_bits for each in six.layers] == [6, 6]
    worst = min(_naive_sqnr_db(each, layer) for each, layer in zip(six.layers, layers, strict=True))
    assert six.sqnr_db == pytest.approx(worst)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([MaskedLayer("masked", 8, 8, 8, 0.5, 0.5, 1)], "it needs operands, and layers have skip masks only"),
        ([replace(_layer(), activation_bits=12)], "it is a matter of unsigned activations of 8 bits"),
        (
            [GemmLayer("signed", np.ones((2, 2), np.int8), np.ones((2, 2), np.int8), 0)],
            "it is a matter of unsigned activations of 8 bits",
        ),
    ],
    ids=["masks", "12 bits", "signed"],
)
def test_layers_without_these_knobs(layers: list[GemmLayer | MaskedLayer], reason: str) -> None:
    """They are listed as not tried, with the reason, which is also what --knob says."""
    found = changed_data(layers)
    assert found.tried == ()
    assert [(each.knob, each.reason) for each in found.not_tried] == [("lo_bits", reason), ("zero_point", reason)]
    with pytest.raises(ConfigError, match=rf"--knob: found 'lo_bits', which is not tried: {reason}; accepted: "):
        variants_of(HARDWARE, ["lo_bits"], layers)


def test_chains_are_left_alone() -> None:
    """What a layer reads is what another writes."""
    first = synthetic_layer(8, 8, 8, 0.5, 0.5, seed=1, name="first")
    first = replace(first, output=calibrated_output(first))
    second = following(first, "second", np.ones((4, 8), np.int8))
    (reason,) = {each.reason for each in changed_data([first, second]).not_tried}
    assert reason == "layers read what others write: quantize the whole chain anew"


def test_a_centred_zero_point_stays() -> None:
    """There is nothing to move."""
    found = changed_data([_layer(zero_point=104)])
    assert [each.knob for each in found.tried] == ["lo_bits", "lo_bits"]
    assert [(each.knob, each.reason) for each in found.not_tried] == [
        ("zero_point", "it is in the centre of its bucket already")
    ]


def test_nothing_lost_is_no_number() -> None:
    """Not even where all outputs are zero."""
    layer = replace(_layer(), weight=np.zeros((24, 40), np.int8))
    assert sqnr_db(layer, np.zeros((24, 20))) is None
    assert changed_data([layer]).tried[0].sqnr_db is None


def test_rows_are_runs_with_the_changed_layers(tmp_path: Path) -> None:
    """From a file or in memory; a data knob is in no pair, costs nothing and keeps its record."""
    layer = _layer()
    save_layer(layer, tmp_path / "layer.npz")
    rows = []
    for given in (layer, tmp_path / "layer.npz"):
        scenario = Scenario("data", given, HARDWARE, values=False)
        variants = variants_of(HARDWARE, ["lo_bits", "zero_point", "n_dwo", "n_pea"], scenario.known_layers())
        with opened_store(Base(scenario, Path("unused")), tmp_path / "out") as store:
            found = Exploration(Base(scenario, Path("unused")), variants, store, 1).run(lambda _done, _known: None)
        rows.append(found.rows)
    assert rows[0] == rows[1]
    data = found.of_kind("data")
    assert {row.knob for row in data} == {"lo_bits", "zero_point"}
    assert not any(row.knob in pair.knob for row in data for pair in found.of_kind("pair"))
    turns = {(each.knob, each.after): each for each in changed_data([layer]).tried}
    for row in data:
        turn = turns[row.knob, str(row.after)]
        wanted = run(Scenario("by hand", turn.layers, HARDWARE, values=False), QUIET).summary.makespan_cycles
        assert row.cycles_planned == wanted
        assert row.sqnr_db == turn.sqnr_db
        assert row.cost is not None
        assert (row.cost.multipliers, row.cost.sram_bytes, row.cost.dram_bytes_per_cycle) == (0, 0, 0)
    assert len({row.cycles_planned for row in data}) > 1
