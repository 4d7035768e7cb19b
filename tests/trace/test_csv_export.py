"""Tables as CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from stored_runs import rows

from panacea_sim.trace.exporters.csv import write_csv
from panacea_sim.trace.schema import TABLES
from panacea_sim.trace.stored_run import StoredRun


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize("table", TABLES)
def test_lines_are_rows(any_run: StoredRun, table: str, tmp_path: Path) -> None:
    """Each row of the table is a line with the same values."""
    write_csv(any_run, table, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert found == [{name: _text(value) for name, value in row.items()} for row in rows(any_run, table)]


@pytest.mark.parametrize("table", TABLES)
def test_a_window_keeps_what_overlaps_it(full_run: StoredRun, table: str, tmp_path: Path) -> None:
    """A window keeps the rows that overlap it, or whose cycle is inside of it."""
    write_csv(full_run, table, tmp_path / "table.csv", (900, 1100))
    lines = (tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    kept = [
        row
        for row in rows(full_run, table)
        if row.get("start_cycle", row.get("cycle")) < 1100 and row.get("end_cycle", row.get("cycle", 0) + 1) > 900
    ]
    assert len(lines) == 1 + len(kept) > 2
