"""The sizes of a machine that decide what is skipped of a layer."""

from __future__ import annotations

from panacea_sim.errors import ConfigError

__all__ = ["vector_sizes"]


def vector_sizes(hardware: str) -> tuple[int, int]:
    """Return v and T_K of a preset or YAML file; raises ConfigError for a machine without vectors of slices."""
    from panacea_sim.hardware.config import load_hardware
    from panacea_sim.hardware.vector_sizes import sizes_of

    found = sizes_of(load_hardware(hardware))
    if found is None:
        raise ConfigError("--hardware", hardware, "a machine that multiplies vectors of slices, such as panacea")
    return found
