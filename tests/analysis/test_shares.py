"""Shares of states, and windows, of stored runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from stored_runs import RUNS, rows

from panacea_sim.analysis.shares import state_shares
from panacea_sim.errors import ConfigError
from panacea_sim.trace.bandwidth import bandwidth
from panacea_sim.trace.options import OPEN_END, parse_window, window_text
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import chosen_window


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
    assert sums == {name: list(states.values()) for name, states in full_run.summary.to_json()["components"].items()}


def test_shares_of_stalls_are_of_the_whole_run(tmp_path: Path) -> None:
    """A trace of stalls gives them the same share of the makespan as summary.json."""
    run = RUNS["stalls"](tmp_path)
    found = state_shares(run, 1)
    assert found.edges.tolist() == [0, run.summary.to_json()["makespan_cycles"]]
    for name, cycles in zip(found.components, found.cycles[:, 0].tolist(), strict=True):
        assert cycles == [0, *list(run.summary.to_json()["components"][name].values())[1:-1], 0]


def test_bandwidth_keeps_all_bytes(full_run: StoredRun) -> None:
    """The bytes of each channel, summed over the bins, are those of summary.json."""
    edges = state_shares(full_run, 100).edges
    found = {name: (values * np.diff(edges)).sum() for name, values in bandwidth(full_run, edges).items()}
    totals = full_run.summary.to_json()["dram"]["channels"].items()
    assert found == pytest.approx({name: total["read_bytes"] + total["write_bytes"] for name, total in totals})


def test_windows_are_cut_to_what_was_recorded(full_run: StoredRun) -> None:
    """A window reaches to the end of the run at most, and one behind it is refused."""
    end = full_run.summary.to_json()["makespan_cycles"]
    assert full_run.recorded_cycles == chosen_window(full_run, None) == (0, end)
    assert chosen_window(full_run, (100, 10**9)) == (100, end)
    with pytest.raises(
        ConfigError, match=rf"--window: found {end}:{end + 5}; accepted: a window that overlaps .* 0:{end}"
    ):
        chosen_window(full_run, (end, end + 5))


@pytest.mark.parametrize("text", ["5", "-1:4", "a:b", ":", "", "1:2:3", "²:9"])
def test_what_is_no_window_is_refused(text: str) -> None:
    """A window is two whole cycles in order."""
    with pytest.raises(ConfigError, match=r"--window: found '.*'; accepted: A:B, whole cycles with A < B"):
        parse_window(text)


@pytest.mark.parametrize("text", ["7:7", "9:3", ":0"])
def test_empty_windows_are_refused_as_such(text: str) -> None:
    """A window without a cycle has a message of its own, and one beyond all cycles too."""
    with pytest.raises(ConfigError, match=f"--window: found '{text}', which is empty; accepted: A:B, .* B is the"):
        parse_window(text)
    with pytest.raises(ConfigError, match=r"--window: found '1:9+\.\.\.9+'; accepted: cycles up to 92233720368"):
        parse_window("1:" + 30 * "9")


@pytest.mark.parametrize(("text", "window"), [("5:9", (5, 9)), ("5:", (5, OPEN_END)), (":9", (0, 9)), (None, None)])
def test_windows_may_be_open(text: str | None, window: tuple[int, int] | None) -> None:
    """Either side may be left out; written again the window is the same."""
    assert parse_window(text) == window
    if window is not None:
        assert parse_window(window_text(window)) == window
