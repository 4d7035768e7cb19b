"""Small HTML for notebooks: tables without styles of their own, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["bold_line", "line", "table"]


def line(text: str) -> str:
    """Return a line of text."""
    return f"<div>{escape(text)}</div>"


def bold_line(bold: str, text: str) -> str:
    """Return a line that begins with bold text."""
    return f"<div><b>{escape(bold)}</b>{escape(text)}</div>"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table whose first column names its rows; nothing without rows."""
    body = "".join(
        f"<tr><th>{escape(name)}</th>{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        for name, *values in rows
    )
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    return f"<table><tr>{head}</tr>{body}</table>" if body else ""
