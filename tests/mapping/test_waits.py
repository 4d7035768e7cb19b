"""Waits of fetches: a second writing in plain Python says which outputs each fetch needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import event, given, settings
from naive_waits import OperandTile, needed_outputs
from strategies import chains, linked_programs

from panacea_sim.machines.panacea.build import describe
from panacea_sim.machines.shared.program import Program
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario


def _waits(program: Program, operand: str) -> list[tuple[OperandTile, int]]:
    """Return the tile of each fetch of an operand, and the firings of `o_dma` for which it waits."""
    component = next(part for part in describe(program).components if part.name == f"{operand}_dma")
    assert {wait.component for wait in component.waits} <= {"o_dma"}
    firings = sum(wait.firings for wait in component.waits) + np.zeros(component.firings, np.int64)
    labels = component.labels
    assert labels is not None
    found = []
    for number, layer in enumerate(program.layers):
        mine = labels.layer == number
        # A stack is labelled with its first tile.
        across = labels.n[mine] if operand == "x" else labels.m[mine] // layer.plan.height
        tiles = zip(across.tolist(), labels.k[mine].tolist(), strict=True)
        names = [OperandTile(layer.plan.name, operand, *tile) for tile in tiles]
        found += zip(names, firings[mine].tolist(), strict=True)
    return found


def _check(program: Program) -> None:
    written, needed = needed_outputs(program)
    for operand in ("w", "x"):
        for tile, firings in _waits(program, operand):
            assert firings == max((written.index(output) + 1 for output in needed[tile]), default=0), tile


@settings(max_examples=300)
@given(linked_programs())
def test_a_fetch_waits_for_the_last_output_that_it_needs(program: Program) -> None:
    """Whatever the links, nothing is fetched before all that it needs is written, and nothing waits longer."""
    links = [link for _, _, links in program.graph.edges(data="links") for link in links]
    event(f"links: {len(links)}, weights: {any(link.operand == 'w' for link in links)}")
    event(f"waits: {sorted({operand for operand in 'wx' if any(firings for _, firings in _waits(program, operand))})}")
    _check(program)


@given(chains())
def test_a_chained_fetch_waits_for_the_tile_that_holds_it(scenario: Scenario) -> None:
    """A layer that reads another's outputs in place waits for the same outputs that it reads."""
    _check(prepare(replace(scenario, values=False)).program)
