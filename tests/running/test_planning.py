"""Mappings that are given instead of chosen, and machines that are changed after they are described."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from panacea_sim.description.description import Description
from panacea_sim.errors import MappingError
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.running.planning import GivenMapping, Planning
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.whatif.balance import balanced
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.summary import Summary
from panacea_sim.workload.masked_layer import MaskedLayer

MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "dram_channels": 1}
LAYER = MaskedLayer("one", 40, 40, 24, 0.3, 0.5, seed=1)
SAME = replace(LAYER, name="other")
QUIET = RunOptions(trace=TraceOptions("off"))


def _ran(scenario: Scenario, *mappings: GivenMapping, options: RunOptions = QUIET) -> Summary:
    return run(prepare(scenario, planning=Planning(mappings or None)), options).summary


def _scenario(*layers: MaskedLayer, **settings: object) -> Scenario:
    return Scenario("given", layers, settings=MACHINE | settings, values=False)


@pytest.mark.parametrize("order", LOOP_ORDERS)
@pytest.mark.parametrize("height", [1, 2])
def test_a_given_mapping_is_the_one_that_settings_choose(order: str, height: int) -> None:
    """Alone, in one simulation with another layer, and with a barrier."""
    scenario, given = _scenario(LAYER), GivenMapping(order, height)
    fixed = {"loop_order": order, "dtp": "on" if height > 1 else "off"}
    wanted = _ran(_scenario(LAYER, **fixed))
    found = _ran(scenario, given)
    assert (found.makespan_cycles, found.layers[0].loop_order) == (wanted.makespan_cycles, order)
    assert found.layers[0].double_tile == (height > 1)
    both = _scenario(LAYER, SAME)
    assert _ran(both, given, given).makespan_cycles == _ran(_scenario(LAYER, SAME, **fixed)).makespan_cycles
    barrier = replace(both, schedule="barrier")
    assert _ran(barrier, given, given).makespan_cycles == 2 * wanted.makespan_cycles


def test_each_layer_has_its_own() -> None:
    """Layers with equal work run once only if they are mapped alike."""
    one, other = GivenMapping("mnk", 1), GivenMapping("kmn", 1)
    barrier = replace(_scenario(LAYER, SAME), schedule="barrier")
    mixed = _ran(barrier, one, other)
    cycles = [_ran(_scenario(LAYER), given).makespan_cycles for given in (one, other)]
    assert cycles[0] != cycles[1]
    assert mixed.makespan_cycles == sum(cycles)
    assert [layer.memoized_from for layer in mixed.layers] == [None, None]
    assert [layer.memoized_from for layer in _ran(barrier, one, one).layers] == [None, "one"]


def test_a_given_mapping_may_not_fit() -> None:
    """There is no other to fall back to, and the message names the memory."""
    scenario = _scenario(LAYER, spill="refuse", psum_bytes=64)
    with pytest.raises(MappingError, match="partial sums"):
        prepare(scenario, planning=Planning((GivenMapping("kmn", 1),)))
    assert _ran(scenario).layers[0].loop_order.endswith("k")


def _slower(description: Description) -> Description:
    parts = tuple(
        part if part.service_cycles is None else replace(part, service_cycles=part.service_cycles + 100)
        for part in description.components
    )
    return replace(description, components=parts)


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_a_machine_is_changed_after_it_is_described(schedule: str) -> None:
    """The mapping is that of the machine itself."""
    scenario = replace(_scenario(LAYER, SAME), schedule=schedule)  # type: ignore[arg-type]  # it is one
    plain = run(prepare(scenario), QUIET).summary
    slower = run(prepare(scenario, planning=Planning(change=_slower)), QUIET).summary
    assert slower.makespan_cycles > plain.makespan_cycles + 100
    assert [each.loop_order for each in slower.layers] == [each.loop_order for each in plain.layers]


def test_balanced_components_share_their_work() -> None:
    """In every firing the members of a group serve the mean of all; in all of them its whole part. The rest stays."""
    prepared = prepare(_scenario(replace(LAYER, M=37), n_pea=4))
    assert isinstance(prepared, Prepared)
    before, after = prepared.description, balanced(prepared.description)
    computing = [part.name for part in before.components if part.role == "compute"]
    assert len(computing) == 4
    services = np.array([part.service_cycles for part in before.components if part.name in computing])
    even = [part.service_cycles for part in after.components if part.name in computing]
    done = 0
    for firing in range(services.shape[1]):
        whole = sum(int(each) for each in services[:, : firing + 1].ravel()) // 4
        assert [int(each[firing]) for each in even if each is not None] == [whole - done] * 4
        done = whole
    for one, other in zip(before.components, after.components, strict=True):
        if one.name not in computing:
            assert one is other
