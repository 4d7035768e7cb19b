"""The file of requests that the command `dram` drives through a channel: CSV, or a trace of another simulator."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from panacea_sim.choices import Map
from panacea_sim.commands.dram_request_numbers import shown, whole_address, whole_cycle, whole_number
from panacea_sim.commands.dram_traces import TRACE_FORMS, trace_reader
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.dram.devices import DramDevice
from panacea_sim.memory.replay import ChannelRequest

__all__ = ["check_work", "read_requests"]

_COLUMNS = ["cycle", "address", "bytes", "op"]
_WRITES = {"read": False, "write": True}
_MOST_BYTES_BITS = 40
_MOST_ROWS = 1 << 18
"""Rows of data that requests longer than a row may take, which is work of some seconds."""


def read_requests(path: Path, device: DramDevice, address_map: Map) -> list[ChannelRequest]:
    """Return the requests of a file; raises ConfigError that names the file, the line and the column.

    The first line that says something decides whether it is CSV or a trace of DRAMsim3 or Ramulator 2, whose requests
    are bursts of the device. Blank lines and lines that begin with # say nothing. In CSV, spaces around a cell and
    empty cells behind the last column do not count, because spreadsheets write them.
    """
    try:
        # Editors on Windows begin the file with a mark that is no part of the first name.
        with path.open(newline="", encoding="utf-8-sig") as file:
            # The file may be a pipe, which nobody can read twice.
            first, begun = _first_line(file)
            lines = chain(begun, file)
            trace = trace_reader(first, device, address_map)
            requests = list(trace(path, lines) if trace else _requests(path, _rows(lines)))
    except OSError as error:
        raise ConfigError(str(path), str(error), "a CSV file that can be read", "Check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        hint = f"Save it as text with the columns {','.join(_COLUMNS)}"
        raise ConfigError(str(path), str(error), "a CSV file in UTF-8", hint) from error
    if not requests:
        raise ConfigError(str(path), "no request", "at least one line below the header")
    return requests


def _first_line(lines: Iterable[str]) -> tuple[str, list[str]]:
    """Return the first line that says something, and all up to it; the text is empty if none does."""
    begun = []
    for line in lines:
        begun.append(line)
        if line.strip() and not line.lstrip().startswith("#"):
            return line, begun
    return "", begun


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
        accepted = f"the columns {','.join(_COLUMNS)}, or lines {TRACE_FORMS}"
        raise ConfigError(str(path), f"the columns {shown(','.join(names))}", accepted)
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
    cycle = whole_cycle(f"{at}: cycle", row["cycle"], earliest)
    address = whole_address(f"{at}: address", row["address"])
    size_bytes = whole_number(f"{at}: bytes", row["bytes"], 1, 1 << _MOST_BYTES_BITS, f"2^{_MOST_BYTES_BITS}")
    operation = row["op"].lower()
    if operation not in _WRITES:
        raise ConfigError(f"{at}: op", shown(row["op"]), " or ".join(_WRITES))
    return ChannelRequest(cycle, address, size_bytes, _WRITES[operation])
