"""Measure the timeline of synthetic runs: `python benchmarks/timeline_bench.py 500000 5000000`; needs chromium."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import Page, sync_playwright

from panacea_sim.description.topology import Place, Topology
from panacea_sim.report.timeline import write_timeline
from panacea_sim.trace.schema import DRAM, QUEUES, State, action_column, with_actions
from panacea_sim.trace.store import RUN_MARK
from panacea_sim.trace.stored_run import open_run
from panacea_sim.trace.summary import LayerName, PartialSummary, TraceSummary

PEAS = 16
ACTIONS = {"dwo_steps": 4, "swo_steps": 8, "cs_steps": 4}
ACTIVITIES = with_actions(action_column(name, "operator-cycles") for name in ACTIONS)
OTHERS = {
    "w_dma": "memory", "x_dma": "memory", "w_decoder": "codecs", "x_decoder": "codecs", "dispatcher": "compute",
    "accumulator": "output", "ppu": "output", "encoder": "codecs", "o_dma": "memory", "dram0": "memory",
}  # fmt: skip
SECTIONS = {**OTHERS, **{f"pea{number}": "compute" for number in range(PEAS)}}
CAUSES = ("q_w", "q_x", "q_pea", "dram0:row")
BROWSER = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run")


def main() -> None:
    """Print a line of figures for each count of intervals."""
    for count in map(int, sys.argv[1:] or ["500000"]):
        with tempfile.TemporaryDirectory() as folder:
            write_synthetic_run(Path(folder) / "run", count)
            measure(Path(folder), count)


def measure(folder: Path, count: int) -> None:
    """Write the page of a run and open it, zoom and pan."""
    page_path = folder / "timeline.html"
    begin = time.perf_counter()
    write_timeline(open_run(folder / "run"), page_path)
    written = time.perf_counter() - begin
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=BROWSER)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        begin = time.perf_counter()
        page.goto(page_path.as_uri())
        page.wait_for_function("window.panacea && panacea.ready && panacea.drawn > 0")
        painted(page)
        opened = time.perf_counter() - begin
        zooms = [zoom(page, factor) for factor in (0.8, 0.5, 0.2, 0.05, 0.01, 0.2, 1.0)]
        page.evaluate("document.getElementById('together').click()")
        zooms.append(zoom(page, 0.9))
        notes = page.locator("#notes li").all_text_contents()
        browser.close()
    print(
        f"{count:,} intervals: written in {written:.1f} s, {page_path.stat().st_size / 1e6:.2f} MB, opened in "
        f"{opened:.2f} s, zoom steps {min(zooms):.2f} to {max(zooms):.2f} s"
    )
    print(*(f"  {note}" for note in notes), sep="\n")


def zoom(page: Page, part: float) -> float:
    """Return the seconds from a change of the range until the new picture is there."""
    begin = time.perf_counter()
    drawn = page.evaluate("panacea.drawn")
    page.evaluate(
        """part => { const {start, end, bounds: [low, high]} = panacea.models().cycles;
                     const middle = (low + high) * 0.4, half = part * (high - low) / 2;
                     panacea.show(middle - half, middle + half); }""",
        part,
    )
    page.wait_for_function(f"panacea.drawn > {drawn}")
    painted(page)
    return time.perf_counter() - begin


def painted(page: Page) -> None:
    """Wait until the browser has painted what was drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def write_synthetic_run(path: Path, count: int) -> None:
    """Write a run folder with about `count` intervals: every component alternates between work and stalls."""
    path.mkdir()
    (path / RUN_MARK).touch()
    random = np.random.default_rng(1)
    each = count // len(SECTIONS)
    makespan = 0
    with pq.ParquetWriter(path / "activities.parquet", ACTIVITIES, compression="zstd") as writer:
        for name in SECTIONS:
            table = lane(name, each, random)
            makespan = max(makespan, int(table["end_cycle"][-1].as_py()))
            writer.write_table(table)
    pq.write_table(queues(each, makespan, random), path / "queues.parquet")
    pq.write_table(accesses(each, makespan, random), path / "dram.parquet")
    summary = PartialSummary(
        scenario="synthetic",
        engine="reference",
        hardware="synthetic",
        clock_hz=10**9,
        trace=TraceSummary(level="full", window=None),
        topology=Topology(tuple(map(place, [name for name in SECTIONS if name != "dram0"])), (), ("dram0",)),
        layers=(LayerName(name="layer"),),
    )
    (path / "summary.json").write_text(json.dumps(summary.to_json()), encoding="utf-8")


def place(name: str) -> Place:
    """Return what the topology says of a component."""
    is_pea = name.startswith("pea")
    return Place(name, "pea" if is_pea else name, "compute", SECTIONS[name], ACTIONS if is_pea else {})


def lane(name: str, count: int, random: np.random.Generator) -> pa.Table:
    """Return intervals without gaps; tiles go on with every firing, as in a run."""
    duration = random.integers(1, 200, count)
    end = np.cumsum(duration)
    busy = np.arange(count) % 2 == 0
    state = np.where(busy, 0, random.integers(1, len(State), count))
    firing = np.arange(count) // 2
    cause = np.where(busy, 0, 1 + random.integers(0, len(CAUSES), count))
    columns = [
        names(np.zeros(count, np.int32), [name]), names(state, [each.value for each in State]), end - duration, end,
        names(np.zeros(count, np.int32), ["layer"]), firing // 3072, firing // 12 % 256, firing % 12,
        names(cause, ["", *CAUSES]), names(np.where(busy, 0, 1), ["", "dispatcher"]),
        np.where(busy, random.integers(1000, 3000, count), 0),
        *(np.where(busy & name.startswith("pea"), random.integers(0, 4 * duration), 0) for _ in ACTIONS),
    ]  # fmt: skip
    return table(columns, ACTIVITIES)


def queues(count: int, makespan: int, random: np.random.Generator) -> pa.Table:
    """Return one queue that changes all the time."""
    cycle = np.sort(random.integers(0, makespan, count))
    return table([names(np.zeros(count, np.int32), ["q_w"]), cycle, np.arange(count) % 3], QUEUES)


def accesses(count: int, makespan: int, random: np.random.Generator) -> pa.Table:
    """Return accesses of one channel, half of the time."""
    start = np.arange(count) * (makespan // count)
    zero = np.zeros(count, np.int32)
    columns = [
        names(zero, ["dram0"]), zero, zero == 0, names(zero, ["w_dma"]), start, start, start + makespan // count // 2,
        random.integers(500, 1500, count), zero == 1, np.arange(count), start + makespan // count // 2,
    ]  # fmt: skip
    return table(columns, DRAM)


def names(codes: npt.NDArray[np.integer], texts: list[str]) -> pa.DictionaryArray:
    """Return a column of names."""
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(texts))


def table(columns: list[object], schema: pa.Schema) -> pa.Table:
    """Return a table with the types of the schema."""
    arrays = [pa.array(column).cast(field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


if __name__ == "__main__":
    main()
