"""Output tiles packed for those who read them, in one format after the other: the component and what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from panacea_sim.description.actions import Action
from panacea_sim.description.component import Component
from panacea_sim.description.costs import cost_of, written_of
from panacea_sim.description.steps import Give, Take
from panacea_sim.machines.shared.program import Program
from panacea_sim.units import IntArray, repeated
from panacea_sim.workload.functional import Codes, FunctionalPass
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["PackerWorker", "Pieces", "packer", "raw_packer"]

Pieces: TypeAlias = Callable[[Codes, OutputFormat | WeightFormat | None], list[bytes]]
"""Packs a tile of outputs [features that are read, columns] in a format, None for dense, into one piece or several."""


def packer(
    name: str,
    program: Program,
    *,
    section: str,
    service_cycles: IntArray,
    size_bytes: IntArray,
    actions: tuple[Action, ...] = (),
) -> Component:
    """Return the component that takes an output tile from the PPU once, and gives it to `o_dma` in each format."""
    return Component(
        name,
        section,
        len(service_cycles),
        service_cycles=service_cycles,
        takes=(Take("q_encode", program.first_writes()),),
        gives=(Give("q_o", repeated(1, len(service_cycles))),),
        labels=program.write_labels,
        size_bytes=size_bytes,
        role="codec",
        actions=actions,
        # Whatever it writes, encoded or not, stays in OMEM until it goes to DRAM.
        costs=(cost_of(written_of("OMEM"), lambda: program.of_writes(lambda written: written.output_bytes.total)),),
    )


def raw_packer(program: Program) -> Component:
    """Return `packer`: outputs leave as they are, without a code, so it takes no time."""
    size_bytes = program.of_writes(lambda written: written.output_bytes.total)
    no_cycles = repeated(0, len(size_bytes))
    return packer("packer", program, section="output", service_cycles=no_cycles, size_bytes=size_bytes)


class PackerWorker:
    """Packs each output tile, in one format after the other."""

    def __init__(self, program: Program, functional: Sequence[FunctionalPass], pieces: Pieces) -> None:
        self._layer = program.write_labels.layer
        self._number = program.written_formats()
        self._formats = [[written.format for written in wanted.written] for wanted in functional]
        self._pieces = pieces
        self._tile: Sequence[Codes | None] = ()

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the pieces of the output tile, which comes with the first of its formats."""
        if inputs[0]:
            self._tile = inputs[0][0]
        number = self._number[firing]
        tile, form = self._tile[number], self._formats[self._layer[firing]][number]
        if tile is None:
            return ([],)  # the firing is there to free its space
        return (self._pieces(tile, form),)
