"""The cache of compiled code: fresh, and never the end of a run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("numba")

from panacea_sim.engines.compiled import compilation
from panacea_sim.engines.compiled.evaluation import evaluate
from panacea_sim.errors import CacheWarning
from panacea_sim.machines.panacea.check.tasks import run_tasks

_PROGRAM = """
import warnings
warnings.simplefilter("always")
from panacea_sim.engines.compiled.compilation import entry
import sums
print(sums.twice(21), sums.twice.stats.cache_hits.total() if hasattr(sums.twice, "stats") else 0)
"""
_MODULE = """
from panacea_sim.engines.compiled.compilation import entry

@entry
def twice(number):
    return 2 * number
"""


def _doubled(number: int) -> int:
    return 2 * number


def _squared(number: int) -> int:
    return number * number


def _run(folder: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    (folder / "sums.py").write_text(_MODULE)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}"}
    return subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )


def test_compiled_code_is_kept(tmp_path: Path) -> None:
    """The second process finds what the first one compiled."""
    assert _run(tmp_path, tmp_path / "cache").stdout.split() == ["42", "0"]
    found = _run(tmp_path, tmp_path / "cache")
    assert (found.stdout.split(), found.stderr) == (["42", "1"], "")


@pytest.mark.parametrize("pattern", ["*.nbi", "*.nbc"])
def test_a_broken_file_is_told_once_and_mended(tmp_path: Path, pattern: str) -> None:
    """Rubbish in the cache costs a compilation and one warning; afterwards the cache works again."""
    _run(tmp_path, tmp_path / "cache")
    for path in (tmp_path / "cache").rglob(pattern):
        path.write_bytes(b"rubbish")
    broken = _run(tmp_path, tmp_path / "cache")
    assert broken.stdout.split() == ["42", "0"]
    assert broken.stderr.count("CacheWarning: what was compiled before cannot be read (") == 1
    assert _run(tmp_path, tmp_path / "cache").stdout.split() == ["42", "1"]


def test_a_cache_that_cannot_be_written_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be kept all functions are compiled, and the first of them says so."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compilation._CacheFile, "save", full)
    monkeypatch.setattr(compilation.IndexDataCacheFile, "load", lambda *_: None)
    monkeypatch.setattr(compilation, "_has_warned", [])
    with pytest.warns(CacheWarning, match=r"compiled code cannot be kept \(OSError: .*No space left") as told:
        assert [compilation.entry(each)(2) for each in (_doubled, _squared)] == [4, 4]
    assert len(told) == 1


def test_without_any_folder_functions_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder can hold a cache there is a warning, and a function that works."""

    def nowhere(*_: object) -> None:
        raise RuntimeError("no locator available")

    monkeypatch.setattr(compilation.FunctionCache, "__init__", nowhere)
    monkeypatch.setattr(compilation, "_has_warned", [])
    with pytest.warns(CacheWarning, match=r"cannot be kept \(RuntimeError: no locator available\)"):
        assert compilation.entry(_doubled)(2) == 4


def _cache_file(folder: Path, stamp: str = "now") -> compilation._CacheFile:
    return compilation._CacheFile(str(folder), "module.function[a]-1.py311", stamp)


def test_two_processes_that_compile_at_once_never_mix_up_their_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them lists its code by what it read before the other one: nobody finds the code of other types."""
    first, second = _cache_file(tmp_path), _cache_file(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(second, "_load_index", dict)  # read before the first one wrote
        patch.setattr(second, "_drop_old_code", lambda: None)
        first.save("32 bits", "code for 32 bits")
        listed = first._load_index()
        second.save("64 bits", "code for 64 bits")
    first._save_index(listed)
    third = _cache_file(tmp_path)
    assert (third.load("32 bits"), third.load("64 bits")) == ("code for 32 bits", None)
    third.save("64 bits", "the same")
    assert (third.load("32 bits"), third.load("64 bits")) == ("code for 32 bits", "the same")


def test_code_is_whole_before_it_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that looks while another one saves finds nothing yet, or all of it: never code of older sources."""
    _cache_file(tmp_path, "before").save("key", "old code")
    file, found = _cache_file(tmp_path), []
    save_data = file._save_data

    def looking(name: str, data: object) -> None:
        found.append(_cache_file(tmp_path).load("key"))
        save_data(name, data)
        found.append(_cache_file(tmp_path).load("key"))

    monkeypatch.setattr(file, "_save_data", looking)
    file.save("key", "new code")
    assert found == [None, None]
    assert _cache_file(tmp_path).load("key") == "new code"


def test_code_of_older_sources_is_removed(tmp_path: Path) -> None:
    """What was compiled from sources as they were before goes, and what belongs to another function stays."""
    compilation._CacheFile(str(tmp_path), "module.functiona-1.py311", "before").save("key", "of another")
    for stamp in ("before", "now"):
        for key in ("one", "two"):
            _cache_file(tmp_path, stamp).save(key, key)
    assert len(list(tmp_path.glob("*.nbc"))) == 3
    assert [_cache_file(tmp_path).load(key) for key in ("one", "two")] == ["one", "two"]


@pytest.mark.parametrize(
    ("changed", "old"),
    [
        ("memory/banked_timing.py", [True, False]),
        ("engines/compiled/lowering.py", [True, False]),
        ("trace/schema.py", [True, False]),
        ("engines/compiled/compilation.py", [True, True]),
        ("machines/panacea/check/tables.py", [False, True]),
        ("machines/shared/compiled/tile_code.py", [False, True]),
    ],
)
def test_any_compiled_source_makes_the_cache_old(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changed: str,
    old: list[bool],
) -> None:
    """A change in another file than that of the function gives another stamp: the engine, or what machines compile.

    Neither is compiled anew for the other.
    """
    places = [compilation._places(function.py_func) for function in (evaluate, run_tasks)]
    package = tmp_path / "panacea_sim"
    shutil.copytree(compilation._PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compilation, "_PACKAGE", package)
    before = [compilation._sources_stamp.__wrapped__(each) for each in places]
    assert [compilation._sources_stamp.__wrapped__(each) for each in places] == before
    with (package / changed).open("a") as file:
        file.write("# changed\n")
    after = [compilation._sources_stamp.__wrapped__(each) for each in places]
    assert [one != other for one, other in zip(before, after, strict=True)] == old


def test_who_waits_is_told_once_that_something_is_compiled(tmp_path: Path) -> None:
    """Where nothing is kept; afterwards, and where nobody asks, nothing is told."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    program = """
import numpy as np
from panacea_sim.engines.compiled.occupancy import high_water
from panacea_sim.engines.first_use import told_of_compiling
told = []
with told_of_compiling(lambda: told.append("told")), told_of_compiling(lambda: told.append("too")):
    high_water(*(np.ones(1, np.int64),) * 4)
print(*told)
"""
    found = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, cwd=Path.cwd(), capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert [sorted(each) for each in found] == [["told", "too"], []]


def test_other_functions_count_from_the_end_as_ever() -> None:
    """Our functions do without negative indices; those that others compile beside them have them."""
    numba = pytest.importorskip("numba")
    last = numba.njit(lambda values, place: values[place])
    assert last(np.arange(3), -1) == 2
