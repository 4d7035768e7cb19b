"""How the layers of a run follow each other."""

from __future__ import annotations

from typing import Literal

__all__ = ["Schedule"]

Schedule = Literal["overlap", "barrier"]
"""All in one simulation, or each alone on the drained machine."""
