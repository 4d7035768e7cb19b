"""Signals: every command answers them with one message and exit code 130, from its beginning on, and leaves nothing."""

from __future__ import annotations

import ast
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_processes import AT_EVENT, AT_IMPORT, command_line, ended

import panacea_sim.commands.main
from panacea_sim.commands import interrupts
from panacea_sim.commands.main import main
from panacea_sim.trace.stored_run import StoredRun

SCRIPT = """
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

scenario = Scenario("tiny", synthetic_layer(8, 16, 8, 0.5, 0.5, 1), settings={"n_pea": 2, "tile_k": 8, "tile_n": 4})
"""
_COMMANDS = {
    "run": ["run", "tiny.py", "--out", "out"],
    "gemm": ["gemm", "layer.npz", "--out", "out"],
    "map": ["map", "layer.npz"],
    "dram": ["dram", "hbm2", "--requests", "requests.csv", "--per-request", "cycles.csv"],
    "inspect": ["inspect", "RUN"],
    "timeline": ["timeline", "RUN", "--html", "out.html"],
    "picture": ["picture", "RUN", "--out", "out.svg"],
    "report": ["report", "RUN", "--html", "out.html"],
    "export": ["export", "RUN", "--format", "perfetto", "--out", "out.gz"],
    "list": ["list", "hardware"],
}
_SIGNALS = {"run": signal.SIGTERM, "map": signal.SIGTERM, "report": signal.SIGTERM}


@pytest.fixture(autouse=True)
def _in_a_folder_with_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.py").write_text(SCRIPT)
    Path("requests.csv").write_text("cycle,address,bytes,op\n0,0,64,read\n")
    arrays = {"weight": np.ones((4, 6), np.int8), "activation": np.ones((6, 5), np.uint8), "zero_point": np.int64(3)}
    np.savez("layer.npz", **arrays)  # type: ignore[arg-type]  # numpy takes names of files and arrays alike


def _interrupted(trap: str, where: str, command: str, run: StoredRun) -> tuple[str, set[str]]:
    """Run a command that a signal hits at a place; return its message and the names that have appeared."""
    before = {path.name for path in Path().iterdir()}
    arguments = [str(run.path) if word == "RUN" else word for word in _COMMANDS[command]]
    code, told = ended(_sent(_SIGNALS.get(command, signal.SIGINT)), where, *arguments, trap=trap)
    assert code == 130, told
    return told, {path.name for path in Path().iterdir()} - before


def _sent(number: signal.Signals) -> str:
    return f"os.kill(os.getpid(), {int(number)})"


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_signal_at_the_start(command: str, full_run: StoredRun) -> None:
    """Whatever the command, a signal while it is being imported ends it with one message and nothing written."""
    message = "interrupted: nothing was written\n"
    assert _interrupted(AT_IMPORT, f"panacea_sim.commands.{command}", command, full_run) == (message, set())
    assert _interrupted(AT_IMPORT, "panacea_sim.errors", command, full_run) == (message, set())


@pytest.mark.parametrize(
    ("command", "module"),
    [("run", "simpy"), ("map", "networkx"), ("timeline", "bokeh"), ("picture", "matplotlib"), ("export", "perfetto")],
)
def test_a_signal_in_the_middle_of_an_import(command: str, module: str, full_run: StoredRun) -> None:
    """A signal while a library of the command is imported is answered likewise."""
    assert _interrupted(AT_IMPORT, module, command, full_run) == ("interrupted: nothing was written\n", set())


@pytest.mark.parametrize(
    ("command", "event"),
    [
        ("dram", "open .cycles.csv.new"),
        ("timeline", "open .out.html.new"),
        ("picture", "open .out.svg.new"),
        ("report", "open .out.html.new"),
        ("export", "open .out.gz.new"),
    ],
)
def test_a_signal_while_a_file_is_written(command: str, event: str, full_run: StoredRun) -> None:
    """A file that is half written goes, the hidden one beside it too."""
    assert _interrupted(AT_EVENT, event, command, full_run) == ("interrupted: nothing was written\n", set())


@pytest.mark.parametrize(
    "event", ["open scenario.yaml", "open log.jsonl", "open summary.json.new", "os.rename out.partial"]
)
def test_a_signal_while_a_run_is_written(event: str, full_run: StoredRun) -> None:
    """What a run has recorded stays, and the message says where."""
    message = "interrupted: what was recorded is in out.partial\n"
    assert _interrupted(AT_EVENT, event, "run", full_run) == (message, {"out.partial"})


def test_a_signal_in_the_first_second(tmp_path: Path) -> None:
    """The installed command dies by the signal, before it begins, or answers; nothing is written."""
    command = [sys.executable, "-m", "panacea_sim", "run", "tiny.py"]
    for tenths in range(1, 10, 2):
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(tenths / 20)
        process.send_signal(signal.SIGTERM)
        message = process.communicate(timeout=60)[1]
        assert (process.returncode, message) in {
            (-signal.SIGTERM, ""),
            (130, "interrupted: nothing was written\n"),
            (0, ""),
        }
        if process.returncode == 0:
            break
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["eval('go()', {'go': go})", "exec('go()', {'go': go})", "go()"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_text_is_evaluated(text: str, number: signal.Signals) -> None:
    """A signal that leaves evaluated text, which Python remembers, ends a command with its exit code too."""
    go = f"import os\ndef go():\n    os.kill(os.getpid(), {int(number)})\n"
    Path("slow.py").write_text(go + text + SCRIPT)
    assert ended("pass", "nowhere", "run", "slow.py", trap="") == (130, "interrupted: nothing was written\n")


def test_ignored_signals_stay_ignored(tmp_path: Path) -> None:
    """A command that a shell has started in the background, with SIGINT ignored, goes on."""
    command = command_line(_sent(signal.SIGINT), "simpy", *_COMMANDS["run"], trap=AT_IMPORT)
    command[2] = command[2].replace("signal.default_int_handler", "signal.SIG_IGN")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert (tmp_path / "out").is_dir()


def test_an_interrupt_that_got_lost_comes_again() -> None:
    """Where nothing can be raised, as in a finalizer, the interrupt is raised later."""

    class Finalized:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def drop_and_go_on() -> None:
        found = Finalized()
        del found
        time.sleep(10)

    with interrupts.answered(frozenset({signal.getsignal(signal.SIGINT)})), pytest.raises(KeyboardInterrupt):
        drop_and_go_on()


def test_programs_keep_their_handlers(capsys: pytest.CaptureFixture[str]) -> None:
    """Who calls main with arguments has the same handlers afterwards, and an interrupt gives the exit code."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert main(["list", "hardware"]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    capsys.readouterr()


def test_only_signal_and_sys_come_before_the_handlers() -> None:
    """The first two statements of commands.main import signal and sys; what is imported for it imports nothing else."""
    source = Path(panacea_sim.commands.main.__file__).read_text(encoding="utf-8")
    first = [ast.unparse(statement) for statement in ast.parse(source).body[1:3]]
    assert first == ["import signal", "import sys"]
    asked = (
        "import signal, sys; before = set(sys.modules); import panacea_sim.commands.main; "
        "print(*sorted(set(sys.modules) - before))"
    )
    found = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    assert found == ["panacea_sim", "panacea_sim.commands", "panacea_sim.commands.main", "panacea_sim.version"]
