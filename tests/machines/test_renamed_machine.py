"""A machine whose parts all have other names is the same machine to everybody who reads a run of it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from rich.console import Console

from panacea_sim.analysis.comparison import compare_runs
from panacea_sim.commands.main import main
from panacea_sim.description.description import Description
from panacea_sim.description.inventory import Inventory
from panacea_sim.description.worker import Worker
from panacea_sim.energy.area import area_of
from panacea_sim.energy.energy import energy_of
from panacea_sim.energy.entry import energy_entry
from panacea_sim.energy.table import energy_table
from panacea_sim.hardware import registry
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.machines.machine import Values
from panacea_sim.machines.panacea.build import Panacea
from panacea_sim.machines.panacea.settings import PanaceaHardware
from panacea_sim.machines.shared.program import Program
from panacea_sim.report.picture import run_figure
from panacea_sim.report.study import print_study
from panacea_sim.report.terminal import print_run
from panacea_sim.report.timeline.content import timeline_content
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.functional import FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer

_LAYER = synthetic_layer(140, 70, 40, rho_w=0.3, rho_x=0.6, seed=2, name="layer")
_LETTERS = "zyxwvutsrqponmlkjihgfedcba"


def _other(name: str) -> str:
    """Return another name, which begins and ends otherwise and says nothing of what the part is; numbers stay."""
    return "T" + re.sub(r"[a-z]", lambda letter: _LETTERS[ord(letter[0]) - ord("a")], name.lower().replace("_", ""))


def _other_operation(operation: str) -> str:
    """Return the operation on a memory under its other name; what operators do has one name everywhere."""
    memory, point, kind = operation.rpartition(".")
    return f"{_other(memory)}.{kind}" if point else operation


def _renamed(machine: Description) -> Description:
    """Return the description with another name for each component, queue, store, memory, channel and group."""
    parts = tuple(
        replace(
            part,
            name=_other(part.name),
            group=_other(part.group),
            takes=tuple(replace(each, queue=_other(each.queue)) for each in part.takes),
            needs=tuple(replace(each, store=_other(each.store)) for each in part.needs),
            waits=tuple(replace(each, component=_other(each.component)) for each in part.waits),
            acquires=tuple(replace(each, memory=_other(each.memory)) for each in part.acquires),
            releases=tuple(replace(each, memory=_other(each.memory)) for each in part.releases),
            puts=tuple(replace(each, store=_other(each.store)) for each in part.puts),
            gives=tuple(replace(each, queue=_other(each.queue)) for each in part.gives),
            costs=tuple(replace(each, operation=_other_operation(each.operation)) for each in part.costs),
        )
        for part in machine.components
    )
    return Description(
        parts,
        tuple(replace(each, name=_other(each.name)) for each in machine.queues),
        tuple(replace(each, name=_other(each.name)) for each in machine.stores),
        tuple(replace(each, name=_other(each.name)) for each in machine.memories),
        tuple(replace(each, name=_other(each.name)) for each in machine.channels),
        tuple(replace(each, component=_other(each.component)) for each in machine.ports),
    )


class _RenamedValues:
    """The values of the machine, its workers under their other names."""

    def __init__(self, values: Values) -> None:
        self._values = values

    @property
    def workers(self) -> Mapping[str, Worker]:
        return {_other(name): worker for name, worker in self._values.workers.items()}

    @property
    def accumulators(self) -> Sequence[npt.NDArray[np.int32]]:
        return self._values.accumulators

    def exact(self) -> bool:
        return self._values.exact()


class _Renamed(Panacea):
    name = "renamed"
    settings = PanaceaHardware

    def describe(self, program: Program) -> Description:
        return _renamed(super().describe(program))

    def inventory(self, hardware: Hardware) -> Inventory:
        plain = super().inventory(hardware)
        memories = tuple(replace(each, name=_other(each.name)) for each in plain.memories)
        return replace(plain, memories=memories, units={_other(group): units for group, units in plain.units.items()})

    def values(  # type: ignore[override]  # other names for the same
        self, program: Program, layers: Sequence[GemmLayer], functional: Sequence[FunctionalPass]
    ) -> Values:
        return _RenamedValues(super().values(program, layers, functional))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunOutcome, RunOutcome]]:
    """Return the runs of a layer on the machine and on the one with other names, folders included."""
    registry.register(_Renamed())
    folder = tmp_path_factory.mktemp("names")
    values = load_hardware("panacea").model_dump()
    try:
        machines = (
            PanaceaHardware.model_validate(values),
            PanaceaHardware.model_validate({**values, "machine": "renamed"}),
        )
        outcomes = [run(Scenario("run", _LAYER, machine), RunOptions(folder / machine.machine)) for machine in machines]
        yield outcomes[0], outcomes[1]
    finally:
        del registry._registered["renamed"]


def _translated(value: Any, names: Mapping[str, str]) -> Any:  # noqa: ANN401  # any part of a JSON document
    if isinstance(value, dict):
        return {_translated_key(key, names): _translated(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [_translated(each, names) for each in value]
    if isinstance(value, str):
        head, colon, reason = value.partition(":")
        return names.get(head, head) + colon + reason
    return value


def _translated_key(key: str, names: Mapping[str, str]) -> str:
    memory, point, kind = key.rpartition(".")
    return names.get(key) or names.get(memory, memory) + point + kind


def _names(outcome: RunOutcome) -> dict[str, str]:
    topology = outcome.summary.topology
    assert topology is not None
    parts = [*(part.name for part in topology.components), *(part.group for part in topology.components)]
    return {name: _other(name) for name in [*parts, *(joint.name for joint in topology.joints), *topology.channels]}


def test_the_summary_is_the_same(runs: tuple[RunOutcome, RunOutcome]) -> None:
    """Every figure is there, under the other name; the run is exact."""
    plain, renamed = (outcome.summary.to_json() for outcome in runs)
    for summary in (plain, renamed):
        del summary["host_seconds"]
    assert _translated(plain, _names(runs[0])) == renamed
    assert renamed["exact"] is True


def test_the_energy_is_the_same(runs: tuple[RunOutcome, RunOutcome]) -> None:
    """Nothing is charged by the name of a part: the same total, categories and area."""
    found = [energy_of(outcome.summary, energy_table()) for outcome in runs]
    plain, renamed = (
        energy_entry(each, area_of(each.prices.inventory, each.prices.table, each.prices.cells)) for each in found
    )
    for key in ("total_pj", "pj_per_mac", "categories", "energy_delay_js"):
        assert plain[key] == renamed[key]
        assert plain[key]
    assert plain["area"]["total_mm2"] == renamed["area"]["total_mm2"]
    assert [_other(name) for name in plain["components"]] == list(renamed["components"])


def _report(outcome: RunOutcome) -> list[str]:
    text = io.StringIO()
    console = Console(file=text, width=200, color_system=None)
    print_run(console, outcome.summary)
    print_study(console, "study", {"case": outcome.summary})
    return text.getvalue().splitlines()


def test_the_terminal_shows_the_same(runs: tuple[RunOutcome, RunOutcome]) -> None:
    """The report has the same rows with the same figures: groups are joined, operators are named."""
    plain, renamed = (_report(outcome) for outcome in runs)
    assert len(plain) == len(renamed)
    for line, other in zip(plain, renamed, strict=True):
        assert re.findall(r"[\d,.]+%", line) == re.findall(r"[\d,.]+%", other)
    assert any("16 PEAs (mean)" in line for line in plain)
    assert any(f"16 {_other('pea')}s (mean)" in line for line in renamed)


def test_pages_and_pictures_show_the_same(runs: tuple[RunOutcome, RunOutcome]) -> None:
    """The timeline holds the same columns, the same lanes in groups, the same curves; the picture has as many lanes."""
    stored = [open_run(outcome.folder) for outcome in runs if outcome.folder is not None]
    plain, renamed = (timeline_content(each, None) for each in stored)
    assert [lane["section"] for lane in plain.header["lanes"]] == [lane["section"] for lane in renamed.header["lanes"]]
    assert [bool(lane["group"]) for lane in plain.header["lanes"]] == [
        bool(lane["group"]) for lane in renamed.header["lanes"]
    ]
    assert [curve["panel"] for curve in plain.header["curves"]].count("memories") == 3
    assert sorted(curve["panel"] for curve in plain.header["curves"]) == sorted(
        curve["panel"] for curve in renamed.header["curves"]
    )
    assert plain.header["operators"]["actions"] == renamed.header["operators"]["actions"]
    assert np.array_equal(plain.columns["duration"], renamed.columns["duration"])
    for style in ("screen", "paper"):
        lanes = [len(run_figure(each, style=style).axes[1].get_yticks()) for each in stored]  # type: ignore[arg-type]
        assert lanes[0] == lanes[1] == (27 if style == "screen" else 12)


def test_a_comparison_has_the_same_figures(runs: tuple[RunOutcome, RunOutcome]) -> None:
    """Side by side, each figure of the one run is there with another name for the other, in the same groups."""
    compared = compare_runs([open_run(outcome.folder) for outcome in runs if outcome.folder is not None])
    for name in ("states", "stalls", "actions"):
        rows = compared.section(name).rows
        figures = [
            sorted(
                (row.values[number], row.key[1], row.members[number : number + 1]) for row in rows if row.values[number]
            )
            for number in range(2)
        ]
        assert figures[0] == figures[1] != []
    assert not [row for row in compared.section("mapping").rows if row.difference]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--group-by", "component"],
        ["--group-by", "component", "--group-by", "cause"],
        ["--group-by", "component", "--each-pea"],
        ["--longest", "5"],
    ],
)
def test_inspect_answers_the_same(
    runs: tuple[RunOutcome, RunOutcome], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows of both runs differ in names only."""
    answers = []
    for outcome in runs:
        assert main(["inspect", str(outcome.folder), "--format", "json", *arguments]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    plain, renamed = answers
    topologies = [outcome.summary.machine for outcome in runs]
    renamed_short = topologies[1].short_names
    assert [row["cycles"] for row in plain] == [row["cycles"] for row in renamed]
    names = _names(runs[0])
    names |= {short: renamed_short[names[name]] for name, short in topologies[0].short_names.items()}
    assert sorted(json.dumps(_translated(row, names)) for row in plain) == sorted(map(json.dumps, renamed))


@pytest.mark.parametrize("format_name", ["perfetto", "vcd", "csv"])
def test_exports_are_of_the_same_size(runs: tuple[RunOutcome, RunOutcome], format_name: str, tmp_path: Path) -> None:
    """Texts have as many lines as before, and a binary trace is as long but for the lengths of the names."""
    found = []
    for outcome in runs:
        folder = tmp_path / outcome.prepared.hardware.machine
        folder.mkdir()
        assert main(["export", str(outcome.folder), "--format", format_name, "--out", str(folder / "trace")]) == 0
        texts = [file.read_bytes() for file in folder.rglob("*") if file.is_file() and file.suffix != ".gtkw"]
        found.append(sum(len(text) if format_name == "perfetto" else text.count(b"\n") for text in texts))
    assert found[0] > 0
    assert found[0] == pytest.approx(found[1], rel=0.02 if format_name == "perfetto" else 0)
