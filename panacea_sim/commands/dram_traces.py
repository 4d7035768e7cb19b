"""Traces of DRAMsim3 and Ramulator 2 as requests of one channel, each a burst of the device.

The forms are those that their own readers take: `0xADDRESS READ CYCLE`, `LD ADDRESS`, and `R` with an address vector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from panacea_sim.choices import Map
from panacea_sim.commands.dram_request_numbers import shown, whole_address, whole_cycle, whole_number
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.dram.devices import DramDevice
from panacea_sim.memory.replay import ChannelRequest

__all__ = ["TRACE_FORMS", "trace_reader"]

TRACE_FORMS = "0xADDRESS READ CYCLE (DRAMsim3), LD ADDRESS or R CHANNEL,RANK,.. (Ramulator 2)"
"""The forms of a line, for messages."""

_DRAMSIM3 = re.compile(r"[^,;]+\s+[^,;]+\s+[0-9]+")
_DRAMSIM3_WRITES = {"READ": False, "P_MEM_RD": False, "P_FETCH": False, "WRITE": True, "P_MEM_WR": True, "BOFF": True}
_LOAD_STORE_WRITES = {"LD": False, "ST": True}
_READ_WRITE_WRITES = {"R": False, "W": True}
_ANY_CYCLE = 0
"""The cycle of a request that comes as soon as the queue takes it."""

TraceReader = Callable[[Path, Iterable[str]], Iterator[ChannelRequest]]


def trace_reader(first: str, device: DramDevice, address_map: Map) -> TraceReader | None:
    """Return what reads a trace that begins with this line; None if no trace does."""
    cells = first.split()
    reader = _Reader(device, address_map)
    if cells and cells[0] in _LOAD_STORE_WRITES:
        return _each_line(reader.load_or_store)
    if cells and cells[0] in _READ_WRITE_WRITES:
        return _each_line(reader.read_or_write)
    if _DRAMSIM3.fullmatch(first.strip()):
        return _each_line(reader.dramsim3)
    return None


def _each_line(read: Callable[[str, Sequence[str]], ChannelRequest]) -> TraceReader:
    def requests(path: Path, lines: Iterable[str]) -> Iterator[ChannelRequest]:
        for number, line in enumerate(lines, start=1):
            cells = line.split()
            if cells and not cells[0].startswith("#"):
                yield read(f"{path}: line {number}", cells)

    return requests


@dataclass
class _Reader:
    """Reads lines of a trace one after the other, for a channel of a device."""

    device: DramDevice
    address_map: Map
    latest_cycle: int = 0
    upper: list[int] = field(default_factory=list)
    """Channel and rank of the first line."""

    def dramsim3(self, at: str, cells: Sequence[str]) -> ChannelRequest:
        """Return the request of a line of DRAMsim3; one with an earlier cycle than the line before comes at once."""
        address, operation, cycle = _cells(at, cells, ("0xADDRESS", "READ or WRITE", "CYCLE"))
        write = _write(at, operation.upper(), _DRAMSIM3_WRITES)
        # Its addresses are hexadecimal with and without 0x.
        spelled = address if address.lower().startswith("0x") else f"0x{address}"
        self.latest_cycle = max(self.latest_cycle, whole_cycle(f"{at}: cycle", cycle))
        return self._burst(self.latest_cycle, whole_address(f"{at}: address", spelled), write=write)

    def load_or_store(self, at: str, cells: Sequence[str]) -> ChannelRequest:
        """Return the request of a line of a load-store trace of Ramulator 2."""
        operation, address = _cells(at, cells, ("LD or ST", "ADDRESS"))
        write = _write(at, operation, _LOAD_STORE_WRITES)
        return self._burst(_ANY_CYCLE, whole_address(f"{at}: address", address), write=write)

    def read_or_write(self, at: str, cells: Sequence[str]) -> ChannelRequest:
        """Return the request of a line of a read-write trace of Ramulator 2, whose address is a vector of places."""
        operation, vector = _cells(at, cells, ("R or W", "CHANNEL,RANK,.."))
        write = _write(at, operation, _READ_WRITE_WRITES)
        return self._burst(_ANY_CYCLE, self._address(f"{at}: address", vector.split(",")), write=write)

    def _burst(self, cycle: int, address: int, *, write: bool) -> ChannelRequest:
        """Return a request of the burst in which the address lies."""
        size_bytes = self.device.burst_bytes
        return ChannelRequest(cycle, address - address % size_bytes, size_bytes, write)

    def _address(self, at: str, vector: Sequence[str]) -> int:
        """Return the address that leads to a place on the channel."""
        device = self.device
        groups = {"bank group": device.bank_groups} if device.bank_groups > 1 else {}
        counts = groups | {"bank": device.banks_per_group, "row": 1 << 32, "column": device.bursts_per_row}
        levels = ("channel", "rank", *counts)
        if len(vector) != len(levels):
            names = ", ".join(levels).replace("rank", "rank or pseudo-channel")
            raise ConfigError(at, f"{len(vector)} numbers", f"{len(levels)} for this device: {names}")
        self._check_upper(
            at,
            [
                whole_number(f"{at}, {name}", text, 0, 1 << 16, "2^16")
                for name, text in zip(levels[:2], vector[:2], strict=True)
            ],
        )
        places = {
            name: _place(f"{at}, {name}", text, count)
            for (name, count), text in zip(counts.items(), vector[2:], strict=True)
        }
        return self._joined(places) * device.burst_bytes

    def _check_upper(self, at: str, upper: list[int]) -> None:
        """Refuse requests of other channels and ranks than the first line has: a channel of one rank is driven."""
        self.upper = self.upper or upper
        if upper != self.upper:
            hint = "One channel of one rank is driven: give the lines of each in a file of their own"
            found, accepted = (f"channel {channel}, rank {rank}" for channel, rank in (upper, self.upper))
            raise ConfigError(at, found, f"{accepted}, as in the first line", hint)

    def _joined(self, places: dict[str, int]) -> int:
        """Return the number of a burst by its place; the address map says which parts of it are the lowest."""
        device, group = self.device, places.get("bank group", 0)
        burst = places["row"] * device.banks_per_group + places["bank"]
        if self.address_map == "bank_group_low":
            return (burst * device.bursts_per_row + places["column"]) * device.bank_groups + group
        return (burst * device.bank_groups + group) * device.bursts_per_row + places["column"]


def _cells(at: str, cells: Sequence[str], names: Sequence[str]) -> Sequence[str]:
    if len(cells) != len(names):
        raise ConfigError(at, shown(" ".join(cells)), f"{' '.join(names)}, as in the first line")
    return cells


def _write(at: str, operation: str, writes: dict[str, bool]) -> bool:
    if operation not in writes:
        raise ConfigError(at, shown(operation), ", ".join(writes))
    return writes[operation]


def _place(at: str, text: str, count: int) -> int:
    """Return a place on a level that has so many."""
    try:
        return whole_number(at, text, 0, count - 1, str(count - 1))
    except ConfigError as error:
        hint = (
            "Columns are counted in bursts, as Ramulator's address mappers count them" if at.endswith("column") else ""
        )
        raise ConfigError(at, error.found, error.accepted, hint) from error
