"""The command `optimize`: a search for the best points of a design space."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.choices import Algorithm
from panacea_sim.commands.options import Json

__all__ = ["optimize_command"]


def optimize_command(  # noqa: PLR0913  # its options
    sweep: Annotated[Path, typer.Argument(help="A sweep with axes: .yaml or .py.")],
    *,
    out: Annotated[Path | None, typer.Option(help="Folder of the sweep (default: runs/NAME); one is resumed.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="How many different points to run.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Another seed searches another way.")] = 0,
    algorithm: Annotated[Algorithm, typer.Option(help="How Optuna proposes points.")] = "tpe",
    workers: Annotated[int | None, typer.Option(min=1, help="Processes for points (default: one a core).")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="tcp://HOST:PORT", help="Scheduler of a dask cluster.")] = None,
    as_json: Json = False,
) -> None:
    """Search a design space for its best points.

    Points are kept beside those of the sweep: none runs twice, and the same command makes the same trials.
    """
    from panacea_sim.commands.exploration import run_search, show_folder
    from panacea_sim.exploring.search.availability import check_optuna
    from panacea_sim.exploring.sweep import read_sweep

    check_optuna()
    from panacea_sim.exploring.search.optimize import SearchPlan
    from panacea_sim.exploring.store import SEARCH_STEM

    folder = run_search(read_sweep(sweep), SearchPlan(trials, algorithm, seed), out, workers, cluster)
    show_folder(folder, None, as_json=as_json, stem=SEARCH_STEM)
