"""A weight-stationary systolic array."""

from __future__ import annotations

from panacea_sim.machines.sa_ws.settings import SaWsHardware

__all__ = ["MACHINE", "SETTINGS"]  # MACHINE comes when it is asked for

SETTINGS = SaWsHardware
"""The model of its settings, at hand without the builder, which takes a moment to import."""


def __getattr__(name: str) -> object:
    if name == "MACHINE":
        from panacea_sim.machines.sa_ws.build import MACHINE  # noqa: PLC0415

        return MACHINE
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
