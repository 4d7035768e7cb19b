"""A few knobs, turned in this process as long as there is time: what can be said at once; nothing is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from panacea_sim.analysis.whatif import WhatIfRow
from panacea_sim.engines.choice import ChosenEngine, chosen_engine
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.planning import AS_SCENARIO, Planning
from panacea_sim.running.whatif.base import Base
from panacea_sim.running.whatif.reruns import Record, Rerun, rerun
from panacea_sim.running.whatif.rows import row_of
from panacea_sim.running.whatif.variants import Variant, variants_of

__all__ = ["quick_rows"]


def quick_rows(base: Base, knobs: Sequence[str], until: float) -> Iterator[WhatIfRow]:
    """Return the rows of these knobs, the first ones first, until `time.monotonic()` has come to `until`.

    The base is a run: its cycles and mappings are known. All knobs must count on its machine.
    """
    hardware, engine = base.scenario.resolved_hardware(), chosen_engine("auto", values=False)
    measured = Record(base.cycles, base.mappings or ())
    for knob in knobs:
        for variant in sorted(variants_of(hardware, [knob]).tried, key=lambda each: _order(each, hardware)):
            if time.monotonic() >= until:
                return
            planned = _record(base, variant, AS_SCENARIO, engine)
            held = planned
            if planned.cycles is not None and planned.mappings != measured.mappings:
                held = _record(base, variant, Planning(base.mappings), engine)
            yield row_of(variant, held, planned, measured)


def _order(variant: Variant, hardware: Hardware) -> tuple[bool, int]:
    """Return what comes first: more before less, and of a split the nearest pairs."""
    changes = [
        after - before
        for field, after in variant.settings.items()
        for before in (getattr(hardware, field),)
        if isinstance(after, int) and isinstance(before, int)
    ]
    return sum(changes) < 0, sum(map(abs, changes))


def _record(base: Base, variant: Variant, planning: Planning, engine: ChosenEngine) -> Record:
    scenario = replace(base.scenario, hardware=variant.hardware, settings={})
    return rerun(Rerun("", scenario, replace(planning, change=variant.change), engine))
