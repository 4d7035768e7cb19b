"""The machine of docs/how-to-add-a-machine.md runs, and everything that reads runs accepts it."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console

pytest.importorskip("numba")

from panacea_sim.choices import ValuesChoice
from panacea_sim.commands.main import main
from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware import registry
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import Machine, machine_of
from panacea_sim.report.study import print_study
from panacea_sim.report.terminal import print_run
from panacea_sim.running import values_choice
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.values_choice import chosen_values
from panacea_sim.trace.schema import TABLES
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.synthetic import synthetic_layer

PAGE = Path(__file__).parents[2] / "docs" / "how-to-add-a-machine.md"
SETTINGS: dict[str, object] = {
    "name": "dense",
    "machine": "dense_array",
    "array_rows": 8,
    "array_columns": 4,
    "tile_k": 16,
    "tile_n": 12,
    "loop_order": "nmk",
}
_LAYER = synthetic_layer(8, 8, 8, 0.5, 0.5, seed=0)
ENGINES: tuple[ChosenEngine, ...] = ("reference", "compiled")


@pytest.fixture(scope="module", autouse=True)
def dense_array(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Import the module that the page shows; afterwards its machine is unknown again."""
    found = re.search(r"^```python file=dense_array.py\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    path = tmp_path_factory.mktemp("module") / "dense_array.py"
    path.write_text(found[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("dense_array", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_registered", dict(registry._registered))
        patch.setitem(sys.modules, "dense_array", module)
        spec.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[ChosenEngine, RunOutcome]:
    """Run two ragged layers on both engines."""
    folder = tmp_path_factory.mktemp("runs")
    return {engine: run(_scenario(), RunOptions(folder / engine, engine=engine)) for engine in ENGINES}


@pytest.fixture
def folder(outcomes: dict[ChosenEngine, RunOutcome]) -> Path:
    """Return the run folder of the compiled engine."""
    found = outcomes["compiled"].folder
    assert found is not None
    return found


def _scenario(**settings: object) -> Scenario:
    layers = tuple(synthetic_layer(50, 40, 30, 0.5, 0.5, seed=seed, name=f"layer {seed}") for seed in range(2))
    return Scenario("dense", layers, settings=SETTINGS | settings, values=False)


def test_both_engines_agree(outcomes: dict[ChosenEngine, RunOutcome]) -> None:
    """Summaries are equal but for the engine and the time that it took, and so is every row of the tables."""
    slow, fast = (outcomes[engine] for engine in ENGINES)
    own = {"engine": "", "host_seconds": 0}
    assert slow.summary.to_json() | own == fast.summary.to_json() | own
    assert slow.folder is not None
    assert fast.folder is not None
    for table in TABLES:
        rows = [open_run(each).dataset(table).to_table().to_pylist() for each in (slow.folder, fast.folder)]
        assert rows[0] == rows[1]
        assert rows[0]


def test_its_figures_are_those_of_plain_arithmetic(outcomes: dict[ChosenEngine, RunOutcome]) -> None:
    """The array is busy for as many cycles, and multiplies as often, as loops over the tiles count."""
    summary = outcomes["compiled"].summary
    cycles = sum(
        -(-min(12, 30 - n) // 4) * min(16, 40 - k)
        for n in range(0, 30, 12)
        for _ in range(0, 50, 8)
        for k in range(0, 40, 16)
    )
    assert summary.components["array"]["busy"] == 2 * cycles
    assert summary.actions["array"] == {"mac_steps": 2 * 50 * 40 * 30}
    assert summary.operators == {"mac_busy": 2 * 50 * 40 * 30, "mac_capacity": summary.makespan_cycles * 8 * 4}
    assert [layer.weight_bytes for layer in summary.layers] == [50 * 40] * 2
    assert summary.dram.write_bytes == 2 * 50 * 30


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "settings",
    [
        {"loop_order": "mnk", "wmem_bytes": 8 * 16, "amem_bytes": 12 * 16, "omem_bytes": 8 * 12 * 4},
        {"dram": "ideal", "dram_channels": 1, "queue_depth": 1},
        {"array_rows": 64, "tile_k": 64, "tile_n": 32},
    ],
    ids=["least memory", "ideal channel", "one tile"],
)
def test_it_runs_on_other_figures(settings: dict[str, object], engine: ChosenEngine) -> None:
    """With memories that hold a tile each, one ideal channel or a single tile it comes to its end, all laws kept."""
    summary = run(_scenario(**settings), RunOptions(engine=engine)).summary
    assert summary.actions["array"] == {"mac_steps": 2 * 50 * 40 * 30}


def test_layers_that_run_alone_are_simulated_once(dense_array: ModuleType) -> None:
    """With the schedule barrier the second layer, whose sizes are those of the first, is the work of the first."""
    scenario = Scenario("alone", _scenario().layer, settings=SETTINGS, values=False, schedule="barrier")
    layers = run(scenario).summary.layers
    assert layers[1].memoized_from == layers[0].name
    assert dense_array.DenseArray.name == "dense_array"


def test_its_bound_holds(dense_array: ModuleType, outcomes: dict[ChosenEngine, RunOutcome]) -> None:
    """No layer takes fewer cycles than the machine says is the least."""
    outcome = outcomes["compiled"]
    hardware = outcome.prepared.hardware
    machine = dense_array.DenseArray()
    for layer, done in zip(_scenario().layers, outcome.summary.layers, strict=True):
        least = machine.least_cycles(machine.work(layer, hardware, None), hardware, 1)
        assert 0 < least <= done.end_cycle - done.start_cycle


def test_reports_show_it(outcomes: dict[ChosenEngine, RunOutcome]) -> None:
    """The terminal's report names its components and operators; a study has columns for them."""
    console = Console(file=StringIO(), width=110)
    print_run(console, outcomes["compiled"].summary)
    print_study(console, "both", {engine: outcome.summary for engine, outcome in outcomes.items()})
    text = console.file.getvalue() if isinstance(console.file, StringIO) else ""
    assert "Operators in use: MAC" in text
    assert all(f" {name} " in text for name in ("w_dma", "x_dma", "array", "o_dma", "MAC"))


@pytest.mark.parametrize(
    "command",
    [
        ["picture", "--out", "dense.svg"],
        ["picture", "--style", "paper", "--out", "dense.png"],
        ["timeline", "--html", "dense.html"],
        ["report", "--html", "report.html"],
        ["export", "--format", "perfetto", "--out", "dense.gz"],
        ["export", "--format", "vcd", "--out", "dense.vcd"],
        ["export", "--format", "csv", "--out", "tables"],
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_commands_write_it(command: list[str], folder: Path, tmp_path: Path) -> None:
    """Pictures, pages and exports of its run are written."""
    *name, out = command
    target = tmp_path / out
    assert main([name[0], str(folder), *name[1:], str(target)]) == 0
    assert target.exists()


@pytest.mark.parametrize(
    "question",
    [
        ["--component", "array", "--longest", "3"],
        ["--group-by", "component", "--group-by", "state"],
        ["--queues", "--component", "OMEM", "--limit", "9"],
        ["--dram", "--component", "o_dma", "--format", "csv"],
    ],
    ids=" ".join,
)
def test_inspect_answers(question: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Questions to its trace have rows."""
    assert main(["inspect", str(folder), *question]) == 0
    shown = capsys.readouterr()
    assert shown.out
    assert not shown.err


def test_a_run_can_be_read_where_the_machine_is_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers go by the topology; only who asks for the hardware itself hears that there is no such machine."""
    monkeypatch.setattr(registry, "_registered", {})
    stored = open_run(folder)
    assert [part.role for part in stored.topology.components] == ["fetch", "fetch", "compute", "write_back"]
    assert main(["inspect", str(folder), "--group-by", "component"]) == 0
    with pytest.raises(ConfigError, match=r"hardware\.machine: found 'dense_array'"):
        _ = stored.hardware


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loop_order": "kmn"}, "hardware.loop_order: found kmn"),
        ({"n_pea": 4}, "hardware.n_pea"),
        ({"array_rows": 0}, "hardware.array_rows"),
    ],
)
def test_what_it_cannot_do_is_refused(settings: dict[str, object], message: str) -> None:
    """A loop order that needs partial sums, a field of another machine and an array without rows are named."""
    with pytest.raises(ConfigError, match=message):
        run(_scenario(**settings))


def test_times_of_tile_groups_need_an_issuer(outcomes: dict[ChosenEngine, RunOutcome]) -> None:
    """A machine in which nobody has the role `issue` is told so by who asks for the times of tile groups."""
    with pytest.raises(ConfigError, match="role 'issue'"):
        outcomes["compiled"].tile_groups()


@pytest.mark.parametrize("values", ["travel", "check", True])
def test_values_are_refused(values: ValuesChoice | bool) -> None:  # noqa: FBT001  # the value itself is the case
    """A scenario that asks for values is told that this machine has none, however it asks."""
    word = "travel" if values is True else values
    with pytest.raises(ConfigError, match=rf"scenario\.values: found {word}; accepted: off, on machine 'dense_array'"):
        run(Scenario("dense", _LAYER, settings=SETTINGS, values=values))


def test_without_a_word_values_are_off() -> None:
    """`auto` asks for nothing that the machine cannot do."""
    scenario = Scenario("dense", _LAYER, settings=SETTINGS)
    assert (run(scenario).summary.values, run(scenario).summary.exact) == ("off", None)
    assert scenario.digest() == Scenario("dense", _LAYER, settings=SETTINGS, values=False).digest()


@pytest.mark.parametrize(("values", "found"), [("auto", "travel"), ("travel", "travel"), ("check", None)])
def test_a_machine_that_says_nothing_lets_values_travel(
    values: ValuesChoice, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default values travel, also in large runs, and `check` is refused by name."""
    monkeypatch.setattr(values_choice, "MOST_TRAVELLING_TASKS", 0)
    monkeypatch.setattr(type(machine_of(load_hardware("panacea", SETTINGS))), "values_ways", Machine.values_ways)
    hardware = load_hardware("panacea", SETTINGS)
    if found is None:
        with pytest.raises(ConfigError, match="found check; accepted: travel or off, on machine 'dense_array'"):
            chosen_values(values, [_LAYER], hardware, "auto")
    else:
        assert chosen_values(values, [_LAYER], hardware, "auto") == found


def test_a_memory_that_is_too_small_is_named() -> None:
    """A byte less than a tile needs is a MappingError of planning, which knows this machine no better than others."""
    with pytest.raises(MappingError, match="WMEM holds 127 bytes"):
        run(_scenario(wmem_bytes=8 * 16 - 1))


def test_work_is_dense(dense_array: ModuleType, outcomes: dict[ChosenEngine, RunOutcome]) -> None:
    """A tile has a byte for each element and nothing that is coded."""
    hardware = outcomes["compiled"].prepared.hardware
    work = dense_array.DenseArray().work(synthetic_layer(50, 40, 30, 0.5, 0.5, seed=0), hardware, None)
    assert not work.weight.ho.any()
    assert np.array_equal(work.weight.total.sum(0), [50 * 16, 50 * 16, 50 * 8])
    assert np.array_equal(work.activation.total.sum(1), [12 * 40, 12 * 40, 6 * 40])
