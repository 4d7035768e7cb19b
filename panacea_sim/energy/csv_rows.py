"""The rows of the package's own files of figures, whose comments say where the figures come from."""

from __future__ import annotations

import csv
from pathlib import Path

__all__ = ["csv_rows"]

_FOLDER = Path(__file__).parent / "data"


def csv_rows(name: str) -> list[dict[str, str]]:
    """Return the rows of a file of figures, by the names of their columns."""
    lines = (_FOLDER / f"{name}.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))
