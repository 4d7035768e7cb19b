"""The command `whatif`: a run made again on changed machines, with the gain and the cost of each change."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panacea_sim.commands.options import Force, Json

if TYPE_CHECKING:
    from panacea_sim.analysis.whatif import WhatIf
    from panacea_sim.running.whatif.explore import Exploration

__all__ = ["whatif_command"]


def whatif_command(  # its options
    run: Annotated[Path, typer.Argument(help="A complete run folder, or a scenario: .py or .yaml.")],
    *,
    knob: Annotated[list[str] | None, typer.Option(help="Only this knob, as n_dwo; may be repeated.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where results are kept (default: RUN/whatif).")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw the gains; .png, .svg or .pdf.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes for reruns (default: one a core).")] = None,
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Turn every knob of a run one step: its gain and cost.

    Reruns are kept: a command that was stopped goes on where it was.
    """
    from panacea_sim.commands.written import written
    from panacea_sim.report.picture import check_ending
    from panacea_sim.running.whatif.base import read_base
    from panacea_sim.running.whatif.explore import Exploration
    from panacea_sim.running.whatif.store import opened_store
    from panacea_sim.running.whatif.variants import variants_of
    from panacea_sim.trace.new_file import check_new_file

    ending = None if picture is None else check_ending(picture, "--picture")
    if picture is not None:
        check_new_file(picture, force=force, option="--picture")
    base = read_base(run)
    variants = variants_of(base.scenario.resolved_hardware(), knob or (), base.scenario.known_layers())
    with opened_store(base, out) as store:
        found = _explored(Exploration(base, variants, store, workers or _cores()))
    if picture is not None and ending is not None:
        from panacea_sim.report.tornado import write_tornado

        with written(picture, force=force, option="--picture") as (beside,):
            write_tornado(found, beside, ending)
    _show(found, as_json=as_json)
    if not as_json:
        for path in (store.results, *((picture,) if picture is not None else ())):
            print(path)  # noqa: T201  # rich might wrap it


def _explored(exploration: Exploration) -> WhatIf:
    """Rerun with a bar, and tell before how much there is to do, and after an interrupt what is kept."""
    from panacea_sim.commands.interrupts import telling
    from panacea_sim.commands.output import tell
    from panacea_sim.report.progress import shown_progress

    to_come, name = exploration.to_come(), exploration.base.scenario.name
    if to_come:
        kept = exploration.planned_reruns - to_come
        tell(f"{name}: {to_come} reruns to come, {kept} are kept; those of changed mappings and of pairs follow")

    def what_is_kept() -> str:
        return f"{exploration.store.count()} reruns are kept in {exploration.store.folder}: the same command goes on"

    with telling(what_is_kept), shown_progress(f"{name}: reruns") as show:
        return exploration.run(show)


def _show(found: WhatIf, *, as_json: bool) -> None:
    from panacea_sim.report.tables import output_console
    from panacea_sim.report.whatif import print_whatif

    if as_json:
        print(json.dumps(found.to_json(), indent=2))  # noqa: T201  # rich would wrap it
    else:
        print_whatif(output_console(), found)


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
