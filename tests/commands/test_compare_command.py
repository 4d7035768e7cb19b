"""The command that shows runs side by side: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from stored_runs import RUNS, one_layer_run, small_run

from panacea_sim.commands.main import main
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.run_place import RUN_MARK
from panacea_sim.trace.stored_run import open_run
from panacea_sim.trace.stored_study import study_folders
from panacea_sim.workload.synthetic import synthetic_layer


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the folders of two runs on different machines."""
    folder = tmp_path_factory.mktemp("runs")
    one_layer_run(folder / "first", "layer")
    layer = synthetic_layer(name="layer", M=70, K=40, N=20, rho_w=0.3, rho_x=0.6, seed=3)
    slow = Scenario("slow", layer, settings={"dram": "ideal", "dram_bytes_per_cycle": 2}, values=False)
    run(slow, RunOptions(folder / "second", engine="reference"))
    return str(folder / "first"), str(folder / "second")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study of three runs."""
    folder = tmp_path_factory.mktemp("studies")
    script = folder / "script.py"
    script.write_text(
        "from panacea_sim import Scenario, Study\n"
        "from panacea_sim.workload.synthetic import synthetic_layer\n"
        "layer = synthetic_layer(70, 40, 20, 0.3, 0.6, seed=3)\n"
        "scenario = Study('depths', tuple(\n"
        "    Scenario(f'depth {depth}', layer, settings={'queue_depth': depth}, values=False) for depth in (1, 2, 4)\n"
        "))\n",
        encoding="utf-8",
    )
    assert main(["run", str(script), "--out", str(folder / "study")]) == 0
    return folder / "study"


def _refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(["compare", *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = [line for line in printed.err.splitlines() if line.startswith("error: ")]
    return line


def test_tables_are_printed(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """Both runs and their sections are printed, and nothing on standard error."""
    assert main(["compare", *folders]) == 0
    printed = capsys.readouterr()
    first = [line.split()[0] for line in printed.out.splitlines()[3:10] if line.strip()]
    assert [word for word in first if word in {"A", "B"}] == ["A", "B"]
    for title in ("Configuration", "States, cycles", "Stalls, cycles", "Layers, cycles"):
        assert title in printed.out
    assert printed.err == ""


def test_energy_is_by_the_table_that_is_named(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """--table, --dram and --device are those of `energy`, and the JSON of each run names them."""
    options = ["--json", "--table", "bitfusion"]
    assert main(["compare", *folders, *options]) == 0
    content = json.loads(capsys.readouterr().out)
    assert {each["energy_table"] for each in content["runs"]} == {"bitfusion, DRAM by the bit"}
    assert main(["energy", folders[1], *options]) == 0
    alone = json.loads(capsys.readouterr().out)
    core = next(row for row in content["energy"] if (row["of"], row["part"]) == ("category", "core"))
    assert core["values"][1] == alone["categories"]["core"]["nominal"]
    assert main(["compare", *folders, "--device", "hbm9"]) == 2
    assert "--device: found 'hbm9'; accepted: one of" in capsys.readouterr().err


def test_json_is_all_that_is_printed(folders: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one document, in the order of the arguments."""
    assert main(["compare", *reversed(folders), "--json"]) == 0
    printed = capsys.readouterr()
    content = json.loads(printed.out)
    assert [each["path"] for each in content["runs"]] == list(reversed(folders))
    rows = {(row["of"], row["field"]): row["values"] for row in content["configuration"]}
    assert rows["hardware", "dram"] == ["ideal", "hbm2"]
    assert printed.err == ""


def test_a_study_stands_for_its_runs(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of a study is all of its runs in their order; further runs may stand beside it."""
    capsys.readouterr()
    assert main(["compare", str(study), "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [each["scenario"] for each in content["runs"]] == ["depth 1", "depth 2", "depth 4"]
    first = content["configuration"][0]
    assert (first["field"], first["values"], first["difference"]) == ("queue_depth", [1, 2, 4], 0.75)


def test_runs_of_a_study_that_are_gone_are_named(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A study of which a run was removed is compared without it; one without runs is refused with what to do."""
    copy = shutil.copytree(study, tmp_path / "copy")
    shutil.rmtree(copy / "depth 2")
    capsys.readouterr()
    assert main(["compare", str(copy), "--json"]) == 0
    printed = capsys.readouterr()
    assert [each["scenario"] for each in json.loads(printed.out)["runs"]] == ["depth 1", "depth 4"]
    assert printed.err == f"{copy}: not there: depth 2\n"
    shutil.rmtree(copy / "depth 1")
    assert "compare: found 1 run; accepted: two or more run folders" in _refused([str(copy)], capsys)
    shutil.rmtree(copy / "depth 4")
    assert "None of its runs is there: run it again" in _refused([str(copy)], capsys)


def test_a_study_that_was_stopped_has_the_runs_that_it_reached(study: Path, tmp_path: Path) -> None:
    """NAME stands for NAME.partial, and a run in it may be partial too."""
    copy = shutil.copytree(study, tmp_path / "stopped.partial")
    (copy / "depth 4").rename(copy / "depth 4.partial")
    shutil.rmtree(copy / "depth 2")
    found = study_folders(tmp_path / "stopped")
    assert found is not None
    assert [folder.name for folder in found.present] == ["depth 1", "depth 4.partial"]
    assert found.absent == ("depth 2",)
    assert study_folders(copy / "depth 1") is None
    assert study_folders(tmp_path / "nowhere") is None


def test_a_partial_run_is_marked(folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A partial run is compared after a note, with its recorded cycles, and has no makespan."""
    partial = RUNS["partial"](tmp_path)
    assert main(["compare", folders[0], str(partial.path)]) == 0
    printed = capsys.readouterr()
    assert printed.err == f"{partial.path} is partial: the trace ends where the run stopped\n"
    assert " partial " in printed.out
    assert f"B: Partial: it has no totals; states and stalls are those of its {partial.end_cycle:,}" in printed.out


def test_the_page_is_written(folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--html writes the page and prints its name; an existing file needs --force; --align is how it opens."""
    page = tmp_path / "page.html"
    assert main(["compare", *folders, "--html", str(page)]) == 0
    assert capsys.readouterr().out == f"{page}\n"
    assert '"align": "cycle"' in page.read_text(encoding="utf-8")
    assert "--html: found the existing file" in _refused([*folders, "--html", str(page)], capsys)
    assert main(["compare", *folders, "--html", str(page), "--align", "layer", "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"]
    assert '"align": "layer"' in page.read_text(encoding="utf-8")


def test_wrong_arguments_are_refused(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run, one run twice, no run, and an alignment of nothing are each one message."""
    first, second = folders
    assert "compare: found 1 run; accepted: two or more run folders, or a study with" in _refused([first], capsys)
    assert f"compare: found {first} twice; accepted: each run once" in _refused([first, second, first], capsys)
    assert "nowhere: found no such folder; accepted: a run folder" in _refused([first, "nowhere"], capsys)
    assert "--align: found share without --html; accepted: --html FILE" in _refused(
        [*folders, "--align", "share"], capsys
    )
    assert "'--align': 'middle' is not one of 'cycle', 'share', 'layer'" in _refused(
        [*folders, "--align", "middle"], capsys
    )
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "a folder without a run" in _refused([first, str(empty)], capsys)
    (empty / "summary.json").write_text("[]", encoding="utf-8")
    assert "a JSON list; accepted: the summary of a run" in _refused([first, str(empty)], capsys)


def test_newer_schemas_are_refused(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run of a newer version is refused with what to do, whichever place it has."""
    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / RUN_MARK).touch()
    (newer / "summary.json").write_text('{"schema": 99}', encoding="utf-8")
    assert "found schema 99; accepted: schema 1 to" in _refused([folders[0], str(newer)], capsys)


def test_damage_is_told_of_the_run_that_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that is cut off is named, and nothing is written."""
    whole = small_run(tmp_path / "whole")
    cut = shutil.copytree(whole.path, tmp_path / "cut")
    table = (cut / "activities.parquet").read_bytes()
    (cut / "activities.parquet").write_bytes(table[: len(table) // 2])
    page = tmp_path / "page.html"
    message = _refused([str(whole.path), str(cut), "--html", str(page)], capsys)
    assert f"{cut / 'activities.parquet'}: found an unreadable file" in message
    assert not page.exists()
    assert open_run(cut).summary is not None


def test_runs_that_were_recorded_whole_are_explained(
    folders: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Critical paths add up to the makespans, and root causes to the stalls of each group."""
    pytest.importorskip("numba")
    assert main(["compare", *folders, "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    for number, each in enumerate(content["runs"]):
        assert each["explained"]
        for name in ("critical_path", "classes"):
            assert sum(row["values"][number] for row in content[name]) == each["makespan_cycles"]
        channels = {row["component"] for row in content["states"]} - {row["component"] for row in content["actions"]}
        stalls, causes = dict[str, int](), dict[str, int]()
        for row in content["stalls"]:
            if row["component"] not in channels and row["state"] != "idle":
                stalls[row["component"]] = stalls.get(row["component"], 0) + row["values"][number]
        for row in content["root_causes"]:
            causes[row["component"]] = causes.get(row["component"], 0) + row["values"][number]
        assert causes == {name: cycles for name, cycles in stalls.items() if cycles or name in causes}
        assert sum(causes.values()) > 0


def test_runs_recorded_in_part_are_not_explained(
    folders: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Beside them stands the command, and an explained run keeps its path."""
    windowed = RUNS["window"](tmp_path)
    assert main(["compare", folders[0], str(windowed.path)]) == 0
    printed = capsys.readouterr().out
    told = f"Not explained: B, so that critical path and root causes are not compared: panacea-sim why {windowed.path}"
    # Lines fold where the path of the folder is long.
    assert "".join(told.split()) in "".join(printed.split())
    assert "Critical path, cycles" in printed
