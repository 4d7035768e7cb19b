"""The command whatif: what it prints and writes, what it refuses, and how it goes on after it was killed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from command_processes import AS_NOBODY, Started, ended
from engine_runs import NEEDS_NUMBA

from panacea_sim.analysis.whatif import CostChange, Gain, NotTried, WhatIf, WhatIfRow, stored_whatif
from panacea_sim.commands.main import main
from panacea_sim.trace.folder_lock import FolderLock

ROOT = Path(__file__).parents[2]
_SCRIPT = """
from panacea_sim.running.scenario import Scenario, Study
from panacea_sim.workload.synthetic import synthetic_layer

machine = {{"n_pea": 2, "tile_k": 8, "tile_n": 8, "dram": "ideal", "dram_channels": 1, "dram_bytes_per_cycle": 1}}
def one(name):
    return Scenario(name, synthetic_layer(24, 40, 20, 0.3, 0.6, 1), settings=machine)
scenario = {scenario}
"""
_KNOBS = ("--knob", "n_dwo", "--knob", "n_pea", "--knob", "dram_bytes_per_cycle")


@pytest.fixture(scope="module")
def prepared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two scripts and a run of one, which must not be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "one.py").write_text(_SCRIPT.format(scenario="one('one')"))
    (folder / "study.py").write_text(_SCRIPT.format(scenario="Study('study', (one('a'), one('b')))"))
    assert main(["run", str(folder / "one.py"), "--out", str(folder / "run"), "--trace", "off"]) == 0
    return folder


@pytest.fixture(autouse=True)
def _in_a_copy(prepared_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    shutil.copytree(prepared_folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def _whatif(*arguments: str) -> int:
    return main(["whatif", *arguments, "--workers", "1"])


def _tree(folder: str = ".") -> dict[str, bytes]:
    """Return the files of a folder, the marks of locks aside."""
    return {str(path): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_it_prints_and_keeps_what_it_has_found(capsys: pytest.CaptureFixture[str]) -> None:
    """A table, the results beside the run, and what is to come on standard error; then everything is there already."""
    capsys.readouterr()
    assert _whatif("run", *_KNOBS) == 0
    first = capsys.readouterr()
    assert first.err == "one: 6 reruns to come, 0 are kept; those of changed mappings and of pairs follow\n"
    assert re.search(r"^ dram_bytes_per_cycle +1 +2 ", first.out, re.MULTILINE)
    assert first.out.endswith("run/whatif/whatif.json\n")
    assert _whatif("run", *_KNOBS) == 0
    assert capsys.readouterr() == (first.out, "")
    assert _whatif("run", *_KNOBS, "--json") == 0
    found = WhatIf.model_validate(json.loads(capsys.readouterr().out))
    assert found == stored_whatif(Path("run"))
    assert found.rows[0].knob == "dram_bytes_per_cycle"


def test_processes_give_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    """The order in which reruns end decides nothing."""
    assert _whatif("run", *_KNOBS, "--json") == 0
    alone = capsys.readouterr().out.partition("{")[2]
    assert main(["whatif", "run", *_KNOBS, "--json", "--workers", "2", "--out", "other"]) == 0
    assert capsys.readouterr().out.partition("{")[2] == alone


def test_a_scenario_file_is_run_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Its results go below runs/, and are those of its run."""
    assert _whatif("one.py", "--knob", "n_dwo", "--json") == 0
    of_file = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))
    assert _whatif("run", "--knob", "n_dwo", "--json") == 0
    of_run = json.loads(capsys.readouterr().out)
    assert of_file == of_run
    assert Path("runs/one-whatif/whatif.json").is_file()


def _run_of_schema_1() -> None:
    shutil.copytree("run", "old")
    content = json.loads(Path("old/summary.json").read_text("utf-8"))
    Path("old/summary.json").write_text(json.dumps(content | {"schema": 1}), encoding="utf-8")


def _partial_run() -> None:
    shutil.copytree("run", "cut.partial")
    content = json.loads(Path("run/summary.json").read_text("utf-8"))
    kept = {key: content[key] for key in ("schema", "scenario", "engine", "hardware", "clock_hz", "trace", "topology")}
    partial = kept | {"partial": True, "layers": [{"name": "layer"}]}
    Path("cut.partial/summary.json").write_text(json.dumps(partial), encoding="utf-8")


def _study_run() -> None:
    assert main(["run", "study.py", "--out", "study", "--trace", "off"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cut.partial"], r"cut\.partial: found a partial run, which has no cycles .*\. Run the scenario again"),
        (["cut"], r"cut\.partial: found a partial run, which has no cycles .*\. Run the scenario again"),
        (["old"], r"old: found a run of schema 1; accepted: schema \d+\. Run the scenario again"),
        (["study"], r"study: found a study of several runs; .* Choose one of study/a, study/b"),
        (["study.py"], r"study\.py: found a study of several scenarios: a, b; .* Run the study, and take the folder"),
        (["run", "--knob", "n_dow"], r"--knob: found 'n_dow'; .* Did you mean 'n_dwo'\?"),
        (["nowhere"], r"nowhere: found no such folder; accepted: a run folder"),
        (["nowhere.py"], r"scenario: found no file 'nowhere\.py'"),
        (["run", "--picture", "a.bmp"], r"--picture: found 'a\.bmp'; accepted: a file name that ends with"),
        (["run", "--picture", "one.py/a.png"], r"--picture: found 'one\.py/a\.png', whose folder does not exist"),
        (["run", "--out", "study"], r"--out: found 'study', which holds no what-if results"),
        (["run", "--out", "one.py"], r"--out: found the file 'one\.py'; accepted: a folder"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One message, exit code 2, nothing written."""
    _run_of_schema_1()
    _partial_run()
    _study_run()
    before = _tree()
    capsys.readouterr()
    assert _whatif(*arguments) == 2
    told = capsys.readouterr()
    assert re.match(rf"^error: .*{message}", told.err), told.err
    assert told.err.count("\n") == 1
    assert told.out == ""
    assert _tree() == before


def test_one_writer_at_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    """A run folder whose lock somebody holds is left alone; another folder is free."""
    lock = FolderLock.take(Path("run/.panacea-run"))
    assert lock is not None
    try:
        assert _whatif("run", "--knob", "n_dwo") == 2
        assert "'run/whatif', which another process is writing" in capsys.readouterr().err
        assert not Path("run/whatif").exists()
        assert _whatif("run", "--knob", "n_dwo", "--out", "free") == 0
    finally:
        lock.release()
    assert _whatif("run", "--knob", "n_dwo", "--out", "run/whatif") == 0


def test_a_run_that_cannot_be_written() -> None:
    """The message names --out, which helps."""
    for path in (Path("run"), *Path("run").iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o444)
    Path("run").chmod(0o555)
    arguments = ("whatif", "run", "--knob", "n_dwo", "--workers", "1")
    where = "open .panacea-run"
    code, told = ended(AS_NOBODY, where, *arguments)
    assert code == 2
    assert re.match(r"^error: --out: found 'run/whatif' \(Permission denied\); .* Choose another --out\n$", told), told
    assert not Path("run/whatif").exists()


@pytest.mark.parametrize("reruns", [1, 4])
def test_a_killed_command_goes_on(reruns: int, capsys: pytest.CaptureFixture[str]) -> None:
    """What was kept is not run again, and the table is the same."""
    assert _whatif("run", *_KNOBS, "--out", "whole") == 0
    whole = capsys.readouterr().out
    counted = "\n".join(
        [
            "from panacea_sim.running.whatif import store",
            "        keep, kept = store.WhatIfStore.keep, []",
            "        def counted(self, key, record):",
            "            keep(self, key, record)",
            "            kept.append(key)",
            f"            len(kept) == {reruns} and os.kill(os.getpid(), signal.SIGKILL)",
            "        store.WhatIfStore.keep = counted",
        ]
    )
    arguments = ("whatif", "run", *_KNOBS, "--out", "killed", "--workers", "1")
    code, _ = ended(counted, "mkdir killed", *arguments, trap=_AT_FOLDER)
    assert code == -9
    assert not Path("killed/whatif.json").exists()
    assert len(list(Path("killed/reruns").glob("*.json"))) == reruns
    capsys.readouterr()
    assert _whatif("run", *_KNOBS, "--out", "killed") == 0
    told = capsys.readouterr()
    assert told.out == whole.replace("whole/whatif.json", "killed/whatif.json")
    assert f"one: {6 - reruns} reruns to come, {reruns} are kept" in told.err
    assert _tree("killed").keys() == {name.replace("whole", "killed", 1) for name in _tree("whole")}


_AT_FOLDER = """
event, ending = where.split()
def trap(found, arguments):
    if found == "os.mkdir" and str(arguments[0]).endswith(ending):
        happen()
sys.addaudithook(trap)
"""


def test_an_interrupt_tells_what_is_kept() -> None:
    """The same command goes on afterwards."""
    started = Started("open whatif.json.new", "whatif", "run", "--knob", "n_dwo", "--workers", "1")
    started.process.send_signal(2)
    code, told = started.go_on()
    assert code == 130
    kept = len(list(Path("run/whatif/reruns").glob("*.json")))
    assert kept >= 3  # the base, and one operator more and less
    assert told.splitlines()[-1] == f"interrupted: {kept} reruns are kept in run/whatif: the same command goes on"


def test_a_run_that_is_replaced_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    """Results of one run are never written into another."""
    started = Started("open whatif.json.new", "whatif", "run", "--knob", "n_dwo", "--workers", "1")
    started.kill()
    started = Started("os.mkdir run/whatif/reruns", "whatif", "run", "--knob", "n_pea", "--workers", "1")
    assert main(["run", "one.py", "--out", "run", "--trace", "off", "--force", "--set", "hardware.n_dwo=7"]) == 0
    code, told = started.go_on()
    assert code == 2
    assert "'run/whatif', which was removed or replaced meanwhile" in told
    assert list(Path("run").rglob("*.json")) == [Path("run/summary.json")]
    capsys.readouterr()


def test_a_picture_is_written_beside(capsys: pytest.CaptureFixture[str]) -> None:
    """Its name comes last; an existing one is replaced only with --force."""
    arguments = ("run", "--knob", "dram_bytes_per_cycle", "--picture", "gains.svg")
    assert _whatif(*arguments) == 0
    assert capsys.readouterr().out.endswith("run/whatif/whatif.json\ngains.svg\n")
    assert "dram_bytes_per_cycle" in Path("gains.svg").read_text("utf-8")
    assert _whatif(*arguments) == 2
    assert "--picture: found the existing file 'gains.svg'" in capsys.readouterr().err
    assert _whatif(*arguments, "--force") == 0


def test_every_key_is_documented() -> None:
    """docs/files.md names all keys of whatif.json in its chapter."""
    page = (ROOT / "docs" / "files.md").read_text("utf-8")
    chapter = page.partition("\n## What-if results\n")[2].partition("\n## ")[0]
    models: tuple[Any, ...] = (WhatIf, WhatIfRow, Gain, CostChange, NotTried)
    keys = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert {"schema", "gain_held", "share", "sram_bytes", "reason"} <= keys
    assert not [key for key in keys if f"`{key}`" not in chapter]


@NEEDS_NUMBA
@pytest.mark.slow
def test_contention_is_a_matter_of_bandwidth(capsys: pytest.CaptureFixture[str]) -> None:
    """Doubling it comes first, 112,044 -> 78,261 cycles; x_dma before the others changes nothing."""
    capsys.readouterr()
    knobs = [f"--knob={name}" for name in ("x_dma_priority", "dram_bytes_per_cycle", "n_dwo", "queue_depth")]
    assert _whatif(str(ROOT / "scenarios" / "contention.py"), *knobs, "--json", "--out", "contention") == 0
    found = WhatIf.model_validate(json.loads(capsys.readouterr().out))
    first = found.rows[0]
    assert (first.knob, first.before, first.after) == ("dram_bytes_per_cycle", 8, 16)
    assert (found.makespan_cycles, first.cycles_held, first.cycles_planned) == (112_044, 78_261, 78_261)
    assert first.gain_planned is not None
    assert round(first.gain_planned.share, 3) == 0.302
    (priority,) = [row for row in found.rows if row.knob == "x_dma_priority"]
    assert priority.gain_held is not None
    assert priority.gain_planned is not None
    assert priority.gain_held.cycles == priority.gain_planned.cycles == 0
