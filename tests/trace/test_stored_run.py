"""Run folders that are read."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.exporters.csv import write_csv
from panacea_sim.trace.exporters.perfetto import write_perfetto
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import ACTIVITIES
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.synthetic import synthetic_layer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small run."""
    target = tmp_path_factory.mktemp("runs") / "small"
    run(
        Scenario("small", synthetic_layer(name="layer", M=70, K=40, N=20, rho_w=0.3, rho_x=0.6, seed=3), values=False),
        RunOptions(target),
    )
    return target


def _changed(folder: Path, target: Path, **changes: object) -> Path:
    target.mkdir()
    (target / ".panacea-run").touch()
    summary = json.loads((folder / "summary.json").read_text()) | changes
    (target / "summary.json").write_text(json.dumps(summary))
    return target


def test_it_gives_summary_sections_and_tables(folder: Path) -> None:
    """The rows of a component are found by a filter, and its states add up to the makespan."""
    stored = open_run(folder)
    rows = stored.dataset("activities").to_table(filter=pc.field("component") == "pea3")
    cycles = pc.sum(pc.subtract(rows["end_cycle"], rows["start_cycle"])).as_py()
    assert (stored.name, stored.is_partial, cycles) == ("small", False, stored.summary.to_json()["makespan_cycles"])
    assert stored.sections["w_dma"] == stored.sections["dram0"] == "memory"
    assert list(stored.sections) == list(stored.summary.to_json()["components"])


def test_a_name_stands_for_its_partial_folder(folder: Path, tmp_path: Path) -> None:
    """NAME opens NAME.partial where only that is there."""
    _changed(folder, tmp_path / "run.partial", partial=True)
    assert open_run(tmp_path / "run").is_partial


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 99}, r"schema 99; accepted: schema 1 to 2\. It was written by a newer panacea_sim"),
        (
            {"study": "s", "runs": {"a": {}}},
            r"a study of several runs; accepted: the folder of one run\. None of its runs is there: run it again",
        ),
    ],
)
def test_what_it_cannot_read_it_says(folder: Path, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    """A newer schema and a study are refused with what to do."""
    with pytest.raises(ConfigError, match=message):
        open_run(_changed(folder, tmp_path / "run", **changes))


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    """A foreign folder, a missing one and a file are told apart."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="found a folder without a run; accepted: a run folder"):
        open_run(tmp_path)
    with pytest.raises(ConfigError, match="found no such folder"):
        open_run(tmp_path / "nothing")
    with pytest.raises(ConfigError, match="found a file"):
        open_run(tmp_path / "file")


def test_a_run_of_an_earlier_version_has_no_bytes_and_actions(folder: Path, tmp_path: Path) -> None:
    """Columns that were added since are null, those of actions are not there, and the others as they were."""
    sections = open_run(folder).sections
    old = _changed(folder, tmp_path / "old", schema=1, topology=None, sections=sections)
    table = pq.read_table(folder / "activities.parquet")
    pq.write_table(table.select(table.column_names[: ACTIVITIES.names.index("bytes")]), old / "activities.parquet")
    stored = open_run(old)
    found = stored.dataset("activities").to_table()
    assert found.column_names == ACTIVITIES.names
    assert found["bytes"].null_count == found.num_rows == table.num_rows
    assert found["cause"].to_pylist() == table["cause"].to_pylist()
    write_csv(stored, "activities", tmp_path / "activities.csv")
    assert (tmp_path / "activities.csv").read_text(encoding="utf-8").splitlines()[1].endswith(",")
    write_perfetto(stored, tmp_path / "trace")
    assert (tmp_path / "trace").stat().st_size > 0
    for kind in ("table", "csv", "json"):
        assert main(["inspect", str(old), "--component", "pea3", "--format", kind]) == 0


def test_a_table_that_was_not_recorded_names_the_option(tmp_path: Path) -> None:
    """Without a trace the message says how to get one; an unknown component gets the nearest name."""
    layer = synthetic_layer(name="layer", M=4, K=4, N=4, rho_w=0.3, rho_x=0.6, seed=3)
    run(Scenario("s", layer, values=False), RunOptions(tmp_path / "run", trace=TraceOptions("off")))
    stored = open_run(tmp_path / "run")
    with pytest.raises(ConfigError, match=r"no activities.parquet; accepted: .* Run again with --trace stalls or"):
        stored.dataset("activities")
    with pytest.raises(ConfigError, match=r"component: found 'w_dna'; accepted: one of .* Did you mean 'w_dma'\?"):
        stored.check_component("w_dna")
