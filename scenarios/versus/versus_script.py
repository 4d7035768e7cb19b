"""What the scripts beside this one share: machines are compared, then speed-ups are printed, or all figures as JSON."""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from panacea_sim import ConfigError, PanaceaError
from panacea_sim.analysis.versus.contender import Versus
from panacea_sim.analysis.versus.entry import versus_entry
from panacea_sim.commands.simulation import cores
from panacea_sim.report.tables import output_console
from panacea_sim.report.versus_speed_ups import print_speed_ups
from panacea_sim.running.versus.comparison import compare
from panacea_sim.running.versus.fight import Fight
from panacea_sim.running.versus.machines import Entrant

Pairing = tuple[tuple[Entrant, ...], Fight]
"""Machines, and the workload on which they run."""

INTERRUPTED = 130


MODELS = Path(__file__).resolve().parents[2] / "models"


def model_path(script: str, file: str) -> Path:
    """Return where a file of `make models` lies; raises ConfigError naming the script where it is not there."""
    path = MODELS / file
    if not path.is_file():
        found = f"no file models/{file}"
        raise ConfigError(f"scenario {script}", found, "a model that is fetched on request", "Run `make models` first")
    return path


def show(
    about: str,
    pairings: Callable[[], Iterable[Pairing]],
    print_found: Callable[[Console, Sequence[Versus]], None] = print_speed_ups,
) -> None:
    """Compare the machines on each workload, print what came out, and end the script with an exit code.

    Any value that is not exact ends it with 1, wrong input with 2 and one message.
    """
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument(
        "--json", action="store_true", help="print a list of all figures, each as `versus --json` has them"
    )
    parser.add_argument("--workers", type=int, default=cores(), help="processes (default: one a core)")
    options = parser.parse_args()
    try:
        found = list(_compared(pairings(), max(1, options.workers)))
    except PanaceaError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("stopped: nothing was written", file=sys.stderr)
        sys.exit(INTERRUPTED)
    if options.json:
        print(json.dumps([versus_entry(each) for each in found], indent=2, ensure_ascii=False))
    else:
        print_found(output_console(), found)
    sys.exit(any(each.exact is False for one in found for part in one.parts for each in part.contenders))


def _compared(pairings: Iterable[Pairing], workers: int) -> Iterator[Versus]:
    for machines, fight in pairings:
        yield compare(fight, machines, workers=workers)
