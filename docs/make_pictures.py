"""Draw the pictures of the documentation: `make picture` runs this script."""  # noqa: INP001  # a script, not a package

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from panacea_sim.report.terminal import print_run
from panacea_sim.scenario import Scenario, load_scenario
from panacea_sim.simulation import RunOptions, run
from panacea_sim.trace.recorder import TraceOptions

DOCS = Path(__file__).parent
COLUMNS = 110


def main() -> None:
    """Record what the terminal shows after the quickstart scenario as docs/images/quickstart.svg."""
    scenario = load_scenario(DOCS.parent / "scenarios" / "quickstart.py")
    assert isinstance(scenario, Scenario)
    outcome = run(scenario, RunOptions(trace=TraceOptions("off")))
    console = Console(file=io.StringIO(), width=COLUMNS, record=True, color_system="truecolor", force_terminal=True)
    print_run(console, outcome.summary)
    picture = console.export_svg(title="panacea-sim run scenarios/quickstart.py", unique_id="quickstart")
    # Rich lets the browser load a font from the network; its own monospace font does as well.
    picture = re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
    lines = [line.rstrip() for line in picture.splitlines()]
    (DOCS / "images" / "quickstart.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
