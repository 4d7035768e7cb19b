"""What the events of a DRAM channel take: opening a row, bursts, a refresh, and being on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from panacea_sim.energy.csv_rows import csv_rows

__all__ = ["DramEvents", "dram_events", "list_event_devices"]


@dataclass(frozen=True)
class DramEvents:
    """Energy of the events of one channel in pJ, and its power in mW while a row is open or all are closed."""

    activate_pj: Fraction
    read_pj: Fraction
    write_pj: Fraction
    refresh_pj: Fraction
    background_open_mw: Fraction
    background_closed_mw: Fraction
    source: str


def dram_events(device: str) -> DramEvents | None:
    """Return the figures of a device; None where there are none."""
    return _devices().get(device)


def list_event_devices() -> list[str]:
    """Return the names of the devices that have figures."""
    return list(_devices())


@cache
def _devices() -> dict[str, DramEvents]:
    return {
        row["device"]: DramEvents(
            activate_pj=Fraction(row["activate_pj"]),
            read_pj=Fraction(row["read_pj"]),
            write_pj=Fraction(row["write_pj"]),
            refresh_pj=Fraction(row["refresh_pj"]),
            background_open_mw=Fraction(row["background_open_mw"]),
            background_closed_mw=Fraction(row["background_closed_mw"]),
            source=row["source"],
        )
        for row in csv_rows("dram_events")
    }
