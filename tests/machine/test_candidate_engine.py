"""Which engine simulates the near candidates of a small layer."""

from __future__ import annotations

import sys

import pytest

from panacea_sim.hardware.config import load_hardware
from panacea_sim.machine import candidates
from panacea_sim.machine.reference import run_reference
from panacea_sim.scenario import Scenario
from panacea_sim.simulation import prepare
from panacea_sim.workload.synthetic import synthetic_layer


def _mapping() -> tuple[str, int]:
    layer = synthetic_layer(90, 130, 70, 0.1, 0.9, 5)
    plan = prepare(Scenario("choice", layer, load_hardware("panacea"), {}, values=False)).program.layers[0].plan
    return plan.order, plan.height


def test_few_tasks_do_not_import_the_compiled_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference engine is sooner done with few tasks, unless the compiled one is there already."""
    monkeypatch.delitem(sys.modules, "panacea_sim.machine.compiled", raising=False)
    assert candidates._engine(4_096) is run_reference
    assert "panacea_sim.machine.compiled" not in sys.modules


def test_without_numba_the_reference_engine_simulates_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice needs no extra to be installed."""
    monkeypatch.setattr(candidates, "find_spec", lambda _: None)
    assert candidates._engine(1_000_000) is run_reference


def test_both_engines_choose_the_same_mapping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice does not depend on what is installed, because the engines are equal."""
    compiled = pytest.importorskip("panacea_sim.machine.compiled")
    assert candidates._engine(1) is compiled.run_compiled
    chosen = _mapping()
    monkeypatch.setattr(candidates, "find_spec", lambda _: None)
    assert chosen == _mapping()
