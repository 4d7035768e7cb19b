"""What can be known of why a stored run took so long, and what stands in the way."""

from __future__ import annotations

from panacea_sim.explanation.explanation import Explanation
from panacea_sim.explanation.folder import stored_explanation
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["known_explanation", "path_obstacle", "stalls_obstacle"]


def known_explanation(run: StoredRun) -> Explanation | None:
    """Return the explanation in a run's folder, or that of a run that was recorded whole; None for others."""
    stored = stored_explanation(run)
    if stored is not None or path_obstacle(run) is not None:
        return stored
    # The walk takes a while to import.
    from panacea_sim.explanation.explained import explained  # noqa: PLC0415

    return explained(run)


def stalls_obstacle(run: StoredRun) -> str | None:
    """Return why the stalls of a stored run cannot be followed one by one, None where they can be."""
    if run.summary is None:
        return "the run has not reached its end"
    if run.heading.topology is None:
        return f"a run of schema {run.heading.schema_version} does not say what joins its components"
    if run.level != "full":
        return "nothing was recorded" if run.level == "off" else "only stalls were recorded (--trace stalls)"
    return None


def path_obstacle(run: StoredRun) -> str | None:
    """Return why the critical path of a stored run cannot be followed stretch by stretch, None where it can be."""
    of_window = None if run.window is None else "only a window of the run was recorded (--window)"
    return stalls_obstacle(run) or of_window
