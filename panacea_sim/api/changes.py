"""Changes of a run's hardware and data, each run again."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from panacea_sim.api.frames import change_frame
from panacea_sim.checks import require_integer
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.whatif.base import read_base
from panacea_sim.running.whatif.explore import Exploration
from panacea_sim.running.whatif.store import opened_store
from panacea_sim.running.whatif.variants import variants_of
from panacea_sim.trace.stored_run import StoredRun

__all__ = ["tried_changes"]


def tried_changes(run: StoredRun, knobs: Sequence[str], workers: int) -> pd.DataFrame:
    """Return one step of every knob of a run, or of those named, as rows; reruns are kept in the run's folder.

    `attrs["not_tried"]` says of what was not tried why. Raises ConfigError as `Run.whatif` says.
    """
    require_integer("workers", workers, 1)
    base = read_base(run.path)
    variants = variants_of(base.scenario.resolved_hardware(), knobs, base.scenario.known_layers())
    with opened_store(base, None) as store, shown_progress(f"{run.name}: reruns") as show:
        found = Exploration(base, variants, store, workers).run(show)
    frame = change_frame(found.rows)
    frame.attrs["not_tried"] = {each.knob: each.reason for each in found.not_tried}
    return frame
