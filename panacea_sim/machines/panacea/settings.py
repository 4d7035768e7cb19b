"""The settings of the Panacea machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import field_validator

from panacea_sim.bounds import Bytes, Count, CyclesOrZero
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import Choice, Split, Step
from panacea_sim.machines.shared.vector_settings import CodedHardware

__all__ = ["PanaceaHardware", "panacea_hardware"]

_OPERATORS = Split("operators of a PEA")


class PanaceaHardware(CodedHardware):
    """A Panacea-like accelerator: PE arrays with dynamic, static and compensation operators, and run-length codecs."""

    n_dwo: Annotated[Count, Step("rate", "operators"), _OPERATORS]
    n_swo: Annotated[Count, Step("rate", "operators"), _OPERATORS]
    n_cs: Annotated[Count, Step("rate", "operators")]
    pea_latency_cycles: Annotated[CyclesOrZero, Step("latency", "cycles")]
    dtp: Annotated[Literal["off", "on", "auto"], Choice(only=("auto",))]
    sram_bytes_per_cycle: Annotated[Bytes, Step("rate", "bytes/cycle")]

    @property
    def multipliers(self) -> int:
        """Multipliers of two 4-bit slices: an operator multiplies two vectors; the CS add only."""
        return self.n_pea * (self.n_dwo + self.n_swo) * self.v**2

    @field_validator("dtp", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        # A switch is often given as a boolean.
        return {False: "off", True: "on"}[value] if isinstance(value, bool) else value


def panacea_hardware(hardware: Hardware) -> PanaceaHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, PanaceaHardware)
    return hardware
