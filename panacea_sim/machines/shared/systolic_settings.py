"""What the settings of machines with 8-bit multipliers have in common."""

from __future__ import annotations

__all__ = ["SLICE_PRODUCTS"]

SLICE_PRODUCTS = 4
"""Products of 4-bit slices in one of 8 bits: machines are compared by their multipliers of 4 bits."""
