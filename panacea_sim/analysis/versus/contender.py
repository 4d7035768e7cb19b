"""A machine that is compared with others: its run, or a bound of one, and the figures by which it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from panacea_sim.analysis.performance import performance
from panacea_sim.description.costs import MULTIPLY_4B, MULTIPLY_8B
from panacea_sim.energy.area import Area, area_of
from panacea_sim.energy.energy import RunEnergy, energy_of
from panacea_sim.energy.table import energy_table
from panacea_sim.hardware.config import Hardware
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import Summary

__all__ = ["METRICS", "SQNR", "TABLES", "WEIGHTS", "Accuracy", "Contender", "Metric", "Part", "Ran", "Versus"]

TABLES = ("default", "bitfusion")
"""The tables of energy, the first one shown: where they disagree, nobody has won."""

WEIGHTS = {"measured": "per channel", "measured-per-tensor": "per tensor"}
"""What the scales of the weights are in the profiles of the package."""


Metric = Literal["sqnr", "cosine", "top-1"]
"""A figure of outputs beside the true ones: signal to noise, mean cosine of samples, rows with the same largest one."""

SQNR: Metric = "sqnr"
METRICS: Mapping[Metric, str] = {"sqnr": "SQNR", "cosine": "mean cosine", "top-1": "same top-1"}


@dataclass(frozen=True)
class Accuracy:
    """What is left of the real outputs in a machine's quantization, by a metric; None where nothing is lost.

    SQNR is in dB, a share of rows in 0 .. 1. `figures` are all metrics of each output of a model, by its name.
    """

    value: float | None
    metric: Metric = SQNR
    figures: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict, compare=False)

    @property
    def text(self) -> str:
        """The same for people."""
        if self.value is None:
            return "none lost"
        if self.metric == "sqnr":
            return f"{self.value:.1f} dB"
        return f"cosine {self.value:.3f}" if self.metric == "cosine" else f"top-1 {self.value:.1%}"


@dataclass(frozen=True, eq=False)
class Ran:
    """A run of a machine."""

    hardware: Hardware
    summary: Summary


@dataclass(frozen=True, eq=False)
class Contender:
    """A machine on a workload.

    `said` tells its settings from those of others, `device` is the DRAM whose energy is taken. `bound_cycles` are those
    that no machine of this kind can be below; then there is no run. `accuracy` is None where operands are not known.
    """

    name: str
    said: str
    ran: Ran | None
    accuracy: Accuracy | None = None
    bound_cycles: int | None = None
    bound_compute_cycles: int | None = None
    device: str | None = None
    exact: bool | None = field(init=False)

    def __post_init__(self) -> None:
        """Take over what the run says of values."""
        object.__setattr__(self, "exact", None if self.ran is None else self.ran.summary.exact)

    @property
    def cycles(self) -> int:
        """The cycles of the run, or their bound."""
        if self.ran is not None:
            return self.ran.summary.makespan_cycles
        assert self.bound_cycles is not None
        return self.bound_cycles

    @property
    def is_bound(self) -> bool:
        """Whether nothing was run."""
        return self.ran is None

    @property
    def compute_cycles(self) -> int | None:
        """The cycles of the busiest component that computes."""
        if self.ran is None:
            return self.bound_compute_cycles
        summary = self.ran.summary
        return max((summary.components[name][State.BUSY] for name in summary.machine.computing), default=None)

    @property
    def work(self) -> dict[str, int]:
        """How many products of which width were computed."""
        found = dict.fromkeys((MULTIPLY_4B, MULTIPLY_8B), 0)
        operations = {} if self.ran is None else self.ran.summary.operations or {}
        for of_component in operations.values():
            for name in found:
                found[name] += of_component.get(name, 0)
        return {name: count for name, count in found.items() if count}

    def layer_sum(self, name: Literal["weight_bytes", "activation_bytes", "output_bytes"]) -> int | None:
        """Return the bytes of an operand that all layers fetched, or of the outputs that they wrote."""
        return None if self.ran is None else sum(getattr(layer, name) for layer in self.ran.summary.layers)

    @property
    def dram_bytes(self) -> int | None:
        """Bytes that DRAM moved."""
        return None if self.ran is None else performance(self.ran.summary, self.ran.hardware).dram_bytes

    @property
    def speedup_over_dense(self) -> float | None:
        """How many times as long a dense machine with as many multipliers takes that never waits."""
        return None if self.ran is None else performance(self.ran.summary, self.ran.hardware).speedup_over_dense

    @cached_property
    def energies(self) -> Mapping[str, RunEnergy]:
        """The energy of the run by each table; of a bound there is none."""
        if self.ran is None or self.ran.summary.operations is None:
            return {}
        return {name: energy_of(self.ran.summary, energy_table(name), device=self.device) for name in TABLES}

    @cached_property
    def area(self) -> Area | None:
        """The area of the machine by the first table."""
        found = self.energies.get(TABLES[0])
        return None if found is None else area_of(found.prices.inventory, found.prices.table, found.prices.cells)


@dataclass(frozen=True, eq=False)
class Part:
    """All machines on a workload with one density profile, or on a layer; `weights` says what scales weights have."""

    weights: str
    profile: str | None
    contenders: tuple[Contender, ...]

    def named(self, name: str) -> Contender:
        """Return the contender of a name that there is."""
        return next(each for each in self.contenders if each.name == name)

    @property
    def runs(self) -> tuple[Contender, ...]:
        """The contenders that ran, without bounds."""
        return tuple(each for each in self.contenders if not each.is_bound)


@dataclass(frozen=True, eq=False)
class Versus:
    """A comparison: a workload, the terms on which machines are equal, and its parts.

    `champion` is the machine with operators of several kinds, whose split is an assumption, None without one; what is
    made of it are contenders of its name with `_best` and `_pooled`. `baseline` is that by which others are divided.
    `steps` names, in an ablation, what each step adds to the one before; there is no champion then. `notes` say what
    is to be known of the operands, `no_accuracy` why accuracy is not known where `accuracy_against` is None.
    """

    workload: str
    terms: str
    normalise: Literal["multipliers", "area"]
    baseline: str
    champion: str | None
    accuracy_against: str | None
    parts: tuple[Part, ...]
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    no_accuracy: str | None = None
