"""The command that looks into a trace: what it prints for people and for programs, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from pathlib import Path

import pytest
from stored_runs import RUNS, one_layer_run

from panacea_sim.analysis.query import intervals, longest
from panacea_sim.analysis.selection import Selection
from panacea_sim.cli import main
from panacea_sim.trace.stored_run import open_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small run."""
    return one_layer_run(tmp_path_factory.mktemp("runs") / "small", "layer")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tables be as wide as they like."""
    monkeypatch.setenv("COLUMNS", "140")


def test_json_has_every_row_as_it_is_in_the_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON is a list of the rows, one a line, and nothing else."""
    assert main(["inspect", str(folder), "--format", "json", "--component", "*d*", "--state", "stall"]) == 0
    printed = capsys.readouterr()
    expected = intervals(open_run(folder), Selection(("*d*",), ("stall",))).read_all().to_pylist()
    assert json.loads(printed.out) == expected
    assert len(printed.out.splitlines()) == len(expected) + 2 > 20
    assert printed.err == ""


def test_csv_reads_back(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has a header and the same rows."""
    assert main(["inspect", str(folder), "--format", "csv", "--tile", "1,*,0", "--from", "50", "--to", "400"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    selection = Selection(tile=(1, None, 0), from_cycle=50, to_cycle=400)
    expected = intervals(open_run(folder), selection).read_all().to_pylist()
    assert rows == [{name: str(value) for name, value in row.items()} for row in expected]
    assert len(rows) > 5


def test_the_longest_as_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table has the cycles with separators, the tile as one, and the cause with the component at its other end."""
    assert main(["inspect", str(folder), "--state", "stall", "--cause", "q_sum0", "--longest", "2"]) == 0
    printed = capsys.readouterr()
    row = longest(open_run(folder), Selection(states=("stall",), causes=("q_sum0",)), 2).to_pylist()[0]
    tile = ",".join("-" if row[axis] < 0 else str(row[axis]) for axis in "mnk")
    cells = [
        "accumulator",
        "starved",
        *(f"{row[name]:,}" for name in ("start_cycle", "end_cycle", "cycles")),
        tile,
        r"q_sum0 \(pea0\)",
        "layer",
    ]
    assert re.search(r"\s+".join(cells), printed.out)
    assert printed.err == ""


def test_groups_as_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cycles are added up for each pair of keys, with shares as percentages; all groups are shown."""
    assert main(["inspect", str(folder), "--group-by", "component", "--group-by", "state"]) == 0
    printed = capsys.readouterr()
    busy = open_run(folder).summary["components"]["ppu"]["busy"]
    assert re.search(rf"ppu\s+busy\s+{busy:,}\s+\d+\.\d%", printed.out)
    assert len(printed.out.splitlines()) > 50
    assert printed.err == ""


def test_a_long_listing_shows_its_beginning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table stops after 20 rows and says how to see more; with --limit it obeys in silence."""
    assert main(["inspect", str(folder)]) == 0
    printed = capsys.readouterr()
    assert len(re.findall(r"^ [wx]_", printed.out, re.MULTILINE)) == 20
    assert printed.err == "these are the first 20 rows; --limit N shows N, --format csv or json shows all\n"
    assert main(["inspect", str(folder), "--limit", "3", "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert (len(printed.out.splitlines()), printed.err) == (4, "")


def test_a_longer_table_begins_anew(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table of thousands of rows is printed in parts, none of them lost."""
    assert main(["inspect", str(folder), "--queues", "--limit", "100000"]) == 0
    printed = capsys.readouterr().out
    changes = open_run(folder).dataset("queues").count_rows()
    assert len(re.findall(r"^ \w+ +[\d,]+ +[\d,]+", printed, re.MULTILINE)) == changes


def test_queues_and_accesses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other tables are listed likewise."""
    assert main(["inspect", str(folder), "--queues", "--component", "WMEM", "--format", "csv", "--limit", "1"]) == 0
    assert re.fullmatch(r'queue,cycle,occupancy\n"WMEM",\d+,\d+\n', capsys.readouterr().out)
    assert main(["inspect", str(folder), "--dram", "--component", "o_dma"]) == 0
    assert re.search(r"dram0 +\d+ +(yes|no) +o_dma( +[\d,]+){4} +yes", capsys.readouterr().out)


def test_nothing_that_matches_is_no_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is valid and matches nothing gives no rows, and a line on standard error."""
    assert main(["inspect", str(folder), "--tile", "9,9,9", "--format", "json"]) == 0
    printed = capsys.readouterr()
    makespan = open_run(folder).summary["makespan_cycles"]
    assert json.loads(printed.out) == []
    assert printed.err == f"nothing matches; the trace of activities covers the cycles 0 to {makespan}\n"


def test_cycles_that_were_not_recorded_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a run with --window, cycles outside of it are an error, also where a row reaches into them."""
    run = RUNS["window"](tmp_path)
    assert main(["inspect", str(run.path), "--from", "1300", "--to", "1310"]) == 2
    error = capsys.readouterr().err
    assert "cycles: found 1300 to 1310; accepted: what overlaps the recorded cycles 900 to 1300" in error
    assert main(["inspect", str(run.path), "--group-by", "component", "--format", "json"]) == 0
    assert {row["cycles"] for row in json.loads(capsys.readouterr().out)} == {400}


def test_a_partial_run_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A partial run is read under its own name, with a warning beside the rows."""
    partial = tmp_path / "run.partial"
    partial.mkdir()
    for name in (".panacea-run", "activities.parquet"):
        (partial / name).write_bytes((folder / name).read_bytes())
    summary = json.loads((folder / "summary.json").read_text())
    kept = {name: summary[name] for name in ("schema", "scenario", "sections", "layers")}
    (partial / "summary.json").write_text(json.dumps(kept | {"partial": True}))
    assert main(["inspect", str(tmp_path / "run"), "--group-by", "layer", "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert '"layer",' in printed.out
    assert printed.err == f"{partial} is partial: the trace ends where the run stopped\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--component", "w_dna"], "component: found 'w_dna'; .* Did you mean 'w_dma'?"),
        (["--from", "9", "--to", "3"], "cycles: found the empty range 9 to 3"),
        (["--tile", "1,2"], "tile: found '1,2'"),
        (["--limit", "0"], "--limit: found 0; accepted: a whole number >= 1"),
        (["--queues", "--dram"], "--queues: found --dram beside it; accepted: one of the two"),
        (["--longest", "3", "--group-by", "cause"], "--longest: found --group-by beside it; accepted: one of the two"),
        (["--longest", "3", "--dram"], "--longest: found --dram beside it; accepted: intervals"),
        (["--group-by", "state", "--queues"], "--group-by: found --queues beside it; accepted: intervals"),
    ],
)
def test_bad_input_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], message: str
) -> None:
    """Bad options end with 2, one line on standard error and nothing else."""
    assert main(["inspect", str(folder), *options]) == 2
    printed = capsys.readouterr()
    assert re.match(f"error: {message}".replace("?", r"\?"), printed.err)
    assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_a_reader_that_stops_is_no_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Into a pipe that nobody reads any more, as behind `head`, the command ends quietly."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["inspect", str(folder), "--format", "json"]) == 0
    assert capsys.readouterr().err == ""
