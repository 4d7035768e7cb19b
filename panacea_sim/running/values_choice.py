"""How the values of a run are handled: they travel, are checked without events, or are off."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from panacea_sim.choices import ChosenValues, Engine, ValuesChoice
from panacea_sim.engines.compiled.availability import compiled_obstacle
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import Machine, machine_of
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["MOST_TRAVELLING_TASKS", "chosen_values", "has_values"]

MOST_TRAVELLING_TASKS = 2_000
"""The tile tasks of a run up to which `auto` lets values travel, which takes some 2 ms a task."""

_FIELD = "scenario.values"


def has_values(asked: ValuesChoice, layers: Sequence[AnyLayer], hardware: Hardware) -> bool:
    """Return whether values are compared in a run of these layers.

    Raises ConfigError where they cannot be: for layers with masks only, for a mixture of them and layers with operands,
    and for a machine that does not handle values in the way asked for.
    """
    if asked == "off":
        return False
    masked = [layer.name for layer in layers if isinstance(layer, MaskedLayer)]
    ways = machine_of(hardware).values_ways
    if asked == "auto":
        if 0 < len(masked) < len(layers):
            of_operands = next(layer.name for layer in layers if layer.name not in masked)
            found = f"auto, with masks only in {masked[0]!r} and operands in {of_operands!r}"
            hint = "Run them with --values off, or Scenario(values='off'): then nothing is compared"
            raise ConfigError(_FIELD, found, "layers of one kind, or off", hint)
        return not masked and ways != ("off",)
    if masked:
        hint = "Give operands instead, for example with synthetic_layer, or choose auto or off"
        raise ConfigError(_FIELD, asked, f"off, as {masked[0]!r} has masks only", hint)
    if asked not in ways:
        raise ConfigError(_FIELD, asked, f"{' or '.join(ways)}, on machine {hardware.machine!r}")
    return True


def chosen_values(asked: ValuesChoice, layers: Sequence[AnyLayer], hardware: Hardware, engine: Engine) -> ChosenValues:
    """Return what happens to the values in all layers of a run.

    `auto` lets them travel in small runs and checks them in large ones, and where the compiled engine is asked for, in
    which none can travel; it warns where numba is there but broken. Raises ConfigError as `has_values` does, and for
    `check` without numba.
    """
    if not has_values(asked, layers, hardware):
        return "off"
    if asked != "auto":
        obstacle = compiled_obstacle() if asked == "check" else None
        if obstacle is not None:
            hint = f"{obstacle.hint}. Or choose --values travel"
            raise ConfigError(_FIELD, f"check, but {obstacle.reason}", "travel or off, or a numba that works", hint)
        return asked
    return "check" if _is_better_checked(machine_of(hardware), layers, hardware, engine) else "travel"


def _is_better_checked(machine: Machine, layers: Sequence[AnyLayer], hardware: Hardware, engine: Engine) -> bool:
    if "check" not in machine.values_ways:
        return False
    tasks = sum(Tiling.of(hardware, (layer.M, layer.K, layer.N), layer.repeat).tile_tasks for layer in layers)
    if tasks <= MOST_TRAVELLING_TASKS and engine != "compiled":
        return False
    obstacle = compiled_obstacle()
    if obstacle is not None and obstacle.is_broken:
        message = f"values travel instead of being checked, which takes long: {obstacle.reason}"
        warnings.warn(message, RuntimeWarning, stacklevel=1)  # one place, so that it is told once
    return obstacle is None
