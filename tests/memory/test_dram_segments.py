"""A row segment in closed form is the same as its bursts served one by one."""

from __future__ import annotations

import copy
from typing import get_args

import pytest
from case_counts import at_most
from dram_judge import LONG_AGO, Judge
from hypothesis import given
from hypothesis import strategies as st
from strategies import Ask, asks

from panacea_sim.hardware.dram.devices import DramDevice, dram_device, list_devices
from panacea_sim.memory import params as at
from panacea_sim.memory.banked_timing import serve
from panacea_sim.memory.params import Map, Page, dram_params, new_state

_CASES = at_most(300)
"""So many a device."""


def _assert_same(device: DramDevice, state: list[int], judge: Judge) -> None:
    """Compare everything that later requests depend on."""
    assert state[at.REFRESHES] == judge.refreshes
    assert state[at.ACTIVATES] == len(judge.activates)
    assert state[at.REFRESH_DUE] == (judge.refreshes + 1) * device.refi_cycles
    newest = judge.activates[:-5:-1]
    assert state[at.ACTIVATE_1 : at.ACTIVATE_1 + len(newest)] == newest
    banks_at = at.GROUPS_AT + device.bank_groups * at.GROUP_WIDTH
    for group in range(device.bank_groups):
        base = at.GROUPS_AT + group * at.GROUP_WIDTH
        for name, offset in (("RD", at.GROUP_READ), ("WR", at.GROUP_WRITE), ("ACT", at.GROUP_ACTIVATE)):
            cycles = [cycle for (kind, where), cycle in judge.last.items() if kind == name and where[0] == group]
            assert state[base + offset] == max(cycles, default=at.LONG_AGO)
        for number in range(device.banks_per_group):
            base = banks_at + (group * device.banks_per_group + number) * at.BANK_WIDTH
            bank = (group, number)
            row = judge.open_rows.get(bank, at.CLOSED)
            assert state[base + at.OPEN_ROW] == row
            if row != at.CLOSED:
                assert state[base + at.PRECHARGE_READY] == judge.earliest("PRE", bank)
                assert state[base + at.ACTIVATED] == judge.last["ACT", bank]


@pytest.mark.slow
@pytest.mark.parametrize("name", list_devices())
@_CASES
@given(data=st.data())
def test_closed_form_equals_the_burst_loop(name: str, data: st.DataObject) -> None:
    """The state after each segment and the end of every burst's data are those of a loop over the bursts.

    Segments come faster than decisions would allow, so that their activates crowd as those of waiting requests do.
    """
    device = dram_device(name, "device")
    address_map = data.draw(st.sampled_from(get_args(Map)))
    page = data.draw(st.sampled_from(get_args(Page)))
    params = dram_params(device, None, address_map=address_map, policy="fcfs", page=page, age_cap_cycles=1)
    state, judge = new_state(params), Judge(device, address_map, page)
    cycle = 0
    for ask in data.draw(asks(device)):
        address, left = ask.address, ask.size_bytes
        cycle += ask.wait_cycles
        while left:
            before, out = copy.copy(state), [0] * at.OUT
            serve(params, state, cycle, address, left, int(ask.write), out)
            ends = judge.serve(cycle, address, left, write=ask.write)
            assert out[at.OUT_END] == out[at.OUT_READY] == ends[-1]
            assert out[at.OUT_ROW_HITS] + out[at.OUT_ROW_MISSES] == len(ends)
            _assert_same(device, state, judge)
            _assert_prefixes(params, before, (cycle, address, left), ask, ends)
            address, left = address + out[at.OUT_SIZE], left - out[at.OUT_SIZE]


def _assert_prefixes(
    params: tuple[int, ...], before: list[int], grant: tuple[int, int, int], ask: Ask, ends: list[int]
) -> None:
    """Check the end of burst n as the end of a request of n bursts, for the first ten and some of the others."""
    cycle, address, left = grant
    burst_bytes = params[at.BURST_BYTES]
    for bursts in (*range(1, 11), 33, 63, 64, 65, 127):
        if bursts > len(ends):
            return
        size_bytes = min(left, bursts * burst_bytes - address % burst_bytes)
        out = [0] * at.OUT
        serve(params, copy.copy(before), cycle, address, size_bytes, int(ask.write), out)
        assert out[at.OUT_READY] == ends[bursts - 1]
        assert out[at.OUT_ROW_HITS] + out[at.OUT_ROW_MISSES] == bursts


def test_judge_starts_untouched() -> None:
    """Nothing holds back the first command of the judge."""
    assert Judge(dram_device("hbm2", "device")).earliest("ACT", (0, 0)) == LONG_AGO
