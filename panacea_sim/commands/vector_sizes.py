"""The sizes of a machine that decide what is skipped of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.hardware.config import Hardware

__all__ = ["sizes_of", "vector_sizes"]


def vector_sizes(hardware: str) -> tuple[int, int]:
    """Return v and T_K of a preset or YAML file; raises ConfigError for a machine without vectors of slices."""
    from panacea_sim.hardware.config import load_hardware

    found = sizes_of(load_hardware(hardware))
    if found is None:
        raise ConfigError("--hardware", hardware, "a machine that multiplies vectors of slices, such as panacea")
    return found


def sizes_of(machine: Hardware) -> tuple[int, int] | None:
    """Return v and T_K of a machine, None for one without vectors of slices."""
    v = getattr(machine, "v", None)
    return None if v is None else (int(v), machine.tile_k)
