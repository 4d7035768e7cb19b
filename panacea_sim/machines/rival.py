"""What all machines beside Panacea have in common: operands of their own, and values that are checked in numpy."""

from __future__ import annotations

from panacea_sim.choices import ChosenValues
from panacea_sim.machines.machine import Machine

__all__ = ["Rival"]


class Rival(Machine):
    """A machine with a quantization of its own, whose values travel or are checked task by task, without events."""

    values_ways: tuple[ChosenValues, ...] = ("travel", "check", "off")
    requantizes = True

    def load_check(self) -> None:
        """Do nothing: the check is no compiled code."""
