"""Speed and memory of `panacea-sim inspect` on a synthetic trace: a table on the terminal.

Each question runs as a command of its own, so that its time has the start of Python in it and its peak memory is the
process's. The trace has random lengths, states and causes; a real one has fewer distinct rows and is smaller on disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from panacea_sim.trace.schema import ACTIVITIES, OPERATORS, SCHEMA_VERSION
from panacea_sim.trace.store import RUN_MARK

COMPONENTS = ["w_dma", "x_dma", "dispatcher", *(f"pea{p}" for p in range(16)), "accumulator", "o_dma", "dram0"]
STATES = ["busy", "starved", "blocked", "contended", "waiting"]
CAUSES = ["", "q_w", "q_x", "WMEM", "dram0:row", "q_pea3"]
ROW_GROUP_ROWS = 131_072
SPAN_CYCLES = 200
"""Mean length of an interval."""

QUESTIONS = {
    "start of the command alone": "--help",
    "rows by component, state and cycles": "--component pea* --state blocked --window {}:{} --format csv",
    "the 10 longest stalls": "--state stall --longest 10",
    "cycles by component and state": "--group-by component --group-by state",
    "all rows as CSV": "--format csv",
}


def main() -> None:
    """Write the trace, ask, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows of the trace")
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        last_cycle = write_run(Path(folder), rows)
        stretch = (last_cycle // 2, last_cycle // 2 + last_cycle // 10)
        for name, options in QUESTIONS.items():
            seconds, cpu_seconds, megabytes = measured([folder, *options.format(*stretch).split()])
            print(f"{name:40} {seconds:6.1f} s {cpu_seconds:6.1f} s CPU {megabytes:6.0f} MB")


def write_run(folder: Path, rows: int) -> int:
    """Write a run folder with about that many rows of activities; return a cycle near its end."""
    (folder / RUN_MARK).touch()
    each = rows // len(COMPONENTS)
    rng = np.random.default_rng(1)
    makespan = 0
    with pq.ParquetWriter(folder / "activities.parquet", ACTIVITIES, compression="zstd") as writer:
        for component in COMPONENTS:
            cycle = 0
            for first in range(0, each, ROW_GROUP_ROWS):
                batch = batch_of(component, cycle, min(ROW_GROUP_ROWS, each - first), rng)
                writer.write_batch(batch)
                cycle = batch["end_cycle"][-1].as_py()
            makespan = max(makespan, cycle)
    summary = {
        "schema": SCHEMA_VERSION, "scenario": "synthetic", "layers": [{"name": "layer"}],
        "sections": dict.fromkeys(COMPONENTS, ""), "makespan_cycles": makespan,
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    return each * SPAN_CYCLES


def batch_of(component: str, cycle: int, rows: int, rng: np.random.Generator) -> pa.RecordBatch:
    """Return random intervals of a component, one after the other from a cycle on."""
    end = cycle + np.cumsum(rng.integers(1, 2 * SPAN_CYCLES, rows))
    tile = np.arange(rows, dtype=np.int32)
    busy = rng.integers(0, len(STATES), rows) == 0
    columns = [
        names(np.zeros(rows), [component]),
        names(np.where(busy, 0, rng.integers(1, len(STATES), rows)), STATES),
        np.append(cycle, end[:-1]),
        end,
        names(np.zeros(rows), ["layer"]),
        tile // 512,
        tile // 64 % 8,
        tile % 64,
        names(np.where(busy, 0, rng.integers(1, len(CAUSES), rows)), CAUSES),
        names(np.where(busy, 0, rng.integers(1, 17, rows)), ["", *COMPONENTS]),
        np.where(busy, 2048, 0),
        *[np.where(busy, rng.integers(0, 4096, rows), 0).astype(np.int32) for _ in OPERATORS],
    ]
    return pa.record_batch(columns, schema=ACTIVITIES)


def names(codes: np.ndarray, texts: list[str]) -> pa.DictionaryArray:
    """Return texts by their number."""
    return pa.DictionaryArray.from_arrays(codes.astype(np.int32), pa.array(texts))


def measured(arguments: list[str]) -> tuple[float, float, float]:
    """Run `panacea-sim inspect`; return its seconds, its CPU seconds and its peak memory in MB."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "panacea_sim", "inspect", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: S603  # our own command
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
