"""The settings of the Sibia machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import field_validator

from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import NoKnob
from panacea_sim.machines.shared.vector_settings import CodedHardware, OperatorHardware

__all__ = ["SibiaHardware", "sibia_hardware"]


class SibiaHardware(OperatorHardware, CodedHardware):
    """PE arrays whose operators multiply two vectors of signed 4-bit slices, and codecs for the operand that skips."""

    single_slices: Annotated[Literal["off", "on"], NoKnob("other steps of every task: run the scenario with it")]

    @field_validator("single_slices", mode="before")
    @classmethod
    def _switch(cls, value: object) -> object:
        # A switch is often given as a boolean.
        return {False: "off", True: "on"}[value] if isinstance(value, bool) else value


def sibia_hardware(hardware: Hardware) -> SibiaHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, SibiaHardware)
    return hardware
