"""How often, and how far, a rerun gains more than the critical path promised: a table.

    make promises [N=500]

On private ideal channels never: that is tested. On shared channels a rerun may grant in another order, and the
refreshes, rows and clocks of DRAM devices fall elsewhere.
"""

from __future__ import annotations

import argparse
from statistics import median

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from promised_gains import Gain, gains
from rich.console import Console
from rich.table import Table
from strategies import BANKED_DEVICES, machines, programs

from panacea_sim.description.description import Description
from panacea_sim.running.prepare import prepare

KINDS: dict[str, st.SearchStrategy[Description]] = {
    "random, shared ideal channels": machines(),
    "random, DRAM devices": machines(BANKED_DEVICES),
    "small layers on panacea": programs.map(lambda scenario: prepare(scenario).description),
}
COLUMNS = ("machines", "speed-ups", "of these gain", "beyond the promise", "share", "median excess", "worst excess")


def main() -> None:
    """Measure on random machines, the same ones each time, and print the table."""
    parser = argparse.ArgumentParser(description="How often and how far reruns gain more than promised.")
    parser.add_argument("--machines", type=int, default=500, help="of each kind")
    count = parser.parse_args().machines
    table = Table(*COLUMNS, title="Excess: gain beyond the promise, as a share of the makespan before")
    for name, strategy in KINDS.items():
        found = measured(strategy, count)
        beyond = [(gain.cycles - gain.promised_cycles) / gain.makespan_cycles for gain in found if is_beyond(gain)]
        ends = f"{median(beyond):.1%}" if beyond else "-", f"{max(beyond):.1%}" if beyond else "-"
        gaining = sum(gain.cycles > 0 for gain in found)
        share = f"{len(beyond) / max(1, len(found)):.1%}"
        table.add_row(name, f"{len(found):,}", f"{gaining:,}", f"{len(beyond):,}", share, *ends)
    Console(width=120).print(table)


def is_beyond(gain: Gain) -> bool:
    """Whether a rerun gained more than was promised."""
    return gain.cycles > gain.promised_cycles


def measured(strategy: st.SearchStrategy[Description], count: int) -> list[Gain]:
    """Return all gains on so many random machines."""
    found: list[Gain] = []

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def measure(machine: Description) -> None:
        found.extend(gains(machine))

    measure()
    return found


if __name__ == "__main__":
    main()
