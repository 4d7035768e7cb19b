"""Traces of DRAMsim3 and Ramulator 2: read as they are, or refused with their line."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from panacea_sim.choices import Map
from panacea_sim.commands.dram_request_file import read_requests
from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.memory.banked_timing import _place
from panacea_sim.memory.params import BURST_BYTES, dram_params
from panacea_sim.memory.replay import ChannelRequest

_MAPS: tuple[Map, ...] = ("bank_group_low", "column_low")


def _read(
    folder: Path, text: str, device: str = "ddr4_3200", address_map: Map = "bank_group_low"
) -> list[ChannelRequest]:
    path = folder / "memory.trace"
    path.write_text(text, encoding="utf-8")
    return read_requests(path, dram_device(device, ""), address_map)


def test_dramsim3(tmp_path: Path) -> None:
    """Addresses are hexadecimal with and without 0x, requests whole bursts; none comes before the line above."""
    text = "0x1000 READ 0\r\n1C4  WRITE\t12\n\n# ours\n0X40 P_MEM_RD 10\nFF BOFF 20\n"
    assert _read(tmp_path, text) == [
        ChannelRequest(0, 0x1000, 64, write=False),
        ChannelRequest(12, 0x1C0, 64, write=True),
        ChannelRequest(12, 0x40, 64, write=False),
        ChannelRequest(20, 0xC0, 64, write=True),
    ]


def test_loads_and_stores(tmp_path: Path) -> None:
    """A load reads and a store writes a burst as soon as the queue takes it; 32 bytes where a burst has 32."""
    text = "LD 0x1020\nST 4095\n"
    for device, size_bytes in (("ddr4_3200", 64), ("hbm2", 32)):
        assert _read(tmp_path, text, device) == [
            ChannelRequest(0, 0x1020 // size_bytes * size_bytes, size_bytes, write=False),
            ChannelRequest(0, 4096 - size_bytes, size_bytes, write=True),
        ]


@pytest.mark.parametrize("address_map", _MAPS)
@pytest.mark.parametrize(
    ("device", "vectors", "places"),
    [
        ("ddr4_3200", ["3,2,17,100", "1,3,40000,0"], [(3, 2, 100, 17), (1, 3, 0, 40000)]),
        ("lpddr4_3200", ["5,9,63", "0,70000,1"], [(0, 5, 63, 9), (0, 0, 1, 70000)]),
    ],
)
def test_address_vectors(
    device: str, vectors: list[str], places: list[tuple[int, ...]], address_map: Map, tmp_path: Path
) -> None:
    """A vector's bank group (where there are any), bank, row and column are what the channel finds in the address."""
    text = "".join(f"R 0,0,{vector}\n" for vector in vectors)
    params = dram_params(
        dram_device(device, ""), None, address_map=address_map, policy="fcfs", page="open", age_cap_cycles=1
    )
    requests = _read(tmp_path, text, device, address_map)
    assert [_place(params, request.address // params[BURST_BYTES]) for request in requests] == places


def test_a_trace_is_driven_as_its_requests_in_csv_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the figures of the same requests spelled as CSV, from a pipe too."""
    rows = [(number * 4096 + number * 64, number % 3 == 0) for number in range(100)]
    csv = "".join(f"0,{address},64,{'write' if write else 'read'}\n" for address, write in rows)
    trace = "".join(f"{'ST' if write else 'LD'} {address:#x}\n" for address, write in rows)
    path, pipe = tmp_path / "requests.csv", tmp_path / "pipe"
    path.write_text(f"cycle,address,bytes,op\n{csv}", encoding="utf-8")
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(trace,))
    writer.start()
    printed = []
    for requests in (path, pipe):
        assert main(["dram", "ddr4_2400", "--requests", str(requests), "--json"]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    writer.join()
    assert printed[0] == printed[1]
    assert printed[0]["requests"] == 100


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0x10 READ 5\n0x20 REED 6\n", "line 2: found 'REED'; accepted: READ, P_MEM_RD, P_FETCH, WRITE"),
        ("0x10 READ 5\n0xg READ 6\n", "line 2: address: found '0xg'; accepted: a whole number from 0 to 2^62 - 1"),
        ("0x10 READ 5\n0x20 READ x\n", "line 2: cycle: found 'x'; accepted: a whole number from 0 to 2^62 - 1"),
        ("0x10 READ 5\n0x20 READ\n", "line 2: found '0x20 READ'; accepted: 0xADDRESS READ or WRITE CYCLE"),
        ("LD 0x10\nR 0,0,0,0,0,0\n", "line 2: found 'R'; accepted: LD, ST"),
        ("LD 0x10\nST 16 5\n", "line 2: found 'ST 16 5'; accepted: LD or ST ADDRESS, as in the first line"),
        ("ST ten\n", "line 1: address: found 'ten'; accepted: a whole number from 0"),
        ("R 0,0,1,2,3\n", "line 1: address: found 5 numbers; accepted: 6 for this device: channel, rank or pseudo-"),
        ("R 0,0,4,2,3,4\n", "line 1: address, bank group: found '4'; accepted: a whole number from 0 to 3"),
        (
            "W 0,0,3,2,3,128\n",
            "column: found '128'; accepted: a whole number from 0 to 127, decimal or 0x. Columns are",
        ),
        ("R 1,0,0,0,0,0\nR 0,0,0,0,0,0\n", "line 2: address: found channel 0, rank 0; accepted: channel 1, rank 0"),
        (
            "3 20734016\n",
            "found the columns '3 20734016'; accepted: the columns cycle,address,bytes,op, or lines 0xADD",
        ),
    ],
)
def test_wrong_lines(text: str, message: str, tmp_path: Path) -> None:
    """A line that is none of its trace, or leads to no place on the channel, is refused by its number."""
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, text)
    assert message in str(caught.value)
