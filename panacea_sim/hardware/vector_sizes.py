"""The sizes of a machine that decide what is skipped of a layer."""

from __future__ import annotations

from panacea_sim.hardware.config import Hardware

__all__ = ["sizes_of"]


def sizes_of(hardware: Hardware) -> tuple[int, int] | None:
    """Return v and T_K of a machine, None for one without vectors of slices."""
    v = getattr(hardware, "v", None)
    return None if v is None else (int(v), hardware.tile_k)
