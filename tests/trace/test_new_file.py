"""Files that appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.trace.new_file import new_file, new_files


def test_it_appears_at_the_end(tmp_path: Path) -> None:
    """The file has its name when all is written, and nothing else is left."""
    with new_file(tmp_path / "a", force=False) as beside:
        beside.write_text("whole", encoding="utf-8")
        assert not (tmp_path / "a").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text(encoding="utf-8") == "whole"


def _write_half(path: Path, error: type[BaseException]) -> None:
    with new_file(path, force=True) as beside:
        beside.write_text("half", encoding="utf-8")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_after_an_error_the_old_file_stands(tmp_path: Path, error: type[BaseException]) -> None:
    """What was there before stays, and nothing half written is left."""
    (tmp_path / "a").write_text("old", encoding="utf-8")
    with pytest.raises(error):
        _write_half(tmp_path / "a", error)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text(encoding="utf-8") == "old"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """An error of the file system names the file and the reason."""
    with (
        pytest.raises(ConfigError, match=r"--out: found .*a: No space left on device; accepted: a file that can be"),
        new_file(tmp_path / "a", force=False),
    ):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


def test_files_that_belong_together_appear_together(tmp_path: Path) -> None:
    """All have their names after the last is written; an error leaves none, and names the option and the files."""
    paths = [tmp_path / "a", tmp_path / "b"]
    with new_files(paths, force=False) as besides:
        for beside in besides:
            beside.write_text("whole", encoding="utf-8")
        assert not any(path.exists() for path in paths)
    assert sorted(tmp_path.iterdir()) == paths
    with pytest.raises(ConfigError, match=r"--html: found .*c, .*d: No space left on device; accepted: a file"):
        _write_one_of([tmp_path / "c", tmp_path / "d"])
    assert sorted(tmp_path.iterdir()) == paths


def _write_one_of(paths: list[Path]) -> None:
    with new_files(paths, force=False, option="--html") as besides:
        besides[0].write_text("whole", encoding="utf-8")
        raise OSError(28, "No space left on device")
