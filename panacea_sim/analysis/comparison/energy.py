"""What runs take in pJ by one table, as a comparison has it; or why nobody knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from panacea_sim.analysis.comparison.rows import Figures, Key, Span
from panacea_sim.energy.charging import Charging
from panacea_sim.energy.energy import CATEGORIES, RunEnergy
from panacea_sim.energy.ranges import Range
from panacea_sim.errors import ConfigError
from panacea_sim.trace.summary import Summary

__all__ = ["Charged", "charged"]


@dataclass(frozen=True)
class Charged:
    """The energy of a run: nominal pJ of (of, part), None where a charge has no figure, low and high; why so."""

    figures: Figures | None
    spans: Mapping[Key, Span] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()


def charged(summary: Summary | None, charging: Charging) -> Charged:
    """Return the energy of the whole run, of each category, and of each component, memory and the DRAM.

    Of a partial run, and of one that counted no operations, nothing is known.
    """
    if summary is None:
        return Charged(None)
    try:
        found = charging.of(summary)
    except ConfigError as error:
        return Charged(None, reasons=(f"Its energy is not known: found {error.found}.",))
    parts = dict(_parts(found))
    why = dict.fromkeys(each.price.reason for each in found.run.unknown)
    reasons = (f"Not all of its energy is known: {'; '.join(why)}.",) if why else ()
    return Charged(
        {key: None if pj is None else float(pj.nominal) for key, pj in parts.items()},
        {key: (float(pj.low), float(pj.high)) for key, pj in parts.items() if pj is not None},
        reasons,
    )


def _parts(found: RunEnergy) -> Iterator[tuple[Key, Range | None]]:
    yield ("run", "total"), found.run.total
    for category in CATEGORIES:
        yield ("category", category), found.run.of_category(category)
    for component in found.run.components:
        yield ("component", component), found.run.of_component(component)
