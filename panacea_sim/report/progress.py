"""The bar of what takes a while: on standard error, and only where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

__all__ = ["shown_progress"]


@contextmanager
def shown_progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar, which is gone at the end, and give what moves it: how much is done, and of how much."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    # A notebook is no terminal: rich takes it for one, and its kernel asks for colours as if it were.
    console = Console(stderr=True, force_jupyter=False)
    is_seen = console.is_terminal and console.file.isatty()
    with Progress(*columns, console=console, transient=True, disable=not is_seen) as bar:
        task = bar.add_task(what, total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show
