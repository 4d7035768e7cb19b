"""Standard output as it may be: not UTF-8, closed, full, or a pipe that ends early."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from panacea_sim.trace.stored_run import StoredRun

SCRIPT = """
from panacea_sim import Scenario, synthetic_layer

layer = synthetic_layer(8, 16, 8, 0.5, 0.5, 1, name="Schicht µ ✓")
scenario = Scenario("tiny", layer, settings={"n_pea": 2, "tile_k": 8, "tile_n": 4})
"""
_FULL = "error: standard output: found No space left on device; accepted: an output that can be written\n"


@pytest.fixture(autouse=True)
def _in_a_folder_with_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.py").write_text(SCRIPT, encoding="utf-8")


def _shell(command: str, **environment: str) -> tuple[int, bytes, str]:
    """Run a line of bash in which `panacea-sim` is the command; return its exit code and what it printed."""
    line = f'set -o pipefail; panacea-sim() {{ {sys.executable} -m panacea_sim "$@"; }}; {command}'
    # Where Python does not buffer its streams, what cannot be written is forgotten at once.
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    ended = subprocess.run(["/bin/bash", "-c", line], capture_output=True, check=False, env=usual | environment)
    return ended.returncode, ended.stdout, ended.stderr.decode()


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_an_output_of_plain_characters(environment: dict[str, str]) -> None:
    """Bars and tables become plain, and names that cannot be written are escaped."""
    code, out, error = _shell("panacea-sim run tiny.py", **environment)
    assert (code, error) == (0, "")
    assert "##cc" in (text := out.decode("ascii"))
    assert "Schicht u \\u2713: 8 x 16 x 8" in text


def test_an_encoding_that_lacks_some_characters() -> None:
    """What the encoding has stays as it is."""
    code, out, error = _shell("panacea-sim run tiny.py", PYTHONIOENCODING="latin-1")
    assert (code, error) == (0, "")
    assert "Schicht µ \\u2713: 8 x 16 x 8" in out.decode("latin-1")


@pytest.mark.parametrize("command", ["run tiny.py", "run tiny.py --json", "--help", "list dram", "inspect RUN"])
def test_a_full_device_is_told(command: str, full_run: StoredRun) -> None:
    """What cannot be written ends with 1 and one message."""
    command = command.replace("RUN", str(full_run.path))
    assert _shell(f"panacea-sim {command} > /dev/full") == (1, b"", _FULL)


@pytest.mark.parametrize("command", ["run tiny.py", "--help", "list hardware", "inspect RUN --format csv", "run -h"])
def test_a_reader_that_stops_is_no_error(command: str, full_run: StoredRun) -> None:
    """Behind `head` a command ends quietly."""
    command = command.replace("RUN", str(full_run.path))
    code, out, error = _shell(f"panacea-sim {command} | head -1")
    assert (code, error) == (0, "")
    assert out.count(b"\n") == 1
    assert _shell(
        f"panacea-sim {command} --force | true" if command == "run tiny.py" else f"panacea-sim {command} | true"
    ) == (0, b"", "")


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_output_swallows_everything(closed: str, full_run: StoredRun) -> None:
    """Without a standard output the work is done in silence."""
    assert _shell(f"panacea-sim run tiny.py --out out {closed}") == (0, b"", "")
    assert Path("out/summary.json").is_file()
    export = f"panacea-sim export {full_run.path} --format csv --out tables {closed}"
    assert _shell(export) == (0, b"", "")
    assert Path("tables/activities.csv").read_bytes().startswith(b'"component"')


@pytest.mark.parametrize("environment", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_errors_that_nobody_can_read(environment: dict[str, str]) -> None:
    """The exit code stays where even the message cannot be written."""
    for command, closed in (
        ("run nowhere.py", "2>/dev/full"),
        ("run nowhere.py", "2>&-"),
        ("run", "2>/dev/full >/dev/full"),
    ):
        assert _shell(f"panacea-sim {command} {closed}", **environment) == (2, b"", ""), (command, closed)
    late = "panacea-sim run tiny.py --out out --window 1000000:2000000 2>/dev/full"
    assert _shell(f"{late} | tail -1", **environment)[0] == 0
