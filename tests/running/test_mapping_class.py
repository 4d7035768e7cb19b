"""Mappings of classes: a function of sizes, widths and rounded densities, and of nothing that ran before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from panacea_sim.engines.choice import run_engine
from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware, load_hardware, with_settings
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.running import mapping_class
from panacea_sim.running.mapping_choice import choose_mapping
from panacea_sim.running.mapping_class import LayerClass, class_mapping, class_of
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.synthetic import synthetic_layer
from panacea_sim.workload.vector_stage import VectorStage
from panacea_sim.workload.written_format import WrittenFormat

HARDWARE = load_hardware("panacea", {"n_pea": 2, "tile_k": 16, "tile_n": 8})
LAYER = MaskedLayer("layer", 60, 90, 40, 0.3, 0.8, seed=5)
FORMAT = WrittenFormat("x", "columns", 8, ((0, 60),), (0.6,))
OTHER = VectorStage(3, 2)


def _class(layer: MaskedLayer, hardware: Hardware = HARDWARE) -> LayerClass:
    return class_of(layer, machine_of(hardware).work(layer, hardware, None))


def test_a_class_has_sizes_widths_and_rounded_densities() -> None:
    """Densities are in sixteenths: those of the masks, or those that operands have, counted here one by one."""
    assert _class(LAYER) == LayerClass(60, 90, 40, 1, 7, 8, 1, 5, 13)
    wide = replace(LAYER, rho_w=(0.1, 0.9), weight_bits=10)
    assert _class(wide) == LayerClass(60, 90, 40, 1, 10, 8, 1, (2, 14), 13)
    assert _class(wide).typical_layer().rho_w == (0.125, 0.875)
    layer = synthetic_layer(60, 90, 40, 0.3, 0.8, seed=5)
    masks = SkipMasks.of(layer, 4)
    wanted = LayerClass(60, 90, 40, 1, 7, 8, 1, round(masks.weight.mean() * 16), round(masks.activation.mean() * 16))
    assert class_of(layer, machine_of(HARDWARE).work(layer, HARDWARE, None)) == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"M": 61},
        {"K": 89},
        {"N": 41},
        {"repeat": 2},
        {"weight_bits": 10},
        {"activation_bits": 12},
        {"passes": 4},
        {"sequential": True},
        {"rho_w": 0.4},
        {"rho_x": 0.7},
        {"formats": (FORMAT,)},
        {"formats": (FORMAT, replace(FORMAT, bits=4, skipped=()))},
        {"formats": (replace(FORMAT, skipped=(0.9,)),)},
        {"formats": (replace(FORMAT, features=((0, 59),)),)},
        {"feeds_stage": True},
        {"feeds_stage": True, "stage": VectorStage(3)},
        {"feeds_stage": True, "stage": VectorStage(3, reduces=True)},
    ],
    ids=str,
)
def test_what_decides_cycles_makes_another_class(changes: dict[str, object]) -> None:
    """Each size, width and density counts."""
    classes = {_class(LAYER), _class(replace(LAYER, formats=(FORMAT,)))}
    if "stage" in changes:
        classes = {_class(replace(LAYER, feeds_stage=True)), _class(replace(LAYER, feeds_stage=True, stage=OTHER))}
    found = _class(replace(LAYER, **changes))  # type: ignore[arg-type]
    assert len(classes | {found}) == (2 if changes.get("formats") == (FORMAT,) else 3)


def test_who_reads_in_place_makes_no_class() -> None:
    """Densities of formats are rounded as all are, and the layer whose masks are drawn does not count."""
    other = replace(FORMAT, skipped=(0.61,), seed=4)
    assert _class(replace(LAYER, formats=(other,))) == _class(replace(LAYER, formats=(FORMAT,)))
    assert _class(replace(LAYER, formats=(other,))).typical_layer().formats == (replace(FORMAT, skipped=(0.625,)),)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"M": 7, "K": 300, "N": 1},
        {"repeat": 3, "passes": 4, "sequential": True},
        {"weight_bits": 10, "rho_w": (0.1, 0.9)},
        {"weight_bits": 4, "activation_bits": 12, "rho_x": 0.99},
    ],
    ids=str,
)
def test_the_typical_layer_is_of_its_class(changes: dict[str, object]) -> None:
    """It has the sizes, widths, products and passes of the class, and its rounded densities."""
    found = _class(replace(LAYER, **changes))  # type: ignore[arg-type]  # fields of a layer
    assert _class(found.typical_layer()) == found


@pytest.mark.parametrize("changes", [{"name": "other"}, {"seed": 6}, {"kind": "ffn", "block": "3"}, {"rho_x": 0.81}])
def test_names_and_draws_make_no_other_class(changes: dict[str, object]) -> None:
    """Layers of equal work are of one class, whatever they are called and whatever their masks are."""
    assert _class(replace(LAYER, **changes)) == _class(LAYER)  # type: ignore[arg-type]


def test_the_mapping_is_the_best_one_of_the_typical_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is chosen once, on a layer with the rounded densities and seed 0."""
    mapping_class.mapping_of_class.cache_clear()
    found = class_mapping(LAYER, machine_of(HARDWARE).work(LAYER, HARDWARE, None), HARDWARE, "reference")
    rounded = _class(LAYER)
    typical = MaskedLayer("typical", 60, 90, 40, rounded.rho_w / 16, rounded.rho_x / 16, seed=0)
    work = machine_of(HARDWARE).work(typical, HARDWARE, None)
    best = choose_mapping("typical", work, HARDWARE, lambda *given: run_engine("reference", *given))
    assert (found.order, found.height) == (best.order, best.height)
    monkeypatch.setattr(mapping_class, "choose_mapping", None)  # whoever chooses once more fails
    other = replace(LAYER, seed=9)
    again = class_mapping(other, machine_of(HARDWARE).work(other, HARDWARE, None), HARDWARE, "reference")
    assert (again.order, again.height) == (best.order, best.height)


def test_layers_do_not_influence_each_other() -> None:
    """Whatever runs before, a layer takes the cycles that it takes when it runs first."""
    layers = tuple(replace(LAYER, name=f"{at}", seed=at, rho_x=0.7 + at / 40) for at in range(5))

    def cycles(order: tuple[MaskedLayer, ...]) -> dict[str, int]:
        mapping_class.mapping_of_class.cache_clear()
        scenario = Scenario("any", order, HARDWARE, values=False, schedule="barrier", mapping="class")
        summary = run(scenario, RunOptions()).summary
        assert {layer.mapping_from for layer in summary.layers} == {"class"}
        return {layer.name: layer.end_cycle - layer.start_cycle for layer in summary.layers}

    assert cycles(layers) == cycles(layers[::-1])


def test_where_the_class_does_not_fit_the_layer_decides() -> None:
    """A layer whose stacks are larger than those of its class gets the best mapping that fits it."""
    works = [machine_of(HARDWARE).work(replace(LAYER, seed=seed), HARDWARE, None) for seed in range(20)]
    largest = [int(np.add.reduceat(work.weight.total, np.arange(0, 8, 2)).max()) for work in works]
    typical = machine_of(HARDWARE).work(_class(LAYER).typical_layer(), HARDWARE, None)
    seed = int(np.argmax(largest))
    most = int(np.add.reduceat(typical.weight.total, np.arange(0, 8, 2)).max())
    assert largest[seed] > most
    small = with_settings(HARDWARE, {"wmem_bytes": most, "dtp": "on"})
    with pytest.raises(MappingError, match="WMEM holds"):
        class_mapping(replace(LAYER, seed=seed), works[seed], small, "reference")
    either = with_settings(HARDWARE, {"wmem_bytes": most, "dtp": "auto"})
    mapping_class.mapping_of_class.cache_clear()
    found = class_mapping(replace(LAYER, seed=seed), works[seed], either, "reference")
    assert found.program is not None
