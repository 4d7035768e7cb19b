"""Outputs in several formats, with values that travel: the codes of a plain model lie in DRAM, faults are caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from read_formats import DEEP, LAYER, MACHINE, WRONG, Case, assert_dram_holds_the_codes, cases, plan_a_byte_more, ran

from panacea_sim.errors import InvariantError
from panacea_sim.machines.shared import encoded_tiles, ppu
from panacea_sim.machines.shared import image_values as travelling
from panacea_sim.workload.output_format import WeightFormat


@settings(max_examples=60)
@given(case=cases())
@example(case=DEEP)
def test_what_lies_in_dram_are_the_codes_of_the_plain_model(case: Case) -> None:
    """Every format, range of features, product and ragged tile: packed as planned, and what int64 says."""
    assert_dram_holds_the_codes(case, "travel")


def test_a_tile_is_requantized_once_and_written_once_a_format() -> None:
    """The PPU fires once a tile, encoder and o_dma once a tile and format that it has features of."""
    prepared, values = ran(LAYER, MACHINE, "travel")
    firings = {each.name: each.firings for each in prepared.description.components}
    # 3 tiles of 16, 16 and 8 rows, 3 of columns: x is in the first two, w on k in the last two, w on m in all.
    assert (firings["ppu"], firings["encoder"], firings["o_dma"]) == (9, 21, 21)
    assert values.exact()


def _changed_codes(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    correct = ppu.PpuWorker.fire

    def fire(self: ppu.PpuWorker, firing: int, inputs: list[tuple[Any, ...]]) -> Any:  # noqa: ANN401  # a token
        (tiles,) = correct(self, firing, inputs)
        if tiles[number] is not None:
            tiles[number][-1, -1] ^= 1
        return (tiles,)

    return lambda patch: patch.setattr(ppu.PpuWorker, "fire", fire)


def _formats_exchanged(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        correct = encoded_tiles.encode_output_tile
        wrong = LAYER.formats[number].format
        if isinstance(wrong, WeightFormat):
            other: Any = replace(wrong, features_on="m" if wrong.features_on == "k" else "k")
        else:
            other = replace(wrong, r=(3,))

        def encode(tile: Any, form: Any, v: int, tile_k: int, *, may_be_raw: bool) -> list[bytes]:  # noqa: ANN401  # what it is called with
            return correct(tile, other if form == wrong else form, v, tile_k, may_be_raw=may_be_raw)

        patch.setattr(encoded_tiles, "encode_output_tile", encode)

    return plant


def _written_elsewhere(number: int) -> Callable[[pytest.MonkeyPatch], None]:
    def plant(patch: pytest.MonkeyPatch) -> None:
        correct = travelling.output_addresses

        def addresses(program: Any) -> Any:  # noqa: ANN401  # a program and its addresses
            found = correct(program).copy()
            of_format = np.flatnonzero(program.written_formats() == number)
            found[of_format[:2]] = found[of_format[1::-1]]
            return found

        patch.setattr(travelling, "output_addresses", addresses)

    return plant


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("fault", [_changed_codes, _formats_exchanged, _written_elsewhere])
def test_a_fault_in_any_format_is_caught_by_travel(
    fault: Callable[[int], Callable[[pytest.MonkeyPatch], None]], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One code, the way of packing, or the place of a tile that is wrong is an error that names tile and format."""
    fault(number)(monkeypatch)
    _, values = ran(LAYER, MACHINE, "travel")
    with pytest.raises(InvariantError, match=WRONG.format(number)):
        values.exact()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_other_bytes_than_planned_are_caught(number: int) -> None:
    """The packed size of each format is compared with the planned one."""
    prepared, values = ran(LAYER, MACHINE, "travel")
    with pytest.raises(InvariantError, match=plan_a_byte_more(prepared, number)):
        values.exact()


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_place_that_is_not_the_planned_one_is_caught(number: int) -> None:
    """Outputs are looked for where the plan has them, in each format."""
    prepared, values = ran(LAYER, MACHINE, "travel")
    (planned,) = prepared.program.layers
    place = planned.layout.output[..., number]
    (a, b), (c, d) = np.argwhere(planned.output_bytes.total[..., number])[:2].tolist()
    place[a, b], place[c, d] = place[c, d], place[a, b]
    with pytest.raises(InvariantError, match=r"of fused was written wrong"):
        values.exact()
