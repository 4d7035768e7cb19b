"""A step of an ablation: Panacea that skips vectors of zeros alone."""

from __future__ import annotations

from panacea_sim.machines.panacea.settings import PanaceaHardware

__all__ = ["MACHINE", "SETTINGS"]  # MACHINE comes when it is asked for

SETTINGS = PanaceaHardware
"""The model of its settings, at hand without the builder, which takes a moment to import."""


def __getattr__(name: str) -> object:
    if name == "MACHINE":
        from panacea_sim.machines.panacea.ablated import ZERO  # noqa: PLC0415

        return ZERO
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
