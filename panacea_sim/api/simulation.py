"""Simulating from Python: what is to be simulated, on which machine, and what is to be recorded; no files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from panacea_sim.api.own_folder import OwnFolder
from panacea_sim.api.pages import check_window
from panacea_sim.api.run import Outputs, Run
from panacea_sim.api.words import in_python_words
from panacea_sim.api.workloads import HardwareLike, WorkloadLike, asked_machine, asked_scenario
from panacea_sim.checks import require_choice
from panacea_sim.choices import Engine, Schedule, ValuesChoice
from panacea_sim.errors import ConfigError, PanaceaError
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.network_file import NetworkSizes
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import Interrupted, RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.workload import NetworkOptions
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.stored_run import open_run

__all__ = ["simulate"]

TraceLevel = Literal["off", "stalls", "full"]


@in_python_words()
def simulate(  # noqa: PLR0913  # what can be asked, each by its name
    workload: WorkloadLike,
    *,
    hardware: HardwareLike | None = None,
    set: Mapping[str, object] | None = None,  # noqa: A002  # the option's name
    explain: bool = False,
    trace: TraceLevel | None = None,
    window: tuple[int, int] | None = None,
    values: ValuesChoice | None = None,
    schedule: Schedule | None = None,
    engine: Engine = "auto",
    workers: int = 1,
    name: str | None = None,
    phase: Literal["prefill", "decode"] | None = None,
    tokens: int | None = None,
    context: int | None = None,
    batch: int | None = None,
    weight_bits: int | None = None,
    profile: str | Path | None = None,
    shape: Mapping[str, Sequence[int]] | None = None,
) -> Run:
    """Simulate a layer or a network, and return the run; nothing is left on disk unless the run is saved.

    `workload` is a GemmLayer, a MaskedLayer, several of them, a Scenario, the graph of a network, the path of a
    LAYER.npz, of a scenario or of a network (.csv, .yaml, .onnx), or the name of a layer (`panacea-sim list layers`) or
    a model (`panacea-sim list workloads`). Of networks `phase`, `tokens`, `context`, `batch`, `weight_bits`, `profile`
    and, of ONNX models, `shape` (input: sizes) say what the options of `panacea-sim run` say. Real operands come in
    through `quantize`, a model with samples through `model_scenario`.

    `hardware` is a preset, a YAML file, the fields of one, or a Hardware; `set` replaces fields of it, named alone
    (`n_dwo`) or by their path (`hardware.n_dwo`). With `explain` critical path and root causes are found, as `why`
    shows them. `trace` is what is recorded: full by default, off for networks; `window` confines it to the cycles from
    A to before B. `values`, `schedule` and `engine` are those of a Scenario and of `panacea-sim run`. `workers` is in
    how many processes layers run that run alone; with more than one, a script keeps its own work below
    `if __name__ == "__main__"`.

    Raises ConfigError for what cannot be used, with what is accepted; MappingError for a layer that does not fit; and
    DeadlockError for a machine that cannot go on.
    """
    sizes = NetworkSizes(phase, tokens, context, batch, None, _shapes(shape))
    options = NetworkOptions(sizes, weight_bits, None if profile is None else str(profile))
    found, is_network = asked_scenario(workload, asked_machine(hardware, set), options)
    _check_words(engine, trace)
    scenario = replace(
        found,
        name=found.name if name is None else name,
        schedule=schedule or found.schedule,
        values=found.values if values is None else values,
    )
    level = trace or ("off" if is_network else "full")
    asked = RunOptions(trace=TraceOptions(level, check_window(window)), engine=engine, workers=workers, explain=explain)
    return _simulated(scenario, asked)


def _simulated(scenario: Scenario, options: RunOptions) -> Run:
    prepared = prepare(scenario, options.engine)
    folder = OwnFolder()
    target = folder.path / scenario.name
    with _removed_if_stopped(folder), shown_progress(f"{scenario.name}: output tiles") as show:
        outcome = run(prepared, replace(options, folder=target, progress=show))
        return Run(open_run(target), _outputs(outcome), folder)


@contextmanager
def _removed_if_stopped(folder: OwnFolder) -> Iterator[None]:
    """Remove the folder of a run that does not reach its end, and send nobody to it."""
    try:
        yield
    except BaseException as error:
        folder.close()
        if isinstance(error, Interrupted):
            error.partial = None
        if isinstance(error, PanaceaError) and hasattr(error, "__notes__"):
            error.__notes__ = [note for note in error.__notes__ if str(folder.path) not in note]
        raise


def _outputs(outcome: RunOutcome) -> Outputs | None:
    """Return what came out of the layers of one simulation; None where no values were compared."""
    prepared = outcome.prepared
    if not isinstance(prepared, Prepared) or prepared.values is None:
        return None
    return {layer.name: each for layer, each in zip(prepared.layers, prepared.values.accumulators, strict=True)}


def _check_words(engine: Engine, trace: TraceLevel | None) -> None:
    require_choice("engine", engine, get_args(Engine))
    if trace is not None:
        require_choice("trace", trace, get_args(TraceLevel))


def _shapes(shape: Mapping[str, Sequence[int]] | None) -> tuple[str, ...]:
    """Return shapes as their option is written, which is checked where it is read."""
    if shape is not None and not isinstance(shape, Mapping):
        raise ConfigError(
            "shape", repr(shape), "inputs with their sizes", "For example shape={'image': (1, 3, 224, 224)}"
        )
    return tuple(f"{name}={','.join(map(str, np.ravel(sizes)))}" for name, sizes in (shape or {}).items())
