"""Machines with one bottleneck that was put there: it is what a step of two gains most at, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from engine_runs import NEEDS_NUMBA

from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.engines.choice import run_engine
from panacea_sim.explanation.explain import explain
from panacea_sim.explanation.explanation import Explanation, Limit, PathRow
from panacea_sim.explanation.findings import Finding, findings, measured_findings
from panacea_sim.explanation.records import recorder_records
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.params import REFI, RFC
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.units import IntArray
from panacea_sim.workload.chain import following
from panacea_sim.workload.gemm_layer import OutputFormat
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.synthetic import synthetic_layer

pytestmark = NEEDS_NUMBA

_BASE = {
    "dram": "ideal",
    "dram_channels": 2,
    "dram_bytes_per_cycle": 16,
    "dram_latency_cycles": 30,
    "loop_order": "mnk",
    "dtp": "off",
    "n_dwo": 6,
    "n_swo": 6,
    "omem_bytes": 1 << 20,
}
"""A machine on which nothing is much slower than the rest."""

_FAST = {"dram_bytes_per_cycle": 1024, "sram_bytes_per_cycle": 1024, "codec_bytes_per_cycle": 1024, "queue_depth": 16}


def _machine(sizes: tuple[int, int, int] = (256, 256, 256), **settings: int | str) -> Description:
    layer = MaskedLayer("p", *sizes, 0.5, 0.9, 1)
    return prepare(Scenario("p", layer, settings=_BASE | settings, values=False), "compiled").description


def _with_service(machine: Description, service: Callable[[Component, IntArray], IntArray]) -> Description:
    """Return the machine whose components serve in the cycles that `service` gives for what they have."""
    return replace(
        machine,
        components=tuple(
            part if part.service_cycles is None else replace(part, service_cycles=service(part, part.service_cycles))
            for part in machine.components
        ),
    )


def _slow(machine: Description, name: str, cycles: int) -> Description:
    return _with_service(machine, lambda part, own: own * 0 + cycles if part.name == name else own)


def _explained(machine: Description) -> Explanation:
    recorder = Recorder(NO_TRACE, explains=True)
    result = run_engine("compiled", machine, recorder)
    return explain(recorder_records(machine, recorder, result.makespan_cycles))


def _found(machine: Description) -> list[Finding]:
    return measured_findings(_explained(machine), machine, "compiled", 1e9)


def _told(finding: Finding) -> tuple[str, str]:
    about = finding.about
    return (about.component if isinstance(about, PathRow) else about.name), about.kind


def _two_stages_out_of_phase() -> Description:
    """PEAs and dispatcher have heavy tasks at different times, and between them is a shallow queue."""
    machine = _machine(**_FAST)

    def service(part: Component, own: IntArray) -> IntArray:
        phase = np.arange(len(own)) // 4 % 2
        if part.group == "pea":
            return 80 * phase
        return 80 * (1 - phase) if part.name == "dispatcher" else own

    machine = _with_service(machine, service)
    queues = tuple(replace(each, capacity=2) if each.name.startswith("q_pea") else each for each in machine.queues)
    return replace(machine, queues=queues)


def _refresh_storm() -> Description:
    machine = _machine(dram="hbm2", dram_channels=1)
    (channel,) = machine.channels
    assert isinstance(channel.device, BankedDevice)
    params = list(channel.device.params)
    params[RFC], params[REFI] = 1000, 1200
    return replace(machine, channels=(replace(channel, device=BankedDevice(tuple(params))),))


def _chain_of_layers() -> Description:
    """Six small layers of which each needs all of the one before, with memory that is nearly free."""
    form = OutputFormat(0.05, 128, 8, 4)
    first = synthetic_layer(64, 512, 32, 0.5, 0.9, 1, name="a")
    layers = [replace(first, output=form, weight_scale=0.01, activation_scale=0.1)]
    for number in range(5):
        weight = np.random.default_rng(number).integers(-8, 8, (64, 64)).astype(np.int8)
        layers.append(replace(following(layers[-1], f"b{number}", weight), output=form, weight_scale=0.01))
    settings = _BASE | {"dram_latency_cycles": 0, "dram_bytes_per_cycle": 1024}
    return prepare(Scenario("c", tuple(layers), settings=settings, values=False), "compiled").description


_PLANTED: dict[str, tuple[Callable[[], Description], tuple[str, str]]] = {
    "slow DRAM": (lambda: _machine(dram_bytes_per_cycle=2), ("", "transfer")),
    "one slow PEA": (lambda: _slow(_machine(), "pea5", 400), ("pea", "service")),
    "slow decoder": (lambda: _slow(_machine(), "w_decoder", 300), ("w_decoder", "service")),
    "slow encoder": (lambda: _slow(_machine((256, 32, 256)), "encoder", 900), ("encoder", "service")),
    "slow PPU": (lambda: _slow(_machine((256, 32, 256)), "ppu", 900), ("ppu", "service")),
    "slow dispatcher": (lambda: _slow(_machine(), "dispatcher", 300), ("dispatcher", "service")),
    "shallow queue": (_two_stages_out_of_phase, ("q_pea*", "queue")),
    "tiny OMEM": (
        lambda: _machine(
            (512, 32, 512), omem_bytes=4 * 64 * 64, dram_latency_cycles=0, dram_bytes_per_cycle=8, queue_depth=16
        ),
        ("OMEM", "memory"),
    ),
    "tiny WMEM": (lambda: _machine(wmem_bytes=2400, dram_latency_cycles=200), ("WMEM", "memory")),
    "long latency": (lambda: _machine(dram_latency_cycles=3000), ("dram", "latency")),
    "layer dependence": (_chain_of_layers, ("x_dma after o_dma", "dataflow")),
    "refresh storm": (_refresh_storm, ("dram0", "device")),
}


@pytest.mark.parametrize("name", _PLANTED)
def test_what_was_planted_comes_first(name: str) -> None:
    """Rows of the path and crossed limits are ordered by the measured gain; the planted one gains most."""
    machine, (wanted, kind) = _PLANTED[name][0](), _PLANTED[name][1]
    first = _found(machine)[0]
    found, found_kind = _told(first)
    assert (found.startswith(wanted), found_kind) == (True, kind), _found(machine)[:4]
    assert first.gain_cycles
    assert first.gain_cycles > 0


def test_the_slow_member_is_named_alone() -> None:
    """Of 16 PEAs the slow one has over half of the cycles of their group on the path."""
    explanation = _explained(_slow(_machine(), "pea5", 400))
    assert explanation.path is not None
    (row,) = [each for each in explanation.path if each.kind == "service" and each.component == "pea"][:1]
    assert row.members["pea5"] > row.cycles / 2


@pytest.mark.parametrize("name", ["w_decoder", "encoder", "ppu", "dispatcher", "pea5"])
def test_half_a_private_service_gains_its_promise(name: str) -> None:
    """Where no second path is as long, halving a planted service gains at least 80 % of half its cycles on the path."""
    sizes = (256, 32, 256) if name in {"encoder", "ppu"} else (256, 256, 256)
    machine = _slow(_machine(sizes), name, 1200)
    explanation = _explained(machine)
    assert explanation.path is not None
    promise = sum(row.members.get(name, 0) for row in explanation.path if row.kind == "service") / 2
    halved = _with_service(machine, lambda part, own: own // 2 if part.name == name else own)
    after = run_engine("compiled", halved, Recorder(NO_TRACE)).makespan_cycles
    gain = explanation.makespan_cycles - after
    assert 0.8 * promise <= gain <= promise


def test_findings_without_time_have_no_gain() -> None:
    """What could not be run again is told with its cycles, the longest first."""
    machine = _machine((64, 64, 64))
    explanation = _explained(machine)
    found = measured_findings(explanation, machine, "compiled", 0)
    assert [each.gain_cycles for each in found] == [None] * len(findings(explanation))
    assert [each.cycles for each in found] == sorted((each.cycles for each in found), reverse=True)
    assert any(isinstance(each.about, Limit) for each in found)
