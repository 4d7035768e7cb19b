"""The row that the reruns of a changed machine give."""

from __future__ import annotations

from panacea_sim.analysis.whatif import WhatIfRow, gain_of
from panacea_sim.running.whatif.reruns import Record
from panacea_sim.running.whatif.variants import Variant

__all__ = ["row_of"]


def row_of(variant: Variant, held: Record, planned: Record, base: Record) -> WhatIfRow:
    """Return the gains against the base, with the mapping held and planned anew."""
    assert base.cycles is not None
    return WhatIfRow.model_validate(
        {
            "kind": variant.kind,
            "knob": variant.knob,
            "from": variant.before,
            "to": variant.after,
            "unit": variant.unit,
            "settings": dict(variant.settings),
            "cycles_held": held.cycles,
            "cycles_planned": planned.cycles,
            "obstacle_held": held.obstacle,
            "obstacle_planned": planned.obstacle,
            "gain_held": gain_of(held.cycles, base.cycles),
            "gain_planned": gain_of(planned.cycles, base.cycles),
            "cost": variant.cost,
            "sqnr_db": variant.sqnr_db,
        }
    )
