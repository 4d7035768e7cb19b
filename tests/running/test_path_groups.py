"""The critical path on the graphs of tile groups, judged by a plain writing over the recorded tables."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from stored_runs import rows

from panacea_sim.explanation.explained import recorded_segments
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.masked_layer import MaskedLayer

Group = tuple[str, int, int]

_MACHINES: dict[str, dict[str, Any]] = {
    "resident": {},
    "fetched for each task": {"wmem_bytes": 256, "amem_bytes": 256, "loop_order": "nmk"},
    "panels": {"loop_order": "mkn", "dram": "hbm2", "dtp": "off"},
    "stacks": {"dtp": "on", "dram_channels": 2},
    "late": {"dram_latency_cycles": 40, "loop_order": "knm"},
}


_M_TILES = 9
"""Tiles of 8 rows in 72."""


def _outcome(settings: dict[str, Any], folder: Path | None = None, schedule: str = "overlap") -> RunOutcome:
    layers = tuple(
        MaskedLayer(f"layer{number}", 72, 40 + 24 * number, 24, 0.5, 0.5, number, repeat=2 - number)
        for number in range(2)
    )
    machine = {"n_pea": 2, "tile_k": 16, "tile_n": 8, "dram": "ideal", "dram_channels": 1} | settings
    scenario = Scenario("groups", layers, settings=machine, schedule=schedule, values=False)  # type: ignore[arg-type]
    return run(scenario, RunOptions(folder, trace=NO_TRACE if folder is None else RunOptions().trace))


def _plain(stored: StoredRun, height: int) -> tuple[Counter[Group], int]:
    """Return the cycles of the path by group, and those of none, stretch by stretch."""
    ending = {(row["component"], row["end_cycle"]): row for row in rows(stored, "activities")}
    tasks = [row for row in rows(stored, "activities") if row["component"] == "pea0" and row["state"] == "busy"]
    grants = {(row["channel"], row["end_cycle"]): row for row in rows(stored, "dram")}
    found: Counter[Group] = Counter()
    owner: dict[str, Any] | None = None
    path = recorded_segments(stored).to_pylist()
    later: list[int] = []

    def count(row: dict[str, Any], cycles: int) -> None:
        m, n, layer = row["m"], row["n"], row["layer"]
        if m == -1 or n == -1:
            m, n = _needed_first(row, tasks, ending, grants)
        # Stacks of two tiles do not reach from one product into the next.
        product, inside = divmod(m, _M_TILES)
        found[layer, product * -(-_M_TILES // height) + inside // height, n] += cycles

    for place, each in enumerate(path):
        cycles = each["end_cycle"] - each["start_cycle"]
        if each["kind"] == "service":
            owner = ending[each["component"], each["end_cycle"]]
        elif each["kind"] == "transfer":
            owner = ending[each["cause"], each["end_cycle"]]
        elif each["kind"] == "device" or each["component"] not in stored.channels:
            later.append(cycles)
            continue
        else:
            assert path[place - 1]["kind"] == "transfer"
        assert owner is not None
        count(owner, cycles + sum(later))
        later = []
    return found, sum(later)


def _needed_first(
    fetch: dict[str, Any],
    tasks: list[dict[str, Any]],
    ending: dict[tuple[str, int], dict[str, Any]],
    grants: dict[tuple[str, int], dict[str, Any]],
) -> tuple[int, int]:
    """Return m and n of the first task that needs what was fetched.

    Where there are as many fetches as tasks each task has its own; else that tile is fetched once.
    """
    mine = grants[fetch["component"], fetch["end_cycle"]]
    port = [row for row in grants.values() if row["port"] == mine["port"]]
    numbers = {row["firing"] for row in port if ending[row["channel"], row["end_cycle"]]["layer"] == fetch["layer"]}
    of_layer = [task for task in tasks if task["layer"] == fetch["layer"]]
    repeat = 2 if fetch["layer"] == "layer0" else 1
    n_tiles = 1 + max(task["n"] for task in of_layer)
    if len(numbers) == len(of_layer):
        task = of_layer[mine["firing"] - min(numbers)]
    else:
        axes = [axis for axis in ("m", "n", "k") if fetch[axis] != -1]
        # Activations count their n over both products of the first layer, tasks within one.
        places = [
            task | {"n": task["n"] + number * repeat // len(of_layer) * n_tiles} for number, task in enumerate(of_layer)
        ]
        task = of_layer[next(at for at, each in enumerate(places) if all(each[axis] == fetch[axis] for axis in axes))]
    return task["m"], task["n"]


@pytest.mark.parametrize("settings", _MACHINES.values(), ids=list(_MACHINES))
def test_path_cycles_are_those_of_the_plain_writing(settings: dict[str, Any], tmp_path: Path) -> None:
    """Every group has the cycles of its own services and transfers, and of what was fetched first for it."""
    outcome = _outcome(settings, tmp_path / "run")
    graphs, rest = outcome.path_on_tile_groups()
    height = 2 if outcome.summary.layers[0].double_tile else 1
    assert height == 2 or settings.get("dtp") != "on"
    assert {layer.weight_resident for layer in outcome.summary.layers} == {"wmem_bytes" not in settings}
    expected, left = _plain(open_run(tmp_path / "run"), height)
    found = {group: node["path_cycles"] for graph in graphs for group, node in graph.nodes.items()}
    assert {group: cycles for group, cycles in found.items() if cycles} == expected
    assert rest == left
    assert sum(found.values()) + rest == outcome.summary.makespan_cycles
    assert len([cycles for cycles in found.values() if cycles]) > 5


def test_times_and_path_lie_on_the_same_nodes() -> None:
    """Both annotations can be asked for, in either order; without asking there is no path."""
    outcome = _outcome({})
    (graph, _) = outcome.tile_groups()
    assert all("path_cycles" not in node for node in graph.nodes.values())
    (again, _), _ = outcome.path_on_tile_groups()
    assert again is graph
    assert all({"path_cycles", "start_cycle", "end_cycle"} <= {*node} for node in graph.nodes.values())


def test_layers_that_ran_alone_have_no_graphs() -> None:
    """What each of them did is not kept: all cycles are left."""
    outcome = _outcome({}, schedule="barrier")
    assert outcome.path_on_tile_groups() == ([], outcome.summary.makespan_cycles)
