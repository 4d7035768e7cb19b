"""Light and dark pages."""

from __future__ import annotations

import pytest

from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.themes import DARK, LIGHT, Theme, theme_css, themes

_TEXT = 4.5
_SHAPE = 3.0
"""The least contrasts of WCAG 2.2, level AA, for text and for parts of graphics."""


def _luminance(colour: str) -> float:
    parts = [part / 255 for part in bytes.fromhex(colour[1:])]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_can_be_read(theme: Theme) -> None:
    """Text has the contrast of WCAG on the page, on notes, and on the bands of layers."""
    for ground in (theme.paper, theme.note, theme.wrong, theme.grid, *theme.layers):
        assert _contrast(theme.ink, ground) >= _TEXT
    assert _contrast(theme.muted, theme.paper) >= _TEXT


def test_what_is_drawn_stands_out_from_a_dark_page() -> None:
    """States, curves and channels have the contrast of WCAG on the dark page."""
    for colour in (*STATE_COLOURS.values(), *DARK.curves, *DARK.channels):
        assert _contrast(colour, DARK.paper) >= _SHAPE, colour


def test_paper_is_light() -> None:
    """The dark colours are for screens alone, and printers keep all colours."""
    light, dark = theme_css().split("@media screen and (prefers-color-scheme: dark)")
    for name in ("paper", "ink", "muted", "line", "grid", "note", "wrong"):
        assert f"--{name}: {getattr(LIGHT, name)};" in light
        assert f"--{name}: {getattr(DARK, name)};" in dark
    assert "print-color-adjust: exact" in light
    assert {len(theme["curves"]) for theme in themes().values()} == {8}
