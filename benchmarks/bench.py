"""Speed of the simulator: a table on the terminal and the same figures as JSON.

Machines differ and are noisy, so every figure stands beside the rate of bare SimPy timeouts measured in the same run,
and the ratio of the two is what can be compared between machines. Rates are tiles per CPU second: of small layers the
best of a few repetitions, of the large layer one run of the reference engine and the median of several of the compiled
one. Whole commands are measured once, in wall seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Self

import simpy
from rich import box
from rich.console import Console
from rich.table import Table

from panacea_sim.description.description import Description
from panacea_sim.engines.compiled.availability import compiled_obstacle
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.engines.result import EngineResult
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

Engine = Callable[[Description, Recorder], EngineResult]

REPETITIONS = 5
_SMALL_RATIO = 2
"""Ratios below this differ in their hundredths."""
SCENARIOS = Path(__file__).parent.parent / "scenarios"
NETWORKS = {
    "OPT-2.7B prefill": "opt-2.7b --tokens 2048",
    "OPT-2.7B decode": "opt-2.7b --phase decode --context 2048 --batch 16",
    "Llama-3.2-1B prefill": "llama-3.2-1b --tokens 2048",
    "Llama-3.2-1B decode": "llama-3.2-1b --phase decode --context 2048 --batch 16",
    "BERT-base": "bert-base --tokens 512",
    "DeiT-base": "deit-base",
    "ResNet-50": "resnet-50",
}
TINY = "--set hardware.n_pea=4 --set hardware.tile_k=16 --set hardware.wmem_bytes=4096 --set hardware.amem_bytes=4096"
SCHEDULES = (
    "bert-base --tokens 512",
    "resnet-50",
    "gpt-2 --phase decode --context 1024",
    f"gpt-2 --phase decode --context 1024 {TINY}",
    "bert-base --tokens 16 --set hardware.o_dma_priority=2",
)
"""Networks whose layers run alone and overlap: docs/model.md, "Schedules", has the figures."""
SMALL = """
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer

scenario = Scenario("small", MaskedLayer("layer", 256, 256, 64, 0.1, 0.9, seed=1), values=False)
"""
LARGE = """
from panacea_sim.running.scenario import Scenario

scenario = Scenario("large", {path!r})
"""


def main() -> None:
    """Measure, print the table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, default=Path("runs/bench.json"), help="where the figures go")
    arguments = parser.parse_args()
    obstacle = compiled_obstacle()
    if obstacle is not None:
        sys.exit(f"the benchmark compares both engines, but {obstacle.reason}. {obstacle.hint}")
    simpy_rate = best_rate(bare_simpy)
    slow, fast = large_layer("hbm2")
    slow_ideal, fast_ideal = large_layer("ideal")
    cold_s, warm_s = start_ups()
    of_networks = [row for name, options in NETWORKS.items() for row in network(name, options)]
    of_schedules = [row for options in SCHEDULES for row in schedules(options)]
    off_s, checked_s = checked()
    own_ms, repeated_ms = small_layers()
    rows = [
        figure("bare SimPy, 20 timeouts a tile", "tiles/s", simpy_rate, simpy_rate),
        figure("reference engine, full trace, values off", "tiles/s", best_rate(full_trace), simpy_rate),
        figure("the same on two HBM2 pseudo-channels", "tiles/s", best_rate(full_trace_hbm2), simpy_rate),
        figure("reference engine, trace off, values off", "tiles/s", best_rate(no_trace), simpy_rate),
        figure("large layer, HBM2 x 2, reference engine, trace off", "tiles/s", slow, simpy_rate),
        figure("large layer, HBM2 x 2, compiled engine, trace off", "tiles/s", fast, simpy_rate),
        figure("compiled / reference on it", "times", fast / slow, None),
        figure("large layer, ideal memory, reference engine, trace off", "tiles/s", slow_ideal, simpy_rate),
        figure("large layer, ideal memory, compiled engine, trace off", "tiles/s", fast_ideal, simpy_rate),
        figure("compiled / reference on it", "times", fast_ideal / slow_ideal, None),
        figure("quickstart with values, whole command", "s", whole_command(), None),
        figure("--help against import typer, rich", "times", help_ratio(), None),
        figure("small layer without values, nothing compiled before", "s", cold_s, None),
        figure("the same once more", "s", warm_s, None),
        figure("layer of 4096 x 4096 x 512, values off, whole command", "s", off_s, None),
        figure("the same with values checked", "s", checked_s, None),
        figure("checked / off on it", "times", checked_s / off_s, None),
        figure("layer of 2048 x 80 x 1 among others, CPU time", "ms", own_ms, None),
        figure("such a product in a layer with repeat, CPU time", "ms", repeated_ms, None),
        figure("layer / product on them", "times", own_ms / repeated_ms, None),
        figure("such a layer as a row of a table, whole command, CPU time", "ms", table_row_ms(), None),
        *of_networks,
        *of_schedules,
        figure("peak memory of this benchmark", "MB", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, None),
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


def large_layer(dram: str) -> tuple[float, float]:
    """Run a layer of 409,600 tiles in both engines and keep only totals; return the tiles per CPU second of each."""
    from panacea_sim.engines.compiled.engine import run_compiled  # noqa: PLC0415  # numba may be missing: main says so

    layer = MaskedLayer("fc1", 10240, 2560, 2048, rho_w=0.028, rho_x=0.96, seed=1)
    prepared = prepare(Scenario("bench", layer, settings=memory(dram), values=False))
    assert isinstance(prepared, Prepared)
    tiles = prepared.program.layers[0].plan.work.tiling.tile_tasks
    # The first run of the compiled engine loads or compiles it.
    compiled_s = median(engine_s(run_compiled, prepared) for _ in range(REPETITIONS))
    return tiles / engine_s(run_reference, prepared), tiles / compiled_s


def engine_s(engine: Engine, prepared: Prepared) -> float:
    """Return the CPU seconds of a run that keeps only totals."""
    started = time.process_time()
    engine(prepared.description, Recorder(TraceOptions("off")))
    return time.process_time() - started


def memory(dram: str) -> dict[str, object]:
    """Return the settings of a memory: one ideal channel, or two with banks."""
    return {"dram": dram, "dram_channels": 1 if dram == "ideal" else 2}


def help_ratio() -> float:
    """Return how many times as long as importing typer and rich the list of commands takes, by the best of several."""
    commands = (["-m", "panacea_sim", "--help"], ["-c", "import typer, rich"])
    # In turns, so that both meet the same noise.
    seconds = [[process_s(command) for command in commands] for _ in range(2 * REPETITIONS)]
    helped, imported = (min(each) for each in zip(*seconds, strict=True))
    return helped / imported


def process_s(arguments: list[str]) -> float:
    """Return the wall seconds of a Python process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603  # our own command
    return time.perf_counter() - started


def start_ups() -> tuple[float, float]:
    """Return the wall seconds of a small run of the compiled engine, with an empty cache and with a full one."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "small.py"
        script.write_text(SMALL)
        environment = {**os.environ, "NUMBA_CACHE_DIR": f"{folder}/cache"}
        seconds = [command_s(script, "--force", "--out", f"{folder}/run", environment=environment) for _ in range(2)]
    return seconds[0], seconds[1]


def network(name: str, options: str) -> list[dict[str, Any]]:
    """Return the rows of a network, each layer with work of its own: wall seconds and peak memory of its processes."""
    with tempfile.TemporaryDirectory() as folder, Sampler() as sampler:
        seconds = command_s("--workload", *options.split(), "--no-memoize", "--out", f"{folder}/run")
    title = f"run --workload {options}"
    return [
        figure(f"{name}: {title}", "s", seconds, None),
        figure(f"{name}, peak memory of all its processes", "MB", sampler.peak_mb, None),
    ]


def schedules(options: str) -> list[dict[str, Any]]:
    """Return the rows of a network whose layers run alone and overlap: cycles of the machine, and their ratio."""
    cycles = {}
    with tempfile.TemporaryDirectory() as folder:
        for schedule in ("barrier", "overlap"):
            command_s("--workload", *options.split(), "--schedule", schedule, "--out", f"{folder}/{schedule}")
            summary = json.loads(Path(folder, schedule, "summary.json").read_text())
            cycles[schedule] = summary["makespan_cycles"]
    title = f"run --workload {options}"
    return [
        figure(f"{title}, layers alone (barrier)", "cycles", cycles["barrier"], None),
        figure(f"{title}, layers overlapping / alone", "times", cycles["overlap"] / cycles["barrier"], None),
    ]


def checked() -> tuple[float, float]:
    """Return the wall seconds of a large layer with values off and checked, all that is compiled at hand."""
    seconds = {"off": 0.0, "check": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "large.py"
        save_layer(synthetic_layer(4096, 4096, 512, rho_w=0.1, rho_x=0.6, seed=1), Path(folder) / "large.npz")
        script.write_text(LARGE.format(path=str(Path(folder) / "large.npz")))
        for values in (*seconds, *seconds):
            arguments = ["--values", values, "--trace", "off", "--force", "--out", f"{folder}/run"]
            seconds[values] = command_s(script, *arguments)
    return seconds["off"], seconds["check"]


def small_layers() -> tuple[float, float]:
    """Return the CPU ms of a small layer of a network, and of a product of a layer with as many; start-up left out."""
    few, many = 40, 240

    def layers_s(count: int) -> float:
        return network_s([MaskedLayer(f"layer {seed}", 2048, 80, 1, 0.1, 0.5, seed=seed) for seed in range(count)])

    def products_s(count: int) -> float:
        return network_s([MaskedLayer("layer", 2048, 80, 1, 0.1, 0.5, seed=1, repeat=count)])

    own_ms, repeated_ms = (1e3 * (each(many) - each(few)) / (many - few) for each in (layers_s, products_s))
    return own_ms, repeated_ms


def table_row_ms() -> float:
    """Return the CPU ms of such a layer in a table, its lines in the files of the run included; start-up left out."""
    few, many = 100, 400

    def command_cpu_s(rows: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / "table.csv"
            table.write_text("Layer,M,N,K\n" + "".join(f"layer {row},1,2048,80\n" for row in range(rows)))
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command_s(table, "--no-memoize", "--workers", "1", "--trace", "off", "--out", f"{folder}/run")
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    best_few, best_many = (min(command_cpu_s(rows) for _ in range(3)) for rows in (few, many))
    return 1e3 * (best_many - best_few) / (many - few)


def network_s(layers: list[MaskedLayer]) -> float:
    """Return the CPU seconds of a network in this process, each layer with work of its own: the best of a few."""
    scenario = Scenario("network", tuple(layers), values="off", schedule="barrier", mapping="class")
    best_s = float("inf")
    for _ in range(REPETITIONS):
        started = time.process_time()
        run(scenario, RunOptions(engine="compiled", memoize=False, trace=TraceOptions("off")))
        best_s = min(best_s, time.process_time() - started)
    return best_s


class Sampler:
    """Watches the memory of all processes below this one, shared pages counted once (Linux; 0 elsewhere)."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.3):
            kib = sum(proportional_kib(process) for process in descendants(os.getpid()))
            self.peak_mb = max(self.peak_mb, kib / 1024)


def descendants(process: int) -> list[int]:
    """Return the processes below this one."""
    found = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it may have ended
            for child in path.read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def proportional_kib(process: int) -> int:
    """Return the memory of a process, of shared pages its share."""
    with contextlib.suppress(OSError):  # it may have ended
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def no_trace() -> tuple[int, float]:
    """Run 9,216 tiles and keep only totals."""
    return reference(TraceOptions("off"))


def reference(trace: TraceOptions, dram: str = "ideal") -> tuple[int, float]:
    """Run a synthetic layer in the reference engine; return tiles and CPU seconds."""
    layer = synthetic_layer(1536, 1536, 512, rho_w=0.3, rho_x=0.8, seed=1)
    return timed(run_reference, layer, dram, trace)


def timed(engine: Engine, layer: GemmLayer, dram: str, trace: TraceOptions) -> tuple[int, float]:
    """Run a layer in an engine; return tiles and CPU seconds, the trace turned into columns included."""
    settings = {**memory(dram), "loop_order": "mnk", "dtp": "off"}
    prepared = prepare(Scenario("bench", layer, settings=settings, values=False))
    assert isinstance(prepared, Prepared)
    recorder = Recorder(trace, (layer.name,))
    started = time.process_time()
    engine(prepared.description, recorder)
    for table in ("activities", "queues", "dram"):
        for _ in recorder.batches(table):
            pass
    return prepared.program.layers[0].plan.task_count, time.process_time() - started


def whole_command() -> float:
    """Return the wall seconds of the quickstart with values, from start to written folder."""
    with tempfile.TemporaryDirectory() as folder:
        return command_s(SCENARIOS / "quickstart.py", "--out", f"{folder}/run")


def command_s(what: Path | str, *arguments: str, environment: dict[str, str] | None = None) -> float:
    """Return the wall seconds of `panacea-sim run`, from its start to the written folder."""
    command = [sys.executable, "-m", "panacea_sim", "run", str(what), *arguments, "--json"]
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)  # noqa: S603  # our own
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
        digits = 4 if row["unit"] == "times" and row["value"] < _SMALL_RATIO else 1
        table.add_row(row["name"], f"{row['value']:,.{digits}f}", row["unit"], "" if ratio is None else f"{ratio:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
