"""Machines that are named by the path of a Python file."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from plugin_packages import EXAMPLE

pytest.importorskip("numba")

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.exploring.fields import known_fields
from panacea_sim.exploring.start import Start
from panacea_sim.hardware.config import load_hardware, with_settings
from panacea_sim.hardware.registry import registered
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.synthetic import synthetic_layer

_HARDWARE = "base: sa_os\nmachine: parts/my_machine.py\narray_rows: 24\ndrain_rows_per_cycle: 1\n"
_TABLE = "Layer,M,N,K\na,64,96,128\nb,40,50,60\n"


def _written(folder: Path) -> Path:
    """Return a hardware file that names a machine's file from its own folder."""
    (folder / "parts").mkdir(parents=True)
    shutil.copyfile(EXAMPLE / "drained_array" / "machine.py", folder / "parts" / "my_machine.py")
    path = folder / "mine.yaml"
    path.write_text(_HARDWARE, encoding="utf-8")
    return path


def test_workers_and_later_runs_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of a run from another folder use it, its fields can be set, and its scenario.yaml runs again."""
    hardware = _written(tmp_path / "machines")
    (tmp_path / "net.csv").write_text(_TABLE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command = ["run", "net.csv", "--hardware", str(hardware.relative_to(tmp_path)), "--engine", "compiled"]
    assert main([*command, "--workers", "2", "--out", "two", "--set", "hardware.drain_rows_per_cycle=2"]) == 0
    monkeypatch.chdir("/")
    assert main(["run", str(tmp_path / "two" / "scenario.yaml"), "--workers", "1", "--out", str(tmp_path / "one")]) == 0
    first, second = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("two", "one"))
    # 96 rows for each of two tiles of columns, and 50 for each of two more, two in a cycle.
    assert first["components"]["drain"]["busy"] == (48 + 25) * 2
    for figure in ("makespan_cycles", "components", "hardware"):
        assert first[figure] == second[figure]


def test_a_digest_holds_for_what_the_file_says(tmp_path: Path) -> None:
    """The same file elsewhere gives the same digest, another text another one, although nothing else differs."""
    layer = synthetic_layer(8, 8, 8, 0.5, 0.5, seed=0)
    here, there, other = (_written(tmp_path / name) for name in ("here", "there", "other"))
    file = other.parent / "parts" / "my_machine.py"
    file.write_text(file.read_text(encoding="utf-8") + "# the same, with a remark\n", encoding="utf-8")
    digests = [Scenario("one", layer, hardware=path, values=False).digest() for path in (here, there, other)]
    assert digests[0] == digests[1]
    assert digests[0] != digests[2]


def test_objects_of_it_travel(tmp_path: Path) -> None:
    """Hardware of such a machine can be pickled, swept over, changed, and named from a script's settings."""
    hardware = load_hardware(_written(tmp_path))
    assert pickle.loads(pickle.dumps(hardware)) == hardware  # noqa: S301  # our own
    start = SimpleNamespace(hardware=hardware, workload_fields=(), quantization_fields=())
    assert known_fields(cast("Start", start))["hardware.drain_rows_per_cycle"] == ("hardware", "drain_rows_per_cycle")
    changed = with_settings(hardware, {"drain_rows_per_cycle": 8})
    settings = {"machine": str(tmp_path / "parts" / "my_machine.py"), "array_rows": 24, "drain_rows_per_cycle": 8}
    layer = synthetic_layer(48, 16, 32, 0.5, 0.5, seed=0)
    scenarios = [
        Scenario("changed", layer, hardware=changed, values=False),
        Scenario("set", layer, hardware="sa_os", settings=settings, values=False),
    ]
    busy = [run(scenario).summary.components["drain"]["busy"] for scenario in scenarios]
    assert busy == [6, 6]


def test_a_file_that_changes_during_a_run_is_refused(tmp_path: Path) -> None:
    """A process that is sent an object of a file with another text by then refuses it; this one keeps what it has."""
    hardware = load_hardware(_written(tmp_path))
    sent = tmp_path / "sent.pickle"
    sent.write_bytes(pickle.dumps(hardware))
    file = tmp_path / "parts" / "my_machine.py"
    file.write_text(file.read_text(encoding="utf-8").replace("one more", "another"), encoding="utf-8")
    assert load_hardware(tmp_path / "mine.yaml") == hardware
    reading = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
    ended = subprocess.run([sys.executable, "-c", reading, sent], capture_output=True, text=True, check=False)
    assert f"{file}: found another text than the run began with" in ended.stderr


_WRONG = {
    "missing": (None, r"hardware\.machine: found .*machine\.py; accepted: .*that is there\. Check the path"),
    "syntax": ("MACHINE = (\n", r"machine\.py: found SyntaxError: '\(' was never closed"),
    "import": ("\nimport nothing_of_this_name\n", r"found ModuleNotFoundError: No module .*See line 2"),
    "raises": ("x = 1\ny = x / 0\n", r"found ZeroDivisionError: division by zero; accepted: a Python file.*See line 2"),
    "no machine": ("MACHINES = 1\n", r"machine\.py: found no MACHINE; accepted: a Python file with a MACHINE"),
    "class": ("class MACHINE: pass\n", r"machine\.py: found the class MACHINE; accepted: an object of a subclass"),
    "incomplete": ("class M: name = 'm'\nMACHINE = M()\n", r"found an object without 'settings'; accepted: an object"),
    "taken": (
        "from panacea_sim.machines.simd.build import MACHINE\n",
        r"machine\.py: MACHINE\.name: found 'simd'; accepted: a name that no other machine has",
    ),
}


@pytest.mark.parametrize("case", _WRONG)
def test_what_is_wrong_with_a_file_is_one_message(case: str, tmp_path: Path) -> None:
    """A file that is not there, cannot be imported or has no machine is named, with the line where there is one."""
    text, message = _WRONG[case]
    path = tmp_path / "machine.py"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=message):
        registered(str(path))
