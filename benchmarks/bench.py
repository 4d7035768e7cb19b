"""Speed of the simulator: a table on the terminal and the same figures as JSON.

Machines differ and are noisy, so every figure stands beside the rate of bare SimPy timeouts measured in the same run,
and the ratio of the two is what can be compared between machines. Times are CPU seconds of this process; each figure is
the best of a few repetitions.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import simpy
from rich import box
from rich.console import Console
from rich.table import Table

from panacea_sim.machine.compiled import run_compiled
from panacea_sim.machine.description import Description
from panacea_sim.machine.reference import run_reference
from panacea_sim.machine.result import EngineResult
from panacea_sim.scenario import Scenario
from panacea_sim.simulation import prepare
from panacea_sim.trace.recorder import Recorder, TraceOptions
from panacea_sim.workload.layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer

Engine = Callable[[Description, Recorder], EngineResult]

REPETITIONS = 5
SCENARIOS = Path(__file__).parent.parent / "scenarios"


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("runs/bench.json"), help="where the figures go")
    arguments = parser.parse_args()
    simpy_rate = best_rate(bare_simpy)
    rows = [
        figure("bare SimPy, 20 timeouts a tile", "tiles/s", simpy_rate, simpy_rate),
        figure("reference engine, full trace, values off", "tiles/s", best_rate(full_trace), simpy_rate),
        figure("the same on two HBM2 pseudo-channels", "tiles/s", best_rate(full_trace_hbm2), simpy_rate),
        figure("compiled engine, trace off, HBM2", "tiles/s", best_rate(compiled), simpy_rate),
        figure("reference engine, trace off, values off", "tiles/s", best_rate(no_trace), simpy_rate),
        figure("quickstart with values, whole command", "s", whole_command(), None),
        figure("peak memory", "MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, None),
    ]
    show(rows)
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps({"python": sys.version.split()[0], "figures": rows}, indent=2) + "\n")


def best_rate(measure: Callable[[], tuple[int, float]]) -> float:
    """Return the highest tiles per CPU second of a few repetitions."""
    return max(tiles / seconds for tiles, seconds in (measure() for _ in range(REPETITIONS)))


def bare_simpy() -> tuple[int, float]:
    """Let 20 processes wait, as many as serve a tile on 16 PEAs; return tiles and CPU seconds."""
    tiles = 5_000
    env = simpy.Environment()

    def waiting() -> Any:  # noqa: ANN401  # SimPy's generators
        for _ in range(tiles):
            yield env.timeout(3)

    for _ in range(20):
        env.process(waiting())
    started = time.process_time()
    env.run()
    return tiles, time.process_time() - started


def full_trace() -> tuple[int, float]:
    """Run 9,216 tiles with everything recorded and turned into columns."""
    return reference(TraceOptions("full"))


def full_trace_hbm2() -> tuple[int, float]:
    """Run 9,216 tiles on two HBM2 pseudo-channels with everything recorded."""
    return reference(TraceOptions("full"), "hbm2")


def compiled() -> tuple[int, float]:
    """Run 9,216 tiles on two HBM2 pseudo-channels in the compiled engine and keep only totals."""
    layer = synthetic_layer(1536, 1536, 512, rho_w=0.3, rho_x=0.8, seed=1)
    return timed(run_compiled, layer, "hbm2", TraceOptions("off"))


def no_trace() -> tuple[int, float]:
    """Run 9,216 tiles and keep only totals."""
    return reference(TraceOptions("off"))


def reference(trace: TraceOptions, dram: str = "ideal") -> tuple[int, float]:
    """Run a synthetic layer in the reference engine; return tiles and CPU seconds."""
    layer = synthetic_layer(1536, 1536, 512, rho_w=0.3, rho_x=0.8, seed=1)
    return timed(run_reference, layer, dram, trace)


def timed(engine: Engine, layer: GemmLayer, dram: str, trace: TraceOptions) -> tuple[int, float]:
    """Run a layer in an engine; return tiles and CPU seconds, the trace turned into columns included."""
    settings = {"dram": dram, "dram_channels": 1 if dram == "ideal" else 2, "loop_order": "mnk", "dtp": "off"}
    prepared = prepare(Scenario("bench", layer, settings=settings, values=False))
    recorder = Recorder(trace, (layer.name,))
    started = time.process_time()
    engine(prepared.description, recorder)
    for table in ("activities", "queues", "dram"):
        for _ in recorder.batches(table):
            pass
    return prepared.program.layers[0].plan.task_count, time.process_time() - started


def whole_command() -> float:
    """Return the wall seconds of the quickstart with values, from start to written folder."""
    command = [sys.executable, "-m", "panacea_sim.cli", "run", str(SCENARIOS / "quickstart.py"), "--json", "--out"]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        subprocess.run([*command, f"{folder}/run"], check=True, stdout=subprocess.DEVNULL)  # noqa: S603  # our own
        return time.perf_counter() - started


def figure(name: str, unit: str, value: float, base: float | None) -> dict[str, Any]:
    """Return one row: the value, and its ratio to bare SimPy where that makes sense."""
    return {"name": name, "value": value, "unit": unit, "ratio_to_bare_simpy": None if base is None else value / base}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the table."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("measured")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("of bare SimPy", justify="right")
    for row in rows:
        ratio = row["ratio_to_bare_simpy"]
        table.add_row(row["name"], f"{row['value']:,.1f}", row["unit"], "" if ratio is None else f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
