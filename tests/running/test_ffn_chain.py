"""FFN1 -> GELU -> FFN2 of a real network, in values."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from panacea_sim.quant.activation_functions import activate
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.chain import chain_graph, following
from panacea_sim.workload.functional import functional_pass, real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.npz import load_layer

SCENARIOS = Path(__file__).parents[2] / "scenarios"


@pytest.fixture(scope="module")
def real_ffn2() -> GemmLayer:
    """Return FFN2 with the activations that floating point gave."""
    return load_layer("minilm_l3_ffn2_dbs")


@pytest.fixture(scope="module")
def chain(real_ffn2: GemmLayer) -> tuple[GemmLayer, GemmLayer]:
    """Return both layers, the second one behind the first."""
    form = OutputFormat(real_ffn2.activation_scale, real_ffn2.zero_point, lo_bits=real_ffn2.lo_bits, function="gelu")
    first = replace(load_layer("minilm_l3_ffn1_dbs"), name="ffn1", output=form)
    second = following(first, "ffn2", real_ffn2.weight, weight_scale=real_ffn2.weight_scale, bias=real_ffn2.bias)
    return first, second


def test_outputs_are_gelu_of_the_accumulators(chain: tuple[GemmLayer, GemmLayer]) -> None:
    """Against floating-point GELU of the same accumulators, 99 % of the outputs are equal and none is 2 steps off."""
    first, second = chain
    form = first.output
    assert form is not None
    real = activate("gelu", real_outputs(first, functional_pass(first).accumulator))
    rounded = (np.rint(real / form.scale) + form.zero_point).clip(0, 255)
    difference = np.abs(second.activation - rounded)
    assert difference.max() <= 1
    assert (difference == 0).mean() > 0.99


def test_chained_activations_are_near_the_real_ones(chain: tuple[GemmLayer, GemmLayer], real_ffn2: GemmLayer) -> None:
    """The network's own activations, computed without truncation, differ by rounding; as many vectors are skipped."""
    second = chain[1]
    difference = np.abs(second.activation.astype(int) - real_ffn2.activation)
    assert (difference == 0).mean() > 0.6
    assert (difference <= 1).mean() > 0.9
    assert difference.max() <= 12
    assert second.frequent == real_ffn2.frequent


def test_the_chain_links(chain: tuple[GemmLayer, GemmLayer]) -> None:
    """The second layer reads what the first one writes."""
    assert list(chain_graph(chain, [functional_pass(chain[0]), None]).edges) == [("ffn1", "ffn2")]


@pytest.mark.slow
def test_the_chain_is_exact_in_one_simulation(chain: tuple[GemmLayer, GemmLayer]) -> None:
    """Both layers run as one simulation and are exact bit for bit; the second one waits for the first, and overlaps."""
    scenario = load_scenario(SCENARIOS / "ffn_chain.py")
    assert isinstance(scenario, Scenario)
    summary = run(scenario, RunOptions(trace=TraceOptions("off"))).summary.to_json()
    assert summary["exact"] is True
    for layer, entry in zip(chain, summary["layers"], strict=True):
        wanted = functional_pass(layer).accumulator.astype("<i4").tobytes()
        assert (entry["name"], entry["output_sha256"]) == (layer.name, hashlib.sha256(wanted).hexdigest())
    first, second = summary["layers"]
    assert second["activation_bytes"] == first["output_bytes"]
    assert second["start_cycle"] < first["end_cycle"]
    assert {name for name, states in summary["components"].items() if states["waiting"]} == {"x_dma"}
