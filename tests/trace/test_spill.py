"""Batches that wait on disk: all of them come back, in order, whatever the disk does not take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.trace.spill import BatchList, Spilling, read_batches


def _batch(number: int, rows: int = 1000) -> pa.RecordBatch:
    names = pa.array([f"name{number}"] * rows).dictionary_encode()
    return pa.record_batch({"name": names, "cycle": pa.array(range(number, number + rows))})


def test_batches_come_back_once_and_their_file_goes(tmp_path: Path) -> None:
    """Each batch keeps its dictionary; the file is removed behind the last one."""
    path = tmp_path / "log.arrow"
    batches = BatchList(path)
    for number in range(3):
        batches.append(_batch(number))
    assert path.stat().st_size > 0
    assert list(batches) == [_batch(number) for number in range(3)]
    assert not path.exists()


def test_what_comes_when_spilling_has_ended_stays_in_memory(tmp_path: Path) -> None:
    """Batches in memory follow those on disk, also where a log has none on disk."""
    spilling = Spilling()
    first, second = BatchList(tmp_path / "1.arrow", spilling), BatchList(tmp_path / "2.arrow", spilling)
    first.append(_batch(0))
    spilling.is_on = False
    first.append(_batch(1))
    second.append(_batch(2))
    assert [path.name for path in tmp_path.iterdir()] == ["1.arrow"]
    assert list(first) == [_batch(0), _batch(1)]
    assert list(second) == [_batch(2)]
    assert second.close() is None


def test_a_list_without_batches_has_no_file(tmp_path: Path) -> None:
    """Nothing that was kept leaves nothing."""
    batches = BatchList(tmp_path / "log.arrow")
    assert batches.close() is None
    assert list(batches) == []
    assert list(read_batches(None)) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["nowhere/log.arrow", "/dev/full"])
def test_a_batch_that_the_disk_does_not_take_stays_in_memory(place: str, tmp_path: Path) -> None:
    """The error names the file, and the batch and those behind it come back all the same."""
    path = tmp_path / place
    if place == "/dev/full" and not path.exists():
        pytest.skip("there is no /dev/full")
    batches = BatchList(path)
    with pytest.raises(ConfigError, match=r"--out: found .*(log.arrow|full)' \(No s.*accepted: a folder that can be"):
        batches.append(_batch(0))
    batches.append(_batch(1))
    assert list(batches) == [_batch(0), _batch(1)]


_LIMITED = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_spill import BatchList, ConfigError, _batch

whole = BatchList(Path("whole.arrow"))
for number in range(3):
    whole.append(_batch(number))
size = Path("whole.arrow").stat().st_size
for limit in range(1, size, size // 23):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, size))
    batches, refused = BatchList(Path("log.arrow")), 0
    for number in range(3):
        try:
            batches.append(_batch(number))
        except ConfigError:
            refused += 1
    assert refused == 1, limit
    assert list(batches) == [_batch(number) for number in range(3)], limit
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on the size of files")
def test_a_disk_that_is_full_at_any_byte_loses_no_batch(tmp_path: Path) -> None:
    """Wherever in a batch a real file stops growing, all batches come back."""
    command = [sys.executable, "-c", _LIMITED, str(Path(__file__).parent)]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=120)
