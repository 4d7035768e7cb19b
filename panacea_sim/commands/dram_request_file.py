"""The CSV file of requests that the command `dram` drives through a channel."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.dram.devices import DramDevice
from panacea_sim.memory.replay import ChannelRequest

__all__ = ["check_work", "read_requests"]

_COLUMNS = ["cycle", "address", "bytes", "op"]
_WRITES = {"read": False, "write": True}
_CYCLE_BITS = _ADDRESS_BITS = 62
"""Below these all sums of a replay fit the 64 bits of its arrays."""
_MOST_BYTES_BITS = 40
_MOST_ROWS = 1 << 18
"""Rows of data that requests longer than a row may take, which is work of some seconds."""
_DECIMAL = re.compile(r"\+?0*([0-9]+)")
_HEXADECIMAL = re.compile(r"\+?0x0*([0-9a-f]+)", re.IGNORECASE)
_MOST_DIGITS = 20
_SHOWN_LETTERS = 40
"""A cell in a message: more would hide what is accepted."""


def read_requests(path: Path) -> list[ChannelRequest]:
    """Return the requests of a CSV file; raises ConfigError that names the file, the line and the column.

    Blank lines and lines that begin with # say nothing. Spaces around a cell and empty cells behind the last column do
    not count, because spreadsheets write them.
    """
    try:
        # Editors on Windows begin the file with a mark that is no part of the first name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            requests = list(_requests(path, _rows(file)))
    except OSError as error:
        raise ConfigError(str(path), str(error), "a CSV file that can be read", "Check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        hint = f"Save it as text with the columns {','.join(_COLUMNS)}"
        raise ConfigError(str(path), str(error), "a CSV file in UTF-8", hint) from error
    if not requests:
        raise ConfigError(str(path), "no request", "at least one line below the header")
    return requests


def check_work(path: Path, requests: Iterable[ChannelRequest], device: DramDevice) -> None:
    """Raise ConfigError if a few long requests ask for so much data that driving it through would take hours."""
    rows = sum(request.size_bytes // device.row_bytes for request in requests)
    if rows > _MOST_ROWS:
        accepted = f"up to {_MOST_ROWS} in all, {_MOST_ROWS * device.row_bytes} bytes"
        hint = "Take shorter requests: the figures of a channel hardly change after some millions of bytes"
        raise ConfigError(
            f"{path}: bytes", f"requests of {rows} whole rows of {device.row_bytes} bytes", accepted, hint
        )


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Return the number of each line that says something, counted from 1, and its cells."""
    # A comment may hold a quote, which would begin a cell of many lines.
    rows = csv.reader("\n" if line.lstrip().startswith("#") else line for line in lines)
    for row in rows:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield rows.line_num, cells


def _requests(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[ChannelRequest]:
    names = _without_empty_end([name.lower() for name in next(rows, (0, []))[1]], 0)
    if sorted(names) != sorted(_COLUMNS):
        raise ConfigError(str(path), f"the columns {_shown(','.join(names))}", f"the columns {','.join(_COLUMNS)}")
    earliest = 0
    for line, row in rows:
        at = f"{path}: line {line}"
        cells = _without_empty_end(row, len(_COLUMNS))
        if len(cells) != len(_COLUMNS):
            found = "too many values" if len(cells) > len(_COLUMNS) else "too few values"
            raise ConfigError(at, found, "one value for each column")
        request = _request(at, dict(zip(names, cells, strict=True)), earliest)
        earliest = request.cycle
        yield request


def _without_empty_end(cells: list[str], least: int) -> list[str]:
    """Return the cells up to the last one that says something, `least` of them at least where there are so many."""
    count = len(cells)
    while count > least and not cells[count - 1]:
        count -= 1
    return cells[:count]


def _request(at: str, row: Mapping[str, str], earliest: int) -> ChannelRequest:
    cycle = _whole_number(f"{at}: cycle", row["cycle"], earliest, (1 << _CYCLE_BITS) - 1, f"2^{_CYCLE_BITS} - 1")
    address = _whole_number(f"{at}: address", row["address"], 0, (1 << _ADDRESS_BITS) - 1, f"2^{_ADDRESS_BITS} - 1")
    size_bytes = _whole_number(f"{at}: bytes", row["bytes"], 1, 1 << _MOST_BYTES_BITS, f"2^{_MOST_BYTES_BITS}")
    operation = row["op"].lower()
    if operation not in _WRITES:
        raise ConfigError(f"{at}: op", _shown(row["op"]), " or ".join(_WRITES))
    return ChannelRequest(cycle, address, size_bytes, _WRITES[operation])


def _whole_number(field: str, text: str, least: int, most: int, most_shown: str) -> int:
    """Return the number that the text spells, decimal or, with 0x in front, hexadecimal."""
    spelled = _DECIMAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text)
    # Python does not read thousands of digits, and no number in bounds has so many.
    if spelled and len(spelled[1]) <= _MOST_DIGITS:
        number = int(spelled[1], 10 if spelled.re is _DECIMAL else 16)
        if least <= number <= most:
            return number
    raise ConfigError(field, _shown(text), f"a whole number from {least} to {most_shown}, decimal or 0x")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN_LETTERS else text[:_SHOWN_LETTERS] + "..")
