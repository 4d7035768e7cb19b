"""The engine that is to run a small layer also simulates the mappings that are near the best."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.engines.result import EngineResult
from panacea_sim.running import prepare as preparation
from panacea_sim.running.prepare import planned_alone, prepare, work_of
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

LAYER = synthetic_layer(90, 130, 70, 0.1, 0.9, 5)
SCENARIO = Scenario("choice", LAYER, values=False)


def test_both_engines_choose_the_same_mapping() -> None:
    """The choice does not depend on the engine, because the engines are equal."""
    pytest.importorskip("numba")
    plans = [prepare(SCENARIO, engine).program.layers[0].plan for engine in ("reference", "compiled")]
    assert len({(plan.order, plan.height) for plan in plans}) == 1


@pytest.mark.parametrize("values", [False, True])
def test_the_engine_that_runs_simulates_mappings(values: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    """With the reference engine asked for, or values on, no other one is taken for planning."""
    counts: dict[str, int] = {"reference": 0, "compiled": 0}

    def counting(engine: ChosenEngine, *arguments: Any) -> EngineResult:  # noqa: ANN401  # those of the engine
        counts[engine] += 1
        return run_reference(*arguments)

    monkeypatch.setattr(preparation, "run_engine", counting)
    prepare(replace(SCENARIO, values=values), "auto" if values else "reference")
    assert (counts["reference"] > 1, counts["compiled"]) == (True, 0)
    hardware = prepare(SCENARIO, "reference").hardware
    engine: ChosenEngine
    for engine in ("reference", "compiled"):
        counts[engine] = 0
        planned_alone(LAYER, work_of(LAYER, hardware, values=False), hardware, engine, "layer", "off")
        assert counts[engine] > 1
