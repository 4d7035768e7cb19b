"""What a notebook shows of a run: its timeline as a page in a frame, pictures of matplotlib."""

from __future__ import annotations

import io
from dataclasses import dataclass
from html import escape
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.api.words import in_python_words
from panacea_sim.errors import ConfigError
from panacea_sim.trace.new_file import new_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Picture", "Timeline", "check_window"]

_FRAME_HEIGHT = 900


@dataclass(frozen=True, repr=False)
class Timeline:
    """A timeline that shows itself in a notebook; `html` is the page, which needs no network."""

    html: str

    @in_python_words()
    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the page and return where; raises ConfigError for a file that exists, unless `force` replaces it."""
        target = Path(path)
        with new_file(target, force=force, option="path") as beside:
            beside.write_text(self.html, encoding="utf-8")
        return target

    def __repr__(self) -> str:
        """Return one line instead of the whole page."""
        return f"<Timeline: a page of {len(self.html) / 1e6:.1f} MB>"

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html)}" width="100%" height="{_FRAME_HEIGHT}" frameborder="0"></iframe>'


@dataclass(frozen=True, repr=False, eq=False)
class Picture:
    """A picture that shows itself in a notebook; `figure` is the figure of matplotlib, which can be changed."""

    figure: Figure

    @in_python_words()
    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the picture as .png, .svg or .pdf and return where.

        Raises ConfigError for another ending, and for a file that exists, unless `force` replaces it.
        """
        # matplotlib takes a while to import.
        from panacea_sim.report.charts import save_picture  # noqa: PLC0415
        from panacea_sim.report.picture import check_ending  # noqa: PLC0415

        target = Path(path)
        ending = check_ending(target, "path")
        with new_file(target, force=force, option="path") as beside:
            save_picture(self.figure, beside, ending)
        return target

    def __repr__(self) -> str:
        """Return one line."""
        width, height = self.figure.get_size_inches()
        return f"<Picture: {width:.1f} x {height:.1f} inches>"

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.figure.savefig(file, format="png")
        return file.getvalue()


def check_window(window: object) -> tuple[int, int] | None:
    """Return the cycles (A, B), None for None; raises ConfigError for what is no window."""
    accepted = "(A, B), whole cycles with 0 <= A < B"
    match window:
        case None:
            return None
        case (Integral() as first, Integral() as last):
            if not 0 <= int(first) < int(last):
                raise ConfigError("window", f"{window!r}, which holds no cycle", accepted)
            return int(first), int(last)
    raise ConfigError("window", repr(window), accepted, "For example window=(1000, 2000)")
