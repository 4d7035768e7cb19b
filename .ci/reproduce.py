"""Run every scenario that has an expected result beside it, and compare the cycles of each run exactly.

NAME.expected.json beside NAME.py has `cycles`, run -> cycles, and `seconds`, which the script took when that was
written: the time of another machine is no difference. That of a comparison of machines may have `energy`, two
machines -> how much energy the first takes for that of the second, in the low, nominal and high case, to four digits.
Ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"
ENDING = ".expected.json"
UNUSABLE = 2
"""The exit code of a script that lacks what it needs, ..."""
NO_MODELS = "Run `make models` first"
"""... and what it says where that is a model."""

NOTHING_EXPECTED = "no expected result is kept beside it, as those of real models need models: --write makes one"
MAIN = '__name__ == "__main__"'
CASES = ("low", "nominal", "high")


@dataclass(frozen=True)
class Outcome:
    """What came of a script: one of the verdicts, its seconds, and what is to be said of it, line by line."""

    name: str
    verdict: str
    runs: int
    seconds: float
    lines: tuple[str, ...] = ()


def main() -> int:
    """Compare, or write the expected results anew; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scripts", nargs="*", type=Path, help="scripts (default: all of scenarios/)")
    parser.add_argument("--write", action="store_true", help="write what comes out; read the diff before you commit it")
    options = parser.parse_args()
    scripts = [each.resolve() for each in options.scripts] or all_scripts(SCENARIOS)
    outcomes = []
    for script in scripts:
        if not options.write and not expected_file(script).is_file():
            outcomes.append(Outcome(script.stem, "skipped", 0, 0.0, (NOTHING_EXPECTED,)))
            continue
        print(f"running {script.name} ..", file=sys.stderr)
        outcomes.append(written(script) if options.write else reproduced(script))
    print("\n".join(table(outcomes)))
    return int(any(each.verdict not in {"same", "written", "skipped"} for each in outcomes))


def expected_scripts(folder: Path) -> list[Path]:
    """Return the scripts of a folder that have an expected result, in order."""
    return [script_of(path) for path in sorted(folder.rglob(f"*{ENDING}"))]


def all_scripts(folder: Path) -> list[Path]:
    """Return the scripts of a folder that can be run, in order; those that others import only are left out."""
    return [path for path in sorted(folder.rglob("*.py")) if MAIN in path.read_text("utf-8")]


def script_of(expected: Path) -> Path:
    """Return the script whose expected result lies in a file."""
    return expected.with_name(expected.name.removesuffix(ENDING) + ".py")


def expected_file(script: Path) -> Path:
    """Return where the expected result of a script lies."""
    return script.with_name(script.stem + ENDING)


def reproduced(script: Path) -> Outcome:
    """Run a script, and compare its cycles with the expected ones."""
    expected = json.loads(expected_file(script).read_text("utf-8"))
    found = run(script)
    if isinstance(found, Outcome):
        return found
    lines = differences(expected["cycles"], found.cycles)
    if "energy" in expected:
        lines += differences(expected["energy"], found.energy)
    verdict = "differs" if lines else "same"
    return Outcome(script.stem, verdict, len(found.cycles), found.seconds, (*lines, _times(expected["seconds"])))


def written(script: Path) -> Outcome:
    """Run a script, and write its cycles beside it."""
    found = run(script)
    if isinstance(found, Outcome):
        return found
    content = {"seconds": round(found.seconds, 1), "cycles": found.cycles}
    if found.energy:
        content["energy"] = found.energy
    expected_file(script).write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return Outcome(script.stem, "written", len(found.cycles), found.seconds)


@dataclass(frozen=True)
class Measured:
    """The cycles of each run of a script, the seconds that it took, and energies of machines by those of others."""

    cycles: dict[str, int]
    seconds: float
    energy: dict[str, list[float]]


def run(script: Path) -> Measured | Outcome:
    """Run a script, and return its cycles; or that it was skipped, or failed, with its last words."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="panacea-sim-") as folder:
        of_runs = [] if script.parent.name == "versus" else ["--trace", "off", "--out", f"{folder}/run"]
        command = [sys.executable, str(script), "--json", *of_runs]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - begun
    if ended.returncode:
        is_missing = ended.returncode == UNUSABLE and NO_MODELS in ended.stderr
        last = ended.stderr.strip().splitlines()[-1:] or [f"exit code {ended.returncode}, and nothing said"]
        return Outcome(script.stem, "skipped" if is_missing else "failed", 0, seconds, tuple(last))
    document = json.loads(ended.stdout)
    return Measured(cycles_of(document), seconds, energy_of(document))


def cycles_of(document: Any) -> dict[str, int]:  # noqa: ANN401  # what --json prints
    """Return the cycles by the names of runs: of one run, of a study, or of comparisons of machines."""
    if isinstance(document, list):
        return {
            f"{each['workload']}, {part['weights']}, {name}": machine["cycles"]
            for each in document
            for part in each["parts"]
            for name, machine in part["machines"].items()
        }
    runs = document["runs"] if "study" in document else {document["scenario"]: document}
    return {name: summary["makespan_cycles"] for name, summary in runs.items()}


def energy_of(document: Any) -> dict[str, list[float]]:  # noqa: ANN401  # the same
    """Return the energy of the compared machine by that of each other one, by each table, in all cases."""
    if not isinstance(document, list):
        return {}
    return {
        f"{each['workload']}, {part['weights']}, by {other}, table {table}": [round(ratio[case], 4) for case in CASES]
        for each in document
        for part in each["parts"]
        for other, against in (part.get("against") or {}).items()
        for table, ratio in against["energy"].items()
        if ratio is not None
    }


def differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return a line for each figure that is another one, that is new, or that is not there any more."""
    return [
        f"{name}: expected {_figure(expected.get(name))}, found {_figure(found.get(name))}"
        for name in {**expected, **found}
        if expected.get(name) != found.get(name)
    ]


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each script, and below it what is said of it."""
    width = max((len(each.name) for each in outcomes), default=0)
    lines = []
    for each in outcomes:
        lines.append(f"{each.name:<{width}}  {each.verdict:<7}  {each.runs:>4} runs  {each.seconds:>7.1f} s")
        lines += [f"    {line}" for line in each.lines]
    return lines


def _figure(figure: int | list[float] | None) -> str:
    if figure is None:
        return "none"
    return f"{figure:,} cycles" if isinstance(figure, int) else ", ".join(map(str, figure))


def _times(seconds: float) -> str:
    return f"took {seconds:.1f} s when that was written"


if __name__ == "__main__":
    sys.exit(main())
