"""A DRAM controller in the manner of public simulators: it looks at its queue in every cycle.

FR-FCFS (the oldest request whose next command may go out), a queue of 32, open pages, refresh of all banks at once,
one command at a time. It is the yardstick for bandwidths, which the timing of whole segments must come near to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dram_judge import LONG_AGO, Place, place

from panacea_sim.hardware.dram.devices import DramDevice
from panacea_sim.memory.replay import ChannelRequest

__all__ = ["Controller"]

_QUEUE = 32


@dataclass
class _Waiting:
    number: int
    place: Place


class _Bank:
    def __init__(self) -> None:
        self.row: int | None = None
        self.activate = self.precharge = self.read = LONG_AGO
        self.reserved = False  # its row was opened for a request that is still to be served


class Controller:
    """A channel that serves reads of one burst each."""

    def __init__(self, device: DramDevice, address_map: str) -> None:
        self.device = device
        self.address_map = address_map
        groups, banks = range(device.bank_groups), range(device.banks_per_group)
        self.banks = {(group, bank): _Bank() for group in groups for bank in banks}
        self.activates = [LONG_AGO] * 4
        self.group_activate = [LONG_AGO] * device.bank_groups
        self.group_read = [LONG_AGO] * device.bank_groups
        self.refresh_end = LONG_AGO
        self.queue: list[_Waiting] = []
        self.opened: list[_Waiting] = []
        self.ready: dict[int, int] = {}
        self.sent = {"ACT": 0, "RD": 0, "REF": 0}  # how many commands of each kind

    def run(self, requests: Sequence[ChannelRequest]) -> int:
        """Serve the requests and return the cycle in which the last data is there."""
        upcoming = cycle = 0
        refresh_due, refreshing = self.device.refi_cycles, False
        while len(self.ready) < len(requests):
            while upcoming < len(requests) and len(self.queue) < _QUEUE and requests[upcoming].cycle <= cycle:
                self.queue.append(_Waiting(upcoming, place(self.device, self.address_map, requests[upcoming].address)))
                upcoming += 1
            if cycle == refresh_due:
                refreshing, refresh_due = True, refresh_due + self.device.refi_cycles
            if not self._read(self.opened, cycle) and not refreshing:
                self._read(self.queue, cycle)
            if not refreshing:
                self._open_or_close(cycle)
            elif not self.opened:
                refreshing = not self._refresh(cycle)
            cycle += 1
        return max(self.ready.values())

    def _read(self, waiting: list[_Waiting], cycle: int) -> bool:
        device = self.device
        if cycle < max(self.group_read) + device.ccd_s_cycles:
            return False
        for request in waiting:
            group, number, row = request.place
            bank = self.banks[group, number]
            if (
                bank.row == row
                and cycle >= bank.activate + device.rcd_read_cycles
                and cycle >= self.group_read[group] + device.ccd_l_cycles
            ):
                bank.read = self.group_read[group] = cycle
                self.sent["RD"] += 1
                bank.reserved = bank.reserved and waiting is not self.opened
                waiting.remove(request)
                self.ready[request.number] = cycle + device.cl_cycles + device.burst_cycles
                return True
        return False

    def _open_or_close(self, cycle: int) -> None:
        for request in self.queue:
            group, number, row = request.place
            bank = self.banks[group, number]
            if bank.row is None and self._may_activate(bank, group, cycle):
                bank.row, bank.activate, bank.reserved = row, cycle, True
                self.sent["ACT"] += 1
                self.group_activate[group] = cycle
                self.activates = [*self.activates[1:], cycle]
                self.queue.remove(request)
                self.opened.append(request)
                return
            if bank.row not in {None, row} and not bank.reserved and self._may_precharge(bank, cycle):
                bank.row, bank.precharge = None, cycle
                return

    def _may_activate(self, bank: _Bank, group: int, cycle: int) -> bool:
        device = self.device
        return cycle >= max(
            bank.precharge + device.rp_cycles,
            bank.activate + device.rc_cycles,
            self.activates[-1] + device.rrd_s_cycles,
            self.group_activate[group] + device.rrd_l_cycles,
            self.activates[0] + device.faw_cycles,
            self.refresh_end,
        )

    def _may_precharge(self, bank: _Bank, cycle: int) -> bool:
        return cycle >= max(bank.activate + self.device.ras_cycles, bank.read + self.device.rtp_cycles)

    def _refresh(self, cycle: int) -> bool:
        """Close all rows once all can be closed, then refresh; return whether the refresh has begun."""
        banks = [bank for bank in self.banks.values() if bank.row is not None]
        if banks:
            if all(self._may_precharge(bank, cycle) for bank in banks):
                for bank in banks:
                    bank.row, bank.precharge = None, cycle
            return False
        begins = all(cycle >= bank.precharge + self.device.rp_cycles for bank in self.banks.values())
        if begins:
            self.refresh_end = cycle + self.device.rfc_cycles
            self.sent["REF"] += 1
        return begins
