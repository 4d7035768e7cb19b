"""One rerun: a scenario on a changed machine, its key, and the record that is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.errors import ConfigError, DeadlockError, MappingError
from panacea_sim.hardware.config import Hardware
from panacea_sim.running.digest import code_digest, content_digest, hardware_figures
from panacea_sim.running.planning import GivenMapping, Planning
from panacea_sim.running.prepare import prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.whatif.base import mapping_of
from panacea_sim.trace.options import NO_TRACE

__all__ = ["Record", "Rerun", "rerun", "rerun_key"]


@dataclass(frozen=True, eq=False)
class Rerun:
    """A scenario as it is to run, and under which key it is kept."""

    key: str
    scenario: Scenario
    planning: Planning
    engine: ChosenEngine


@dataclass(frozen=True)
class Record:
    """What a rerun gave: its cycles and the mapping of each layer, or the obstacle that it met.

    One that depends on the computer on which it ran, such as its memory, is not `lasting`.
    """

    cycles: int | None
    mappings: tuple[GivenMapping, ...] = ()
    obstacle: str | None = None
    lasting: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return what is kept; mappings that follow each other are counted."""
        pairs: list[list[object]] = []
        for each in self.mappings:
            if pairs and pairs[-1][:2] == [each.order, each.height]:
                pairs[-1][2] += 1  # type: ignore[operator]  # it is a count
            else:
                pairs.append([each.order, each.height, 1])
        return {"cycles": self.cycles, "mappings": pairs, "obstacle": self.obstacle}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Record:
        """Return the record that was kept; raises LookupError, TypeError or ValueError for anything else."""
        mappings = [GivenMapping(order, height) for order, height, count in content["mappings"] for _ in range(count)]
        return cls(content["cycles"], tuple(mappings), content["obstacle"])


def rerun_key(layers: str, hardware: Hardware, scenario: Scenario, planning: Planning) -> str:
    """Return the digest of what decides the cycles of a rerun, 64 hex digits; `layers` is that of its layers."""
    mappings = planning.mappings
    return content_digest(
        {
            "code": code_digest(),
            "layers": layers,
            "hardware": hardware_figures(hardware),
            "schedule": scenario.schedule,
            "mapping": scenario.mapping if mappings is None else [[each.order, each.height] for each in mappings],
            "change": None if planning.change is None else planning.change.__qualname__,
        }
    )


def rerun(task: Rerun) -> Record:
    """Run a scenario without a trace, its layers in this process; raises InvariantError.

    What does not fit, or stands still, is a record too.
    """
    try:
        prepared = prepare(task.scenario, task.engine, task.planning)
        summary = run(prepared, RunOptions(trace=NO_TRACE, engine=task.engine, log_level="error")).summary
    except (MappingError, DeadlockError) as error:
        return Record(None, obstacle=" ".join(str(error).split()))
    except ConfigError as error:
        return Record(None, obstacle=str(error), lasting=False)
    return Record(summary.makespan_cycles, tuple(map(mapping_of, summary.layers)))
