"""The command that looks into a trace: what it prints for people and for programs, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from stored_runs import RUNS, one_layer_run

from panacea_sim.analysis.query import intervals, longest
from panacea_sim.analysis.selection import Selection
from panacea_sim.commands.main import main
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
    assert main(["inspect", str(folder), "--format", "csv", "--tile", "1,*,0", "--window", "50:400"]) == 0
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
    ]
    assert re.search(r"\s+".join(cells), printed.out)
    assert printed.out.split()[:2] == ["layer", row["layer"]]
    assert printed.err == ""


def test_groups_as_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Cycles are added up for each pair of keys, with shares as percentages; all groups are shown."""
    assert main(["inspect", str(folder), "--group-by", "component", "--group-by", "state"]) == 0
    printed = capsys.readouterr()
    busy = open_run(folder).summary.to_json()["components"]["ppu"]["busy"]
    assert re.search(rf"ppu\s+busy\s+{busy:,}\s+\d+\.\d%", printed.out)
    assert re.search(r"16 PEAs\s+busy\s+[\d,]+\s+\d+\.\d%", printed.out)
    assert not re.search(r"pea\d", printed.out)
    assert len(printed.out.splitlines()) > 30
    assert printed.err == ""


def _answer(capsys: pytest.CaptureFixture[str], folder: Path, *options: str) -> list[dict[str, Any]]:
    assert main(["inspect", str(folder), "--format", "json", *options]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], {"pea*"}),
        (["--component", "pea*"], {"pea*"}),
        (["--component", "pea2", "--component", "pea5"], {"pea*"}),
        (["--component", "pea2"], {"pea2"}),
        (["--each-pea"], {f"pea{n}" for n in range(16)}),
        (["--component", "pea1?", "--each-pea"], {f"pea{n}" for n in range(10, 16)}),
    ],
)
def test_members_of_a_group_are_one_row(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], shown: set[str]
) -> None:
    """Several PEAs are one row with the cycles of all, unless --each-pea asks for them singly."""
    rows = _answer(capsys, folder, "--group-by", "component", *options)
    assert {row["component"] for row in rows if row["component"].startswith("pea")} == shown
    assert {row["share"] for row in rows} == {1.0}
    members = Selection(tuple(options[1::2]) if "--component" in options else ())
    every = intervals(open_run(folder), members).read_all().to_pylist()
    peas = [row["cycles"] for row in every if row["component"].startswith("pea")]
    assert sum(row["cycles"] for row in rows if row["component"].startswith("pea")) == sum(peas)


def test_queues_of_a_group_are_one_cause(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Causes are joined likewise: the queues to all PEAs are one."""
    causes = {row["cause"] for row in _answer(capsys, folder, "--group-by", "cause")}
    assert {"q_pea*", "q_sum*"} <= causes
    assert not [cause for cause in causes if re.fullmatch(r"q_(pea|sum)\d+", cause)]
    singly = {row["cause"] for row in _answer(capsys, folder, "--group-by", "cause", "--each-pea")}
    assert "q_sum0" in singly
    assert "q_sum*" not in singly


def test_the_longest_leave_idle_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is before the first or after the last work is not among the longest, unless it is asked for by its state."""
    assert "idle" in {row["state"] for row in _answer(capsys, folder)}
    assert "idle" not in {row["state"] for row in _answer(capsys, folder, "--longest", "100000")}
    for states in (["idle"], ["i*"], ["busy", "idle"]):
        options = [part for state in states for part in ("--state", state)]
        assert "idle" in {row["state"] for row in _answer(capsys, folder, "--longest", "100000", *options)}


def test_only_idle_matches_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing but idle time matches, the note says which states were looked for."""
    assert main(["inspect", str(folder), "--longest", "2", "--window", "0:1", "--component", "ppu"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith("nothing matches: no row of activities has the component ppu and the state busy or")


def test_the_longest_have_one_of_each_group(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Members of a group that wait in one firing for the same have one row; --each-pea shows all."""
    asked = ("--component", "pea*", "--longest", "100000")
    together, singly = _answer(capsys, folder, *asked), _answer(capsys, folder, *asked, "--each-pea")
    keys = ("state", "layer", "m", "n", "k")
    firings = [tuple(row[key] for key in keys) for row in together]
    assert len(set(firings)) == len(firings) < len(singly)
    assert set(firings) == {tuple(row[key] for key in keys) for row in singly}
    for row, firing in zip(together, firings, strict=True):
        alike = [each["cycles"] for each in singly if tuple(each[key] for key in keys) == firing]
        assert row["cycles"] == max(alike)


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
    arguments = ["--component", "pea0", "--cause", "q_w", "--window", "50:300", "--format", "json"]
    assert main(["inspect", str(folder), *arguments]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == []
    parts = "the component pea0 and the cause q_w and the cycles 50 to 300"
    assert printed.err == f"nothing matches: no row of activities has {parts}\n"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--cause", "dataflow"], "no row of activities has the cause dataflow"),
        (["--cause", "WMEM", "--cause", "AMEM"], "no row of activities has the cause WMEM or AMEM"),
        (["--cause", "dram1:refresh"], "no row of activities has the cause dram1:refresh"),
        (["--dram", "--component", "pea0"], "no row of dram has the component pea0"),
        (["--queues", "--component", "q_encode"], "no row of queues has the queue q_encode"),
    ],
)
def test_names_that_the_machine_has_are_no_errors(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], reason: str
) -> None:
    """What could be but is not in the trace gives no rows, and the part of the question that has none."""
    assert main(["inspect", str(folder), *options]) == 0
    assert capsys.readouterr().err == f"nothing matches: {reason}\n"


def test_what_was_not_recorded_is_the_reason(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """States that the trace level leaves out, and the window, are told where the summary tells them."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    summary = json.loads((copy / "summary.json").read_text())
    for trace, options, reason in (
        ({"level": "stalls", "window": None}, ["--state", "busy"], "--trace stalls did not record busy"),
        (
            {"level": "full", "window": [100, 900]},
            ["--cause", "dataflow"],
            "no row of activities has the cause dataflow; only --window 100:900 was recorded",
        ),
    ):
        (copy / "summary.json").write_text(json.dumps(summary | {"trace": trace}))
        activities = pq.read_table(folder / "activities.parquet")
        pq.write_table(activities.filter(pc.field("state") != "busy"), copy / "activities.parquet")
        assert main(["inspect", str(copy), *options]) == 0
        assert capsys.readouterr().err == f"nothing matches: {reason}\n"


def test_open_windows_and_great_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A window may be open at one side, and a limit may be greater than any trace."""
    rows = open_run(folder).dataset("activities").to_table().to_pylist()
    for window, expected in (
        ("300:", [row for row in rows if row["end_cycle"] > 300]),
        (":90", [row for row in rows if row["start_cycle"] < 90]),
    ):
        options = ["--window", window, "--format", "json", "--limit", str(10**30)]
        assert main(["inspect", str(folder), *options]) == 0
        assert len(json.loads(capsys.readouterr().out)) == len(expected) > 5


def test_layers_stay_where_they_differ(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The layer has a column of its own where not all rows have the same one."""
    assert main(["inspect", str(folder), "--component", "pea0", "--limit", "3"]) == 0
    assert re.match(r"\s+component .* cause +layer\s", capsys.readouterr().out)


def test_cycles_that_were_not_recorded_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a run with --window, cycles outside of it are an error, also where a row reaches into them."""
    run = RUNS["window"](tmp_path)
    assert main(["inspect", str(run.path), "--window", "1300:1310"]) == 2
    error = capsys.readouterr().err
    assert "--window: found 1300 to 1310; accepted: what overlaps the recorded cycles 900 to 1300" in error
    assert main(["inspect", str(run.path), "--group-by", "component", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["cycles"] for row in rows} == {400, 16 * 400}
    assert {row["share"] for row in rows} == {1.0}


def test_a_partial_run_says_so(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A partial run is read under its own name, with a warning beside the rows."""
    partial = tmp_path / "run.partial"
    partial.mkdir()
    for name in (".panacea-run", "activities.parquet"):
        (partial / name).write_bytes((folder / name).read_bytes())
    summary = json.loads((folder / "summary.json").read_text())
    kept = {
        name: summary[name] for name in ("schema", "scenario", "engine", "hardware", "clock_hz", "topology", "layers")
    }
    (partial / "summary.json").write_text(json.dumps(kept | {"partial": True}))
    assert main(["inspect", str(tmp_path / "run"), "--group-by", "layer", "--format", "csv"]) == 0
    printed = capsys.readouterr()
    assert '"layer",' in printed.out
    assert printed.err == f"{partial} is partial: the trace ends where the run stopped\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--component", "w_dna"], "--component: found 'w_dna'; .* Did you mean 'w_dma'?"),
        (["--queues", "--component", "q_q"], "--component: found 'q_q'; accepted: one of q_w"),
        (["--window", "9:3"], "--window: found '9:3', which is empty; accepted: A:B"),
        (["--window", "99999:"], r"--window: found 99999 to the last; accepted: what overlaps .*0 to \d+"),
        (["--tile", "1,2"], "--tile: found '1,2'"),
        (["--tile", "9,0,0"], r"--tile: found 9,0,0; .* the 2 x 1 x 2 tiles \(m, n, k\) of layer. Tiles are counted"),
        (["--tile", f"{10**20},0,0"], "--tile: found '1000"),
        (["--longest", "0"], "--longest: found 0; accepted: a whole number >= 1"),
        (["--group-by", "tile"], "--group-by: found 'tile'; accepted: one of component"),
        (["--state", "busy", "--dram"], "--dram: found a state, cause, layer or tile"),
        (["--limit", "0"], "--limit: found 0; accepted: a whole number >= 1"),
        (["--queues", "--dram"], "--queues: found --dram beside it; accepted: one of the two"),
        (["--longest", "3", "--group-by", "cause"], "--longest: found --group-by beside it; accepted: one of the two"),
        (["--longest", "3", "--dram"], "--longest: found --dram beside it; accepted: intervals"),
        (["--each-pea", "--dram"], "--each-pea: found --dram beside it; accepted: intervals"),
        (["--each-pea", "--queues"], "--each-pea: found --queues beside it; accepted: intervals"),
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


@pytest.mark.parametrize("output", ["csv", "table"])
def test_a_full_disk_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """Standard output that takes no more ends with 1 and one line."""
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert main(["inspect", str(folder), "--format", output]) == 1
    printed = " ".join(capsys.readouterr().err.split())
    assert printed == ("error: standard output: found No space left on device; accepted: an output that can be written")


@pytest.mark.parametrize("options", [[], ["--longest", "3"], ["--group-by", "state"], ["--cause", "q_w"]])
def test_a_damaged_table_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """Whatever is asked of a table that is broken inside ends with 2 and its path."""
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    content = bytearray((copy / "activities.parquet").read_bytes())
    content[4:2000] = bytes(1996)
    (copy / "activities.parquet").write_bytes(content)
    assert main(["inspect", str(copy), *options]) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith(f"error: {copy / 'activities.parquet'}: found a damaged file")
    assert printed.err.count("\n") == 1
