"""What a description refuses: parts that nothing joins, and components that name what is not there."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Memory, Port, Queue, Store
from panacea_sim.description.steps import Acquire, Give, Need, Put, Release, Take
from panacea_sim.description.worker import check_workers
from panacea_sim.errors import ConfigError
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

_ONE = np.ones(2, np.int64)


def _part(name: str, **steps: Any) -> Component:  # noqa: ANN401  # steps of all kinds
    return Component(name, "test", 2, service_cycles=_ONE, **steps)


def _made(changes: dict[str, dict[str, Any]], **parts: Any) -> Description:  # noqa: ANN401  # parts of all kinds
    """Return a machine of two components that a queue, a store and a memory join, with some steps changed."""
    first: dict[str, Any] = {
        "gives": (Give("q_pool", _ONE),),
        "puts": (Put("tiles"),),
        "acquires": (Acquire("POOL", _ONE),),
    }
    second: dict[str, Any] = {
        "takes": (Take("q_pool", _ONE),),
        "needs": (Need("tiles", np.arange(2)),),
        "releases": (Release("POOL", _ONE),),
    }
    components = (
        _part("pooler", **first | changes.get("pooler", {})),
        _part("writer", **second | changes.get("writer", {})),
    )
    joins = {"queues": (Queue("q_pool", 2),), "stores": (Store("tiles"),), "memories": (Memory("POOL", 8),)}
    return Description(components, **joins | parts)


FORGOTTEN = {
    "no producer": (
        {"pooler": {"gives": ()}},
        "machine.q_pool: found a queue that no component gives to, only writer at its other end; accepted: one at each",
    ),
    "no consumer": (
        {"writer": {"takes": ()}},
        "machine.q_pool: found a queue that no component takes from, only pooler at its other end; accepted: one at",
    ),
    "no end": (
        {"pooler": {"gives": ()}, "writer": {"takes": ()}},
        "machine.q_pool: found a queue that no component gives to, and none at its other end",
    ),
    "store without a need": (
        {"writer": {"needs": ()}},
        "machine.tiles: found a store that no component needs anything of, only pooler at its other end",
    ),
    "memory without a release": (
        {"writer": {"releases": ()}},
        "machine.POOL: found a memory that no component releases space of, only pooler at its other end",
    ),
    "queue that is not there": (
        {"writer": {"takes": (Take("q_pol", _ONE),)}},
        "machine.writer: found the queue 'q_pol', of which there is none; accepted: one of q_pool. Did you mean",
    ),
    "memory taken for a queue": (
        {"writer": {"takes": (Take("POOL", _ONE),)}},
        "machine.writer: found the queue 'POOL', of which there is none; accepted: one of q_pool",
    ),
    "two producers": (
        {"writer": {"gives": (Give("q_pool", _ONE),)}},
        "machine.q_pool: found pooler and writer as producer; accepted: one producer",
    ),
}


def test_a_sound_machine_is_accepted() -> None:
    """The machine without a change is one."""
    assert _made({}).producer == {"q_pool": "pooler", "tiles": "pooler", "POOL": "writer"}


@pytest.mark.parametrize("name", FORGOTTEN)
def test_a_forgotten_end_is_named(name: str) -> None:
    """What nobody joins is named, with the component at its other end."""
    changes, message = FORGOTTEN[name]
    with pytest.raises(ConfigError, match="^" + re.escape(message)):
        _made(changes)


def test_a_forgotten_queue_is_named() -> None:
    """A queue that components use, but that is not among the queues, is named, with who uses it and what to do."""
    message = "machine.pooler: found the queue 'q_pool', of which there is none; accepted: no queue: the machine has"
    with pytest.raises(ConfigError, match="^" + re.escape(message)):
        _made({}, queues=())


def test_a_port_without_requests_is_named() -> None:
    """Ports belong to the components that post requests."""
    with pytest.raises(ConfigError, match=r"^machine\.ports: found pooler; accepted: one for each .*requests: none$"):
        _made({}, ports=(Port("pooler"),))


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """Return a run with values, before it begins."""
    found = prepare(Scenario("layer", synthetic_layer(8, 8, 8, 0.3, 0.5, 1)))
    assert isinstance(found, Prepared)
    return found


@pytest.mark.parametrize("name", ["ppu", "encoder", "w_dma", "pea3", "accumulator"])
def test_a_forgotten_worker_is_named(prepared: Prepared, name: str) -> None:
    """Where values travel each component that fires needs a worker; the name that a worker has instead is told."""
    assert prepared.values is not None
    workers = dict(prepared.values.workers)
    worker = workers.pop(name)
    with pytest.raises(
        ConfigError, match=rf"^machine\.{name}: found no worker; accepted: one where values travel\. Add"
    ):
        check_workers(prepared.description, workers)
    workers[f"{name}s"] = worker
    with pytest.raises(ConfigError, match=rf"^machine\.{name}: found no worker; .*Did you mean '{name}s'\?$"):
        check_workers(prepared.description, workers)


def test_a_worker_without_a_component_is_named(prepared: Prepared) -> None:
    """A worker whose component is not there would never fire."""
    assert prepared.values is not None
    workers = dict(prepared.values.workers)
    with pytest.raises(ConfigError, match=r"^machine\.poler: found a worker without a component; accepted: the name"):
        check_workers(prepared.description, {**workers, "poler": workers["ppu"]})
    check_workers(prepared.description, workers)


def test_it_is_told_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Preparing a run with values finds the forgotten worker; without values there is nothing to forget."""
    from panacea_sim.machines.panacea.values import TravellingValues  # noqa: PLC0415  # the class of this machine alone

    build = TravellingValues._build_workers

    def without_ppu(values: TravellingValues) -> Any:  # noqa: ANN401  # as the method
        return {name: worker for name, worker in build(values).items() if name != "ppu"}

    monkeypatch.setattr(TravellingValues, "_build_workers", without_ppu)
    scenario = Scenario("layer", synthetic_layer(8, 8, 8, 0.3, 0.5, 1))
    with pytest.raises(ConfigError, match=r"^machine\.ppu: found no worker"):
        prepare(scenario)
    assert prepare(replace(scenario, values=False))
