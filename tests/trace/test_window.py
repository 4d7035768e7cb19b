"""What was recorded of a run, and windows in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stored_runs import RUNS, rows, small_run

from panacea_sim.errors import ConfigError
from panacea_sim.trace.options import TraceOptions, parse_window
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.trace.window import chosen_window, left_out

_STALLS = (State.STARVED, State.BLOCKED, State.CONTENDED, State.WAITING)


def _older(run: StoredRun, target: Path) -> StoredRun:
    """Return the run as a version wrote it whose summary says nothing of the trace."""
    target.mkdir()
    for file in run.path.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    summary = {key: value for key, value in run.summary.to_json().items() if key != "trace"}
    (target / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return open_run(target)


def _last_end(run: StoredRun) -> int:
    ends = [row["end_cycle"] for table in ("activities", "dram") for row in rows(run, table)]
    return max([*ends, *(row["cycle"] for row in rows(run, "queues"))])


def test_the_summary_tells_what_was_recorded(any_run: StoredRun) -> None:
    """Recorded are the cycles of the run that are in its window, whatever rows overlap them."""
    end = _last_end(any_run) if any_run.summary is None else any_run.summary.makespan_cycles
    first, last = any_run.window or (0, end)
    assert any_run.recorded_cycles == (first, last)
    assert 0 <= first < last <= end
    assert any_run.is_full == (any_run.recorded_states == tuple(State))
    assert any_run.is_full or any_run.recorded_states == _STALLS


def test_rows_beyond_the_window_tell_nothing_of_it(tmp_path: Path) -> None:
    """Rows are kept whole, and reach beyond the recorded cycles on both sides."""
    run = RUNS["window"](tmp_path)
    assert run.recorded_cycles == (900, 1300)
    assert min(row["start_cycle"] for row in rows(run, "activities")) < 900
    assert max(row["end_cycle"] for row in rows(run, "activities")) > 1300


@pytest.mark.parametrize("level", ["full", "stalls"])
def test_a_window_ends_with_the_run(level: str, tmp_path: Path) -> None:
    """Of a window that reaches beyond the end of the run, the recorded part is what counts."""
    trace = TraceOptions("full" if level == "full" else "stalls", (1300, 10**9))
    run = small_run(tmp_path / "run", trace, "compiled")
    end = run.summary.to_json()["makespan_cycles"]
    assert chosen_window(run, None) == run.recorded_cycles == (1300, end)
    assert left_out(run)[0] == f"Only the cycles 1,300 to {end:,} of {end:,} were recorded (--window)."
    with pytest.raises(ConfigError, match=rf"--window: found 0:1300; accepted: .* the recorded cycles 1300:{end}"):
        chosen_window(run, (0, 1300))


def test_a_window_behind_the_end_is_named(tmp_path: Path) -> None:
    """Whoever reads a run whose window lay behind its end hears so, whatever window is asked for."""
    run = small_run(tmp_path / "run", TraceOptions(window=(10**7, 10**8)), "compiled")
    end = run.summary.to_json()["makespan_cycles"]
    message = rf"--window 10000000:100000000 of the run lay behind its end at {end}; .* a --window before cycle {end}"
    for window in (None, (0, 100)):
        with pytest.raises(ConfigError, match=message):
            chosen_window(run, window)


@pytest.mark.parametrize(("kind", "states"), [("full", tuple(State)), ("stalls", _STALLS)])
def test_a_run_of_an_earlier_version_counts_as_recorded_to_its_end(
    kind: str, states: tuple[State, ...], tmp_path: Path
) -> None:
    """Without the key `trace`, cycles are those of the run, and the tables tell what was kept."""
    run = _older(RUNS[kind](tmp_path), tmp_path / "older")
    assert run.recorded_cycles == (0, run.summary.to_json()["makespan_cycles"])
    assert run.recorded_states == states


def test_a_damaged_table_hides_no_other(tmp_path: Path) -> None:
    """Of a partial run whose tables were cut off, the others tell how far it came."""
    run = RUNS["partial"](tmp_path)
    (run.path / "queues.parquet").write_bytes(b"PAR1")
    (run.path / "dram.parquet").unlink()
    left = open_run(run.path)
    assert left.recorded_cycles == (0, max(row["end_cycle"] for row in rows(left, "activities")))


def test_a_partial_run_without_rows_has_recorded_nothing(tmp_path: Path) -> None:
    """A run that stopped before its tables were written says that there are no rows."""
    run = RUNS["partial"](tmp_path)
    older = small_run(tmp_path / "empty", TraceOptions(window=(10**7, 10**8)), "compiled")
    for table in ("activities", "queues", "dram"):
        (run.path / f"{table}.parquet").write_bytes((older.path / f"{table}.parquet").read_bytes())
    with pytest.raises(ConfigError, match="found a trace without rows; accepted: a run in which something was"):
        chosen_window(open_run(run.path), None)


@pytest.mark.parametrize(
    ("trace", "sentences"),
    [
        (TraceOptions(), []),
        (TraceOptions(window=(0, 10**9)), []),
        (TraceOptions("stalls"), ["Busy and idle were not recorded (--trace stalls)."]),
        (
            TraceOptions("stalls", (900, 1300)),
            ["Only the cycles 900 to 1,300 of {end} were recorded (--window).", "Busy and idle were not recorded"],
        ),
    ],
)
def test_what_was_left_out_is_said(trace: TraceOptions, sentences: list[str], tmp_path: Path) -> None:
    """A sentence for the window, one for the states, none where everything was recorded."""
    run = small_run(tmp_path / "run", trace, "compiled")
    found = left_out(run)
    assert len(found) == len(sentences)
    for sentence, start in zip(found, sentences, strict=True):
        assert sentence.startswith(start.format(end=f"{run.summary.to_json()['makespan_cycles']:,}"))


@pytest.mark.parametrize("text", ["0:" + "9" * 5000, "9" * 5000 + ":", f"0:{2**63}", "0:99999999999999999999"])
def test_cycles_that_no_table_holds(text: str) -> None:
    """A window beyond 64 bits is refused, however many digits it has; leading zeros do not count."""
    with pytest.raises(ConfigError, match=r"^--window: found .{0,60}; accepted: cycles up to 9223372036854775807$"):
        parse_window(text)
    assert parse_window("0" * 5000 + "1:" + "0" * 50 + "2") == (1, 2)
