"""The command `inspect`: rows of a run's trace, the longest intervals, totals by group."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import pyarrow as pa
import typer
from rich.console import Console

from panacea_sim.analysis.query import GROUP_KEYS, accesses, grouped, intervals, longest, occupancies
from panacea_sim.analysis.selection import Selection, Table, parse_tile
from panacea_sim.errors import ConfigError
from panacea_sim.report.inspection import print_rows, write_csv, write_json
from panacea_sim.trace.stored_run import StoredRun, open_run

__all__ = ["Format", "inspect_command"]

Format = Literal["table", "csv", "json"]

_LISTED_ROWS = 20
"""What a listing shows on a terminal if no --limit is given; programs get all rows."""


def inspect_command(  # noqa: PLR0913  # the options of the command line
    run: Annotated[Path, typer.Argument(help="A run folder, complete or partial.")],
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
    from_cycle: Annotated[int | None, typer.Option("--from", min=0, help="First cycle.")] = None,
    to_cycle: Annotated[int | None, typer.Option("--to", min=0, help="The cycle after the last.")] = None,
    longest_count: Annotated[int | None, typer.Option("--longest", help="Only the N longest intervals.")] = None,
    group_by: Annotated[list[str] | None, typer.Option(help=f"Add the cycles up by {', '.join(GROUP_KEYS)}.")] = None,
    queues: Annotated[bool, typer.Option("--queues", help="Occupancies of queues and memories instead.")] = False,
    dram: Annotated[bool, typer.Option("--dram", help="DRAM accesses instead.")] = False,
    limit: Annotated[int | None, typer.Option(help=f"Rows shown; tables: {_LISTED_ROWS} unless grouped.")] = None,
    output_format: Annotated[Format, typer.Option("--format", help="csv and json have all rows.")] = "table",
) -> None:
    """Look into the trace of a run: intervals, queues or DRAM accesses. Filters may be repeated."""
    stored = open_run(run)
    selection = Selection(
        tuple(component or ()),
        tuple(state or ()),
        tuple(cause or ()),
        tuple(layer or ()),
        parse_tile(tile),
        from_cycle,
        to_cycle,
    )
    table = _table(queues=queues, dram=dram)
    if limit is not None and limit < 1:
        raise ConfigError("--limit", limit, "a whole number >= 1")
    if stored.is_partial:
        _note(f"{stored.path} is partial: the trace ends where the run stopped")
    rows = _answer(stored, table, selection, longest_count, group_by or ())
    is_cut = limit is None and output_format == "table" and longest_count is None and not group_by
    counted = _Counted(rows, _LISTED_ROWS if is_cut else limit)
    if not _print(counted.reader, output_format):
        return
    if not counted.rows:
        first, end = stored.recorded_cycles
        _note(f"nothing matches; the trace of {table} covers the cycles {first} to {end}")
    elif is_cut and counted.has_more:
        _note(f"these are the first {counted.rows} rows; --limit N shows N, --format csv or json shows all")


def _table(*, queues: bool, dram: bool) -> Table:
    if queues and dram:
        raise ConfigError("--queues", "--dram beside it", "one of the two")
    return "queues" if queues else "dram" if dram else "activities"


def _answer(
    run: StoredRun, table: Table, selection: Selection, count: int | None, keys: Sequence[str]
) -> pa.RecordBatchReader:
    if count is not None and keys:
        raise ConfigError("--longest", "--group-by beside it", "one of the two")
    if table != "activities" and (count is not None or keys):
        option = "--group-by" if keys else "--longest"
        raise ConfigError(option, f"--{table} beside it", "intervals, which are shown without --queues and --dram")
    if table != "activities":
        return (occupancies if table == "queues" else accesses)(run, selection)
    if keys:
        return grouped(run, selection, keys).to_reader()
    return intervals(run, selection) if count is None else longest(run, selection, count).to_reader()


def _print(rows: pa.RecordBatchReader, output_format: Format) -> bool:
    """Return whether somebody read to the end."""
    try:
        if output_format == "table":
            print_rows(Console(), rows)
        else:
            (write_csv if output_format == "csv" else write_json)(rows, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, say `head`, has had enough; what is still buffered must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


class _Counted:
    """The first rows of a reader, and how many there were."""

    def __init__(self, rows: pa.RecordBatchReader, limit: int | None) -> None:
        self.rows = 0
        self.has_more = False
        self.reader = pa.RecordBatchReader.from_batches(rows.schema, self._first(rows, limit))

    def _first(self, rows: pa.RecordBatchReader, limit: int | None) -> Iterator[pa.RecordBatch]:
        for batch in rows:
            shown = batch if limit is None else batch.slice(0, limit - self.rows)
            self.rows += shown.num_rows
            if shown.num_rows:
                yield shown
            if shown.num_rows < batch.num_rows:
                self.has_more = True
                return


def _note(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201  # standard output holds the rows and nothing else
