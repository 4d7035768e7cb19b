"""Report pages."""

from __future__ import annotations

import base64
import html
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from stored_runs import RUNS, rows
from test_tornado import FOUND

from panacea_sim.analysis.performance import performance
from panacea_sim.analysis.query import longest
from panacea_sim.analysis.selection import Selection
from panacea_sim.commands.door import run_command_line
from panacea_sim.errors import ConfigError
from panacea_sim.explanation.known import known_explanation
from panacea_sim.hardware.config import load_hardware
from panacea_sim.report import page
from panacea_sim.report.explained_part import explained_part
from panacea_sim.report.page import report_page
from panacea_sim.report.themes import theme_css
from panacea_sim.report.timeline import timeline_html
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.stored_run import StoredRun, open_run
from panacea_sim.trace.window import left_out
from panacea_sim.workload.masked_layer import MaskedLayer

_VOID = {"meta", "img"}


class _Reader(HTMLParser):
    """Checks that tags are closed in order, and gathers tables as rows of texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: list[list[str]] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()


def _read(text: str) -> _Reader:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert not reader.open
    return reader


@pytest.fixture(autouse=True)
def _quick_parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave picture and timeline out, which take long, where the test is not about them."""
    if request.function is not test_the_timeline_is_a_page_inside:
        monkeypatch.setattr(page, "timeline_html", lambda *_: "")
    if request.function is not test_the_picture_is_in_the_page:
        monkeypatch.setattr(page, "_picture", lambda *_: "iVBORw0KGgo=")
    if (
        "explained" not in request.function.__name__
        and request.function is not test_pages_of_all_runs_need_nothing_else
    ):
        monkeypatch.setattr(page, "explained_part", lambda _: None)


def test_the_picture_is_in_the_page(full_run: StoredRun) -> None:
    """The picture is part of the file."""
    found = re.search(r'src="data:image/png;base64,([^"]*)"', report_page(full_run))
    assert found is not None
    assert len(base64.b64decode(found[1])) > 20_000


def test_pages_of_all_runs_need_nothing_else(any_run: StoredRun) -> None:
    """A page is well formed, escapes every name, and loads nothing from anywhere."""
    text = report_page(any_run)
    reader = _read(text)
    assert "<title>small &lt;b&gt; on panacea</title>" in text
    assert "<b>" not in text
    targets = [value for name, value in reader.attributes if name in {"src", "href"}]
    assert len(targets) == 1
    assert base64.b64decode(targets[0].removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    # The scripts of the timeline name addresses, but load nothing: tests/browser opens it offline.
    assert "http" not in re.sub(r"<iframe.*</iframe>", "", text, flags=re.DOTALL)
    assert ("This run did not reach its end" in text) == any_run.is_partial


def test_tables_have_the_figures(full_run: StoredRun) -> None:
    """States, longest stalls, causes, layers and DRAM are those of the run."""
    found = _read(report_page(full_run)).rows
    summary = full_run.summary.to_json()
    stall = longest(full_run, Selection(states=("stall",)), 1).to_pylist()[0]
    idle = summary["components"]["pea3"]["idle"] / summary["makespan_cycles"]
    causes: Counter[tuple[str, str, str]] = Counter()
    for name, stalls in summary["stalls"].items():
        for each in stalls:
            causes[name, each["state"], each["cause"]] += each["cycles"]
    row = next(row for row in found if row[0] == "pea3")
    assert (row[1], row[-1]) == ("compute", f"{idle:.1%}")
    assert [f"{stall['cycles']:,}", f"{stall['start_cycle']:,}", stall["component"]] in [row[:3] for row in found]
    for cause, cycles in causes.most_common(5):
        assert [*cause, f"{cycles:,}"] in [row[:4] for row in found]
    assert ["layer <1> & $x$", "140", "70", "40"] in [row[:4] for row in found]
    totals = summary["dram"]["channels"]["dram1"]
    assert [f"{totals['read_bytes']:,}", f"{totals['write_bytes']:,}"] in [
        row[1:3] for row in found if row[0] == "dram1"
    ]


def test_a_window_is_said(full_run: StoredRun) -> None:
    """The page of a window names its cycles, and which figures are those of the whole run."""
    text = report_page(full_run, (900, 1200))
    assert "Shown below: cycles 900 to 1,200." in text
    for heading in (
        "<p>Figures of the whole run:</p>",
        "<h2>Layers of the whole run</h2>",
        "<h2>DRAM of the whole run<",
    ):
        assert heading in text
    assert "of the whole run" not in report_page(full_run)


def test_it_says_what_was_not_recorded(any_run: StoredRun) -> None:
    """What was left out stands at the top; the table of states has the recorded ones alone, as shares of the cycles."""
    text = report_page(any_run)
    first, last = any_run.recorded_cycles
    assert f"Shown below: cycles {first:,} to {last:,}." in text
    assert ("recorded (--" in text) == bool(left_out(any_run))
    for sentence in left_out(any_run):
        assert sentence in text
    found = _read(text).rows
    assert ["component", "section", "", *any_run.recorded_states] in found
    row = next(row for row in found if row[0] == "ppu")
    cycles = Counter[str]()
    for each in rows(any_run, "activities"):
        if each["component"] == "ppu":
            cycles[each["state"]] += max(min(each["end_cycle"], last) - max(each["start_cycle"], first), 0)
    shares = [cycles[state] / (last - first) for state in any_run.recorded_states]
    assert row[3:] == [f"{share:.1%}" if share else "" for share in shares]


def test_paper_and_dark_are_in_its_styles(full_run: StoredRun) -> None:
    """Printers keep the colours; on paper the timeline gives way to the picture; tests/browser looks at both."""
    text = report_page(full_run)
    printed = text.partition("@media print")[2].partition("</style>")[0]
    assert "print-color-adjust: exact" in text
    assert theme_css() in text
    assert ".screen { display: none; }" in printed
    screen = re.search(r'<div class="screen">(.*?)</div>', text, flags=re.DOTALL)
    assert screen is not None
    assert "<iframe" in screen[1]
    assert "<img" not in screen[1]


def test_the_timeline_is_a_page_inside(full_run: StoredRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page of the timeline stands whole in a frame of its own."""
    drawn = timeline_html(full_run)
    monkeypatch.setattr(page, "timeline_html", lambda run, _: drawn if run is full_run else "")
    embedded = re.search(r'<iframe [^>]*srcdoc="([^"]*)">', report_page(full_run))
    assert embedded is not None
    assert html.unescape(embedded[1]) == drawn


def _part(text: str) -> str:
    return text.partition("Why it took so long")[2].partition("<h2>")[0]


def test_a_run_recorded_whole_is_explained(full_run: StoredRun) -> None:
    """What bounds it, its critical path, its roofline, and the command that measures gains; of layers nothing."""
    text = _part(report_page(full_run))
    explanation, summary = known_explanation(full_run), full_run.summary
    assert explanation is not None
    assert f"bound by {explanation.bound}, " in text
    assert re.findall("<h3>(.*)</h3>", text) == ["The critical path", "Roofline", "What each change gains"]
    assert text.count("<svg") == 2
    row = explanation.path[0]
    assert f"{row.cycles:,} ({row.cycles / summary.makespan_cycles:.1%})" in text
    assert f"What each knob gains is measured by: panacea-sim whatif {full_run.path}" in text
    rates = performance(summary, load_hardware("panacea"))
    assert f"{rates.peak_macs_per_cycle:,.0f} MACs a cycle: all multipliers" in text
    assert len(text) < 80_000


def test_an_explained_window_of_the_page_is_of_the_whole_run(full_run: StoredRun) -> None:
    """A part of the run has no path of its own."""
    assert "Why it took so long of the whole run</h2>" in report_page(full_run, (900, 1200))


@pytest.mark.parametrize(
    ("kind", "reason"), [("window", "only a window of the run was recorded"), ("stalls", "only stalls were recorded")]
)
def test_one_line_says_why_a_run_is_not_explained(kind: str, reason: str, tmp_path: Path) -> None:
    """With the command that explains it; the roofline needs no path."""
    stored = RUNS[kind](tmp_path)
    text = html.unescape(_part(report_page(stored)))
    (line,) = re.findall("<p>(This run is not explained.*)</p>", text)
    assert reason in line
    assert line.endswith(f"panacea-sim run {stored.path / 'scenario.yaml'} --explain --out NEW")
    assert re.findall("<h3>(.*)</h3>", text) == ["The critical path", "Roofline", "What each change gains"]
    assert text.count("<svg") == 1


def test_the_command_for_an_explained_run_works(tmp_path: Path) -> None:
    """What the line says explains the run."""
    line = (
        html.unescape(_part(report_page(RUNS["window"](tmp_path))))
        .partition("Explain it with: panacea-sim ")[2]
        .partition("</p>")[0]
    )
    arguments = [str(tmp_path / "new") if word == "NEW" else word for word in line.split()]
    assert run_command_line(arguments, frozenset()) == 0
    assert "bound by" in _part(report_page(open_run(tmp_path / "new")))


def test_a_partial_run_is_not_explained(tmp_path: Path) -> None:
    """Nothing is said of what cannot be known."""
    assert "Why it took so long" not in report_page(RUNS["partial"](tmp_path))


def test_results_of_whatif_are_in_an_explained_page(full_run: StoredRun, tmp_path: Path) -> None:
    """Where the folder has them the gains of the knobs are drawn."""
    shutil.copytree(full_run.path, tmp_path / "run")
    (tmp_path / "run" / "whatif").mkdir()
    (tmp_path / "run" / "whatif" / "whatif.json").write_text(json.dumps(FOUND.to_json()))
    text = _part(report_page(open_run(tmp_path / "run")))
    assert text.count("<svg") == 3
    assert "1+11: +300.0% &gt;&gt;" in text
    assert "panacea-sim whatif" not in text


def test_an_explained_network_needs_no_trace(tmp_path: Path) -> None:
    """Of layers that ran alone each has a column, a point and a row; what was not recorded is left out, and said."""
    layers = tuple(MaskedLayer(f"layer{number}", 80, 60 + 20 * number, 40, 0.5, 0.5, number) for number in range(3))
    scenario = Scenario("network <1>", layers, schedule="barrier", values=False)
    run(scenario, RunOptions(tmp_path / "run", trace=NO_TRACE, explain=True))
    stored = open_run(tmp_path / "run")
    text = report_page(stored)
    found = _read(text).rows
    assert "No cycle was recorded (--trace off)" in text
    assert not {"Timeline", "Longest stalls", "Where the time went"} & set(re.findall("<h2>(.*)</h2>", text))
    part = _part(text)
    assert part.count("<svg") == 3
    assert "The critical path of each layer" in part
    names = [row[0] for row in found[1:4]]
    ends = [0, *(layer.end_cycle for layer in stored.summary.layers)]
    lengths = {layer.name: end - start for layer, (start, end) in zip(layers, pairwise(ends), strict=True)}
    assert names == sorted(lengths, key=lambda name: -lengths[name])
    assert [row[1] for row in found[1:4]] == [f"{lengths[name]:,}" for name in names]
    shares = next(row for row in found if row[0] == "pea0" and row[1] == "compute")
    busy = stored.summary.components["pea0"]["busy"] / stored.summary.makespan_cycles
    assert shares[3] == f"{busy:.1%}"
    name, cause = next((name, stalls[0]) for name, stalls in stored.summary.stalls.items() if stalls)
    assert any(row[:3] == [name, cause.state.value, cause.cause] for row in found)
    with pytest.raises(ConfigError, match=r"no activities\.parquet"):
        report_page(stored, (0, 10))


def test_an_unexplained_network_says_so(tmp_path: Path) -> None:
    """Without --explain the roofline is there, and the command for the rest."""
    layers = tuple(MaskedLayer(f"layer{number}", 40, 40, 40, 0.5, 0.5, number) for number in range(2))
    run(Scenario("plain", layers, schedule="barrier", values=False), RunOptions(tmp_path / "run", trace=NO_TRACE))
    text = _part(report_page(open_run(tmp_path / "run")))
    assert "This run is not explained: nothing was recorded." in text
    assert text.count("<svg") == 1


def test_a_scenario_that_cannot_be_read_costs_the_roofline_alone(
    full_run: StoredRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine's roofs stand in scenario.yaml; without it a line says what is wrong."""
    shutil.copytree(full_run.path, tmp_path / "run")
    (tmp_path / "run" / "scenario.yaml").write_text("name: small\n")
    monkeypatch.setattr(page, "explained_part", explained_part)
    text = _part(report_page(open_run(tmp_path / "run")))
    assert "There is no roofline: " in text
    assert "scenario.yaml: hardware: found nothing" in text
    assert text.count("<svg") == 1
