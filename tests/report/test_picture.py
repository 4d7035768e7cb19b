"""Pictures of runs."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from panacea_sim.analysis.shares import state_shares
from panacea_sim.errors import ConfigError
from panacea_sim.report import picture
from panacea_sim.report.palette import STATE_COLOURS
from panacea_sim.report.picture import check_ending, run_figure, write_picture
from panacea_sim.trace.schema import State
from panacea_sim.trace.stored_run import StoredRun
from panacea_sim.trace.window import left_out


def _area(vertices: np.ndarray) -> float:
    x, y = vertices.T
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


@pytest.mark.parametrize("window", [None, (900, 1200)])
def test_areas_are_the_cycles_of_the_states(any_run: StoredRun, window: tuple[int, int] | None) -> None:
    """The area of each colour in each lane, up to the next, is the cycles that the component was in the state."""
    lanes = run_figure(any_run, window=window).axes[1]
    labels = [label.get_text() for label in lanes.get_yticklabels()]
    drawn = np.zeros((len(labels), len(State)))
    for collection in lanes.collections:
        assert isinstance(collection, PolyCollection)
        colour = tuple(round(255 * part) for part in collection.get_facecolor()[0][:3])
        state = [tuple(bytes.fromhex(text[1:])) for text in STATE_COLOURS.values()].index(colour)
        for path in collection.get_paths():
            vertices = path.vertices[:-1]
            lane = int(np.argmin(np.abs(lanes.get_yticks() - vertices[:, 1].mean())))
            drawn[lane, state] += _area(vertices)
    shares = state_shares(any_run, 1000, window)
    # An area reaches to the top of the lane's last one, and what is drawn later covers it.
    visible = np.flip(np.cumsum(np.flip(shares.cycles, axis=2), axis=2), axis=2) * (shares.cycles > 0)
    expected = [visible[shares.components.index(label)].sum(axis=0) for label in labels]
    assert sorted(labels) == sorted(any_run.sections)
    assert np.allclose(drawn / 0.86, expected)


def test_it_says_what_was_not_recorded(any_run: StoredRun) -> None:
    """The axis of cycles has the recorded ones, and a line below it says what was left out."""
    axes = run_figure(any_run).axes
    labelled = next(part for part in axes if part.get_xlabel())
    assert labelled.get_xlabel().splitlines() == ["cycle", *left_out(any_run)]
    assert axes[1].get_xlim() == any_run.recorded_cycles
    narrow = next(part.get_xlabel() for part in run_figure(any_run, style="paper").axes if part.get_xlabel())
    assert narrow.split() == ["cycle", *" ".join(left_out(any_run)).split()]
    assert max(map(len, narrow.splitlines())) <= 41


def test_layers_that_overlap_have_rows_of_their_own() -> None:
    """A layer goes into the first row that is free when it begins."""
    layers = [("a", 0, 10), ("b", 8, 20), ("c", 10, 30), ("d", 25, 40), ("e", 26, 27)]
    assert picture._rows(layers) == [0, 1, 0, 1, 2]
    assert picture._rows([]) == []


def test_the_paper_style_is_one_column_wide_and_merges_the_peas(full_run: StoredRun) -> None:
    """All PEAs are one lane of means, letters have 8 points, and the width is that of a column."""
    figure = run_figure(full_run, style="paper")
    labels = [label.get_text() for label in figure.axes[1].get_yticklabels()]
    assert figure.get_size_inches()[0] == 3.5
    assert "16 PEAs" in labels
    assert not any(label.startswith("pea") for label in labels)
    assert {label.get_fontsize() for label in figure.axes[1].get_yticklabels()} == {8.0}


_PREFIX = "/backbone/layer.3/attention"


@pytest.mark.parametrize("style", ["paper", "screen"])
@pytest.mark.parametrize(
    "names",
    [
        [f"{_PREFIX}/{part}/MatMul" for part in ("query", "key", "value")],
        [f"/model/layers.{number}/mlp/down_proj/MatMul" for number in (3, 14, 15)],
        [f"{'very_' * 12}long_{number}" for number in (1, 2, 3)],
        [f"{number}{'-very' * 12}-long" for number in (1, 2, 3)],
    ],
)
def test_long_names_of_layers_keep_what_tells_them_apart(names: list[str], style: picture.PictureStyle) -> None:
    """In narrow boxes, names that differ in a part only show different texts, none longer than its box."""
    look = picture._LOOKS[style]
    axes = Figure().subplots()
    layers = [(name, number * 100, (number + 1) * 100) for number, name in enumerate(names)]
    picture._draw_layers(axes, layers, [0] * len(names), np.array([0, 100 * len(names)]), look)
    texts = [text.get_text() for text in axes.texts]
    assert len(set(texts)) == len(names)
    for text, name in zip(texts, names, strict=True):
        assert len(text) <= picture._letters(look) / len(names)
        telling = set(re.split(r"[/._-]", name)) - set.intersection(*(set(re.split(r"[/._-]", each)) for each in names))
        assert any(part in text for part in telling), (text, telling)


@pytest.mark.parametrize(("ending", "magic"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_files_are_of_their_kind(full_run: StoredRun, tmp_path: Path, ending: str, magic: bytes) -> None:
    """The ending chooses the format, and equal runs give equal files."""
    for name in ("a", "b"):
        write_picture(full_run, tmp_path / f"{name}.{ending}", style="paper")
    content = (tmp_path / f"a.{ending}").read_bytes()
    assert content.startswith(magic)
    assert content == (tmp_path / f"b.{ending}").read_bytes()


def test_text_stays_text(full_run: StoredRun, tmp_path: Path) -> None:
    """An SVG has its labels as text, layer names with special characters included, and loads nothing."""
    write_picture(full_run, tmp_path / "a.svg")
    texts = {element.text for element in ET.parse(tmp_path / "a.svg").getroot().iter() if element.tag.endswith("text")}  # noqa: S314  # our own file
    assert {"layer <0> & $x$", "w_dma", "cycle", "starved", "memory"} <= texts
    assert any(text and text.startswith("small <b> on panacea") for text in texts)
    loaded = re.findall(r'(?:href|src)="([^"#][^"]*)"', (tmp_path / "a.svg").read_text(encoding="utf-8"))
    assert not [target for target in loaded if not target.startswith("data:")]


def test_another_ending_is_refused() -> None:
    """An unknown ending is refused with those that are known."""
    with pytest.raises(
        ConfigError, match=r"--out: found 'a\.pgn'; accepted: .*\.png, \.svg or \.pdf\. Did you mean 'png'\?"
    ):
        check_ending(Path("a.pgn"))
