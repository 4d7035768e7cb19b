"""Value change dumps, read back with pyvcd, and their save files for GTKWave."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from stored_runs import RUNS, rows
from vcd.reader import TokenKind, tokenize

from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.exporters import vcd
from panacea_sim.trace.exporters.vcd import NOT_RECORDED, write_gtkw, write_vcd
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.workload.synthetic import synthetic_layer

_History = dict[str, list[tuple[int, str | int]]]


def _read(path: Path) -> _History:
    """Return for each variable its times and values, one for each time at which it changes."""
    scopes: list[str] = []
    names: dict[str, str] = {}
    history: dict[str, dict[int, str | int]] = defaultdict(dict)
    now = 0
    with path.open("rb") as file:
        for token in tokenize(file):
            if token.kind is TokenKind.SCOPE:
                scopes.append(token.scope.ident)
            elif token.kind is TokenKind.UPSCOPE:
                scopes.pop()
            elif token.kind is TokenKind.VAR:
                names[token.var.id_code] = ".".join([*scopes, token.var.reference])
            elif token.kind is TokenKind.CHANGE_TIME:
                now = token.time_change
            elif token.kind is TokenKind.CHANGE_STRING:
                history[names[token.string_change.id_code]][now] = token.string_change.value.replace("\\x20", " ")
            elif token.kind is TokenKind.CHANGE_VECTOR and (now or token.vector_change.value != "x"):
                history[names[token.vector_change.id_code]][now] = token.vector_change.value
    return {name: list(values.items()) for name, values in history.items()}


def _changes(values: list[tuple[int, str | int]]) -> list[tuple[int, str | int]]:
    """Return the last value of each time, where it differs from the one before."""
    last = dict(values)
    times = list(last)
    return [(time, last[time]) for at, time in enumerate(times) if at == 0 or last[time] != last[times[at - 1]]]


def _ps(run: StoredRun, cycle: int) -> int:
    return cycle * 10**12 // int(run.heading.clock_hz)


def _of_components(run: StoredRun) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in run.sections}
    for row in rows(run, "activities"):
        found[row["component"]].append(row)
    return found


def _expected(
    run: StoredRun, activities: list[dict[str, Any]], column: str, window: tuple[int, int]
) -> list[tuple[int, str | int]]:
    """Return the changes of one component, whose rows are given."""
    values: list[tuple[int, str | int]] = [(0, NOT_RECORDED if column == "state" else "-")]
    for row in activities:
        if row["start_cycle"] >= window[1] or row["end_cycle"] <= window[0]:
            continue
        tile = f"{row['layer']}:{row['m']},{row['n']},{row['k']}" if row["layer"] else "-"
        cause = row["cause"] + f"({row['cause_component']})" if row["cause"] and row["cause_component"] else ""
        texts = {"state": row["state"], "tile": tile, "cause": cause or row["cause"] or row["cause_component"] or "-"}
        values.append((_ps(run, max(row["start_cycle"], window[0])), texts[column]))
        values.append((_ps(run, min(row["end_cycle"], window[1])), NOT_RECORDED if column == "state" else "-"))
    return _changes(values)


@pytest.mark.parametrize("stretch_rows", [200_000, 100])
def test_changes_are_those_of_the_tables(
    any_run: StoredRun, stretch_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State, tile and cause of each component, and each occupancy, change when and as the tables say.

    Behind the recorded cycles nothing is known.
    """
    monkeypatch.setattr(vcd, "_ROWS", stretch_rows)
    write_vcd(any_run, tmp_path / "trace.vcd")
    history = _read(tmp_path / "trace.vcd")
    own = _of_components(any_run)
    expected = {
        f"run.{section}.{component}.{column}": _expected(any_run, own[component], column, any_run.recorded_cycles)
        for component, section in any_run.sections.items()
        for column in ("state", "tile", "cause")
    }
    occupancies = defaultdict(list)
    for row in rows(any_run, "queues"):
        occupancies[f"run.occupancy.{row['queue']}"].append((_ps(any_run, row["cycle"]), row["occupancy"]))
    last = any_run.recorded_cycles[1]
    for changes in occupancies.values() if last < any_run.end_cycle else ():
        changes.append((_ps(any_run, last), "x"))
    assert history == expected | occupancies


def test_a_window_keeps_what_overlaps_it(full_run: StoredRun, tmp_path: Path) -> None:
    """Rows that overlap the window are cut to it, and nothing is said of the rest."""
    write_vcd(full_run, tmp_path / "trace.vcd", (900, 1100))
    history = _read(tmp_path / "trace.vcd")
    own = _of_components(full_run)
    for component, section in full_run.sections.items():
        found = history[f"run.{section}.{component}.state"]
        assert found == _expected(full_run, own[component], "state", (900, 1100))
    queues = [row["queue"] for row in rows(full_run, "queues") if 900 <= row["cycle"] < 1100]
    changes = [name for name, values in history.items() if ".occupancy." in name for _, value in values if value != "x"]
    assert sorted(changes) == sorted(f"run.occupancy.{queue}" for queue in queues)


def test_a_recorded_window_is_that_of_the_whole_run(full_run: StoredRun, tmp_path: Path) -> None:
    """A run that was recorded in a window and the window of a run that was recorded whole give the same changes."""
    windowed = RUNS["window"](tmp_path)
    write_vcd(windowed, tmp_path / "recorded.vcd")
    write_vcd(full_run, tmp_path / "cut.vcd", windowed.recorded_cycles)
    assert _read(tmp_path / "recorded.vcd") == _read(tmp_path / "cut.vcd")


@pytest.mark.parametrize("name", ["größe", "层 1", "naïve\\path", "tab\there", "λ/µ"])
def test_names_outside_ascii_stay_legible(name: str, tmp_path: Path) -> None:
    """Names are in UTF-8; only what would end a text is escaped."""
    layer = synthetic_layer(name=name, M=20, K=20, N=8, rho_w=0.3, rho_x=0.6, seed=3)
    run(Scenario("names", layer, values=False), RunOptions(tmp_path / "run", engine="reference"))
    write_vcd(open_run(tmp_path / "run"), tmp_path / "trace.vcd")
    shown = name.replace("\\", "\\\\").replace(" ", "\\x20").replace("\t", "\\t")
    lines = (tmp_path / "trace.vcd").read_bytes().decode("utf-8").split("\n")
    tiles = {line[1:].split(" ")[0] for line in lines if line.startswith("s") and ":0,0,0 " in line}
    assert tiles == {f"{shown}:0,0,0"}


@pytest.mark.parametrize("window", [None, (900, 1100), (0, 50)])
def test_the_save_file_shows_the_whole_dump(
    full_run: StoredRun, window: tuple[int, int] | None, tmp_path: Path
) -> None:
    """As many pixels as the zoom needs for the dump fit into the window, beside names and tree, and are most of it."""
    write_gtkw(full_run, tmp_path / "trace.gtkw", tmp_path / "trace.vcd", window)
    lines = (tmp_path / "trace.gtkw").read_text().splitlines()
    (zoom,) = [float(line[1:].split()[0]) for line in lines if line.startswith("*")]
    first, last = window or (0, full_run.end_cycle)
    pixels = (_ps(full_run, last) - _ps(full_run, first)) / (2**-zoom / 200)
    assert pixels == pytest.approx(900, rel=1e-3)
    assert "[size] 1400 800" in lines
    assert f"[timestart] {_ps(full_run, first)}" in lines


def test_the_save_file_names_every_variable(full_run: StoredRun, tmp_path: Path) -> None:
    """GTKWave finds the dump and all its variables, grouped by section."""
    write_vcd(full_run, tmp_path / "trace.vcd")
    write_gtkw(full_run, tmp_path / "trace.gtkw", tmp_path / "trace.vcd")
    lines = (tmp_path / "trace.gtkw").read_text().splitlines()
    shown = [line.rpartition(" ")[2] for line in lines if line.startswith("+{")]
    assert f'[dumpfile] "{tmp_path / "trace.vcd"}"' in lines
    assert sorted(shown) == sorted(_read(tmp_path / "trace.vcd"))
    assert [line for line in lines if line in {"-memory", "-codecs", "-compute", "-output", "-occupancy"}][::2] == [
        "-memory",
        "-codecs",
        "-compute",
        "-output",
        "-occupancy",
    ]
