"""Networks as tables of layers: CSV files with products or convolutions, as SCALE-Sim and others write them."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from panacea_sim.bounds import Size
from panacea_sim.checks import require_kind, require_share
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.quant.slicing import weight_ho_factors
from panacea_sim.quant.widths import require_weight_bits
from panacea_sim.units import ceil_div
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import LayerGraph, add_layer
from panacea_sim.workload.networks.builder import NetworkBuilder, Sizes
from panacea_sim.workload.networks.convolution import Convolution, Window
from panacea_sim.workload.networks.fit import connect
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.places import placed

__all__ = ["missing_pixels", "read_table"]

_NAMES = ("layer", "layer name", "name")
_GEMM = ("m", "n", "k")
_CONVOLUTION = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "num filter")
_STRIDES = ("strides", "stride height", "stride width")
_OPTIONAL = ("kind", "rho_w", "rho_x", "weight_bits")
_ALIASES = {
    "num filters": "num filter",
    "stride": "strides",
    "stride h": "stride height",
    "stride w": "stride width",
    "strides h": "stride height",
    "strides w": "stride width",
}
"""Other spellings that files have; case, spaces around and underscores do not count."""

_FORMS = (
    "columns Layer, M, N, K or Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, "
    "Strides; also kind, rho_w, rho_x, weight_bits"
)
_COMMENT = "#"

_Cells = Mapping[str, str]
"""The cells of a row by their column; empty ones are left out."""


def read_table(path: Path, builder: NetworkBuilder) -> LayerGraph:
    """Return the network of a CSV file, whose rows follow each other: each needs all of the row before.

    M, N, K are those of the field: M counts rows of the activation, which are our columns N, and N counts outputs,
    which are our rows M. A convolution has its padding within the size of its input, and a window that begins before
    the end counts, as in SCALE-Sim. A name that comes again gets a number. Raises ConfigError naming file and line.
    """
    header, rows = _read(path)
    read_row = _gemm if set(_GEMM) <= set(header) else _convolution
    names: Counter[str] = Counter()
    before: str | None = None
    for line, cells in rows:
        place = f"{path}: line {line}"
        name = _name(place, cells, names, builder.graph)
        with placed(f"{place}, "):
            layer = read_row(builder, name, cells)
            add_layer(builder.graph, layer)
        if before is not None:
            connect(builder.graph, before, name, Link("x", "all"))
        before = name
    if before is None:
        raise ConfigError(str(path), "no layers", "a row for each layer below the names of the columns")
    return builder.graph


def _read(path: Path) -> tuple[list[str], list[tuple[int, _Cells]]]:
    """Return the names of the columns, and the rows with the numbers of their lines."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(_filled_lines(csv.reader(file, skipinitialspace=True)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "bytes that are no UTF-8 text with commas"
        raise ConfigError(str(path), reason, "a CSV file that can be read", "Check the path") from error
    if not lines:
        raise ConfigError(str(path), "nothing", _FORMS)
    line, titles = lines[0]
    header = [_column(title) for title in titles]
    _check_header(f"{path}: line {line}", header, titles)
    return header, [(number, _row(f"{path}: line {number}", header, cells)) for number, cells in lines[1:]]


def _filled_lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Return lines that hold something, with their numbers, without comments and without empty cells at the end."""
    for cells in reader:
        cells = [cell.strip() for cell in cells]  # noqa: PLW2901  # the same cells
        comment = next((at for at, cell in enumerate(cells) if cell.startswith(_COMMENT)), len(cells))
        cells = cells[:comment]  # noqa: PLW2901
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            yield reader.line_num, cells  # type: ignore[attr-defined]  # a reader of csv counts lines


def _column(title: str) -> str:
    plain = " ".join(title.lower().replace("_", " ").split())
    plain = plain.replace(" ", "_") if plain.replace(" ", "_") in _OPTIONAL else plain
    return "layer" if plain in _NAMES else _ALIASES.get(plain, plain)


def _check_header(place: str, header: Sequence[str], titles: Sequence[str]) -> None:
    known = ("layer", *_GEMM, *_CONVOLUTION, *_STRIDES, *_OPTIONAL)
    for column, title in zip(header, titles, strict=True):
        if column not in known:
            raise ConfigError(place, f"the unknown column {title!r}", _FORMS, nearest_name(column, known))
        if header.count(column) > 1:
            raise ConfigError(place, f"the column {title!r} twice", _FORMS)
    is_gemm = set(_GEMM) <= set(header) and not set(header) & {*_CONVOLUTION, *_STRIDES}
    has_strides = "strides" in header or {"stride height", "stride width"} <= set(header)
    is_convolution = {*_CONVOLUTION} <= set(header) and has_strides and not set(header) & set(_GEMM)
    if not (is_gemm or is_convolution) or "layer" not in header:
        raise ConfigError(place, f"the columns {', '.join(titles)}", _FORMS)


def _row(place: str, header: Sequence[str], cells: Sequence[str]) -> _Cells:
    if len(cells) > len(header):
        raise ConfigError(place, f"{len(cells)} cells", f"{len(header)}, one for each column")
    return {column: cell for column, cell in zip(header, cells, strict=False) if cell}


def _name(place: str, cells: _Cells, names: Counter[str], graph: LayerGraph) -> str:
    """Return a name of its own for a layer: one that comes again gets the first number that is free."""
    if "layer" not in cells:
        raise ConfigError(f"{place}, Layer", "nothing", "a name")
    given = cells["layer"]
    if len(cells) == 1:
        raise ConfigError(place, f"nothing but {given!r}", "all cells of a layer", f"A comment begins with {_COMMENT}")
    names[given] += 1
    name = given if names[given] == 1 else f"{given}#{names[given]}"
    while name in graph:
        names[given] += 1
        name = f"{given}#{names[given]}"
    return name


def _gemm(builder: NetworkBuilder, name: str, cells: _Cells) -> Gemm:
    rows, outputs, depth = (_whole(cells, column) for column in _GEMM)
    return _layer(builder, name, "Gemm", cells, (outputs, depth, rows))


def _convolution(builder: NetworkBuilder, name: str, cells: _Cells) -> Gemm:
    height, width, filter_height, filter_width, channels, filters = (_whole(cells, column) for column in _CONVOLUTION)
    if "strides" in cells:
        stride = (_whole(cells, "strides"),) * 2
    else:
        stride = (_whole(cells, "stride height"), _whole(cells, "stride width"))
    size, kernel = (height, width), (filter_height, filter_width)
    for pixels, taps, what in zip(size, kernel, ("Height", "Width"), strict=True):
        if taps > pixels:
            raise ConfigError(f"Filter {what}", taps, f"at most {pixels}, the IFMAP {what}")
    behind = tuple(missing_pixels(*each) for each in zip(size, kernel, stride, strict=True))
    window = Window(size, kernel, stride, tuple((0, pixels) for pixels in behind), (1, 1))
    convolution = Convolution(channels, filters, window)
    return _layer(builder, name, "Conv", cells, (convolution.rows, convolution.depth, convolution.columns))


def missing_pixels(pixels: int, taps: int, stride: int) -> int:
    """Return how many pixels behind the image the last window needs that begins in it where it still counts."""
    windows = ceil_div(pixels - taps, stride) + 1
    return (windows - 1) * stride + taps - pixels


def _layer(builder: NetworkBuilder, name: str, op: str, cells: _Cells, sizes: Sizes) -> Gemm:
    kind = cells.get("kind", op.lower())
    bits = _whole_number(cells, "weight_bits", "4, 7, 10") if "weight_bits" in cells else builder.weight_bits
    require_weight_bits("weight_bits", bits)
    rho_w, rho_x = builder.densities(kind, bits)
    if "rho_w" in cells:
        rho_w = (_share(cells, "rho_w"),) * len(weight_ho_factors(bits))
    if "rho_x" in cells:
        rho_x = _share(cells, "rho_x")
    return Gemm(name, op, kind, "", *sizes, weight_bits=bits, rho_w=rho_w, rho_x=rho_x)


def _whole(cells: _Cells, column: str) -> int:
    number = _whole_number(cells, column, "a whole number >= 1")
    return require_kind(_title(column), number, Size)


def _share(cells: _Cells, column: str) -> float:
    try:
        return require_share(column, float(cells[column]))
    except ValueError:
        raise ConfigError(column, repr(cells[column]), "a number in 0 .. 1") from None


def _whole_number(cells: _Cells, column: str, accepted: str) -> int:
    try:
        return int(cells[column])
    except KeyError:
        raise ConfigError(_title(column), "nothing", accepted) from None
    except ValueError:
        raise ConfigError(_title(column), repr(cells[column]), accepted) from None


def _title(column: str) -> str:
    """Return a column's name as files write it."""
    return column if column in _OPTIONAL else column.title().replace("Ifmap", "IFMAP")
