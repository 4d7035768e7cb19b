"""A run in a notebook."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.dataset as ds
import pytest
from stored_runs import one_layer_run

import panacea_sim
from panacea_sim import Run
from panacea_sim.api.pages import Timeline
from panacea_sim.errors import ConfigError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small run, whose name HTML would misread."""
    return one_layer_run(tmp_path_factory.mktemp("runs") / "small", "a<b>&c")


def test_tables_are_read_when_they_are_asked_for(folder: Path) -> None:
    """A table is a dataset, of which columns and rows are chosen before anything is read."""
    opened = Run.open(folder)
    found = opened.dataset("activities").to_table(
        columns=["state", "end_cycle"], filter=ds.field("component") == "pea3"
    )
    assert found.column_names == ["state", "end_cycle"]
    assert found["end_cycle"][-1].as_py() == opened.summary["makespan_cycles"]
    assert opened.dataset("queues").head(1).column_names == ["queue", "cycle", "occupancy"]
    assert opened.dataset("dram").count_rows() == len(opened.dram) > 0


def test_it_shows_its_summary(folder: Path) -> None:
    """The HTML has the headline, why nothing more is said, and the shares of the states, with names escaped."""
    opened = Run.open(folder)
    html = opened._repr_html_()
    states = opened.summary["components"]["w_dma"]
    assert html.startswith(f"<div><b>small</b> on panacea: {opened.summary['makespan_cycles']:,} cycles, ")
    assert "; layer a&lt;b&gt;&amp;c; reference engine, no values compared</div>" in html
    assert "<div>Not explained yet: run.why()</div>" in html
    assert f"<tr><th>w_dma</th><td>{states['busy'] / sum(states.values()):.1%}</td>" in html
    assert "<tr><th>16 PEAs (mean)</th>" in html


def test_a_partial_run_shows_what_it_knows(folder: Path, tmp_path: Path) -> None:
    """Without figures the HTML says that the run is partial."""
    (tmp_path / ".panacea-run").touch()
    summary = json.loads((folder / "summary.json").read_text())
    kept = {
        name: summary[name] for name in ("schema", "scenario", "hardware", "engine", "clock_hz", "topology", "layers")
    }
    (tmp_path / "summary.json").write_text(json.dumps(kept | {"partial": True}))
    html = Run.open(tmp_path)._repr_html_()
    assert "partial, it did not reach its end" in html
    assert "cycles" not in html
    assert "<th>component</th>" not in html


def test_parts_of_tables_are_frames(folder: Path) -> None:
    """A frame has the columns and rows that were asked for."""
    frame = Run.open(folder).to_pandas("queues", ["queue", "occupancy"], ds.field("queue") == "WMEM")
    assert list(frame.columns) == ["queue", "occupancy"]
    assert set(frame.queue) == {"WMEM"}


def test_a_timeline_is_a_page_in_a_frame() -> None:
    """The page is escaped as a whole, so that the frame cannot end early."""
    assert 'srcdoc="&lt;p class=&quot;x&quot;&gt;&amp;amp;"' in Timeline('<p class="x">&amp;')._repr_html_()


def test_a_run_draws_its_timeline(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run and the window reach the page of the report."""
    page = ModuleType("timeline")
    page.timeline_html = lambda stored, window: f"{stored.name} {window}"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "panacea_sim.report.timeline", page)
    assert Run.open(folder).timeline((3, 9)).html == "small (3, 9)"


def test_it_is_one_line_in_a_terminal(folder: Path) -> None:
    """Neither the summary nor the page is spilled where a notebook is not there to show them."""
    opened = Run.open(folder)
    assert repr(opened) == f"<Run small: {opened.summary['makespan_cycles']:,} cycles, in {folder}>"
    assert repr(Timeline(2_500_000 * "x")) == "<Timeline: a page of 2.5 MB>"


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ("5:100", r"window: found '5:100'; accepted: \(A, B\), whole cycles .* For example window=\(1000, 2000\)"),
        ((5, "9"), r"window: found \(5, '9'\); accepted"),
        ((5,), r"window: found \(5,\); accepted"),
        ((5, 5), r"window: found \(5, 5\), which holds no cycle; accepted: \(A, B\), whole cycles with 0 <= A < B"),
    ],
)
def test_what_is_no_window_is_told(folder: Path, window: Any, message: str) -> None:  # noqa: ANN401  # that is the point
    """A window that is none is refused before anything is drawn."""
    with pytest.raises(ConfigError, match=message):
        Run.open(folder).timeline(window)


def test_an_unknown_table_is_told(folder: Path) -> None:
    """A name that is no table is told with those that there are."""
    message = r"table: found .queue.; accepted: one of activities, queues, dram, postings, critical_path, root_causes"
    with pytest.raises(ConfigError, match=message):
        Run.open(folder).to_pandas("queue")


def test_the_package_is_cheap_to_import() -> None:
    """Importing the package imports nothing heavy until Run is asked for; other names are errors."""
    script = (
        "import sys, panacea_sim; print('pyarrow' in sys.modules); panacea_sim.Run; print('pyarrow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="module 'panacea_sim' has no attribute 'Runn'"):
        _ = panacea_sim.Runn
