"""The page around the pictures and the table of points."""

from __future__ import annotations

import json
from importlib.resources import files

from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.events import DocumentReady, Reset, SelectionGeometry
from bokeh.layouts import gridplot
from bokeh.models import (
    BoxSelectTool,
    ColumnDataSource,
    CustomJS,
    CustomJSTickFormatter,
    FixedTicker,
    LassoSelectTool,
    Range1d,
    TapTool,
)
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Template

from panacea_sim.report.points import ShownPoints
from panacea_sim.report.points_page.content import page_content
from panacea_sim.report.themes import theme_css, themes
from panacea_sim.report.timeline.figures import hover_tool

__all__ = ["points_page"]

_SHARED_SCRIPTS = ("theme.js",)
_SCRIPTS = ("scatter.js", "parallel.js", "table.js", "view.js")
_SCATTER_HEIGHT, _PARALLEL_HEIGHT = 380, 320
_FAINT = 0.2
_BESIDE = 0.4
"""How far the first and the last axis of the parallel coordinates are from the edges, in axes."""


def points_page(found: ShownPoints) -> str:
    """Return a page that holds the points, the scripts that draw them, and bokeh."""
    header = page_content(found) | {"themes": themes()}
    folder = files("panacea_sim.report.points_page") / "page"
    shared = files("panacea_sim.report.timeline") / "page"
    scripts = [*(shared / name for name in _SHARED_SCRIPTS), *(folder / name for name in _SCRIPTS)]
    page: str = file_html(
        _document(len(header["measures"])),
        Resources(mode="inline", log_level="warn"),
        title=f"{found.name} - points",
        template=Template((folder / "page.html").read_text(encoding="utf-8")),
        template_variables={
            # JSON that cannot end the script element it stands in, whatever a sweep is called.
            "header": json.dumps(header).replace("<", "\\u003c"),
            "found": found,
            "goals": [goal.text for goal in found.goals],
            "fixed": header["fixed"],
            "theme": theme_css(),
            "scripts": "\n".join(script.read_text(encoding="utf-8") for script in scripts),
        },
    )
    return page


def _document(measures: int) -> Document:
    """Return the pictures, still empty: page/view.js fills them for the measures that are chosen."""
    source = ColumnDataSource({name: [] for name in ("x", "y", "xs", "ys", "colour", "size", "alpha", "i")})
    scatter, parallel = _scatter(source), _parallel(source, measures)
    document = Document()
    document.add_root(
        gridplot(
            [[scatter], [parallel]],
            sizing_mode="stretch_width",
            merge_tools=False,
            toolbar_location="right",
            toolbar_options={"logo": None},
        )
    )
    code = "panacea.start({source, scatter, scatterX, scatterY, parallel})"
    given = {
        "source": source,
        "scatter": scatter,
        "scatterX": scatter.xaxis[0],
        "scatterY": scatter.yaxis[0],
        "parallel": parallel,
    }
    document.js_on_event(DocumentReady, CustomJS(args=given, code=code))
    return document


def _scatter(source: ColumnDataSource) -> figure:
    plot = _figure(_SCATTER_HEIGHT, "pan,wheel_zoom,reset", Range1d(0, 1), Range1d(0, 1))
    drawn = plot.scatter(
        x="x",
        y="y",
        size="size",
        fill_color="colour",
        line_color=None,
        fill_alpha=0.85,
        nonselection_fill_alpha=_FAINT,
        source=source,
    )
    chosen = BoxSelectTool(renderers=[drawn], description="choose the points in a box")
    plot.add_tools(
        chosen,
        LassoSelectTool(renderers=[drawn], description="choose the points inside of a line"),
        TapTool(renderers=[drawn], description="choose a point"),
        hover_tool(drawn, "i", "describe(value)"),
    )
    plot.toolbar.active_drag = chosen
    plot.xaxis.formatter = CustomJSTickFormatter(code="return panacea.tick('x', tick)")
    plot.yaxis.formatter = CustomJSTickFormatter(code="return panacea.tick('y', tick)")
    return plot


def _parallel(source: ColumnDataSource, measures: int) -> figure:
    """Return the parallel coordinates: every axis from 0 to 1, and a line for each point."""
    across = Range1d(-_BESIDE, measures - 1 + _BESIDE)
    plot = _figure(_PARALLEL_HEIGHT, "", across, Range1d(-0.12, 1.12))
    lines = plot.multi_line(
        xs="xs",
        ys="ys",
        line_color="colour",
        line_width=1.4,
        line_alpha="alpha",
        nonselection_line_alpha=_FAINT / 2,
        source=source,
    )
    brush = BoxSelectTool(renderers=[], description="choose the points whose lines go through a box on these axes")
    plot.add_tools(brush, TapTool(renderers=[lines], description="choose a line"))
    plot.add_tools(hover_tool(lines, "i", "describe(value)"))
    plot.toolbar.active_drag = brush
    code = "if (cb_obj.final) panacea.brush(cb_obj.geometry)"
    plot.js_on_event(SelectionGeometry, CustomJS(code=code))
    plot.js_on_event(Reset, CustomJS(code="panacea.choose([])"))
    plot.xaxis.ticker = FixedTicker(ticks=list(range(measures)))
    plot.xaxis.formatter = CustomJSTickFormatter(code="return panacea.measureLabel(tick)")
    plot.yaxis.visible = False
    plot.ygrid.visible = False
    ends = ColumnDataSource({name: [] for name in ("x", "y", "text", "baseline", "ink")})
    plot.text(
        x="x",
        y="y",
        text="text",
        text_align="center",
        text_baseline="baseline",
        text_color="ink",
        text_font_size="11px",
        source=ends,
        name="ends",
    )
    return plot


def _figure(height: int, tools: str, across: Range1d, up: Range1d) -> figure:
    plot = figure(
        height=height,
        x_range=across,
        y_range=up,
        tools=tools,
        active_scroll=None,
        min_border_left=88,
        output_backend="canvas",
        lod_threshold=None,
    )
    plot.background_fill_color = None
    plot.border_fill_color = None
    return plot
