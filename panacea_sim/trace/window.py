"""Windows of cycles in a recorded run."""

from __future__ import annotations

import pyarrow.dataset as ds

from panacea_sim.errors import ConfigError
from panacea_sim.trace.options import window_text
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["changes_within", "check_recorded", "chosen_window", "left_out", "within", "within_cycle"]


def check_recorded(run: StoredRun) -> None:
    """Raise ConfigError if not a single cycle of the run was recorded."""
    first_cycle, last_cycle = run.recorded_cycles
    if first_cycle < last_cycle:
        return
    accepted = "a run in which something was recorded"
    if run.window is None:
        raise ConfigError(f"{run.path}", "a trace without rows", accepted, "It stopped before it recorded anything")
    found = f"no recorded cycle: --window {window_text(run.window)} of the run lay behind its end at {last_cycle}"
    raise ConfigError(f"{run.path}", found, accepted, f"Run again with a --window before cycle {last_cycle}")


def chosen_window(run: StoredRun, window: tuple[int, int] | None) -> tuple[int, int]:
    """Return the part of `window` that was recorded, or all of it.

    Raises ConfigError if there is none, or if no activities were recorded.
    """
    run.dataset("activities")
    check_recorded(run)
    first_cycle, last_cycle = run.recorded_cycles
    if window is None:
        return first_cycle, last_cycle
    chosen = max(window[0], first_cycle), min(window[1], last_cycle)
    if chosen[0] >= chosen[1]:
        accepted = f"a window that overlaps the recorded cycles {first_cycle}:{last_cycle}"
        raise ConfigError("--window", window_text(window), accepted)
    return chosen


def left_out(run: StoredRun) -> list[str]:
    """Return what of the run was not recorded by choice, in sentences for whoever looks at the rest."""
    sentences = []
    first_cycle, last_cycle = run.recorded_cycles
    if run.window is not None and (first_cycle, last_cycle) != (0, run.end_cycle):
        of = "" if run.is_partial else f" of {run.end_cycle:,}"
        sentences.append(f"Only the cycles {first_cycle:,} to {last_cycle:,}{of} were recorded (--window).")
    missing = [state.value for state in State if state not in run.recorded_states]
    if missing:
        sentences.append(f"{' and '.join(missing).capitalize()} were not recorded (--trace stalls).")
    return sentences


def within(window: tuple[int, int] | None) -> ds.Expression | None:
    """Return the filter for rows with start_cycle and end_cycle that overlap `window`; None keeps all."""
    if window is None:
        return None
    return (ds.field("start_cycle") < window[1]) & (ds.field("end_cycle") > window[0])


def changes_within(run: StoredRun, span: tuple[int, int]) -> ds.Expression:
    """Return the filter for changes of queues in `span`; the last write of a run empties its memory when it is over."""
    inside = (ds.field("cycle") >= span[0]) & (ds.field("cycle") < span[1])
    return inside | (ds.field("cycle") == span[1]) if span[1] == run.end_cycle else inside


def within_cycle(window: tuple[int, int] | None) -> ds.Expression | None:
    """Return the filter for rows with cycle that are in `window`; None keeps all."""
    return None if window is None else (ds.field("cycle") >= window[0]) & (ds.field("cycle") < window[1])
