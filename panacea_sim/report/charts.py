"""Charts: how figures of matplotlib look, how they become files, and how they stand in a page, light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from html import escape
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from panacea_sim.report.themes import LIGHT, colour_variables

__all__ = ["CHART_INCHES", "chart_style", "picture_style", "save_picture", "themed_svg"]

CHART_INCHES = 10.5
"""How wide a chart is."""

_METADATA: dict[str, Any] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
"""Nothing is said of who made it when."""

_FONT = "'DejaVu Sans'"
_FONTS = f"{_FONT}, Verdana, sans-serif"
"""Verdana is as wide, where there is no DejaVu."""


def save_picture(figure: Figure, path: Path, ending: str) -> None:
    """Write a figure as png, svg or pdf; texts stay texts, and equal figures give equal files, which have no date."""
    metadata: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[ending]
    with rc_context({"svg.fonttype": "none", "pdf.fonttype": 42, "svg.hashsalt": "panacea_sim"}):
        figure.savefig(path, format=ending, metadata=metadata)


def picture_style(font_points: float) -> AbstractContextManager[None]:
    """Return the settings of matplotlib within which a picture for a file is made."""
    return rc_context({"font.size": font_points, "font.family": "DejaVu Sans", "axes.linewidth": 0.6})


@contextmanager
def chart_style(font_points: float) -> Iterator[None]:
    """Keep the settings of matplotlib within which a chart is made that may stand in a page."""
    in_a_page = {
        "svg.fonttype": "none",
        "axes.facecolor": "none",
        "axes.edgecolor": LIGHT.ink,
        "axes.labelcolor": LIGHT.ink,
        "text.color": LIGHT.ink,
        "xtick.color": LIGHT.ink,
        "ytick.color": LIGHT.ink,
    }
    with picture_style(font_points), rc_context(in_a_page):  # type: ignore[arg-type]  # the names of settings are known
        yield


def themed_svg(figure: Figure, name: str, meaning: str) -> str:
    """Return a figure as an SVG element for a page that has the colours of `theme_css`.

    Colours of the light theme become its variables, so that they follow the page; other colours stay. `name` tells its
    inner addresses from those of other charts, `meaning` is read out in place of the chart. Texts stay texts.
    """
    file = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "panacea_sim"}):
        figure.savefig(file, format="svg", facecolor="none", metadata=_METADATA)
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in colour_variables().items():
        text = text.replace(colour, variable)
    text = text.replace(_FONT, _FONTS)
    # Hundredths of a point are finer than any screen; hundreds of layers have thousands of corners.
    text = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), text)
    text = re.sub(r"\s*\n\s*", "\n", text)
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', text))
    # Other addresses are matplotlib's own names, the same in every chart.
    text = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", text)
    view = re.search(r'viewBox="[^"]*"', text)
    assert view is not None  # matplotlib always writes one
    return f'<svg role="img" aria-label="{escape(meaning)}" {view[0]}{text[text.index(">") :]}'
