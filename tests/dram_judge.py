"""The judges of a DRAM channel.

`Judge` knows the timing: it serves burst by burst, from the table of rules between commands. `contents` knows the
order: it says what a memory holds and what is read from it when accesses happen one after the other.

This is written from the rules and shares nothing with the code that it judges but the figures of the devices.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from panacea_sim.hardware.dram.devices import DramDevice

__all__ = ["LONG_AGO", "Access", "Judge", "Place", "contents", "place"]

LONG_AGO = -(10**9)
_ALL_BANKS = (-1, -1)


class Place(NamedTuple):
    """Where a burst lies."""

    group: int
    bank: int
    row: int


def place(device: DramDevice, address_map: str, address: int) -> Place:
    """Return where the burst at `address` lies."""
    rest = address // device.burst_bytes
    sizes = {"group": device.bank_groups, "column": device.row_bytes // device.burst_bytes}
    order = ["group", "column"] if address_map == "bank_group_low" else ["column", "group"]
    found = {}
    for name in order:
        rest, found[name] = divmod(rest, sizes[name])
    row, bank = divmod(rest, device.banks_per_group)
    return Place(found["group"], bank, row)


class Access(NamedTuple):
    """Bytes that a request reads or writes."""

    request: int
    address: int
    size_bytes: int
    write: bool


def contents(accesses: Iterable[Access]) -> tuple[dict[int, int], dict[tuple[int, int], int | None]]:
    """Return which request wrote each byte last and, for each byte of each read, which one wrote what it has read."""
    memory: dict[int, int] = {}
    seen: dict[tuple[int, int], int | None] = {}
    for access in accesses:
        for byte in range(access.address, access.address + access.size_bytes):
            if access.write:
                memory[byte] = access.request
            else:
                seen[access.request, byte] = memory.get(byte)
    return memory, seen


@dataclass
class Judge:
    """A channel that sends every command as early as the commands before it allow.

    `last` has the latest cycle of each command in each bank: ACT, PRE, RD, WR, and REF of all banks.
    """

    device: DramDevice
    address_map: str = "bank_group_low"
    page: str = "open"
    last: dict[tuple[str, tuple[int, int]], int] = field(default_factory=dict)
    activates: list[int] = field(default_factory=list)
    open_rows: dict[tuple[int, int], int] = field(default_factory=dict)
    refreshes: int = 0

    def __post_init__(self) -> None:
        """Write the table: how long a command must stay away from one before, by how near their banks are."""
        d = self.device
        write_data = d.cwl_cycles + d.burst_cycles
        self._anywhere = {
            ("ACT", "ACT"): d.rrd_s_cycles,
            ("RD", "RD"): d.ccd_s_cycles,
            ("WR", "WR"): d.ccd_s_cycles,
            ("RD", "WR"): d.cl_cycles + d.burst_cycles + d.bus_gap_cycles - d.cwl_cycles,
            ("WR", "RD"): write_data + d.wtr_s_cycles,
            ("PRE", "REF"): d.rp_cycles,
            ("REF", "REF"): d.rfc_cycles,
            ("REF", "ACT"): d.rfc_cycles,
        }
        self._in_group = {
            ("ACT", "ACT"): d.rrd_l_cycles,
            ("RD", "RD"): d.ccd_l_cycles,
            ("WR", "WR"): d.ccd_l_cycles,
            ("WR", "RD"): write_data + d.wtr_l_cycles,
        }
        self._in_bank = {
            ("ACT", "ACT"): d.rc_cycles,
            ("ACT", "PRE"): d.ras_cycles,
            ("ACT", "RD"): d.rcd_read_cycles,
            ("ACT", "WR"): d.rcd_write_cycles,
            ("PRE", "ACT"): d.rp_cycles,
            ("RD", "PRE"): d.rtp_cycles,
            ("WR", "PRE"): write_data + d.wr_cycles,
        }

    def earliest(self, name: str, bank: tuple[int, int], now: int = LONG_AGO) -> int:
        """Return the first cycle from `now` on in which the command breaks no rule."""
        cycle = now
        for (before, where), then in self.last.items():
            pair = (before, name)
            gaps = [self._anywhere.get(pair)]
            if where[0] == bank[0]:
                gaps.append(self._in_group.get(pair))
            if where == bank:
                gaps.append(self._in_bank.get(pair))
            cycle = max([cycle, *(then + gap for gap in gaps if gap is not None)])
        if name == "ACT" and len(self.activates) >= 4:
            cycle = max(cycle, self.activates[-4] + self.device.faw_cycles)
        return cycle

    def issue(self, name: str, bank: tuple[int, int], now: int) -> int:
        """Send the command as early as possible and return the cycle."""
        cycle = self.earliest(name, bank, now)
        self.last[name, bank] = cycle
        if name == "ACT":
            self.activates.append(cycle)
        return cycle

    def serve(self, now: int, address: int, size_bytes: int, *, write: bool) -> list[int]:
        """Serve what of a request stays in its rows; return the end of each burst's data."""
        self.refresh(now)
        first = place(self.device, self.address_map, address)
        ends, touched = [], set()
        for at in range(address - address % self.device.burst_bytes, address + size_bytes, self.device.burst_bytes):
            here = place(self.device, self.address_map, at)
            if here[1:] != first[1:] or (self.address_map == "column_low" and here != first):
                break
            ends.append(self._burst(now, here, write=write))
            touched.add(here[:2])
        if self.page == "closed":
            for bank in touched:
                self._close(bank, LONG_AGO)
        return ends

    def refresh(self, now: int) -> None:
        """Make the refreshes that are due, one after the other."""
        while (self.refreshes + 1) * self.device.refi_cycles <= now:
            self.refreshes += 1
            due = self.refreshes * self.device.refi_cycles
            for bank in list(self.open_rows):
                self._close(bank, due)
            self.issue("REF", _ALL_BANKS, due)

    def _burst(self, now: int, here: Place, *, write: bool) -> int:
        bank = here[:2]
        if self.open_rows.get(bank, here.row) != here.row:
            self._close(bank, now)
        if bank not in self.open_rows:
            self.issue("ACT", bank, now)
            self.open_rows[bank] = here.row
        latency = self.device.cwl_cycles if write else self.device.cl_cycles
        return self.issue("WR" if write else "RD", bank, now) + latency + self.device.burst_cycles

    def _close(self, bank: tuple[int, int], now: int) -> None:
        self.issue("PRE", bank, now)
        del self.open_rows[bank]
