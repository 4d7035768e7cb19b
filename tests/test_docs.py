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
IN_A_CHECKOUT = {"README.md", "contributing.md", "models.md", "validation.md"}
"""Pages of which commands need the repository; those of all others run in an empty folder."""
COLUMNS = "110"
RUN = {"console", "python", "yaml"}
FENCED = re.compile(r"^(?:<!-- not run: ([^\n]+?) -->\n)?```(\w*) ?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the options after it, its text, and in the comment before it why it is not run.

    `file=NAME` is what a block is written to, `needs=MODULE` what it imports, `model=FILE` what `make models` fetches.
    """

    language: str
    options: dict[str, str]
    text: str
    why_not: str = ""

    @property
    def is_run(self) -> bool:
        """Whether it runs, here and now."""
        is_there = (ROOT / self.options.get("model", "README.md")).is_file()  # models are fetched on request
        return self.language in RUN and not self.why_not and is_there and _is_installed(self.options)


def _is_installed(options: dict[str, str]) -> bool:
    return "needs" not in options or importlib.util.find_spec(options["needs"]) is not None


def _blocks(page: Path) -> list[Block]:
    return [
        Block(language, dict(option.split("=") for option in options.split()), text, why_not)
        for why_not, language, options, text in FENCED.findall(page.read_text(encoding="utf-8"))
    ]


@pytest.fixture
def playground(tmp_path: Path) -> Path:
    """Return a directory that looks like the root of the repository, so that what is written stays out of it."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs_or_says_why_not(page: Path) -> None:
    """A block is run, is an output or a drawing (text), or has `<!-- not run: REASON -->` in the line above it."""
    text = page.read_text(encoding="utf-8")
    blocks = _blocks(page)
    assert 2 * len(blocks) == len(re.findall("^ *```", text, re.MULTILINE)), "a fence is indented, or does not end"
    assert len(re.findall("^<!-- not run:", text, re.MULTILINE)) == sum(bool(block.why_not) for block in blocks), (
        "a reason is not above a block"
    )
    for block in blocks:
        assert block.language in RUN | {"text"} or block.why_not, f"neither run nor marked:\n{block.text}"
        assert block.options.keys() <= {"file", "needs", "model"}, block.options
        if block.language == "yaml":
            assert block.why_not or "file" in block.options, f"no command can use this:\n{block.text}"
        if block.language == "console" and not block.why_not:
            assert block.text.startswith("$ "), f"no command:\n{block.text}"


@pytest.mark.slow
@pytest.mark.timeout(900)  # a page is many commands
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(each.is_run for each in _blocks(page))], ids=lambda page: page.name
)
def test_pages_can_be_followed(page: Path, request: pytest.FixtureRequest) -> None:
    """Every command and snippet of a page runs, in order, and prints what the page shows."""
    folder = request.getfixturevalue("playground" if page.name in IN_A_CHECKOUT else "tmp_path")
    blocks = _blocks(page)
    for block, follower in zip(blocks, [*blocks[1:], Block("", {}, "")], strict=True):
        if not block.is_run:
            continue
        if "file" in block.options:
            (folder / block.options["file"]).write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command, output in _commands(block.text):
                _check_output(["bash", "-c", command], output, folder)
        else:
            shown = follower.text if follower.language == "text" else ""
            _check_output([sys.executable, "-c", block.text], shown, folder)


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
        assert not anchor or anchor in map(_anchor, _headings(file)), target


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


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Return the commands of a console block, each with the output that the page shows for it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
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


def _headings(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {heading.lower() for heading in headings}


def _anchor(heading: str) -> str:
    """Return what a heading is called in links, as forges and the site make it."""
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def _cited_chapters(source: str) -> Iterator[str]:
    """Return the chapters behind the name of the page: `page, a name)`, `page (a name)` or `page, chapter "Name"`."""
    for after in re.findall(r"docs/model\.md(.{,80})", re.sub(r"\s+", " ", source)):
        quoted = re.match(r', chapters? ("[^"]+"(?: and "[^"]+")*)', after)
        plain = re.match(r"(?:, | \()([a-z][a-z -]*)\)", after)
        if quoted:
            yield from re.findall(r'"([^"]+)"', quoted[1])
        elif plain:
            yield plain[1]
