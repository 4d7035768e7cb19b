"""Mutated inputs of every kind: each command ends in time with an exit code of its own and, if it fails, a message."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from mutated_inputs import KINDS, make_sound_inputs, mutated

from panacea_sim.commands.main import main

_SECONDS = 10
_CASES = 30
"""Of each kind."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one sound input of each kind."""
    folder = tmp_path_factory.mktemp("sound")
    make_sound_inputs(folder)
    return folder


@contextmanager
def _in_time() -> Iterator[None]:
    """Fail where it takes too long."""

    def fail(_number: int, _frame: FrameType | None) -> None:
        message = f"no end after {_SECONDS} s"
        raise AssertionError(message)

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", ["settings", "requests", "summary"])
def test_in_a_process(kind: str, sound: Path, tmp_path: Path) -> None:
    """What holds for a call of main holds for a process of the command."""
    command = [sys.executable, "-m", "panacea_sim", *mutated(kind, 0, sound, tmp_path)]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode in {0, 1, 2}
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 0 or re.search(r"^error: \S.*\S", ended.stderr, re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_mutated_inputs(
    kind: str, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No mutated input leads to a traceback, an exit code without a meaning, an empty message or no end."""
    monkeypatch.chdir(tmp_path)
    for seed in range(_CASES):
        folder = tmp_path / str(seed)
        folder.mkdir()
        command = mutated(kind, seed, sound, folder)
        with _in_time():
            code = main(command)
        errors = capsys.readouterr().err
        shutil.rmtree(folder)
        assert code in {0, 1, 2, 130}, (seed, command)
        assert "Traceback" not in errors, (seed, command, errors)
        if code in {1, 2}:
            assert re.search(r"^error: \S.*\S", errors, re.MULTILINE), (seed, command, errors)
