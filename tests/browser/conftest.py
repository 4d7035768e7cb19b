"""A headless browser, and pages in it that must stay without errors and without network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from panacea_sim.trace.stored_run import StoredRun

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a headless Chromium; without one the tests are skipped, but not in CI."""
    if CHROMIUM is None and "CI" not in os.environ:
        pytest.skip("no chromium is installed (Debian: apt install chromium)")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def rows(stored: StoredRun) -> list[dict[str, Any]]:
    """Return the activities of the run that a module calls `stored`."""
    found: list[dict[str, Any]] = stored.dataset("activities").to_table().to_pylist()
    return found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page offline; afterwards there must have been no errors and no requests.

    A timeline is ready when it is drawn, another page when it is loaded.
    """
    with _watched_pages(browser) as opened:
        yield opened


@pytest.fixture(scope="module")
def open_shared_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return the same for pages that the tests of a module share."""
    with _watched_pages(browser) as opened:
        yield opened


@contextmanager
def _watched_pages(browser: Browser) -> Iterator[Callable[..., Page]]:
    complaints: list[str] = []
    requests: list[str] = []
    context = browser.new_context(viewport={"width": 1300, "height": 1000}, offline=True)

    def open_timeline(path: Path, fragment: str = "", *, is_timeline: bool = True) -> Page:
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + fragment)
        if is_timeline:
            page.wait_for_function("window.panacea && panacea.ready && panacea.drawn > 0")
        return page

    yield open_timeline
    context.close()
    assert not complaints
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
