"""One machine on a workload, in this process or another one: its run, and those of its best split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from panacea_sim.analysis.versus.contender import Accuracy, Ran
from panacea_sim.analysis.versus.verdicts import BEST
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.splits import PooledBound, best_splits, pooled_bound, splits_of
from panacea_sim.running.whatif.data_knobs import exact_outputs, sqnr_db
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer, loaded

__all__ = ["Outcome", "Task", "run_task"]

_TRIED_SPLITS = 2
"""Splits with the least bounds that are simulated, beside that of the preset."""


@dataclass(frozen=True)
class Task:
    """A machine on a workload: a scenario with a resolved machine.

    `folder` is where run folders go, None: nowhere. `judge` is the layer whose products are the truth of accuracy,
    None where that is not known. `workers` is in how many processes layers run.
    """

    name: str
    scenario: Scenario
    hardware: Hardware
    folder: Path | None
    judge: AnyLayer | None
    workers: int = 1


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a task gave; `best` and `pooled` are None for a machine whose operators are of one kind."""

    preset: Ran
    best: Ran | None
    pooled: PooledBound | None
    accuracy: Accuracy | None


def run_task(task: Task) -> Outcome:
    """Run the machine as it is, then with the splits that may be best; raises ConfigError or MappingError."""
    try:
        return _outcome(task)
    except MappingError as error:
        raise MappingError(f"{task.name}: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{task.name}: {error.field}", error.found, error.accepted, error.hint) from error


def _outcome(task: Task) -> Outcome:
    preset = _run(task, task.hardware, task.name)
    if not splits_of(task.hardware):
        return Outcome(preset, None, None, _accuracy(task))
    layers = task.scenario.known_layers()
    tried = [preset, *_tried(task, layers)]
    best = min(tried, key=lambda each: each.summary.makespan_cycles)
    if task.folder is not None:
        best = _run(task, best.hardware, task.name + BEST)
    return Outcome(preset, best, pooled_bound(layers, task.hardware), _accuracy(task))


def _tried(task: Task, layers: tuple[AnyLayer, ...]) -> Iterator[Ran]:
    for hardware in best_splits(layers, task.hardware, _TRIED_SPLITS):
        if hardware != task.hardware:
            yield _run(task, hardware, None)


def _run(task: Task, hardware: Hardware, name: str | None) -> Ran:
    """Run the scenario on a machine, into a folder of a name if folders are kept."""
    folder = None if task.folder is None or name is None else task.folder / name
    scenario = replace(task.scenario, name=name or task.name, hardware=hardware, settings={})
    options = RunOptions(
        folder, trace=TraceOptions("off"), log_level="error" if folder is None else "info", workers=task.workers
    )
    return Ran(hardware, run(scenario, options).summary)


def _accuracy(task: Task) -> Accuracy | None:
    """Return what is left of the outputs in the quantization of the machine."""
    if task.judge is None:
        return None
    judge, (given,) = loaded(task.judge), map(loaded, task.scenario.known_layers())
    assert isinstance(judge, GemmLayer)
    assert isinstance(given, GemmLayer)
    own = machine_of(task.hardware).own(given)
    return Accuracy(sqnr_db(own, exact_outputs(judge)))
