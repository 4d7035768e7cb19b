"""The command `export`: a run in the formats of other tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from panacea_sim.commands.opened_run import opened_run, print_written
from panacea_sim.errors import ConfigError
from panacea_sim.trace.new_file import new_file, new_files
from panacea_sim.trace.options import parse_window
from panacea_sim.trace.schema import TABLES
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import chosen_window

__all__ = ["export_command"]

PERFETTO_NAME = "trace.pftrace.gz"


def export_command(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    form: Annotated[Literal["perfetto", "vcd", "csv"], typer.Option("--format", help="The format to write.")],
    out: Annotated[
        Path | None, typer.Option(help="File to write, or folder for csv; by default in the run folder.")
    ] = None,
    window: Annotated[str | None, typer.Option(help="Only what overlaps the cycles A:B.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing files that --out names.")] = False,
) -> None:
    """Write a run for Perfetto, for GTKWave and other viewers of VCD, or for a spreadsheet."""
    stored, cycles = opened_run(run), parse_window(window)
    write = {"perfetto": _perfetto, "vcd": _vcd, "csv": _csv}[form]
    print_written(*write(stored, out, cycles, force=force or out is None))


def _perfetto(run: StoredRun, out: Path | None, window: tuple[int, int] | None, *, force: bool) -> list[Path]:
    # These libraries take long to import, and no other command needs them.
    from panacea_sim.trace.exporters.perfetto import write_perfetto  # noqa: PLC0415

    path = out or run.path / PERFETTO_NAME
    with new_file(path, force=force) as beside:
        write_perfetto(run, beside, window)
    return [path]


def _vcd(run: StoredRun, out: Path | None, window: tuple[int, int] | None, *, force: bool) -> list[Path]:
    from panacea_sim.trace.exporters.vcd import write_gtkw, write_vcd  # noqa: PLC0415

    path = out or run.path / "trace.vcd"
    save = path.with_suffix(".gtkw")
    if save == path:
        raise ConfigError("--out", f"{path.name!r}", "another ending: .gtkw is that of the save file beside it")
    with new_files([path, save], force=force) as (beside, save_beside):
        write_vcd(run, beside, window)
        write_gtkw(run, save_beside, path, window)
    return [path, save]


def _csv(run: StoredRun, out: Path | None, window: tuple[int, int] | None, *, force: bool) -> list[Path]:
    from panacea_sim.trace.exporters.csv import write_csv  # noqa: PLC0415

    folder = out or run.path
    chosen_window(run, window)
    tables = [table for table in TABLES if run.has_table(table)]
    paths = [folder / f"{table}.csv" for table in tables]
    with _folder(folder), new_files(paths, force=force) as besides:
        for table, beside in zip(tables, besides, strict=True):
            write_csv(run, table, beside, window)
    return paths


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make a folder, with those that it is in; after an error none of them is left."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("--out", f"{path}: {error.strerror}", "a folder that can be made") from error
    try:
        yield
    except BaseException:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise
