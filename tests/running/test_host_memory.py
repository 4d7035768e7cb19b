"""A run knows how much of the host's memory it takes, keeps it small, and is refused before work if it is too much."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware, with_settings
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.running import host_memory
from panacea_sim.running.available_memory import available_bytes
from panacea_sim.running.host_memory import PROGRAM_BYTES, RunKind, mapping_bytes, run_bytes
from panacea_sim.running.mapping_choice import open_mappings
from panacea_sim.running.prepare import prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.workload.masked_layer import MaskedLayer

LAYER = MaskedLayer("layer", 2048, 4096, 2048, 0.1, 0.9, seed=1)
"""131,072 tile tasks on the default machine."""

MOST_BYTES_A_TASK = 500

COMPILED = RunKind("compiled", at_once=1)

# The kernel's own figure of a process that has run nothing else. That of getrusage begins with the memory of the
# process that started it.
CHILD = """
import json, re, sys
from dataclasses import replace
from pathlib import Path
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.masked_layer import MaskedLayer

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])

def went(layer):
    scenario = Scenario("memory", MaskedLayer(**layer), settings=asked["settings"], values=False)
    level = "off" if asked["trace"] == "explained" else asked["trace"]
    folder = Path(asked["folder"]) if level != "off" else None
    options = RunOptions(folder, force=True, trace=TraceOptions(level), engine=asked["engine"])
    options = replace(options, explain=asked["trace"] == "explained")
    return run(scenario, options).summary.layers[0]

asked = json.loads(sys.argv[1])
went(asked["layer"] | {"M": 64, "K": 64, "N": 64})  # loads all code
before = peak()
layer = went(asked["layer"])
print(json.dumps([peak() - before, peak(), layer.loop_order, 2 if layer.double_tile else 1]))
"""


def _measured(
    folder: Path, layer: MaskedLayer, settings: dict[str, object], engine: str, trace: str
) -> tuple[int, int, str, int]:
    """Run a layer in a process of its own; return the bytes that it took, the whole peak, its loop order and height."""
    asked = {"layer": layer.recipe, "settings": settings, "engine": engine, "trace": trace, "folder": str(folder / "r")}
    done = subprocess.run([sys.executable, "-c", CHILD, json.dumps(asked)], capture_output=True, text=True, check=True)
    taken, peak, order, height = json.loads(done.stdout)
    return taken, peak, order, height


@pytest.fixture(scope="module", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compile the engine: a process that compiles takes more."""
    pytest.importorskip("numba")
    if not Path("/proc/self/status").exists():
        pytest.skip("the peak memory of a process is read in /proc")
    for trace in ("off", "explained"):
        _measured(tmp_path_factory.mktemp("compiled"), replace(LAYER, M=64, K=64, N=64), {}, "compiled", trace)


@pytest.mark.parametrize(
    ("layer", "settings", "engine", "trace"),
    [
        pytest.param(LAYER, {}, "compiled", "off", id="the mapping that is taken"),
        pytest.param(LAYER, {"dtp": "off", "loop_order": "mnk"}, "compiled", "off", id="k innermost"),
        pytest.param(LAYER, {"dtp": "off", "loop_order": "nkm"}, "compiled", "off", id="spilled sums"),
        pytest.param(LAYER, {"dtp": "on", "loop_order": "kmn"}, "compiled", "off", id="spilled stacks"),
        pytest.param(LAYER, {"n_pea": 64, "omem_bytes": 1 << 20}, "compiled", "off", id="64 PEAs"),
        pytest.param(LAYER, {"dram_channels": 8, "dtp": "off"}, "compiled", "off", id="eight channels"),
        pytest.param(replace(LAYER, M=8192, K=32, N=16384), {"dtp": "off"}, "compiled", "off", id="many outputs"),
        pytest.param(replace(LAYER, M=8192, N=64), {"dtp": "off"}, "compiled", "off", id="few columns"),
        pytest.param(replace(LAYER, K=512), {"dtp": "off", "loop_order": "nkm"}, "compiled", "full", id="traced"),
        pytest.param(LAYER, {"dtp": "off", "loop_order": "mnk"}, "compiled", "explained", id="explained"),
        pytest.param(
            replace(LAYER, M=10240, K=2560, rho_w=0.3), {"dtp": "off"}, "compiled", "explained", id="explained, waiting"
        ),
        pytest.param(replace(LAYER, K=512), {"loop_order": "kmn"}, "compiled", "explained", id="explained, spilled"),
        pytest.param(replace(LAYER, K=128), {"dtp": "off", "loop_order": "nkm"}, "reference", "off", id="reference"),
        pytest.param(replace(LAYER, K=128), {"dtp": "off"}, "reference", "full", id="reference, traced"),
    ],
)
def test_no_run_takes_more_than_it_says(
    tmp_path: Path, layer: MaskedLayer, settings: dict[str, object], engine: str, trace: str
) -> None:
    """What a process takes is at most what was foretold for the layer, and with the program for the whole."""
    taken, peak, order, height = _measured(tmp_path, layer, settings, engine, trace)
    hardware = with_settings(load_hardware("panacea"), settings)
    known = "compiled" if engine == "compiled" else "reference"
    kind = RunKind(known, traced=trace == "full", at_once=1, explained=trace == "explained")
    foretold = mapping_bytes(layer, hardware, order, height, kind)
    assert taken <= foretold
    assert peak <= foretold + PROGRAM_BYTES


def test_a_task_takes_less_than_500_bytes(tmp_path: Path) -> None:
    """A task of a layer of 131,072 takes at most 500 bytes in the mapping that is taken and in one fixed by hand."""
    tasks = Tiling.of(load_hardware("panacea"), (LAYER.M, LAYER.K, LAYER.N)).tile_tasks
    for settings in ({}, {"dtp": "off", "loop_order": "nmk"}):
        taken, *_ = _measured(tmp_path, LAYER, settings, "compiled", "off")
        assert taken <= MOST_BYTES_A_TASK * tasks


def test_a_large_layer_is_foretold_to_take_less_than_500_bytes_a_task() -> None:
    """8192 x 8192 x 8192 needs less than 500 bytes a task in every mapping, and less than 2.5 GB with the program."""
    hardware, layer = load_hardware("panacea"), replace(LAYER, M=8192, K=8192, N=8192)
    tasks = Tiling.of(hardware, (layer.M, layer.K, layer.N)).tile_tasks
    for order, height in open_mappings(hardware):
        foretold = mapping_bytes(layer, hardware, order, height, COMPILED)
        assert foretold <= MOST_BYTES_A_TASK * tasks + host_memory.FIXED_BYTES
        assert foretold + PROGRAM_BYTES < 2.5e9


Available = Callable[[float], None]


@pytest.fixture
def let_there_be(monkeypatch: pytest.MonkeyPatch) -> Available:
    """Return a function that lets the machine have so many bytes of memory."""

    def limit(size: float) -> None:
        monkeypatch.setattr(host_memory, "lately_available_bytes", lambda: int(size))

    return limit


def test_too_large_a_layer_is_refused_before_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer of two thousand million tasks ends with exit code 2, what it needs, what there is and what to change."""
    script = tmp_path / "huge.py"
    script.write_text(
        "from panacea_sim.running.scenario import Scenario\n"
        "from panacea_sim.workload.masked_layer import MaskedLayer\n"
        "layer = MaskedLayer('huge', 65536, 65536, 65536, 0.1, 0.9, seed=1)\n"
        "scenario = Scenario('huge', layer, values=False)\n"
    )
    out = tmp_path / "out"
    assert main(["run", str(script), "--out", str(out), "--trace", "off", "--engine", "compiled"]) == 2
    error = capsys.readouterr().err
    assert "memory: found layer 'huge', which needs 5" in error
    assert "GB; accepted: what fits the " in error
    assert "Larger tiles (hardware.tile_k, hardware.tile_n) make fewer tile tasks" in error
    assert list(tmp_path.iterdir()) == [script]


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_the_advice_is_enough(schedule: str, let_there_be: Available, tmp_path: Path) -> None:
    """Where a trace, the reference engine, several processes or the schedule are too much, what does is named."""
    hardware, layers = load_hardware("panacea"), tuple(replace(LAYER, name=name) for name in "abc")
    alone = run_bytes(layers[:1], hardware, COMPILED)
    joined = replace(COMPILED, at_once=None)
    cases = [
        (replace(COMPILED, traced=True), layers[:1], "--trace off"),
        (replace(COMPILED, explained=True), layers[:1], "A run without --explain"),
        (replace(COMPILED, engine="reference"), layers[:1], "--engine compiled"),
        (replace(COMPILED, at_once=3), layers, "--workers 1"),
        (joined, layers, "--schedule barrier --workers 1"),
    ]
    for kind, some, advice in cases:
        let_there_be(alone * 1.01)
        with pytest.raises(ConfigError, match=rf"{advice} needs {alone / 1e9:.1f} GB\. Larger tiles"):
            host_memory.check_layers(some, hardware, kind)
        let_there_be(run_bytes(some, hardware, kind))
        host_memory.check_layers(some, hardware, kind)
    scenario = Scenario("three", layers, values=False, schedule="barrier" if schedule == "barrier" else "overlap")
    together = " in one simulation" if schedule == "overlap" else ""
    let_there_be(alone / 2)
    with pytest.raises(
        ConfigError, match=rf"memory: found 3 layers{together}, which needs .* GB; accepted: what fits the"
    ):
        prepare(scenario, "compiled")
    assert not list(tmp_path.iterdir())


def test_a_mapping_that_takes_too_much_is_refused_with_one_that_does_not(let_there_be: Available) -> None:
    """Where the best mapping needs more than there is, the settings are named that need the least, and they run."""
    small = replace(LAYER, K=64, rho_w=0.0, rho_x=0.0)
    hardware = load_hardware("panacea")
    needed = {
        (order, height): mapping_bytes(small, hardware, order, height, COMPILED)
        for order, height in open_mappings(hardware)
    }
    chosen = prepare(Scenario("small", small, values=False), "compiled")
    least, most = min(needed.values()), max(needed.values())
    assert least < most
    let_there_be(PROGRAM_BYTES + least)
    with pytest.raises(
        ConfigError, match=r"in loop order \w+, which needs .*--set hardware.loop_order=\w+ --set"
    ) as told:
        host_memory.check_mapping(small, hardware, *max(needed, key=lambda each: needed[each]), COMPILED)
    words = str(told.value).split("--set hardware.")[1:]
    settings = dict(word.split()[0].split("=") for word in words)
    prepare(Scenario("small", small, settings=settings, values=False), "compiled")
    assert chosen is not None


def test_a_trace_is_weighed_before_the_folder_is_made(let_there_be: Available, tmp_path: Path) -> None:
    """A run that would fit without a trace is refused with one, and nothing is written."""
    layer = replace(LAYER, K=64)
    prepared = prepare(Scenario("small", layer, values=False), "compiled")
    let_there_be(run_bytes([layer], load_hardware("panacea"), COMPILED) * 1.1)
    with pytest.raises(ConfigError, match="which needs"):
        run(prepared, RunOptions(tmp_path / "out", engine="compiled"))
    assert not list(tmp_path.iterdir())
    run(prepared, RunOptions(tmp_path / "out", engine="compiled", trace=NO_TRACE))


MEMINFO = "MemTotal:       9000 kB\nMemAvailable:   8000 kB\n"


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        pytest.param({"proc/meminfo": MEMINFO}, 8000 * 1024, id="no groups"),
        pytest.param({"proc/meminfo": "MemTotal: 9000 kB\n"}, None, id="nothing is known"),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "0::/outer/inner\n",
                "sys/fs/cgroup/outer/memory.max": "5000000\n",
                "sys/fs/cgroup/outer/memory.current": "4000000\n",
                "sys/fs/cgroup/outer/memory.stat": "anon 1\ninactive_file 500000\n",
                "sys/fs/cgroup/outer/inner/memory.max": "max\n",
                "sys/fs/cgroup/outer/inner/memory.current": "100\n",
            },
            1_500_000,
            id="version 2, the outer group, files are dropped",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:memory:/outside/of/here\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "3000000\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "1000000\n",
                "sys/fs/cgroup/memory/memory.stat": "total_inactive_file 0\n",
            },
            2_000_000,
            id="version 1, in a container",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/cgroup": "4:cpu,cpuacct:/\n3:memory:/a\n",
                "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/a/memory.usage_in_bytes": "1000000\n",
            },
            8000 * 1024,
            id="version 1, no limit",
        ),
        pytest.param(
            {
                "proc/meminfo": MEMINFO,
                "proc/self/status": "Name:\tpython\nVmRSS:\t    2000 kB\n",
                "proc/self/cgroup": "0::/a\n",
                "sys/fs/cgroup/a/memory.max": "1000",
                "sys/fs/cgroup/a/memory.current": "5000",
            },
            2000 * 1024,
            id="more than allowed, but what the process has it has",
        ),
    ],
)
def test_what_is_available(tmp_path: Path, files: dict[str, str], wanted: int | None) -> None:
    """The least of what the system has and of what every memory group around the process leaves, and its own."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert available_bytes(tmp_path) == wanted
