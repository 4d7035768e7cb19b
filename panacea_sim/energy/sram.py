"""Figures of one SRAM bank by its size and its kind of cells: linear in the logarithm of the size between points."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

from panacea_sim.energy.csv_rows import csv_rows
from panacea_sim.energy.ranges import exact
from panacea_sim.energy.table import Cell

__all__ = ["BankFigures", "bank_figures", "bank_sizes"]

_FIGURES = ("area_mm2", "read_pj_per_byte", "write_pj_per_byte", "leakage_mw")


@dataclass(frozen=True)
class BankFigures:
    """What one bank takes."""

    area_mm2: Fraction
    read_pj_per_byte: Fraction
    write_pj_per_byte: Fraction
    leakage_mw: Fraction


def bank_figures(cell: Cell, bank_bytes: Fraction) -> BankFigures | None:
    """Return the figures of a bank of so many bytes; None outside the sizes of the points."""
    points = _points()[cell]
    sizes = [size for size, _ in points]
    if not sizes[0] <= bank_bytes <= sizes[-1]:
        return None
    upper = bisect_left(sizes, bank_bytes)
    if sizes[upper] == bank_bytes:
        return BankFigures(*map(exact, points[upper][1]))
    (below_bytes, below), (above_bytes, above) = points[upper - 1], points[upper]
    share = math.log2(bank_bytes / below_bytes) / math.log2(above_bytes / below_bytes)
    return BankFigures(*(Fraction(low + share * (high - low)) for low, high in zip(below, above, strict=True)))


def bank_sizes() -> tuple[int, int]:
    """Return the bytes of the smallest and of the largest bank that has figures."""
    sizes = [size for size, _ in _points()["lop"]]
    return sizes[0], sizes[-1]


@cache
def _points() -> dict[str, list[tuple[int, tuple[float, ...]]]]:
    points: dict[str, list[tuple[int, tuple[float, ...]]]] = {}
    for row in csv_rows("sram_28nm"):
        figures = tuple(float(row[name]) for name in _FIGURES)
        points.setdefault(row["cell"], []).append((int(row["bank_bytes"]), figures))
    return {cell: sorted(of_cell) for cell, of_cell in points.items()}
