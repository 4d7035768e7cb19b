"""Draw the pictures of the documentation: `make picture` runs this script."""  # noqa: INP001  # a script, not a package

from __future__ import annotations

import contextlib
import io
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console

from panacea_sim.analysis.comparison import compare_runs
from panacea_sim.hardware.config import load_hardware
from panacea_sim.report.comparison_page import write_comparison
from panacea_sim.report.terminal import print_run
from panacea_sim.report.timeline import write_timeline
from panacea_sim.report.tornado import write_tornado
from panacea_sim.running.run import RunOptions, RunOutcome, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.running.whatif.base import read_base
from panacea_sim.running.whatif.explore import Exploration
from panacea_sim.running.whatif.store import opened_store
from panacea_sim.running.whatif.variants import variants_of
from panacea_sim.trace.stored_run import open_run

DOCS = Path(__file__).parent
COLUMNS = 110
SHOWN_CYCLES = 12_000
SETTLE_MS = 1000
CHAIN_CLICKS = ("#stallsButton", "#stallList li:nth-child(5) button")
CHAIN_PIXELS = 760
"""Down to the lanes of the output; the curves below say nothing new."""


def main() -> None:
    """Draw the terminal and the timeline after the quickstart scenario, gains of knobs, and two runs side by side."""
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(_scenario("quickstart"), RunOptions(Path(folder) / "quickstart"))
        draw_terminal(outcome)
        draw_tornado(DOCS.parent / "scenarios" / "contention.py", Path(folder) / "tornado")
        draw_tornado(_tutorial_run(Path(folder)), Path(folder) / "tutorial")
        chromium = shutil.which("chromium")
        if chromium is None:
            sys.exit("The pictures of pages stay as they are: they need chromium (Debian: apt install chromium)")
        draw_timeline(Path(folder) / "quickstart", chromium)
        draw_comparison(Path(folder), chromium)


def _scenario(name: str) -> Scenario:
    scenario = load_scenario(DOCS.parent / "scenarios" / f"{name}.py")
    assert isinstance(scenario, Scenario)
    return scenario


def draw_terminal(outcome: RunOutcome) -> None:
    """Record what the terminal shows as docs/images/quickstart.svg."""
    console = Console(file=io.StringIO(), width=COLUMNS, record=True, color_system="truecolor", force_terminal=True)
    print_run(console, outcome.summary)
    picture = console.export_svg(title="panacea-sim run scenarios/quickstart.py", unique_id="quickstart")
    # Rich lets the browser load a font from the network; its own monospace font does as well.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    lines = [line.rstrip() for line in picture.splitlines()]
    (DOCS / "images" / "quickstart.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _tutorial_run(folder: Path) -> Path:
    """Return the folder of the first run of docs/tutorial.md, on the machine that the page gives."""
    page = (DOCS / "tutorial.md").read_text(encoding="utf-8")
    machine = re.search(r"^```yaml file=(\S+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    layer = re.search(r"gemm (\w+)", page)
    assert machine is not None
    assert layer is not None
    file = folder / machine[1]
    file.write_text(machine[2], encoding="utf-8")
    run(Scenario(layer[1], layer[1], load_hardware(file)), RunOptions(folder / file.stem))
    return folder / file.stem


def draw_tornado(start: Path, store_folder: Path) -> None:
    """Draw what each knob gains, from a scenario or a run, as docs/images/NAME.png; NAME is that of the store."""
    base = read_base(start)
    with opened_store(base, store_folder) as store:
        variants = variants_of(base.scenario.resolved_hardware(), layers=base.scenario.known_layers())
        found = Exploration(base, variants, store, workers=1).run(lambda _done, _known: None)
    write_tornado(found, DOCS / "images" / f"{store_folder.name}.png", "png")


def draw_timeline(folder: Path, chromium: str) -> None:
    """Photograph the timeline in a browser, zoomed to the start of the run, and with the chain of a stall lit up.

    The pictures are docs/images/timeline.png and chain.png.
    """
    write_timeline(open_run(folder), folder / "timeline.html")
    address = f"{(folder / 'timeline.html').as_uri()}#x=0:{SHOWN_CYCLES}&joined=0&curves=memories"
    _photograph(address, "timeline", chromium)
    _photograph(address, "chain", chromium, height=CHAIN_PIXELS, clicks=CHAIN_CLICKS)


def draw_comparison(folder: Path, chromium: str) -> None:
    """Photograph the page of docs/looking.md as docs/images/compare.png, down to where the tables begin."""
    scenario = _scenario("contention")
    for name, channels in (("narrow", 1), ("wide", 2)):
        settings = {**scenario.settings, "dram_channels": channels}
        run(replace(scenario, settings=settings), RunOptions(folder / "runs" / name))
    with contextlib.chdir(folder):
        comparison = compare_runs([open_run(f"runs/{name}") for name in ("narrow", "wide")])
        write_comparison(comparison, folder / "compare.html")
    _photograph((folder / "compare.html").as_uri(), "compare", chromium, until="h2")


def _photograph(  # what to photograph, and how much of it
    address: str,
    name: str,
    chromium: str,
    until: str | None = None,
    height: int | None = None,
    clicks: Sequence[str] = (),
) -> None:
    """Photograph a page after some clicks: all of it, or what is above a height or the first element of a kind."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1240, "height": 900}, reduced_motion="reduce")
        page.goto(address)
        page.wait_for_function("window.panacea && panacea.ready && panacea.drawn > 0")
        for selector in clicks:
            page.click(selector)
            page.mouse.move(0, 0)
        page.wait_for_timeout(SETTLE_MS)
        path = DOCS / "images" / f"{name}.png"
        if until is not None:
            height = page.evaluate("(tag) => document.querySelector(tag).getBoundingClientRect().top", until)
        if height is None:
            page.screenshot(path=path, full_page=True)
        else:
            page.screenshot(path=path, clip={"x": 0, "y": 0, "width": 1240, "height": height})
        browser.close()


if __name__ == "__main__":
    main()
