"""An ablation: what each thing that Panacea does gains over the one before, from a machine that skips nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from panacea_sim.hardware.config import DEFAULT_PRESET, from_mapping, load_hardware
from panacea_sim.running.versus.machines import Entrant

__all__ = ["AblationStep", "Variant", "ablation_steps"]

Variant = Literal["plain", "zpm", "dbs"]
"""How the operands of a layer were quantized: without zero-point manipulation and DBS, with the first, with both."""


@dataclass(frozen=True)
class AblationStep:
    """A step: the machine, and the variant of the layer that it multiplies."""

    entrant: Entrant
    variant: Variant


_STEPS: tuple[tuple[str, str, Variant, str], ...] = (
    ("dense", "panacea_dense", "plain", "off"),
    ("zero_skip", "panacea_zero", "plain", "off"),
    ("r_skip", "panacea", "plain", "off"),
    ("zpm", "panacea", "zpm", "off"),
    ("dbs", "panacea", "dbs", "off"),
    ("dtp", "panacea", "dbs", "auto"),
)
"""Name, machine, variant of the operands, double-tile processing."""


def ablation_steps(settings: Mapping[str, object]) -> tuple[AblationStep, ...]:
    """Return the steps in order, on the default preset with these settings.

    Nothing skipped; vectors of zeros skipped; frequent vectors skipped; zero points moved; low bits dropped; weight
    tiles doubled where it pays. Raises ConfigError for settings that there cannot be.
    """
    preset = load_hardware(DEFAULT_PRESET, settings).model_dump()
    return tuple(
        AblationStep(Entrant(name, from_mapping(preset | {"machine": machine, "dtp": dtp})), variant)
        for name, machine, variant, dtp in _STEPS
    )
