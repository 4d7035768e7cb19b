"""The page around the content of a timeline."""

from __future__ import annotations

import json
from importlib.resources import files

from bokeh.embed import file_html
from bokeh.resources import Resources
from jinja2 import Template

from panacea_sim.report.themes import theme_css, themes
from panacea_sim.report.timeline.content import TimelineContent
from panacea_sim.report.timeline.figures import timeline_document
from panacea_sim.report.timeline.packing import pack

__all__ = ["timeline_page"]

_SCRIPTS = (
    "unpack.js",
    "bins.js",
    "curves.js",
    "names.js",
    "texts.js",
    "search.js",
    "link.js",
    "paint.js",
    "parts.js",
    "path.js",
    "chain.js",
    "range.js",
    "stalls.js",
    "keys.js",
    "wheel.js",
    "theme.js",
    "view.js",
)


def timeline_page(content: TimelineContent) -> str:
    """Return a page that holds the content, the scripts that draw it, and bokeh."""
    columns, blob = pack(content.columns)
    header = content.header | {"columns": columns, "themes": themes()}
    folder = files("panacea_sim.report.timeline") / "page"
    document = timeline_document(content.header)
    template = Template((folder / "page.html").read_text(encoding="utf-8"))
    page: str = file_html(
        document,
        Resources(mode="inline", log_level="warn"),
        title=f"{header['name']} - timeline",
        template=template,
        template_variables={
            "header": _in_script(json.dumps(header)),
            "name": header["name"],
            "subtitle": header["subtitle"],
            "left_out": header["leftOut"],
            "blob": blob,
            "theme": theme_css(),
            "scripts": "\n".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS),
        },
    )
    return page


def _in_script(text: str) -> str:
    """Return JSON that cannot end the script element it stands in, whatever a layer is called."""
    return text.replace("<", "\\u003c")
