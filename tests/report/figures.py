"""Where the texts of a figure are."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

__all__ = ["cut_texts", "overlapping_texts"]


def _shown(figure: Figure) -> list[Text]:
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    # Labels of marks beyond an axis are there, and never drawn.
    beyond = {id(label) for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for label in _beyond(axis)}
    found = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    return [text for text in found if id(text) not in beyond]


def _beyond(axis: Axis) -> Iterator[Text]:
    low, high = sorted(axis.get_view_interval())
    room = 1e-9 * (high - low)
    for tick in axis.get_major_ticks():
        if not low - room <= tick.get_loc() <= high + room:
            yield from (tick.label1, tick.label2)


def cut_texts(figure: Figure) -> Iterator[str]:
    """Return the texts that do not lie in the figure."""
    box = figure.bbox
    for text in _shown(figure):
        extent = text.get_window_extent()
        if not (box.x0 <= extent.x0 <= extent.x1 <= box.x1 and box.y0 <= extent.y0 <= extent.y1 <= box.y1):
            yield text.get_text()


def overlapping_texts(figure: Figure) -> Iterator[tuple[str, str]]:
    """Return the pairs of texts that lie upon each other."""
    extents = [(text.get_text(), text.get_window_extent()) for text in _shown(figure)]
    for (one, mine), (other, its) in combinations(extents, 2):
        if mine.x0 < its.x1 and its.x0 < mine.x1 and mine.y0 < its.y1 and its.y0 < mine.y1:
            yield one, other
