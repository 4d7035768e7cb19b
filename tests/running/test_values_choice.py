"""What happens to the values of a run: they travel, are checked without events, or are off."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from panacea_sim.choices import ChosenEngine, ChosenValues, Engine, Schedule, ValuesChoice
from panacea_sim.commands.main import main
from panacea_sim.engines.choice import chosen_engine
from panacea_sim.engines.compiled.availability import Obstacle
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running import values_choice
from panacea_sim.running.prepare import prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.running.values_choice import chosen_values
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

ENGINES: tuple[ChosenEngine, ...] = ("reference", "compiled")
NO_NUMBA = Obstacle("numba is not installed", "Install it with: pip install 'panacea-sim[compiled]'", is_broken=False)
BROKEN_NUMBA = Obstacle("numba cannot be imported (OSError: no LLVM)", "Install it anew", is_broken=True)
TINY = load_hardware("panacea", {"n_pea": 2, "v": 1, "tile_k": 1, "tile_n": 1})
"""A machine whose tasks are two rows, one k and one token."""
MASKED = MaskedLayer("masked", 64, 64, 64, 0.5, 0.5, seed=1)
LAYER = synthetic_layer(70, 90, 40, rho_w=0.3, rho_x=0.6, seed=1, name="stored")


def _of_tasks(m_tiles: int, k: int, n: int, name: str = "layer") -> AnyLayer:
    return synthetic_layer(2 * m_tiles, k, n, 0.5, 0.5, seed=1, v=1, name=name)


def _auto(*layers: AnyLayer, engine: Engine = "auto") -> ChosenValues:
    return chosen_values("auto", layers, TINY, engine)


def _missing(obstacle: Obstacle) -> Callable[[], Obstacle]:
    return lambda: obstacle


@pytest.mark.parametrize("engine", ["auto", "reference"])
def test_auto_counts_the_tasks_of_the_whole_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of 2,000 tile tasks travel, those of more are checked; layers count together and get one mode."""
    monkeypatch.setattr(values_choice, "compiled_obstacle", lambda: None)
    assert _auto(_of_tasks(10, 10, 20), engine=engine) == "travel"
    assert _auto(_of_tasks(3, 23, 29), engine=engine) == "check"
    half = _of_tasks(10, 10, 10, "half")
    assert _auto(half, _of_tasks(10, 10, 10), engine=engine) == "travel"
    assert _auto(half, _of_tasks(7, 11, 13), engine=engine) == "check"


def test_auto_checks_where_the_compiled_engine_is_asked_for() -> None:
    """No value can travel there, and a refusal would be of something that nobody asked for."""
    pytest.importorskip("numba")
    assert _auto(_of_tasks(1, 1, 1), engine="compiled") == "check"
    assert run(Scenario("small", LAYER), RunOptions(engine="compiled")).summary.exact is True


def test_auto_is_off_for_masks() -> None:
    """Layers without operands have nothing to compare, however many they are."""
    assert _auto(MASKED, replace(MASKED, name="other")) == "off"


@pytest.mark.parametrize("in_file", [False, True])
@pytest.mark.parametrize("first", ["masked", "stored"])
@pytest.mark.parametrize("schedule", get_args(Schedule))
def test_a_mixture_is_refused_by_name(schedule: Schedule, first: str, in_file: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """Masks beside operands: whoever means it says that values are off, and then it runs."""
    stored: AnyLayer | Path = LAYER
    if in_file:
        stored = tmp_path / "stored.npz"
        save_layer(LAYER, stored)
    layers = (MASKED, stored) if first == "masked" else (stored, MASKED)
    scenario = Scenario("mixture", layers, schedule=schedule)
    message = r"found auto, with masks only in 'masked' and operands in 'stored'; .*--values off"
    with pytest.raises(ConfigError, match=message):
        prepare(scenario)
    with pytest.raises(ConfigError, match=message):
        scenario.digest()
    assert run(replace(scenario, values="off")).summary.exact is None


@pytest.mark.parametrize("asked", ["travel", "check"])
@pytest.mark.parametrize("layers", [(MASKED,), (LAYER, MASKED)])
def test_masks_carry_no_values(layers: tuple[AnyLayer, ...], asked: ValuesChoice) -> None:
    """Who asks for values of a layer with masks only is refused, with the name of the layer."""
    with pytest.raises(ConfigError, match=rf"found {asked}; accepted: off, as 'masked' has masks only"):
        prepare(Scenario("masks", layers, values=asked))


def test_without_numba_values_travel(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` says nothing and lets them travel, `check` is refused with what to install or to choose."""
    monkeypatch.setattr(values_choice, "compiled_obstacle", _missing(NO_NUMBA))
    large = _of_tasks(3, 23, 29)
    assert _auto(large) == "travel"
    assert chosen_values("off", [large], TINY, "auto") == "off"
    message = (
        r"found check, but numba is not installed; accepted: travel or off, .*pip install 'panacea-sim\[compiled\]'"
    )
    with pytest.raises(ConfigError, match=message):
        chosen_values("check", [large], TINY, "auto")


def test_a_broken_numba_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values travel with a warning in a large run; a small one does not look."""
    monkeypatch.setattr(values_choice, "compiled_obstacle", _missing(BROKEN_NUMBA))
    assert _auto(_of_tasks(1, 1, 1)) == "travel"
    with pytest.warns(
        RuntimeWarning, match=re.escape("values travel instead of being checked, which takes long: numba")
    ):
        assert _auto(_of_tasks(3, 23, 29)) == "travel"


def test_without_numba_the_compiled_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """That numba is missing is said before anything about values, which would send the reader the wrong way."""
    monkeypatch.setattr("panacea_sim.engines.choice.compiled_obstacle", _missing(NO_NUMBA))
    with pytest.raises(ConfigError, match="found compiled, but numba is not installed"):
        chosen_engine("compiled", values=True)


@pytest.mark.parametrize(("old", "word"), [(True, "travel"), (False, "off")])
def test_booleans_are_the_words_of_before(old: bool, word: ValuesChoice) -> None:  # noqa: FBT001
    """True reads as travel and False as off, everywhere."""
    scenario, other = (Scenario("old", LAYER, values=each) for each in (old, word))
    assert (scenario.values, scenario.digest()) == (word, other.digest())


def test_digests_tell_whether_values_are_compared() -> None:
    """How they are compared changes no figure, so it does not count; that nothing is compared does."""
    digests = {word: Scenario("digest", LAYER, values=word).digest() for word in get_args(ValuesChoice)}
    assert digests["auto"] == digests["travel"] == digests["check"] != digests["off"]
    assert Scenario("digest", MASKED).digest() == Scenario("digest", MASKED, values="off").digest()


@pytest.mark.parametrize("values", ["trave", "", None, 1, 0, ["check"]])
def test_other_words_are_refused(values: object) -> None:
    """A word that is none, or a number that looks like one, is refused with the words that there are."""
    found = re.escape(repr(values))
    with pytest.raises(
        ConfigError, match=rf"scenario\.values: found {found}; accepted: auto or travel or check or off"
    ):
        Scenario("bad", LAYER, values=values)  # type: ignore[arg-type]


@pytest.mark.parametrize("schedule", get_args(Schedule))
@pytest.mark.parametrize("engine", ENGINES)
def test_checked_runs_give_the_figures_of_travelling_ones(engine: ChosenEngine, schedule: Schedule) -> None:
    """With either engine and schedule, summaries differ in engine, values and seconds only."""
    pytest.importorskip("numba")
    first = replace(LAYER, weight_scale=0.01, activation_scale=0.1)
    first = replace(first, output=calibrated_output(first))
    second = following(first, "second", np.random.default_rng(1).integers(-64, 64, (30, 70)).astype(np.int8))
    scenario = Scenario("pair", (first, second), values="check", schedule=schedule)
    own = {"engine": "", "values": "", "host_seconds": 0}
    checked = run(scenario, RunOptions(engine=engine)).summary.to_json()
    travelled = run(replace(scenario, values="travel")).summary.to_json()
    assert (checked["engine"], checked["values"], checked["exact"]) == (engine, "check", True)
    assert (travelled["engine"], travelled["values"]) == ("reference", "travel")
    assert checked | own == travelled | own


@pytest.mark.slow
def test_layers_are_checked_in_processes() -> None:
    """Workers load what the parent has compiled; each layer is checked, equal ones too."""
    pytest.importorskip("numba")
    layers = tuple(replace(LAYER, name=f"layer {number}") for number in range(3))
    scenario = Scenario("layers", layers, values="check", schedule="barrier")
    one, two = (run(scenario, RunOptions(workers=workers)).summary for workers in (1, 2))
    assert one.to_json() | {"host_seconds": 0} == two.to_json() | {"host_seconds": 0}
    assert [layer.memoized_from for layer in two.layers] == [None] * 3
    assert len({layer.output_sha256 for layer in two.layers}) == 1


def test_wrong_values_end_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checked run that is not exact ends with 1, says so, and keeps its folder."""
    pytest.importorskip("numba")
    from panacea_sim.machines.panacea.check import values  # noqa: PLC0415  # needs numba

    monkeypatch.setattr(values, "offline_compensation", lambda layer: np.ones(layer.M, np.int64))
    save_layer(LAYER, tmp_path / "stored.npz")
    out = str(tmp_path / "out")
    assert main(["gemm", str(tmp_path / "stored.npz"), "--values", "check", "--out", out]) == 1
    assert "NOT EXACT" in capsys.readouterr().out
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["exact"], summary["values"]) == (False, "check")


@pytest.mark.parametrize(("word", "exact"), [("travel", True), ("check", True), ("off", None)])
def test_the_option_goes_before_the_scenario(
    word: str,
    exact: bool | None,  # noqa: FBT001  # the value itself is what is compared
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """--values replaces what the scenario says; scenario.yaml keeps what was asked for, and gives the same run."""
    pytest.importorskip("numba")
    path, out = tmp_path / "stored.npz", tmp_path / "out"
    save_layer(LAYER, path)
    assert main(["gemm", str(path), "--values", word, "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["values"], summary["exact"]) == (word, exact)
    kept = load_scenario(out / "scenario.yaml")
    assert isinstance(kept, Scenario)
    assert kept.values == word
    assert main(["run", str(out / "scenario.yaml"), "--out", str(tmp_path / "again"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) | {"host_seconds": 0} == summary | {"host_seconds": 0}


def test_a_small_run_imports_no_numba(tmp_path: Path) -> None:
    """Who lets values travel does not pay for what checks them."""
    save_layer(LAYER, tmp_path / "stored.npz")
    code = """
import sys
from panacea_sim.commands.main import main
status = main(sys.argv[1:])
print(status, "numba" in sys.modules, file=sys.stderr)
"""
    command = [sys.executable, "-c", code, "gemm", str(tmp_path / "stored.npz"), "--out", str(tmp_path / "out")]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stderr.split()[-2:] == ["0", "False"]
