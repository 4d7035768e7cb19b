"""The command `inspect`: rows of a run's trace, the longest intervals, totals by group."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from panacea_sim.choices import GROUP_KEYS
from panacea_sim.commands.options import RunFolderPath, Window
from panacea_sim.commands.output import tell
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    import pyarrow as pa

    from panacea_sim.analysis.selection import Selection, Table
    from panacea_sim.trace.stored_run import StoredRun

__all__ = ["Format", "inspect_command"]

Format = Literal["table", "csv", "json"]

_LISTED_ROWS = 20
"""What a listing shows on a terminal if no --limit is given; programs get all rows."""

_INTERVALS = "intervals, which are shown without --queues and --dram"
_OPTIONS = {
    **{name: f"--{name}" for name in ("component", "state", "cause", "layer", "tile", "longest", "group-by")},
    "queue": "--component",
    "cycles": "--window",
    "queues": "--queues",
    "dram": "--dram",
}
"""What the parts of a selection are called in messages, and the options that give them."""


def inspect_command(  # noqa: PLR0913  # the options of the command line
    run: RunFolderPath,
    *,
    component: Annotated[
        list[str] | None, typer.Option(help="Component, channel, queue or memory; globs as pea*.")
    ] = None,
    state: Annotated[
        list[str] | None, typer.Option(help="A state; stall: starved, blocked, contended, waiting.")
    ] = None,
    cause: Annotated[list[str] | None, typer.Option(help="What is waited for; globs as q_pea*.")] = None,
    layer: Annotated[list[str] | None, typer.Option(help="Layer; globs.")] = None,
    tile: Annotated[str, typer.Option(help="m,n,k, where * is any.")] = "*,*,*",
    window: Window = None,
    longest_count: Annotated[int | None, typer.Option("--longest", help="Only the N longest intervals.")] = None,
    group_by: Annotated[list[str] | None, typer.Option(help=f"Add the cycles up by {', '.join(GROUP_KEYS)}.")] = None,
    queues: Annotated[bool, typer.Option("--queues", help="Occupancies of queues and memories instead.")] = False,
    dram: Annotated[bool, typer.Option("--dram", help="DRAM accesses instead.")] = False,
    each_pea: Annotated[bool, typer.Option("--each-pea", help="The members of a group singly, as the PEAs.")] = False,
    limit: Annotated[int | None, typer.Option(help=f"Rows shown; tables: {_LISTED_ROWS} unless grouped.")] = None,
    output_format: Annotated[Format, typer.Option("--format", help="csv and json have all rows.")] = "table",
) -> None:
    """Look into a trace: intervals, queues or DRAM accesses.

    Filters may be repeated.
    """
    table = _table(queues=queues, dram=dram)
    if each_pea and table != "activities":
        raise ConfigError("--each-pea", f"--{table} beside it", _INTERVALS)
    if limit is not None and limit < 1:
        raise ConfigError("--limit", limit, "a whole number >= 1")
    from panacea_sim.analysis.selection import Selection, at_work, joined_names, parse_tile, why_nothing
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.trace.damage import damage_of
    from panacea_sim.trace.options import OPEN_END, parse_window

    stored, cycles = opened_run(run), parse_window(window)
    with _named_by_options():
        selection = Selection(
            tuple(component or ()),
            tuple(state or ()),
            tuple(cause or ()),
            tuple(layer or ()),
            parse_tile(tile),
            None if cycles is None else cycles[0],
            None if cycles is None or cycles[1] == OPEN_END else cycles[1],
        )
        if longest_count is not None:
            selection = at_work(selection)
        joined = {} if each_pea or table != "activities" else joined_names(stored, selection)
        rows = _answer(stored, table, selection, longest_count, group_by or (), joined)
    is_cut = limit is None and output_format == "table" and longest_count is None and not group_by
    counted = _Counted(rows, _LISTED_ROWS if is_cut else limit)
    _print(stored, counted.reader(), output_format, joined)
    if not counted.rows:
        # A condition on damaged text matches nothing.
        fault = damage_of(stored)
        if fault is not None:
            raise fault
        tell(f"nothing matches: {why_nothing(stored, table, selection)}")
    elif is_cut and counted.has_more:
        tell(f"these are the first {counted.rows} rows; --limit N shows N, --format csv or json shows all")


@contextmanager
def _named_by_options() -> Iterator[None]:
    """Let messages about parts of a selection name the options that gave them."""
    try:
        yield
    except ConfigError as error:
        if error.field not in _OPTIONS:
            raise
        raise ConfigError(_OPTIONS[error.field], error.found, error.accepted, error.hint) from error


def _table(*, queues: bool, dram: bool) -> Table:
    if queues and dram:
        raise ConfigError("--queues", "--dram beside it", "one of the two")
    return "queues" if queues else "dram" if dram else "activities"


def _answer(
    run: StoredRun,
    table: Table,
    selection: Selection,
    count: int | None,
    keys: Sequence[str],
    joined: Mapping[str, str],
) -> pa.RecordBatchReader:
    from panacea_sim.analysis.query import accesses, grouped, intervals, longest, occupancies

    if count is not None and keys:
        raise ConfigError("--longest", "--group-by beside it", "one of the two")
    if table != "activities" and (count is not None or keys):
        option = "--group-by" if keys else "--longest"
        raise ConfigError(option, f"--{table} beside it", _INTERVALS)
    if table != "activities":
        return (occupancies if table == "queues" else accesses)(run, selection)
    if keys:
        return grouped(run, selection, keys, joined).to_reader()
    return intervals(run, selection) if count is None else longest(run, selection, count, joined).to_reader()


def _print(run: StoredRun, rows: pa.RecordBatchReader, output_format: Format, joined: Mapping[str, str]) -> None:
    from panacea_sim.report.groups import group_labels
    from panacea_sim.report.inspection import print_rows, write_csv, write_json
    from panacea_sim.report.tables import output_console
    from panacea_sim.trace.utilization import operator_counts

    if output_format == "table":
        print_rows(output_console(), rows, list(operator_counts(run)), group_labels(run.groups, joined))
    else:
        (write_csv if output_format == "csv" else write_json)(rows, sys.stdout)
    # If nobody reads to the end, no note follows.
    sys.stdout.flush()


class _Counted:
    """The first rows of a reader, and how many there were."""

    def __init__(self, rows: pa.RecordBatchReader, limit: int | None) -> None:
        self.rows = 0
        self.has_more = False
        self._all = rows
        self._limit = limit

    def reader(self) -> pa.RecordBatchReader:
        """Return a reader of the first rows."""
        return type(self._all).from_batches(self._all.schema, self._first())

    def _first(self) -> Iterator[pa.RecordBatch]:
        for batch in self._all:
            shown = batch if self._limit is None else batch.slice(0, min(self._limit - self.rows, batch.num_rows))
            self.rows += shown.num_rows
            if shown.num_rows:
                yield shown
            if shown.num_rows < batch.num_rows:
                self.has_more = True
                return
