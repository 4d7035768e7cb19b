"""What a network says of layers with operands: it decides cycles, scenario.yaml keeps it, and layer files never do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import Summary
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer_file import stored_layer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import load_layer, save_layer
from panacea_sim.workload.surroundings import Surroundings
from panacea_sim.workload.synthetic import synthetic_layer

PANACEA = load_hardware("panacea")
PLAIN = synthetic_layer(32, 40, 24, 0.3, 0.5, 1)
IN_NETWORK = Surroundings(4, kind="qk", block="b0")


def _run(layer: Any, folder: Path | None = None) -> Summary:  # noqa: ANN401  # any layer
    scenario = Scenario("any", layer, PANACEA, values="off" if isinstance(layer, MaskedLayer) else "travel")
    return run(scenario, RunOptions(folder, trace=NO_TRACE, engine="reference")).summary


def _two_products(**said: Any) -> GemmLayer:  # noqa: ANN401  # fields of Surroundings
    weight = np.random.default_rng(1).integers(-60, 60, (2, 16, 32)).astype(np.int8)
    activation = np.random.default_rng(2).integers(0, 250, (2, 32, 16)).astype(np.uint8)
    return GemmLayer("two", weight, activation, 7, surroundings=Surroundings(**said))


def test_passes_are_work_of_the_ppu() -> None:
    """Four passes cost the PPU as much as those of a layer without operands."""
    once, often = _run(PLAIN), _run(replace(PLAIN, surroundings=IN_NETWORK))
    masked = _run(MaskedLayer("masked", 32, 40, 24, 0.3, 0.5, 1, passes=4))
    assert often.exact is True
    assert often.components["ppu"][State.BUSY] == masked.components["ppu"][State.BUSY]
    assert often.components["ppu"][State.BUSY] > once.components["ppu"][State.BUSY]


def test_products_in_sequence_wait_for_each_other() -> None:
    """Each product begins when the outputs of the one before have been written, and values stay exact."""
    together, behind = _run(_two_products()), _run(_two_products(sequential=True))
    assert behind.exact is True
    assert behind.makespan_cycles > together.makespan_cycles


def test_a_run_folder_keeps_them(tmp_path: Path) -> None:
    """What is not as usual stands in scenario.yaml beside the operands, and a run of it has the same digest."""
    layer = replace(PLAIN, surroundings=IN_NETWORK)
    summary = _run(layer, tmp_path / "run")
    assert (summary.layers[0].kind, summary.layers[0].block) == ("qk", "b0")
    (entry,) = yaml.safe_load((tmp_path / "run/scenario.yaml").read_text("utf-8"))["layers"]
    assert entry["network"] == {"passes": 4, "kind": "qk", "block": "b0"}
    again = load_scenario(tmp_path / "run/scenario.yaml")
    assert isinstance(again, Scenario)
    assert again.known_layers()[0].passes == 4
    assert again.digest() == Scenario("any", layer, PANACEA, values="travel").digest()


@pytest.mark.parametrize(
    ("said", "counts"), [({"passes": 2}, True), ({"sequential": True}, True), ({"kind": "k"}, False)]
)
def test_what_decides_cycles_counts_for_the_digest(said: dict[str, Any], counts: bool) -> None:  # noqa: FBT001
    """Labels are for people."""
    changed = Scenario("any", replace(PLAIN, surroundings=Surroundings(**said)), PANACEA).digest()
    assert (changed != Scenario("any", PLAIN, PANACEA).digest()) is counts


def test_layer_files_know_no_network(tmp_path: Path) -> None:
    """They are not saved with a layer, but a layer that is stored for a run has them beside its file."""
    layer = replace(PLAIN, surroundings=IN_NETWORK)
    with pytest.raises(
        ConfigError, match=r"^layer\.surroundings: found Surroundings\(passes=4.*Save dataclasses\.repl"
    ):
        save_layer(layer, tmp_path / "layer.npz")
    stored = stored_layer(layer, tmp_path / "layer.npz")
    assert (stored.passes, stored.sequential, stored.kind, stored.block) == (4, False, "qk", "b0")
    assert stored.load().surroundings == IN_NETWORK
    assert load_layer(tmp_path / "layer.npz").passes == 1


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"passes": 0}, r"^layer\.passes: found 0"),
        ({"sequential": 1}, r"^layer\.sequential: found 1"),
        ({"kind": 3}, r"^layer\.kind: found 3; accepted: text"),
        ({"block": None}, r"^layer\.block: found None; accepted: text"),
    ],
)
def test_what_cannot_be_said(said: dict[str, Any], message: str) -> None:
    """Passes are counts, labels are text."""
    with pytest.raises(ConfigError, match=message):
        Surroundings(**said)
