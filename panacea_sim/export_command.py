"""The command `export`: a run in the formats of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from panacea_sim.errors import ConfigError
from panacea_sim.trace.new_file import check_new_file, new_file
from panacea_sim.trace.recorder import parse_window
from panacea_sim.trace.schema import TABLES
from panacea_sim.trace.stored_run import StoredRun, open_run
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
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False,
) -> None:
    """Write a run for Perfetto, for GTKWave and other viewers of VCD, or for a spreadsheet."""
    stored, cycles = open_run(run), parse_window(window)
    write = {"perfetto": _perfetto, "vcd": _vcd, "csv": _csv}[form]
    for path in write(stored, out, cycles, force=force):
        print(path)  # noqa: T201  # for scripts: nothing but the names


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
    check_new_file(save, force=force)
    with new_file(path, force=force) as beside, new_file(save, force=force) as save_beside:
        write_vcd(run, beside, window)
        write_gtkw(run, save_beside, path, window)
    return [path, save]


def _csv(run: StoredRun, out: Path | None, window: tuple[int, int] | None, *, force: bool) -> list[Path]:
    from panacea_sim.trace.exporters.csv import write_csv  # noqa: PLC0415

    folder = out or run.path
    chosen_window(run, window)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("--out", f"{folder}: {error.strerror}", "a folder that can be made") from error
    tables = [table for table in TABLES if run.has_table(table)]
    paths = [folder / f"{table}.csv" for table in tables]
    for path in paths:
        check_new_file(path, force=force)
    for table, path in zip(tables, paths, strict=True):
        with new_file(path, force=force) as beside:
            write_csv(run, table, beside, window)
    return paths
