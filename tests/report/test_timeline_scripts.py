"""The scripts of the timeline that need no page, in the node that playwright brings along."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stored_runs import rows

from panacea_sim.explanation.explanation import Chain, Terminal
from panacea_sim.report import timeline
from panacea_sim.report.names import name_forms, shortened
from panacea_sim.report.themes import DARK, LIGHT, PATH_CURVES
from panacea_sim.report.timeline.counts import interval_counts
from panacea_sim.trace.binning import bin_edges
from panacea_sim.trace.stored_run import StoredRun

_PAGE = Path(timeline.__file__).parent / "page"
_SCRIPTS = (
    "bins.js",
    "names.js",
    "texts.js",
    "search.js",
    "link.js",
    "paint.js",
    "path.js",
    "chain.js",
    "range.js",
    "stalls.js",
    "keys.js",
    "wheel.js",
)
_HEADER = "const header = {}, BUSY = 0, STATE_COUNT = 6;"


def _node() -> Path:
    found = importlib.util.find_spec("playwright")
    node = Path(found.origin).parent / "driver" / "node" if found is not None and found.origin else None
    if node is None or not node.is_file():
        pytest.skip("no node: it comes with playwright (pip install 'panacea-sim[dev]')")
    return node


def _run(function: str, *arguments: Any) -> Any:  # noqa: ANN401  # what a function of JavaScript takes and gives
    """Return what a function of the scripts returns; None stands for null."""
    sources = [_HEADER, *((_PAGE / name).read_text(encoding="utf-8") for name in _SCRIPTS)]
    call = f"process.stdout.write(JSON.stringify({function}(...{json.dumps(arguments)})));"
    done = subprocess.run([_node(), "-"], input="\n".join([*sources, call]), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _each(function: str, calls: list[tuple[Any, ...]]) -> list[Any]:
    found: list[Any] = _run(f"((...all) => all.map((each) => {function}(...each)))", *calls)
    return found


def test_cycles_are_read_with_any_separator() -> None:
    """A cycle may have separators between thousands, one kind of them; other texts are none."""
    cycles = ["0", "76215", "76,215", "76.215", "76 215", "76\u202f215", "76'215", "76_215", "1,234,567", "cycle 12"]
    others = ["", "pea3", "76,21", "7,6215", "1,234.567", "-5", "1,2,3", "12k", "cycle", "0x10"]
    expected = [0, *[76215] * 7, 1234567, 12]
    assert _each("parseCycle", [(text,) for text in cycles]) == expected
    assert _each("parseCycle", [(text.upper(),) for text in cycles]) == expected
    assert _each("parseCycle", [(text,) for text in others]) == [None] * len(others)


def test_names_are_found_without_case() -> None:
    """The name as it is written goes first; without one, case does not matter, and a part of a layer's name does."""
    spans = [{"name": name} for name in ("Conv", "conv", "a/Conv", "FFN1")]
    wanted = {"conv": ["conv"], "CONV": ["Conv", "conv"], "ffn": ["FFN1"], "A/c": ["a/Conv"], "x": []}
    found = _each("findLayers", [(spans, text) for text in wanted])
    assert [[span["name"] for span in each] for each in found] == list(wanted.values())


def test_a_number_is_a_layer_of_that_name_first() -> None:
    """What a text can mean comes in the order of likelihood: a whole name, a tile, a cycle, a part of a name."""
    cycle, tile = {"cycle": 3}, {"start": 7}
    assert _run("inOrder", "3", [{"name": "3"}], [], [cycle]) == [{"name": "3"}, cycle]
    assert _run("inOrder", "3", [{"name": "layer.3"}], [], [cycle]) == [cycle, {"name": "layer.3"}]
    assert _run("inOrder", "1,234,567", [], [tile], [cycle]) == [tile, cycle]


def test_the_page_shortens_names_as_the_picture_does() -> None:
    """One rule for the picture and the page."""
    chosen = np.random.default_rng(1)
    calls = []
    for _ in range(200):
        lengths = chosen.integers(1, 30, chosen.integers(1, 6))
        names = ["".join(chosen.choice(list("ab/._…é3"), length)) for length in lengths]
        calls += [(forms, int(chosen.integers(1, 40))) for forms in name_forms(names)]
    assert _each("shortened", calls) == [shortened(*call) for call in calls]


def test_intervals_of_a_view_are_counted(any_run: StoredRun) -> None:
    """The count is exact at edges of stretches; between them never too low, and off by two stretches at most."""
    first, last = any_run.recorded_cycles
    edges = bin_edges(first, last, 50)
    begun, ended = interval_counts(any_run, edges)
    data = {"edges": edges.tolist(), "begun": np.cumsum(begun).tolist(), "ended": np.cumsum(ended).tolist()}
    chosen = np.random.default_rng(3)
    at_edges = [sorted(chosen.choice(edges, 2, replace=False).tolist()) for _ in range(20)]
    between = [sorted(chosen.uniform(first, last, 2).tolist()) for _ in range(20)]
    views = [(first, last), *at_edges, *between]
    spans = [(row["start_cycle"], row["end_cycle"]) for row in rows(any_run, "activities")]
    true = [sum(start < high and end > low for start, end in spans) for low, high in views]
    found = _each("mostIntervals", [(data, low, high) for low, high in views])
    assert found[:21] == true[:21]
    for most, count in zip(found, true, strict=True):
        assert count <= most <= count + 2 * int(begun.max() + ended.max())


def test_the_command_takes_whole_cycles() -> None:
    """All cycles that are seen in part are in the window."""
    views = [(0, 76215), (20000.25, 29000.5), (3.0, 7.0)]
    found = _each("detailCommand", [("panacea-sim timeline 'a b'", *view) for view in views])
    assert found == [f"panacea-sim timeline 'a b' --window {window}" for window in ("0:76215", "20000:29001", "3:7")]


def test_links_say_what_is_not_there() -> None:
    """A link off range shows everything and says so; one that is partly on the page shows that part."""
    span = [100, 900]
    whole = {"first": 100, "last": 900}
    for text in ("900:1000", "0:100", "-5:-2", "5", "a:b", "300:300", "400:300", "", ":", "1e2:NaN"):
        answer = _run("linkedCycles", text, span)
        assert {**whole, "problem": answer["problem"]} == answer
        assert "this page has cycles 100 to 900" in answer["problem"]
    partly = _run("linkedCycles", "50:300.5", span)
    assert (partly["first"], partly["last"]) == (100, 300.5)
    assert "what it has of them is shown" in partly["problem"]
    # A view is written with two digits after the point.
    for text in ("100.00:900.00", "200:300.25", "99.995:900.004"):
        assert not _run("linkedCycles", text, span)["problem"]


def _columns(borders: list[float], lane: int = 0) -> list[dict[str, Any]]:
    return [
        {"lane": lane, "first": i, "last": i + 1, "left": low, "right": high, "top": 0, "isFull": True}
        for i, (low, high) in enumerate(pairwise(borders))
    ]


def test_no_paper_shines_between_neighbours() -> None:
    """Wherever rectangles that follow each other meet, blended pixels keep no paper, and nothing is painted beyond."""
    chosen = np.random.default_rng(2)
    lanes = [np.cumsum([0.0, *chosen.uniform(1, 6, chosen.integers(1, 12))]).tolist() for _ in range(100)]
    calls = [({"right": lane[1:], "top": [0] * (len(lane) - 1)}, _columns(lane), 1) for lane in lanes]
    for lane, found in zip(lanes, _each("painted", calls), strict=True):
        painted = list(found["paintRight"].values())
        assert max(painted) == lane[-1]
        for pixel in range(int(lane[-1])):
            uncovered = [
                1 - max(min(high, pixel + 1) - max(low, pixel), 0) for low, high in zip(lane, painted, strict=False)
            ]
            assert np.prod(uncovered) == pytest.approx(0, abs=1e-9)


def test_nothing_is_painted_into_a_gap() -> None:
    """Before a gap, at the end of a lane and before a column that leaves paper free, rectangles end where they end."""
    columns = _columns([0, 10, 20, 30])
    columns[1]["left"] = 12
    columns[2]["isFull"] = False
    columns += [{**_columns([30, 40])[0], "lane": 1, "first": 3, "last": 4}]
    found = _run("painted", {"right": [10, 20, 30, 40], "top": [0] * 4}, columns, 1)
    assert list(found["paintRight"].values()) == [10, 20, 30, 40]


def test_lines_are_between_firings_of_one_state() -> None:
    """A line tells firings of one state apart where they touch and have room; colours and gaps need none."""
    borders = [0, 10, 20, 30, 33, 50]
    parts = {
        "left": borders[:-1],
        "right": borders[1:],
        "bottom": [1] * 5,
        "top": [0] * 5,
        "state": [0, 0, 1, 1, 1],
        "i": [0, 1, 2, 3, 4],
    }
    columns = _columns(borders)
    assert _run("borders", parts, columns, 1, 5)["x"] == [10, 33]
    columns[0]["right"] = 9
    assert _run("borders", parts, columns, 1, 5)["x"] == [33]


def test_the_wheel_zooms_in_steps() -> None:
    """A notch zooms by a quarter whatever its unit, a pinch in small steps; there and back is where it began."""
    pixels = _each("wheelFactor", [({"deltaY": delta, "deltaMode": 0},) for delta in (100, -100, 2, -2, 0)])
    assert pixels[0] == pytest.approx(1.284, abs=1e-3)
    assert pixels[0] * pixels[1] == pytest.approx(1)
    assert 1 < pixels[2] < 1.03
    assert pixels[4] == 1
    lines = _each("wheelFactor", [({"deltaY": 3, "deltaMode": mode},) for mode in (1, 2)])
    assert lines == pytest.approx([pixels[0]] * 2)


def test_the_page_tells_chains_as_the_terminal_does() -> None:
    """One wording for the page, which names members, and for `why`, which names groups."""
    terminals = [
        Terminal("dispatcher", "busy"),
        Terminal("w_dma", "transfer", "dram0"),
        Terminal("o_dma", "transfer", "dram1"),
        Terminal("dram0", "device", "refresh"),
        Terminal("q_x", "latency"),
    ]
    chains = [
        Chain(names, state, terminal, 1, 1, 1)
        for names in (("pea",), ("pea", "dispatcher"), ("pea", "dispatcher", "w_decoder", "w_dma"))
        for state in ("starved", "blocked")
        for terminal in terminals
    ]
    calls = [
        (
            chain.groups,
            chain.state,
            {**{name: getattr(chain.terminal, name) for name in ("kind", "name", "cause")}, "isKnown": True},
        )
        for chain in chains
    ]
    assert _each("chainText", calls) == [str(chain) for chain in chains]
    unknown = {"kind": "transfer", "name": "w_dma", "cause": "dram0", "isKnown": False}
    assert _run("chainText", ["pea3"], "starved", unknown) == "pea3 starved <- … behind w_dma on dram0"


def test_whole_cycles_are_chosen() -> None:
    """A range has whole cycles of the page, at least one, whichever way it was dragged."""
    span = [100, 900]
    ranges = {(200.4, 300.6): [200, 301], (300.6, 200.4): [200, 301], (-50, 120): [100, 120], (899.8, 2000): [899, 900]}
    ranges |= {(250.1, 250.2): [250, 251], (1000, 2000): [899, 900], (0, 50): [100, 101]}
    assert _each("wholeRange", [(*drag, span) for drag in ranges]) == list(ranges.values())


def test_rare_causes_are_one_row() -> None:
    """Of each state the largest causes have rows of their own, the rest is one row, and all cycles are there."""
    rows = [{"state": 1, "cause": f"q{number}", "cycles": 20 - number} for number in range(7)]
    rows.insert(2, {"state": 0, "cause": "", "cycles": 19})
    found = _run("shortenedRows", rows)
    assert [row["cause"] for row in found] == ["q0", "q1", "", "q2", "q3", "3 others"]
    assert sum(row["cycles"] for row in found) == sum(row["cycles"] for row in rows)
    assert found[-1] == {"state": 1, "cause": "3 others", "cycles": 16 + 15 + 14}


def test_a_wrong_cycle_is_answered() -> None:
    """What is no whole number of the page is said with what was found and what is accepted."""
    span = [100, 90000]
    accepted = "give a whole number from 100 to 90,000, as 12345 or 12,345."
    answers = {
        "12,345": "",
        "100": "",
        "90000": "",
        "12abc": f"“12abc” is no cycle: {accepted}",
        "-5": f"“-5” is no cycle: {accepted}",
        "1.5": f"“1.5” is no cycle: {accepted}",
        " ": f"No cycle is given: {accepted}",
        "99": f"Cycle 99 is not on this page: {accepted}",
        "90,001": f"Cycle 90,001 is not on this page: {accepted}",
    }
    assert _each("cycleProblem", [(text, span) for text in answers]) == list(answers.values())


def test_names_on_the_path_are_read() -> None:
    """Black or white has a contrast of at least 4.5 on every colour of the path, in the light and in the dark."""

    def luminance(colour: str) -> float:
        parts = [byte / 255 for byte in bytes.fromhex(colour[1:])]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    colours = [theme.curves[number] for theme in (LIGHT, DARK) for number in PATH_CURVES.values()]
    for colour, ink in zip(colours, _each("inkOn", [(colour,) for colour in colours]), strict=True):
        low, high = sorted((luminance(colour), luminance(ink)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (colour, ink)
