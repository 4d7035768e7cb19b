"""A digest of everything that decides the figures of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from panacea_sim.choices import MappingFrom, Schedule
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.registry import code_of_machine
from panacea_sim.machines.machine import machine_of
from panacea_sim.workload.chain import source_numbers
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, Layer, loaded
from panacea_sim.workload.link import Columns
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerLink
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["code_digest", "content_digest", "hardware_figures", "layers_digest", "run_digest"]

_FORM = "panacea_sim run 1"
"""What is digested first: raised when the same content is to give another digest."""

_DECIDING_ROOMS = ("quant", "workload", "mapping", "memory", "description", "engines", "machines")

_CODE_AND_TABLES = {".py", ".csv", ".yaml"}

_MASKS = {"rho_w", "rho_x", "skipped", "seed"}
"""What masks of operands and of outputs are drawn with."""

_Recipe: TypeAlias = Mapping[str, Any]
"""What draws a layer again, or a part of it."""

_DIGEST_BYTES = 32
_BLOCK_ELEMENTS = 1 << 20


def run_digest(
    layers: Sequence[AnyLayer],
    hardware: Hardware,
    schedule: Schedule,
    mapping: MappingFrom = "layer",
    links: Sequence[LayerLink] = (),
    *,
    values: bool,
) -> str:
    """Return the BLAKE2b digest, in hex, of layers, machine and options that decide figures; names are not among them.

    Links decide figures where layers overlap, and count there alone, in whatever order they are given; masks count on
    machines that skip something, and densities that no figure depends on do not. Layers in files
    are read one after the other. Raises ConfigError for a file that cannot be read, and for sources that are no layers
    before.
    """
    content = _Content()
    content.add("options", {"schedule": schedule, "mapping": mapping, "values": values})
    content.add("hardware", hardware_figures(hardware))
    _add_layers(content, layers, links if schedule == "overlap" else (), _counted_on(hardware))
    return content.digest()


def layers_digest(layers: Sequence[AnyLayer], links: Sequence[LayerLink] = (), *, counts_masks: bool = True) -> str:
    """Return the digest of layers alone, for runs of them on many machines; raises ConfigError as `run_digest` does.

    `links` are those that decide figures: none where each layer runs alone. Masks may count for nothing.
    """
    content = _Content()
    _add_layers(content, layers, links, partial(_all_counted, counts_masks=counts_masks))
    return content.digest()


def content_digest(values: Mapping[str, object]) -> str:
    """Return the digest of plain values by their names, in their order."""
    content = _Content()
    for name, value in values.items():
        content.add(name, value)
    return content.digest()


@cache
def code_digest(*rooms: str) -> str:
    """Return a digest of the code of this package that decides cycles: whatever is kept of runs holds for it alone.

    Further `rooms` count with their tables, for figures that are made of cycles.
    """
    content = _Content()
    root = Path(__file__).parents[1]
    paths = [path for room in _DECIDING_ROOMS for path in sorted((root / room).rglob("*.py"))]
    paths += [path for room in rooms for path in sorted((root / room).rglob("*")) if path.suffix in _CODE_AND_TABLES]
    for path in paths:
        content.add(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    return content.digest()


class _Content:
    """Things to digest, each so that no two sequences of things look alike."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self.add("form", _FORM)

    def add(self, name: str, value: object) -> None:
        """Add plain values; a number is written so that it can be read back exactly."""
        text = json.dumps([name, value], sort_keys=True, allow_nan=False)
        self._hash.update(f"{text}\n".encode())

    def add_array(self, name: str, array: npt.NDArray[Any], dtype: str) -> None:
        """Add the elements of an array as `dtype`, whatever theirs is, block by block."""
        self.add(name, [dtype, list(array.shape)])
        rows = max(1, _BLOCK_ELEMENTS // max(1, array[:1].size))
        for first in range(0, len(array), rows):
            self._hash.update(np.ascontiguousarray(array[first : first + rows], dtype).data)

    def digest(self) -> str:
        """Return the digest in hex."""
        return self._hash.hexdigest()


def hardware_figures(hardware: Hardware) -> dict[str, object]:
    """Return the fields of the machine that are figures; a device counts by what it does, not by its name or source.

    A machine that is no part of this package counts by its code too.
    """
    device = hardware.dram_device
    memory = hardware.dram if device is None else device.model_dump(exclude={"source"})
    figures = hardware.model_dump(exclude={"name", "dram"}) | {"dram": memory}
    code = code_of_machine(hardware.machine)
    if code is None:
        return figures
    # Where the file of a machine lies decides nothing, but what it says does.
    return figures | {"machine": machine_of(hardware).name, "code": code}


def _add_layers(
    content: _Content, layers: Sequence[AnyLayer], links: Sequence[LayerLink], counted: Callable[[MaskedLayer], _Recipe]
) -> None:
    for layer, source in zip(layers, source_numbers(layers), strict=True):
        content.add("source", source)
        _add_layer(content, loaded(layer), counted)
    if links:
        numbers = {layer.name: number for number, layer in enumerate(layers)}
        content.add("links", sorted(_meaning_of_link(numbers, link) for link in links))


def _add_layer(content: _Content, layer: Layer, counted: Callable[[MaskedLayer], _Recipe]) -> None:
    """Add a layer; of masks what `counted` says."""
    if isinstance(layer, GemmLayer):
        _add_operands(content, layer)
        return
    content.add("masked", {name: value for name, value in counted(layer).items() if name != "name"})


def _counted_on(hardware: Hardware) -> Callable[[MaskedLayer], _Recipe]:
    """Return what tells the part of a layer's recipe that decides figures on a machine."""
    machine = machine_of(hardware)

    def counted(layer: MaskedLayer) -> _Recipe:
        idle = machine.idle_densities(layer, hardware)
        recipe = _all_counted(layer, counts_masks=machine.counts_masks)
        return {name: value for name, value in recipe.items() if name not in idle}

    return counted


def _all_counted(layer: MaskedLayer, *, counts_masks: bool) -> _Recipe:
    return layer.recipe if counts_masks else _without_masks(layer.recipe)


def _without_masks(recipe: Mapping[str, Any]) -> dict[str, object]:
    """Return what draws a layer but for its densities and seeds, those of its outputs included."""
    left: dict[str, object] = {name: value for name, value in recipe.items() if name not in _MASKS}
    if "formats" in recipe:
        left["formats"] = [{name: each[name] for name in each if name not in _MASKS} for each in recipe["formats"]]
    return left


def _add_operands(content: _Content, layer: GemmLayer) -> None:
    """Add a layer by what its fields mean: a scale for all rows is that of each, and no bias is one of zeros."""
    rows = layer.weight.shape[:-1]
    content.add("bits", [layer.weight_bits, layer.activation_bits, layer.lo_bits])
    content.add(
        "activation", [layer.zero_point, layer.activation_scale, [int(r) for r in layer.frequent], layer.dbs_offset]
    )
    content.add("output", _meaning_of(layer.output))
    if (layer.passes, layer.sequential) != (1, False):
        content.add("network", [layer.passes, layer.sequential])
    if layer.formats:
        count = layer.repeat * layer.M
        content.add("formats", [[_meaning_of(each.format), each.ranges(count)] for each in layer.formats])
    content.add_array("weight", layer.weight, "<i2")
    if layer.is_symmetric:
        content.add("symmetric", True)
    content.add_array("activations", layer.activation, "<u2")
    content.add_array("weight_scale", np.broadcast_to(layer.weight_scale, rows), "<f8")
    bias = np.zeros(rows) if layer.bias is None else layer.bias
    content.add_array("bias", bias + 0.0, "<f8")  # -0.0 becomes 0.0


def _meaning_of_link(numbers: Mapping[str, int], given: LayerLink) -> str:
    """Return what a link says, as text; equal offsets for all repeats are one offset."""
    producer, consumer, link = given
    plain: dict[str, object] = {each.name: getattr(link, each.name) for each in fields(link)}
    for field in ("feature_offset", "column_offset"):
        offset = plain[field]
        if isinstance(offset, tuple) and len(set(offset)) == 1:
            plain[field] = offset[0]
    if isinstance(link.needs, Columns):
        plain["needs"] = [link.needs.low.tolist(), link.needs.high.tolist(), link.needs.taps]
    return json.dumps([numbers[producer], numbers[consumer], plain], sort_keys=True)


def _meaning_of(output: OutputFormat | WeightFormat | None) -> dict[str, object] | None:
    if isinstance(output, WeightFormat):
        return asdict(output)
    return None if output is None else asdict(output) | {"r": list(output.frequent)}
