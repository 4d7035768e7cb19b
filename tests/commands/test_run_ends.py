"""How runs end that cannot write or are stopped: one message, the right exit code, and a folder that can be read."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_processes import AS_NOBODY, ended

from panacea_sim.commands.main import main
from panacea_sim.trace.schema import TABLES
from panacea_sim.trace.stored_run import open_run

_SCRIPT = """
from panacea_sim.running.scenario import Scenario, Study
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.synthetic import synthetic_layer

machine = {{"n_pea": 2, "tile_k": 8, "tile_n": 4, "loop_order": "mnk", "dtp": "off"}}
def one(name, layer=None):
    return Scenario(name, layer or synthetic_layer(8, 16, 8, 0.5, 0.5, 1), settings=machine)
def layers(size, count=2):
    return tuple(MaskedLayer(f"layer{{n}}", size, size, size, 0.5, 0.5, seed=n) for n in range(count))
def network(size):
    return Scenario("network", layers(size), settings=machine, values=False, schedule="barrier")
scenario = {scenario}
"""
_NETWORK = ("run", "network.py", "--out", "out", "--workers", "1", "--engine", "reference")
_ONE = ("run", "one.py", "--out", "out")
_STUDY = ("run", "study.py", "--out", "out")
_INTERRUPT = f"os.kill(os.getpid(), {int(signal.SIGINT)})"
_TERMINATE = f"os.kill(os.getpid(), {int(signal.SIGTERM)})"
_TWICE = f"{_TERMINATE}; {_INTERRUPT}"
_KEPT = "interrupted: what was recorded is in out.partial\n"


@pytest.fixture(autouse=True)
def _in_a_folder_with_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    scripts = {
        "one": "one('one')",
        "network": "network(32)",
        "large": "network(128)",
        "study": "Study('study', (one('a'), one('b'), one('c')))",
    }
    for name, scenario in scripts.items():
        Path(f"{name}.py").write_text(_SCRIPT.format(scenario=scenario))


def _names(folder: Path | str = ".") -> set[str]:
    """Return the names in a folder, hidden ones too."""
    return {path.name for path in Path(folder).iterdir()}


def _left() -> set[str]:
    """Return what has appeared beside the scripts."""
    return _names() - {"one.py", "network.py", "large.py", "study.py", "reference"}


def _check_partial(*lost: str) -> None:
    """Check that the partial folder has what a run keeps, without these tables, and that all of it can be read."""
    tables = {f"{name}.parquet" for name in TABLES if name not in lost}
    operands = {name for name in _names("out.partial") if name.startswith("layer-")}
    expected = {".panacea-run", "summary.json", "scenario.yaml", "log.jsonl"} | tables | operands
    assert _names("out.partial") == expected
    left = open_run(Path("out"))
    assert left.is_partial
    for name in sorted(TABLES):
        assert left.has_table(name) == (name not in lost)
        if name not in lost:
            left.dataset(name).to_table()


# Interrupts


@pytest.mark.parametrize(
    ("arguments", "event", "happening"),
    [
        (_NETWORK, "os.remove w_dma-postings.arrow", _INTERRUPT),
        (_NETWORK, "os.remove dram0.arrow", _TWICE),
        (_NETWORK, "os.remove pea1.arrow", _INTERRUPT),
        (_NETWORK, "shutil.rmtree out.partial/spill", _INTERRUPT),
        (_ONE, "shutil.rmtree out.partial/spill", _INTERRUPT),
        (_ONE, "shutil.rmtree out.partial/spill", _TWICE),
    ],
)
def test_an_interrupt_while_tables_are_written(arguments: tuple[str, ...], event: str, happening: str) -> None:
    """Everything that was recorded is kept, in all tables, and no spilled chunk is left."""
    assert main([*arguments[:2], "--out", "reference", *arguments[4:]]) == 0
    assert ended(happening, event, *arguments) == (130, _KEPT)
    assert _left() == {"out.partial"}
    _check_partial()
    for name in TABLES:
        kept, whole = (pq.read_table(f"{folder}/{name}.parquet") for folder in ("out.partial", "reference"))
        assert kept.equals(whole)
    assert main([*arguments]) == 0
    assert _left() == {"out"}


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ("os.mkdir out.partial/spill", {"out.partial"}),
        ("os.mkdir spill/0000", {"out.partial"}),
        ("open .panacea-run", {"out.partial"}),
    ],
)
def test_an_interrupt_leaves_no_spill(event: str, found: set[str]) -> None:
    """Wherever an interrupt comes, no folder of chunks stays."""
    assert ended(_INTERRUPT, event, *_NETWORK) == (130, _KEPT)
    assert _left() == found
    assert "spill" not in _names("out.partial")


@pytest.mark.parametrize("event", ["os.rename out", "os.rename out.partial", "shutil.rmtree out.replaced"])
def test_an_interrupt_while_a_run_is_replaced(event: str) -> None:
    """The interrupt waits until the new run has its name, and the earlier one is gone: nothing stands aside."""
    assert main([*_ONE]) == 0
    assert ended(_INTERRUPT, event, *_NETWORK, "--force") == (130, "interrupted: the run is complete in out\n")
    assert json.loads(Path("out/summary.json").read_text())["scenario"] == "network"
    assert _left() == {"out"}


@pytest.mark.parametrize(
    ("event", "complete", "partial"),
    [
        ("os.rename a.partial", 0, {"a.partial"}),
        ("shutil.rmtree b.partial/spill", 1, {"a", "b.partial"}),
        ("shutil.rmtree c.partial/spill", 2, {"a", "b", "c.partial"}),
        ("os.rename out.partial", 3, {"a", "b", "c", "results.csv"}),
    ],
)
def test_an_interrupted_study_says_what_is_kept(event: str, complete: int, partial: set[str]) -> None:
    """The message counts the runs that are whole and says where they are; each can be read."""
    code, told = ended(_INTERRUPT, event, *_STUDY)
    assert (code, told) == (130, f"{_KEPT}{complete} of 3 runs of the study are complete in out.partial\n")
    assert _names("out.partial") == {".panacea-run", "summary.json"} | partial
    for name in partial - {"results.csv"}:
        assert open_run(Path("out.partial") / name).dataset("activities").count_rows()


def test_what_a_study_has_left_is_told_by_readers(capsys: pytest.CaptureFixture[str]) -> None:
    """A partial study sends readers to the runs that are there."""
    assert ended(_INTERRUPT, "open b.partial/scenario.yaml", *_STUDY)[0] == 130
    assert main(["inspect", "out"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: out.partial: found a study of several runs")
    assert told.endswith("Choose one of out.partial/a, out.partial/b.partial\n")


# Disks that are full


@pytest.fixture
def small_disk() -> Iterator[str]:
    """Give a folder on a file system of 1 MB, or skip where none can be mounted."""
    Path("disk").mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("there is no command to mount a small disk")
    command = [mount, "-t", "tmpfs", "-o", "size=1m", "tmpfs", "disk"]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no small disk can be mounted: {mounted.stderr.strip()}")
    yield "disk"
    subprocess.run([umount, "disk"], check=True)


def _check_full(code: int, told: str, reason: str, hint: str) -> None:
    first, *others = told.splitlines()
    assert code == 2, told
    assert first.startswith("error: --out: found ")
    assert f"({reason}); accepted: a folder that can be written. {hint}" in first
    assert "Traceback" not in told
    assert len(others) <= 3
    assert Path("out.partial").is_dir() == any("What was recorded is in out.partial" in line for line in others)


@pytest.mark.parametrize("arguments", [("large.py",), ("large.py", "--schedule", "overlap"), ("study.py",)])
def test_a_full_disk(small_disk: str, arguments: tuple[str, ...]) -> None:
    """A disk that is full while a run goes on, or from the beginning, ends it with one message and a partial folder."""
    out = f"{small_disk}/out"
    if arguments == ("study.py",):
        with Path(f"{small_disk}/filler").open("wb", buffering=0) as file:
            file.write(b"x" * 2**20)
    command = [sys.executable, "-m", "panacea_sim", "run", *arguments, "--workers", "1", "--out", out]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (ran.returncode, ran.stdout) == (2, "")
    first = ran.stderr.splitlines()[0]
    assert first.startswith("error: --out: found ")
    assert "No space left on device" in first
    assert "Traceback" not in ran.stderr
    assert not Path(out).exists()
    if Path(f"{out}.partial").exists():
        assert not [path for path in Path(f"{out}.partial").rglob("*") if path.suffix in {".new", ".arrow"}]


def test_a_disk_that_is_full_while_tables_are_written(small_disk: str) -> None:
    """The chunks go as tables are written: nothing is lost where the room of the one is enough for the other."""
    fill = f"open('{small_disk}/filler', 'wb', buffering=0).write(b'x' * 2**20)"
    arguments = ["run", "network.py", "--workers", "1", "--engine", "reference"]
    assert main([*arguments, "--out", "reference"]) == 0
    code, told = ended(fill, "os.remove w_dma-postings.arrow", *arguments, "--out", f"{small_disk}/out")
    assert (code, "Traceback" in told) == (2, False)
    left = open_run(Path(f"{small_disk}/out"))
    lost = [name for name in TABLES if not left.has_table(name)]
    assert "No space left on device" in told
    assert all(f"{name}.parquet" in told.splitlines()[0] for name in lost)
    for name in set(TABLES) - set(lost):
        assert left.dataset(name).to_table().equals(open_run(Path("reference")).dataset(name).to_table())
    assert not (left.path / "spill").exists()


_LIMITED = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (int(where), int(where)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on the size of files")
@pytest.mark.parametrize(
    ("script", "limit_bytes"),
    [("study", 0), ("study", 500), ("study", 5_000), ("network", 5_000), ("large", 20_000), ("large", 60_000)],
)
def test_a_limit_on_the_size_of_files(script: str, limit_bytes: int) -> None:
    """Whichever file becomes too large, one message names it, and what is left can be read."""
    arguments = ["run", f"{script}.py", "--out", "out", "--workers", "1", "--engine", "reference"]
    code, told = ended("pass", str(limit_bytes), *arguments, trap=_LIMITED)
    if code == 0:
        assert _left() == {"out"}
        return
    assert code == 2, told
    assert told.startswith("error: --out: found ")
    assert "File too large" in told.splitlines()[0]
    assert "Traceback" not in told
    assert _left() <= {"out.partial"}
    files = [path for path in Path().rglob("*") if path.is_file()]
    assert not [path for path in files if path.suffix in {".new", ".arrow"}]
    for path in files:
        if path.suffix == ".parquet":
            pq.read_table(path)
        if path.name == "summary.json":
            json.loads(path.read_text())


# Folders that change meanwhile

_REMOVED = "shutil.rmtree('out.partial')"
_RENAMED = "os.rename('out.partial', 'moved')"
_REPLACED = f"{_RENAMED}; os.mkdir('out.partial'); open('out.partial/.panacea-run', 'w').close()"
_MOMENTS = ["open scenario.yaml", "open .summary.json.new", "os.remove w_dma-postings.arrow", "os.rename out.partial"]


@pytest.mark.parametrize("happening", [_REMOVED, _RENAMED], ids=["removed", "renamed"])
@pytest.mark.parametrize("moment", _MOMENTS)
def test_a_folder_that_goes_while_the_run_writes_it(moment: str, happening: str) -> None:
    """The run ends with one message, and claims nothing that is not there."""
    code, told = ended(happening, moment, *_NETWORK)
    assert code == 2, told
    assert told.startswith("error: --out: found ")
    assert "Traceback" not in told
    assert "What was recorded" not in told
    assert _left() <= {"moved"}


@pytest.mark.parametrize("moment", ["os.remove w_dma-postings.arrow", "shutil.rmtree out.partial/spill"])
def test_a_folder_that_another_has_made_meanwhile_is_left_alone(moment: str) -> None:
    """A run whose folder has gone writes nothing into one that has come in its place."""
    code, told = ended(_REPLACED, moment, *_NETWORK)
    assert code == 2, told
    assert told.startswith(
        "error: --out: found 'out.partial', which was removed or renamed while the run was writing it;"
    )
    assert told.count("\n") == 1
    assert _left() == {"moved", "out.partial"}
    assert _names("out.partial") == {".panacea-run"}


@pytest.mark.parametrize("moment", ["open log.jsonl", "os.mkdir out.partial/spill", "open .summary.json.new"])
def test_a_folder_that_becomes_read_only(moment: str) -> None:
    """The run ends with one message that names what it could not write."""
    Path().chmod(0o755)
    happening = f"os.chmod('out.partial', 0o555); {AS_NOBODY}"
    code, told = ended(happening, moment, *_NETWORK)
    Path("out.partial").chmod(0o755)
    assert code == 2, told
    assert told.startswith("error: --out: found ")
    assert "Permission denied" in told.splitlines()[0]
    assert "What was recorded is in out.partial" in told
    assert "Traceback" not in told


_REFUSED = "raise OSError(errno.EIO, os.strerror(errno.EIO))"
"""Let the system refuse what is being audited."""


@pytest.mark.parametrize("event", ["os.rename out", "os.rename out.partial"])
def test_a_run_that_cannot_take_the_place_of_another(event: str) -> None:
    """Where a name cannot be changed, the earlier run keeps its name and the new one stays partial: neither is lost."""
    assert main([*_ONE]) == 0
    code, told = ended(_REFUSED, event, *_NETWORK, "--force")
    assert code == 2, told
    assert "found 'out' (Input/output error)" in told
    assert "What was recorded is in out.partial" in told
    assert _left() == {"out", "out.partial"}
    found = [json.loads(Path(name, "summary.json").read_text())["scenario"] for name in ("out", "out.partial")]
    assert found == ["one", "network"]


def test_an_earlier_run_that_cannot_be_removed_is_told() -> None:
    """The new run is complete then, and a warning says where the rest of the earlier one is."""
    assert main([*_ONE]) == 0
    code, told = ended(_REFUSED, "shutil.rmtree out.replaced", *_NETWORK, "--force")
    assert code == 0
    assert told.startswith(
        "warning: the earlier run could not be removed (Input/output error): what is left of it is in out.replaced"
    )
    assert json.loads(Path("out/summary.json").read_text())["scenario"] == "network"


def test_a_name_that_is_taken_meanwhile_is_left_alone() -> None:
    """A folder that somebody makes while the run goes on keeps its name and its content."""
    happening = "os.mkdir('out'); open('out/mine', 'w').close()"
    code, told = ended(happening, "shutil.rmtree out.partial/spill", *_ONE)
    assert code == 2, told
    assert told.startswith("error: --out: found 'out', which is no run folder")
    assert "What was recorded is in out.partial" in told
    assert _names("out") == {"mine"}
