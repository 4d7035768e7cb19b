"""The page around the timelines and tables of a comparison."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.events import DocumentReady
from bokeh.layouts import gridplot
from bokeh.models import CrosshairTool, CustomJS, CustomJSTickFormatter, FixedTicker, Range1d, Span
from bokeh.resources import Resources
from jinja2 import Template

from panacea_sim.analysis.comparison import Comparison, Section
from panacea_sim.choices import Alignment
from panacea_sim.report.comparison import (
    TITLES,
    change_text,
    energy_note,
    figure_texts,
    has_changes,
    key_cells,
    key_titles,
    not_explained,
    run_cells,
    unlike_rows,
)
from panacea_sim.report.comparison_page.content import page_content
from panacea_sim.report.themes import theme_css, themes
from panacea_sim.report.timeline.figures import lanes_figure, layers_figure
from panacea_sim.report.timeline.packing import pack

__all__ = ["comparison_page"]

_TIMELINE_SCRIPTS = ("unpack.js", "bins.js", "names.js", "texts.js", "paint.js", "wheel.js", "theme.js")
_SCRIPTS = ("align.js", "view.js")
_SHOWN_ROWS = 30
"""Rows of a table; --json has all."""


def comparison_page(comparison: Comparison, align: Alignment) -> str:
    """Return a page that holds the comparison, the scripts that draw it, and bokeh."""
    content = page_content(comparison, align)
    columns, blob = pack(content.columns)
    header = content.header | {"columns": columns, "themes": themes()}
    title = " and ".join(each.run.name for each in comparison.runs[:2])
    folder = files("panacea_sim.report.comparison_page") / "page"
    shared = files("panacea_sim.report.timeline") / "page"
    scripts = [*(shared / name for name in _TIMELINE_SCRIPTS), *(folder / name for name in _SCRIPTS)]
    page: str = file_html(
        _document(header),
        Resources(mode="inline", log_level="warn"),
        title=f"{title} - comparison",
        template=Template((folder / "page.html").read_text(encoding="utf-8")),
        template_variables={
            # JSON that cannot end the script element it stands in, whatever a layer is called.
            "header": json.dumps(header).replace("<", "\\u003c"),
            "labels": [each.label for each in comparison.runs],
            "runs": [run_cells(each, comparison.runs[0]) for each in comparison.runs],
            "missing": [(each.label, sentence) for each in comparison.runs for sentence in each.missing],
            "notExplained": not_explained(comparison),
            "energyNote": energy_note(comparison),
            "tables": [_table(each) for each in comparison.sections if each.rows],
            "blob": blob,
            "theme": theme_css(),
            "scripts": "\n".join(script.read_text(encoding="utf-8") for script in scripts),
        },
    )
    return page


def _table(section: Section) -> dict[str, Any]:
    unlike = unlike_rows(section)
    changes = has_changes(section)
    rows = [
        {
            "key": key_cells(row),
            "values": figure_texts(section, row),
            "changes": [change_text(section, row, value) for value in row.shown] if changes else None,
        }
        for row in unlike[:_SHOWN_ROWS]
    ]
    left_out = len(unlike) - len(rows)
    alike = len(section.rows) - len(unlike)
    title, keys = TITLES[section.name], key_titles(section)
    return {"title": title, "keys": keys, "changes": changes, "rows": rows, "leftOut": left_out, "alike": alike}


def _document(header: dict[str, Any]) -> Document:
    """Return the figures, still empty: page/view.js fills them for what is shown."""
    cycles = Range1d(0, 1)
    tracks = [run["tracks"] for run in header["runs"]]
    layers, layer_source = layers_figure(cycles, sum(tracks))
    layers.yaxis.ticker = FixedTicker(ticks=[sum(tracks[:number]) + each / 2 for number, each in enumerate(tracks)])
    layers.yaxis.formatter = CustomJSTickFormatter(code="return panacea.trackLabel(tick)")
    lanes, lane_source, _, mark = lanes_figure(cycles, header["colours"])
    pointer = Span(dimension="height", line_color="#888888", line_dash="dashed")
    for plot in (layers, lanes):
        plot.add_tools(CrosshairTool(overlay=pointer, description="the place below the pointer in all lanes"))
    document = Document()
    document.add_root(
        gridplot(
            [[layers], [lanes]],
            sizing_mode="stretch_width",
            merge_tools=True,
            toolbar_location="above",
            toolbar_options={"logo": None},
        )
    )
    start = CustomJS(
        args={
            "cycles": cycles,
            "layers": layers,
            "placeAxis": layers.xaxis[0],
            "layerSource": layer_source,
            "lanes": lanes,
            "laneAxis": lanes.yaxis[0],
            "laneSource": lane_source,
            "mark": mark,
        },
        code="panacea.start({cycles, layers, placeAxis, layerSource, lanes, laneAxis, laneSource, mark})",
    )
    document.js_on_event(DocumentReady, start)
    return document
