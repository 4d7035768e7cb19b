"""Vector work as a stage of its own: what is read, what passes the PPU and when, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from case_counts import at_most
from engine_runs import NEEDS_NUMBA, assert_equal, reference
from hypothesis import event, given
from naive import interpret
from naive_stages import Passing, Stage, stage_of_tiles
from strategies import linked_programs, numbered

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.running.network import network_scenario
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.link import Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.vector_work import stage_of
from panacea_sim.workload.vector_stage import VectorStage
from panacea_sim.workload.written_format import WrittenFormat


def _stages(program: Program) -> list[Stage]:
    """Return what the stages of a program do, none for layers without one."""
    found = []
    for layer in program.layers:
        masked: MaskedLayer = program.graph.nodes[layer.plan.name]["layer"]
        stage = masked.stage if program.hardware.vector == "unfused" else None
        tiling = layer.plan.work.tiling
        found.append(Stage() if stage is None else stage_of_tiles(tiling, stage, program.hardware.vmem_bytes))
    return found


def _inputs(program: Program, layer: int) -> int:
    masked: MaskedLayer = program.graph.nodes[program.layers[layer].plan.name]["layer"]
    assert masked.stage is not None
    return masked.stage.inputs


def _parts(program: Program) -> dict[str, Component]:
    return {part.name: part for part in MACHINE.describe(program).components}


@at_most(120)
@given(linked_programs())
def test_the_ppu_takes_its_inputs_in_a_fixed_order(program: Program) -> None:
    """Output tiles of a layer come first, then those of its stage, in cycles that are counted by hand."""
    lanes, port = program.hardware.ppu_lanes, program.hardware.omem_bytes_per_cycle
    cycles: list[int] = []
    from_layer: list[int] = []
    from_stage: list[int] = []
    freed: list[int] = []
    given_tokens: list[int] = []
    stages = _stages(program)
    for number, (layer, stage) in enumerate(zip(program.layers, stages, strict=True)):
        passes = layer.plan.work.passes
        for m, n in zip(layer.plan.output_m.tolist(), layer.plan.output_n.tolist(), strict=True):
            outputs = int(layer.plan.work.outputs[m, n])
            cycles.append(max(-(-outputs * passes // lanes), -(-4 * outputs // port)))
            from_layer.append(1)
            from_stage.append(0)
            freed.append(0)
            given_tokens.append(1)
        for each in stage.passings:
            read = 2 * _inputs(program, number) * each.outputs
            cycles.append(max(-(-each.outputs * each.passes // lanes), -(-read // port)))
            from_layer.append(0)
            from_stage.append(int(each.is_fresh))
            freed.append(each.freed_bytes)
            given_tokens.append(int(each.makes_results))
    ppu = _parts(program)["ppu"]
    event(f"stages: {sum(bool(stage.passings) for stage in stages)}")
    assert ppu.service_cycles is not None
    assert ppu.service_cycles.tolist() == cycles
    assert ppu.takes[0].tokens.tolist() == from_layer
    assert ppu.gives[0].tokens.tolist() == given_tokens
    if any(stage.passings for stage in stages):
        assert ppu.takes[1].tokens.tolist() == from_stage
        assert ppu.releases[0].size_bytes.tolist() == freed
    else:
        assert len(ppu.takes) == 1
        assert not ppu.releases


@at_most(120)
@given(linked_programs())
def test_a_stage_reads_what_is_written_when_it_is_written(program: Program) -> None:
    """`v_dma` reads each tile of each input, from its place, the layer's own once `o_dma` has written it."""
    stages, parts = _stages(program), _parts(program)
    event(f"stages: {sum(bool(stage.passings) for stage in stages)}")
    if not any(stage.passings for stage in stages):
        assert "v_dma" not in parts
        return
    reads = [(number, *read) for number, stage in enumerate(stages) for read in stage.reads]
    stream, labels = parts["v_dma"], parts["v_dma"].labels
    assert labels is not None
    assert list(zip(labels.layer.tolist(), labels.m.tolist(), labels.n.tolist(), strict=True)) == [
        read[:3] for read in reads
    ]
    outputs = [layer.plan.work.outputs for layer in program.layers]
    assert stream.size_bytes is not None
    assert stream.size_bytes.tolist() == [2 * int(outputs[layer][m, n]) for layer, m, n, _ in reads]
    last = [number == _inputs(program, layer) - 1 for layer, _, _, number in reads]
    assert stream.gives[0].tokens.tolist() == last
    writes = parts["o_dma"].labels
    written: dict[tuple[int, int, int], int] = {}
    assert writes is not None
    for at, tile in enumerate(zip(writes.layer.tolist(), writes.m.tolist(), writes.n.tolist(), strict=True)):
        written.setdefault(tile, at + 1)
    assert stream.waits[0].firings.tolist() == [
        written[layer, m, n] if number == 0 else 0 for layer, m, n, number in reads
    ]


@at_most(120)
@given(linked_programs())
def test_all_places_are_apart(program: Program) -> None:
    """Inputs and results of stages overlap nothing, and the first input is where the layer writes."""
    spans = []
    for layer in program.layers:
        layout, work = layer.layout, layer.plan.work
        pairs = [(layout.weight, layer.plan.weight.total), (layout.output, layer.output_bytes.total)]
        if work.stage is not None:
            others = np.broadcast_to(2 * work.outputs[..., None], layout.stage_inputs.shape)
            pairs += [(layout.stage_inputs, others), (layout.stage_output, work.stage.output_bytes.total)]
        spans += [
            (first, first + size)
            for places, sizes in pairs
            for first, size in zip(places.ravel().tolist(), sizes.ravel().tolist(), strict=True)
            if size
        ]
    spans.sort()
    assert all(end <= first for (_, end), (first, _) in pairwise(spans))
    assert all(layer.layout.end >= 0 for layer in program.layers)


@at_most(120)
@given(linked_programs())
def test_nothing_is_read_before_it_is_written(program: Program) -> None:
    """No data of a layer's own tile is on the bus before the tile was written."""
    recorder = Recorder(layers=tuple(layer.plan.name for layer in program.layers))
    run_reference(MACHINE.describe(program), recorder)
    rows = recorder.table("activities").to_pylist()
    ends: dict[tuple[str, int, int], int] = {}
    for row in rows:
        if (row["component"], row["state"]) == ("o_dma", "busy"):
            ends.setdefault((row["layer"], row["m"], row["n"]), row["end_cycle"])
    starts: dict[tuple[str, int, int], list[int]] = {}
    for row in rows:
        if (row["component"], row["state"]) == ("v_dma", "busy"):
            starts.setdefault((row["layer"], row["m"], row["n"]), []).append(row["start_cycle"])
    assert all(min(cycles) >= ends[tile] for tile, cycles in starts.items() if tile in ends)


@NEEDS_NUMBA
@at_most(60)
@given(linked_programs())
def test_engines_agree(program: Program) -> None:
    """Both engines and the naive interpreter run stages alike."""
    machine: Description = MACHINE.describe(program)
    found = assert_equal(machine, ("o_dma",))
    assert found is not None
    if found.makespan_cycles <= 1_000:
        components = tuple(replace(part, labels=numbered(part.firings)) for part in machine.components)
        machine = replace(machine, components=components)
        assert reference(machine) == interpret(machine)


def test_a_panel_by_hand() -> None:
    """Softmax over 10 features in tiles of 8 x 4: read once where 10 x 4 x 2 bytes fit, else twice."""
    stage = VectorStage(4, 1, reduces=True)
    layer = MaskedLayer("qk", 10, 8, 4, 0.5, 0.5, 0, feeds_stage=True, stage=stage)
    for vmem_bytes, reads, freed in ((80, 2, [0, 0, 64, 16]), (79, 4, [64, 16, 64, 16])):
        hardware = load_hardware(
            "panacea", {"n_pea": 2, "tile_n": 4, "tile_k": 4, "vector": "unfused", "vmem_bytes": vmem_bytes}
        )
        tiling = MACHINE.work(layer, hardware, None).tiling
        found = stage_of_tiles(tiling, stage, vmem_bytes)
        plan = plan_layer("qk", MACHINE.work(layer, hardware, None), hardware, "mnk", 1)
        assert plan.stage is not None
        assert len(plan.stage.read_m) == reads == len(found.reads)
        assert [each.freed_bytes for each in found.passings] == freed
        assert plan.stage.passes.tolist() == [3, 3, 1, 1]
        assert found.passings[1] == Passing(1, 0, 8, 3, True, freed[1], False)


def test_a_tile_that_does_not_fit_is_refused() -> None:
    """The message says what VMEM holds and what is missing."""
    layer = MaskedLayer("qk", 10, 8, 4, 0.5, 0.5, 0, feeds_stage=True, stage=VectorStage(2, 2))
    hardware = load_hardware("panacea", {"n_pea": 2, "tile_n": 4, "tile_k": 4, "vector": "unfused", "vmem_bytes": 100})
    text = (
        r"VMEM holds 100 bytes, but a tile of 2 inputs of a vector stage needs 128: 28 bytes are missing\. Raise hard"
    )
    with pytest.raises(MappingError, match=text):
        plan_layer("qk", MACHINE.work(layer, hardware, None), hardware, "mnk", 1)


@pytest.mark.parametrize(
    ("work", "stage"),
    [
        ((), None),
        (("relu",), None),
        (("function", "batchnorm"), None),
        (("softmax",), VectorStage(4, 1, reduces=True)),
        (("residual", "norm"), VectorStage(5, 2, reduces=True)),
        (("product",), VectorStage(2, 2)),
        (("rotary",), VectorStage(3)),
    ],
)
def test_stages_of_vector_work(work: tuple[str, ...], stage: VectorStage | None) -> None:
    """Work with passes is a stage; a residual and a product have another input, norm and softmax reduce."""
    assert stage_of(work) == stage


@pytest.mark.parametrize(("vector", "rows"), [("fused", 0), ("free", 0), ("unfused", 2)])
def test_a_network_with_stages(vector: str, rows: int) -> None:
    """Gate and up write 2 bytes an element; the product of both reads them once; down reads its result."""
    graph: LayerGraph = nx.DiGraph(name="ffn")
    for name, shape, work in (("gate", (16, 8, 10), ("function",)), ("up", (16, 8, 10), ("product",))):
        add_layer(graph, Gemm(name, "Gemm", "ffn", "", *shape, rho_w=(0.5,), rho_x=0.5, vector=work))
    add_layer(graph, Gemm("down", "Gemm", "ffn", "", 8, 16, 10, rho_w=(0.5,), rho_x=0.5))
    for name in ("gate", "up"):
        add_link(graph, name, "down", Link("x"))
    scenario = network_scenario(graph, settings={"n_pea": 2, "tile_k": 16, "tile_n": 8, "vector": vector})
    summary = run(scenario, RunOptions()).summary
    gate, up, down = summary.layers
    formatted = sum(layer.output_bytes for layer in (gate, up))
    assert [layer.vector_bytes for layer in summary.layers] == [0, rows * 2 * 160, 0]
    assert down.output_bytes == 80
    if vector == "unfused":
        assert gate.output_bytes == 320
        assert up.output_bytes > 320
        assert summary.actions["v_dma"]["read_bytes"] == 640
    else:
        assert formatted != 640 + 320
        assert "v_dma" not in summary.actions


def test_layers_with_other_stages_are_other_work() -> None:
    """The key of equal work knows passes, inputs and sweeps of a stage, and what it writes."""
    hardware = load_hardware("panacea", {"n_pea": 2, "tile_n": 4, "tile_k": 4, "vector": "unfused"})
    written = (WrittenFormat("x", "columns", 8, ((0, 10),), (0.5,)),)
    plain = MaskedLayer("layer", 10, 8, 4, 0.5, 0.5, 0, feeds_stage=True)
    stages = (None, VectorStage(2), VectorStage(3), VectorStage(3, 2), VectorStage(3, 2, reduces=True))
    layers = [replace(plain, stage=stage) for stage in stages]
    layers += [replace(plain, feeds_stage=False), replace(plain, stage=stages[1], formats=written)]
    assert len({MACHINE.work(layer, hardware, None).key() for layer in layers}) == len(layers)


def test_a_run_with_stages_runs_again_from_its_folder(tmp_path: Path) -> None:
    """scenario.yaml keeps what a stage is."""
    stage = VectorStage(4, 2, reduces=True)
    layer = MaskedLayer("layer", 10, 8, 4, 0.5, 0.5, 0, feeds_stage=True, stage=stage)
    scenario = Scenario("stages", layer, settings={"vector": "unfused"}, values=False)
    first = run(scenario, RunOptions(tmp_path / "run")).summary
    again = load_scenario(tmp_path / "run" / "scenario.yaml")
    assert isinstance(again, Scenario)
    assert again.known_layers() == (layer,)
    assert run(again, RunOptions()).summary.layers == first.layers


def test_bad_stages() -> None:
    """Each field is refused by its name; a layer with a stage writes for it."""
    with pytest.raises(ConfigError, match=r"stage\.passes: found 0"):
        VectorStage(0)
    with pytest.raises(ConfigError, match=r"layer\.feeds_stage: found False; accepted: True for a layer with a stage"):
        MaskedLayer("qk", 10, 8, 4, 0.5, 0.5, 0, stage=VectorStage(2))
