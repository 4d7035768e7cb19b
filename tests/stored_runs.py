"""Small run folders for the tests of what reads them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from panacea_sim.description.parts import Memory
from panacea_sim.engines.choice import Engine
from panacea_sim.running import prepare as preparation
from panacea_sim.running.mapping_choice import Candidate
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.trace.summary import LayerName, PartialSummary, TraceSummary
from panacea_sim.workload.synthetic import synthetic_layer

__all__ = ["RUNS", "bare_run", "let_memory_be_small", "one_layer_run", "rows", "small_run"]


def let_memory_be_small(monkeypatch: pytest.MonkeyPatch, name: str, capacity_bytes: int) -> None:
    """Let the machines of the next runs have less memory than they were planned for, so that they stand still."""
    choose_mapping = preparation.choose_mapping

    def with_less(*arguments: Any) -> Candidate:  # noqa: ANN401  # those of choose_mapping
        mapped = choose_mapping(*arguments)
        machine = mapped.description
        assert machine is not None
        memories = tuple(Memory(name, capacity_bytes) if each.name == name else each for each in machine.memories)
        return replace(mapped, description=replace(machine, memories=memories))

    monkeypatch.setattr(preparation, "choose_mapping", with_less)


def one_layer_run(folder: Path, layer: str) -> Path:
    """Make a run of one layer of this name and return its folder."""
    operands = synthetic_layer(name=layer, M=70, K=40, N=20, rho_w=0.3, rho_x=0.6, seed=3)
    run(Scenario("small", operands, values=False), RunOptions(folder, engine="reference"))
    return folder


def small_run(
    folder: Path, trace: TraceOptions | None = None, engine: Engine = "reference", **settings: object
) -> StoredRun:
    """Return a run of two layers of several tiles, some of which stall."""
    layers = tuple(
        synthetic_layer(name=f"layer <{number}> & $x$", M=140, K=70, N=40, rho_w=0.3, rho_x=0.6, seed=number)
        for number in range(2)
    )
    scenario = Scenario("small <b>", layers, settings=settings, values=False)
    run(scenario, RunOptions(folder, trace=trace or TraceOptions(), engine=engine))
    return open_run(folder)


def _partial(folder: Path) -> StoredRun:
    """Return a run as an interruption leaves it: tables, and a summary without figures."""
    whole = small_run(folder / "whole")
    names = ("schema", "scenario", "engine", "hardware", "clock_hz", "trace", "topology")
    summary = {key: whole.heading.to_json()[key] for key in names}
    summary |= {"partial": True, "layers": [{"name": name} for name in whole.layer_names]}
    shutil.copytree(whole.path, folder / "cut.partial")
    (folder / "cut.partial" / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return open_run(folder / "cut")


def bare_run(
    folder: Path, sections: dict[str, str], layers: Sequence[str], window: tuple[int, int] | None = None
) -> StoredRun:
    """Return a partial run of an early version of which nothing is known but the names of its parts."""
    trace = TraceSummary(level="full", window=window)
    names = tuple(LayerName(name=name) for name in layers)
    heading = PartialSummary(
        scenario="bare", engine="reference", hardware="panacea", clock_hz=10**9, trace=trace, layers=names
    )
    return StoredRun(folder, heading, tuple(layers), sections)


RUNS: dict[str, Callable[[Path], StoredRun]] = {
    "full": lambda folder: small_run(folder / "run"),
    "compiled": lambda folder: small_run(folder / "run", engine="compiled"),
    "stalls": lambda folder: small_run(folder / "run", TraceOptions("stalls")),
    "window": lambda folder: small_run(folder / "run", TraceOptions(window=(900, 1300))),
    "700 MHz": lambda folder: small_run(folder / "run", clock_hz=700_000_000),
    "ideal": lambda folder: small_run(folder / "run", dram="ideal", dram_channels=1),
    "partial": _partial,
}
"""The kinds of runs that everything that reads runs must accept."""


def rows(run: StoredRun, table: str) -> list[dict[str, Any]]:
    """Return all rows of a table."""
    found: list[dict[str, Any]] = run.dataset(table).to_table().to_pylist()
    return found
