"""Row openings, bursts and refreshes of a channel, counted by hand, on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from engine_runs import ENGINES

from panacea_sim.choices import ChosenEngine
from panacea_sim.commands.main import main
from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Port
from panacea_sim.description.steps import Requests
from panacea_sim.engines.choice import run_engine
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.device import Device, IdealDevice
from panacea_sim.memory.params import Page, dram_params
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.stored_run import open_run
from panacea_sim.trace.totals import ChannelTotals
from panacea_sim.workload.synthetic import synthetic_layer

DDR4 = dram_device("ddr4_3200", "device")
"""A clock of 625 ps, bursts of 64 bytes, 8192 bytes a row and a refresh due every 12480 cycles."""

OWN_CLOCK_HZ = 1_600_000_000

Ask = tuple[int, int]
"""Address and bytes of a read."""


def _device(clock_hz: int = OWN_CLOCK_HZ, page: Page = "open") -> BankedDevice:
    params = dram_params(
        DDR4, clock_hz, address_map="bank_group_low", policy="fcfs", page=page, age_cap_cycles=1_000_000
    )
    return BankedDevice(params)


def _totals(engine: ChosenEngine, device: Device, asks: list[Ask], makespan_cycles: int) -> ChannelTotals:
    """Return what a channel did that served reads one after the other in a run of so many cycles."""
    address, sizes = (np.array(column, np.int64) for column in zip(*asks, strict=True))
    nothing = np.zeros(len(asks), np.int64)
    requests = Requests(np.arange(len(asks) + 1), nothing, address, sizes, nothing)
    stream = Component("stream", "test", len(asks), requests=requests)
    clock = Component("clock", "test", 1, service_cycles=np.array([makespan_cycles]))
    channels, ports = (Channel("dram0", device),), (Port("stream", 0, outstanding=1),)
    result = run_engine(engine, Description((stream, clock), channels=channels, ports=ports), Recorder())
    assert result.makespan_cycles == makespan_cycles
    return result.channels["dram0"]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("ask", "bursts"),
    [((0, 64), 1), ((0, 1), 1), ((63, 1), 1), ((63, 2), 2), ((0, 65), 2), ((10, 64), 2), ((64, 640), 10)],
)
def test_bursts_are_whole(engine: ChosenEngine, ask: Ask, bursts: int) -> None:
    """Every burst that a request touches counts with all its bytes."""
    totals = _totals(engine, _device(), [ask], 1000)
    assert (totals.bursts, totals.burst_bytes, totals.read_bytes) == (bursts, 64 * bursts, ask[1])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_burst_that_is_moved_twice_counts_twice(engine: ChosenEngine) -> None:
    """Requests do not share bursts."""
    totals = _totals(engine, _device(), [(0, 32), (32, 32)], 1000)
    assert (totals.bursts, totals.burst_bytes, totals.read_bytes) == (2, 128, 64)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("asks", "page", "activates"),
    [
        ([(0, 64), (256, 64)], "open", 1),  # the same row of bank group 0
        ([(0, 64), (64, 64)], "open", 2),  # bank groups 0 and 1
        ([(0, 512)], "open", 4),  # twice round the four groups
        ([(0, 64), (1 << 20, 64), (0, 64)], "open", 3),  # two rows of one bank in turn
        ([(0, 64), (256, 64)], "closed", 2),
        ([(0, 64), (256, 512)], "closed", 5),
    ],
)
def test_every_row_opening_counts(engine: ChosenEngine, asks: list[Ask], page: Page, activates: int) -> None:
    """A row that stays open is opened once, one that was closed again."""
    assert _totals(engine, _device(page=page), asks, 2000).activates == activates


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("makespan_cycles", "clock_hz", "refreshes"),
    [
        (12_480, OWN_CLOCK_HZ, 0),  # due in the first cycle behind the run
        (12_481, OWN_CLOCK_HZ, 1),
        (24_960, OWN_CLOCK_HZ, 1),
        (24_961, OWN_CLOCK_HZ, 2),
        (124_801, OWN_CLOCK_HZ, 10),
        (7_800, 1_000_000_000, 0),  # 12480 x 0.625 ns
        (7_801, 1_000_000_000, 1),
        (23_400, 3_000_000_000, 0),
        (23_401, 3_000_000_000, 1),
    ],
)
def test_refreshes_that_fall_due_in_the_run(
    engine: ChosenEngine, makespan_cycles: int, clock_hz: int, refreshes: int
) -> None:
    """All refreshes that fall due before the end count, long after the last request too."""
    assert DDR4.refi_cycles == 12_480
    assert _totals(engine, _device(clock_hz), [(0, 64)], makespan_cycles).refreshes == refreshes


@pytest.mark.parametrize("engine", ENGINES)
def test_refreshes_close_rows_that_are_opened_again(engine: ChosenEngine) -> None:
    """A row that is read for longer than a refresh interval is opened once more behind each refresh that it meets."""
    totals = _totals(engine, _device(), [(256 * (number % 32), 64) for number in range(400)], 50_000)
    # Each read takes 26 cycles from posting to data: the last ends in cycle 10,400 but for the first row.
    assert (totals.activates, totals.row_misses, totals.refreshes) == (1, 1, 4)
    totals = _totals(engine, _device(), [(256 * (number % 32), 64) for number in range(1000)], 50_000)
    assert (totals.activates, totals.row_misses, totals.refreshes) == (3, 3, 4)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_ideal_channel_has_none(engine: ChosenEngine) -> None:
    """Without rows and bursts there is nothing to count but grants, requests and bytes."""
    totals = _totals(engine, IdealDevice(16, 10), [(0, 100), (100, 28)], 1_000_000)
    assert totals == ChannelTotals(128, 0, 0, 2, 9, 0, 0, 0, 0)


def test_rows_opened_in_vain_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that was opened ahead for a waiting request, and closed by a refresh before its use, is opened twice."""
    path, due = tmp_path / "requests.csv", DDR4.refi_cycles
    # A long read keeps the bus when the other one's row is opened, until a refresh falls due.
    lines = [f"{due - 100},0,8192,read", f"{due - 100},{1 << 20 | 1 << 16},64,read"]
    path.write_text("\n".join(["cycle,address,bytes,op", *lines]) + "\n", encoding="utf-8")
    assert main(["dram", "ddr4_3200", "--requests", str(path), "--policy", "fcfs", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["activates"] == figures["row_misses"] + 1


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_a_run_sums_them(schedule: str) -> None:
    """The totals of a run are the sums of its channels, with layers one after the other too."""
    layers = tuple(
        synthetic_layer(160, 256, 64, rho_w=0.3, rho_x=0.6, seed=seed, name=f"layer{seed}") for seed in range(2)
    )
    settings = {"dram": "lpddr4_3200", "dram_channels": 2, "n_pea": 2, "tile_n": 16}
    scenario = Scenario("two", layers, settings=settings, values=False, schedule=schedule)  # type: ignore[arg-type]
    summary = run(scenario, RunOptions(trace=TraceOptions("off"))).summary
    for key in ("activates", "bursts", "burst_bytes", "refreshes"):
        each = [getattr(channel, key) for channel in summary.dram.channels.values()]
        assert getattr(summary.dram, key) == sum(each) > 0


def test_a_summary_of_an_earlier_version_does_not_tell() -> None:
    """What was not counted is unknown, not 0."""
    summary = open_run(Path(__file__).parents[1] / "trace" / "data" / "schema_1").summary
    assert summary is not None
    for totals in (summary.dram, *summary.dram.channels.values()):
        assert (totals.activates, totals.bursts, totals.burst_bytes, totals.refreshes) == (None, None, None, None)
