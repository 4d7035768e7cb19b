"""Draw the pictures of the documentation: `make picture` runs this script."""  # noqa: INP001  # a script, not a package

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console

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


def main() -> None:
    """Draw the terminal and the timeline after the quickstart scenario, and the gains of the knobs of contention."""
    scenario = load_scenario(DOCS.parent / "scenarios" / "quickstart.py")
    assert isinstance(scenario, Scenario)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(scenario, RunOptions(Path(folder) / "quickstart"))
        draw_terminal(outcome)
        draw_tornado(Path(folder))
        chromium = shutil.which("chromium")
        if chromium is None:
            sys.exit("docs/images/timeline.png stays as it is: it needs chromium (Debian: apt install chromium)")
        draw_timeline(Path(folder) / "quickstart", chromium)


def draw_terminal(outcome: RunOutcome) -> None:
    """Record what the terminal shows as docs/images/quickstart.svg."""
    console = Console(file=io.StringIO(), width=COLUMNS, record=True, color_system="truecolor", force_terminal=True)
    print_run(console, outcome.summary)
    picture = console.export_svg(title="panacea-sim run scenarios/quickstart.py", unique_id="quickstart")
    # Rich lets the browser load a font from the network; its own monospace font does as well.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    lines = [line.rstrip() for line in picture.splitlines()]
    (DOCS / "images" / "quickstart.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw_tornado(folder: Path) -> None:
    """Draw what each knob of the scenario contention gains as docs/images/tornado.png."""
    base = read_base(DOCS.parent / "scenarios" / "contention.py")
    with opened_store(base, folder / "whatif") as store:
        variants = variants_of(base.scenario.resolved_hardware())
        found = Exploration(base, variants, store, workers=1).run(lambda _done, _known: None)
    write_tornado(found, DOCS / "images" / "tornado.png", "png")


def draw_timeline(folder: Path, chromium: str) -> None:
    """Photograph the timeline in a browser as docs/images/timeline.png, zoomed to the start of the run."""
    write_timeline(open_run(folder), folder / "timeline.html")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1240, "height": 900}, reduced_motion="reduce")
        page.goto(f"{(folder / 'timeline.html').as_uri()}#x=0:{SHOWN_CYCLES}&joined=0&curves=memories")
        page.wait_for_function("window.panacea && panacea.ready && panacea.drawn > 0")
        page.wait_for_timeout(SETTLE_MS)
        page.screenshot(path=DOCS / "images" / "timeline.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
