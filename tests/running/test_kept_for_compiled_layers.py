"""What is kept between layers (wirings, structures, schedules, devices) never mixes two machines or two shapes."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from panacea_sim.description import topology, wiring
from panacea_sim.engines.compiled import lanes, structure, tables, totals
from panacea_sim.engines.result import EngineResult
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.machines.panacea import build
from panacea_sim.machines.shared import encoded_outputs, sliced_tiling
from panacea_sim.mapping import plan
from panacea_sim.mapping.kept import Kept
from panacea_sim.memory.channel_device import channel_device
from panacea_sim.running import available_memory
from panacea_sim.running.layers import LayerTask, run_layer
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.run_place import partial_of
from panacea_sim.trace.store import RunFolder
from panacea_sim.workload.masked_layer import MaskedLayer

_KEPT: tuple[Any, ...] = (
    wiring.wiring_of,
    topology._topology,
    lanes._candidates,
    structure.structure_of,
    tables._blank,
    totals.accounts_of,
    totals.ends_of,
    sliced_tiling.shared_tiling,
    encoded_outputs._cut_of,
    channel_device,
)

_USUAL: dict[str, object] = {"loop_order": "mnk", "dtp": "off"}
_REVISITING: dict[str, object] = {"loop_order": "kmn", "dtp": "off", "tile_k": 16, "omem_bytes": 1 << 16}

_MACHINES: dict[str, dict[str, object]] = {
    "usual": _USUAL,
    "deep queues": _USUAL | {"queue_depth": 7},
    "late sums": _USUAL | {"pea_latency_cycles": 9},
    "few PEAs": _USUAL | {"n_pea": 4},
    "more operators": _USUAL | {"n_dwo": 12},
    "stacks": _USUAL | {"dtp": "on"},
    "columns first": _USUAL | {"loop_order": "nmk"},
    "partial sums": _REVISITING | {"psum_bytes": 1 << 15},
    "partial sums spill": _REVISITING | {"psum_bytes": 10_240, "spill": "allow"},
    "one request": _USUAL | {"outstanding": 1},
    "writes first": _USUAL | {"o_dma_priority": 0, "w_dma_priority": 2},
    "another device": _USUAL | {"dram": "ddr4_2400"},
    "the ideal one": _USUAL | {"dram": "ideal", "dram_latency_cycles": 31},
    "three channels": _USUAL | {"dram": "ideal", "dram_channels": 3},
}

_LAYERS = (
    MaskedLayer("square", 200, 100, 40, 0.3, 0.6, seed=1),
    MaskedLayer("twice", 100, 100, 40, 0.3, 0.6, seed=3, repeat=2),
)


def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in _KEPT:
        each.cache_clear()
    monkeypatch.setattr(plan, "_kept", Kept(8 << 20, plan._schedule_bytes))


def _figures(layer: MaskedLayer, hardware: Hardware) -> dict[str, Any]:
    outcome = run_layer(LayerTask(layer, hardware, "off", "compiled")).outcome
    assert outcome is not None
    return _plain(outcome.result) | {"parts": asdict(replace(outcome.parts, layers=()))}


def _plain(result: EngineResult) -> dict[str, Any]:
    return asdict(replace(result, times={}))


def test_machines_and_shapes_that_take_turns_are_not_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers on machines that differ in one thing give what each gives when nothing is kept from another."""
    # With the order of loops given, none is chosen by simulating several.
    machines = {name: load_hardware("panacea", settings) for name, settings in _MACHINES.items()}
    alone = {}
    for name, hardware in machines.items():
        for layer in _LAYERS:
            _forget(monkeypatch)
            alone[name, layer.name] = _figures(layer, hardware)
    _forget(monkeypatch)
    for layer in (*_LAYERS, *reversed(_LAYERS)):
        for name, hardware in machines.items():
            assert _figures(layer, hardware) == alone[name, layer.name], (name, layer.name)
    makespans = {name: alone[name, "square"]["makespan_cycles"] for name in machines}
    assert len(set(makespans.values())) > len(machines) // 2, "most of these machines differ in their cycles"


def test_firing_times_are_kept_for_those_who_ask_for_them() -> None:
    """A structure with other kept times is another one: the lanes of the PEAs can be asked for too."""
    scenario = Scenario("one", _LAYERS[0], values="off")
    prepared = run(scenario, RunOptions(engine="compiled")).prepared
    description = prepared.description  # type: ignore[union-attr]  # one layer runs as one simulation
    without = structure.structure_of(description.wiring, frozenset(), ())
    asked = structure.structure_of(description.wiring, frozenset({"pea0"}), ())
    assert "started:pea0" in asked.places
    assert "started:pea0" not in without.places


def test_equal_machines_share_a_wiring() -> None:
    """Layers of any shape on one machine have one wiring; another queue depth makes another."""
    deep = load_hardware("panacea", {"queue_depth": 7})

    def wiring_on(hardware: Hardware, layer: MaskedLayer) -> wiring.Wiring:
        work = build.MACHINE.work(layer, hardware, None)
        program = build.plan_program(hardware, [plan.plan_layer(layer.name, work, hardware, "mnk", 1)])
        return build.MACHINE.describe(program).wiring

    usual = load_hardware("panacea")
    assert wiring_on(usual, _LAYERS[0]) is wiring_on(usual, _LAYERS[1])
    assert wiring_on(deep, _LAYERS[0]) is not wiring_on(usual, _LAYERS[0])


def test_what_is_kept_is_bounded_by_its_bytes() -> None:
    """The oldest values go, and one that is too large alone leaves nothing behind."""
    computed: list[str] = []

    def value(name: str, size: int) -> np.ndarray:
        def compute() -> np.ndarray:
            computed.append(name)
            return np.zeros(size, np.int8)

        return kept.of(name, compute)

    kept = Kept[np.ndarray](10, lambda array: array.nbytes)
    value("a", 4), value("b", 4), value("a", 4)
    value("c", 4)  # b is the oldest now
    value("a", 4), value("b", 4)
    assert computed == ["a", "b", "c", "b"]
    assert len(value("large", 11)) == 11
    assert len(value("large", 11)) == 11
    assert computed[4:] == ["large", "large"]


def test_the_host_is_asked_again_after_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What there is of memory is known for a tenth of a second, and no longer."""
    clock, there = [100.0], [5]
    monkeypatch.setattr(available_memory.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(available_memory, "available_bytes", lambda: there[0])
    assert available_memory.lately_available_bytes() == 5
    there[0] = 3
    assert available_memory.lately_available_bytes() == 5
    clock[0] += 0.11
    assert available_memory.lately_available_bytes() == 3


def test_without_a_trace_nothing_is_spilled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that run alone get no folder for what they record where nothing is recorded, and one where it is."""
    made: list[Path] = []
    make = RunFolder.make_spill_folder
    monkeypatch.setattr(RunFolder, "make_spill_folder", lambda folder: made.append(folder.path) or make(folder))
    for level in ("off", "stalls"):
        scenario = Scenario("network", _LAYERS, values="off", schedule="barrier")
        run(scenario, RunOptions(tmp_path / level, engine="compiled", trace=TraceOptions(level)))
    assert made == [partial_of(tmp_path / "stalls")]
