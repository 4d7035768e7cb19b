"""Tables on a terminal of any width, in a pipe or a file: no figure is ever cut.

Where a table is wider than the terminal, in this order: bars shrink, titles and then long names fold, columns that can
be spared are left out, short names fold too, and at last each row becomes a few lines of its own.
"""

from __future__ import annotations

import os
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

__all__ = ["Bar", "Cell", "Column", "output_console", "print_pairs", "print_table"]

_UNLIMITED = 100_000
"""Columns of a file or pipe, which have no width."""

_FAIR_NAME = 24
"""Width to which names are folded before columns are left out."""

_LEAST_NAME = 14
"""Width to which names are folded before rows are stacked."""

_LEAST_BAR = 8
_GAP = 2
_EDGES = 2
_FIGURE = re.compile(r"[\d.,:%x()+-]*\d[\d.,:%x()+-]*")


@dataclass(frozen=True)
class Bar:
    """A bar of `width` letters that is drawn shorter where there is no room: parts of (letter, style, amount)."""

    parts: tuple[tuple[str, str, float], ...]
    width: int

    def drawn(self, width: int) -> Text:
        """Return the bar with this width, in which every part has its share, rounded so that the widths add up."""
        bar, done, total = Text(), 0.0, sum(amount for _, _, amount in self.parts)
        for letter, style, amount in self.parts:
            before = round(done / total * width)
            done += amount
            bar.append(letter * (round(done / total * width) - before), style)
        return bar

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the bar as wide as its cell is, up to its own width."""
        yield self.drawn(min(self.width, options.max_width))


Cell: TypeAlias = str | Text | Bar


@dataclass(frozen=True)
class Column:
    """A column: figures and words stay whole, names fold at spaces or anywhere, bars shrink.

    Columns with `leaves` above 0 are left out where there is no room, the lowest number first, equal ones together.
    """

    title: str
    kind: Literal["figure", "word", "name", "bar"] = "figure"
    leaves: int = 0


def output_console() -> Console:
    """Return a console on standard output: as wide as the terminal or COLUMNS says, in a pipe as its longest line."""
    console = Console()
    columns = os.environ.get("COLUMNS", "")
    if console.is_terminal or (columns.isdecimal() and int(columns)):
        return console
    return Console(width=_UNLIMITED)


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Cell]], title: str = ""
) -> tuple[str, ...]:
    """Print rows below the titles of their columns as the width allows; return the columns that were left out.

    Text in cells and titles is shown as it is, without markup. Columns that were left out are named below the table.
    """
    if title:
        console.print(Text(title, "italic"))
    cells = [[Text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows]
    spans = [_Span.of(column, [row[number] for row in cells]) for number, column in enumerate(columns)]
    kept = _kept(columns, spans, console.width)
    if kept is None:
        return _print_stacked(console, columns, cells)
    console.print(_table(columns, cells, _widths(columns, spans, kept, console.width)))
    left_out = tuple(" ".join(column.title.split()) for number, column in enumerate(columns) if number not in kept)
    if left_out:
        console.print(Text(f"Left out at {console.width} columns: {', '.join(left_out)}", "dim"))
    return left_out


def print_pairs(console: Console, pairs: Mapping[str, str]) -> None:
    """Print names with their values, one pair a line, as they are."""
    width = max(map(cell_len, pairs))
    for name, value in pairs.items():
        console.print(Text(f"{name:<{width}}  {value}"), overflow="ignore", no_wrap=True, crop=False)


@dataclass(frozen=True)
class _Span:
    """Widths of a column: as narrow as it may be, still well to read, with a folded title, and as it is."""

    least: int
    fair: int
    folded: int
    natural: int

    @classmethod
    def of(cls, column: Column, cells: Sequence[Text | Bar]) -> _Span:
        title_words = max(map(cell_len, column.title.split()), default=0)
        title_lines = max(map(cell_len, column.title.splitlines()), default=0)
        widest = max((cell.width if isinstance(cell, Bar) else _longest_line(cell) for cell in cells), default=0)
        least = fair = widest
        if column.kind == "bar":
            least = fair = min(_LEAST_BAR, widest)
        elif column.kind == "name":
            figure = max((cell_len(word) for cell in cells for word in _figures(cell)), default=0)
            least, fair = (min(widest, max(narrow, figure)) for narrow in (_LEAST_NAME, _FAIR_NAME))
        least, fair, folded = (max(width, title_words) for width in (least, fair, widest))
        return cls(least, fair, folded, max(widest, title_lines))


def _longest_line(text: Text) -> int:
    return max(map(cell_len, text.plain.splitlines()), default=0)


def _figures(cell: Text | Bar) -> list[str]:
    return [] if isinstance(cell, Bar) else [word for word in cell.plain.split() if _FIGURE.fullmatch(word)]


def _kept(columns: Sequence[Column], spans: Sequence[_Span], width: int) -> list[int] | None:
    """Return the columns that fit when they are as narrow as they may be; None if the rows have to be stacked."""
    kept = list(range(len(columns)))
    for leaving in sorted({column.leaves for column in columns} - {0}):
        if sum(spans[number].fair for number in kept) <= _room(len(kept), width):
            return kept
        kept = [number for number in kept if columns[number].leaves != leaving]
    return kept if sum(spans[number].least for number in kept) <= _room(len(kept), width) else None


def _room(count: int, width: int) -> int:
    """Return what `count` columns leave for cells."""
    return width - _EDGES - _GAP * count + 1


def _widths(columns: Sequence[Column], spans: Sequence[_Span], kept: Sequence[int], width: int) -> dict[int, int]:
    """Return the widths of the columns: bars give way first, then titles, then names, of these the widest first."""
    widths = {number: spans[number].natural for number in kept}
    excess = sum(widths.values()) - _room(len(kept), width)
    by_kind = [
        *((number, spans[number].least) for number in kept if columns[number].kind == "bar"),
        *((number, spans[number].folded) for number in kept),
    ]
    for number, least in by_kind:
        given = max(0, min(excess, widths[number] - least))
        widths[number] -= given
        excess -= given
    while excess > 0:
        number = max(
            (number for number in kept if widths[number] > spans[number].least), key=lambda number: widths[number]
        )
        widths[number] -= 1
        excess -= 1
    return widths


def _table(columns: Sequence[Column], rows: Sequence[Sequence[Text | Bar]], widths: dict[int, int]) -> Table:
    table = Table(header_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, width in widths.items():
        column = columns[number]
        table.add_column(
            Text(column.title), justify="right" if column.kind == "figure" else "left", width=width, overflow="fold"
        )
    for row in rows:
        table.add_row(*(row[number] for number in widths))
    return table


def _print_stacked(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text | Bar]]
) -> tuple[str, ...]:
    """Print each row as its first cell, and below it the others with their titles; return the bars, left out."""
    titles = [" ".join(column.title.split()) for column in columns]
    for row in rows:
        texts = [(title, cell) for title, cell in zip(titles, row, strict=True) if isinstance(cell, Text)]
        others = [(title, cell) for title, cell in texts[1:] if cell.plain]
        name = [Text(line, "bold") for line in _folded(texts[0][1].plain or "-", console.width)]
        for line in (*name, *_packed(others, console.width)):
            console.print(line, overflow="ignore", no_wrap=True, crop=False)
    return tuple(title for title, column in zip(titles, columns, strict=True) if column.kind == "bar")


def _packed(pairs: Iterable[tuple[str, Text]], width: int) -> Iterator[Text]:
    """Return lines of titles with their cells, as many a line as fit; words that are wider than a line stay whole."""
    line = Text()
    for title, cell in pairs:
        pair = Text.assemble("  ", (f"{title} ", "dim"), cell)
        if line.cell_len + pair.cell_len > width and line:
            yield line
            line = Text()
        if pair.cell_len > width:
            yield from map(Text, _folded(pair.plain, width))
        else:
            line.append_text(pair)
    if line:
        yield line


def _folded(text: str, width: int) -> list[str]:
    """Return a text folded at its spaces: a word that is wider stays whole, and the terminal folds it."""
    return textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
