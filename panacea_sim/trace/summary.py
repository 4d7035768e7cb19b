"""summary.json: the figures of a run, as its folder keeps them; docs/files.md describes every key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from panacea_sim.choices import ChosenValues
from panacea_sim.description.topology import Topology
from panacea_sim.trace.schema import SCHEMA_VERSION, State
from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal

__all__ = [
    "DramSummary",
    "LayerName",
    "LayerSummary",
    "PartialSummary",
    "RunHeading",
    "Summary",
    "TraceSummary",
    "operator_uses",
]

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
    """What a run says of a layer; sizes in elements, cycles from the start of the run."""

    M: int
    N: int
    K: int
    start_cycle: int
    end_cycle: int
    tiles: int
    loop_order: str
    double_tile: bool
    rho_w: float | None
    rho_x: float | None
    stored_w: int
    stored_x: int
    weight_resident: bool
    activation_resident: bool
    weight_bytes: int
    activation_bytes: int
    output_bytes: int
    spilled_bytes: int = 0
    output_sha256: str | None
    memoized_from: str | None = None


class DramSummary(_Frozen):
    """What the channels did together, and each by itself."""

    read_bytes: int
    write_bytes: int
    row_hits: int
    row_misses: int
    busy_cycles: int
    channels: dict[str, ChannelTotals]


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
    clock_hz: int
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

    makespan_cycles: int
    seconds: float
    exact: bool | None
    tiles: int
    host_seconds: float
    layers: tuple[LayerSummary, ...]
    components: dict[str, dict[State, int]]
    stalls: dict[str, list[StallTotal]]
    actions: dict[str, dict[str, int]] = {}
    operators: dict[str, int]
    dram: DramSummary
    queues: dict[str, QueueTotals]

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
