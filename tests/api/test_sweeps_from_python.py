"""Sweeps from Python: the points of the command as DataFrames, on disk only where that is asked for."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from swept_points import small_sweep, tiny

from panacea_sim import ConfigError, SweepResult, load_sweep, optimize, simulate, sweep

_SPACE = {"hardware.n_dwo": [2, 4, 8], "hardware.n_swo": [2, 4]}


@pytest.fixture(scope="module")
def found() -> SweepResult:
    """Return a sweep that was made of its fields."""
    return sweep({"name": "<b>", "scenario": tiny(), "axes": _SPACE, "objectives": ["cycles", "area_mm2"]})


def test_points_are_runs(found: SweepResult) -> None:
    """Each point has the cycles of a run with its settings; the best and the unbeaten ones are those of the frame."""
    frame = found.frame
    assert len(found) == len(frame) == 6
    for row in frame.to_dict("records"):
        settings = {name: row[name] for name in _SPACE}
        assert row["cycles"] == simulate(tiny(), set=settings, trace="off", values="off").cycles
    assert list(found.best("cycles").cycles) == [frame.cycles.min()] * len(found.best("cycles"))
    figures = list(zip(frame.point, frame.cycles, frame.area_mm2, strict=True))
    unbeaten = {
        point
        for point, cycles, area in figures
        if not any(c <= cycles and a <= area and (c, a) != (cycles, area) for _, c, a in figures)
    }
    assert set(found.front.point) == unbeaten


def test_it_shows_itself(found: SweepResult) -> None:
    """The notebook has name and points, escaped, and the terminal what the command prints."""
    html = found._repr_html_()
    assert html.startswith("<div><b>&lt;b&gt;</b>: 6 points, 0 failed</div><table>")
    assert "<th>best by area_mm2</th>" in html
    assert repr(found).startswith("<b>: 6 points, 0 of them failed")
    assert found.picture()._repr_png_().startswith(b"\x89PNG")


def test_a_folder_keeps_it_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder nothing is left; with one it is loaded again, points that failed included."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    space = small_sweep()
    bare = sweep(space)
    assert not list(tmp_path.iterdir())
    kept = sweep(space, out=tmp_path / "kept")
    assert load_sweep(tmp_path / "kept").table.equals(kept.table)
    assert kept.table.equals(bare.table)
    failed = kept.frame[kept.frame.status == "failed"]
    assert failed.cycles.isna().all()
    assert failed.error.notna().all()
    assert (tmp_path / "kept" / "points.html").is_file()


def test_a_search_tries_points_of_the_space(
    found: SweepResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each trial has the figures of the sweep's point; the same call tries the same; a folder keeps them beside it."""
    pytest.importorskip("optuna")
    space = {"name": "<b>", "scenario": tiny(), "axes": _SPACE, "objectives": ["cycles", "area_mm2"]}
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bare = optimize(space, trials=4, seed=2)
    assert not list(tmp_path.iterdir())
    columns = [*_SPACE, "cycles", "area_mm2"]
    known = {tuple(row) for row in found.frame[columns].itertuples(index=False)}
    tried = [tuple(row) for row in bare.frame[columns].itertuples(index=False)]
    assert len(set(tried)) == len(bare) == 4
    assert set(tried) <= known
    assert len(optimize(space, trials=99)) == 6
    kept = tmp_path / "kept"
    sweep(space, out=kept)
    assert optimize(space, trials=4, seed=2, out=kept).table.equals(bare.table)
    assert load_sweep(kept, search=True).table.equals(bare.table)
    assert load_sweep(kept).table.equals(found.table)
    assert (kept / "optimize_points.html").is_file()
    with pytest.raises(ConfigError, match=r"^algorithm: found 'random'; accepted: tpe, nsga2"):
        optimize(space, algorithm="random")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^trials: found 0; accepted: a whole number >= 1"):
        optimize(space, trials=0)
    with pytest.raises(ConfigError, match=r"sweep.points: found a list of points; accepted: axes"):
        optimize(small_sweep(points=[{"hardware.n_dwo": 4}], axes={}))


def test_what_is_no_sweep_is_told(found: SweepResult, tmp_path: Path) -> None:
    """Other things, unknown objectives and other folders are refused."""
    with pytest.raises(ConfigError, match="spec: found an int; accepted: a Sweep, its fields"):
        sweep(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^best: found 'speed'; accepted: cycles"):
        found.best("speed")
    with pytest.raises(ConfigError, match="accepted: the folder of a sweep"):
        load_sweep(tmp_path)
    (tmp_path / "mine").write_text("")
    with pytest.raises(ConfigError, match=r"^folder: found .*, which holds no sweep"):
        sweep(small_sweep(), out=tmp_path)
