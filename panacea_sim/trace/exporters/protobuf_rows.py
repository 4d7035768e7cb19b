"""Protobuf messages of one shape, many at a time.

Each byte that a message may have is a column: its value in every row, and in which rows it stands. Messages are put
together from columns without a loop over the rows. The classes of the library would need an object for each field.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.units import IntArray

__all__ = ["NOTHING", "Pieces", "double", "fixed64", "joined", "message", "number", "only", "to_bytes"]

_VARINT, _FIXED64, _MESSAGE = 0, 1, 2
"""Wire types of protobuf."""

_BITS, _LOW_BITS, _MORE = 7, 0x7F, 0x80
"""A byte of a number holds so many bits of it; the bit above them says that more bytes follow."""

Mask = npt.NDArray[np.bool_]


class Pieces(NamedTuple):
    """Bytes of all rows: each column has its value, of all rows or of each, and where it stands; None: in all rows.

    `length` is the sum of the bytes in each row, one number where all are equal.
    """

    columns: tuple[tuple[int | npt.NDArray[np.uint8], Mask | None], ...]
    length: int | IntArray


NOTHING = Pieces((), 0)
"""No bytes in any row."""


def number(message_type: Any, field: str, value: int | IntArray) -> Pieces:  # noqa: ANN401  # protobuf's classes have no types
    """Return a field of whole numbers, none of them negative."""
    return joined(_tag(message_type, field, _VARINT), _varint(value))


def fixed64(message_type: Any, field: str, values: IntArray) -> Pieces:  # noqa: ANN401  # as above
    """Return a field of numbers that take 8 bytes each."""
    little = np.ascontiguousarray(values, np.dtype("<u8"))
    eight = little.view(np.uint8).reshape(-1, 8)
    return joined(_tag(message_type, field, _FIXED64), Pieces(tuple((eight[:, at], None) for at in range(8)), 8))


def double(message_type: Any, field: str, values: npt.NDArray[np.float64]) -> Pieces:  # noqa: ANN401  # as above
    """Return a field of floating-point numbers."""
    return fixed64(message_type, field, np.ascontiguousarray(values, np.dtype("<f8")).view(np.dtype("<u8")))


def message(message_type: Any, field: str, content: Pieces) -> Pieces:  # noqa: ANN401  # as above
    """Return a field that holds a message."""
    return joined(_tag(message_type, field, _MESSAGE), _varint(content.length), content)


def joined(*parts: Pieces) -> Pieces:
    """Return parts one behind the other."""
    length: int | IntArray = 0
    for part in parts:
        length = length + part.length
    return Pieces(tuple(column for part in parts for column in part.columns), length)


def only(pieces: Pieces, present: Mask) -> Pieces:
    """Return bytes that stand in some rows only."""
    columns = tuple((value, present if mask is None else mask & present) for value, mask in pieces.columns)
    return Pieces(columns, pieces.length * present)


def to_bytes(pieces: Pieces, rows: int) -> bytes:
    """Return the bytes of all rows, one row behind the other."""
    values = np.empty((rows, len(pieces.columns)), np.uint8)
    stands = np.ones(values.shape, bool)
    for at, (value, mask) in enumerate(pieces.columns):
        values[:, at] = value
        if mask is not None:
            stands[:, at] = mask
    return values[stands].tobytes()


def _tag(message_type: Any, field: str, wire_type: int) -> Pieces:  # noqa: ANN401  # as above
    return _varint(message_type.DESCRIPTOR.fields_by_name[field].number << 3 | wire_type)


def _varint(value: int | IntArray) -> Pieces:
    """Return numbers in groups of seven bits, the lowest first; all but the last of a number have the highest bit."""
    columns: list[tuple[int | npt.NDArray[np.uint8], Mask | None]] = []
    if isinstance(value, int):
        while value > _LOW_BITS:
            columns.append((value & _LOW_BITS | _MORE, None))
            value >>= _BITS
        return Pieces((*columns, (value, None)), len(columns) + 1)
    stands: Mask | None = None
    length: int | IntArray = 1
    rest, most = value, int(value.max(initial=0))
    while most > _LOW_BITS:
        more = rest > _LOW_BITS
        columns.append(((rest & _LOW_BITS | more << _BITS).astype(np.uint8), stands))
        length = length + more
        rest, most, stands = rest >> _BITS, most >> _BITS, more
    return Pieces((*columns, (rest.astype(np.uint8), stands)), length)
