"""Runs of schema 1 stay readable: data/schema_1 is one that the last version of that schema wrote."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from panacea_sim.api.run import Run
from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.running.scenario import load_scenario
from panacea_sim.trace.stored_run import open_run

_FOLDER = Path(__file__).parent / "data" / "schema_1"


@pytest.mark.parametrize("table", ["activities", "queues", "dram"])
def test_its_tables_are_as_they_were(table: str) -> None:
    """Every stored column is there with its values; columns that came later are null."""
    found, stored = open_run(_FOLDER).dataset(table).to_table(), pq.read_table(_FOLDER / f"{table}.parquet")
    assert found.select(stored.column_names).to_pydict() == stored.to_pydict()
    for name in set(found.column_names) - set(stored.column_names):
        assert found[name].null_count == stored.num_rows > 0


def test_a_notebook_opens_it() -> None:
    """Its figures and rows are there in a notebook; that it has no postings is told."""
    run = Run.open(_FOLDER)
    assert run.summary["makespan_cycles"] == 305
    assert len(run.intervals) > 0
    with pytest.raises(ConfigError, match=r"no postings\.parquet"):
        run.stored.dataset("postings")


def test_it_has_no_topology() -> None:
    """What needs to know what joins the components refuses it, and says what to do."""
    with pytest.raises(ConfigError, match=r"a run of schema 1, which has no topology.*Run the scenario again"):
        _ = open_run(_FOLDER).topology


@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("table", [[], ["--queues"], ["--dram"]])
def test_inspect_opens_it(form: str, table: list[str]) -> None:
    """Its tables are listed in every form."""
    assert main(["inspect", str(_FOLDER), *table, "--format", form]) == 0


def test_timeline_and_picture_open_it(tmp_path: Path) -> None:
    """Its timeline and its picture are written."""
    assert main(["timeline", str(_FOLDER), "--html", str(tmp_path / "timeline.html")]) == 0
    assert main(["picture", str(_FOLDER), "--out", str(tmp_path / "picture.svg")]) == 0
    assert all((tmp_path / name).stat().st_size for name in ("timeline.html", "picture.svg"))


def test_its_scenario_is_read() -> None:
    """scenario.yaml of schema 1 gives a scenario that can run again."""
    assert load_scenario(_FOLDER / "scenario.yaml")
