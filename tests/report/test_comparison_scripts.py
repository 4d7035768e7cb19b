"""The script that puts runs on one axis, in the node that playwright brings along."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from test_timeline_scripts import _node

from panacea_sim.analysis.comparison import Timing, layer_pieces
from panacea_sim.report import comparison_page

_SCRIPT = Path(comparison_page.__file__).parent / "page" / "align.js"
_TIMINGS = [Timing(("a", "b"), (2, 10), (12, 20), 20), Timing(("a", "b"), (0, 4), (5, 9), 9)]


def _run(call: str, *arguments: Any) -> Any:  # noqa: ANN401  # what a function of JavaScript takes and gives
    text = f"process.stdout.write(JSON.stringify(({call})(...{json.dumps(arguments)})));"
    script = f"{_SCRIPT.read_text(encoding='utf-8')}\n{text}"
    done = subprocess.run([_node(), "-"], input=script, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@pytest.fixture
def runs() -> list[dict[str, Any]]:
    """Return two runs as the page has them: the second one is faster in both layers."""
    return [
        {
            "end": times.end_cycle,
            "pieces": [[piece.start, piece.end, piece.offset] for piece in pieces],
            "layers": [{"start": a, "end": b} for a, b in zip(times.starts, times.ends, strict=True)],
        }
        for times, pieces in zip(_TIMINGS, layer_pieces(_TIMINGS), strict=True)
    ]


@pytest.mark.parametrize(("alignment", "last"), [("cycle", 20), ("share", 1), ("layer", 20)])
def test_the_axis_reaches_to_the_last_place(runs: list[dict[str, Any]], alignment: str, last: float) -> None:
    """The axis has the longest run, all of a run, or what the longest pieces take together."""
    assert _run("lastPlace", runs, alignment) == last


@pytest.mark.parametrize(
    ("alignment", "places"),
    [
        ("cycle", [[[2, 12], [10, 20]], [[0, 5], [4, 9]]]),
        ("share", [[[0.1, 0.6], [0.5, 1]], [[0, 5 / 9], [4 / 9, 1]]]),
        # The second run waits 2 cycles for its first layer, and 4 more for its second, into which the first reaches.
        ("layer", [[[2, 12], [10, 20]], [[2, 11], [10, 15]]]),
    ],
)
def test_layers_stand_where_they_should(runs: list[dict[str, Any]], alignment: str, places: list[Any]) -> None:
    """Starts and ends of layers, at each alignment, worked by hand."""
    for run, expected in zip(runs, places, strict=True):
        assert [pytest.approx(each) for each in expected] == _run("layerPlaces", run, alignment)


def test_stretches_are_moved_and_room_is_left(runs: list[dict[str, Any]]) -> None:
    """Stretches of the faster run keep their length; between its layers there is room, which is no stretch."""
    call = """(run, edges, alignment) => {
        const {edges: at, stretches} = placed(run, edges, alignment);
        return [[...at], stretches];
    }"""
    assert _run(call, runs[1], [0, 2, 4, 9], "layer") == [[2, 4, 6, 10, 15], [0, 1, -1, 2]]
    assert _run(call, runs[0], [0, 2, 10, 20], "layer") == [[0, 2, 10, 20], [0, 1, 2]]
    assert _run(call, runs[1], [0, 4, 9], "share") == [[0, 4 / 9, 1], [0, 1]]


def test_lanes_keep_their_cycles(runs: list[dict[str, Any]]) -> None:
    """A lane of two members has the mean of their cycles, in room it has none, and means fill what is there."""
    call = """(lane, run, cycles) => [...laneCycles(lane, placed(run, [0, 4, 9], "layer"), cycles, 2)]"""
    cycles = [9, 9, 2, 6, 10, 0]
    assert _run(call, {"from": 1, "members": 2}, runs[1], cycles) == [1, 3, 0, 0, 5, 0]
    assert _run(call, {"from": 0, "members": 2, "means": [0.25, 0.5]}, runs[1], []) == [1, 2, 0, 0, 1.25, 2.5]


def test_lanes_are_parted_by_wide_room() -> None:
    """Room as wide as a bin parts a lane; narrower room stays inside."""
    places = {"edges": [0, 2, 5, 6, 7, 9], "stretches": [0, -1, 1, -1, 2]}
    assert _run("solid", places, 2) == [[0, 1], [2, 5]]
    assert _run("solid", places, 4) == [[0, 5]]
    assert _run("solid", places, 1) == [[0, 1], [2, 3], [4, 5]]


def test_places_lead_back_to_cycles(runs: list[dict[str, Any]]) -> None:
    """A place inside of a run is its cycle again; in room it is the last cycle before."""
    assert [_run("cycleAt", runs[1], place, "layer") for place in (2, 5, 8, 10, 14, 19)] == [0, 3, 4, 4, 8, 9]
    assert _run("cycleAt", runs[0], 0.5, "share") == 10
    assert _run("cycleAt", runs[1], 15, "cycle") == 9
