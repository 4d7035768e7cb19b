"""Topologies of SCALE-Sim, `.csv`, as networks: convolutions and products that follow each other."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from panacea_sim.errors import ConfigError
from panacea_sim.peers.converted import Converted
from panacea_sim.workload.networks.network_file import NETWORK_KIND
from panacea_sim.workload.networks.table import missing_pixels

__all__ = ["read_topology"]

_PRODUCT = ("Layer", "M", "N", "K")
_CONVOLUTION = (
    "Layer name",
    "IFMAP Height",
    "IFMAP Width",
    "Filter Height",
    "Filter Width",
    "Channels",
    "Num Filter",
    "Strides",
)
_DEPTHWISE = "DP"
"""What makes a convolution of SCALE-Sim depthwise, anywhere in its name."""
_DENSE = "1:1"


def read_topology(path: Path, text: str) -> Converted:
    """Return a topology as a network; raises ConfigError naming the file and the line.

    As in SCALE-Sim, columns count by their place, and the first line is a title.
    """
    (_, title), *rows = _lines(path, text)
    names = {cell.strip().lower() for cell in title}
    is_product = {"m", "n", "k"} <= names
    form = _PRODUCT if is_product else _CONVOLUTION
    seen: Counter[str] = Counter()
    layers: list[dict[str, Any]] = []
    remarks = [
        "each layer reads all of the one before: SCALE-Sim runs layers one after the other",
        "words have no widths: --weight-bits says those of the weights, and activations have 8",
    ]
    for line, cells in rows:
        place = f"{path}: line {line}"
        if len(cells) < len(form):
            raise ConfigError(place, f"{len(cells)} cells", f"at least {len(form)}: {', '.join(form)}")
        name = cells[0].strip()
        more = [cell for cell in cells[len(form) :] if cell]
        layer = (_product if is_product else _convolution)(place, cells, more)
        seen[name] += 1
        layer = {"name": name if seen[name] == 1 else f"{name}#{seen[name]}"} | layer
        if layers:
            layer["from"] = {"layer": layers[-1]["name"], "needs": "all"}
        layers.append(layer)
        remarks += _remarks(name, layer, more)
    if not layers:
        raise ConfigError(str(path), "no layers", "a line for each layer below the title")
    return Converted(
        "network", "SCALE-Sim", {"kind": NETWORK_KIND, "name": path.stem, "layers": layers}, tuple(remarks)
    )


def _lines(path: Path, text: str) -> list[tuple[int, list[str]]]:
    """Return the lines that say something, with their numbers, without empty cells at the end."""
    reader, lines = csv.reader(text.splitlines(), skipinitialspace=True), []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            while cells and not cells[-1]:
                cells.pop()
            if cells:
                lines.append((reader.line_num, cells))
    except csv.Error as error:
        raise ConfigError(f"{path}: line {reader.line_num}", str(error), "cells with commas between them") from error
    return lines


def _product(place: str, cells: Sequence[str], _: Sequence[str]) -> dict[str, Any]:
    """Return a product: M counts rows of the input, which are our columns, and N outputs, which are our rows."""
    rows, outputs, depth = (_count(place, name, cell) for name, cell in zip(_PRODUCT[1:], cells[1:4], strict=True))
    return {"op": "gemm", "M": outputs, "K": depth, "N": rows}


def _convolution(place: str, cells: Sequence[str], more: Sequence[str]) -> dict[str, Any]:
    numbers = [_count(place, name, cell) for name, cell in zip(_CONVOLUTION[1:], cells[1:8], strict=True)]
    height, width, filter_height, filter_width, channels, filters, stride = numbers
    across = next((cell for cell in more if ":" not in cell), None)
    strides = [stride, stride if across is None else _count(place, "Stride Width", across)]
    size, kernel = [height, width], [filter_height, filter_width]
    for pixels, taps, what in zip(size, kernel, ("Height", "Width"), strict=True):
        if taps > pixels:
            raise ConfigError(f"{place}, Filter {what}", taps, f"at most {pixels}, the IFMAP {what}")
    # A window that begins before the end counts, also where it goes beyond it.
    behind = [[0, missing_pixels(*each)] for each in zip(size, kernel, strides, strict=True)]
    groups = channels if _DEPTHWISE in cells[0] else 1
    layer = {"op": "conv", "in_channels": channels, "out_channels": filters * groups, "size": size, "kernel": kernel}
    layer |= {"stride": strides, "padding": behind}
    return layer | ({"groups": groups} if groups > 1 else {})


def _remarks(name: str, layer: dict[str, Any], more: Sequence[str]) -> list[str]:
    remarks = []
    sparsity = next((cell for cell in more if ":" in cell), _DENSE)
    if sparsity != _DENSE:
        remarks.append(
            f"{name}: sparsity {sparsity} is not simulated, the layer is dense; rho_w of a network file skips"
        )
    if "groups" in layer:
        remarks.append(f"{name}: depthwise by its name, one group of a channel each, as SCALE-Sim takes it")
    return remarks


def _count(place: str, name: str, cell: str) -> int:
    if not cell.isdecimal() or int(cell) < 1:
        raise ConfigError(f"{place}, {name}", repr(cell), "a whole number >= 1")
    return int(cell)
