"""The command `sweep`: many points of a design space on workers, and the best of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.options import Json

__all__ = ["sweep_command"]

Best = Annotated[str | None, typer.Option(help="Print the best points by cycles, energy_pj, area_mm2, ..")]


def sweep_command(
    sweep: Annotated[Path, typer.Argument(help="A sweep: .yaml or .py; or the folder of one, to look at it.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep (default: runs/NAME); one is resumed.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes for points (default: one a core).")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="Scheduler of a dask cluster.")] = None,
    best: Best = None,
    as_json: Json = False,
) -> None:
    """Run all points of a design space, each once.

    Points are kept: a command that was stopped goes on where it was.
    """
    from panacea_sim.commands.exploration import check_options, run_sweep, show_folder
    from panacea_sim.exploring.best import objective_named

    if best is not None:
        objective_named(best)
    if sweep.is_dir():
        check_options(sweep, {"--out": out, "--workers": workers, "--cluster": cluster})
        show_folder(sweep, best, as_json=as_json)
        return
    from panacea_sim.exploring.sweep import read_sweep

    folder = run_sweep(read_sweep(sweep), out, workers, cluster)
    show_folder(folder, best, as_json=as_json)
