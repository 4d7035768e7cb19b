"""The command `versus`: machines against each other on one workload, on equal terms."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from panacea_sim.commands.options import Force, Json, Settings
from panacea_sim.commands.workload_options import (
    Batch,
    ClipTo,
    Context,
    Data,
    Phase,
    Profile,
    SampleNumber,
    Shape,
    Tokens,
    WeightBits,
)
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.analysis.versus.contender import Versus
    from panacea_sim.running.versus.comparison import Terms
    from panacea_sim.running.versus.fight import Fight
    from panacea_sim.running.versus.machines import Entrant

__all__ = ["versus_command"]


def versus_command(  # noqa: PLR0913  # its options
    workload: Annotated[
        str,
        typer.Argument(help="A model (`panacea-sim list workloads`), a .csv, .yaml or .onnx file, or a LAYER.npz."),
    ],
    *,
    machines: Annotated[
        str | None, typer.Option(help="Presets or YAML files with commas between (default: all presets).")
    ] = None,
    normalise: Annotated[
        Literal["multipliers", "area"], typer.Option(help="What machines have equally much of.")
    ] = "multipliers",
    baseline: Annotated[str | None, typer.Option(help="Machine with a speed-up of 1 (default: simd).")] = None,
    plain: Annotated[
        Path | None, typer.Option(help="The same layer without ZPM and DBS, which rivals take; it judges accuracy.")
    ] = None,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Steps of Panacea in place of machines; with --plain and --zpm.")
    ] = False,
    zpm: Annotated[Path | None, typer.Option(help="The same layer with ZPM and without DBS, for --ablation.")] = None,
    device: Annotated[
        str | None, typer.Option(help="DRAM whose energy is taken, where the machines' own is ideal.")
    ] = None,
    phase: Phase = None,
    tokens: Tokens = None,
    context: Context = None,
    batch: Batch = None,
    weight_bits: WeightBits = None,
    profile: Profile = None,
    shape: Shape = None,
    data: Data = None,
    sample: SampleNumber = None,
    clip_to: ClipTo = None,
    metric: Annotated[
        Literal["cosine", "top-1", "sqnr"] | None,
        typer.Option(help="What is said of a model's outputs, with --data (default: cosine)."),
    ] = None,
    settings: Settings = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: one a core).")] = None,
    as_json: Json = False,
    csv: Annotated[Path | None, typer.Option(help="Write a row for each machine.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw speed-up and energy; .png, .svg or .pdf.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the runs of all machines, as of a study.")] = None,
    force: Force = False,
) -> None:
    """Compare machines, and say who wins on which terms."""
    from panacea_sim.commands.model_run import check_model_options
    from panacea_sim.hardware.config import parse_settings
    from panacea_sim.report.picture import check_ending
    from panacea_sim.running.network_file import NetworkSizes
    from panacea_sim.running.temporary import temporary_folder
    from panacea_sim.running.versus.comparison import Terms, check_terms
    from panacea_sim.running.versus.machines import entrants
    from panacea_sim.running.versus.model_fight import OperandChoice
    from panacea_sim.running.versus.workload import NetworkOptions, ablation_of, check_ablation, fight_of
    from panacea_sim.trace.new_file import check_new_file

    ending = None if picture is None else check_ending(picture, "--picture")
    for path, option in ((picture, "--picture"), (csv, "--csv")):
        if path is not None:
            check_new_file(path, force=force, option=option)
    check_model_options(data, sample, clip_to, profile)
    if metric is not None and data is None:
        raise ConfigError("--metric", metric, "--data beside it: it is about the outputs of a model on samples")
    sizes = NetworkSizes(phase, tokens, context, batch, data, tuple(shape or ()))
    asked, changes = NetworkOptions(sizes, weight_bits, profile), parse_settings(settings or [])
    names = None if machines is None else machines.split(",")
    check_ablation(names, normalise, zpm, asked=ablation)
    if ablation:
        found, fight = ablation_of(workload, asked, changes, plain, zpm)
    else:
        found, fight = entrants(names, changes, normalise), None
    terms = Terms(normalise, baseline, device)
    check_terms(terms, found)
    with temporary_folder() as folder:
        if fight is None:
            choice = OperandChoice(sample or 0, weight_bits, clip_to is not None, metric or "cosine")
            operands = None if data is None else choice
            fight = fight_of(workload, found, asked, plain, operands, Path(folder))
        result = _fought(fight, found, terms, workers, out, force=force)
    _write(result, csv, picture, ending, force=force)
    _show(result, as_json=as_json, written=[path for path in (csv, picture, out) if path is not None])


def _fought(
    fight: Fight, machines: Sequence[Entrant], terms: Terms, workers: int | None, out: Path | None, *, force: bool
) -> Versus:
    """Run everything, into a folder where one is asked for."""
    from panacea_sim.commands.simulation import cores
    from panacea_sim.running.versus.comparison import compare

    if out is None:
        return compare(fight, machines, terms, workers=workers or cores())
    from panacea_sim.analysis.study_results import write_study_rows
    from panacea_sim.analysis.versus.entry import versus_entry
    from panacea_sim.commands.interrupts import telling_what_is_kept
    from panacea_sim.commands.simulation import RESULTS, study_document
    from panacea_sim.running.versus.contest import run_names
    from panacea_sim.trace.new_file import new_file
    from panacea_sim.trace.run_place import check_run_folder, named, partial_of
    from panacea_sim.trace.store import RunFolder

    target = named(out)
    check_run_folder(target, force=force)
    with telling_what_is_kept(target, partial_of(target)), RunFolder(target, force=force) as folder:
        names = dict.fromkeys(run_names(machines, fight.bouts))
        folder.write_json("summary.json", study_document(fight.name, names) | {"partial": True})
        found = compare(fight, machines, terms, workers=workers or cores(), folder=folder.path)
        summaries = {
            each.ran.summary.scenario: each.ran.summary
            for part in found.parts
            for each in part.contenders
            if each.ran is not None
        }
        document = {name: summary.to_json() for name, summary in summaries.items()}
        folder.write_json("summary.json", study_document(fight.name, document))
        folder.write_json("versus.json", versus_entry(found))
        with new_file(folder.path / RESULTS, force=True) as beside:
            write_study_rows(beside, summaries)
        folder.complete()
    return found


def _write(found: Versus, csv: Path | None, picture: Path | None, ending: str | None, *, force: bool) -> None:
    from panacea_sim.commands.written import written

    if csv is not None:
        from panacea_sim.analysis.versus.entry import write_versus_rows

        with written(csv, force=force, option="--csv") as (beside,):
            write_versus_rows(beside, found)
    if picture is not None and ending is not None:
        from panacea_sim.report.versus_picture import write_versus

        with written(picture, force=force, option="--picture") as (beside,):
            write_versus(found, beside, ending)


def _show(found: Versus, *, as_json: bool, written: Sequence[Path]) -> None:
    """Print the comparison, and end with 1 where values are not exact."""
    from panacea_sim.analysis.versus.entry import versus_entry
    from panacea_sim.commands.simulation import fail_unless_exact
    from panacea_sim.commands.written import print_written
    from panacea_sim.report.tables import output_console
    from panacea_sim.report.versus import print_versus

    if as_json:
        print(json.dumps(versus_entry(found), indent=2, ensure_ascii=False))  # noqa: T201  # rich would wrap it
    else:
        print_versus(output_console(), found)
        print_written(*written)
    fail_unless_exact([each.ran.summary for part in found.parts for each in part.contenders if each.ran is not None])
