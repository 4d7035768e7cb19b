"""Machines against each other: all tasks in processes, and what they gave side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from panacea_sim.analysis.versus.contender import Accuracy, Contender, Part, Ran
from panacea_sim.analysis.versus.verdicts import BEST, POOLED
from panacea_sim.engines.choice import chosen_engine
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.available_memory import processes_that_fit
from panacea_sim.running.host_memory import RunKind, run_bytes
from panacea_sim.running.loaded_engine import load_compiled_engine
from panacea_sim.running.processes import opened_executor
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.machines import Entrant
from panacea_sim.running.versus.splits import split_text, splits_of
from panacea_sim.running.versus.task import Outcome, Task, run_task
from panacea_sim.workload.layer import AnyLayer

__all__ = ["Bout", "Progress", "champion_of", "contest", "run_names"]

Progress = Callable[[int, int], None]
"""Called with the number of machines that are done, and of all."""


@dataclass(frozen=True)
class Bout:
    """The same workload for all machines: what the scales of the weights are, the profile, a scenario for each.

    `accuracies` are what is left of the outputs in the quantization of each machine, where that is known beforehand.
    """

    weights: str
    profile: str | None
    scenarios: tuple[Scenario, ...]
    accuracies: tuple[Accuracy | None, ...] = ()


def champion_of(machines: Sequence[Entrant]) -> str | None:
    """Return the first machine with operators of several kinds, None where there is none."""
    return next((each.name for each in machines if splits_of(each.hardware)), None)


def contest(
    machines: Sequence[Entrant],
    bouts: Sequence[Bout],
    progress: Progress,
    *,
    workers: int,
    device: str | None = None,
    judge: AnyLayer | None = None,
    folder: Path | None = None,
) -> tuple[Part, ...]:
    """Run all machines on all bouts, each different run once, in up to so many processes.

    Raises ConfigError or MappingError for what cannot be run, and WorkerError. `folder` gets a run folder for each run.
    """
    named = zip(bouts, _task_names(machines, bouts), strict=True)
    planned = [
        [
            Task(name, replace(scenario, hardware=each.hardware, settings={}), each.hardware, folder, judge)
            for name, each, scenario in zip(names, machines, bout.scenarios, strict=True)
        ]
        for bout, names in named
    ]
    keys = [[task.scenario.digest() for task in of_bout] for of_bout in planned]
    tasks: dict[str, Task] = {}
    for of_bout, known in zip(planned, keys, strict=True):
        for key, task in zip(known, of_bout, strict=True):
            tasks.setdefault(key, task)
    outcomes = dict(zip(tasks, _outcomes(list(tasks.values()), workers, progress), strict=True))
    parts = []
    for bout, known in zip(bouts, keys, strict=True):
        own = [outcomes[key] for key in known]
        accuracies = bout.accuracies or tuple(each.accuracy for each in own)
        contenders = [
            contender
            for machine, outcome, accuracy in zip(machines, own, accuracies, strict=True)
            for contender in _contenders(machine.name, replace(outcome, accuracy=accuracy), device)
        ]
        parts.append(Part(bout.weights, bout.profile, tuple(contenders)))
    return tuple(parts)


def run_names(machines: Sequence[Entrant], bouts: Sequence[Bout]) -> list[str]:
    """Return the names that run folders may have; a machine to which bouts are all the same runs once."""
    return [name + more for names in _task_names(machines, bouts) for name in names for more in ("", BEST)]


def _task_names(machines: Sequence[Entrant], bouts: Sequence[Bout]) -> list[list[str]]:
    """Return the name of each machine in each bout: its own in the first one, with the weights behind it in others."""
    suffixes = ["", *(f"-{bout.weights.replace(' ', '_')}" for bout in bouts[1:])]
    return [[each.name + suffix for each in machines] for suffix in suffixes]


def _outcomes(tasks: Sequence[Task], workers: int, progress: Progress) -> list[Outcome]:
    """Return the outcomes in the order of the tasks; those with several runs begin first."""
    order = sorted(range(len(tasks)), key=lambda number: not splits_of(tasks[number].hardware))
    found: dict[int, Outcome] = {}
    compiles = chosen_engine("auto", values=False) == "compiled"
    fitting = min(len(tasks), processes_that_fit(workers, max(map(_needed_bytes, tasks))))
    if any(task.folder is not None for task in tasks):
        # Run folders in a folder that is not complete belong to the process that holds it: its layers are dealt out.
        tasks, fitting = [replace(task, workers=fitting) for task in tasks], 1
    progress(0, len(tasks))
    with opened_executor(fitting, work="machine", meanwhile=load_compiled_engine if compiles else None) as executor:
        for number, outcome in executor.results(run_task, [tasks[each] for each in order]):
            found[order[number]] = outcome
            progress(len(found), len(tasks))
    return [found[number] for number in range(len(tasks))]


def _needed_bytes(task: Task) -> int:
    layers = task.scenario.known_layers()
    alone = task.scenario.schedule == "barrier" or len(layers) == 1
    kind = RunKind(chosen_engine("auto", values=False), at_once=1 if alone else None)
    return run_bytes(layers, task.hardware, kind)


def _contenders(name: str, outcome: Outcome, device: str | None) -> list[Contender]:
    """Return the machine, and where its operators are of several kinds its best split and the bound of all splits."""
    found = [_ran(name, outcome.preset, outcome, device, "")]
    if outcome.best is not None:
        found.append(_ran(name + BEST, outcome.best, outcome, device, ", best split"))
    if outcome.pooled is not None:
        bound = outcome.pooled
        found.append(
            Contender(
                name + POOLED,
                "bound of any split",
                None,
                outcome.accuracy,
                bound_cycles=bound.cycles,
                bound_compute_cycles=bound.compute_cycles,
            )
        )
    return found


def _ran(name: str, ran: Ran, outcome: Outcome, device: str | None, more: str) -> Contender:
    return Contender(name, f"{_said(ran.hardware)}{more}", ran, outcome.accuracy, device=device)


def _said(hardware: Hardware) -> str:
    """Return what tells the machine from others of its kind: its split, and whether tiles are doubled."""
    split = split_text(hardware)
    return f"{split} with DTP" if split and max(machine_of(hardware).heights(hardware)) > 1 else split
