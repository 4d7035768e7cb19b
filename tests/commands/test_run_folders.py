"""Run folders: --force takes nothing but what it names, and two runs never write into one folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command_processes import AS_NOBODY, Started, ended

from panacea_sim.commands import simulation
from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.synthetic import synthetic_layer

_SCRIPT = """
from panacea_sim.running.scenario import Scenario, Study
from panacea_sim.workload.synthetic import synthetic_layer

machine = {{"n_pea": 2, "tile_k": 8, "tile_n": 4}}
def one(name):
    return Scenario(name, synthetic_layer(8, 16, 8, 0.5, 0.5, 1), settings=machine)
scenario = {scenario}
"""
_MOMENTS = {
    "at the beginning": "open scenario.yaml",
    "while it runs": "open summary.json.new",
    "while tables are written": "shutil.rmtree out.partial/spill",
    "at the end": "os.rename out.partial",
}


@pytest.fixture(autouse=True)
def _in_a_folder_with_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        Path(f"{name}.py").write_text(_SCRIPT.format(scenario=f"one('{name}')"))
    Path("study.py").write_text(_SCRIPT.format(scenario="Study('study', (one('a'), one('b')))"))


def _run(script: str, out: str, *more: str) -> int:
    return main(["run", f"{script}.py", "--out", out, *more])


def _names(folder: str = ".") -> set[str]:
    return {path.name for path in Path(folder).iterdir()}


def _tree(folder: str) -> dict[str, tuple[object, ...]]:
    """Return what is in a folder: type, content and time of change of everything."""
    found = {}
    for path in sorted(Path(folder).rglob("*")):
        status = path.lstat()
        content = path.read_bytes() if path.is_file() and not path.is_symlink() else None
        found[str(path)] = (status.st_mode, content, status.st_mtime_ns)
    return found


def _scenario_of(folder: str) -> tuple[str, str]:
    """Return the names of the scenario in the two files of a run that have one."""
    kept = yaml.safe_load((Path(folder) / "scenario.yaml").read_text())["name"]
    return kept, json.loads((Path(folder) / "summary.json").read_text())["scenario"]


# What --force takes


def _with_a_run(out: str) -> str:
    _run("second", "out")
    _run("second", out)
    return out


def _with_a_moved_run() -> str:
    _run("second", "out")
    _run("second", "other")
    Path("out/kept/deep").mkdir(parents=True)
    Path("other").rename("out/kept/deep/other")
    return "out/kept/deep/other"


def _with_a_partial_run() -> str:
    _run("second", "out")
    Path("out/net.partial").mkdir()
    Path("out/net.partial/.panacea-run").touch()
    return "out/net.partial"


def _study_with_one_more() -> str:
    _run("study", "out")
    _run("second", "out/c")
    return "out/c"


def _study_with_a_run_in_a_case() -> str:
    _run("study", "out")
    _run("second", "out/a/b")
    return "out/a/b"


def _study_with_a_partial_case() -> str:
    _run("study", "out")
    Path("out/a.partial").mkdir()
    Path("out/a.partial/.panacea-run").touch()
    return "out/a.partial"


def _study_without_names() -> str:
    _run("study", "out")
    Path("out/summary.json").write_text('{"study": "study", "runs": [')
    return "out/a"


def _run_that_names_others() -> str:
    _run("study", "out")
    content = json.loads(Path("out/summary.json").read_text())
    del content["study"]
    Path("out/summary.json").write_text(json.dumps(content))
    return "out/a"


@pytest.mark.parametrize(
    "arrange",
    [
        lambda: _with_a_run("out/fc1"),
        lambda: _with_a_run("out/blocks/0/fc1"),
        _with_a_moved_run,
        _with_a_partial_run,
        _study_with_one_more,
        _study_with_a_run_in_a_case,
        _study_with_a_partial_case,
        _study_without_names,
        _run_that_names_others,
    ],
    ids=["a run", "a run below", "moved", "partial", "one more", "in a case", "partial case", "damaged", "no study"],
)
def test_force_refuses_a_folder_with_other_runs(arrange: object, capsys: pytest.CaptureFixture[str]) -> None:
    """A run that the study does not name is no prey: the folder is refused and nothing of it is touched."""
    assert callable(arrange)
    other = arrange()
    before = _tree(".")
    capsys.readouterr()
    assert _run("study", "out", "--force") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: --out: found 'out', in which other runs lie: '{other}'")
    assert told.endswith("Move them elsewhere, or choose another --out\n")
    assert _tree(".") == before


def test_force_replaces_a_study_with_its_own_runs() -> None:
    """A study, its runs and what is no run in it go, when the new run is complete."""
    assert _run("study", "out") == 0
    Path("out/notes.txt").write_text("mine")
    assert _run("first", "out", "--force") == 0
    assert not Path("out/a").exists()
    assert sorted(_names()) == ["first.py", "out", "second.py", "study.py"]
    assert _run("study", "out", "--force") == 0
    assert Path("out/b/activities.parquet").is_file()


def test_a_study_replaces_what_it_has_left() -> None:
    """The partial folder of a study holds whole and partial runs, which its summary names from the beginning."""
    Started("os.rename b.partial", "run", "study.py", "--out", "out").kill()
    assert {"a", "b.partial", "summary.json"} < _names("out.partial")
    assert _run("study", "out") == 0
    assert sorted(_names("out")) == [".panacea-run", "a", "b", "results.csv", "summary.json"]
    assert not Path("out.partial").exists()


def test_what_a_study_has_left_is_refused_with_other_runs_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    """The same rule holds for a partial folder, which goes without --force."""
    Started("os.rename b.partial", "run", "study.py", "--out", "out").kill()
    for other in ("c", "a/c", "a.partial/c", "kept/a"):
        place = Path("out.partial") / other
        place.mkdir(parents=True)
        (place / ".panacea-run").touch()
        before = _tree("out.partial")
        assert _run("study", "out") == 2
        assert f"'out.partial', in which other runs lie: '{place}'" in capsys.readouterr().err
        assert _tree("out.partial") == before
        shutil.rmtree(place)


# What is in the place


def _link_to_nothing() -> None:
    Path("out").symlink_to("nowhere")


def _link_to_a_run() -> None:
    _run("second", "run")
    Path("out").symlink_to("run")


def _link_to_a_file() -> None:
    Path("out").symlink_to("first.py")


def _linked_partial() -> None:
    _run("second", "run")
    Path("out.partial").symlink_to("run")


def _dangling_partial() -> None:
    Path("out.partial").symlink_to("nowhere")


def _file() -> None:
    Path("out").write_text("text")


def _partial_file() -> None:
    Path("out.partial").write_text("text")


def _other_folder() -> None:
    Path("out").mkdir()


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize(
    ("arrange", "found"),
    [
        (_link_to_nothing, "'out', a symbolic link to 'nowhere'; accepted: a folder that is no link"),
        (_link_to_a_run, "'out', a symbolic link to 'run'"),
        (_link_to_a_file, "'out', a symbolic link to 'first.py'"),
        (_linked_partial, "'out.partial', a symbolic link to 'run'"),
        (_dangling_partial, "'out.partial', a symbolic link to 'nowhere'"),
        (_file, "the file 'out', which is no run folder"),
        (_partial_file, "the file 'out.partial', which is no run folder"),
        (_other_folder, "'out', which is no run folder"),
    ],
)
def test_what_is_no_run_folder_is_refused_before_the_run(
    arrange: object,
    found: str,
    force: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Links, files and folders of others are refused with or without --force, before a layer is even planned."""
    assert callable(arrange)
    arrange()
    before = _tree(".")
    monkeypatch.setattr(simulation, "prepare", lambda *_: pytest.fail("the run was prepared"))
    capsys.readouterr()
    assert _run("first", "out", *force) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(f"error: --out: found {found}")
    assert "--force" not in told
    assert _tree(".") == before


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("first.py/out", "(Not a directory)"),
        ("first.py/deep/out", "(Not a directory)"),
        ("o" * 300, "(File name too long)"),
        ("o" * 250, "(File name too long)"),
        ("out.partial", "as folders of runs are called that are not complete"),
        ("OUT.Partial", "as folders of runs are called that are not complete"),
        (".", "which is no run folder"),
        ("", "which is no run folder"),
        ("/", "accepted: a folder with a name"),
    ],
)
def test_a_place_that_cannot_be_one_is_refused(out: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What no run folder can be is told in one message, and nothing is written."""
    before = _tree(".")
    assert _run("first", out, "--force") == 2
    told = capsys.readouterr().err
    assert told.startswith("error: --out: found ")
    assert message in told
    assert told.count("\n") == 1
    assert _tree(".") == before


@pytest.mark.parametrize("out", ["closed/out", "closed/deep/out", "hidden/out"])
def test_a_folder_that_may_not_be_written_is_told(out: str) -> None:
    """Where the user has no right to write, or to look, one message says so, and nothing is written."""
    Path("closed").mkdir(mode=0o555)
    Path("hidden").mkdir(mode=0o000)
    code, told = ended(AS_NOBODY, f"os.mkdir {out}.partial", "run", "first.py", "--out", out)
    message = f"'{out}' (Permission denied); accepted: a folder that can be written. Choose another --out"
    assert (code, told) == (2, f"error: --out: found {message}\n")
    Path("hidden").chmod(0o755)


# Two runs into one folder


@pytest.mark.parametrize("moment", _MOMENTS.values(), ids=_MOMENTS)
def test_the_second_of_two_runs_is_refused_at_once(moment: str, capsys: pytest.CaptureFixture[str]) -> None:
    """While a run writes its folder, another of that name is refused and touches nothing."""
    first = Started(moment, "run", "first.py", "--out", "out")
    before = _tree("out.partial")
    for script, *force in (("second",), ("study", "--force")):
        assert _run(script, "out", *force) == 2
        told = capsys.readouterr().err
        assert told == (
            "error: --out: found 'out.partial', which another run is writing; accepted: a folder that no run is "
            "writing. Wait until it has ended, or choose another --out\n"
        )
        assert _tree("out.partial") == before
    assert first.go_on() == (0, "")
    assert _scenario_of("out") == ("first", "first")
    assert not Path("out.partial").exists()


def test_a_folder_that_is_being_replaced_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """While a run is about to replace a folder, another --force is refused; both see the earlier run until the end."""
    assert _run("second", "out") == 0
    before = _tree("out")
    first = Started("os.rename out", "run", "first.py", "--out", "out", "--force")
    assert _tree("out") == before
    capsys.readouterr()
    assert _run("study", "out", "--force") == 2
    assert "which another run is writing" in capsys.readouterr().err
    assert _tree("out") == before
    assert first.go_on() == (0, "")
    assert _scenario_of("out") == ("first", "first")


def test_nobody_writes_into_a_study_that_is_running(capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of a study is its own, with all that lies in it."""
    study = Started("os.rename a.partial", "run", "study.py", "--out", "out")
    before = _tree("out.partial")
    for out in ("out", "out.partial/a", "out.partial/c", "out.partial/a.partial/x", "out/../out"):
        for script in ("first", "study"):
            assert _run(script, out, "--force") == 2
            told = capsys.readouterr().err
            assert "which another run is writing" in told or "in the folder of a run that is not complete" in told
        assert _tree("out.partial") == before
    assert study.go_on() == (0, "")
    assert sorted(_names("out")) == [".panacea-run", "a", "b", "results.csv", "summary.json"]


def test_a_run_that_is_written_into_a_study_keeps_it_from_being_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    """Who has begun to write into the folder of a complete study is found by --force."""
    assert _run("study", "out") == 0
    first = Started("open scenario.yaml", "run", "first.py", "--out", "out/a", "--force")
    capsys.readouterr()
    assert _run("second", "out", "--force") == 2
    assert "in which other runs lie: 'out/a.partial'" in capsys.readouterr().err
    assert first.go_on() == (0, "")


@pytest.mark.parametrize("moment", _MOMENTS.values(), ids=_MOMENTS)
def test_the_folder_of_a_killed_run_is_taken_over(moment: str) -> None:
    """A kill frees the folder, whatever was in it: the next run takes its place, and nothing of the other is left."""
    Started(moment, "run", "first.py", "--out", "out").kill()
    assert Path("out.partial").is_dir()
    assert _run("study", "out", "--trace", "off") == 0
    assert sorted(_names("out")) == [".panacea-run", "a", "b", "results.csv", "summary.json"]
    assert sorted(_names()) == ["first.py", "here", "out", "second.py", "study.py"]


def test_a_kill_before_the_folder_has_its_mark_leaves_nothing_in_the_way() -> None:
    """An empty folder named NAME.partial is taken over too."""
    Path("out.partial").mkdir()
    assert _run("first", "out") == 0
    assert _scenario_of("out") == ("first", "first")


@pytest.mark.parametrize("moment", ["os.rename out", "os.rename out.partial", "shutil.rmtree out.replaced"])
def test_a_kill_while_a_run_is_replaced_loses_neither(moment: str) -> None:
    """At any moment the earlier run and the new one are both there, each whole, under names that can be seen."""
    assert _run("second", "out") == 0
    Started(moment, "run", "first.py", "--out", "out", "--force").kill()
    found = [path.name for path in Path().iterdir() if path.is_dir()]
    assert len(found) == 2
    assert {_scenario_of(name) for name in found} == {("first", "first"), ("second", "second")}
    assert all(open_run(Path(name)).summary is not None for name in found)


def test_of_runs_that_start_together_one_wins() -> None:
    """However they meet, the folder belongs to one of them, and holds nothing of the others."""
    names = [f"run{number}" for number in range(4)]
    for name in names:
        Path(f"{name}.py").write_text(_SCRIPT.format(scenario=f"one('{name}')"))
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "panacea_sim", "run", f"{name}.py", "--out", "out"], stdout=subprocess.DEVNULL
        )
        for name in names
    ]
    codes = [process.wait(timeout=120) for process in started]
    assert sorted(codes) == [0, 2, 2, 2]
    won = names[codes.index(0)]
    assert _scenario_of("out") == (won, won)
    assert not Path("out.partial").exists()


_FORKS = """
import os, sys, time
from pathlib import Path
from panacea_sim.trace.store import RunFolder

folder = RunFolder(Path("out"))
child = os.fork()
if child == 0:
    os.close(1)
    while True:
        time.sleep(1)
print(child, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_worker_does_not_inherit_the_folder() -> None:
    """A worker that outlives a killed run does not keep its folder from the next one."""
    process = subprocess.Popen([sys.executable, "-c", _FORKS], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        assert _run("first", "out") == 2
        process.kill()
        process.communicate(timeout=60)
        assert _run("first", "out") == 0
    finally:
        os.kill(child, signal.SIGKILL)


def test_two_runs_of_one_process_are_kept_apart() -> None:
    """A program that starts a run into the folder of one that is going on gets the same message."""
    scenario = Scenario("one", synthetic_layer(8, 16, 8, 0.5, 0.5, 1), settings={"n_pea": 2, "tile_k": 8, "tile_n": 4})
    refused = []

    def start_another(*_: int) -> None:
        with pytest.raises(ConfigError, match="which another run is writing") as error:
            run(scenario, RunOptions(Path("out"), force=True))
        refused.append(error)

    run(scenario, RunOptions(Path("out"), progress=start_another))
    assert refused
    run(scenario, RunOptions(Path("out"), force=True))
    shutil.rmtree("out")
