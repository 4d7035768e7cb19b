"""The flat sequences of whole numbers that the timing of a DRAM channel works on: what stands where.

`params` never changes in a run, `state` is the channel as it stands, and `out` says what a grant does. All times are
cycles of the device clock, except where a comment says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from panacea_sim.choices import Map, Page, Policy
from panacea_sim.hardware.dram.devices import DramDevice

__all__ = ["Map", "Page", "Policy", "dram_params", "new_state"]

(
    CLOCK_NUMERATOR,  # device cycles = accelerator cycles x numerator / denominator, in lowest terms
    CLOCK_DENOMINATOR,
    BURST_BYTES,
    BURSTS_PER_ROW,
    GROUPS,
    ROTATED_GROUPS,  # successive bursts go round this many bank groups: all of them, or one
    BANKS_PER_GROUP,
    BANKS_AT,  # where the banks begin in the state
    CLOSED_PAGE,  # 1: rows are closed behind each segment
    FIRST_READY,  # 1: FR-FCFS, 0: FCFS
    AGE_CAP,  # accelerator cycles
    RCD_READ,
    RCD_WRITE,
    RP,
    CL,
    CWL,
    BURST,
    RAS,
    RC,
    CCD_S,
    CCD_L,
    RRD_S,
    RRD_L,
    FAW,
    READ_TO_PRECHARGE,
    WRITE_TO_PRECHARGE,
    READ_TO_WRITE,
    WRITE_TO_READ_S,
    WRITE_TO_READ_L,
    RFC,
    REFI,
    BURST_BITS,  # the binary logarithms of the sizes above
    COLUMN_BITS,
    GROUP_BITS,
    ROTATED_BITS,
    BANK_BITS,
    PARAMS,
) = range(37)

(
    NEXT_DECISION,
    BUS_END,  # end of the last data
    LAST_READ,  # the last column command of each kind
    LAST_WRITE,
    ACTIVATE_1,  # the last four activates, the newest first
    ACTIVATE_2,
    ACTIVATE_3,
    ACTIVATE_4,
    REFRESH_DUE,
    REFRESH_END,  # end of the last refresh
    REFRESHES,
    ACTIVATES,
    GROUPS_AT,  # from here on, GROUP_WIDTH numbers for each bank group, then BANK_WIDTH for each bank
) = range(13)
GROUP_READ, GROUP_WRITE, GROUP_ACTIVATE, GROUP_WIDTH = range(4)
OPEN_ROW, UNUSED, ACTIVATED, PRECHARGE_READY, ACTIVATE_READY, BANK_WIDTH = range(
    6
)  # UNUSED: 1 until the row's first burst

(
    OUT_START,  # the fields of device.Service in their order; accelerator cycles
    OUT_END,
    OUT_READY,
    OUT_SIZE,
    OUT_BANK,
    OUT_ROW_HIT,
    OUT_ROW_HITS,
    OUT_ROW_MISSES,
    OUT_REFRESH_UNTIL,
    OUT_TURNAROUND_UNTIL,
    OUT_ROW_UNTIL,
    OUT,
) = range(12)

CLOSED = -1
"""The open row of a bank that has none."""

LONG_AGO = -1_000_000
"""A cycle before the run from which no timing reaches into it."""


def dram_params(  # the choices of a channel, each with a name of its own
    device: DramDevice,
    clock_hz: int | None,
    *,
    address_map: Map,
    policy: Policy,
    page: Page,
    age_cap_cycles: int,
) -> tuple[int, ...]:
    """Return the parameters of a channel whose requests come in cycles of `clock_hz`; None: in those of the device.

    The cycles between commands that follow from others are derived here; docs/dram.md has the formulas.
    """
    numerator, denominator = (1, 1) if clock_hz is None else device.clock_ratio(clock_hz)
    rotated = device.bank_groups if address_map == "bank_group_low" else 1
    data_cycles = device.cwl_cycles + device.burst_cycles
    values = {
        CLOCK_NUMERATOR: numerator,
        CLOCK_DENOMINATOR: denominator,
        BURST_BYTES: device.burst_bytes,
        BURSTS_PER_ROW: device.bursts_per_row,
        GROUPS: device.bank_groups,
        ROTATED_GROUPS: rotated,
        BANKS_PER_GROUP: device.banks_per_group,
        BANKS_AT: GROUPS_AT + GROUP_WIDTH * device.bank_groups,
        CLOSED_PAGE: int(page == "closed"),
        FIRST_READY: int(policy == "fr_fcfs"),
        AGE_CAP: age_cap_cycles,
        RCD_READ: device.rcd_read_cycles,
        RCD_WRITE: device.rcd_write_cycles,
        RP: device.rp_cycles,
        CL: device.cl_cycles,
        CWL: device.cwl_cycles,
        BURST: device.burst_cycles,
        RAS: device.ras_cycles,
        RC: device.rc_cycles,
        CCD_S: device.ccd_s_cycles,
        CCD_L: device.ccd_l_cycles,
        RRD_S: device.rrd_s_cycles,
        RRD_L: device.rrd_l_cycles,
        FAW: device.faw_cycles,
        READ_TO_PRECHARGE: device.rtp_cycles,
        WRITE_TO_PRECHARGE: data_cycles + device.wr_cycles,
        READ_TO_WRITE: device.cl_cycles + device.burst_cycles + device.bus_gap_cycles - device.cwl_cycles,
        WRITE_TO_READ_S: data_cycles + device.wtr_s_cycles,
        WRITE_TO_READ_L: data_cycles + device.wtr_l_cycles,
        RFC: device.rfc_cycles,
        REFI: device.refi_cycles,
        BURST_BITS: device.burst_bytes.bit_length() - 1,
        COLUMN_BITS: device.bursts_per_row.bit_length() - 1,
        GROUP_BITS: device.bank_groups.bit_length() - 1,
        ROTATED_BITS: rotated.bit_length() - 1,
        BANK_BITS: device.banks_per_group.bit_length() - 1,
    }
    return tuple(values[index] for index in range(PARAMS))


def new_state(params: Sequence[int]) -> list[int]:
    """Return the state of an untouched channel at cycle 0."""
    channel = [LONG_AGO] * GROUPS_AT
    channel[BUS_END] = channel[REFRESHES] = channel[ACTIVATES] = 0
    channel[REFRESH_DUE] = params[REFI]
    bank = [LONG_AGO] * BANK_WIDTH
    bank[OPEN_ROW], bank[UNUSED] = CLOSED, 0
    banks = params[GROUPS] * params[BANKS_PER_GROUP]
    return channel + [LONG_AGO] * (GROUP_WIDTH * params[GROUPS]) + bank * banks
