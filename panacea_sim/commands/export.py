"""The command `export`: a run in the formats of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from panacea_sim.commands.options import Force, RunFolderPath, Window
from panacea_sim.commands.written import print_written, written
from panacea_sim.errors import ConfigError
from panacea_sim.report.progress import shown_progress

if TYPE_CHECKING:
    from panacea_sim.trace.exporters.progress import Progress
    from panacea_sim.trace.stored_run import StoredRun

__all__ = ["export_command"]

PERFETTO_NAME = "trace.pftrace.gz"


def export_command(
    run: RunFolderPath,
    *,
    form: Annotated[Literal["perfetto", "vcd", "csv"], typer.Option("--format", help="The format to write.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, or folder for csv; by default in the run folder.")
    ] = None,
    window: Window = None,
    force: Force = False,
) -> None:
    """Write a run in the formats of other tools.

    They are Perfetto's, VCD for GTKWave and other viewers, and CSV for a spreadsheet.
    """
    from panacea_sim.commands.opened_run import opened_run
    from panacea_sim.trace.options import parse_window

    stored, cycles = opened_run(run), parse_window(window)
    write = {"perfetto": _perfetto, "vcd": _vcd, "csv": _csv}[form]
    with shown_progress(f"{stored.name}: {form}") as progress:
        paths = write(stored, out, cycles, progress, force=force or out is None)
    print_written(*paths)


def _perfetto(
    run: StoredRun, out: Path | None, window: tuple[int, int] | None, progress: Progress, *, force: bool
) -> list[Path]:
    from panacea_sim.commands.recorded_path import path_or_note
    from panacea_sim.trace.exporters.perfetto import write_perfetto

    path = out or run.path / PERFETTO_NAME
    with written(path, force=force) as (beside,):
        write_perfetto(run, beside, window, progress, path_or_note(run))
    return [path]


def _vcd(
    run: StoredRun, out: Path | None, window: tuple[int, int] | None, progress: Progress, *, force: bool
) -> list[Path]:
    from panacea_sim.trace.exporters.vcd import write_gtkw, write_vcd

    path = out or run.path / "trace.vcd"
    save = path.with_suffix(".gtkw")
    if save == path:
        raise ConfigError("--out", f"{path.name!r}", "another ending: .gtkw is that of the save file beside it")
    with written(path, save, force=force) as (beside, save_beside):
        write_vcd(run, beside, window, progress)
        write_gtkw(run, save_beside, path, window)
    return [path, save]


def _csv(
    run: StoredRun, out: Path | None, window: tuple[int, int] | None, progress: Progress, *, force: bool
) -> list[Path]:
    from panacea_sim.trace.exporters.csv import write_csv
    from panacea_sim.trace.schema import TABLES
    from panacea_sim.trace.window import chosen_window

    folder = out or run.path
    chosen_window(run, window)
    tables = [table for table in TABLES if run.has_table(table)]
    paths = [folder / f"{table}.csv" for table in tables]
    with _folder(folder), written(*paths, force=force) as besides:
        for done, (table, beside) in enumerate(zip(tables, besides, strict=True)):
            progress(done, len(tables))
            write_csv(run, table, beside, window)
    return paths


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make a folder, with those that it is in; after an error none of them is left."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("--out", f"{path}: {error.strerror}", "a folder that can be made") from error
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise
