"""Energy and operations in plain Python, from the files of figures and from summary.json: judge of the energy room."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import yaml

import panacea_sim

__all__ = ["CASES", "leakage_pj", "naive_bank", "naive_cells", "naive_pj", "table_file"]

CASES = ("low", "nominal", "high")
_DATA = Path(panacea_sim.__file__).parent / "energy" / "data"


def table_file(name: str) -> dict[str, Any]:
    """Return what a table's file says, numbers as exact fractions of what is written."""
    found: dict[str, Any] = yaml.safe_load((_DATA / "tables" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


def naive_bank(cell: str, size_bytes: Fraction) -> dict[str, Fraction]:
    """Return the figures of a bank: those of a point, or on the line between its neighbours over log2 of the bytes."""
    lines = (_DATA / "sram_28nm.csv").read_text(encoding="utf-8").splitlines()
    rows = [row for row in csv.DictReader(line for line in lines if line[0] != "#") if row["cell"] == cell]
    names = ("area_mm2", "read_pj_per_byte", "write_pj_per_byte", "leakage_mw")
    for row in rows:
        if int(row["bank_bytes"]) == size_bytes:
            return {name: Fraction(row[name]) for name in names}
    below = max((row for row in rows if int(row["bank_bytes"]) < size_bytes), key=lambda row: int(row["bank_bytes"]))
    above = min((row for row in rows if int(row["bank_bytes"]) > size_bytes), key=lambda row: int(row["bank_bytes"]))
    first, last = int(below["bank_bytes"]), int(above["bank_bytes"])
    share = math.log2(size_bytes / first) / math.log2(last / first)
    return {name: Fraction(float(below[name]) + share * (float(above[name]) - float(below[name]))) for name in names}


def leakage_pj(summary: Mapping[str, Any], cell: str) -> Fraction:
    """Return the leakage of all memories of a run: mW x s = mJ = 10^9 pJ."""
    seconds = Fraction(summary["makespan_cycles"], summary["clock_hz"])
    return sum(
        (
            each["banks"]
            * naive_bank(cell, Fraction(each["size_bytes"], each["banks"]))["leakage_mw"]
            * seconds
            * 10**9
            for each in summary["inventory"]["memories"]
        ),
        Fraction(0),
    )


def naive_pj(summary: Mapping[str, Any], case: str, cell: str, *, events: bool) -> dict[str, Fraction]:
    """Return the energy of a run by the default table, by category; the memories have these cells."""
    table, device = table_file("default"), summary["inventory"]["dram"]
    memories = {each["name"]: each for each in summary["inventory"]["memories"]}
    pj = dict.fromkeys(("static", "DRAM", "buffer", "core"), Fraction(0))
    pj["static"] = leakage_pj(summary, cell)
    lines = (_DATA / "dram_events.csv").read_text(encoding="utf-8").splitlines()
    of_events = {row["device"]: row for row in csv.DictReader(line for line in lines if line[0] != "#")}.get(device)
    for of_component in summary["operations"].values():
        for operation, count in of_component.items():
            if operation in table["operations"]:
                pj["core"] += count * Fraction(str(table["operations"][operation][case]))
            elif operation.startswith("dram_"):
                if operation.endswith("_bytes") and not events:
                    pj["DRAM"] += count * 8 * Fraction(str(table["dram"][device]["read"][case]))
                if operation.endswith("_bursts") and events:
                    assert of_events is not None
                    pj["DRAM"] += count * Fraction(of_events["read_pj" if "read" in operation else "write_pj"])
            else:
                memory = memories[operation.split(".")[0]]
                bank = naive_bank(cell, Fraction(memory["size_bytes"], memory["banks"]))
                pj["buffer"] += count * bank["read_pj_per_byte" if "read" in operation else "write_pj_per_byte"]
    if events:
        assert of_events is not None
        mw = Fraction(of_events["background_closed_mw" if case == "low" else "background_open_mw"])
        seconds = Fraction(summary["makespan_cycles"], summary["clock_hz"])
        pj["DRAM"] += summary["dram"]["activates"] * Fraction(of_events["activate_pj"])
        pj["DRAM"] += summary["dram"]["refreshes"] * Fraction(of_events["refresh_pj"])
        pj["DRAM"] += summary["inventory"]["dram_channels"] * mw * seconds * 10**9
    return pj


def naive_cells(summary: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells of each case: the memories together take least with one kind, and most with another."""

    def of_memories(cell: str) -> Fraction:
        pj = naive_pj(summary, "nominal", cell, events=False)
        return pj["static"] + pj["buffer"]

    return {
        "low": min(("lop", "lstp"), key=of_memories),
        "nominal": "lop",
        "high": max(("lop", "lstp"), key=of_memories),
    }
