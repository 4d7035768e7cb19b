"""Which engine runs, and the door to both."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping

from panacea_sim.choices import ChosenEngine, Engine
from panacea_sim.description.description import Description
from panacea_sim.description.worker import Worker
from panacea_sim.engines.compiled.availability import compiled_obstacle
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.engines.result import EngineResult
from panacea_sim.errors import ConfigError
from panacea_sim.trace.recorder import Recorder

__all__ = ["ChosenEngine", "Engine", "chosen_engine", "run_engine"]


def chosen_engine(engine: Engine, *, values: bool) -> ChosenEngine:
    """Return the engine that runs, where values travel or not; `auto` warns where numba is there but broken.

    Raises ConfigError if the compiled engine is asked for and cannot run.
    """
    if engine == "reference" or (engine == "auto" and values):
        return "reference"
    obstacle = compiled_obstacle()
    if engine == "compiled" and obstacle is not None:
        raise ConfigError(
            "--engine", f"compiled, but {obstacle.reason}", "reference, or a numba that works", obstacle.hint
        )
    if values:
        hint = "Choose --engine auto, or --values off"
        raise ConfigError("--engine", "compiled, with values that travel", "reference where values travel", hint)
    if obstacle is None:
        return "compiled"
    if obstacle.is_broken:
        message = f"the reference engine runs instead of the compiled one: {obstacle.reason}"
        warnings.warn(message, RuntimeWarning, stacklevel=1)  # one place, so that it is told once
    return "reference"


def run_engine(
    engine: ChosenEngine,
    description: Description,
    recorder: Recorder,
    workers: Mapping[str, Worker] | None = None,
    keep_times: Collection[str] = (),
    watch: Mapping[str, Callable[[int], None]] | None = None,
) -> EngineResult:
    """Run a description on an engine; the arguments are those of `run_reference`.

    Only the reference engine takes workers. `watch` is called after each firing or, by the compiled engine, now and
    then.
    """
    if engine == "reference":
        return run_reference(description, recorder, workers, keep_times, watch)
    # It takes a while to import and need not be installed.
    from panacea_sim.engines.compiled.engine import run_compiled  # noqa: PLC0415

    return run_compiled(description, recorder, keep_times, watch)
