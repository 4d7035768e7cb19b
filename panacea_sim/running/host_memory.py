"""How much of the host's memory a run takes, told before any work is done for it, and the refusal of too much.

The figures were measured on whole commands; tests/running/test_host_memory.py measures them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from panacea_sim.choices import ChosenEngine
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.running.available_memory import lately_available_bytes
from panacea_sim.running.mapping_choice import mapping_settings, open_mappings
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["FIXED_BYTES", "PROGRAM_BYTES", "RunKind", "check_layers", "check_mapping", "mapping_bytes", "run_bytes"]

PROGRAM_BYTES = 200 << 20
"""The program with everything that it imports."""

FIXED_BYTES = 24 << 20
"""What every run takes beside its tasks."""

_TRACE_BYTES = 96 << 20
"""The buffers of a trace on its way to disk."""


@dataclass(frozen=True)
class _TaskBytes:
    """Bytes of a tile task: `own`, `revisited` more where each ends a visit, and those of each unit beside others.

    A unit is a component that serves every task, as a PE array does.
    """

    own: int
    revisited: int
    unit: int

    def of(self, units: int, *, revisits: bool) -> int:
        """Return the bytes of a task on a machine with so many units."""
        return self.own + self.revisited * revisits + self.unit * units


_PLANNED = _TaskBytes(own=140, revisited=60, unit=0)
_EVALUATED = {
    ("compiled", False): _TaskBytes(own=205, revisited=205, unit=0),
    ("compiled", True): _TaskBytes(own=460, revisited=800, unit=34),
    ("reference", False): _TaskBytes(own=1000, revisited=800, unit=64),
    ("reference", True): _TaskBytes(own=1000, revisited=800, unit=64),
}
"""By engine, and whether a trace is kept, or what an explanation needs."""

_EXPLAINED = _TaskBytes(own=300, revisited=0, unit=20)
"""What explaining takes more: what was recorded, and the same as the flat arrays of its events."""

_PLANNED_STEPS, _EVALUATED_STEPS = 6, 2
"""How many arrays of the cycles of all units there are at once, while mappings are compared and while one runs."""

_TILE_BYTES, _TILE_CHANNEL_BYTES = 150, 120
"""Bytes of a tile of an operand or an output, and more for each channel over which it is spread."""

_GROUP_BYTES = 2000
"""Bytes of a tile group in the graph from which the order of the tasks comes."""

_ELEMENT_BYTES, _OUTPUT_BYTES = 8, 24
"""Bytes of an element of an operand, and of an output that is computed."""


_JOINED_BYTES = 150
"""Bytes of a task more where several layers are one simulation: their arrays are joined."""


@dataclass(frozen=True)
class RunKind:
    """What beside the layers decides how much memory a run takes.

    `at_once` is how many layers run at the same time, each alone; None where all are one simulation.
    """

    engine: ChosenEngine
    traced: bool = False
    values: bool = False
    at_once: int | None = None
    explained: bool = False

    @property
    def records(self) -> bool:
        """Whether anything is recorded."""
        return self.traced or self.explained


def mapping_bytes(layer: AnyLayer, hardware: Hardware, order: str, height: int, kind: RunKind) -> int:
    """Return the bytes that a layer takes at most in this mapping, planned and run, beside the program itself."""
    machine, tiling = machine_of(hardware), Tiling.of(hardware, (layer.M, layer.K, layer.N), layer.repeat)
    tasks, revisits = tiling.task_count(height), order[-1] != "k" and tiling.k_tiles > 1
    units, step_bytes = machine.units(hardware), machine.units(hardware) * machine.step_bytes(hardware)
    planned = tiling.stacks(height) * tiling.n_tiles * _GROUP_BYTES
    # The steps of all heights are computed, whatever the mapping.
    planned += tasks * _PLANNED.of(units, revisits=revisits) + tiling.tile_tasks * _PLANNED_STEPS * step_bytes
    of_task = _EVALUATED[kind.engine, kind.records].of(units, revisits=revisits) + _EVALUATED_STEPS * step_bytes
    of_task += _EXPLAINED.of(units, revisits=revisits) * kind.explained
    evaluated = tasks * (of_task + _JOINED_BYTES * (kind.at_once is None))
    outputs = tiling.m_tiles * tiling.n_tiles * (3 if revisits else 1)
    tiles = tiling.repeat * ((tiling.m_tiles + tiling.n_tiles) * tiling.k_tiles + outputs)
    tile_bytes = tiles * (_TILE_BYTES + _TILE_CHANNEL_BYTES * hardware.dram_channels)
    before, after = (machine.work_bytes(layer, hardware, settled=settled) for settled in (False, True))
    return _fixed_bytes(kind) + max(planned + before, evaluated + after) + tile_bytes + _value_bytes(layer, kind)


def run_bytes(layers: Sequence[AnyLayer], hardware: Hardware, kind: RunKind) -> int:
    """Return the bytes that a run takes at most, in those mappings that take least of those that are left open."""
    # Networks have thousands of layers, but few sizes.
    by_size = {_sizes(layer): layer for layer in layers}
    least = {sizes: min(_mappings(layer, hardware, kind))[0] for sizes, layer in by_size.items()}
    of_layers = sorted((least[_sizes(layer)] for layer in layers), reverse=True)
    if kind.at_once is None:  # one simulation: all layers are in memory, and what a run takes beside them once
        return PROGRAM_BYTES + sum(of_layers) - (len(of_layers) - 1) * _fixed_bytes(kind)
    processes = 1 + (kind.at_once > 1) * kind.at_once
    return processes * PROGRAM_BYTES + sum(of_layers[: kind.at_once])


def _fixed_bytes(kind: RunKind) -> int:
    return FIXED_BYTES + _TRACE_BYTES * kind.records


def check_layers(layers: Sequence[AnyLayer], hardware: Hardware, kind: RunKind) -> None:
    """Refuse layers that do not fit the memory there is in any mapping.

    Raises ConfigError with what they need, what there is and what to change.
    """
    together = " in one simulation" if kind.at_once is None else ""
    what = f"layer {layers[0].name!r}" if len(layers) == 1 else f"{len(layers)} layers{together}"
    _require(what, run_bytes(layers, hardware, kind), _cheaper_runs(layers, hardware, kind))


def check_mapping(layer: AnyLayer, hardware: Hardware, order: str, height: int, kind: RunKind) -> None:
    """Refuse a mapping of a layer that does not fit the memory there is; raises ConfigError as `check_layers` does."""
    needed = PROGRAM_BYTES + mapping_bytes(layer, hardware, order, height, kind)
    _require(f"layer {layer.name!r} in loop order {order}", needed, _cheaper_mappings(layer, hardware, kind))


def _sizes(layer: AnyLayer) -> tuple[object, ...]:
    """Return everything of a layer that `mapping_bytes` may look at."""
    widths = (layer.weight_bits, layer.activation_bits) if isinstance(layer, MaskedLayer) else ()
    return layer.M, layer.K, layer.N, layer.repeat, layer.output is None, len(layer.formats), widths


def _mappings(layer: AnyLayer, hardware: Hardware, kind: RunKind) -> Iterator[tuple[int, str, int]]:
    """Return what each open mapping of a layer takes."""
    for order, height in open_mappings(hardware):
        yield mapping_bytes(layer, hardware, order, height, kind), order, height


def _value_bytes(layer: AnyLayer, kind: RunKind) -> int:
    """Return the bytes of a layer's operands and slices, and of its results where they are computed."""
    if isinstance(layer, MaskedLayer):
        return 0
    written = max(len(layer.formats), int(kind.values or layer.output is not None))
    of_product = (layer.M + layer.N) * layer.K * _ELEMENT_BYTES + layer.M * layer.N * _OUTPUT_BYTES * written
    return layer.repeat * of_product


def _cheaper_runs(layers: Sequence[AnyLayer], hardware: Hardware, kind: RunKind) -> Iterator[tuple[int, str]]:
    """Return what the run would need otherwise, and how to ask for that."""
    if kind.at_once is not None and kind.at_once > 1:
        yield run_bytes(layers, hardware, replace(kind, at_once=1)), "--workers 1"
    if kind.traced:
        yield run_bytes(layers, hardware, replace(kind, traced=False)), "--trace off"
    if kind.explained:
        yield run_bytes(layers, hardware, replace(kind, explained=False)), "A run without --explain"
    if kind.engine == "reference" and not kind.values:
        yield run_bytes(layers, hardware, replace(kind, engine="compiled")), "--engine compiled"
    if kind.at_once is None and len(layers) > 1:
        yield run_bytes(layers, hardware, replace(kind, at_once=1)), "--schedule barrier --workers 1"


def _cheaper_mappings(layer: AnyLayer, hardware: Hardware, kind: RunKind) -> Iterator[tuple[int, str]]:
    least, order, height = min(_mappings(layer, hardware, kind))
    settings = mapping_settings(hardware, order, height)
    chosen = " ".join(f"--set hardware.{name}={value}" for name, value in settings.items())
    yield PROGRAM_BYTES + least, chosen


def _require(what: str, needed: int, others: Iterator[tuple[int, str]]) -> None:
    available = lately_available_bytes()
    if available is None or needed <= available:
        return
    fitting = [(other, way) for other, way in others if other <= available]
    hint = (
        "".join(f"{way} needs {_gigabytes(other)}. " for other, way in fitting[:1])
        + "Larger tiles (hardware.tile_k, hardware.tile_n) make fewer tile tasks; so do smaller layers"
    )
    found = f"{what}, which needs {_gigabytes(needed)}"
    raise ConfigError("memory", found, f"what fits the {_gigabytes(available)} that are available", hint)


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.1f} GB"
