"""What an explanation found, ordered by the gain that a step of two brings: measured by running again, never estimated.

A share of the critical path promises at most as much; what limits the run without lying on the path promises nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from panacea_sim.description.description import Description
from panacea_sim.engines.choice import ChosenEngine, run_engine
from panacea_sim.errors import DeadlockError
from panacea_sim.explanation.doubling import doubled, step_text
from panacea_sim.explanation.explanation import Explanation, Limit, PathRow
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder

__all__ = ["Finding", "findings", "measured_findings"]


@dataclass(frozen=True)
class Finding:
    """A row of the critical path or a limit that it crosses, and what a step of two gains; None where that did not run.

    The step is a service in half the cycles, twice the bytes a cycle, half a latency, twice the room.
    """

    about: PathRow | Limit
    gain_cycles: int | None = None

    @property
    def cycles(self) -> int:
        """The cycles on the path, or those for which the limit was waited for."""
        return self.about.cycles if isinstance(self.about, PathRow) else self.about.stalled_cycles


def findings(explanation: Explanation) -> list[Finding]:
    """Return what was found without gains: the rows of the path, then the limits, the longest first."""
    rows: tuple[PathRow | Limit, ...] = (*(explanation.path or ()), *explanation.limits)
    return [Finding(about) for about in rows]


def measured_findings(
    explanation: Explanation, description: Description, engine: ChosenEngine, seconds: float
) -> list[Finding]:
    """Return the findings of one simulation by their measured gain, the largest first.

    Those for which no time is left within `seconds` come last, without a gain.
    """
    until = time.monotonic() + seconds
    gains: dict[str, int | None] = {}
    for each in _longest_first(explanation):
        if step_text(each.about) not in gains and time.monotonic() < until:
            gains[step_text(each.about)] = _gain_cycles(each, explanation, description, engine)
    found = [replace(each, gain_cycles=gains.get(step_text(each.about))) for each in findings(explanation)]
    return sorted(found, key=lambda each: (each.gain_cycles is None, -(each.gain_cycles or 0), -each.cycles))


def _longest_first(explanation: Explanation) -> Iterable[Finding]:
    return sorted(findings(explanation), key=lambda each: -each.cycles)


def _gain_cycles(
    finding: Finding, explanation: Explanation, description: Description, engine: ChosenEngine
) -> int | None:
    try:
        result = run_engine(engine, doubled(description, finding.about), Recorder(NO_TRACE))
    except DeadlockError:
        return None
    return explanation.makespan_cycles - result.makespan_cycles
