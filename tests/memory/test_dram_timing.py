"""Exact timing of the DRAM channel, worked by hand: what is ready in cycle t is not ready in t - 1."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.hardware.dram.devices import DramDevice, dram_device, list_devices
from panacea_sim.memory.arbiter import WIDTH
from panacea_sim.memory.banked_timing import _converted, choose, next_decision, serve
from panacea_sim.memory.device import Service
from panacea_sim.memory.params import OUT, REFRESHES, Page, Policy, dram_params, new_state

DEVICES = list_devices()


@dataclass
class Channel:
    """A channel of a device in device cycles; addresses are made of group, bank, row and column in bursts."""

    device: DramDevice
    policy: Policy = "fcfs"
    page: Page = "open"
    age_cap_cycles: int = 1000
    params: tuple[int, ...] = field(init=False)
    state: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Make the parameters and an untouched state."""
        self.params = dram_params(
            self.device,
            None,
            address_map="bank_group_low",
            policy=self.policy,
            page=self.page,
            age_cap_cycles=self.age_cap_cycles,
        )
        self.state = new_state(self.params)

    def address(self, *, group: int = 0, bank: int = 0, row: int = 0, column: int = 0) -> int:
        """Return the address of a burst."""
        device = self.device
        banks = row * device.banks_per_group + bank
        return ((banks * device.bursts_per_row + column) * device.bank_groups + group) * device.burst_bytes

    def serve(self, cycle: int, address: int, bursts: int = 1, *, write: bool = False) -> Service:
        """Serve `bursts` in `cycle`."""
        out = [0] * OUT
        serve(self.params, self.state, cycle, address, bursts * self.device.burst_bytes, int(write), out)
        return Service._make(out)

    def choose(self, cycle: int, *waiting: tuple[int, int, int, bool]) -> int:
        """Choose among requests of one burst, each with priority, request cycle, address and write."""
        queue: list[int] = []
        for priority, request_cycle, address, write in waiting:
            queue += (priority, request_cycle, 0, address, self.device.burst_bytes, int(write))
        assert len(queue) == WIDTH * len(waiting)
        return choose(self.params, self.state, cycle, queue, len(waiting))


@pytest.fixture(params=DEVICES)
def channel(request: pytest.FixtureRequest) -> Channel:
    """Return a channel of every device in turn."""
    return Channel(dram_device(request.param, "device"))


@pytest.fixture
def ddr4() -> Channel:
    """Return a channel of DDR4-3200, whose figures the hand-worked sums below use."""
    return Channel(dram_device("ddr4_3200", "device"))


def test_smoke(channel: Channel) -> None:
    """Every device reads and writes a kilobyte, after the latency at least and in whole bursts."""
    read = channel.serve(0, 0, 1024 // channel.device.burst_bytes)
    write = channel.serve(10_000, 0, 1024 // channel.device.burst_bytes, write=True)
    for service in (read, write):
        assert service.size_bytes == 1024
        assert service.end_cycle - service.start_cycle >= 1024 / channel.device.burst_bytes
        assert service.row_hits + service.row_misses == 1024 // channel.device.burst_bytes


def test_idle_latency_of_a_closed_row(channel: Channel) -> None:
    """A read of a closed row takes tRCD + tCL + burst."""
    d = channel.device
    service = channel.serve(100, 0)
    assert service.ready_cycle == 100 + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles
    assert (service.row_hit, service.row_hits, service.row_misses) == (0, 0, 1)


def test_idle_latency_of_a_hit(channel: Channel) -> None:
    """A read of an open row takes tCL + burst."""
    d = channel.device
    channel.serve(0, 0)
    service = channel.serve(1000, channel.address(column=1))
    assert service.ready_cycle == 1000 + d.cl_cycles + d.burst_cycles
    assert (service.row_hit, service.row_hits, service.row_misses) == (1, 1, 0)


def test_idle_latency_of_a_conflict(channel: Channel) -> None:
    """A read of another row of the bank takes tRP + tRCD + tCL + burst."""
    d = channel.device
    channel.serve(0, 0)
    service = channel.serve(1000, channel.address(row=1))
    assert service.ready_cycle == 1000 + d.rp_cycles + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles


def test_idle_latency_of_a_write(channel: Channel) -> None:
    """A write to a closed row is done after tRCD + tCWL + burst."""
    d = channel.device
    service = channel.serve(0, 0, write=True)
    assert service.ready_cycle == d.rcd_write_cycles + d.cwl_cycles + d.burst_cycles


def test_precharge_waits_for_ras(channel: Channel) -> None:
    """A conflict right behind a read waits until tRAS allows the precharge: one cycle later costs nothing more."""
    d = channel.device
    rest = d.rp_cycles + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles
    for wait_cycles in (d.rcd_read_cycles, d.ras_cycles - 1, d.ras_cycles, d.ras_cycles + 1):
        fresh = Channel(d)
        fresh.serve(0, 0)
        assert fresh.serve(wait_cycles, fresh.address(row=1)).ready_cycle == max(wait_cycles, d.ras_cycles) + rest


def test_a_refresh_waits_for_ras(channel: Channel) -> None:
    """The precharge before a refresh, too, waits until tRAS, or the last read, allows it."""
    d = channel.device
    begin = d.refi_cycles - 1
    channel.serve(begin, 0)
    closed = begin + max(d.ras_cycles, d.rcd_read_cycles + d.rtp_cycles) + d.rp_cycles
    rest = d.rfc_cycles + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles
    assert channel.serve(d.refi_cycles, 0).ready_cycle == closed + rest


def test_precharge_waits_for_the_last_read(ddr4: Channel) -> None:
    """After many reads it is tRTP, not tRAS, that holds back the precharge."""
    # ACT 0; 40 reads of one bank group's row at columns 22, then round the groups every 4: the last of group 0 goes out
    # at 22 + 36 * 4 = 166, the precharge of group 0 at 166 + 12, ACT + 22, RD + 22, data + 22 + 4.
    ddr4.serve(0, 0, 40)
    assert ddr4.serve(30, ddr4.address(row=1)).ready_cycle == 166 + 12 + 22 + 22 + 22 + 4


def test_precharge_waits_for_write_recovery(ddr4: Channel) -> None:
    """After a write the precharge waits for its data and tWR."""
    # ACT 0, WR 22, data 38 to 42, recovery until 66 (later than tRAS = 52), ACT 88, RD 110, data 132 to 136.
    ddr4.serve(0, 0, write=True)
    assert ddr4.serve(0, ddr4.address(row=1)).ready_cycle == 136


def test_same_bank_group_and_other(ddr4: Channel) -> None:
    """Reads of open rows follow after tCCD_S in another bank group and tCCD_L in the same."""
    ddr4.serve(0, 0, 4)  # opens the rows of all groups
    first = ddr4.serve(1000, ddr4.address(column=1)).ready_cycle
    assert ddr4.serve(1000, ddr4.address(group=1, column=1)).ready_cycle == first + 4
    assert ddr4.serve(1000, ddr4.address(group=1, column=2)).ready_cycle == first + 4 + 8


def test_activates_of_other_banks_overlap(channel: Channel) -> None:
    """Two banks open side by side: the second is ready tRRD later at most, not tRC."""
    d = channel.device
    first = channel.serve(0, channel.address(bank=0)).ready_cycle
    second = channel.serve(0, channel.address(bank=1)).ready_cycle
    assert second == first + max(d.rrd_l_cycles, d.ccd_l_cycles)


def test_activates_of_one_bank_group(ddr4: Channel) -> None:
    """Two activates of one bank group are tRRD_L apart, of two groups tRRD_S, whatever the reads between them need."""
    slow = Channel(ddr4.device.model_copy(update={"rrd_s_cycles": 40, "rrd_l_cycles": 60}))
    first = slow.serve(0, 0).ready_cycle
    assert slow.serve(0, slow.address(bank=1)).ready_cycle == first + 60
    assert slow.serve(0, slow.address(group=1)).ready_cycle == first + 60 + 40


def test_four_activate_window(channel: Channel) -> None:
    """The fifth activate waits for tFAW from the first, where that is later than tRRD from the fourth."""
    d = channel.device
    for number in range(4):
        channel.serve(0, channel.address(group=number % d.bank_groups, bank=number // d.bank_groups))
    fifth = channel.serve(0, channel.address(bank=d.banks_per_group - 1))
    activate = max(d.faw_cycles, 3 * d.rrd_s_cycles + d.rrd_s_cycles)
    assert fifth.ready_cycle == activate + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles


def test_read_to_write(channel: Channel) -> None:
    """A write's data follows a read's after the gap that the bus needs to turn round."""
    d = channel.device
    channel.serve(0, 0)
    read = channel.serve(1000, 0)
    write = channel.serve(1000, channel.address(column=1), write=True)
    assert write.start_cycle == read.end_cycle + d.bus_gap_cycles
    assert write.turnaround_until == write.start_cycle


def test_read_to_write_in_another_group(ddr4: Channel) -> None:
    """The bus has to turn round whatever the bank group."""
    ddr4.serve(0, 0, 4)
    read = ddr4.serve(1000, 0)
    write = ddr4.serve(1000, ddr4.address(group=1, column=1), write=True)
    assert write.start_cycle == read.end_cycle + ddr4.device.bus_gap_cycles


def test_write_to_read(channel: Channel) -> None:
    """A read command follows the end of a write's data after tWTR_L in the same bank group."""
    d = channel.device
    channel.serve(0, 0)
    write = channel.serve(1000, 0, write=True)
    read = channel.serve(1000, channel.address(column=1))
    assert read.ready_cycle == write.end_cycle + d.wtr_l_cycles + d.cl_cycles + d.burst_cycles


def test_write_to_read_in_another_group(ddr4: Channel) -> None:
    """In another bank group tWTR_S is enough."""
    ddr4.serve(0, 0, 4)
    write = ddr4.serve(1000, 0, write=True)
    assert ddr4.serve(1000, ddr4.address(group=1)).ready_cycle == write.end_cycle + 4 + 22 + 4


@pytest.mark.parametrize("late_cycles", [-1, 0, 1])
def test_refresh_is_due(channel: Channel, late_cycles: int) -> None:
    """A read decided before tREFI hits its row; from tREFI on it waits for tRP and tRFC and opens its row again."""
    d = channel.device
    channel.serve(0, 0)
    cycle = d.refi_cycles + late_cycles
    service = channel.serve(cycle, 0)
    hit = cycle + d.cl_cycles + d.burst_cycles
    after = d.refi_cycles + d.rp_cycles + d.rfc_cycles + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles
    assert service.ready_cycle == (hit if late_cycles < 0 else after)
    assert service.refresh_until == (d.refi_cycles + d.rp_cycles + d.rfc_cycles if late_cycles >= 0 else -1_000_000)


def test_refresh_of_closed_banks(channel: Channel) -> None:
    """With no row open a refresh begins when it is due."""
    d = channel.device
    service = channel.serve(d.refi_cycles + 1, 0)
    assert service.ready_cycle == d.refi_cycles + d.rfc_cycles + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles


def test_refreshes_while_idle(channel: Channel) -> None:
    """A channel that idles for 1,000 intervals has made 1,000 refreshes, and only the last one still counts."""
    d = channel.device
    service = channel.serve(1000 * d.refi_cycles + d.rfc_cycles, 0)
    assert channel.state[REFRESHES] == 1000
    assert service.ready_cycle == 1000 * d.refi_cycles + d.rfc_cycles + d.rcd_read_cycles + d.cl_cycles + d.burst_cycles


def test_refresh_does_not_cut_a_segment(ddr4: Channel) -> None:
    """A segment that was decided before the refresh is due ends undisturbed, and the refresh waits for it."""
    ddr4.serve(0, 0, 4)
    begin = ddr4.device.refi_cycles - 1
    segment = ddr4.serve(begin, 0, 100)
    assert segment.ready_cycle == begin + 99 * 4 + 22 + 4
    # The last read goes out 99 * 4 later; tRTP, tRP, tRFC, then the row is opened and read.
    assert ddr4.serve(begin + 1, 0).ready_cycle == begin + 99 * 4 + 12 + 22 + 576 + 22 + 22 + 4


def test_closed_page(ddr4: Channel) -> None:
    """With closed pages the next read of the same row opens it again, the precharge long done."""
    closed = Channel(ddr4.device, page="closed")
    closed.serve(0, 0)
    service = closed.serve(1000, 0)
    assert service.ready_cycle == 1000 + 22 + 22 + 4
    assert service.row_hit == 0


def test_closed_page_waits_for_the_last_read(ddr4: Channel) -> None:
    """A row that is closed behind its segment opens again after tRTP from the last read and tRP."""
    closed = Channel(ddr4.device, page="closed")
    closed.serve(0, 0, 40)  # the last read of group 0 goes out at 166, as above
    assert closed.serve(30, 0).ready_cycle == 166 + 12 + 22 + 22 + 22 + 4


def test_segment_that_begins_inside_a_round(channel: Channel) -> None:
    """From the last group of the last round on, one burst is left of the row."""
    d = channel.device
    last = channel.address(group=d.bank_groups - 1, column=d.bursts_per_row - 1)
    assert channel.serve(0, last, 3).size_bytes == d.burst_bytes


def test_segment_ends_with_its_row(channel: Channel) -> None:
    """A grant covers what is left of the row in all bank groups, and the next one begins in the next bank."""
    d = channel.device
    last = channel.address(group=d.bank_groups - 1, column=d.bursts_per_row - 1)
    first = channel.serve(0, last - d.burst_bytes * (d.bank_groups - 1), d.bank_groups + 3)
    assert first.size_bytes == d.burst_bytes * d.bank_groups
    assert channel.serve(500, channel.address(bank=1), 1).bank == 1


def test_unaligned_requests_move_whole_bursts(ddr4: Channel) -> None:
    """Two bytes on both sides of a burst's edge take two bursts, and the request is done."""
    out = [0] * OUT
    serve(ddr4.params, ddr4.state, 0, 63, 2, 0, out)
    service = Service._make(out)
    assert service.size_bytes == 2
    assert service.row_misses == 2


def test_decision_before_the_data_ends(channel: Channel) -> None:
    """The next decision falls when the next column command can go out, long before the data is over."""
    d = channel.device
    service = channel.serve(0, 0)
    assert next_decision(channel.params, channel.state, 0) == d.rcd_read_cycles + d.ccd_s_cycles
    assert next_decision(channel.params, channel.state, 10_000) == 10_000
    assert service.ready_cycle > d.rcd_read_cycles + d.ccd_s_cycles


def test_rows_open_while_requests_wait(channel: Channel) -> None:
    """The row of a waiting request is opened from its arrival on, so that its data follows without a gap."""
    d = channel.device
    first = channel.serve(0, 0, 10 * d.bank_groups)
    decision = next_decision(channel.params, channel.state, 3)
    waiting = channel.address(bank=1)
    assert channel.choose(decision, (0, 3, waiting, False)) == 0
    service = channel.serve(decision, waiting)
    assert service.start_cycle == first.end_cycle + d.ccd_s_cycles - d.burst_cycles
    assert (service.row_hit, service.row_misses) == (0, 1)


def _far_from_refresh(channel: Channel) -> int:
    channel.serve(0, 0, channel.device.bank_groups)
    return 500


def test_fcfs_keeps_the_order(ddr4: Channel) -> None:
    """FCFS takes the first request, even where a later one finds its row open."""
    cycle = _far_from_refresh(ddr4)
    conflict, hit = (0, cycle, ddr4.address(row=1), False), (0, cycle, 0, False)
    assert ddr4.choose(cycle, conflict, hit) == 0


def test_fr_fcfs_takes_the_open_row(ddr4: Channel) -> None:
    """FR-FCFS takes the request whose data can come earliest, and of equal ones the first."""
    ready = Channel(ddr4.device, policy="fr_fcfs")
    cycle = _far_from_refresh(ready)
    other_bank, hit = (0, cycle, ready.address(bank=1), False), (0, cycle, ready.address(column=1), False)
    assert ready.choose(cycle, other_bank, hit) == 1
    assert ready.choose(cycle, hit, hit) == 0


def test_priority_goes_before_readiness(ddr4: Channel) -> None:
    """Under both policies a lower priority number goes first."""
    for policy in ("fcfs", "fr_fcfs"):
        channel = Channel(ddr4.device, policy=policy)
        cycle = _far_from_refresh(channel)
        assert channel.choose(cycle, (1, cycle, 0, False), (0, cycle, channel.address(bank=1), False)) == 1


def test_age_cap(ddr4: Channel) -> None:
    """FR-FCFS takes a request that has waited for more than the age cap, and not one cycle earlier."""
    channel = Channel(ddr4.device, policy="fr_fcfs", age_cap_cycles=100)
    cycle = _far_from_refresh(channel)
    channel.serve(cycle - 4, 0)
    # The bus has to turn round for the write, so that the read is ready first.
    read = (0, cycle, channel.address(column=1), False)
    assert channel.choose(cycle, (0, cycle - 100, channel.address(bank=1), True), read) == 1
    assert channel.choose(cycle, (0, cycle - 101, channel.address(bank=1), True), read) == 0


@pytest.mark.parametrize(
    ("clock_hz", "ready_cycle"),
    # 48 device cycles of 625 ps are 30 ns: exactly 30 cycles, then 29.97 and 30.03 rounded up.
    [(1_000_000_000, 30), (999_000_000, 30), (1_001_000_000, 31)],
)
def test_clocks_round_up(ddr4: Channel, clock_hz: int, ready_cycle: int) -> None:
    """Data is there in the first accelerator cycle that does not begin before it is."""
    params = dram_params(
        ddr4.device, clock_hz, address_map="bank_group_low", policy="fcfs", page="open", age_cap_cycles=1
    )
    out = [0] * OUT
    serve(params, new_state(params), 0, 0, 64, 0, out)
    assert out[2] == ready_cycle


def test_requests_round_up_into_the_device_clock(ddr4: Channel) -> None:
    """A request of accelerator cycle 1 at 1 GHz begins in device cycle 2, which is at 1.25 ns."""
    params = dram_params(
        ddr4.device, 1_000_000_000, address_map="bank_group_low", policy="fcfs", page="open", age_cap_cycles=1
    )
    out = [0] * OUT
    serve(params, new_state(params), 1, 0, 64, 0, out)
    assert out[2] == 32  # (2 + 48) * 0.625 = 31.25


_GAPS: dict[str, Callable[[Channel], Service]] = {
    "row": lambda channel: channel.serve(0, 0),
    "refresh": lambda channel: channel.serve(channel.device.refi_cycles, 0),
    "latency": lambda channel: (channel.serve(0, 0), channel.serve(1000, 0))[1],
}


@pytest.mark.parametrize("reason", _GAPS)
def test_reasons_for_gaps(channel: Channel, reason: str) -> None:
    """The marks say until when refresh and rows hold back data that nothing else hides, and the latency is the rest."""
    d = channel.device
    service = _GAPS[reason](channel)
    assert service.row_until == service.start_cycle - d.cl_cycles
    if reason == "row":
        assert service.row_until == d.rcd_read_cycles
    elif reason == "refresh":
        assert service.refresh_until == d.refi_cycles + d.rfc_cycles == service.row_until - d.rcd_read_cycles
    else:
        assert service.row_until == 1000


def test_latency_that_earlier_data_hides_is_no_reason(ddr4: Channel) -> None:
    """Of the latency only what comes behind earlier data is a reason of its own; the rest of the gap is the row's."""
    ddr4.serve(0, 0)
    assert ddr4.serve(1000, 0).end_cycle == 1026
    # ACT 1010, RD 1032, data 1054. An open row would have had it at 1032, 6 cycles behind the data before.
    service = ddr4.serve(1010, ddr4.address(bank=1))
    assert (service.start_cycle, service.row_until) == (1054, 1054 - 6)


@given(
    st.integers(-(10**6), 2**62 // 2**31),
    st.integers(1, 2**31 - 1),
    st.integers(1, 2**31 - 1),
)
def test_conversion_between_clocks(cycle: int, numerator: int, denominator: int) -> None:
    """Cycles of one clock are those of the other rounded up, also where the product does not fit 64 bits."""
    assert _converted(cycle, numerator, denominator) == math.ceil(Fraction(cycle * numerator, denominator))
