"""Tables of any width: no figure is cut."""

from __future__ import annotations

import io
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from panacea_sim.report.tables import Bar, Cell, Column, output_console, print_pairs, print_table


def _printed(columns: list[Column], rows: list[list[Cell]], width: int, title: str = "") -> str:
    text = io.StringIO()
    print_table(Console(file=text, width=width, color_system=None), columns, rows, title)
    return text.getvalue()


_WORD = st.text(st.sampled_from("ab_*"), min_size=1, max_size=30)
_FIGURES = st.builds("{:,}".format, st.integers(0, 10**16)) | st.builds("{:.1%}".format, st.floats(0, 1))
_NAMES = st.lists(_WORD | _FIGURES, max_size=5).map(" ".join)
_COLUMNS = st.lists(
    st.builds(Column, _WORD, st.sampled_from(["figure", "word", "name"]), st.integers(0, 3)), min_size=1, max_size=9
)


@given(st.data(), _COLUMNS, st.integers(12, 140))
def test_every_figure_is_whole(data: st.DataObject, columns: list[Column], width: int) -> None:
    """Figures of columns that are shown stand in the output as they are, and no line is wider than it must be."""
    cells = [
        data.draw(st.lists(_NAMES if column.kind == "name" else _FIGURES, min_size=3, max_size=3)) for column in columns
    ]
    rows: list[list[Cell]] = [list(row) for row in zip(*cells, strict=True)]
    text = io.StringIO()
    left_out = print_table(Console(file=text, width=width, color_system=None), columns, rows)
    words = text.getvalue().split()
    for column, values in zip(columns, cells, strict=True):
        if column.title not in left_out:
            for figure in (word for value in values for word in value.split() if word[0].isdigit()):
                assert figure in words
    longest = max(len(line.rstrip()) for line in text.getvalue().splitlines())
    widest = max(len(word) for word in text.getvalue().split())
    assert longest <= max(width, widest + 2)
    assert "…" not in text.getvalue()


_COMPONENTS = [
    Column("name", "name"),
    Column("states", "bar", leaves=1),
    Column("two\nlines"),
    Column("spared", leaves=2),
    Column("cause", "name"),
]
_BAR = Bar((("#", "green", 3.0), (".", "dim", 1.0)), 24)
_ROWS: list[list[Cell]] = [["accumulator", _BAR, "1,234,567", "98.4%", "q_sum* empty (pea*), 93%"]]


@pytest.mark.parametrize(
    ("width", "bar", "spared", "stacked"),
    [(200, 24, True, False), (88, 24, True, False), (76, 15, True, False), (72, 11, True, False), (63, 0, True, False)],
)
def test_bars_shrink_first(width: int, bar: int, spared: bool, stacked: bool) -> None:  # noqa: FBT001  # expected
    """A bar keeps its shares while it shrinks, and leaves before other columns do."""
    printed = _printed(_COMPONENTS, _ROWS, width)
    assert printed.count("#") + sum(line.count(".") for line in re.findall(r"#+\.*", printed)) == bar
    assert ("98.4%" in printed) == spared
    assert ("name" not in printed) == stacked
    assert "q_sum* empty (pea*), 93%" in printed


def test_columns_that_can_be_spared_leave() -> None:
    """Columns leave in their order, and are named below the table."""
    printed = _printed(_COMPONENTS, _ROWS, 54)
    assert "Left out at 54 columns: states, spared" in printed.replace("\n", " ")
    assert "1,234,567" in printed


def test_rows_are_stacked_at_last() -> None:
    """Where nothing else helps, each row is a few lines with the titles, columns that can be spared included."""
    assert _printed(_COMPONENTS, _ROWS, 40) == (
        "accumulator\n  two lines 1,234,567  spared 98.4%\n  cause q_sum* empty (pea*), 93%\n"
    )
    empty: list[list[Cell]] = [["", _BAR, "7", "", ""]]
    assert _printed(_COMPONENTS, empty, 20) == "-\n  two lines 7\n"
    assert _printed(_COMPONENTS, _ROWS, 10) == (
        "accumulator\n  two\n  lines\n  1,234,567\n  spared\n  98.4%\n  cause\n  q_sum*\n  empty\n  (pea*),\n  93%\n"
    )


def test_names_fold_but_their_figures_do_not() -> None:
    """A name is folded at spaces, or inside of a word that is no figure."""
    name = "a_very_long_name_of_one_word_that_goes_on"
    printed = _printed([Column("x", "name"), Column("y", "name")], [[name, "1,000,000,000,000,000 of 33%"]], 44)
    lines = printed.splitlines()
    assert "".join(line[1:19].strip() for line in lines[3:]) == name
    assert [line[19:].split() for line in lines[3:6]] == [["1,000,000,000,000,000"], ["of", "33%"], []]


@given(st.lists(st.integers(0, 1000), min_size=6, max_size=6).filter(any), st.integers(8, 24))
def test_bars_have_one_width(amounts: list[int], width: int) -> None:
    """Whatever the parts are, a bar is equally wide, and each part is within a letter of its share."""
    bar = Bar(tuple((letter, "", float(amount)) for letter, amount in zip("abcdef", amounts, strict=True)), 24)
    drawn = bar.drawn(width).plain
    assert len(drawn) == width
    for letter, amount in zip("abcdef", amounts, strict=True):
        assert abs(drawn.count(letter) - width * amount / sum(amounts)) <= 1


def test_text_is_no_markup() -> None:
    """Square brackets in titles and cells are shown, in tables and in stacks."""
    for width in (80, 20):
        printed = _printed([Column("[red]a", "name"), Column("b")], [["[bold]x[/y]", Text("[1]")]], width, "[blue]t")
        assert "[blue]t" in printed
        assert "[bold]x[/y]" in printed
        assert "[1]" in printed


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "columns", "width"),
    [
        (io.StringIO, None, 100_000),
        (io.StringIO, "60", 60),
        (io.StringIO, "wide", 100_000),
        (io.StringIO, "0", 100_000),
        (_Terminal, "72", 72),
    ],
)
def test_how_wide_the_output_is(
    stream: type[io.StringIO], columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipe has no width unless COLUMNS gives one; a terminal is as wide as it is."""
    monkeypatch.setattr(sys, "stdout", stream())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert output_console().width == width


def test_pairs_are_never_cut() -> None:
    """Names and values stand one a line however narrow the terminal is."""
    text = io.StringIO()
    print_pairs(Console(file=text, width=10, color_system=None), {"mean latency": "1,234.567 ns", "x": "[2]"})
    assert text.getvalue() == "mean latency  1,234.567 ns\nx             [2]\n"
