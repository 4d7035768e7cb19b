"""The run folder: complete or not at all, and never in the place of something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.trace.run_log import open_log
from panacea_sim.trace.store import RunFolder


def test_it_appears_only_when_complete(tmp_path: Path) -> None:
    """Until it is complete a folder is named NAME.partial."""
    folder = RunFolder(tmp_path / "a" / "run")
    folder.write_json("summary.json", {"key": "value"})
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run.partial"]
    folder.complete()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["run"]
    assert json.loads((tmp_path / "a" / "run" / "summary.json").read_text()) == {"key": "value"}


def test_an_interrupt_while_a_summary_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A summary that is written anew while a run goes on is whole at any time."""
    folder = RunFolder(tmp_path / "run")
    folder.write_json("summary.json", {"key": "value"})

    def interrupted(_: object, file: TextIO, **__: object) -> None:
        file.write('{"ke')
        raise KeyboardInterrupt

    monkeypatch.setattr(json, "dump", interrupted)
    with pytest.raises(KeyboardInterrupt):
        folder.write_json("summary.json", {"key": "another value"})
    assert json.loads((folder.path / "summary.json").read_text()) == {"key": "value"}
    assert {path.name for path in folder.path.iterdir()} == {".panacea-run", "summary.json"}


def test_the_earlier_run_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    """With force the earlier folder is there until the new one takes its place."""
    target = tmp_path / "run"
    target.mkdir()
    (target / "summary.json").write_text("{}")
    (target / ".panacea-run").touch()
    folder = RunFolder(target, force=True)
    assert (target / "summary.json").read_text() == "{}"
    folder.write_yaml("scenario.yaml", {"name": "new"})
    folder.complete()
    assert not (target / "summary.json").exists()
    assert (target / "scenario.yaml").read_text() == "name: new\n"


def test_an_existing_run_is_refused_without_force(tmp_path: Path) -> None:
    """A run folder is not replaced unless force is on."""
    RunFolder(tmp_path / "run").complete()
    with pytest.raises(ConfigError, match=r"--out: found the existing folder .* Use --force to replace it"):
        RunFolder(tmp_path / "run")
    assert RunFolder(tmp_path / "run", force=True).path.exists()


def test_a_foreign_folder_is_never_replaced(tmp_path: Path) -> None:
    """A folder without the marks of a run is refused even with force, and keeps what it holds."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("meow")
    with pytest.raises(ConfigError, match="which is no run folder"):
        RunFolder(tmp_path / "photos", force=True)
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "meow"
    assert not (tmp_path / "photos.partial").exists()


def test_a_folder_above_run_folders_is_never_replaced(tmp_path: Path) -> None:
    """A folder of other things that has runs somewhere below it is no run folder."""
    (tmp_path / "home" / "runs" / "quickstart").mkdir(parents=True)
    (tmp_path / "home" / "runs" / "quickstart" / "summary.json").write_text("{}")
    (tmp_path / "home" / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="which is no run folder"):
        RunFolder(tmp_path / "home", force=True)


def test_a_foreign_partial_folder_is_never_replaced(tmp_path: Path) -> None:
    """What is called NAME.partial and was written by somebody else stays."""
    (tmp_path / "run.partial").mkdir()
    (tmp_path / "run.partial" / "thesis.tex").write_text("draft")
    with pytest.raises(ConfigError, match="which is no run folder"):
        RunFolder(tmp_path / "run")
    assert (tmp_path / "run.partial" / "thesis.tex").read_text() == "draft"


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    """A regular file of that name is not replaced."""
    (tmp_path / "run").write_text("text")
    with pytest.raises(ConfigError, match="which is no run folder"):
        RunFolder(tmp_path / "run", force=True)


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    """A place where no folder can be made is named with the reason."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"file/run' \(Not a directory\); accepted: a folder that can be written"):
        RunFolder(tmp_path / "file" / "run")


def test_the_log_is_one_json_object_a_line(tmp_path: Path) -> None:
    """Each event is a line of JSON with its level and time; events below the level are left out."""
    with open_log(tmp_path / "log.jsonl", "warning") as log:
        log.info("unheard")
        log.warning("heard", cycle=7)
        log.error("worse")
    events = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(event["event"], event["level"]) for event in events] == [("heard", "warning"), ("worse", "error")]
    assert events[0]["cycle"] == 7
    assert all(event["timestamp"].endswith("Z") for event in events)


def test_a_log_without_a_file_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a path nothing is written anywhere."""
    with open_log(None, "debug") as log:
        log.error("unheard")
    assert capsys.readouterr() == ("", "")
