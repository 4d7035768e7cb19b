"""The documentation is true: its commands and snippets run, its outputs are real, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from panacea_sim.description.parts import Queue
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.machines.panacea import build
from panacea_sim.machines.panacea.settings import PanaceaHardware
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.schema import TABLES
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
FOLLOWED = [
    "README.md",
    "docs/first-steps.md",
    "docs/tutorial.md",
    "docs/calibration.md",
    "docs/validation.md",
    "docs/how-to-add-a-component.md",
    "docs/how-to-add-a-machine.md",
]
COLUMNS = "110"
SKIPPED = ("make ", ". .venv/")
"""Commands that set up an environment: the tests run in one."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the options after it and its text.

    `file=NAME` is what a block is written to, `needs=MODULE` what it imports, `model=FILE` what `make models` fetches.
    """

    language: str
    options: dict[str, str]
    text: str


@pytest.fixture
def playground(tmp_path: Path) -> Path:
    """Return a directory that looks like the root of the repository, so that what is written stays out of it."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", FOLLOWED)
def test_pages_can_be_followed(page: str, playground: Path) -> None:
    """Every command and snippet of a page runs, in order, and prints what the page shows."""
    blocks = _blocks(ROOT / page)
    followers = [*blocks[1:], Block("", {}, "")]
    for block, follower in zip(blocks, followers, strict=True):
        if "file" in block.options:
            (playground / block.options["file"]).write_text(block.text, encoding="utf-8")
        elif not (ROOT / block.options.get("model", "README.md")).is_file():
            continue  # it is of a model that is fetched on request
        elif block.language == "console":
            for command, output in _commands(block.text):
                _check_output(["bash", "-c", command], output, playground)
        elif block.language == "python" and _is_installed(block.options.get("needs", "pyarrow")):
            shown = follower.text if follower.language == "text" else ""
            _check_output([sys.executable, "-c", block.text], shown, playground)


def test_the_documented_comparison_is_real(playground: Path) -> None:
    """The runs that docs/looking.md compares print what the page shows."""
    blocks = [block for block in _blocks(ROOT / "docs" / "looking.md") if "panacea-sim compare" in block.text]
    for command, output in [each for block in blocks for each in _commands(block.text)]:
        _check_output(["bash", "-c", command], output, playground)
    assert (playground / "runs" / "wide" / "summary.json").is_file()


def test_the_documented_component_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The component of docs/how-to-add-a-component.md, put in where the page says, passes on what it is given."""
    page = ROOT / "docs" / "how-to-add-a-component.md"
    snippets: dict[str, Any] = {}
    for block in _blocks(page):
        if block.language == "python":
            exec(block.text, snippets)  # noqa: S102  # our own page
    components, queues, workers = build._components, build._queues, TravellingValues._build_workers
    plain = prepare(Scenario("tiny", synthetic_layer(100, 60, 70, 0.5, 0.5, seed=0)))
    assert isinstance(plain, Prepared)
    for name in re.findall(r"`?program\.(\w+)", page.read_text("utf-8")):
        assert hasattr(plain.program, name), name

    def with_pooler(program: Any) -> Any:  # noqa: ANN401  # what build.py says
        for part in components(program):
            if part.name == "ppu":
                yield replace(part, gives=(replace(part.gives[0], queue="q_pool"),))
                yield snippets["pooler"](program)
            else:
                yield part

    monkeypatch.setattr(build.Panacea, "actions", (*build.Panacea.actions, "pooled_outputs"))
    monkeypatch.setattr(build, "_components", lambda program: tuple(with_pooler(program)))
    monkeypatch.setattr(build, "_queues", lambda program: (*queues(program), Queue("q_pool", 2)))
    monkeypatch.setattr(
        TravellingValues, "_build_workers", lambda self: {**workers(self), "pooler": snippets["PoolerWorker"]()}
    )
    pooled = prepare(plain.scenario)
    assert isinstance(pooled, Prepared)
    assert pooled.values is not None
    result = run_reference(pooled.description, Recorder(layers=("tiny",)), pooled.values.workers)
    assert pooled.values.exact()
    tiles = pooled.program.layers[0].plan.output_count
    assert (result.firings["pooler"], result.queues["q_pool"].taken) == (tiles, tiles)


def test_snippets_are_python() -> None:
    """Every Python block of every page compiles, also those that need a package which is not installed."""
    snippets = [(page, block) for page in PAGES for block in _blocks(page) if block.language == "python"]
    assert len(snippets) > 5
    for page, block in snippets:
        compile(block.text, str(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file, and to a heading where it names one."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in {heading.replace(" ", "-") for heading in _headings(file)}, target


def test_chapters_that_docstrings_cite_exist() -> None:
    """Every chapter of docs/model.md that the sources name is a heading there."""
    cited = {
        chapter.lower()
        for source in (ROOT / "panacea_sim").rglob("*.py")
        for chapter in _cited_chapters(source.read_text(encoding="utf-8"))
    }
    assert cited >= {"slices", "compensation", "run-length code", "work of a tile", "conservation"}
    assert cited <= _headings(ROOT / "docs" / "model.md")


def test_references_between_files_exist() -> None:
    """Every docs page that the sources, scripts and configuration mention exists."""
    mentioning = [*(ROOT / "panacea_sim").rglob("*.py"), ROOT / "pyproject.toml", ROOT / "Makefile"]
    mentioned = {name for file in mentioning for name in re.findall(r"docs/[\w-]+\.\w+", file.read_text("utf-8"))}
    assert {"docs/model.md", "docs/files.md"} <= mentioned
    for name in mentioned:
        assert (ROOT / name).exists(), name


def test_files_page_names_everything() -> None:
    """docs/files.md names every key of summary.json, every column, every hardware field and every layer key."""
    layer = synthetic_layer(4, 4, 4, 0.5, 0.5, seed=0)
    summary = run(Scenario("tiny", layer), RunOptions(trace=TraceOptions("off"))).summary.to_json()
    stalls = next(stalls for stalls in summary["stalls"].values() if stalls)
    topology = summary["topology"]
    places = (topology, topology["components"][0], topology["joints"][0])
    nested = (summary, summary["layers"][0], stalls[0], summary["operators"], summary["dram"], *places)
    names = {
        *(key for part in nested for key in part),
        *(key for parts in ("components", "queues") for part in summary[parts].values() for key in part),
        *(column for schema in TABLES.values() for column in schema.names),
        *PanaceaHardware.model_fields,
        *(field.name for field in fields(GemmLayer) if field.name not in {"output", "recipe"}),
    }
    page = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
    assert not sorted(name for name in names if f"`{name}`" not in page)


def _blocks(page: Path) -> list[Block]:
    fenced = re.findall(r"^```(\w*) ?([^\n]*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [
        Block(language, dict(option.split("=") for option in options.split()), text)
        for language, options, text in fenced
    ]


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Return the commands of a console block, each with the output that the page shows for it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        if not command.startswith(SKIPPED):
            yield command, output


def _check_output(command: list[str], shown: str, directory: Path) -> None:
    environment = os.environ | {
        "COLUMNS": COLUMNS,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
    pattern = re.escape(shown).replace(re.escape("...\n"), r"(?s:.*)")
    assert re.fullmatch(pattern, found), f"{command[-1]} printed\n{found}\nbut the page shows\n{shown}"


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _headings(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {heading.lower() for heading in headings}


def _cited_chapters(source: str) -> Iterator[str]:
    """Return the chapters behind the name of the page: `page, a name)`, `page (a name)` or `page, chapter "Name"`."""
    for after in re.findall(r"docs/model\.md(.{,80})", re.sub(r"\s+", " ", source)):
        quoted = re.match(r', chapters? ("[^"]+"(?: and "[^"]+")*)', after)
        plain = re.match(r"(?:, | \()([a-z][a-z -]*)\)", after)
        if quoted:
            yield from re.findall(r'"([^"]+)"', quoted[1])
        elif plain:
            yield plain[1]
