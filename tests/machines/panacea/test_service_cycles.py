"""The service rule of every component, and the bytes of every request, written a second time in plain code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import event, given, settings
from naive_timing import PlainMachine, Tile
from strategies import chains, scenarios

from panacea_sim.description.component import Component
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.chain import following
from panacea_sim.workload.functional import functional_pass
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.synthetic import synthetic_layer

OUTPUTS = 64 * 64

# 40 rows, 40 positions and 8 tokens in a tile; all of the layers below are ragged in all three. Rates are small and
# odd, so that every byte, step and output counts.
MACHINE = {
    "v": 4,
    "n_pea": 10,
    "tile_k": 40,
    "tile_n": 8,
    "n_dwo": 3,
    "n_swo": 5,
    "n_cs": 2,
    "codec_bytes_per_cycle": 3,
    "sram_bytes_per_cycle": 7,
    "accumulator_lanes": 3,
    "ppu_lanes": 7,
    "omem_bytes_per_cycle": 100,
    "dram_channels": 2,
    "psum_bytes": 2048,
}
SLOW_PORT = {"accumulator_lanes": 100, "ppu_lanes": 100, "omem_bytes_per_cycle": 11}
MANY_OPERATORS = {"n_dwo": 40, "n_swo": 1, "n_cs": 40}
DENSE_ACTIVATIONS = {"n_dwo": 100, "n_swo": 100, "n_cs": 1}


def _layer(weight_bits: int, activation_bits: int, output: OutputFormat | None) -> GemmLayer:
    """Return a layer of 3 m tiles, 2 k tiles and 2 n tiles whose streams have runs long enough for fillers."""
    widths = {"weight_bits": weight_bits, "activation_bits": activation_bits}
    layer = synthetic_layer(90, 75, 13, 0.93, 0.93, 3, name=f"w{weight_bits}x{activation_bits}", **widths)  # type: ignore[arg-type]  # none of them is the name
    return replace(layer, weight_scale=0.01, activation_scale=0.01, output=output)


WIDE = _layer(10, 12, OutputFormat(0.3, 2000, 12))
LAYERS = {
    "wide": (WIDE,),
    "usual": (_layer(7, 8, OutputFormat(0.08, 100, 8, 5)),),
    "narrow": (_layer(4, 4, OutputFormat(0.4, 7, 4)),),
    "dense": (_layer(7, 8, None),),
    "chain": (WIDE, following(WIDE, "second", synthetic_layer(50, 90, 1, 0.9, 0.5, 4).weight)),
}


@pytest.mark.parametrize(
    "changes",
    [
        {"loop_order": "mnk", "dtp": "off"},
        {"loop_order": "mnk", "dtp": "on"},
        {"loop_order": "kmn", "dtp": "off", **SLOW_PORT},
        {"loop_order": "nkm", "dtp": "on", **MANY_OPERATORS},
        {"loop_order": "knm", "dtp": "on", **DENSE_ACTIVATIONS},
    ],
    ids=lambda changes: f"{changes['loop_order']}-{changes['dtp']}",
)
@pytest.mark.parametrize("name", LAYERS)
def test_every_firing_follows_its_rule(name: str, changes: dict[str, object]) -> None:
    """Each firing serves as long as the operands of its tile say, and each request asks for the bytes of its tile."""
    _check(Scenario(name, LAYERS[name], settings={**MACHINE, **changes}, values=False))


@settings(max_examples=20)
@given(scenarios() | chains())
def test_every_firing_of_random_machines_follows_its_rule(scenario: Scenario) -> None:
    """The same holds for layers of any widths, in any order, on machines of any size."""
    event(f"layers: {len(scenario.layers)}")
    _check(replace(scenario, values=False))


def test_the_layers_above_need_fillers() -> None:
    """The rules are tested where it matters: with fillers in weights and activations, several streams and no rows."""
    prepared = _prepared(Scenario("wide", WIDE, settings=MACHINE, values=False))
    work = panacea_work(prepared.program.layers[0].plan.work)
    assert work.stored_w.rho is not None
    assert work.stored_x.rho is not None
    assert work.stored_w.vectors > round((1 - work.stored_w.rho) * 23 * 75 * 2)
    assert work.stored_x.vectors > round((1 - work.stored_x.rho) * 4 * 75 * 2)
    assert work.swo[2, 3:].max() == 0


def _prepared(scenario: Scenario) -> Prepared:
    prepared = prepare(scenario)
    assert isinstance(prepared, Prepared)
    return prepared


def _check(scenario: Scenario) -> None:
    prepared = _prepared(scenario)
    layers = [layer for layer in prepared.layers if isinstance(layer, GemmLayer)]
    plain = PlainMachine(
        layers,
        [functional_pass(layer).output.tolist() for layer in layers],
        [layer.plan.height for layer in prepared.program.layers],
        scenario.settings,
    )
    for component in prepared.description.components:
        tiles = _tiles(component)
        if component.service_cycles is not None:
            wanted = [plain.cycles(component.name, tile) for tile in tiles]
            assert component.service_cycles.tolist() == wanted, component.name
        elif component.name != "s_dma":
            assert _requested(component) == [plain.moved(component.name, tile) for tile in tiles], component.name
        else:
            # Which firings move a tile is tested with the plans; those that do move all of it.
            wanted = [plain.moved("s_dma", tile) for tile in tiles]
            assert all(found in {0, each} for found, each in zip(_requested(component), wanted, strict=True))
        _check_memories(component, tiles, plain)


def _tiles(component: Component) -> Sequence[Tile]:
    labels = component.labels
    assert labels is not None
    return list(zip(labels.layer.tolist(), labels.m.tolist(), labels.n.tolist(), labels.k.tolist(), strict=True))


def _requested(component: Component) -> list[int]:
    """Return the bytes that each firing asks of all channels together."""
    requests = component.requests
    assert requests is not None
    offsets = requests.offsets.tolist()
    asked = [int(requests.size_bytes[first:end].sum()) for first, end in pairwise(offsets)]
    return asked if requests.request is None else [asked[number] for number in requests.request]


def _check_memories(component: Component, tiles: Sequence[Tile], plain: PlainMachine) -> None:
    """Check that tiles take and leave as many bytes on chip as they have."""
    for name, memory in (("w_dma", "WMEM"), ("x_dma", "AMEM")):
        if component.name == name:
            (acquired,) = component.acquires
            assert acquired.memory == memory
            assert acquired.size_bytes.tolist() == [plain.moved(name, tile) for tile in tiles]
    if component.name == "accumulator":
        (acquired,) = component.acquires
        finished = [index for index, tile in enumerate(tiles) if tile not in tiles[index + 1 :]]
        wanted = [4 * plain.outputs(tile) if index in finished else 0 for index, tile in enumerate(tiles)]
        assert acquired.size_bytes.tolist() == wanted
    if component.name == "o_dma":
        (released,) = component.releases
        assert released.size_bytes.tolist() == [4 * plain.outputs(tile) for tile in tiles]


# --- lanes and the port of OMEM, by hand ---------------------------------------------------------------------------


def _component(name: str, **changes: object) -> Component:
    layer = synthetic_layer(64, 32, 64, rho_w=0.5, rho_x=0.5, seed=0)
    chosen = {"loop_order": "mnk", "dtp": "off", **changes}
    description = _prepared(Scenario("output", layer, settings=chosen, values=False)).description
    return next(component for component in description.components if component.name == name)


@pytest.mark.parametrize(
    ("name", "changes", "cycles"),
    [
        ("accumulator", {}, OUTPUTS // 64),
        ("accumulator", {"accumulator_lanes": 16}, OUTPUTS // 16),
        ("accumulator", {"omem_bytes_per_cycle": 64}, OUTPUTS * 4 // 64),
        ("ppu", {}, OUTPUTS // 32),
        ("ppu", {"omem_bytes_per_cycle": 64}, OUTPUTS * 4 // 64),
        ("ppu", {"ppu_lanes": 4096, "omem_bytes_per_cycle": 256}, OUTPUTS * 4 // 256),
    ],
)
def test_the_slower_of_lanes_and_port_decides(name: str, changes: dict[str, object], cycles: int) -> None:
    """An output tile takes as long as its lanes or the port of OMEM need, 4 bytes for each output."""
    assert _component(name, **changes).service_cycles.tolist() == [cycles]  # type: ignore[union-attr]  # it serves
