"""Whether the figures of a summary go with each other as far as a comparison relies on it."""

from __future__ import annotations

from panacea_sim.errors import ConfigError
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["check_sound"]

_HINT = "Run the scenario again"


def check_sound(run: StoredRun) -> None:
    """Raise ConfigError for a summary with parts that its machine does not have, without a state, or without an end."""
    summary, path = run.summary, run.path / "summary.json"
    if summary is None:
        return
    known = ", ".join(run.sections)
    for key, of_parts in (("components", summary.components), ("stalls", summary.stalls), ("actions", summary.actions)):
        for name in of_parts:
            if name not in run.sections:
                raise ConfigError(f"{path}: {key}", repr(name), f"the parts of its machine: {known}", _HINT)
    for name, cycles in summary.components.items():
        if set(cycles) != set(State):
            found = f"the states {', '.join(cycles) or 'none'}"
            raise ConfigError(f"{path}: components.{name}", found, f"{', '.join(State)}", _HINT)
    if not summary.makespan_cycles:
        raise ConfigError(f"{path}: makespan_cycles", 0, "a whole number >= 1", _HINT)
    for name in summary.operator_names:
        if not summary.operators.get(f"{name}_capacity"):
            raise ConfigError(f"{path}: operators.{name}_capacity", "no cycle", "a whole number >= 1", _HINT)
