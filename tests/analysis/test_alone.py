"""What is said of a layer that ran alone: the busiest part, and the cycles at its beginning and end."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.analysis.alone import border_cycles, busiest_part
from panacea_sim.description.component import Role
from panacea_sim.description.topology import Place, Topology
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import StallTotal
from panacea_sim.workload.masked_layer import MaskedLayer

_Cycles = dict[str, list[tuple[State, int]]]
"""For each part its states with their cycles; a state may come more than once, for several causes."""


def _topology(groups: dict[str, tuple[Role, list[str]]], channels: tuple[str, ...] = ()) -> Topology:
    places = [Place(name, group, role, "any", {}) for group, (role, names) in groups.items() for name in names]
    return Topology(tuple(places), (), channels)


def _totals(cycles: _Cycles) -> dict[str, list[StallTotal]]:
    return {
        name: [StallTotal(state, f"cause {at}", "", each) for at, (state, each) in enumerate(states)]
        for name, states in cycles.items()
    }


_MACHINE = _topology({"fetch": ("fetch", ["dma"]), "array": ("compute", ["a", "b", "c"])}, ("dram0", "dram1"))


@pytest.mark.parametrize(
    ("busy", "busiest"),
    [
        ({"dma": 11, "a": 10, "b": 10, "c": 12, "dram0": 3, "dram1": 4}, "fetch"),  # 10.67 in the mean
        ({"dma": 10, "a": 10, "b": 10, "c": 12, "dram0": 3, "dram1": 4}, "array"),
        ({"dma": 10, "a": 0, "b": 0, "c": 31, "dram0": 3, "dram1": 10}, "array"),
        ({"dma": 10, "a": 0, "b": 0, "c": 30, "dram0": 3, "dram1": 10}, "fetch"),  # of equal ones the first
        ({"dma": 9, "a": 9, "b": 9, "c": 9, "dram0": 3, "dram1": 10}, "dram1"),  # channels are no group
        ({"dma": 0, "a": 0, "b": 0, "c": 0, "dram0": 0, "dram1": 0}, "fetch"),
    ],
)
def test_the_busiest_part_by_hand(busy: dict[str, int], busiest: str) -> None:
    """A group counts with the mean of its members, a channel by itself, and waiting is not busy."""
    cycles: _Cycles = {name: [(State.STARVED, 100), (State.BUSY, each)] for name, each in busy.items()}
    assert busiest_part(_MACHINE, _totals(cycles)) == busiest


@pytest.mark.parametrize(
    ("idle", "borders"),
    [((4, 5, 6), 5), ((4, 5, 7), 5), ((4, 5, 8), 5), ((4, 5, 9), 6), ((0, 0, 2), 0), ((0, 0, 0), 0)],
)
def test_border_cycles_by_hand(idle: tuple[int, int, int], borders: int) -> None:
    """They are the idle cycles of components that compute, in the mean, rounded down; other parts do not count."""
    cycles: _Cycles = {"dma": [(State.IDLE, 1000)], "dram0": [(State.IDLE, 1000)], "dram1": [(State.IDLE, 1000)]}
    # At both ends of a run, with other causes.
    cycles |= {
        name: [(State.IDLE, each // 2), (State.STARVED, 77), (State.IDLE, each - each // 2)]
        for name, each in zip("abc", idle, strict=True)
    }
    assert border_cycles(_MACHINE, _totals(cycles)) == borders


def test_a_machine_that_does_not_compute_has_no_borders() -> None:
    """Nothing is divided by no components."""
    assert border_cycles(_topology({"fetch": ("fetch", ["dma"])}), _totals({"dma": [(State.IDLE, 9)]})) == 0


_STATES = st.lists(st.tuples(st.sampled_from(list(State)), st.integers(0, 50)), max_size=6)


_GROUPS = st.lists(st.lists(_STATES, min_size=1, max_size=4), min_size=1, max_size=4)


@given(_GROUPS, st.lists(_STATES, max_size=3))
def test_both_figures_are_those_of_plain_sums(
    groups: list[list[list[tuple[State, int]]]], channels: list[list[tuple[State, int]]]
) -> None:
    """For any machine they are what adding up cycle by cycle gives."""
    members = {f"g{at}": [f"g{at}.{n}" for n in range(len(group))] for at, group in enumerate(groups)}
    roles: list[Role] = ["compute" if at % 2 else "fetch" for at in range(len(groups))]
    names = tuple(f"dram{at}" for at in range(len(channels)))
    described = zip(members, roles, members.values(), strict=True)
    topology = _topology({group: (role, parts) for group, role, parts in described}, names)
    states = [each for group in groups for each in group] + channels
    cycles: _Cycles = dict(zip([*(part for parts in members.values() for part in parts), *names], states, strict=True))

    def spent(parts: list[str], state: State) -> int:
        return sum(each for name in parts for found, each in cycles[name] if found is state)

    best, most = "", Fraction(-1)
    for name, parts in [*members.items(), *((name, [name]) for name in names)]:
        share = Fraction(spent(parts, State.BUSY), len(parts))
        if share > most:
            best, most = name, share
    assert busiest_part(topology, _totals(cycles)) == best
    computing = [
        part for parts, role in zip(members.values(), roles, strict=True) for part in parts if role == "compute"
    ]
    wanted = spent(computing, State.IDLE) // len(computing) if computing else 0
    assert border_cycles(topology, _totals(cycles)) == wanted


def test_a_layer_of_a_run_has_them() -> None:
    """The summary of each layer has its own, found here in the states of a run of that layer alone."""
    layers = (MaskedLayer("wide", 40, 8, 40, 0.9, 0.9, 1), MaskedLayer("deep", 8, 300, 8, 0.0, 0.0, 2))
    settings = {"n_pea": 2, "tile_k": 16, "tile_n": 8, "dram_channels": 2}
    whole = run(Scenario("two", layers, settings=settings, values=False, schedule="barrier"), RunOptions()).summary
    for layer, found in zip(layers, whole.layers, strict=True):
        alone = run(Scenario("one", layer, settings=settings, values=False, schedule="barrier"), RunOptions()).summary
        states = alone.components
        peas = [name for name in states if name.startswith("pea")]
        assert len(peas) == 2
        busy = {name: each["busy"] for name, each in states.items() if name not in peas}
        busy["pea"] = sum(states[name]["busy"] for name in peas) / 2
        busy |= {name: channel.busy_cycles for name, channel in alone.dram.channels.items()}
        assert found.busiest is not None
        assert busy[found.busiest] == max(busy.values())
        assert found.border_cycles == sum(states[name]["idle"] for name in peas) // 2
