"""What the parts of a run did with their cycles, as a comparison has it: states and stalls by group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from panacea_sim.analysis.comparison.naming import Naming
from panacea_sim.analysis.comparison.rows import Figures, Key
from panacea_sim.analysis.shares import state_shares
from panacea_sim.trace.column_batches import column_batches
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import within

__all__ = ["has_rows", "stalls", "states"]

_STALLS = (State.STARVED, State.BLOCKED, State.CONTENDED, State.WAITING)
_STALL_COLUMNS = ["component", "state", "cause", "cause_component"]


def has_rows(run: StoredRun) -> bool:
    """Return whether intervals of any cycle of the run were recorded."""
    first_cycle, last_cycle = run.recorded_cycles
    return run.has_table("activities") and first_cycle < last_cycle


def states(run: StoredRun, naming: Naming) -> Figures | None:
    """Return the cycles of (group, state), sums over the group's members; None if nothing is known of them.

    Those of a partial run are the recorded ones, and states that were not recorded are not known.
    """
    if run.summary is not None:
        known = run.summary.components
    elif has_rows(run):
        whole = state_shares(run, 1)
        known = {
            name: dict(zip(State, map(int, cycles[0]), strict=True))
            for name, cycles in zip(whole.components, whole.cycles, strict=True)
        }
    else:
        return None
    recorded = tuple(State) if run.summary is not None else run.recorded_states
    sums: Counter[Key] = Counter()
    for name, cycles in known.items():
        for state in State:
            sums[naming.group_of[name], state.value] += cycles[state]
    return {key: sums[key] if State(key[1]) in recorded else None for key in sums}


def stalls(run: StoredRun, naming: Naming) -> Figures | None:
    """Return the cycles of (group, state, cause, component at the other end), sums over the group's members.

    None and partial runs as in `states`.
    """
    sums: Counter[Key] = Counter()
    for name, state, cause, other, cycles in _stalls_of(run):
        sums[naming.group_of[name], state, naming.cause(cause), naming.other_end(other)] += cycles
    return sums if run.summary is not None or has_rows(run) else None


def _stalls_of(run: StoredRun) -> Iterator[tuple[str, str, str, str, int]]:
    if run.summary is not None:
        for name, totals in run.summary.stalls.items():
            for stall in totals:
                yield name, stall.state.value, stall.cause, stall.cause_component, stall.cycles
    elif has_rows(run):
        yield from _recorded_stalls(run)


def _recorded_stalls(run: StoredRun) -> Iterator[tuple[str, str, str, str, int]]:
    first, last = run.recorded_cycles
    is_stall = ds.field("state").isin([state.value for state in _STALLS])
    columns = [*_STALL_COLUMNS, "start_cycle", "end_cycle"]
    for batch in column_batches(run, "activities", columns, is_stall & within((first, last))):
        start = pc.max_element_wise(batch["start_cycle"], first)
        cycles = pc.subtract(pc.min_element_wise(batch["end_cycle"], last), start)
        texts = [pc.cast(batch[name], pa.string()) for name in _STALL_COLUMNS]
        found = pa.table([*texts, cycles], [*_STALL_COLUMNS, "cycles"]).group_by(_STALL_COLUMNS)
        for row in found.aggregate([("cycles", "sum")]).to_pylist():
            yield (*(row[name] for name in _STALL_COLUMNS), row["cycles_sum"])
