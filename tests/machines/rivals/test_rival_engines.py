"""Both engines and the naive interpreter agree on small machines of every kind."""

from __future__ import annotations

from dataclasses import replace

import pytest
from case_counts import asked_machines, of_asked
from hypothesis import event, given
from hypothesis import strategies as st
from strategies import ABLATED, RIVALS, ablated_scenarios, numbered, rival_scenarios

pytest.importorskip("numba")

from engine_runs import assert_equal, reference
from naive import interpret

from panacea_sim.running.prepare import Prepared, prepare

pytestmark = pytest.mark.timeout(600 + asked_machines(0))

_SMALL_CYCLES = 800


@pytest.mark.parametrize("machine", [*RIVALS, *ABLATED])
@of_asked(5, 25)
@given(data=st.data())
def test_engines_are_equal(machine: str, data: st.DataObject) -> None:
    """Every row, figure and time of a run is the same; short runs are interpreted cycle by cycle as well."""
    drawn = rival_scenarios(machine) if machine in RIVALS else ablated_scenarios(machine)
    prepared = prepare(replace(data.draw(drawn), values=False))
    assert isinstance(prepared, Prepared)
    description = prepared.description
    found = assert_equal(description, ("w_dma", "o_dma"))
    assert found is not None  # memories that hold the largest tile are enough
    event(f"partial sums: {prepared.program.keeps_partial_sums}")
    event(f"interpreted: {found.makespan_cycles <= _SMALL_CYCLES}")
    if found.makespan_cycles <= _SMALL_CYCLES:
        components = tuple(replace(part, labels=numbered(part.firings)) for part in description.components)
        plain = replace(description, components=components)
        assert reference(plain) == interpret(plain)
