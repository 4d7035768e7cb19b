"""What tests do with a timeline in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

__all__ = ["keep_screenshot", "place_of", "point_at", "show", "view_of"]

_SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"


def show(page: Page, first: float, last: float) -> None:
    """Show the cycles from first to last and wait until they are drawn."""
    drawn = page.evaluate("panacea.drawn")
    page.evaluate("([first, last]) => panacea.show(first, last)", [first, last])
    page.wait_for_function(f"panacea.drawn > {drawn}")


def view_of(page: Page) -> tuple[float, float]:
    """Return the first and the last cycle that are shown."""
    first, last = page.evaluate("[panacea.models().cycles.start, panacea.models().cycles.end]")
    return first, last


def place_of(page: Page, cycle: float, lane: str) -> tuple[float, float]:
    """Return where on the screen a cycle of a lane is."""
    x, y = page.evaluate(
        """([cycle, lane]) => {
             const view = Bokeh.index.find_one(panacea.models().lanes);
             const box = view.canvas_view.el.getBoundingClientRect();
             const row = panacea.rows().findIndex(({label}) => label === lane);
             return [box.x + view.frame.x_scale.compute(cycle), box.y + view.frame.y_scale.compute(row)];
           }""",
        [cycle, lane],
    )
    return x, y


def point_at(page: Page, cycle: float, lane: str) -> None:
    """Move the mouse to a cycle in a lane."""
    x, y = place_of(page, cycle, lane)
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)


def keep_screenshot(page: Page, name: str) -> None:
    """Keep what is on the screen, for people to look at."""
    _SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=_SCREENSHOTS / f"{name}.png")
