"""The figures of a run as DataFrames, and the answers about it: they are those of the commands, and add up."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from panacea_sim import ConfigError, Run, compare, save_layer, simulate, synthetic_layer, versus
from panacea_sim.api.pages import Timeline
from panacea_sim.commands.main import main
from panacea_sim.workload.gemm_layer import GemmLayer

_STATES = ["busy", "starved", "blocked", "contended", "waiting", "idle"]
_STALLS = _STATES[1:5]
_NAME = "a<b>&c"


def _layer() -> GemmLayer:
    return synthetic_layer(140, 70, 40, 0.3, 0.6, seed=3, name=_NAME)


@pytest.fixture(scope="module")
def explained() -> Run:
    """Return a small run that was explained and recorded whole."""
    return simulate(_layer(), explain=True, name="small")


def _printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    assert main([*arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_states_and_stalls_add_up(explained: Run) -> None:
    """States fill the run, intervals give the same cycles, and stalls and root causes are all of the stalled ones."""
    states, components = explained.states, explained.components
    assert list(states.columns) == _STATES
    assert set(states.sum(axis=1)) == {explained.cycles}
    assert states.to_dict("index") == explained.summary["components"]
    of_intervals = explained.intervals.groupby(["component", "state"], observed=True).cycles.sum().to_dict()
    assert of_intervals == {
        (name, state): cycles for name, row in states.iterrows() for state, cycles in row.items() if cycles
    }
    stalled = {name: cycles for name, cycles in states[_STALLS].sum(axis=1).items() if cycles}
    assert components.stalled_cycles[components.stalled_cycles > 0].to_dict() == stalled
    assert explained.stalls.groupby("component").cycles.sum().to_dict() == stalled
    causes = explained.root_causes.groupby("component", observed=True).cycles.sum().to_dict()
    channels = explained.summary["dram"]["channels"]
    assert causes == {name: cycles for name, cycles in stalled.items() if name not in channels}
    assert int(components.loc["w_dma", "read_bytes"]) == explained.summary["actions"]["w_dma"]["read_bytes"]
    assert set(components.loc[[f"pea{number}" for number in range(16)], "group"]) == {"pea"}


def test_path_layers_and_memory_add_up(explained: Run) -> None:
    """The path is the makespan, and accesses and layers have the bytes and cycles of the summary."""
    assert int(explained.critical_path.cycles.sum()) == explained.cycles
    dram = explained.summary["dram"]
    assert int(explained.dram.bytes.sum()) == dram["read_bytes"] + dram["write_bytes"]
    layer = explained.summary["layers"][0]
    assert list(explained.layers.index) == [_NAME]
    assert explained.layers.cycles.iloc[0] == layer["end_cycle"] - layer["start_cycle"]
    assert explained.layers.weight_bytes.iloc[0] == layer["weight_bytes"]
    assert (
        int(explained.queues.groupby("queue", observed=True).occupancy.max()["WMEM"])
        == (explained.summary["queues"]["WMEM"]["high_water"])
    )


def test_what_was_not_recorded_is_told() -> None:
    """Without a trace and an explanation the message says how to get them, in the words of Python."""
    bare = simulate(_layer(), trace="off")
    with pytest.raises(ConfigError, match="Run again with explain=True, or with trace='full'"):
        _ = bare.critical_path
    with pytest.raises(ConfigError, match="Run again with trace='full'"):
        _ = bare.dram
    assert "Not explained: simulate it with explain=True" in bare._repr_html_()


def test_why_is_the_answer_of_the_command(explained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bound, findings, chains and remedies are those of `panacea-sim why`, and the notebook shows the first ones."""
    explained.whatif("n_dwo+n_swo")
    found = explained.why(seconds=0)
    kept = explained.save(tmp_path / "kept")
    expected = _printed(capsys, "why", str(kept.stored.path), "--seconds", "0")
    assert json.loads(json.dumps(found.to_json())) == expected
    assert found.bound == expected["bound"]
    assert list(found.findings.cycles) == [each["cycles"] for each in expected["critical_path"]]  # type: ignore[attr-defined]
    assert list(found.remedies.knob) == [each["knob"] for each in expected["remedies"]]  # type: ignore[attr-defined]
    assert str(found).startswith(f"small: {explained.cycles:,} cycles, bound by {found.bound}")
    html = explained._repr_html_()
    assert f"bound by {found.bound}" in html
    assert "First remedies: " in html
    assert "a&lt;b&gt;&amp;c" in html
    assert _NAME not in html
    assert repr(explained) == f"<Run small: {explained.cycles:,} cycles, bound by {found.bound}, not saved>"


def test_whatif_rows_are_runs(explained: Run) -> None:
    """A changed machine takes the cycles that it takes when it is simulated; gains are against this run."""
    changes = explained.whatif("queue_depth", "n_dwo")
    assert set(changes.knob) == {"queue_depth", "n_dwo"}
    for change in changes.itertuples():
        alone = simulate(_layer(), set=change.settings, trace="off", values="off")
        assert change.cycles == alone.cycles == explained.cycles - change.gain_cycles
    with pytest.raises(ConfigError, match="n_dwoo"):
        explained.whatif("n_dwoo")


def test_energy_is_the_answer_of_the_command(
    explained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Totals are those of `panacea-sim energy`, and components add up to them in every case."""
    kept = explained.save(tmp_path / "kept")
    for table in ("default", "bitfusion"):
        found = kept.energy(table, device="hbm2")
        options = ("--table", table, "--device", "hbm2")
        assert found.to_json() == _printed(capsys, "energy", str(kept.stored.path), *options)
        assert found.range_pj is not None
        low, high = found.range_pj
        sums = found.components[["low", "nominal", "high"]].sum()
        assert sums.to_list() == pytest.approx([low, found.total_pj, high])
        assert found.components[["static", "DRAM", "buffer", "core"]].to_numpy().sum() == pytest.approx(found.total_pj)
    with pytest.raises(ConfigError, match=r"^device: found 'hbm2' beside dram='events'"):
        kept.energy(dram="events", device="hbm2")


def test_comparisons_are_those_of_the_command(
    explained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row of `panacea-sim compare --json` is a row of the frame; HTML is escaped."""
    wide = simulate(_layer(), set={"n_dwo": 8}, name="wide <i>")
    found = compare([explained, wide])
    paths = [str(each.save(tmp_path / name).stored.path) for name, each in (("a", explained), ("b", wide))]
    expected = _printed(capsys, "compare", *paths)
    frame = found.frame
    for name in ("states", "classes", "layers"):
        rows = expected[name]
        assert isinstance(rows, list)
        part = frame[frame.section == name]
        assert [[a, b] for a, b in zip(part.A, part.B, strict=True)] == [row["values"] for row in rows]
        assert list(found.section(name).iloc[:, 0]) == [row[found.section(name).columns[0]] for row in rows]
    assert list(found.runs.cycles) == [explained.cycles, wide.cycles]
    assert "wide &lt;i&gt;" in found._repr_html_()
    assert "<i>" not in found._repr_html_()
    with pytest.raises(ConfigError, match=r"section: found 'state'; .* Did you mean 'states'\?"):
        found.section("state")
    with pytest.raises(ConfigError, match="runs: found a Run; accepted: a list of two or more runs"):
        compare(explained)  # type: ignore[arg-type]


def test_a_comparison_holds_its_runs() -> None:
    """Its figures can be asked for when nobody else holds the runs any more."""
    found = compare([simulate(_layer(), name=name) for name in ("one", "two")])
    assert all(each.run.path.is_dir() for each in found.found.runs)


def test_versus_runs_its_machines(tmp_path: Path) -> None:
    """Each machine has the cycles of its own run; the frame has a row for each and the page their names."""
    path = tmp_path / "layer.npz"
    save_layer(_layer(), path)
    found = versus(path, ["sa_os", "simd"], baseline="sa_os")
    rows = found.frame.set_index("machine")
    for name in ("sa_os", "simd"):
        assert rows.loc[name, "cycles"] == simulate(path, hardware=name, trace="off", values="off").cycles
    assert rows.loc["sa_os", "speed_up"] == 1
    assert pd.api.types.is_float_dtype(rows["energy_pj.nominal"])
    assert found.headlines[0] in str(found)
    assert "<th>simd</th>" in found._repr_html_()
    with pytest.raises(ConfigError, match=r"^baseline: found 'tpu'; accepted: one of the machines \(sa_os\)"):
        versus(path, ["sa_os"], baseline="tpu")
    with pytest.raises(ConfigError, match=r"workload: found a GemmLayer; .* save_layer writes"):
        versus(_layer())  # type: ignore[arg-type]


def test_pages_and_pictures_are_saved(explained: Run, tmp_path: Path) -> None:
    """The timeline is written as one page, the picture by its ending; existing files stay."""
    assert Timeline("<p>µ").save(tmp_path / "timeline.html").read_text(encoding="utf-8") == "<p>µ"
    picture = explained.picture("paper")
    assert picture._repr_png_().startswith(b"\x89PNG")
    assert b"<svg" in picture.save(tmp_path / "run.svg").read_bytes()
    with pytest.raises(ConfigError, match=r"path: found the existing file .* Use force=True"):
        picture.save(tmp_path / "run.svg")
    with pytest.raises(ConfigError, match=r"path: found 'run.gif'; accepted: a file name that ends with"):
        picture.save(tmp_path / "run.gif")
