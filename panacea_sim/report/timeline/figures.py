"""The figures of a timeline, still empty: page/view.js fills them for the cycles that are shown."""

from __future__ import annotations

from typing import Any

from bokeh.core.properties import value
from bokeh.document import Document
from bokeh.events import DocumentReady, DoubleTap, SelectionGeometry, Tap
from bokeh.layouts import gridplot
from bokeh.models import (
    BoxAnnotation,
    BoxSelectTool,
    ColumnDataSource,
    CustomJS,
    CustomJSHover,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.plotting import figure
from bokeh.transform import linear_cmap

__all__ = ["hover_tool", "lanes_figure", "layers_figure", "timeline_document"]

_FONT = "system-ui, sans-serif"
_LEFT = 112
_RIGHT = 16
_TRACK_HEIGHT = 22
_CURVES_HEIGHT = 120
_AXIS_HEIGHT = 36
_TOP_AXIS_HEIGHT = 44
_LANES_HEIGHT = 520
_TOOLS = "xpan,xwheel_zoom,xbox_zoom,reset"
_TOOLTIP_CSS = (
    ":host(.bk-Tooltip) { --tooltip-color: var(--paper); --tooltip-text: var(--ink); --tooltip-border: var(--line);"
    " --tooltip-arrow-color: var(--paper); }"
)
_TOOLTIP = (
    '<div style="white-space: pre; font: 12px system-ui, sans-serif; line-height: 1.4; color: var(--ink)">'
    # Here, because no rule of the page reaches into a tooltip.
    f"<style>{_TOOLTIP_CSS}</style>%s</div>"
)
_PATH_HEIGHT = 26
_LIT_PIXELS = 2


def timeline_document(header: dict[str, Any]) -> Document:
    """Return the document with its figures, one below the other on a common axis of cycles."""
    first_cycle, last_cycle = header["span"]
    cycles = Range1d(first_cycle, last_cycle, bounds=(first_cycle, last_cycle), min_interval=4)
    layers, layer_source = layers_figure(cycles, 1 + max((layer["track"] for layer in header["layerSpans"]), default=0))
    lanes, lane_source, edge_source, mark = lanes_figure(cycles, header["colours"])
    lit_source = _lit(lanes)
    path, path_sources = _path(cycles)
    path.visible = bool(header["path"]["keys"])
    occupancy, occupancy_source = _curves(cycles, "occupancy")
    bandwidth, bandwidth_source = _areas(cycles, "bytes / cycle", "describeChannels(special_vars.x)")
    power, power_source = _areas(cycles, "mW", "describePower(special_vars.x)")
    power.visible = any(curve["panel"] == "power" for curve in header["curves"])
    bandwidth.visible = any(curve["panel"] == "dram" for curve in header["curves"])
    utilization, utilization_source = _curves(cycles, "utilization %")
    utilization.yaxis.ticker = FixedTicker(ticks=[0, 50, 100])
    utilization.xaxis.visible = True
    utilization.xaxis.axis_label = "cycles"
    if header["operators"]:
        utilization.height += _AXIS_HEIGHT
    else:
        # Only its axis of cycles is left.
        utilization.height = _AXIS_HEIGHT + 8
        utilization.yaxis.visible = False
    plots = [layers, path, lanes, occupancy, bandwidth, power, utilization]
    chosen = BoxAnnotation(left=0, right=0, visible=False, fill_alpha=0.1, line_alpha=0.8, level="overlay")
    for plot in plots:
        _choose_ranges(plot, chosen)
    document = Document()
    grid = gridplot(
        [[plot] for plot in plots],
        sizing_mode="stretch_width",
        merge_tools=True,
        toolbar_location="above",
        toolbar_options={"logo": None},
    )
    document.add_root(grid)
    given = {
        "cycles": cycles,
        "layers": layers,
        "layerSource": layer_source,
        "lanes": lanes,
        "laneAxis": lanes.yaxis[0],
        "laneSource": lane_source,
        "edgeSource": edge_source,
        "mark": mark,
        "litSource": lit_source,
        "path": path,
        **path_sources,
        "chosen": chosen,
        "occupancy": occupancy,
        "occupancyAxis": occupancy.yaxis[0],
        "occupancySource": occupancy_source,
        "bandwidth": bandwidth,
        "bandwidthSource": bandwidth_source,
        "power": power,
        "powerSource": power_source,
        "utilization": utilization,
        "utilizationSource": utilization_source,
    }
    start = CustomJS(args=given, code=f"panacea.start({{{', '.join(given)}}})")
    document.js_on_event(DocumentReady, start)
    return document


def _plain_figure(cycles: Range1d, height: int, **options: Any) -> figure:  # noqa: ANN401  # bokeh's own keywords
    plot = figure(
        height=height,
        x_range=cycles,
        tools=_TOOLS,
        active_drag="xpan",
        # The wheel scrolls the page, until its tool is chosen; page/wheel.js zooms with Ctrl.
        active_scroll=None,
        min_border_left=_LEFT,
        min_border_right=_RIGHT,
        min_border_top=2,
        min_border_bottom=2,
        output_backend="canvas",
        lod_threshold=None,
        **options,
    )
    plot.xaxis.formatter = NumeralTickFormatter(format="0,0")
    plot.xaxis.visible = False
    # The colour of the page is that of a lane where nothing was recorded; page/theme.js sets those of lines and text.
    plot.background_fill_color = None
    plot.border_fill_color = None
    plot.ygrid.visible = False
    return plot


def layers_figure(cycles: Range1d, tracks: int) -> tuple[figure, ColumnDataSource]:
    """Return the band that says which layer is worked on."""
    names = ("left", "right", "bottom", "top", "middle", "centre", "colour", "edge", "ink", "text", "name", "i")
    source = ColumnDataSource({name: [] for name in names})
    plot = _plain_figure(
        cycles, _TOP_AXIS_HEIGHT + _TRACK_HEIGHT * tracks, y_range=Range1d(tracks, 0), x_axis_location="above"
    )
    # Long timelines have their lower axis below the edge of the screen.
    plot.xaxis.visible = True
    plot.xaxis.axis_label = "cycles"
    plot.xaxis.axis_label_standoff = 0
    band = plot.quad(
        left="left", right="right", bottom="bottom", top="top", fill_color="colour", line_color="edge", source=source
    )
    plot.text(
        x="middle",
        y="centre",
        text="text",
        text_color="ink",
        source=source,
        text_align="center",
        text_baseline="middle",
        text_font_size="12px",
        text_font=value(_FONT),
    )
    plot.yaxis.ticker = FixedTicker(ticks=[tracks / 2])
    _name_ticks(plot, "return 'layers'")
    plot.add_tools(hover_tool(band, "i", "describeLayer(value)"))
    return plot, source


def lanes_figure(
    cycles: Range1d, colours: list[str]
) -> tuple[figure, ColumnDataSource, ColumnDataSource, BoxAnnotation]:
    """Return the lanes, what is drawn in them, the borders of single firings, and the mark of what was searched."""
    names = ("left", "right", "bottom", "top", "paintRight", "paintTop", "state", "i")
    source = ColumnDataSource({name: [] for name in names})
    plot = _plain_figure(cycles, _LANES_HEIGHT, y_range=Range1d(1, 0))
    plot.quad(
        left="left",
        right="paintRight",
        bottom="bottom",
        top="paintTop",
        fill_color=linear_cmap("state", colours, -0.5, len(colours) - 0.5),
        line_color=None,
        source=source,
    )
    # Parts are painted larger than they are, where others cover the rest: the pointer finds them as they are.
    parts = plot.quad(
        left="left", right="right", bottom="bottom", top="top", fill_color=None, line_color=None, source=source
    )
    edges = ColumnDataSource({name: [] for name in ("x", "bottom", "top")})
    # In the colour of text: a line in that of the page would look like a gap.
    plot.segment(x0="x", x1="x", y0="bottom", y1="top", line_color="black", line_alpha=0.45, source=edges, name="edges")
    mark = BoxAnnotation(
        left=0,
        right=0,
        top=0,
        bottom=0,
        fill_color=None,
        line_color="black",
        line_alpha=1,
        line_width=2,
        visible=False,
        level="overlay",
    )
    plot.add_layout(mark)
    plot.yaxis.ticker = FixedTicker(ticks=[])
    _name_ticks(plot, "return panacea.laneLabel(tick)")
    plot.add_tools(hover_tool(parts, "i", "describe(value)"))
    return plot, source, edges, mark


def _lit(lanes: figure) -> ColumnDataSource:
    """Let clicks on lanes ask for the cause, and return what is lit: the intervals of a chain, and lines between."""
    source = ColumnDataSource({name: [] for name in ("left", "right", "bottom", "top")})
    lanes.quad(
        left="left",
        right="right",
        bottom="bottom",
        top="top",
        fill_color=None,
        line_color="black",
        line_width=_LIT_PIXELS,
        source=source,
        name="lit",
    )
    _on_click(lanes, "clickLanes(cb_obj.x, cb_obj.y)")
    return source


def _path(cycles: Range1d) -> tuple[figure, dict[str, ColumnDataSource]]:
    """Return the lane of the critical path and its sources: stretches, lines between them, names in wide ones."""
    names = ("left", "right", "bottom", "top", "paintRight", "paintTop", "state", "colour", "i")
    source = ColumnDataSource({name: [] for name in names})
    plot = _plain_figure(cycles, _PATH_HEIGHT, y_range=Range1d(0.6, -0.6))
    plot.quad(
        left="left",
        right="paintRight",
        bottom="bottom",
        top="paintTop",
        fill_color="colour",
        line_color=None,
        source=source,
    )
    parts = plot.quad(
        left="left", right="right", bottom="bottom", top="top", fill_color=None, line_color=None, source=source
    )
    edges = ColumnDataSource({name: [] for name in ("x", "bottom", "top")})
    plot.segment(x0="x", x1="x", y0="bottom", y1="top", line_color="#000000", line_alpha=0.45, source=edges)
    labels = ColumnDataSource({name: [] for name in ("x", "text", "ink")})
    plot.text(
        x="x",
        y=0,
        text="text",
        text_color="ink",
        source=labels,
        text_align="center",
        text_baseline="middle",
        text_font_size="11px",
        text_font=value(_FONT),
    )
    plot.yaxis.ticker = FixedTicker(ticks=[0])
    _name_ticks(plot, "return 'critical path'")
    plot.add_tools(hover_tool(parts, "i", "describePath(value)"))
    _on_click(plot, "clickPath(cb_obj.x)")
    return plot, {"pathSource": source, "pathEdges": edges, "pathLabels": labels}


def _on_click(plot: figure, call: str) -> None:
    """Let the page hear of clicks; of two that follow each other soon Bokeh tells the second as a double one."""
    for event in (Tap, DoubleTap):
        plot.js_on_event(event, CustomJS(code=f"panacea.{call}"))


def _choose_ranges(plot: figure, chosen: BoxAnnotation) -> None:
    """Give a figure the tool that chooses cycles, whose totals the page then shows; `chosen` marks them."""
    plot.add_tools(
        BoxSelectTool(
            dimensions="width", renderers=[], description="choose cycles and see their totals (or Shift + drag)"
        )
    )
    plot.add_layout(chosen)
    plot.js_on_event(
        SelectionGeometry,
        CustomJS(code="if (cb_obj.final) panacea.chooseRange(cb_obj.geometry.x0, cb_obj.geometry.x1)"),
    )


def _curves(cycles: Range1d, label: str) -> tuple[figure, ColumnDataSource]:
    source = ColumnDataSource({name: [] for name in ("xs", "ys", "name", "colour")})
    plot = _plain_figure(cycles, _CURVES_HEIGHT, y_range=Range1d(0, 1))
    lines = plot.multi_line(xs="xs", ys="ys", line_color="colour", line_width=1.5, legend_field="name", source=source)
    _label_values(plot, label)
    plot.add_tools(
        HoverTool(
            renderers=[lines],
            tooltips=_TOOLTIP % "@name\n$snap_y{0,0.[000]}",
            line_policy="prev",
            description=label,
        )
    )
    return plot, source


def _areas(cycles: Range1d, label: str, describe: str) -> tuple[figure, ColumnDataSource]:
    """Return curves that add up, as areas one upon the other: lines would hide each other."""
    source = ColumnDataSource({name: [] for name in ("xs", "ys", "name", "colour")})
    plot = _plain_figure(cycles, _CURVES_HEIGHT, y_range=Range1d(0, 1))
    areas = plot.patches(xs="xs", ys="ys", fill_color="colour", line_color=None, legend_field="name", source=source)
    _label_values(plot, label)
    plot.add_tools(hover_tool(areas, "name", describe))
    return plot, source


def _label_values(plot: figure, label: str) -> None:
    """Label the axis of values, and leave room for the names of what is drawn."""
    plot.yaxis.axis_label = label
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0.[00]")
    plot.yaxis.ticker.desired_num_ticks = 3
    plot.yaxis.ticker.num_minor_ticks = 0
    # Room for the lower half of the lowest label.
    plot.min_border_bottom = 8
    plot.legend.orientation = "horizontal"
    plot.legend.location = "top_left"
    plot.legend.padding = 2
    plot.legend.margin = 4
    plot.legend.label_text_font_size = "11px"
    plot.legend.background_fill_alpha = 0.8
    plot.legend.border_line_color = None


def _name_ticks(plot: figure, code: str) -> None:
    plot.yaxis.formatter = CustomJSTickFormatter(code=code)
    plot.yaxis.major_tick_line_color = None
    plot.yaxis.minor_tick_line_color = None
    plot.yaxis.axis_line_color = None
    plot.yaxis.major_label_text_font = _FONT
    plot.yaxis.major_label_text_font_size = "12px"


def hover_tool(renderer: Any, column: str, call: str) -> HoverTool:  # noqa: ANN401  # bokeh's renderers have no useful type
    """Return the tool that shows what `panacea.call` says of the `column`, given as `value`, below the pointer."""
    return HoverTool(
        renderers=[renderer],
        tooltips=_TOOLTIP % f"@{column}{{custom}}",
        formatters={f"@{column}": CustomJSHover(code=f"return panacea.{call}")},
        point_policy="follow_mouse",
        description="what is below the pointer",
    )
