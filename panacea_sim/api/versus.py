"""Machines against each other on one workload, as `panacea-sim versus` compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from panacea_sim.analysis.versus.contender import Versus
from panacea_sim.analysis.versus.entry import versus_entry, versus_rows
from panacea_sim.analysis.versus.verdicts import headlines
from panacea_sim.api.answers import printed
from panacea_sim.api.html import bold_line, line, table
from panacea_sim.api.words import in_python_words
from panacea_sim.api.workloads import settings_of
from panacea_sim.checks import require_choice, require_integer
from panacea_sim.errors import ConfigError, with_article
from panacea_sim.report.versus import print_versus
from panacea_sim.running.network_file import NetworkSizes
from panacea_sim.running.versus.comparison import Terms, check_terms, compare
from panacea_sim.running.versus.machines import Normalise, entrants
from panacea_sim.running.versus.workload import NetworkOptions, ablation_of, check_ablation, fight_of

if TYPE_CHECKING:
    from panacea_sim.api.pages import Picture

__all__ = ["VersusResult", "versus"]


@in_python_words()
def versus(  # noqa: PLR0913  # what can be asked, each by its name
    workload: str | Path,
    machines: Sequence[str | Path] | None = None,
    *,
    normalise: Normalise = "multipliers",
    baseline: str | None = None,
    plain: str | Path | None = None,
    ablation: bool = False,
    zpm: str | Path | None = None,
    device: str | None = None,
    set: Mapping[str, object] | None = None,  # noqa: A002  # the option's name
    workers: int = 1,
    phase: Literal["prefill", "decode"] | None = None,
    tokens: int | None = None,
    context: int | None = None,
    batch: int | None = None,
    weight_bits: int | None = None,
    profile: str | Path | None = None,
) -> VersusResult:
    """Run machines on equal terms on a layer or a network, and say who wins on which terms.

    `workload` is the path of a LAYER.npz or of a network, or the name of a layer or a model; `machines` are presets or
    YAML files, by default all presets. `normalise` is what they have equally much of, `baseline` the machine with a
    speed-up of 1, `plain` the same layer without ZPM and DBS, which rivals take, `device` the DRAM whose energy is
    taken. With `ablation` steps of Panacea take the place of machines; `plain` and `zpm`, the layer with ZPM and
    without DBS, are needed then. `set` names fields that all machines have. The other arguments are those of
    `simulate`. Nothing is left on disk. Raises ConfigError naming the argument, MappingError for what fits no machine,
    and WorkerError.
    """
    require_choice("normalise", normalise, ("multipliers", "area"))
    require_integer("workers", workers, 1)
    if not isinstance(workload, str | Path):
        accepted = "the path of a LAYER.npz or of a network, or the name of a layer or a model"
        hint = "save_layer writes a layer into a file" if hasattr(workload, "name") else ""
        raise ConfigError("workload", with_article(type(workload).__name__), accepted, hint)
    sizes = NetworkSizes(phase, tokens, context, batch)
    asked = NetworkOptions(sizes, weight_bits, None if profile is None else str(profile))
    names = None if machines is None else [str(each) for each in machines]
    plain_path, zpm_path = (None if each is None else Path(each) for each in (plain, zpm))
    check_ablation(names, normalise, zpm_path, asked=ablation)
    if ablation:
        found, fight = ablation_of(str(workload), asked, settings_of(set), plain_path, zpm_path)
    else:
        found = entrants(names, settings_of(set), normalise)
        fight = fight_of(str(workload), found, asked, plain_path)
    terms = Terms(normalise, baseline, device)
    check_terms(terms, found)
    return VersusResult(compare(fight, found, terms, workers=workers))


@dataclass(frozen=True, repr=False, eq=False)
class VersusResult:
    """A comparison of machines; `found` is what the functions of `panacea_sim.report` take."""

    found: Versus

    @property
    def headlines(self) -> list[str]:
        """Who wins on which terms, in sentences."""
        return list(headlines(self.found))

    @property
    def frame(self) -> pd.DataFrame:
        """A row for each machine of each part: the columns of `panacea-sim versus --csv`, which docs/versus.md has."""
        return pd.DataFrame(versus_rows(self.found))

    def to_json(self) -> dict[str, Any]:
        """Return what `panacea-sim versus --json` prints."""
        return versus_entry(self.found)

    def picture(self) -> Picture:
        """Return speed-up and energy of all machines as bars."""
        from panacea_sim.api.pages import Picture  # noqa: PLC0415  # matplotlib takes a while to import
        from panacea_sim.report.versus_picture import versus_figure  # noqa: PLC0415

        return Picture(versus_figure(self.found))

    def __repr__(self) -> str:
        """Return what `panacea-sim versus` prints."""
        return printed(lambda console: print_versus(console, self.found))

    def _repr_html_(self) -> str:
        said = "".join(bold_line(each, "") for each in self.headlines)
        titles = ["machine", "weights", "as", "cycles", "speed-up", "energy pJ", "area mm2", "SQNR"]
        rows = [
            [
                row["machine"],
                row["weights"],
                row["said"],
                f"{row['cycles']:,}",
                f"{row['speed_up']:.2f}",
                _number(row.get("energy_pj.nominal"), ",.0f"),
                _number(row["area_mm2"], ".3f"),
                row["accuracy_said"] or "-",
            ]
            for row in versus_rows(self.found)
        ]
        return f"{said}{line(f'Terms: {self.found.terms}')}{table(titles, rows)}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
