"""Apply each mutation to a copy of the package and see that the tests named with it fail.

A mutation that no test sees is a timing rule that nobody holds: it survives, and the command ends with 1. The tests run
without a mutation first, because a test that fails anyway kills nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from listing import LISTED, ROOT, mutated, problems
from mutations import Mutation
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

COPIED = ("panacea_sim", "tests", "pyproject.toml")
READ = ("docs", "scenarios")
TIMEOUT_SECONDS = 120

NO_NUMBA = 'import sys\n\nsys.modules["numba"] = None\n'
"""Hides numba, whose compilation would take most of the time: the reference engine runs instead."""

_PASSED, _FAILED = 0, 1
"""Exit codes of pytest."""

_FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+::\S+)", re.MULTILINE)
_Job = TypeVar("_Job")


@dataclass(frozen=True)
class Outcome:
    """What some tests said: the first that failed, if one did, and all that they printed."""

    exit_code: int
    killer: str
    output: str
    seconds: float

    @property
    def is_killed(self) -> bool:
        """Whether a test failed: a file that cannot be imported, or holds no test, says nothing of a rule."""
        return self.exit_code == _FAILED and bool(self.killer)


def main() -> int:
    """Run the tests unmutated, then all mutations or those chosen by name; return 1 if one survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="mutations to try, by a part of their name; all by default")
    parser.add_argument("--workers", type=int, default=2, help="processes side by side")
    arguments = parser.parse_args()
    chosen = [each for each in LISTED if not arguments.names or any(name in each.name for name in arguments.names)]
    console = Console(width=None if sys.stdout.isatty() else 160)
    faults = problems(chosen) if chosen else ["no mutation has such a name"]
    if faults:
        console.print("\n".join(faults), markup=False, highlight=False)
        return 1
    with TemporaryDirectory(prefix="mutants-") as folder:
        tests = sorted({test for mutation in chosen for test in mutation.tests})
        sound = _in_parallel(tests, lambda test: _tried((test,), None, Path(folder)), arguments.workers, "unmutated")
        broken = {test: outcome for test, outcome in sound.items() if outcome.exit_code != _PASSED}
        for test, outcome in broken.items():
            console.print(f"{test} does not pass unmutated:\n{outcome.output}", markup=False, highlight=False)
        if broken:
            return 1
        found = _in_parallel(
            chosen, lambda mutation: _tried(mutation.tests, mutation, Path(folder)), arguments.workers, "mutants"
        )
    _show(console, chosen, found)
    return int(not all(outcome.is_killed for outcome in found.values()))


def _in_parallel(jobs: Sequence[_Job], run: Callable[[_Job], Outcome], workers: int, what: str) -> dict[_Job, Outcome]:
    columns = (TextColumn("{task.description:9}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    found: dict[_Job, Outcome] = {}
    with Progress(*columns) as progress, ThreadPoolExecutor(workers) as pool:
        task = progress.add_task(what, total=len(jobs))
        running = {pool.submit(run, job): job for job in jobs}
        try:
            for future in as_completed(running):
                found[running[future]] = future.result()
                progress.advance(task)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupt ends what runs, and nothing else begins
            raise
    return found


def _tried(tests: Sequence[str], mutation: Mutation | None, folder: Path) -> Outcome:
    """Return what the tests say of a copy of the package, mutated or not."""
    started = time.monotonic()
    # A copy for each: compiled Python that is newer than a source of the same size would stay in use.
    with TemporaryDirectory(dir=folder) as name:
        copy = Path(name)
        _copy_to(copy)
        if not any("compiled" in test for test in tests):
            (copy / "sitecustomize.py").write_text(NO_NUMBA, encoding="utf-8")
        if mutation is not None:
            path = copy / mutation.file
            path.write_text(mutated(path.read_text(encoding="utf-8"), mutation), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--timeout={TIMEOUT_SECONDS}"]
        changes = {
            "PYTHONPATH": str(copy),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NUMBA_CACHE_DIR": str(copy / "compiled"),
            "HYPOTHESIS_PROFILE": "mutants",
            "EQUAL_MACHINES": "60",
        }
        done = subprocess.run(
            [*command, *tests], cwd=copy, env=os.environ | changes, capture_output=True, text=True, check=False
        )
    output = done.stdout + done.stderr
    failure = _FAILURE.search(output)
    return Outcome(done.returncode, failure[1] if failure else "", output, time.monotonic() - started)


def _copy_to(folder: Path) -> None:
    unwanted = shutil.ignore_patterns("__pycache__", ".hypothesis", "golden")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=unwanted)
        else:
            shutil.copy2(source, folder / name)
    for name in READ:
        (folder / name).symlink_to(ROOT / name)


def _show(console: Console, chosen: Sequence[Mutation], found: dict[Mutation, Outcome]) -> None:
    table = Table("mutation", "file", "s", "seen by", box=None, header_style="bold")
    for mutation in chosen:
        outcome = found[mutation]
        verdict = (
            Text(outcome.killer.rpartition("::")[2].partition("[")[0]) if outcome.is_killed else Text("survives", "red")
        )
        file = mutation.file.removeprefix("panacea_sim/")
        table.add_row(Text(mutation.name), file, f"{outcome.seconds:.0f}", verdict)
    console.print(table)
    alive = [mutation for mutation in chosen if not found[mutation].is_killed]
    for mutation in alive:
        lines = f"\n{mutation.name} survives:\n  {mutation.before}\n  {mutation.after}"
        console.print(lines, markup=False, highlight=False)
        if found[mutation].exit_code != _PASSED:
            # Neither seen nor unseen, for example because the mutated file cannot be imported.
            console.print(found[mutation].output, markup=False, highlight=False)
    console.print(f"{len(chosen) - len(alive)} of {len(chosen)} mutants killed")


if __name__ == "__main__":
    sys.exit(main())
