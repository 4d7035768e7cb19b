"""Answers about a run: why it took so long, and what energy it takes; as text, HTML and DataFrames."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from panacea_sim.api.frames import change_frame, charge_frame
from panacea_sim.energy.area import Area, area_of
from panacea_sim.energy.energy import Energy
from panacea_sim.energy.entry import energy_entry
from panacea_sim.report.energy import print_energy
from panacea_sim.report.why import print_why

if TYPE_CHECKING:
    from panacea_sim.energy.energy import RunEnergy
    from panacea_sim.explanation.why import Why

__all__ = ["Diagnosis", "EnergyAnswer", "printed"]

_WIDTH = 110


def printed(show: Callable[[Console], None]) -> str:
    """Return what is printed on a console without colours, as wide as a notebook shows it."""
    file = io.StringIO()
    # A notebook would be written to instead of the file.
    show(Console(file=file, width=_WIDTH, force_jupyter=False, force_terminal=False, color_system=None))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


class _Answer:
    """Shows itself as text; subclasses say which."""

    def __str__(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        """Return the text: a notebook and a terminal show what the command prints."""
        return str(self)

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


@dataclass(frozen=True, repr=False, eq=False)
class Diagnosis(_Answer):
    """Why a run took so long: what `panacea-sim why` finds. As text it is that command's screen.

    `found` holds everything; its parts are in docs/files.md, chapter "why --json".
    """

    found: Why

    @property
    def bound(self) -> str | None:
        """The class of the critical path with most cycles, as "bandwidth"; None for a window."""
        return None if self.found.bound is None else self.found.bound.path_class

    @property
    def findings(self) -> pd.DataFrame:
        """The rows of the critical path, the largest gain of a step of two first; NaN: that step was not run."""
        frame = pd.DataFrame(self.to_json()["critical_path"])
        return frame.drop(columns="members", errors="ignore")

    @property
    def limits(self) -> pd.DataFrame:
        """What the critical path crosses without taking time: full queues and memories, turns of others."""
        return pd.DataFrame(self.to_json()["limits"])

    @property
    def chains(self) -> pd.DataFrame:
        """Who waits in the end for whom, over all components: stalls and their cycles."""
        return pd.DataFrame(self.to_json()["chains"], columns=["chain", "stalls", "cycles"])

    @property
    def remedies(self) -> pd.DataFrame:
        """Changes of the hardware that were run again, the largest gain first; columns as those of `Run.whatif`."""
        return change_frame(self.found.remedies)

    def to_json(self) -> dict[str, Any]:
        """Return what `panacea-sim why --json` prints."""
        return self.found.to_json()

    def __str__(self) -> str:
        """Return the screen of `panacea-sim why`."""
        return printed(lambda console: print_why(console, self.found, "whatif() of the run"))


@dataclass(frozen=True, repr=False, eq=False)
class EnergyAnswer(_Answer):
    """What a run takes in pJ by a table of figures, and what its machine takes in mm2; sourced parts only.

    Sums are exact in `found`, and numbers of Python here. As text it is what `panacea-sim energy` prints.
    """

    found: RunEnergy

    @property
    def total_pj(self) -> float | None:
        """The energy in pJ in the nominal case; None where a part has no figure."""
        total = self.found.run.total
        return None if total is None else float(total.nominal)

    @property
    def range_pj(self) -> tuple[float, float] | None:
        """The energy in pJ in the low and in the high case."""
        total = self.found.run.total
        return None if total is None else (float(total.low), float(total.high))

    @property
    def components(self) -> pd.DataFrame:
        """The energy of each component, memory and DRAM in pJ: by category, and the three cases of all."""
        run = self.found.run
        parts = {name: tuple(each for each in run.charges if each.component == name) for name in run.components}
        return charge_frame([(name, Energy(name, each, 0, run.cycles)) for name, each in parts.items()], "component")

    @property
    def layers(self) -> pd.DataFrame | None:
        """The same for each layer; None where layers overlap, so that nobody knows."""
        layers = self.found.layers
        return None if layers is None else charge_frame([(each.name, each) for each in layers], "layer")

    def to_json(self) -> dict[str, Any]:
        """Return what `panacea-sim energy --json` prints, the area included."""
        return energy_entry(self.found, self._area())

    def __str__(self) -> str:
        """Return what `panacea-sim energy` prints."""
        return printed(lambda console: print_energy(console, self.found, self._area()))

    def _area(self) -> Area:
        prices = self.found.prices
        return area_of(prices.inventory, prices.table, prices.cells)
