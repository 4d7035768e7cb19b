"""What a command imports: no more than it needs, so that it answers at once."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from stored_runs import small_run

from panacea_sim.commands.door import COMMANDS
from panacea_sim.commands.main import main
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import StoredRun

_HEAVY = {"numpy", "pyarrow", "pydantic", "matplotlib", "bokeh", "simpy", "networkx", "numba"}


def _imported(arguments: Sequence[str]) -> set[str]:
    """Return the packages that a command imports, as Python itself lists them."""
    command = [sys.executable, "-X", "importtime", "-m", "panacea_sim", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(re.findall(r"\| +(\w+)(?:\.[\w.]+)?$", ended.stderr, re.MULTILINE))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_imports_no_library(arguments: list[str]) -> None:
    """The list of commands and the version need typer alone."""
    found = _imported(arguments)
    assert "panacea_sim" in found
    assert not found & _HEAVY


def test_inspect_imports_what_it_needs(full_run: StoredRun) -> None:
    """A question to a trace needs Arrow, but nothing that draws or simulates."""
    found = _imported(["inspect", str(full_run.path), "--longest", "3"])
    assert "pyarrow" in found
    assert not found & {"matplotlib", "bokeh", "simpy", "networkx", "numba", "perfetto", "vcd"}


def test_compare_imports_what_it_needs(full_run: StoredRun, tmp_path: Path) -> None:
    """Tables of runs need nothing that draws or simulates; explanations and the page need more."""
    stalls = small_run(tmp_path / "stalls", TraceOptions("stalls"))
    other = shutil.copytree(stalls.path, tmp_path / "other")
    heavy = {"matplotlib", "bokeh", "simpy", "networkx", "numba", "perfetto", "vcd"}
    found = _imported(["compare", str(stalls.path), str(other)])
    assert "pyarrow" in found
    assert not found & heavy
    assert not _imported(["compare", str(stalls.path), str(full_run.path)]) & {"matplotlib", "bokeh", "perfetto", "vcd"}
    assert "bokeh" in _imported(["compare", str(stalls.path), str(other), "--html", str(tmp_path / "page.html")])


def test_a_list_imports_what_it_needs() -> None:
    """The list of presets needs nothing that draws or simulates."""
    assert not _imported(["list", "hardware"]) & {"matplotlib", "bokeh", "simpy", "numba", "perfetto"}


def test_help_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    """The list of commands has the first line of each, unabridged, and each command has its own help."""
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert "..." not in listed.split("Commands:")[1]
    for command in COMMANDS:
        assert main([command, "-h"]) == 0
        short = capsys.readouterr().out
        assert main([command, "--help"]) == 0
        assert capsys.readouterr().out == short
        first_line = short.split("\n\n")[1].splitlines()[0].strip()  # behind the usage, which may take two lines
        assert re.search(rf"^  {command} +{re.escape(first_line)}$", listed, re.MULTILINE)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """--version prints one line."""
    assert main(["--version"]) == 0
    assert re.fullmatch(r"panacea-sim \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown, and the exit code is that of a wrong command line."""
    assert main([]) == 2
    printed = capsys.readouterr()
    assert "Commands:" in printed.out
    assert printed.err == ""
