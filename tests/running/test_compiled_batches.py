"""Layers that run in a batch: every figure is the one that a layer has when it is planned and run by itself."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from panacea_sim.description.component import Component
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.machines.machine import described, machine_of
from panacea_sim.machines.shared.program import plan_program
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running import batches, sequence
from panacea_sim.running.batch_outcome import BatchOutcome
from panacea_sim.running.batches import batches_of
from panacea_sim.running.layers import LayerTask
from panacea_sim.running.mapping_choice import mapped
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.written_format import WrittenFormat

pytest.importorskip("numba")

_USUAL: dict[str, object] = {"loop_order": "mnk", "dtp": "off"}
_SPILLING: dict[str, object] = {
    "loop_order": "kmn",
    "dtp": "off",
    "tile_k": 16,
    "omem_bytes": 1 << 16,
    "psum_bytes": 10_240,
    "spill": "allow",
}

_MACHINES = st.fixed_dictionaries(
    {
        "loop_order": st.sampled_from(["auto", "mnk", "kmn", "nkm", "knm"]),
        "dtp": st.sampled_from(["off", "on", "auto"]),
        "tile_k": st.sampled_from([16, 32]),
        "n_pea": st.sampled_from([4, 16]),
        "dram": st.sampled_from(["ideal", "ddr4_2400", "hbm2"]),
        "dram_channels": st.sampled_from([1, 2, 3]),
        "outstanding": st.sampled_from([1, 2, 8]),
        "queue_depth": st.sampled_from([1, 2, 7]),
        "wmem_bytes": st.sampled_from([4_096, 16_384, 1 << 17]),
        "amem_bytes": st.sampled_from([4_096, 8_192, 1 << 17]),
        "psum_bytes": st.sampled_from([4_096, 10_240, 32_768]),
        "spill": st.sampled_from(["allow", "refuse"]),
    }
)


@st.composite
def _layers(draw: st.DrawFn) -> tuple[MaskedLayer, ...]:
    """Draw layers that follow each other, some of one class; few seeds, so that some of them are equal."""
    layers: list[MaskedLayer] = []
    for block in range(draw(st.integers(1, 3))):
        m, k, n = (draw(st.integers(1, most)) for most in (150, 110, 70))
        bits, repeat = draw(st.sampled_from([4, 7, 10])), draw(st.sampled_from([1, 1, 2]))
        densities = (draw(st.sampled_from([0.0, 0.1, 0.9, 1.0])), draw(st.sampled_from([0.0, 0.5, 0.95])))
        formats: tuple[WrittenFormat, ...] = ()
        if draw(st.booleans()):
            skipped = (draw(st.sampled_from([0.1, 0.8])),)
            formats = (WrittenFormat("x", "columns", 8, ((0, draw(st.integers(1, m))),), skipped),)
        layers += [
            MaskedLayer(f"{block}.{each}", m, k, n, *densities, seed, weight_bits=bits, repeat=repeat, formats=formats)
            for each, seed in enumerate(draw(st.lists(st.integers(0, 3), min_size=1, max_size=5)))
        ]
    return tuple(layers)


def _one_by_one(layers: Sequence[AnyLayer], hardware: Hardware) -> list[range]:  # noqa: ARG001  # in place of batches_of
    return [range(number, number + 1) for number in range(len(layers))]


def _summary(layers: tuple[MaskedLayer, ...], machine: dict[str, object], **options: Any) -> dict[str, Any]:  # noqa: ANN401  # those of a run
    scenario = Scenario("net", layers, settings=machine, values=False, schedule="barrier", mapping="class")
    options = {"engine": "compiled", "memoize": False, "trace": TraceOptions("off")} | options
    summary = run(scenario, RunOptions(**options)).summary.to_json()
    return {key: value for key, value in summary.items() if key not in {"host_seconds", "trace", "explanation"}}


def _alone(layers: tuple[MaskedLayer, ...], machine: dict[str, object], **options: Any) -> dict[str, Any]:  # noqa: ANN401  # the same
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequence, "batches_of", _one_by_one)
        return _summary(layers, machine, **options)


def _counted(patch: pytest.MonkeyPatch) -> list[int]:
    """Return a list to which the layers of each batch that runs are added, 0 for one that has to run one by one."""
    together, sizes = batches._run, []

    def counting(task: LayerTask, names: Sequence[str], works: Sequence[LayerWork]) -> BatchOutcome | None:
        outcome = together(task, names, works)
        sizes.append(0 if outcome is None else len(names))
        return outcome

    patch.setattr(batches, "_run", counting)
    return sizes


@given(layers=_layers(), machine=_MACHINES, memoize=st.booleans())
@settings(max_examples=40)
def test_a_batch_gives_what_its_layers_give_alone(
    layers: tuple[MaskedLayer, ...], machine: dict[str, object], *, memoize: bool
) -> None:
    """Every figure of summary.json is equal on random shapes, masks and machines; so is what cannot be mapped."""
    results = []
    for summary in (_alone, _summary):
        try:
            results.append(summary(layers, machine, memoize=memoize))
        except MappingError as error:
            results.append({"error": str(error)})
    assert results[0] == results[1]


@pytest.mark.parametrize("dram", ["ideal", "ddr4_2400"])
@pytest.mark.parametrize("machine", [_USUAL, _USUAL | {"dtp": "on"}, _SPILLING])
def test_a_batch_gives_what_traced_and_explained_layers_give(
    machine: dict[str, object], dram: str, tmp_path: Path
) -> None:
    """Layers that are recorded and explained run one by one, and give the same figures."""
    layers = tuple(MaskedLayer(f"layer {seed}", 200, 100, 40, 0.3, 0.6, seed) for seed in range(3))
    machine = machine | {"dram": dram}
    with pytest.MonkeyPatch.context() as patch:
        sizes = _counted(patch)
        together = _summary(layers, machine)
        assert sizes == [3]
        recorded = _summary(layers, machine, trace=TraceOptions("full"), folder=tmp_path / "run", explain=True)
        assert sizes == [3]
    assert together == recorded


def _arrays(part: Component) -> dict[str, np.ndarray]:
    """Return the arrays of a component that do not refer to others, by firing."""
    arrays = {f"acquires {each.memory}": each.size_bytes for each in part.acquires}
    arrays |= {f"releases {each.memory}": each.size_bytes for each in part.releases}
    arrays |= {f"takes {number}": each.tokens for number, each in enumerate(part.takes)}
    arrays |= {f"gives {number}": each.tokens for number, each in enumerate(part.gives)}
    if part.service_cycles is not None:
        arrays["serves"] = part.service_cycles
    return arrays


def _posted(part: Component, firing: int) -> list[tuple[int, ...]]:
    """Return channel, address, bytes and direction of each part of the request of a firing."""
    asked = part.requests
    assert asked is not None
    request = firing if asked.request is None else int(asked.request[firing])
    parts = range(int(asked.offsets[request]), int(asked.offsets[request + 1]))
    columns = (asked.channel, asked.address, asked.size_bytes, asked.write)
    return [tuple(int(column[each]) for column in columns) for each in parts]


@pytest.mark.parametrize(
    "machine", [_USUAL, _USUAL | {"dtp": "on", "dram_channels": 3}, _SPILLING, _USUAL | {"wmem_bytes": 4_096}]
)
def test_the_description_of_a_batch_is_that_of_each_layer_behind_the_other(machine: dict[str, object]) -> None:
    """Firing by firing: what a layer does in a batch is what it does alone; indices begin where its firings do."""
    hardware = load_hardware("panacea", machine)
    kind = machine_of(hardware)
    order, height = str(machine["loop_order"]), 2 if machine["dtp"] == "on" else 1
    layers = [MaskedLayer("layer", 150, 70, 40, 0.3, 0.6, seed, repeat=2) for seed in range(3)]
    works = [kind.work(layer, hardware, None) for layer in layers]
    joined = kind.batched(works)
    assert joined is not None
    together = described(plan_program(hardware, [plan_layer("batch", joined, hardware, order, height, len(works))]))
    for number, work in enumerate(works):
        alone = mapped("layer", work, hardware, order, height).description
        assert alone is not None
        firings = {part.name: part.firings for part in alone.components}
        for mine, theirs in zip(alone.components, together.components, strict=True):
            assert theirs.firings == len(works) * mine.firings, mine.name
            first = number * mine.firings
            cut, there = slice(first, first + mine.firings), _arrays(theirs)
            for name, array in _arrays(mine).items():
                assert np.array_equal(array, there[name][cut]), (mine.name, name)
            for need, in_batch in zip(mine.needs, theirs.needs, strict=True):
                before = number * firings[alone.producer[need.store]]
                expected = [index + before if index >= 0 else index for index in need.index.tolist()]
                assert in_batch.index[cut].tolist() == expected, mine.name
            for wait, in_wait in zip(mine.waits, theirs.waits, strict=True):
                before = number * firings[wait.component]
                assert in_wait.firings[cut].tolist() == [each + before if each else 0 for each in wait.firings.tolist()]
            if mine.posted:
                for firing in range(mine.firings):
                    assert _posted(mine, firing) == _posted(theirs, first + firing), mine.name
            for action, in_all in zip(mine.actions, theirs.actions, strict=True):
                assert action.total() == in_all.totals(len(works))[number], (mine.name, action.name)


def test_only_small_layers_of_one_class_make_a_batch() -> None:
    """Others run alone: large ones, those with a stage or steps, those of other sizes; a batch has at most 32."""
    hardware = load_hardware("panacea")
    small = MaskedLayer("small", 64, 32, 16, 0.1, 0.5, 1)
    layers = [
        *(replace(small, seed=seed) for seed in range(40)),
        replace(small, rho_w=0.9),
        replace(small, K=64),
        replace(small, K=64, seed=2),
        replace(small, M=1 << 16, K=1 << 10),
        replace(small, M=1 << 16, K=1 << 10),
        replace(small, repeat=2, sequential=True),
        replace(small, repeat=2, sequential=True),
    ]
    sizes = [len(numbers) for numbers in batches_of(layers, hardware)]
    assert sizes == [32, 8, 1, 2, 1, 1, 1, 1]
    assert [number for numbers in batches_of(layers, hardware) for number in numbers] == list(range(len(layers)))


def test_layers_that_do_not_fit_one_plan_run_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the tiles of some layers can stay in WMEM and those of others cannot, each is planned for itself."""
    layers = tuple(MaskedLayer(f"layer {seed}", 64, 256, 32, 0.5, 0.5, seed) for seed in range(6))
    hardware = load_hardware("panacea", _USUAL)
    needed = sorted(int(machine_of(hardware).work(layer, hardware, None).weight.total.sum()) for layer in layers)
    assert needed[0] < needed[-1]
    machine = _USUAL | {"wmem_bytes": needed[2]}
    sizes = _counted(monkeypatch)
    together = _summary(layers, machine)
    assert sizes == [0]
    assert {layer["weight_resident"] for layer in together["layers"]} == {True, False}
    assert together == _alone(layers, machine)


def test_a_layer_of_a_batch_that_does_not_fit_is_named() -> None:
    """The message is that of a layer alone."""
    layers = tuple(MaskedLayer(f"layer {seed}", 64, 64, 32, 0.5, 0.5, seed) for seed in range(3))
    message = r"layer 'layer 0': WMEM holds 64 bytes, but a tile needs"
    with pytest.raises((MappingError, ConfigError), match=message):
        _summary(layers, _USUAL | {"wmem_bytes": 64})


def test_equal_layers_of_a_batch_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a batch, and between batches: the first stands for all that are equal to it, as often as they come."""
    layers = tuple(MaskedLayer(f"layer {number}", 64, 32, 16, 0.1, 0.5, number % 3) for number in range(40))
    sizes = _counted(monkeypatch)
    summary = _summary(layers, _USUAL, memoize=True)
    assert sizes == [3]
    memoized = [layer["memoized_from"] for layer in summary["layers"]]
    assert memoized == [None] * 3 + [f"layer {number % 3}" for number in range(3, 40)]
    unmemoized = _summary(layers, _USUAL)
    assert {layer["memoized_from"] for layer in unmemoized["layers"]} == {None}
    for each in (summary, unmemoized):
        for layer in each["layers"]:
            del layer["memoized_from"]
    assert summary == unmemoized


def test_batches_run_side_by_side_in_processes() -> None:
    """Workers return what this process finds."""
    layers = tuple(MaskedLayer(f"layer {seed}", 64, 48, 16, 0.1, 0.5, seed) for seed in range(40))
    assert _summary(layers, _USUAL, workers=2) == _summary(layers, _USUAL)
