"""The command that drives a DRAM channel alone."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.commands.main import main
from panacea_sim.hardware.dram.devices import dram_device, list_devices
from panacea_sim.memory.params import dram_params
from panacea_sim.memory.replay import QUEUE_REQUESTS, ChannelRequest, replay

_HEADER = "cycle,address,bytes,op\n"


@pytest.fixture
def requests(tmp_path: Path) -> Path:
    """Return a file of two reads of one row and a write to another row of the bank."""
    path = tmp_path / "requests.csv"
    path.write_text(_HEADER + "0,0x0,64,read\n1000,256,64,read\n2000,0x20000,64,write\n", encoding="utf-8")
    return path


def test_figures(requests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures are those of a hand-worked example, as JSON and nothing else."""
    # DDR4-3200: 22 + 22 + 4, then 22 + 4, then a conflict 22 + 22 + 16 + 4 cycles of 0.625 ns.
    assert main(["dram", "ddr4_3200", "--requests", str(requests), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == {
        "device": "ddr4_3200",
        "requests": 3,
        "bytes": 192,
        "span_ns": 1290.0,
        "bandwidth_gbps": pytest.approx(192 / 1290),
        "peak_gbps": 25.6,
        "row_hits": 1,
        "row_misses": 2,
        "activates": 2,
        "bursts": 3,
        "burst_bytes": 192,
        "refreshes": 0,
        "min_latency_ns": 26 * 0.625,
        "mean_latency_ns": pytest.approx((48 + 26 + 64) * 0.625 / 3),
        "max_latency_ns": 64 * 0.625,
        "refresh_share": 0.0,
    }


def test_table(requests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json the same figures are printed one a line, with units that suit them."""
    assert main(["dram", "ddr4_3200", "--requests", str(requests)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^span +1\.290 µs$", printed, re.MULTILINE)
    assert re.search(r"^max latency +40\.00 ns$", printed, re.MULTILINE)
    assert re.search(r"^peak +25\.600 GB/s$", printed, re.MULTILINE)
    assert re.search(r"^row misses +2$", printed, re.MULTILINE)


def test_per_request(requests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The cycles of every request are written in the order of the requests."""
    path = tmp_path / "cycles.csv"
    assert main(["dram", "ddr4_3200", "--requests", str(requests), "--per-request", str(path)]) == 0
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"arrival_cycle": "0", "start_cycle": "44", "ready_cycle": "48"},
        {"arrival_cycle": "1000", "start_cycle": "1022", "ready_cycle": "1026"},
        {"arrival_cycle": "2000", "start_cycle": "2060", "ready_cycle": "2064"},
    ]
    assert "bandwidth" in capsys.readouterr().out


@pytest.mark.parametrize("device", list_devices())
def test_options(device: str, requests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every device runs with every map, policy and page."""
    base = ["dram", device, "--requests", str(requests), "--json"]
    for options in (["--map", "column_low"], ["--policy", "fcfs"], ["--page", "closed"]):
        assert main([*base, *options]) == 0
        assert json.loads(capsys.readouterr().out)["requests"] == 3


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    """`list dram` shows every device with its source."""
    assert main(["list", "dram"]) == 0
    printed = capsys.readouterr().out
    for name in list_devices():
        assert f"{name}: {dram_device(name, 'device').source}" in printed


@pytest.mark.parametrize("start", [0, 10_000, 1_000_000_000, 1 << 61])
@pytest.mark.parametrize("device", list_devices())
def test_refresh_share_does_not_depend_on_the_start(
    device: str, start: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only refreshes between the first arrival and the last data count, wherever the cycles begin."""
    found = dram_device(device, "device")
    start -= start % found.refi_cycles  # a refresh is over soon after, as it is not at 0
    begin = start + found.rfc_cycles
    path = tmp_path / "late.csv"
    # The refresh that falls due before the last request begins holds that one back.
    times = [begin, begin + found.refi_cycles]
    path.write_text(_HEADER + "".join(f"{cycle},0,64,read\n" for cycle in times), encoding="utf-8")
    assert main(["dram", device, "--requests", str(path), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["refresh_share"] * figures["span_ns"] == pytest.approx(found.rfc_cycles * found.clock_ps / 1000)


@pytest.mark.parametrize("under_way", [1, 100])
def test_refresh_under_way_counts_in_part(under_way: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a refresh that is under way when the first request comes, the rest counts."""
    found = dram_device("ddr4_3200", "device")
    path = tmp_path / "within.csv"
    path.write_text(f"{_HEADER}{7 * found.refi_cycles + under_way},0,64,read\n", encoding="utf-8")
    assert main(["dram", "ddr4_3200", "--requests", str(path), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    rest_ns = (found.rfc_cycles - under_way) * found.clock_ps / 1000
    assert figures["refresh_share"] * figures["span_ns"] == pytest.approx(rest_ns)
    assert figures["span_ns"] == pytest.approx(rest_ns + 48 * 0.625)


@pytest.mark.parametrize("times", [1, 3, 5])
def test_refreshes_between_requests_count(times: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refreshes that fall due while nobody asks count, if requests came before and after."""
    found = dram_device("hbm2", "device")
    path = tmp_path / "gap.csv"
    first = 100 * found.refi_cycles + found.refi_cycles // 2
    path.write_text(f"{_HEADER}{first},0,64,read\n{first + times * found.refi_cycles},0,64,write\n", encoding="utf-8")
    assert main(["dram", "hbm2", "--requests", str(path), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    refresh_ns = times * found.rfc_cycles * found.clock_ps / 1000
    assert figures["refresh_share"] * figures["span_ns"] == pytest.approx(refresh_ns)


def test_a_read_sees_the_write_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A read waits for a write of its bytes that came before, though the bus stands ready for it."""
    asked, cycles = tmp_path / "requests.csv", tmp_path / "cycles.csv"
    ready = {}
    for address in (64, 128):  # the bytes that are written, and others
        asked.write_text(f"{_HEADER}0,0,64,read\n0,64,64,write\n0,{address},64,read\n", encoding="utf-8")
        assert main(["dram", "hbm2", "--requests", str(asked), "--per-request", str(cycles)]) == 0
        with cycles.open(newline="") as file:
            ready[address] = [int(row["ready_cycle"]) for row in csv.DictReader(file)]
    assert ready[64][0] < ready[64][1] < ready[64][2]
    assert ready[128][0] < ready[128][2] < ready[128][1]
    assert "bandwidth" in capsys.readouterr().out


def test_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is bad input."""
    assert main(["dram", "hbm2", "--requests", "none.csv"]) == 2
    assert "accepted: a CSV file that can be read" in capsys.readouterr().err


def test_output_that_cannot_be_written(requests: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A --per-request file in a folder that does not exist is bad input."""
    path = tmp_path / "nowhere" / "cycles.csv"
    assert main(["dram", "hbm2", "--requests", str(requests), "--per-request", str(path)]) == 2
    assert "--per-request: found" in (error := capsys.readouterr().err)
    assert "whose folder does not exist; accepted: a file in an existing folder" in error


def test_ideal_has_no_device(requests: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ideal memory cannot be driven alone: it has no clock of its own."""
    assert main(["dram", "ideal", "--requests", str(requests)]) == 2
    assert "DEVICE: found 'ideal'; accepted: one of ddr4_2400," in capsys.readouterr().err


@given(st.data())
def test_order_of_cycles(data: st.DataObject) -> None:
    """A request arrives when it comes or when a place is free, starts after that and is ready after its burst."""
    device = dram_device(data.draw(st.sampled_from(list_devices())), "device")
    params = dram_params(device, None, address_map="bank_group_low", policy="fr_fcfs", page="open", age_cap_cycles=1000)
    cycles = sorted(data.draw(st.lists(st.integers(0, 300), min_size=1, max_size=80)))
    asked = [
        ChannelRequest(
            cycle, data.draw(st.integers(0, 1 << 18)), data.draw(st.integers(1, 300)), data.draw(st.booleans())
        )
        for cycle in cycles
    ]
    outcome = replay(params, asked)
    arrival, start, ready = (
        times.tolist() for times in (outcome.arrival_cycle, outcome.start_cycle, outcome.ready_cycle)
    )
    assert arrival == sorted(arrival)
    for request, arrival_cycle, start_cycle, ready_cycle in zip(asked, arrival, start, ready, strict=True):
        assert request.cycle <= arrival_cycle < start_cycle < ready_cycle


def test_queue_is_bounded() -> None:
    """The queue holds 32 requests; the next one arrives in the cycle after the first grant."""
    params = dram_params(
        dram_device("hbm2", "device"),
        None,
        address_map="bank_group_low",
        policy="fcfs",
        page="open",
        age_cap_cycles=1,
    )
    outcome = replay(params, [ChannelRequest(5, 32 * number, 32, write=False) for number in range(QUEUE_REQUESTS + 2)])
    # The first grant is in 5; its column command goes out 14 later and the next can follow 2 behind it: a grant in 21.
    assert outcome.arrival_cycle.tolist() == [5] * QUEUE_REQUESTS + [6, 22]
