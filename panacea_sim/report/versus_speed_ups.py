"""Several comparisons of the same machines in one table: speed-ups on each workload, and their geometric mean."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import geometric_mean

from rich.console import Console
from rich.text import Text

from panacea_sim.analysis.versus.contender import Part, Versus
from panacea_sim.report.tables import Column, print_table

__all__ = ["print_speed_ups", "speed_ups"]

_CYCLES, _MEAN = "M cycles", "geo-\nmean"


def speed_ups(found: Versus, part: Part) -> dict[str, float]:
    """Return how many times as fast as the baseline each machine of a part is."""
    baseline = part.named(found.baseline).cycles
    return {each.name: baseline / each.cycles for each in part.contenders}


def print_speed_ups(console: Console, comparisons: Sequence[Versus]) -> None:
    """Print, for each kind of weights, a row for each machine and a column for each workload.

    All comparisons are of the same machines, with the same parts. The mean is that of speed-ups, as the field has it: a
    workload counts once, however long it is.
    """
    first = comparisons[0]
    for number, part in enumerate(first.parts):
        parts = [found.parts[number] for found in comparisons]
        gains = [speed_ups(found, each) for found, each in zip(comparisons, parts, strict=True)]
        columns = [Column("machine", "name"), *(Column(found.workload) for found in comparisons), Column(_MEAN)]
        rows = [
            [name, *(f"{each[name]:.2f}" for each in gains), f"{geometric_mean([each[name] for each in gains]):.2f}"]
            for name in gains[0]
        ]
        cycles = [f"{each.named(first.baseline).cycles / 1e6:,.2f}" for each in parts]
        title = f"{part.weights} weights: speed-up over {first.baseline}"
        print_table(console, columns, [[f"{_CYCLES} of {first.baseline}", *cycles, ""], *rows], title)
    console.print(Text(f"Terms: {first.terms}"), soft_wrap=True)
