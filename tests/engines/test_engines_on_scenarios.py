"""Both engines give the same figures and, row for row, the same trace on every scenario that comes with the project."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from panacea_sim.engines.choice import Engine
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, Study, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import TABLES

pytest.importorskip("numba")

SCENARIOS = Path(__file__).parents[2] / "scenarios"
NETWORK = SCENARIOS / "opt_2_7b_prefill.py"
ENGINES: tuple[Engine, Engine] = ("reference", "compiled")


def _scenarios() -> list[Scenario]:
    found: list[Scenario] = []
    for path in sorted(SCENARIOS.glob("*.py")):
        if path != NETWORK:
            loaded = load_scenario(path)
            found += loaded.scenarios if isinstance(loaded, Study) else [loaded]
    return found


def _figures(summary: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in summary.items() if key not in {"engine", "host_seconds"}}


def _plain(table: pa.Table) -> pa.Table:
    """Return the table with names as text: the numbers that stand for them may differ."""
    kinds = [pa.string() if pa.types.is_dictionary(field.type) else field.type for field in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


@pytest.mark.slow
@pytest.mark.parametrize("scenario", _scenarios(), ids=lambda scenario: scenario.name)
def test_engines_agree_on_a_scenario(scenario: Scenario, tmp_path: Path) -> None:
    """Without values both engines write the same summary and the same three tables."""
    without_values = replace(scenario, values=False)
    summaries = [
        run(without_values, RunOptions(tmp_path / engine, engine=engine)).summary.to_json() for engine in ENGINES
    ]
    assert [summary["engine"] for summary in summaries] == list(ENGINES)
    assert _figures(summaries[0]) == _figures(summaries[1])
    for table in TABLES:
        slow, fast = (_plain(pq.read_table(tmp_path / engine / f"{table}.parquet")) for engine in ENGINES)
        assert slow.num_rows > 0
        assert slow.equals(fast)


@pytest.mark.slow
def test_engines_agree_on_a_block_of_a_network() -> None:
    """The six layers of a block a quarter as wide, on 64 tokens, give the same summary layer by layer."""
    scenario = runpy.run_path(str(NETWORK))["opt"](blocks=1, tokens=64)
    scenario = replace(
        scenario, layer=tuple(replace(layer, M=layer.M // 4, K=layer.K // 4) for layer in scenario.layers)
    )
    options = RunOptions(trace=TraceOptions("off"))
    summaries = [run(scenario, replace(options, engine=engine)).summary.to_json() for engine in ENGINES]
    assert summaries[0]["tiles"] == 2_400
    assert _figures(summaries[0]) == _figures(summaries[1])
