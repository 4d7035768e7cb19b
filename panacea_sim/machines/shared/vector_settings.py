"""The settings of machines with PE arrays that multiply vectors of v elements; and how multipliers are counted."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from panacea_sim.bounds import Bytes, Count, CyclesOrZero, Parts
from panacea_sim.description.costs import MULTIPLY_4B
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.knobs import NoKnob, Step
from panacea_sim.hardware.validation import accepted_values

__all__ = ["SLICE_PRODUCTS", "CodedHardware", "OperatorHardware", "VectorHardware"]

SLICE_PRODUCTS = 4
"""Products of 4-bit slices in one of 8 bits: machines are compared by their multipliers of 4 bits."""


class VectorHardware(Hardware):
    """PE arrays, each of which works on `v` rows of a weight tile."""

    n_pea: Annotated[Parts, Step("rate", "PEAs")]
    v: Annotated[Literal[1, 2, 4, 8], NoKnob("another length of vectors skips other slices: other data")]

    @property
    def tile_m(self) -> int:
        """Rows of a weight tile: every PEA works on one group of `v`."""
        return self.n_pea * self.v

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


class CodedHardware(VectorHardware):
    """PE arrays whose operands have their HO slices in a run-length code."""

    codec_bytes_per_cycle: Annotated[Bytes, Step("rate", "bytes/cycle")]
    raw_ho: Annotated[Literal["off", "auto"], NoKnob("other bytes and steps of every tile: run the scenario with it")]

    @property
    def may_be_raw(self) -> bool:
        """Whether the HO part of a tile is stored as it is where its code would be longer."""
        return self.raw_ho == "auto"

    @field_validator("raw_ho", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        # A YAML file may have the word without quotes.
        return "off" if value is False else value


class OperatorHardware(VectorHardware):
    """PE arrays with operators of one kind, each of which multiplies two vectors in a cycle."""

    n_operators: Annotated[Count, Step("rate", "operators")]
    pea_latency_cycles: Annotated[CyclesOrZero, Step("latency", "cycles")]
    sram_bytes_per_cycle: Annotated[Bytes, Step("rate", "bytes/cycle")]

    multiply: ClassVar[str] = MULTIPLY_4B
    """The product of two elements of the vectors that an operator multiplies."""

    @property
    def multipliers(self) -> int:
        """Multipliers of two 4-bit slices."""
        return self.products_per_cycle

    @property
    def products_per_cycle(self) -> int:
        """Products of all operators in a cycle, of elements as wide as `multiply` says."""
        return self.n_pea * self.n_operators * self.v**2
