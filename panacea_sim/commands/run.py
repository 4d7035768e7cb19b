"""`panacea-sim run` and `panacea-sim gemm`: scenarios and layers, simulated with progress and reported."""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from panacea_sim.engines.choice import Engine, chosen_engine
from panacea_sim.hardware.config import parse_settings
from panacea_sim.report.terminal import print_run, print_study
from panacea_sim.running.prepare import Prepared, PreparedLayers, prepare
from panacea_sim.running.run import Interrupted, RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario, Schedule, Study, load_scenario
from panacea_sim.trace.options import TraceOptions, parse_window, window_text
from panacea_sim.trace.run_log import LogLevel
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.trace.store import RunFolder
from panacea_sim.trace.summary import Summary

__all__ = ["gemm_command", "run_command"]

DEFAULT_RUNS = Path("runs")
INTERRUPTED = 130


@dataclass(frozen=True)
class Options:
    """The options that every command which simulates has; typer reads them from the fields."""

    out: Annotated[Path | None, typer.Option(help="Run folder to write (default: runs/NAME).")] = None
    hardware: Annotated[str | None, typer.Option(help="Preset or YAML file instead of the scenario's.")] = None
    settings: Annotated[list[str] | None, typer.Option("--set", help="One field, as hardware.n_dwo=8.")] = None
    engine: Annotated[Engine, typer.Option(help="auto: compiled where no values travel, else reference.")] = "auto"
    trace: Annotated[Literal["off", "stalls", "full"], typer.Option(help="What to record.")] = "full"
    window: Annotated[str | None, typer.Option(help="Record only what overlaps the cycles A:B.")] = None
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json and nothing else.")] = False
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run folder.")] = False
    log_level: Annotated[LogLevel, typer.Option(help="What goes into log.jsonl.")] = "info"
    schedule: Annotated[Schedule | None, typer.Option(help="How layers follow each other, instead of as given.")] = None
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes for layers that run alone (default: one a core).")
    ] = None
    memoize: Annotated[bool, typer.Option(help="Simulate equal layers that run alone once.")] = True

    def applied_to(self, scenario: Scenario) -> Scenario:
        """Return the scenario on the machine that the user asked for."""
        found = scenario.with_hardware(self.hardware, parse_settings(self.settings or ()))
        return found if self.schedule is None else replace(found, schedule=self.schedule)

    def run_options(self, folder: Path) -> RunOptions:
        """Return how to run into `folder`; raises ConfigError for a bad window."""
        trace = TraceOptions(self.trace, parse_window(self.window))
        return RunOptions(
            folder,
            force=self.force,
            trace=trace,
            log_level=self.log_level,
            engine=self.engine,
            workers=self.workers or _cores(),
            memoize=self.memoize,
        )


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM, which batch systems send, keep what an interrupt keeps; but not where somebody else handles it."""
    if (
        signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _with_options(command: Callable[[Path, Options], None]) -> Callable[..., None]:
    """Give a command all Options as parameters of its own, because typer knows no groups of parameters."""
    fields = get_type_hints(Options, include_extras=True)
    signature = inspect.signature(command)
    own = next(iter(signature.parameters.values()))
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=getattr(Options, name))
        for name, kind in fields.items()
    ]

    def call(**arguments: Any) -> None:  # noqa: ANN401  # typer fills them in by name
        # Interrupts are told here: typer would end without a word.
        try:
            with _termination_as_interrupt():
                command(arguments.pop(own.name), Options(**arguments))
        except KeyboardInterrupt as stop:
            partial = stop.partial if isinstance(stop, Interrupted) else None
            kept = f"what was recorded is in {partial}" if partial else "nothing was written"
            print(f"interrupted: {kept}", file=sys.stderr)  # noqa: T201  # the terminal may be in any state
            raise typer.Exit(INTERRUPTED) from None

    own_kind = get_type_hints(command, include_extras=True)[own.name]
    call.__signature__ = inspect.Signature([own.replace(annotation=own_kind), *parameters])  # type: ignore[attr-defined]
    call.__annotations__ = {own.name: own_kind, **fields}
    call.__doc__ = command.__doc__
    return call


@_with_options
def run_command(
    scenario: Annotated[Path, typer.Argument(help="A scenario script, or the scenario.yaml of a run folder.")],
    options: Options,
) -> None:
    """Run a scenario and report where the time went."""
    found = load_scenario(scenario)
    if isinstance(found, Study):
        _run_study(found, options)
    else:
        _run_one(found, options)


@_with_options
def gemm_command(
    layer: Annotated[Path, typer.Argument(help="A LAYER.npz file with weight, activation and zero_point.")],
    options: Options,
) -> None:
    """Simulate your own layer."""
    _run_one(Scenario(layer.stem, layer), options)


def _run_one(scenario: Scenario, options: Options) -> None:
    run_options = options.run_options(options.out or DEFAULT_RUNS / scenario.name)
    outcome = _run_with_progress(prepare(options.applied_to(scenario), options.engine), run_options)
    if options.as_json:
        print(json.dumps(outcome.summary.to_json(), indent=2))  # noqa: T201  # rich would wrap it
    else:
        console = Console()
        print_run(console, outcome.summary)
        console.print(f"Run folder: {outcome.folder}", markup=False, highlight=False, soft_wrap=True)
    _fail_unless_exact([outcome.summary])


def _run_study(study: Study, options: Options) -> None:
    """Run every scenario of a study into a folder of its own, below that of the study."""
    # Everything is checked before the first run begins, so that bad input leaves nothing behind.
    run_options = options.run_options(options.out or DEFAULT_RUNS / study.name)
    prepared = [prepare(options.applied_to(scenario), options.engine) for scenario in study.scenarios]
    for each in prepared:
        chosen_engine(run_options.engine, values=each.scenario.values)
    assert run_options.folder is not None
    folder = RunFolder(run_options.folder, force=options.force)
    summaries = {}
    for each in prepared:
        name = each.scenario.name
        summaries[name] = _run_with_progress(each, replace(run_options, folder=folder.path / name)).summary
    document = {
        "schema": SCHEMA_VERSION,
        "study": study.name,
        "runs": {name: summary.to_json() for name, summary in summaries.items()},
    }
    folder.write_json("summary.json", document)
    folder.complete()
    if options.as_json:
        print(json.dumps(document, indent=2))  # noqa: T201  # rich would wrap it
    else:
        console = Console()
        print_study(console, study.description or study.name, summaries)
        console.print(f"Run folders: {folder.target}", markup=False, highlight=False, soft_wrap=True)
    _fail_unless_exact(list(summaries.values()))


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
        print(f"warning: nothing was recorded: {text}", file=sys.stderr)  # noqa: T201  # --json leaves only this stream


def _fail_unless_exact(summaries: Sequence[Summary]) -> None:
    if any(summary.exact is False for summary in summaries):
        raise typer.Exit(1)
