"""The settings of the Panacea machine."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from panacea_sim.bounds import Bytes, Count, CyclesOrZero, Parts
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import Choice, NoKnob, Split, Step
from panacea_sim.hardware.validation import accepted_values

__all__ = ["PanaceaHardware", "panacea_hardware"]

_OPERATORS = Split("operators of a PEA")


class PanaceaHardware(Hardware):
    """A Panacea-like accelerator: PE arrays with dynamic, static and compensation operators, and run-length codecs."""

    n_pea: Annotated[Parts, Step("rate", "PEAs")]
    v: Annotated[Literal[1, 2, 4, 8], NoKnob("another length of vectors skips other slices: other data")]
    n_dwo: Annotated[Count, Step("rate", "operators"), _OPERATORS]
    n_swo: Annotated[Count, Step("rate", "operators"), _OPERATORS]
    n_cs: Annotated[Count, Step("rate", "operators")]
    pea_latency_cycles: Annotated[CyclesOrZero, Step("latency", "cycles")]
    dtp: Annotated[Literal["off", "on", "auto"], Choice(only=("auto",))]
    codec_bytes_per_cycle: Annotated[Bytes, Step("rate", "bytes/cycle")]
    sram_bytes_per_cycle: Annotated[Bytes, Step("rate", "bytes/cycle")]

    @property
    def tile_m(self) -> int:
        """Rows of a weight tile: every PEA works on one group of `v`."""
        return self.n_pea * self.v

    @property
    def multipliers(self) -> int:
        """Multipliers of two 4-bit slices: an operator multiplies two vectors; the CS add only."""
        return self.n_pea * (self.n_dwo + self.n_swo) * self.v**2

    @field_validator("v", mode="before")
    @classmethod
    def _whole_number(cls, value: object) -> object:
        # A Literal compares by equality, and True == 1 == 1.0.
        if type(value) is not int:
            raise PydanticCustomError("literal_error", "not a whole number")
        return value

    @field_validator("v")
    @classmethod
    def _divides_tile_n(cls, value: int, info: ValidationInfo) -> int:
        tile_n = info.data.get("tile_n")
        if tile_n is not None and tile_n % value:
            accepted = f"{accepted_values(cls.model_fields['tile_n'])} that is a multiple of hardware.v = {value}"
            hint = "Change it with --set hardware.tile_n=VALUE or in the YAML file"
            raise ConfigError("hardware.tile_n", tile_n, accepted, hint)
        return value

    @field_validator("dtp", mode="before")
    @classmethod
    def _word(cls, value: object) -> object:
        # A switch is often given as a boolean.
        return {False: "off", True: "on"}[value] if isinstance(value, bool) else value


def panacea_hardware(hardware: Hardware) -> PanaceaHardware:
    """Return the hardware as what it is; a builder of another machine has no business here."""
    assert isinstance(hardware, PanaceaHardware)
    return hardware
