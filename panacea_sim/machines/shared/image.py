"""Whether what lies in the DRAM image of a program is what it should be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from panacea_sim.errors import InvariantError
from panacea_sim.machines.shared.packer import Pieces
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.workload.functional import FunctionalPass

__all__ = ["check_outputs", "check_packed"]


def check_packed(what: str, at: tuple[int, ...], found_bytes: int, planned_bytes: int) -> None:
    """Raise InvariantError if a tile was packed into other bytes than it was planned with."""
    if found_bytes != planned_bytes:
        tile = ", ".join(map(str, at))
        raise InvariantError(f"{what} tile {tile} takes {found_bytes} bytes, but was planned with {planned_bytes}")


def check_outputs(
    planned: PlannedLayer, wanted: FunctionalPass, pieces: Pieces, is_at: Callable[[int, bytes], bool]
) -> None:
    """Raise InvariantError for an output tile whose pieces do not lie where the plan says; `is_at` looks there.

    Tiles are looked at in all of their formats, whose pieces must have the bytes that are planned.
    """
    tiling, name = planned.plan.work.tiling, planned.plan.name
    for number, written in enumerate(wanted.written):
        planned_bytes = planned.output_bytes.total[..., number]
        for (m, n), first in np.ndenumerate(planned.layout.output[..., number]):
            tile = written.codes[written.part(tiling.rows_of(m)), tiling.columns_of(n)]
            address = int(first)
            for piece in pieces(tile, written.format):
                if not is_at(address, piece):
                    raise InvariantError(
                        f"output tile {m}, {n} of {name} was written wrong{_in_format(wanted, number)}"
                    )
                address += len(piece)
            check_packed(f"{name}: output", (m, n), address - int(first), int(planned_bytes[m, n]))


def _in_format(wanted: FunctionalPass, number: int) -> str:
    """Return which of the formats of a layer is meant, as the end of a sentence; nothing where it has one."""
    return f", in format {number}" if len(wanted.written) > 1 else ""
