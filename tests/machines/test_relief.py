"""Which fields relieve what a run waits for: all of them are there, and every part that takes time has one."""

from __future__ import annotations

import pytest

from panacea_sim.hardware.config import list_presets, load_hardware
from panacea_sim.hardware.knobs import declarations
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer

_HARDWARE = load_hardware("panacea", {"loop_order": "kmn"})


def _knobs(machine: str) -> set[str]:
    """Return the fields that can be turned, and what turns several of them."""
    each_hardware = [load_hardware(machine, given) for given in ({"loop_order": "kmn"}, {"dram": "ideal"})]
    known = declarations(type(each_hardware[0]))
    turned = {
        trial.knob for each in known for hardware in each_hardware for trial in each.knob.trials(each.field, hardware)
    }
    return turned | {each.field for each in known}


@pytest.mark.parametrize("name", list_presets())
def test_every_part_of_a_machine_has_a_field(name: str) -> None:
    """Whoever takes time, holds or passes on something is faster or larger by a knob that there is."""
    hardware = load_hardware(name, {"loop_order": "kmn"})
    layer = MaskedLayer("p", 128, 96, 128, 0.5, 0.5, 0)
    prepared = prepare(Scenario("p", layer, hardware, values="off"), "reference")
    assert isinstance(prepared, Prepared)
    description, machine, knobs = prepared.description, machine_of(hardware), _knobs(name)
    found = [("service", part.group) for part in description.components if not part.posted and part.served_cycles]
    found += [("queue", queue.name) for queue in description.queues]
    found += [("memory", memory.name) for memory in description.memories]
    found += [(kind, port.component) for port in description.ports for kind in ("slot", "order", "transfer")]
    found += [(kind, channel.name) for channel in description.channels for kind in ("device", "latency")]
    for kind, part_name in found:
        fields = machine.relief(kind, part_name)
        assert fields, (kind, part_name)
        assert set(fields) <= knobs, (kind, part_name)


@pytest.mark.parametrize(
    ("kind", "name", "first"),
    [
        ("service", "pea", "n_dwo+n_swo"),
        ("latency", "q_sum*", "pea_latency_cycles"),
        ("memory", "WMEM", "wmem_bytes"),
        ("order", "x_dma", "x_dma_priority"),
        ("transfer", "w_dma", "dram_channels"),
    ],
)
def test_the_likeliest_field_comes_first(kind: str, name: str, first: str) -> None:
    """What only the machine knows stands beside what all machines share."""
    assert machine_of(_HARDWARE).relief(kind, name)[0] == first


@pytest.mark.parametrize("stream", ["w_dma", "x_dma"])
def test_fewer_fetches_relieve_a_channel_too(stream: str) -> None:
    """After the bandwidth come the sizes that decide how often operands are fetched; outputs are written once."""
    after = ("tile_n", "wmem_bytes", "amem_bytes")
    assert machine_of(_HARDWARE).relief("transfer", stream)[-3:] == after
    assert not set(after) & set(machine_of(_HARDWARE).relief("transfer", "o_dma"))


def test_no_field_changes_dataflow() -> None:
    """Layers wait for layers whatever the machine is."""
    assert machine_of(_HARDWARE).relief("dataflow", "x_dma") == ()
