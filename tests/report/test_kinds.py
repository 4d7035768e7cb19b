"""The table of a network by the kind of its layers: every figure added up a second time, and whole at any width."""

from __future__ import annotations

import io
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from panacea_sim.report.kinds import print_kinds
from panacea_sim.trace.summary import LayerSummary

TITLES = (
    *("kind", "layers", "GEMMs", "GMACs", "tiles", "cycles", "share", "rho_w", "rho_x", "DRAM MB", "at borders"),
    "busiest",
)


def _layer(kind: str, cycles: int, **changes: object) -> LayerSummary:
    """Return what is said of a layer; what the table does not show is arbitrary."""
    sizes = {"M": 2, "N": 5, "K": 3, "start_cycle": 0, "end_cycle": cycles, "tiles": 1, "stored_w": 7, "stored_x": 7}
    moved = {"weight_bytes": 0, "activation_bytes": 0, "output_bytes": 0, "output_sha256": None, "border_cycles": 0}
    mapping = {"loop_order": "mnk", "double_tile": False, "weight_resident": True, "activation_resident": True}
    fields = {"name": "any", "kind": kind, "rho_w": 0.5, "rho_x": 0.5, "busiest": "pea", **sizes, **moved, **mapping}
    return LayerSummary.model_validate(fields | changes)


def _printed(layers: list[LayerSummary], makespan_cycles: int, width: int = 250) -> str:
    text = io.StringIO()
    print_kinds(Console(file=text, width=width, color_system=None), layers, makespan_cycles)
    return text.getvalue()


def _rows(printed: str) -> dict[str, list[str]]:
    """Return the cells of each row of a table that has all its columns."""
    lines = [re.split(r" {2,}", line.strip()) for line in printed.splitlines()]
    # Titles may stand a space beside each other, cells may not: figures are narrower than their titles.
    return {cells[0]: cells for cells in lines if len(cells) == len(TITLES) and cells != list(TITLES)}


def test_a_table_by_hand() -> None:
    """Kinds come in the order of their first layers; products count for work and densities, borders in the run."""
    layers = [
        _layer("qk", 1000, repeat=10, M=100, N=200, K=50, tiles=1234, rho_w=0.25, rho_x=None, border_cycles=250),
        _layer("ffn", 2000, M=4000, N=500, K=1000, tiles=9, weight_bytes=2_000_000, busiest="dram0"),
        _layer("qk", 500, M=1000, N=40, K=10, rho_w=0.75, spilled_bytes=30_000, output_bytes=5_000, border_cycles=125),
    ]
    rows = _rows(_printed(layers, 4000))
    assert list(rows) == ["qk", "ffn", "all"]
    # 10 products of 1,000,000 multiplications and one of 400,000; weights of 50,000 elements and of 10,000.
    assert rows["qk"] == ["qk", "2", "11", "0.010", "1,235", "1,500", "37.5%", "0.333", "0.500", "0.04", "9.4%", "pea"]
    ffn = ["ffn", "1", "1", "2.000", "9", "2,000", "50.0%", "0.500", "0.500", "2.00", "0.0%", "dram0"]
    assert rows["ffn"] == ffn
    assert rows["all"] == [
        *("all", "3", "12", "2.010", "1,244", "3,500", "87.5%"),
        # 50,000 elements with 0.25, 4,000,000 with 0.5, 10,000 with 0.75; of activations only what has slices.
        *("0.498", "0.500", "2.04", "9.4%", "dram0 (57%)"),
    ]


def test_operands_without_slices_have_no_density() -> None:
    """A kind whose operands have nothing to skip shows a dash."""
    rows = _rows(_printed([_layer("dense", 10, rho_w=None, rho_x=None)], 10))
    assert rows["dense"][7:9] == ["-", "-"]


def test_layers_without_kinds_print_nothing() -> None:
    """A run that is no network has no such table, but a layer without a kind counts in all of a network."""
    assert _printed([_layer("", 10)], 10) == ""
    rows = _rows(_printed([_layer("", 10), _layer("ffn", 30)], 40))
    assert [(name, cells[1], cells[5]) for name, cells in rows.items()] == [("ffn", "1", "30"), ("all", "2", "40")]


_LAYERS = st.builds(
    _layer,
    st.sampled_from(["conv", "attention", "ffn"]),
    st.integers(1, 10**9),
    **{name: st.integers(1, 10**4) for name in ("M", "N", "K", "repeat", "tiles")},
    **{f"{name}_bytes": st.integers(0, 10**9) for name in ("weight", "activation", "output", "spilled")},
    # Whole sixteenths add up exactly, in whatever order.
    **{name: st.none() | st.integers(0, 16).map(lambda part: part / 16) for name in ("rho_w", "rho_x")},
    border_cycles=st.integers(0, 1000),
    busiest=st.sampled_from(["pea", "dram0", "x_dma"]),
)


def _mean(pairs: list[tuple[float | None, int]]) -> str:
    total, elements = Fraction(0), 0
    for density, count in pairs:
        if density is not None:
            total += Fraction(density) * count
            elements += count
    return f"{float(total / elements):.3f}" if elements else "-"


def _wanted(name: str, layers: list[LayerSummary], makespan_cycles: int) -> list[str]:
    cycles = multiplications = moved_bytes = borders = 0
    busy: dict[str, int] = {}
    for layer in layers:
        own = layer.end_cycle - layer.start_cycle
        cycles += own
        multiplications += layer.M * layer.K * layer.N * layer.repeat
        moved_bytes += layer.weight_bytes + layer.activation_bytes + layer.output_bytes + layer.spilled_bytes
        borders += layer.border_cycles or 0
        assert layer.busiest is not None
        busy[layer.busiest] = busy.get(layer.busiest, 0) + own
    busiest = max(busy, key=lambda part: busy[part])
    share = "" if len(busy) == 1 else f" ({float(Fraction(busy[busiest], cycles)):.0%})"
    return [
        name,
        f"{len(layers)}",
        f"{sum(layer.repeat for layer in layers):,}",
        f"{multiplications / 10**9:,.3f}",
        f"{sum(layer.tiles for layer in layers):,}",
        f"{cycles:,}",
        f"{float(Fraction(cycles, makespan_cycles)):.1%}",
        _mean([(layer.rho_w, layer.repeat * layer.M * layer.K) for layer in layers]),
        _mean([(layer.rho_x, layer.repeat * layer.K * layer.N) for layer in layers]),
        f"{moved_bytes / 10**6:,.2f}",
        f"{float(Fraction(borders, makespan_cycles)):.1%}",
        f"{busiest}{share}",
    ]


@given(st.lists(_LAYERS, min_size=1, max_size=6), st.sampled_from([60, 80, 120, 250]))
def test_every_figure_is_right_and_whole(layers: list[LayerSummary], width: int) -> None:
    """Of any layers each row says what plain sums say; what is shown at a width is whole, what is not is named."""
    makespan_cycles = sum(layer.end_cycle - layer.start_cycle for layer in layers) + 17
    printed = _printed(layers, makespan_cycles, width)
    kinds = list(dict.fromkeys(layer.kind for layer in layers))
    wanted = [_wanted(kind, [layer for layer in layers if layer.kind == kind], makespan_cycles) for kind in kinds]
    wanted.append(_wanted("all", layers, makespan_cycles))
    told = re.search(rf"Left out at {width} columns: (.*?)(?:\nAt borders|$)", printed, re.DOTALL)
    left_out = " ".join(told[1].split()).split(", ") if told else []
    assert set(left_out) <= set(TITLES) - {"kind", "cycles", "share", "GMACs", "busiest"}
    assert not left_out or width < 250
    shown = _shown(printed)
    for name, *cells in wanted:
        pairs = [pair for pair in zip(TITLES[1:], cells, strict=True) if pair[0] not in left_out]
        in_table, in_stack = " ".join(cell for _, cell in pairs), " ".join(f"{title} {cell}" for title, cell in pairs)
        assert shown[name] == (in_table if "─" in printed else in_stack)
    assert max(len(line) for line in printed.splitlines()) <= width


def _shown(printed: str) -> dict[str, str]:
    """Return what stands behind the name of each row: in its line of a table, or in lines below a name alone."""
    words: dict[str, list[str]] = {}
    is_table = "─" in printed
    for line in printed.partition("\nAt borders:")[0].splitlines():
        if is_table or not line.startswith(" "):
            name, *rest = line.split() or [""]
            words[name] = rest
        else:
            words[name] += line.split()
    return {name: " ".join(rest) for name, rest in words.items()}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_note_on_borders_fits(width: int) -> None:
    """What "at borders" means is told below the table, in lines that fit."""
    printed = _printed([_layer("ffn", 123_456_789, border_cycles=12)], 987_654_321, width)
    note = printed[printed.index("At borders:") :]
    assert note.endswith(".\n")
    assert max(map(len, note.splitlines())) <= width


def test_layers_that_overlap() -> None:
    """A layer counts from the last write of the one before, whatever it began to fetch; kinds add up to the run."""
    layers = [
        _layer("qk", 0, start_cycle=3, end_cycle=1000),
        _layer("ffn", 0, start_cycle=200, end_cycle=3000),
        _layer("qk", 0, start_cycle=2900, end_cycle=4000),
    ]
    text = io.StringIO()
    print_kinds(Console(file=text, width=250, color_system=None), layers, 4000, "overlap")
    printed = text.getvalue()
    rows = [re.split(r" {2,}", line.strip()) for line in printed.splitlines()]
    found = {cells[0]: (cells[5], cells[6]) for cells in rows if cells[0] in {"qk", "ffn", "all"}}
    assert found == {"qk": ("2,000", "50.0%"), "ffn": ("2,000", "50.0%"), "all": ("4,000", "100.0%")}
    assert "border" not in printed
    assert "busiest" not in printed
