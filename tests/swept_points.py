"""Small design spaces, and evaluations that go wrong in workers; workers import this module."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from panacea_sim.exploring.evaluate import Task, evaluate_all
from panacea_sim.exploring.maker import Base
from panacea_sim.exploring.record import Record
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

__all__ = ["MACHINE", "empty", "killing", "small_sweep", "tiny"]

MACHINE = {"n_pea": 2, "dram": "ideal", "loop_order": "mnk", "residency": "resident", "dtp": "off", "psum_bytes": 4096}


def tiny(name: str = "tiny") -> Scenario:
    """Return a scenario that takes some milliseconds."""
    return Scenario(name, synthetic_layer(16, 16, 8, 0.3, 0.5, 1, name="tiny"), settings=MACHINE)


def small_sweep(**changes: object) -> Sweep:
    """Return a sweep of 12 points, of which 6 need what no machine can have or does not fit."""
    fields: dict[str, object] = {
        "name": "small",
        "scenario": tiny(),
        "axes": {"hardware.n_dwo": [4, 8], "hardware.n_swo": [0, 4], "hardware.wmem_bytes": [1, 4096, 8192]},
    }
    return Sweep(**fields | changes)


def empty(_base: Base, tasks: Sequence[Task]) -> list[bytes]:
    """Evaluate nothing: what is left is the overhead of a point."""
    return [Record(task.key, "ok", {"cycles": 1}).to_bytes() for task in tasks]


def killing(base: Base, tasks: Sequence[Task]) -> list[bytes]:
    """Evaluate, but kill the worker at points with 7 dynamic operators; note each attempt in the file TRIED."""
    for task in tasks:
        if task.settings["hardware.n_dwo"] == 7:
            with Path(os.environ["TRIED"]).open("a") as file:
                file.write(f"{len(tasks)}\n")
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGKILL)
    return evaluate_all(base, tasks)
