"""Layers of which operands, weights too, are made by other layers: who waits for what, read from the trace."""

from __future__ import annotations

from typing import Any

from case_counts import at_most
from hypothesis import given
from naive_waits import OperandTile, Output, needed_outputs, stack_of
from strategies import linked_programs

from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.program import Program
from panacea_sim.trace.recorder import Recorder

Row = dict[str, Any]


def _traced(program: Program) -> list[Row]:
    recorder = Recorder(layers=tuple(layer.plan.name for layer in program.layers))
    run_reference(MACHINE.describe(program), recorder)
    rows: list[Row] = recorder.table("activities").to_pylist()
    return rows


def _needed_cycles(program: Program, rows: list[Row]) -> dict[OperandTile, int]:
    """Return when the last of the outputs that a tile needs was written; 0 for tiles that need none."""
    outputs, needed = needed_outputs(program)
    writes = [row for row in rows if (row["component"], row["state"]) == ("o_dma", "busy")]
    written: dict[Output, int] = {}
    for layer, m, n, form in outputs:
        if writes and (layer, m, n) == tuple(writes[0][key] for key in ("layer", "m", "n")):
            written[layer, m, n, form] = writes.pop(0)["end_cycle"]  # else nothing of the tile is read
    assert not writes
    return {tile: max((written[output] for output in outputs), default=0) for tile, outputs in needed.items()}


def _tile(program: Program, row: Row, stream: str) -> OperandTile:
    """Return the tile that a row of a fetch is about; a stack is labelled with its first tile."""
    (plan,) = (layer.plan for layer in program.layers if layer.plan.name == row["layer"])
    across = row["n"] if stream == "x_dma" else int(stack_of(plan, row["m"]))
    return OperandTile(row["layer"], stream[0], across, row["k"])


@at_most(100)
@given(linked_programs())
def test_nothing_is_read_before_all_that_it_needs_is_written(program: Program) -> None:
    """The channel serves a weight or an activation only after all outputs that it needs have been written."""
    rows = _traced(program)
    needed_cycle = _needed_cycles(program, rows)
    for row in rows:
        if row["component"] == "dram0" and row["cause_component"] in {"w_dma", "x_dma"}:
            assert row["start_cycle"] >= needed_cycle[_tile(program, row, row["cause_component"])]


@at_most(100)
@given(linked_programs())
def test_a_wait_ends_when_the_last_output_is_there(program: Program) -> None:
    """Only fetches wait for `o_dma`, and each wait ends in the cycle in which the last needed output was written."""
    rows = _traced(program)
    needed_cycle = _needed_cycles(program, rows)
    waits = [row for row in rows if row["state"] == "waiting" and row["component"] not in {"s_dma", "v_dma"}]
    assert {(row["component"], row["cause_component"]) for row in waits} <= {("w_dma", "o_dma"), ("x_dma", "o_dma")}
    assert all(row["end_cycle"] == needed_cycle[_tile(program, row, row["component"])] for row in waits)
