"""What bounds a run, how far it is from that, and whether one member of a group is to be named."""

from __future__ import annotations

import pytest

from panacea_sim.description.component import Role
from panacea_sim.description.topology import Place, Topology
from panacea_sim.explanation.diagnosis import bound_of, member_alone, operator_shares
from panacea_sim.explanation.explanation import Explanation, PathRow
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.schema import State
from panacea_sim.trace.summary import Summary
from panacea_sim.workload.masked_layer import MaskedLayer

_GROUPS: dict[str, tuple[Role, tuple[str, ...]]] = {
    "w_dma": ("fetch", ("w_dma",)),
    "pea": ("compute", ("pea0", "pea1", "pea2", "pea3")),
    "q": ("pass", ("q",)),
}


@pytest.fixture(scope="module")
def summary() -> Summary:
    """Return the figures of some run, to be filled with those of a test."""
    return run(Scenario("some", MaskedLayer("p", 4, 4, 4, 0.5, 0.5, 1), values="off")).summary


def _summary(summary: Summary, busy: dict[str, int], makespan_cycles: int) -> Summary:
    places = [Place(name, group, role, "any", {}) for group, (role, names) in _GROUPS.items() for name in names]
    components = {
        name: {state: busy.get(name, 0) if state == State.BUSY else 0 for state in State}
        for name in (*(place.name for place in places), "dram0", "dram1")
    }
    topology = Topology(tuple(places), (), ("dram0", "dram1"))
    changed = {"components": components, "topology": topology, "makespan_cycles": makespan_cycles}
    return summary.model_copy(update=changed)


def _explanation(*rows: PathRow) -> Explanation:
    return Explanation((0, sum(row.cycles for row in rows)), rows, (), (), ())


def _row(component: str, kind: str, cause: str, **members: int) -> PathRow:
    return PathRow(component, kind, cause, sum(members.values()), 1, members)  # type: ignore[arg-type]  # a kind of a test


def test_bound_by_a_group_of_which_the_busiest_member_counts(summary: Summary) -> None:
    """The class with most cycles bounds the run, which is a quarter longer than its busiest member is busy."""
    explanation = _explanation(
        _row("pea", "service", "dwo", pea0=30, pea1=30), _row("w_dma", "transfer", "dram0", w_dma=40)
    )
    found = bound_of(explanation.classes, _summary(summary, {"pea0": 50, "pea1": 80, "dram0": 90}, 100))
    assert found is not None
    assert (found.path_class, found.path_cycles, found.share) == ("compute of pea", 60, 0.6)
    assert (found.busiest, found.busy_cycles, found.distance) == ("pea1", 80, 0.25)


def test_bound_by_bandwidth_of_the_busiest_channel(summary: Summary) -> None:
    """Transfers of all streams and channels are one class."""
    explanation = _explanation(
        _row("pea", "service", "dwo", pea0=40),
        _row("w_dma", "transfer", "dram0", w_dma=31),
        _row("x_dma", "transfer", "dram1", x_dma=29),
    )
    found = bound_of(explanation.classes, _summary(summary, {"pea0": 99, "dram0": 50, "dram1": 60}, 100))
    assert found is not None
    assert (found.path_class, found.busiest, found.busy_cycles) == ("bandwidth", "dram1", 60)


@pytest.mark.parametrize(
    ("kind", "cause", "wanted"), [("device", "row", "row and turnaround"), ("latency", "", "latency")]
)
def test_what_is_no_work_has_no_busiest_part(summary: Summary, kind: str, cause: str, wanted: str) -> None:
    """A run that is bound by latencies or rows has no part that needs its time."""
    explanation = _explanation(_row("dram0", kind, cause, dram0=9), _row("pea", "service", "", pea0=1))
    found = bound_of(explanation.classes, _summary(summary, {"pea0": 1, "dram0": 5}, 10))
    assert found is not None
    assert (found.path_class, found.busiest, found.busy_cycles, found.distance) == (wanted, None, None, None)


def test_a_window_has_no_bound(summary: Summary) -> None:
    """Without a path nothing is said."""
    assert bound_of(None, _summary(summary, {}, 10)) is None


@pytest.mark.parametrize(
    ("members", "busy", "alone"),
    [
        ((60, 20, 20, 0), (80, 20, 20, 20), "pea0"),  # over half of the path, and 80 of 35 in the mean
        ((50, 50, 0, 0), (80, 20, 20, 20), None),  # not over half
        ((60, 20, 20, 0), (69, 23, 23, 23), "pea0"),  # just twice the mean of 34.5
        ((60, 20, 20, 0), (68, 24, 23, 23), None),
    ],
)
def test_a_member_is_named_alone(
    summary: Summary, members: tuple[int, ...], busy: tuple[int, ...], alone: str | None
) -> None:
    """It has over half of the group's cycles on the path and is busy for at least twice the mean."""
    names = _GROUPS["pea"][1]
    row = _row("pea", "service", "dwo", **dict(zip(names, members, strict=True)))
    assert member_alone(row, _summary(summary, dict(zip(names, busy, strict=True)), 100)) == alone


def test_shares_of_operators() -> None:
    """Services on the path are told by the operator that they waited for; those without one are not."""
    explanation = _explanation(
        _row("pea", "service", "swo", pea0=10),
        _row("pea", "service", "dwo", pea0=20, pea1=10),
        _row("q", "service", "", q=5),
    )
    assert operator_shares(explanation) == {"pea": {"dwo": 0.75, "swo": 0.25}}
