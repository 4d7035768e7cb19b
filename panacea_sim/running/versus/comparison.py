"""A comparison from end to end: machines on a workload, run and put side by side on terms that are named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panacea_sim.analysis.versus.contender import TABLES, Versus
from panacea_sim.energy.stored import check_device
from panacea_sim.energy.table import energy_table
from panacea_sim.errors import ConfigError
from panacea_sim.machines.machine import machine_of
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.versus.contest import champion_of, contest
from panacea_sim.running.versus.fight import Fight
from panacea_sim.running.versus.machines import Entrant, Normalise, terms_of

__all__ = ["Terms", "check_terms", "compare"]

_DENSE_BASELINE = "simd"


@dataclass(frozen=True)
class Terms:
    """On which terms machines are compared: what they have equally much of, and whose speed is 1.

    `baseline` is a machine; None: simd, or without it the first one. `device` is the DRAM whose energy is taken, where
    the machines' own is ideal.
    """

    normalise: Normalise = "multipliers"
    baseline: str | None = None
    device: str | None = None


def check_terms(terms: Terms, machines: Sequence[Entrant]) -> None:
    """Raise ConfigError for a device whose energy a table cannot tell, and a baseline that is not compared."""
    if terms.device is not None:
        for table in TABLES:
            for each in machines:
                ran = machine_of(each.hardware).inventory(each.hardware).dram
                check_device(terms.device, energy_table(table), ran)
    names = [each.name for each in machines]
    if terms.baseline is not None and terms.baseline not in names:
        raise ConfigError("--baseline", repr(terms.baseline), f"one of the machines ({', '.join(names)})")


def compare(
    fight: Fight,
    machines: Sequence[Entrant],
    terms: Terms | None = None,
    *,
    workers: int = 1,
    folder: Path | None = None,
) -> Versus:
    """Run all machines on a workload, each different run once, in up to so many processes.

    `folder` gets a run folder for each run. Raises ConfigError or MappingError for what cannot be run, and WorkerError.
    """
    terms = terms or Terms()
    with shown_progress(f"{fight.name}: machines") as show:
        parts = contest(
            machines, fight.bouts, show, workers=workers, device=terms.device, judge=fight.judge, folder=folder
        )
    names = [each.name for each in machines]
    return Versus(
        fight.name,
        terms_of(machines, terms.normalise),
        terms.normalise,
        terms.baseline or (_DENSE_BASELINE if _DENSE_BASELINE in names else names[0]),
        None if fight.steps else champion_of(machines),
        fight.accuracy_against,
        parts,
        fight.steps,
        fight.notes,
        fight.no_accuracy,
    )
