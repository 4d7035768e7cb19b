"""Report pages."""

from __future__ import annotations

import base64
import html
import re
from collections import Counter
from html.parser import HTMLParser

import pytest
from stored_runs import rows

from panacea_sim.analysis.query import longest
from panacea_sim.analysis.selection import Selection
from panacea_sim.report import page
from panacea_sim.report.page import report_page
from panacea_sim.report.themes import theme_css
from panacea_sim.report.timeline import timeline_html
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import left_out

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
