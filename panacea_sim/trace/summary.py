"""summary.json: the figures of a run, as its folder keeps them; docs/files.md describes every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field

from panacea_sim.choices import ChosenValues, MappingFrom
from panacea_sim.description.inventory import Inventory
from panacea_sim.description.topology import Topology
from panacea_sim.trace.schema import SCHEMA_VERSION, State
from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal

__all__ = [
    "ChainSummary",
    "DramSummary",
    "ExplanationSummary",
    "LayerName",
    "LayerSummary",
    "LimitSummary",
    "PartialSummary",
    "RunHeading",
    "Summary",
    "TerminalSummary",
    "TraceSummary",
    "operator_uses",
]

Figure: TypeAlias = Annotated[int, Ge(0), Le(2**63 - 1)]
"""Cycles, bytes and counts of a run."""

_BUSY, _CAPACITY = "_busy", "_capacity"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class TraceSummary(_Frozen):
    """What was recorded: the level, and the cycles to which the user confined it; the end may be open."""

    level: Literal["off", "stalls", "full"]
    window: tuple[int, int | None] | None


class LayerName(_Frozen):
    """A layer of which nothing is known but its name."""

    name: str


class LayerSummary(LayerName):
    """What a run says of a layer; sizes in elements, cycles from the start of the run.

    Of a layer that ran alone it is known which group or channel was `busiest`, and for how many cycles its computing
    components had not begun or had ended, in the mean: `border_cycles`. Of such a layer, and of one that is
    the whole run, the elementary `operations` by group of components are known, and the rows that DRAM opened and
    refreshed.
    """

    M: Figure
    N: Figure
    K: Figure
    start_cycle: Figure
    end_cycle: Figure
    tiles: Figure
    loop_order: str
    double_tile: bool
    rho_w: float | None
    rho_x: float | None
    stored_w: Figure
    stored_x: Figure
    weight_resident: bool
    activation_resident: bool
    weight_bytes: Figure
    activation_bytes: Figure
    output_bytes: Figure
    spilled_bytes: Figure = 0
    vector_bytes: Figure = 0
    output_sha256: str | None
    repeat: Figure = 1
    kind: str = ""
    block: str = ""
    mapping_from: MappingFrom = "layer"
    busiest: str | None = None
    border_cycles: Figure | None = None
    memoized_from: str | None = None
    operations: dict[str, dict[str, Figure]] | None = None
    activates: Figure | None = None
    refreshes: Figure | None = None

    @property
    def macs(self) -> int:
        """The multiplications of the dense product, whatever was skipped."""
        return self.repeat * self.M * self.K * self.N


class DramSummary(_Frozen):
    """What the channels did together, and each by itself; None where an earlier version did not count it."""

    read_bytes: Figure
    write_bytes: Figure
    row_hits: Figure
    row_misses: Figure
    busy_cycles: Figure
    activates: Figure | None = None
    bursts: Figure | None = None
    burst_bytes: Figure | None = None
    refreshes: Figure | None = None
    channels: dict[str, ChannelTotals]


class LimitSummary(_Frozen):
    """Something full, or somebody else's turn, that the critical path crosses without taking time."""

    name: str
    kind: Literal["queue", "memory", "slot", "dataflow", "order"]
    crossings: Figure
    stalled_cycles: Figure


class TerminalSummary(_Frozen):
    """Where a chain of waits ends."""

    name: str
    kind: Literal["busy", "transfer", "device", "latency"]
    cause: str = ""


class ChainSummary(_Frozen):
    """Who waits for whom, group by group, up to the terminal."""

    groups: tuple[str, ...]
    state: str
    terminal: TerminalSummary
    members: Figure
    stalls: Figure
    cycles: Figure


class ExplanationSummary(_Frozen):
    """What summary.json says of an explanation, whose tables lie beside it; a window has no classes and no bound."""

    cycles: tuple[int, int]
    bound: str | None
    classes: dict[str, Figure] | None
    limits: tuple[LimitSummary, ...]
    chains: tuple[ChainSummary, ...]


class RunHeading(_Frozen):
    """What is known of a run from its start: what it is called, what is recorded, and its machine.

    Runs of schema 1 have no topology, and the first ones did not say what was recorded. Earlier runs do not say what
    happened to values.
    """

    schema_version: int = Field(default=SCHEMA_VERSION, alias="schema")
    scenario: str
    engine: Literal["reference", "compiled"]
    values: ChosenValues | None = None
    schedule: Literal["overlap", "barrier"] = "overlap"
    hardware: str
    clock_hz: Annotated[Figure, Ge(1)]
    trace: TraceSummary | None = None
    topology: Topology | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what stands in summary.json."""
        return self.model_dump(mode="json", by_alias=True)


class PartialSummary(RunHeading):
    """What a reader needs to know of a run that has not reached its end: no figures, and of layers only the names."""

    partial: Literal[True] = True
    layers: tuple[LayerName, ...]


class Summary(RunHeading):
    """The figures of a run that came to its end."""

    makespan_cycles: Figure
    seconds: float
    exact: bool | None
    tiles: Figure
    host_seconds: float
    layers: tuple[LayerSummary, ...]
    components: dict[str, dict[State, Figure]]
    stalls: dict[str, list[StallTotal]]
    actions: dict[str, dict[str, Figure]] = {}
    operations: dict[str, dict[str, Figure]] | None = None
    inventory: Inventory | None = None
    operators: dict[str, Figure]
    dram: DramSummary
    queues: dict[str, QueueTotals]
    explanation: ExplanationSummary | None = None

    @property
    def machine(self) -> Topology:
        """The topology of a run that was just made, which always has one."""
        assert self.topology is not None
        return self.topology

    @property
    def bus_share(self) -> float:
        """The share of the run for which the channels had data on the bus, on average."""
        return self.dram.busy_cycles / self.makespan_cycles / max(len(self.dram.channels), 1)

    @property
    def operator_names(self) -> list[str]:
        """The actions whose rate is limited, without their units: the kinds of operators."""
        return [key.removesuffix(_BUSY) for key in self.operators if key.endswith(_BUSY)]

    def utilization(self, operator: str) -> float:
        """Return the share of its greatest possible cycles for which a kind of operator was busy."""
        return self.operators[f"{operator}{_BUSY}"] / self.operators[f"{operator}{_CAPACITY}"]


def operator_uses(busy: Mapping[str, int], per_cycle: Mapping[str, int], makespan_cycles: int) -> dict[str, int]:
    """Return the busy and the greatest possible cycles of each action whose rate is limited; names lose their unit."""
    uses = {}
    for action, count in per_cycle.items():
        operator = action.rpartition("_")[0]
        uses[f"{operator}{_BUSY}"] = busy.get(action, 0)
        uses[f"{operator}{_CAPACITY}"] = makespan_cycles * count
    return uses
