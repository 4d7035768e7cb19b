"""How far an export is, for whoever waits for it."""

from __future__ import annotations

import os
import pty
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from panacea_sim.commands.main import main
from panacea_sim.report.progress import shown_progress
from panacea_sim.trace.exporters import perfetto, vcd
from panacea_sim.trace.exporters.perfetto import write_perfetto
from panacea_sim.trace.exporters.vcd import write_vcd
from panacea_sim.trace.stored_run import StoredRun


@pytest.mark.parametrize("window", [None, (900, 1100)])
@pytest.mark.parametrize("write", [write_perfetto, write_vcd])
def test_it_rises_to_the_total(
    full_run: StoredRun,
    write: object,
    window: tuple[int, int] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is done rises from 0, below a total that stays."""
    monkeypatch.setattr(perfetto, "_ROWS_AT_ONCE", 50)
    monkeypatch.setattr(vcd, "_ROWS", 50)
    told: list[tuple[int, int]] = []
    write(full_run, tmp_path / "file", window, lambda done, total: told.append((done, total)))  # type: ignore[operator]
    done, totals = zip(*told, strict=True)
    assert done[0] == 0
    assert list(done) == sorted(set(done))
    assert len(set(totals)) == 1
    assert done[-1] < totals[0]


@pytest.mark.parametrize("form", ["perfetto", "vcd", "csv"])
def test_nothing_is_shown_where_no_terminal_is(
    form: str, full_run: StoredRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a pipe standard error stays empty."""
    assert main(["export", str(full_run.path), "--format", form, "--out", str(tmp_path / "out")]) == 0
    assert not capfd.readouterr().err


def _read(reader: int) -> str:
    """Return all that was written to a terminal which is closed now, in however many parts it comes."""
    found = b""
    with suppress(OSError):  # how Linux says that there is no more
        while part := os.read(reader, 1 << 16):
            found += part
    return found.decode()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the name of the work and its share appear, and names are no markup."""
    reader, writer = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with shown_progress("[red]run: vcd") as progress:
            progress(1, 4)
    shown = _read(reader)
    os.close(reader)
    assert "[red]run: vcd" in shown
    assert "25%" in shown


def test_a_notebook_shows_no_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Where colours are forced on what is no terminal, as the kernel of a notebook does, nothing is shown."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    with shown_progress("run") as progress:
        progress(1, 4)
    assert not capsys.readouterr().err
