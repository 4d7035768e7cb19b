"""What the commands that simulate do: scenarios into run folders, with progress, and a report at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from panacea_sim.analysis.study_results import write_study_rows
from panacea_sim.commands.interrupts import telling_what_is_kept
from panacea_sim.commands.options import SimulationOptions
from panacea_sim.commands.output import tell
from panacea_sim.engines.choice import chosen_engine
from panacea_sim.errors import PanaceaError
from panacea_sim.hardware.config import parse_settings
from panacea_sim.report.study import print_study
from panacea_sim.report.tables import output_console
from panacea_sim.report.terminal import print_run
from panacea_sim.running.prepare import Prepared, PreparedLayers, prepare
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario, Study
from panacea_sim.trace.new_file import new_file
from panacea_sim.trace.options import TraceOptions, parse_window, window_text
from panacea_sim.trace.run_place import check_run_folder, named, partial_of
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.trace.store import RunFolder
from panacea_sim.trace.summary import Summary

__all__ = ["RESULTS", "check_place", "cores", "fail_unless_exact", "simulate", "study_document"]

_DEFAULT_RUNS = Path("runs")
RESULTS = "results.csv"


def simulate(found: Scenario | Study, options: SimulationOptions, notes: Sequence[str] = ()) -> None:
    """Simulate a scenario, or every scenario of a study, into a run folder, and report.

    `notes` are lines of the report on what a scenario is. Ends with 1 after a run whose values are not exact.
    """
    folder = check_place(found.name, options)
    with telling_what_is_kept(folder, partial_of(folder)):
        if isinstance(found, Study):
            _run_study(found, options, folder)
        else:
            _run_one(found, options, folder, notes)


def check_place(name: str, options: SimulationOptions) -> Path:
    """Return the run folder of what is called so; raises ConfigError if it may not be written."""
    folder = named(_DEFAULT_RUNS / name if options.out is None else options.out)
    check_run_folder(folder, force=options.force)
    return folder


def _run_one(scenario: Scenario, options: SimulationOptions, folder: Path, notes: Sequence[str]) -> None:
    run_options = _run_options(options, folder)
    outcome = _run_with_progress(prepare(_as_asked(scenario, options), options.engine), run_options)
    try:
        if options.as_json:
            print(json.dumps(outcome.summary.to_json(), indent=2))  # noqa: T201  # rich would wrap it
        else:
            _print_one(output_console(), outcome, notes)
    finally:
        fail_unless_exact([outcome.summary])


def _print_one(console: Console, outcome: RunOutcome, notes: Sequence[str]) -> None:
    """Print what bounds an explained run, its report, notes, and where it is; of others, how they can be explained."""
    summary, folder = outcome.summary, outcome.folder
    lines = [*notes, f"Run folder: {folder}"]
    if summary.explanation is not None:
        # It takes a while to import.
        from panacea_sim.explanation.diagnosis import bound_of
        from panacea_sim.report.why import first_line

        console.print(first_line(summary, bound_of(summary.explanation.classes, summary)), soft_wrap=True)
        lines.append(f"What to change: panacea-sim why {folder}")
    elif summary.trace is not None and summary.trace.level == "full":
        lines.append(f"Not explained yet: panacea-sim why {folder}")
    else:
        lines.append("Not explained: run it with --explain to see why it takes so long")
    print_run(console, summary)
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _run_study(study: Study, options: SimulationOptions, target: Path) -> None:
    """Run every scenario of a study into a folder of its own, below that of the study."""
    # Everything is checked before the first run begins, so that bad input leaves nothing behind.
    run_options = _run_options(options, target)
    prepared = [prepare(_as_asked(scenario, options), options.engine) for scenario in study.scenarios]
    for each in prepared:
        chosen_engine(run_options.engine, values=each.values_way == "travel")
    summaries: dict[str, Summary] = {}
    names = [each.scenario.name for each in prepared]
    with RunFolder(target, force=options.force) as folder, _counting(names, folder, summaries):
        # The names say whose runs these are, also if the study does not reach its end.
        folder.write_json("summary.json", study_document(study.name, dict.fromkeys(names)) | {"partial": True})
        for name, each in zip(names, prepared, strict=True):
            summaries[name] = _run_with_progress(each, replace(run_options, folder=folder.path / name)).summary
        document = study_document(study.name, {name: summary.to_json() for name, summary in summaries.items()})
        folder.write_json("summary.json", document)
        with new_file(folder.path / RESULTS, force=True) as beside:
            write_study_rows(beside, summaries)
        folder.complete()
    try:
        if options.as_json:
            print(json.dumps(document, indent=2))  # noqa: T201  # rich would wrap it
        else:
            console = output_console()
            print_study(console, study.description or study.name, summaries)
            for text in (f"Run folders: {folder.target}", f"Figures: {folder.target / RESULTS}"):
                console.print(text, markup=False, highlight=False, soft_wrap=True)
    finally:
        fail_unless_exact(list(summaries.values()))


def study_document(name: str, runs: Mapping[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Return the summary.json of a study, with those of its runs, None where one is not done."""
    return {"schema": SCHEMA_VERSION, "study": name, "runs": dict(runs)}


@contextmanager
def _counting(names: Sequence[str], folder: RunFolder, done: Mapping[str, Summary]) -> Iterator[None]:
    """Say of a study that is stopped, by an error or an interrupt, how many of its runs are complete."""
    try:
        yield
    except (PanaceaError, KeyboardInterrupt) as error:
        if folder.is_left():
            error.add_note(f"{len(done)} of {len(names)} runs of the study are complete in {folder.path}")
        raise


def _as_asked(scenario: Scenario, options: SimulationOptions) -> Scenario:
    """Return the scenario on the machine, with the schedule and the values that the user asked for."""
    hardware, given = (options.hardware, {}) if options.hardware else (scenario.hardware, scenario.settings)
    found = scenario.with_hardware(options.hardware, parse_settings(options.settings or (), hardware, given))
    return replace(found, schedule=options.schedule or found.schedule, values=options.values or found.values)


def _run_options(options: SimulationOptions, folder: Path) -> RunOptions:
    """Return how to run into `folder`; raises ConfigError for a bad window."""
    return RunOptions(
        folder,
        force=options.force,
        trace=TraceOptions(options.trace or "full", parse_window(options.window)),
        log_level=options.log_level,
        engine=options.engine,
        workers=options.workers or cores(),
        memoize=options.memoize,
        explain=options.explain,
    )


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_with_progress(prepared: Prepared | PreparedLayers, options: RunOptions) -> RunOutcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        name = prepared.scenario.name
        task = bar.add_task(f"{name}: output tiles", total=None)

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        def show_layers(done: int, total: int) -> None:
            bar.update(task, description=f"{name}: {done} of {total} layers, output tiles")

        outcome = run(prepared, replace(options, progress=show, layer_progress=show_layers))
    _warn_of_a_late_window(outcome.summary, options.trace)
    return outcome


def _warn_of_a_late_window(summary: Summary, trace: TraceOptions) -> None:
    window, end_cycle = trace.window, summary.makespan_cycles
    if window is not None and window[0] >= end_cycle and trace.level != "off":
        text = f"{summary.scenario} ended at cycle {end_cycle}, before --window {window_text(window)}"
        tell(f"warning: nothing was recorded: {text}")


def fail_unless_exact(summaries: Sequence[Summary]) -> None:
    """End with 1 where values of a run are not exact."""
    if any(summary.exact is False for summary in summaries):
        raise typer.Exit(1)
