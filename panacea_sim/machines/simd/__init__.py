"""PE arrays of dense 8-bit products."""

from __future__ import annotations

from panacea_sim.machines.simd.settings import SimdHardware

__all__ = ["MACHINE", "SETTINGS"]  # MACHINE comes when it is asked for

SETTINGS = SimdHardware
"""The model of its settings, at hand without the builder, which takes a moment to import."""


def __getattr__(name: str) -> object:
    if name == "MACHINE":
        from panacea_sim.machines.simd.build import MACHINE  # noqa: PLC0415

        return MACHINE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
