"""Shares of states, and stalls, of stored runs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from stored_runs import rows

from panacea_sim.analysis.shares import state_shares
from panacea_sim.analysis.stalls import longest_stalls, stall_causes
from panacea_sim.errors import ConfigError
from panacea_sim.trace.bandwidth import bandwidth
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import chosen_window, parse_window, recorded_span

_WINDOW = (950, 1333)


def test_shares_are_those_of_the_rows(any_run: StoredRun) -> None:
    """Each bin has the cycles of each state that counting through the rows gives."""
    found = state_shares(any_run, 37, (1000, 1250))
    naive = np.zeros_like(found.cycles)
    states = [state.value for state in State]
    for row in rows(any_run, "activities"):
        at = found.components.index(row["component"]), states.index(row["state"])
        for number, (low, high) in enumerate(zip(found.edges[:-1], found.edges[1:], strict=True)):
            naive[at[0], number, at[1]] += max(0, min(row["end_cycle"], high) - max(row["start_cycle"], low))
    assert (found.edges[0], found.edges[-1]) == (1000, 1250)
    assert (found.cycles == naive).all()
    assert naive.any()


def test_shares_of_a_whole_run_are_its_summary(full_run: StoredRun) -> None:
    """All bins are full, and their sums are the states of summary.json."""
    found = state_shares(full_run, 100)
    assert np.allclose(found.shares().sum(axis=2), 1)
    sums = {name: cycles.sum(axis=0).tolist() for name, cycles in zip(found.components, found.cycles, strict=True)}
    assert sums == {name: list(states.values()) for name, states in full_run.summary["components"].items()}


def test_bandwidth_keeps_all_bytes(full_run: StoredRun) -> None:
    """The bytes of each channel, summed over the bins, are those of summary.json."""
    edges = state_shares(full_run, 100).edges
    found = {name: (values * np.diff(edges)).sum() for name, values in bandwidth(full_run, edges).items()}
    totals = full_run.summary["dram"]["channels"].items()
    assert found == pytest.approx({name: total["read_bytes"] + total["write_bytes"] for name, total in totals})


@pytest.mark.parametrize("window", [None, _WINDOW])
def test_longest_stalls_come_first(full_run: StoredRun, window: tuple[int, int] | None) -> None:
    """The longest stalls are those that sorting all of the rows gives."""
    first, last = window or (0, 10**9)
    stalls = [
        (row["start_cycle"] - row["end_cycle"], row["start_cycle"], row["component"])
        for row in rows(full_run, "activities")
        if row["state"] not in {"busy", "idle"} and row["start_cycle"] < last and row["end_cycle"] > first
    ]
    found = longest_stalls(full_run, 12, window)
    assert [(-stall.cycles, stall.start_cycle, stall.component) for stall in found] == sorted(stalls)[:12]


def test_causes_are_those_of_the_summary(full_run: StoredRun) -> None:
    """Summed up by component, state, cause and other end, stalls are those of summary.json, most first."""
    found = stall_causes(full_run)
    expected = {
        (component, stall["state"], stall["cause"], stall["cause_component"]): stall["cycles"]
        for component, stalls in full_run.summary["stalls"].items()
        for stall in stalls
    }
    kinds = {(stall.component, stall.state, stall.cause, stall.cause_component): stall.cycles for stall in found}
    assert kinds == expected
    assert [stall.cycles for stall in found] == sorted(expected.values(), reverse=True)


def test_causes_of_a_window_are_cut_at_its_edges(full_run: StoredRun) -> None:
    """The stalls of a component and state in a window add up to its share there."""
    found: Counter[tuple[str, str]] = Counter()
    for stall in stall_causes(full_run, _WINDOW):
        found[stall.component, stall.state] += stall.cycles
    shares = state_shares(full_run, 1, _WINDOW)
    expected = {
        (name, state.value): int(cycles[0, number])
        for name, cycles in zip(shares.components, shares.cycles, strict=True)
        for number, state in enumerate(State)
        if state not in {State.BUSY, State.IDLE} and cycles[0, number]
    }
    assert found == expected


def test_windows_are_cut_to_what_was_recorded(full_run: StoredRun) -> None:
    """A window reaches to the end of the run at most, and one behind it is refused."""
    end = full_run.summary["makespan_cycles"]
    assert recorded_span(full_run) == (0, end)
    assert chosen_window(full_run, (100, 10**9)) == (100, end)
    with pytest.raises(
        ConfigError, match=rf"--window: found {end}:{end + 5}; accepted: a window that overlaps .* 0:{end}"
    ):
        chosen_window(full_run, (end, end + 5))


@pytest.mark.parametrize("text", ["5", "7:7", "9:3", "-1:4", "a:b", ":"])
def test_what_is_no_window_is_refused(text: str) -> None:
    """A window is two whole cycles in order."""
    with pytest.raises(ConfigError, match=r"--window: found .*; accepted: A:B, whole cycles with A < B"):
        parse_window(text)
