"""Stored runs with damaged files: every command that reads runs ends with one message that names the file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from panacea_sim.commands.main import main
from panacea_sim.trace.damage import damage_of
from panacea_sim.trace.stored_run import StoredRun, open_run

Change = Callable[[Path], object]

COMMANDS = {
    "inspect": ["inspect", "RUN", "--format", "csv"],
    "inspect longest": ["inspect", "RUN", "--longest", "3"],
    "inspect groups": ["inspect", "RUN", "--group-by", "state"],
    "timeline": ["timeline", "RUN", "--html", "OUT"],
    "picture": ["picture", "RUN", "--out", "OUT.svg"],
    "report": ["report", "RUN", "--html", "OUT"],
    "perfetto": ["export", "RUN", "--format", "perfetto", "--out", "OUT"],
    "vcd": ["export", "RUN", "--format", "vcd", "--out", "OUT"],
    "csv": ["export", "RUN", "--format", "csv", "--out", "OUT"],
    "view": ["view", "RUN", "--no-browser"],
}


def _table(change: Callable[[pa.Table], pa.Table], name: str = "activities") -> Change:
    def changed(folder: Path) -> None:
        path = folder / f"{name}.parquet"
        pq.write_table(change(pq.read_table(path)), path)

    return changed


def _column(name: str, values: Callable[[pa.Table], object]) -> Change:
    return _table(lambda table: table.set_column(table.column_names.index(name), name, values(table)))


def _texts(table: pa.Table, text: bytes) -> pa.Array:
    names = pa.array([text], pa.binary()).view(pa.string())
    return pa.DictionaryArray.from_arrays(np.zeros(table.num_rows, np.int32), names)


def _bytes(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def _summary(**changes: Any) -> Change:  # noqa: ANN401  # whatever a file may hold
    def changed(folder: Path) -> None:
        content = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        (folder / "summary.json").write_text(json.dumps(content | changes), encoding="utf-8")

    return changed


DAMAGED: dict[str, tuple[Change, str]] = {
    "column missing": (
        _table(lambda table: table.drop_columns(["end_cycle"])),
        r"activities\.parquet: end_cycle: found no",
    ),
    "column renamed": (
        _table(
            lambda table: table.rename_columns(["part", *table.column_names[1:]]).replace_schema_metadata(
                {"schema": "2"}
            )
        ),
        r"activities\.parquet: component: found no such column",
    ),
    "numbers as text": (
        _column("start_cycle", lambda table: pa.array([str(each) for each in table["start_cycle"].to_pylist()])),
        r"activities\.parquet: start_cycle: found values of the type string; accepted: int64",
    ),
    "numbers as reals": (
        _column("m", lambda table: table["m"].cast(pa.float64())),
        r"activities\.parquet: m: found values of the type double; accepted: int32",
    ),
    "steps as text": (
        _table(lambda table: table.append_column("more_steps", pa.array(["1"] * table.num_rows))),
        r"activities\.parquet: more_steps: found values of the type string; accepted: int64",
    ),
    "text as numbers": (
        _column("state", lambda table: pa.array(range(table.num_rows))),
        r"activities\.parquet: state: found values of the type int64",
    ),
    "no values": (
        _column("state", lambda table: pa.nulls(table.num_rows, table.schema.field("state").type)),
        r"activities\.parquet: state: found \d+ rows without a value",
    ),
    "bytes that are no text": (
        _column("state", lambda table: _texts(table, b"busy\xff\xfe")),
        r"activities\.parquet: state: found bytes that are not UTF-8 text",
    ),
    "empty file": (_bytes("activities.parquet", lambda _: b""), r"activities\.parquet: found an unreadable file"),
    "truncated": (
        _bytes("activities.parquet", lambda content: content[:-50]),
        r"activities\.parquet: found an unreadable",
    ),
    "text file": (
        _bytes("activities.parquet", lambda _: b"a,b\n1,2\n"),
        r"activities\.parquet: found an unreadable file",
    ),
    "data overwritten": (
        _bytes("activities.parquet", lambda content: content[:8] + bytes(2000) + content[2008:]),
        r"activities\.parquet: found a damaged file",
    ),
    "no table": (lambda folder: (folder / "activities.parquet").unlink(), r"run: found no activities\.parquet"),
    "schema is no number": (
        _table(lambda table: table.replace_schema_metadata({"schema": "two"})),
        r"activities\.parquet: found schema two; accepted: schema 1 to 2\. Run the scenario again",
    ),
    "summary is no JSON": (
        _bytes("summary.json", lambda content: content[:-9]),
        r"summary\.json: found no readable JSON",
    ),
    "summary is no text": (
        _bytes("summary.json", lambda content: b"\xff" + content),
        r"summary\.json: found no readable",
    ),
    "summary empty": (_bytes("summary.json", lambda _: b""), r"summary\.json: found no readable JSON"),
    "summary with text": (
        _summary(makespan_cycles="long"),
        r"summary\.json: makespan_cycles: found 'long'; accepted: a valid integer",
    ),
    "summary below zero": (
        _summary(makespan_cycles=-5),
        r"summary\.json: makespan_cycles: found -5; accepted: greater than or equal to 0",
    ),
    "summary beyond 64 bits": (
        _summary(makespan_cycles=10**20),
        r"summary\.json: makespan_cycles: found 10{20}; accepted",
    ),
    "summary without a clock": (_summary(clock_hz=0), r"summary\.json: clock_hz: found 0; accepted"),
    "summary of a newer version": (_summary(schema=3), r"run: found schema 3; .*newer panacea_sim: update this one"),
    "study": (
        _summary(study="ways", runs={"one": {}, "two": {}}),
        r"run: found a study of several runs; accepted: the folder of one run\. None of its runs is there",
    ),
    "study without runs": (
        _summary(study="ways", runs=7),
        r"run: found a study of several runs; .*None of its runs is there",
    ),
}


@pytest.fixture
def damaged(full_run: StoredRun, tmp_path: Path) -> Path:
    """Return a copy of a run, to be damaged."""
    return Path(shutil.copytree(full_run.path, tmp_path / "run"))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("damage", DAMAGED)
def test_the_file_is_named(
    damage: str, command: str, damaged: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is damaged, and whoever reads: one message, exit code 2, and nothing written."""
    if command == "view":
        pytest.importorskip("viztracer")
    change, message = DAMAGED[damage]
    change(damaged)
    before = sorted(tmp_path.rglob("*"))
    places = {"RUN": str(damaged), "OUT": str(tmp_path / "out"), "OUT.svg": str(tmp_path / "out.svg")}
    assert main([places.get(word, word) for word in COMMANDS[command]]) == 2
    errors = capsys.readouterr().err
    assert re.match(rf"error: \S*{message}", errors), errors
    assert errors.count("error: ") == 1
    assert sorted(tmp_path.rglob("*")) == before


LOOKED_FOR: dict[str, tuple[Change, str]] = {
    "unknown state": (
        _column("state", lambda table: _texts(table, b"asleep")),
        r"activities\.parquet: state: found 'asleep'; accepted: the names in summary\.json",
    ),
    "unknown component": (
        _column("component", lambda table: _texts(table, b"pooler")),
        r"activities\.parquet: component: found 'pooler'",
    ),
    "unknown layer": (
        _column("layer", lambda table: _texts(table, b"fc9")),
        r"activities\.parquet: layer: found 'fc9'",
    ),
    "end before start": (
        _column("end_cycle", lambda table: pa.array(np.zeros(table.num_rows, np.int64))),
        r"activities\.parquet: end_cycle: found a cycle before start_cycle",
    ),
    "cycle below zero": (
        _column("start_cycle", lambda table: pa.array(np.full(table.num_rows, -7))),
        r"activities\.parquet: start_cycle: found -7; accepted: whole numbers in 0 \.\. ",
    ),
    "cycle beyond all": (
        _column("end_cycle", lambda table: pa.array(np.full(table.num_rows, 2**63 - 1))),
        r"activities\.parquet: end_cycle: found 9223372036854775807",
    ),
    "unknown queue": (
        _table(lambda table: table.set_column(0, "queue", _texts(table, b"q_pool")), "queues"),
        r"queues\.parquet: queue: found 'q_pool'",
    ),
    "another clock": (
        _bytes("scenario.yaml", lambda content: content.replace(b"clock_hz: 1000000000", b"clock_hz: 5000")),
        r"scenario\.yaml: hardware\.clock_hz: found 5000; accepted: 1000000000, as in summary\.json",
    ),
    "scenario without hardware": (
        _bytes("scenario.yaml", lambda _: b"schema: 2"),
        r"scenario\.yaml: hardware: found None",
    ),
    "scenario that is no text": (
        _bytes("scenario.yaml", lambda _: b"\xff"),
        r"scenario\.yaml: found bytes that are not",
    ),
}


@pytest.mark.parametrize("damage", LOOKED_FOR)
def test_what_a_search_finds(damage: str, damaged: Path) -> None:
    """Where a reader fails, the fault is found in the files: names, numbers and what two of them say differently."""
    assert damage_of(open_run(damaged)) is None
    change, message = LOOKED_FOR[damage]
    change(damaged)
    assert re.match(rf"\S*{message}", str(damage_of(open_run(damaged))))


def test_sound_runs_have_no_damage(any_run: StoredRun) -> None:
    """Nothing is found in runs of any kind that are as they were written, nor in one of schema 1."""
    assert damage_of(any_run) is None
    assert damage_of(open_run(Path(__file__).parent / "data" / "schema_1")) is None


def test_a_fault_of_ours_stays_one(damaged: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An error that the files do not explain is not called their damage."""

    def fail(*_: object, **__: object) -> None:
        raise KeyError("ours")

    monkeypatch.setattr("panacea_sim.report.timeline.write_timeline", fail)
    with pytest.raises(KeyError, match="ours"):
        main(["timeline", str(damaged), "--html", str(tmp_path / "out.html")])
