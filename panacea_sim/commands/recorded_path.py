"""The critical path for what draws it on the tracks of a run, or a note that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from panacea_sim.commands.output import tell

if TYPE_CHECKING:
    import pyarrow as pa

    from panacea_sim.trace.stored_run import StoredRun

__all__ = ["path_or_note"]


def path_or_note(run: StoredRun) -> pa.Table | None:
    """Return the critical path of a stored run stretch by stretch; None, after a note, where it cannot be known."""
    from panacea_sim.explanation.known import path_obstacle

    obstacle = path_obstacle(run)
    if obstacle is not None:
        tell(f"{run.path}: without the critical path: {obstacle}")
        return None
    from panacea_sim.explanation.explained import recorded_segments

    return recorded_segments(run)
