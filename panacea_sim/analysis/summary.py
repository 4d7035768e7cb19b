"""The summary of a run: the figures of summary.json."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from panacea_sim.analysis.accounting import state_cycles
from panacea_sim.description.description import Description
from panacea_sim.engines.result import EngineResult
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.panacea.pea import pea_work
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.graph import annotate_groups
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import OPERATORS, SCHEMA_VERSION
from panacea_sim.units import cycles_to_seconds

__all__ = [
    "KEPT_TIMES",
    "Accumulators",
    "Heading",
    "SummaryParts",
    "annotate_graphs",
    "partial_summary",
    "sections",
    "summarize",
    "summarize_parts",
]

KEPT_TIMES = ("w_dma", "x_dma", "dispatcher", "o_dma")
"""The components whose firing times an engine must return, so that layers and tile groups get their times."""

Accumulators = Sequence[npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Heading:
    """What a run is called: its scenario, engine, hardware and schedule; and what is recorded of it."""

    scenario: str
    engine: Literal["reference", "compiled"]
    hardware: Hardware
    schedule: Literal["overlap", "barrier"]
    trace: TraceOptions

    def keys(self) -> dict[str, Any]:
        """Return the keys with which every summary begins."""
        return {
            "schema": SCHEMA_VERSION,
            "scenario": self.scenario,
            "engine": self.engine,
            "schedule": self.schedule,
            "hardware": self.hardware.name,
            "clock_hz": self.hardware.clock_hz,
            "trace": self.trace.entry(),
        }


@dataclass(frozen=True)
class SummaryParts:
    """What a summary says that the engine's figures do not: the layers, the parts of the machine, the operators' work.

    `operator_cycles` are the busy cycles of each kind of operator.
    """

    layers: list[dict[str, Any]]
    sections: dict[str, str]
    operator_cycles: dict[str, int]
    exact: bool | None


def summarize_parts(
    program: Program,
    description: Description,
    result: EngineResult,
    *,
    exact: bool | None,
    accumulators: Accumulators | None,
) -> SummaryParts:
    """Return what a summary says of the work of a run; the result must have the KEPT_TIMES."""
    return SummaryParts(_layers(program, result, accumulators), sections(description), _operator_cycles(program), exact)


def summarize(heading: Heading, result: EngineResult, parts: SummaryParts, host_seconds: float) -> dict[str, Any]:
    """Return the summary as it goes into summary.json; docs/files.md describes every key."""
    makespan_cycles = result.makespan_cycles
    return {
        **heading.keys(),
        "makespan_cycles": makespan_cycles,
        "seconds": cycles_to_seconds(makespan_cycles, heading.hardware.clock_hz),
        "exact": parts.exact,
        "tiles": sum(layer["tiles"] for layer in parts.layers),
        "host_seconds": host_seconds,
        "sections": parts.sections,
        "layers": parts.layers,
        "components": state_cycles(result),
        "stalls": _stalls(result),
        "operators": _operators(parts.operator_cycles, heading.hardware, makespan_cycles),
        "dram": _dram(result),
        "queues": {name: asdict(totals) for name, totals in (*result.queues.items(), *result.memories.items())},
    }


def partial_summary(heading: Heading, layers: Sequence[str], sections: Mapping[str, str]) -> dict[str, Any]:
    """Return what a reader needs to know of a run that has not reached its end."""
    return {
        **heading.keys(),
        "partial": True,
        "layers": [{"name": layer} for layer in layers],
        "sections": dict(sections),
    }


def sections(description: Description) -> dict[str, str]:
    """Return the part of the machine that each component and channel belongs to."""
    sections = {component.name: component.section for component in description.components}
    return sections | {channel.name: "memory" for channel in description.channels}


def _layers(program: Program, result: EngineResult, accumulators: Accumulators | None) -> list[dict[str, Any]]:
    windows = _firing_windows(program)
    found: list[dict[str, Any]] = []
    for number, (layer, window) in enumerate(zip(program.layers, windows, strict=True)):
        plan, tiling, work = layer.plan, layer.plan.work.tiling, layer.plan.work
        first_fetch = min(result.times[name].start_cycle[window[name]].min() for name in ("w_dma", "x_dma"))
        sha256 = None
        if accumulators is not None:
            sha256 = hashlib.sha256(accumulators[number].astype("<i4").tobytes()).hexdigest()
        found.append(
            {
                "name": plan.name,
                "M": tiling.M,
                "N": tiling.N,
                "K": tiling.K,
                "start_cycle": int(first_fetch),
                "end_cycle": int(result.times["o_dma"].end_cycle[window["o_dma"]].max()),
                "tiles": tiling.tile_tasks,
                "loop_order": plan.order,
                "double_tile": plan.height > 1,
                "rho_w": work.rho_w,
                "rho_x": work.rho_x,
                "stored_w": work.stored_w,
                "stored_x": work.stored_x,
                "weight_resident": plan.weight_loads.resident,
                "activation_resident": plan.activation_loads.resident,
                "weight_bytes": int(plan.weight_loads.size_bytes.sum()),
                "activation_bytes": int(plan.activation_loads.size_bytes.sum()),
                "output_bytes": int(layer.output_bytes.total.sum()),
                "spilled_bytes": int(plan.partial_sums.moved_bytes.sum()),
                "output_sha256": sha256,
                "memoized_from": None,
            }
        )
    return found


def annotate_graphs(program: Program, description: Description, result: EngineResult) -> None:
    """Write the times and stalls of the run onto the nodes of every layer's graph of tile groups."""
    service_cycles = next(part.service_cycles for part in description.components if part.name == "dispatcher")
    assert service_cycles is not None
    dispatched = result.times["dispatcher"]
    # What the dispatcher does not serve between two ends of firings, it waits; before the first firing it is idle.
    before = np.concatenate([dispatched.start_cycle[:1], dispatched.end_cycle[:-1]])
    waited = dispatched.end_cycle - before - service_cycles
    for layer, window in zip(program.layers, _firing_windows(program), strict=True):
        plan = layer.plan
        group = plan.tasks.stack * plan.work.tiling.n_tiles + plan.tasks.n
        _, first_task, group_of_task = np.unique(group, return_index=True, return_inverse=True)
        finished = plan.output_m // plan.height * plan.work.tiling.n_tiles + plan.output_n
        end_cycle = np.zeros(len(first_task), np.int64)
        np.maximum.at(end_cycle, finished, result.times["o_dma"].end_cycle[window["o_dma"]])
        stall_cycles = np.bincount(group_of_task, waited[window["dispatcher"]]).astype(np.int64)
        in_order = np.argsort(first_task)
        start_cycle = dispatched.start_cycle[window["dispatcher"]][first_task]
        annotate_groups(plan.graph, start_cycle[in_order], end_cycle[in_order], stall_cycles[in_order])


def _firing_windows(program: Program) -> list[dict[str, slice]]:
    """Return, for each layer, which firings of the KEPT_TIMES components belong to it."""
    windows = []
    fired = dict.fromkeys(KEPT_TIMES, 0)
    for layer in program.layers:
        plan = layer.plan
        counts = (len(plan.weight_loads.tile), len(plan.activation_loads.tile), plan.task_count, plan.output_count)
        window = {name: slice(fired[name], fired[name] + count) for name, count in zip(KEPT_TIMES, counts, strict=True)}
        fired = {name: part.stop for name, part in window.items()}
        windows.append(window)
    return windows


def _stalls(result: EngineResult) -> dict[str, list[dict[str, Any]]]:
    """Return the stalls of each component by cause, longest first."""
    stalls: dict[str, list[dict[str, Any]]] = {}
    for name, totals in result.totals.items():
        causes = [asdict(total) for total in totals if total.cause]
        stalls[name] = sorted(causes, key=lambda stall: (-stall["cycles"], stall["cause"], stall["cause_component"]))
    return stalls


def _operator_cycles(program: Program) -> dict[str, int]:
    """Return the busy cycles of each kind of operator, over all PEAs."""
    works = [pea_work(layer.plan.work, program.hardware, layer.plan.height) for layer in program.layers]
    return {name: sum(int(getattr(work, name).sum()) for work in works) for name in OPERATORS}


def _operators(busy_cycles: Mapping[str, int], hardware: Hardware, makespan_cycles: int) -> dict[str, int]:
    operators = {}
    for name, count in zip(OPERATORS, (hardware.n_dwo, hardware.n_swo, hardware.n_cs), strict=True):
        operators[f"{name}_busy"] = busy_cycles[name]
        operators[f"{name}_capacity"] = makespan_cycles * hardware.n_pea * count
    return operators


def _dram(result: EngineResult) -> dict[str, Any]:
    channels = {name: asdict(totals) for name, totals in result.channels.items()}
    keys = ("read_bytes", "write_bytes", "row_hits", "row_misses", "busy_cycles")
    return {**{key: sum(channel[key] for channel in channels.values()) for key in keys}, "channels": channels}
