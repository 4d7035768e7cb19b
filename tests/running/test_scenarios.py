"""The scenarios that come with the project: each runs by itself and through the command, alike every time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from panacea_sim.commands.main import main
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, Study, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import TABLES

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def _study(name: str) -> dict[str, Scenario]:
    study = load_scenario(SCENARIOS / f"{name}.py")
    assert isinstance(study, Study)
    return {scenario.name: scenario for scenario in study.scenarios}


def _summary(scenario: Scenario) -> dict[str, Any]:
    return run(scenario, RunOptions(trace=TraceOptions("off"))).summary.to_json()


@pytest.mark.parametrize("path", sorted(SCENARIOS.glob("*.py")), ids=lambda path: path.stem)
def test_a_scenario_script_gives_a_scenario_of_its_name(path: Path) -> None:
    """Every script in scenarios/ offers a scenario or study, named like the file and described."""
    found = load_scenario(path)
    assert found.name == path.stem
    assert found.description


@pytest.mark.slow
def test_two_processes_give_the_same_files(tmp_path: Path) -> None:
    """The quickstart, started as a script with two hash seeds, gives the same tables, byte by byte, and summary."""
    started = [
        subprocess.Popen(
            [sys.executable, SCENARIOS / "quickstart.py", "--force", "--json", "--out", tmp_path / seed],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.DEVNULL,
        )
        for seed in ("1", "2")
    ]
    assert [process.wait(timeout=200) for process in started] == [0, 0]
    one, two = tmp_path / "1", tmp_path / "2"
    for table in TABLES:
        first, second = one / f"{table}.parquet", two / f"{table}.parquet"
        assert pq.read_table(first).equals(pq.read_table(second))
        assert first.read_bytes() == second.read_bytes()
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, two)]
    assert all(summary.pop("host_seconds") > 0 for summary in summaries)
    assert summaries[0] == summaries[1]
    assert (one / "scenario.yaml").read_bytes() == (two / "scenario.yaml").read_bytes()


@pytest.mark.slow
def test_contention_is_slower_and_bound_by_memory(tmp_path: Path) -> None:
    """With a quarter of the bandwidth the DRAM is busy nearly all the time and the PEAs starve."""
    assert main(["run", str(SCENARIOS / "contention.py"), "--out", str(tmp_path / "out"), "--trace", "stalls"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    makespan_cycles = summary["makespan_cycles"]
    assert summary["exact"] is True
    assert summary["dram"]["busy_cycles"] > 0.95 * makespan_cycles
    assert summary["components"]["pea0"]["starved"] > 0.25 * makespan_cycles


@pytest.mark.slow
def test_operator_split_finds_the_best_split() -> None:
    """All splits use twelve operators; four DWOs are too few, and with more of them two tiles share what is idle."""
    cycles = {}
    for name, scenario in _study("operator_split").items():
        summary = _summary(scenario)
        assert summary["exact"] is True
        operators = summary["operators"]
        assert operators["dwo_capacity"] + operators["swo_capacity"] == 12 * 16 * summary["makespan_cycles"]
        if name != "6_dwo_6_swo":  # balanced: there the two ways differ by a hair
            assert summary["layers"][0]["double_tile"] == (name != "4_dwo_8_swo")
        cycles[name] = summary["makespan_cycles"]
    shared = [cycles[name] for name in ("6_dwo_6_swo", "7_dwo_5_swo", "8_dwo_4_swo")]
    assert max(shared) < 1.02 * min(shared)
    assert cycles["4_dwo_8_swo"] > 1.4 * max(shared)


def test_small_batches_are_bound_by_memory() -> None:
    """One token keeps the DRAM busy and the PEAs starving."""
    scenarios = _study("small_batch")
    assert list(scenarios) == [f"{tokens}_tokens" for tokens in (1, 2, 4, 8, 16, 32, 64, 128)]
    summary = _summary(scenarios["1_tokens"])
    assert summary["exact"] is True
    assert summary["dram"]["busy_cycles"] > 0.95 * summary["makespan_cycles"]
    assert summary["components"]["pea0"]["starved"] > 0.5 * summary["makespan_cycles"]


@pytest.mark.slow
def test_large_batches_are_bound_by_compute() -> None:
    """128 tokens keep the PEAs busy."""
    summary = _summary(_study("small_batch")["128_tokens"])
    assert summary["components"]["pea0"]["busy"] > 0.9 * summary["makespan_cycles"]


@pytest.mark.slow
def test_overlapping_layers_win_and_lose() -> None:
    """64 tokens gain at the borders of layers, more where weights give way; one token loses, to refreshes too."""
    summaries = {name: _summary(scenario) for name, scenario in _study("network_schedules").items()}
    assert len({summary["tiles"] for name, summary in summaries.items() if name.startswith("64")}) == 1
    cycles = {name: summary["makespan_cycles"] for name, summary in summaries.items()}
    assert cycles["64_overlap_weights_last"] < cycles["64_overlap"] < cycles["64_barrier"]
    assert cycles["1_barrier"] < cycles["1_overlap"] < 1.13 * cycles["1_barrier"]
    assert summaries["1_barrier"]["dram"]["refreshes"] < summaries["1_overlap"]["dram"]["refreshes"]
