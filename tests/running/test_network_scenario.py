"""Networks that run: each layer of the graph in its order, with the densities and repeats that it has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from engine_runs import ENGINES
from naive_outputs import output_bytes

from panacea_sim.choices import Engine, Schedule
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.running.network import network_scenario
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.stored_run import open_run
from panacea_sim.workload.link import Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.written_format import WrittenFormat

SETTINGS = {"n_pea": 2, "tile_k": 16, "tile_n": 8}


def _network() -> LayerGraph:
    graph: LayerGraph = nx.DiGraph(name="tiny", description="two heads")
    add_layer(graph, Gemm("qkv", "Gemm", "qkv", "0", 24, 8, 10, rho_w=(0.1,), rho_x=0.9, vector=("norm",)))
    add_layer(graph, Gemm("pv", "MatMul", "pv", "0", 4, 10, 10, repeat=2, rho_w=(0.5,), rho_x=0.5))
    add_layer(graph, Gemm("qk", "MatMul", "qk", "0", 10, 4, 10, repeat=2, rho_w=(0.5,), rho_x=0.5, vector=("softmax",)))
    add_layer(graph, Gemm("out", "Gemm", "out", "0", 8, 8, 10, weight_bits=10, rho_w=(0.2, 0.8), rho_x=0.5))
    for producer, consumer in (("qkv", "qk"), ("qk", "pv"), ("pv", "out")):
        add_link(graph, producer, consumer, Link("x", "all"))
    return graph


def test_layers_run_in_the_order_of_the_graph() -> None:
    """Sizes, repeats, kinds and tiles are those of the graph, and cycles follow each other."""
    scenario = network_scenario(_network(), settings=SETTINGS)
    summary = run(scenario, RunOptions()).summary
    assert [layer.name for layer in summary.layers] == ["qkv", "qk", "pv", "out"]
    assert [(layer.kind, layer.block, layer.repeat) for layer in summary.layers] == [
        ("qkv", "0", 1),
        ("qk", "0", 2),
        ("pv", "0", 2),
        ("out", "0", 1),
    ]
    assert [layer.tiles for layer in summary.layers] == [3 * 1 * 2, 2 * 2 * 1 * 2, 2 * 1 * 1 * 2, 1 * 1 * 2]
    ends = [layer.end_cycle for layer in summary.layers]
    assert ends == sorted(ends)
    assert (summary.schedule, summary.scenario) == ("barrier", "tiny")


@pytest.mark.parametrize(("vector", "passes"), [("fused", [4, 4, 1, 1]), ("free", [1, 1, 1, 1])])
@pytest.mark.parametrize(("lanes", "port_bytes"), [(4, 256), (7, 256), (60, 9)])
def test_vector_work_takes_passes_of_the_ppu(vector: str, passes: list[int], lanes: int, port_bytes: int) -> None:
    """The busy cycles of the PPU are those of all passes, tile by tile; outputs are read once, whatever follows."""
    settings = {**SETTINGS, "vector": vector, "ppu_lanes": lanes, "omem_bytes_per_cycle": port_bytes}
    scenario = network_scenario(_network(), settings=settings)
    summary = run(scenario, RunOptions()).summary
    rows, columns = {"qkv": 24, "qk": 10, "pv": 4, "out": 8}, 10
    wanted = 0
    for layer, times in zip(summary.layers, passes, strict=True):
        tiles = [
            min(8, rows[layer.name] - m) * min(8, columns - n)
            for m in range(0, rows[layer.name], 8)
            for n in range(0, columns, 8)
        ]
        wanted += layer.repeat * sum(max(-(-tile * times // lanes), -(-4 * tile // port_bytes)) for tile in tiles)
    assert summary.components["ppu"]["busy"] == wanted


def test_layers_write_what_others_read_of_them() -> None:
    """Each layer writes the bytes of its formats, tile by tile, and a layer that nobody reads a byte an output."""
    graph = _network()
    add_link(graph, "qkv", "qk", Link("w", feature_offset=4))
    add_link(graph, "qkv", "pv", Link("w", features_on="m", feature_offset=(8, 12)))
    scenario = network_scenario(graph, settings=SETTINGS)
    forms = [written.form for written in scenario.known_layers()[0].formats]  # type: ignore[union-attr]
    assert forms == [("x", "columns", 8), ("w", "columns", 7), ("w", "features", 7)]
    summary = run(scenario, RunOptions()).summary
    for layer, found in zip(scenario.known_layers(), summary.layers, strict=True):
        assert isinstance(layer, MaskedLayer)
        tiling = SlicedTiling(layer.M, layer.K, layer.N, v=4, tile_m=8, tile_k=16, tile_n=8, repeat=layer.repeat)
        tiles = [tile for at in range(len(layer.formats)) for row in output_bytes(layer, tiling, at) for tile in row]
        assert found.output_bytes == (sum(total for tile in tiles for _, total in tile) or layer.M * layer.N)
    moved = sum(layer.output_bytes + layer.spilled_bytes // 2 for layer in summary.layers)
    assert summary.dram.write_bytes == moved


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_progress_counts_output_tiles_and_not_their_formats(schedule: Schedule, engine: Engine) -> None:
    """A tile that is written three times is done once."""
    forms = (("x", "columns", 8), ("w", "columns", 7), ("w", "features", 7))
    formats = tuple(WrittenFormat(*form, ((0, 20),), (0.5,)) for form in forms)  # type: ignore[arg-type]
    layer = MaskedLayer("layer", 30, 8, 10, 0.5, 0.5, 0, formats=formats)
    scenario = Scenario("progress", layer, settings=SETTINGS, schedule=schedule, values=False)
    heard: list[tuple[int, int]] = []
    run(scenario, RunOptions(engine=engine, workers=1, progress=lambda done, count: heard.append((done, count))))
    assert heard[-1] == (8, 8)
    assert heard == sorted(heard)
    if engine == "reference":
        assert {done for done, _ in heard} >= set(range(1, 9))


def test_a_share_for_each_slice() -> None:
    """Slices of wide weights are skipped with shares of their own."""
    layer = MaskedLayer("wide", 400, 50, 4, (0.1, 0.9), 0.5, 1, weight_bits=10, activation_bits=12)
    weight, activation = layer.skip_masks(4)
    assert (weight.shape, activation.shape) == ((2, 100, 50), (2, 1, 50))
    assert np.allclose(weight.mean((1, 2)), [0.1, 0.9], atol=0.03)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"rho_w": (0.1, 0.2)}, r"layer\.rho_w: found 2 shares; accepted: one share, or 1"),
        ({"rho_w": (1.5,)}, r"layer\.rho_w: found 1\.5"),
        ({"repeat": 0}, r"layer\.repeat: found 0"),
        ({"passes": 0}, r"layer\.passes: found 0"),
        ({"weight_bits": 8}, r"layer\.weight_bits: found 8"),
        ({"activation_bits": 16}, r"layer\.activation_bits: found 16"),
    ],
)
def test_bad_fields_of_a_masked_layer(changes: dict[str, object], text: str) -> None:
    """Each field is refused by its name."""
    fields: dict[str, object] = {"M": 4, "K": 4, "N": 4, "rho_w": 0.5, "rho_x": 0.5, "seed": 0}
    with pytest.raises(ConfigError, match=text):
        MaskedLayer("bad", **(fields | changes))  # type: ignore[arg-type]


def test_layers_without_densities_are_refused() -> None:
    """Nobody guesses how sparse a layer is."""
    graph: LayerGraph = nx.DiGraph()
    add_layer(graph, Gemm("bare", "Gemm", "ffn", "", 4, 4, 4))
    with pytest.raises(ConfigError, match="layer 'bare': found no densities; accepted: shares of skipped vectors"):
        network_scenario(graph)


def test_a_network_runs_again_from_its_folder(tmp_path: Path) -> None:
    """scenario.yaml keeps repeats, widths, kinds, passes and the way in which mappings are chosen."""
    folder = tmp_path / "run"
    scenario = network_scenario(_network(), settings=SETTINGS)
    first = run(scenario, RunOptions(folder)).summary
    again = load_scenario(folder / "scenario.yaml")
    assert isinstance(again, Scenario)
    assert again.mapping == "class"
    second = run(again, RunOptions()).summary
    assert first.layers == second.layers
    assert again.digest() == scenario.digest()


def test_layers_of_a_network_keep_labels_and_mappings_where_they_overlap() -> None:
    """Kind, block, mapping and bytes of each layer are those of barrier; what is only known of layers alone is not."""
    scenario = network_scenario(_network(), settings=SETTINGS)
    alone, together = (run(replace(scenario, schedule=each)).summary for each in ("barrier", "overlap"))
    known_alone = ("busiest", "border_cycles", "memoized_from", "operations", "activates", "refreshes")
    unknown = {"start_cycle": 0, "end_cycle": 0} | dict.fromkeys(known_alone)
    assert [layer.model_copy(update=unknown) for layer in alone.layers] == [
        layer.model_copy(update={"start_cycle": 0, "end_cycle": 0}) for layer in together.layers
    ]
    assert {layer.mapping_from for layer in together.layers} == {"class"}


def test_steps_stay_steps() -> None:
    """A recurrent layer of the graph is sequential where it runs."""
    graph: LayerGraph = nx.DiGraph()
    add_layer(graph, Gemm("h", "LSTM", "lstm", "", 8, 4, 2, repeat=3, sequential=True, rho_w=(0.5,), rho_x=0.5))
    (layer,) = network_scenario(graph).known_layers()
    assert layer.sequential is True


def test_products_have_operands_of_their_own() -> None:
    """The masks of a repeated layer differ from product to product."""
    layer = MaskedLayer("heads", 16, 20, 8, 0.5, 0.5, 3, repeat=2)
    weight, activation = layer.skip_masks(4)
    assert (weight.shape, activation.shape) == ((1, 8, 20), (1, 4, 20))
    assert not np.array_equal(weight[:, :4], weight[:, 4:])
    work = machine_of(load_hardware("panacea")).work(layer, load_hardware("panacea"), None)
    assert work.weight.total.shape == (2, 1)


def test_a_layer_that_does_not_fit_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    """The message says which layer it is; those before it are in the partial folder."""
    graph: LayerGraph = nx.DiGraph(name="tiny", description="a layer with large tiles behind one with small ones")
    add_layer(graph, Gemm("small", "Gemm", "ffn", "", 8, 4, 8, rho_w=(0.5,), rho_x=0.5))
    add_layer(graph, Gemm("large", "Gemm", "ffn", "", 8, 16, 8, rho_w=(0.0,), rho_x=0.5))
    scenario = network_scenario(graph, settings={**SETTINGS, "wmem_bytes": 64})
    with pytest.raises(MappingError, match=r"^layer 'large': WMEM holds 64 bytes, but a tile needs") as refused:
        run(scenario, RunOptions(tmp_path / "run"))
    assert refused.value.__notes__ == [f"What was recorded is in {tmp_path / 'run.partial'}"]
    assert set(open_run(tmp_path / "run").dataset("activities").to_table()["layer"].to_pylist()) <= {"small", ""}
