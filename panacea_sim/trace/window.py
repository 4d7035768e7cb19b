"""Windows of cycles in a recorded run."""

from __future__ import annotations

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from panacea_sim.errors import ConfigError
from panacea_sim.trace.recorder import window_text
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["chosen_window", "recorded_span", "within", "within_cycle"]


def recorded_span(run: StoredRun) -> tuple[int, int]:
    """Return the first cycle of the recorded activities and the first one after them, from the file's statistics.

    Raises ConfigError if no activity was recorded.
    """
    path = run.path / "activities.parquet"
    run.dataset("activities")
    metadata = pq.read_metadata(path)
    columns = {metadata.schema.column(index).name: index for index in range(metadata.num_columns)}
    groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
    groups = [group for group in groups if group.num_rows]
    if not groups:
        raise ConfigError(f"{path}", "no activity", "a run in which something was recorded", "Run with --trace full")
    starts = [group.column(columns["start_cycle"]).statistics.min for group in groups]
    ends = [group.column(columns["end_cycle"]).statistics.max for group in groups]
    return int(min(starts)), int(max(ends))


def chosen_window(run: StoredRun, window: tuple[int, int] | None) -> tuple[int, int]:
    """Return the part of `window` that was recorded, or all of it; raises ConfigError if there is none."""
    first_cycle, last_cycle = recorded_span(run)
    if window is None:
        return first_cycle, last_cycle
    chosen = max(window[0], first_cycle), min(window[1], last_cycle)
    if chosen[0] >= chosen[1]:
        accepted = f"a window that overlaps the recorded cycles {first_cycle}:{last_cycle}"
        raise ConfigError("--window", window_text(window), accepted)
    return chosen


def within(window: tuple[int, int] | None) -> ds.Expression | None:
    """Return the filter for rows with start_cycle and end_cycle that overlap `window`; None keeps all."""
    if window is None:
        return None
    return (ds.field("start_cycle") < window[1]) & (ds.field("end_cycle") > window[0])


def within_cycle(window: tuple[int, int] | None) -> ds.Expression | None:
    """Return the filter for rows with cycle that are in `window`; None keeps all."""
    return None if window is None else (ds.field("cycle") >= window[0]) & (ds.field("cycle") < window[1])
