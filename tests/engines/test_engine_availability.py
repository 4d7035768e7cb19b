"""A numba that is missing or broken stops nothing but the compiled engine, and what is wrong is told once."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from panacea_sim.engines.choice import chosen_engine
from panacea_sim.engines.compiled import availability
from panacea_sim.engines.compiled.availability import compiled_obstacle
from panacea_sim.errors import ConfigError

BROKEN = """
import sys
print("numba is imported", file=sys.stderr)
raise ImportError("Numba needs NumPy 2.3 or less")
"""
SCRIPT = """
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer
scenario = Scenario("large", MaskedLayer("a", 960, 1024, 128, 0.1, 0.9, seed=1), values=False)
"""
RUNS = """
import sys
from panacea_sim.commands.main import main
for engine in ("reference", "auto", "compiled"):
    print(f"<{engine}>", file=sys.stderr, flush=True)
    code = main(["run", "script.py", "--engine", engine, "--trace", "off", "--force"])
    print(f"exit {code}", file=sys.stderr, flush=True)
"""


@pytest.fixture
def importing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Exception], None]]:
    """Return a function that lets the import of the compiled engine fail as told."""

    def fail(error: Exception) -> None:
        def import_module(_: str) -> None:
            raise error

        monkeypatch.setattr(availability, "import_module", import_module)

    compiled_obstacle.cache_clear()
    yield fail
    compiled_obstacle.cache_clear()


def test_without_numba_the_reference_engine_runs(importing: Callable[[Exception], None]) -> None:
    """Nothing is said unless the compiled engine is asked for: then, what to install."""
    importing(ModuleNotFoundError("No module named 'numba'", name="numba"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chosen_engine("auto", values=False) == "reference"
    with pytest.raises(
        ConfigError, match=r"found compiled, but numba is not installed; .* pip install 'panacea-sim\[compiled\]'"
    ):
        chosen_engine("compiled", values=False)


@pytest.mark.parametrize(
    "error",
    [
        ImportError("Numba needs NumPy 2.3 or less"),
        OSError("could not load libllvmlite.so"),
        ModuleNotFoundError("No module named 'llvmlite'", name="llvmlite"),
    ],
)
def test_a_broken_numba_is_told(error: Exception, importing: Callable[[Exception], None]) -> None:
    """Without being asked for the compiled engine, the reference engine runs with a warning."""
    importing(error)
    message = f"numba cannot be imported \\({type(error).__name__}: {error}\\)"
    with pytest.warns(RuntimeWarning, match=f"the reference engine runs instead of the compiled one: {message}"):
        assert chosen_engine("auto", values=False) == "reference"
    with pytest.raises(ConfigError, match=f"--engine: found compiled, but {message}"):
        chosen_engine("compiled", values=False)


def test_a_broken_numba_stops_nothing_else(tmp_path: Path) -> None:
    """The reference engine does not touch it, `auto` warns in one line, and `compiled` ends with one message."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text(BROKEN)
    (tmp_path / "script.py").write_text(SCRIPT)
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{RUNS}"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    broken = "numba cannot be imported (ImportError: Numba needs NumPy 2.3 or less)"
    hint = "Install it anew: pip install --force-reinstall 'panacea-sim[compiled]'"
    accepted = "reference, or a numba that works"
    assert done.stderr.splitlines() == [
        *("<reference>", "exit 0", "<auto>", "numba is imported"),
        *(f"warning: the reference engine runs instead of the compiled one: {broken}", "exit 0", "<compiled>"),
        *(f"error: --engine: found compiled, but {broken}; accepted: {accepted}. {hint}", "exit 2"),
    ]
