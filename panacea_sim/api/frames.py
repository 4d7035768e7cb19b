"""The figures of a run as DataFrames: one row a component, a layer or a change; cycles, bytes and pJ as whole sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from panacea_sim.analysis.whatif import CostChange, Gain, WhatIfRow
from panacea_sim.energy.energy import CATEGORIES, Energy
from panacea_sim.energy.ranges import Range
from panacea_sim.errors import ConfigError
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.summary import Summary

__all__ = [
    "change_frame",
    "charge_frame",
    "component_frame",
    "figures_of",
    "layer_frame",
    "stall_frame",
    "state_frame",
]

_CASES = ("low", "nominal", "high")


def figures_of(run: StoredRun) -> Summary:
    """Return the figures of a run; raises ConfigError for a partial one, which has none."""
    if run.summary is None:
        raise ConfigError(f"{run.path}", "a partial run, which has no figures", "a complete run", "Run it again")
    return run.summary


def state_frame(summary: Summary) -> pd.DataFrame:
    """Return the cycles of each component and channel in each state; a row adds up to the makespan."""
    rows = {name: {state.value: cycles[state] for state in State} for name, cycles in summary.components.items()}
    return pd.DataFrame.from_dict(rows, orient="index", columns=[state.value for state in State]).rename_axis(
        "component"
    )


def component_frame(run: StoredRun) -> pd.DataFrame:
    """Return what each component is, how busy it was, and how often it did what it counts (0: it does not count it)."""
    summary = figures_of(run)
    group_of = {member: group for group, members in run.groups.items() for member in members}
    actions = dict.fromkeys(action for counted in summary.actions.values() for action in counted)
    rows = []
    for name, cycles in summary.components.items():
        total, busy, idle = sum(cycles.values()), cycles[State.BUSY], cycles[State.IDLE]
        counted = summary.actions.get(name, {})
        rows.append(
            {
                "component": name,
                "group": group_of.get(name, name),
                "section": run.sections[name],
                "busy_share": busy / total if total else 0.0,
                "stalled_cycles": total - busy - idle,
                **{action: counted.get(action, 0) for action in actions},
            }
        )
    return pd.DataFrame(rows).set_index("component")


def stall_frame(summary: Summary) -> pd.DataFrame:
    """Return for how many cycles each component was in which state for which cause, and who is at the other end."""
    rows = [
        {"component": name, "state": each.state.value, "cause": each.cause, "cause_component": each.cause_component}
        | {"cycles": each.cycles}
        for name, totals in summary.stalls.items()
        for each in totals
    ]
    return pd.DataFrame(rows, columns=["component", "state", "cause", "cause_component", "cycles"])


def layer_frame(summary: Summary) -> pd.DataFrame:
    """Return what summary.json says of each layer, and its cycles from its start to its end."""
    rows = [each.model_dump(mode="json", exclude={"operations"}) for each in summary.layers]
    frame = pd.DataFrame(rows).rename(columns={"name": "layer"}).set_index("layer")
    frame.insert(0, "cycles", frame["end_cycle"] - frame["start_cycle"])
    return frame


def change_frame(rows: Iterable[WhatIfRow]) -> pd.DataFrame:
    """Return a row for each change of the hardware or the data that was run again."""
    return pd.DataFrame([_change(row) for row in rows], columns=list(_change_columns()))


def charge_frame(parts: Sequence[tuple[str, Energy]], index: str) -> pd.DataFrame:
    """Return the energy of parts of a run in pJ: nominal by category, and the three cases of all; NaN: no figure."""
    rows = [
        {
            index: name,
            **{category: _nominal(energy.of_category(category)) for category in CATEGORIES},
            **dict(zip(_CASES, _cases(energy.total), strict=True)),
        }
        for name, energy in parts
    ]
    return pd.DataFrame(rows, columns=[index, *CATEGORIES, *_CASES]).set_index(index)


def _nominal(found: Range | None) -> float | None:
    return None if found is None else float(found.nominal)


def _cases(found: Range | None) -> tuple[float | None, ...]:
    return (None,) * len(_CASES) if found is None else tuple(float(getattr(found, case)) for case in _CASES)


def _change(row: WhatIfRow) -> dict[str, object]:
    planned, held, cost = row.gain_planned, row.gain_held, row.cost
    values = (
        (row.kind, row.knob, row.before, row.after, row.unit, row.settings, row.cycles_planned),
        (*_gain(planned), row.cycles_held, *_gain(held)),
        _cost(cost),
        (row.sqnr_db, row.obstacle_planned or row.obstacle_held),
    )
    return dict(zip(_change_columns(), (each for part in values for each in part), strict=True))


def _gain(gain: Gain | None) -> tuple[int | None, float | None]:
    return (None, None) if gain is None else (gain.cycles, gain.share)


def _cost(cost: CostChange | None) -> tuple[int | None, int | None, float | None]:
    return (None, None, None) if cost is None else (cost.multipliers, cost.sram_bytes, cost.dram_bytes_per_cycle)


def _change_columns() -> tuple[str, ...]:
    """Return the columns of changes: what is changed, cycles and gain mapped anew and with mappings held, the cost."""
    what = ("kind", "knob", "from", "to", "unit", "settings")
    gains = ("cycles", "gain_cycles", "gain_share", "cycles_held", "gain_held_cycles", "gain_held_share")
    return (*what, *gains, "multipliers", "sram_bytes", "dram_bytes_per_cycle", "sqnr_db", "obstacle")
