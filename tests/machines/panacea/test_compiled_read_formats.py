"""Outputs in several formats, with values that are checked: what test_read_formats.py has of those that travel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from read_formats import DEEP, LAYER, MACHINE, WRONG, Case, assert_dram_holds_the_codes, cases, plan_a_byte_more, ran

pytest.importorskip("numba")

from panacea_sim.errors import InvariantError


@settings(max_examples=60)
@given(case=cases())
@example(case=DEEP)
def test_what_lies_in_dram_are_the_codes_of_the_plain_model(case: Case) -> None:
    """Every format, range of features, product and ragged tile: packed as planned, and what int64 says."""
    assert_dram_holds_the_codes(case, "check")


_CHECKED_FAULTS: dict[str, Callable[[Any], Any]] = {
    "rows": lambda numbers: np.where(np.arange(len(numbers)) < 4, numbers[3], numbers),
    "multiplier": lambda numbers: numbers + (1 << 26),
    "shift": lambda numbers: numbers + 1,
    "offset": lambda numbers: numbers + 200,
    "zero_point": lambda number: number + 1,
    "lowest": lambda _: 30,
    "highest": lambda number: number >> 1,
    "read_as": lambda kind: 3 - kind,
    "on_columns": lambda flag: 1 - flag,
}


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("constant", _CHECKED_FAULTS)
def test_a_wrong_constant_of_any_format_is_caught_by_check(constant: str, number: int) -> None:
    """Accumulators are right, and the message says which tile and format are wrong."""
    _, values = ran(LAYER, MACHINE, "check")
    path = values.outputs[0][number]
    values.outputs[0][number] = path._replace(**{constant: _CHECKED_FAULTS[constant](getattr(path, constant))})
    with pytest.raises(InvariantError, match=WRONG.format(number)):
        values.exact()
    assert np.array_equal(values.accumulators[0], LAYER.reference_accumulator())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_other_bytes_than_planned_are_caught(number: int) -> None:
    """The packed size of each format is compared with the planned one."""
    prepared, values = ran(LAYER, MACHINE, "check")
    with pytest.raises(InvariantError, match=plan_a_byte_more(prepared, number)):
        values.exact()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_place_that_is_not_the_planned_one_is_caught(number: int) -> None:
    """Outputs are looked for where the plan has them, in each format."""
    prepared, values = ran(LAYER, MACHINE, "check")
    (planned,) = prepared.program.layers
    place = planned.layout.output[..., number]
    (a, b), (c, d) = np.argwhere(planned.output_bytes.total[..., number])[:2].tolist()
    place[a, b] = place[c, d]  # the tile that is written later stands there
    with pytest.raises(InvariantError, match=r"of fused was written wrong"):
        values.exact()
