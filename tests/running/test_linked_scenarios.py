"""Scenarios with links: what overlapping layers wait for, in both engines; kept in scenario.yaml, and digested."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest
from case_counts import at_most
from hypothesis import event, given
from naive_waits import assert_waits, needed_outputs, stream_waits
from strategies import linked_programs

from panacea_sim.engines.choice import ChosenEngine
from panacea_sim.errors import ConfigError, MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.shared.program import Program
from panacea_sim.running.host_memory import FIXED_BYTES, PROGRAM_BYTES, RunKind, run_bytes
from panacea_sim.running.network import network_scenario
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario, write_scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.trace.store import RunFolder
from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link, all_links, layers_in_order
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.synthetic import synthetic_layer

SETTINGS = {"n_pea": 2, "tile_k": 4, "tile_n": 8}
FIRST, SECOND = (MaskedLayer(name, 16, 12, 16, 0.5, 0.5, 1) for name in ("first", "second"))
QUIET = RunOptions(trace=NO_TRACE, engine="reference")


def _pair(*links: Link, schedule: Any = "overlap", second: MaskedLayer = SECOND) -> Scenario:  # noqa: ANN401  # a literal
    given = tuple(("first", "second", link) for link in links)
    return Scenario("pair", (FIRST, second), settings=SETTINGS, values=False, schedule=schedule, links=given)


def _scenario_of(program: Program) -> Scenario:
    """Return a scenario with the layers and links of a drawn program."""
    graph = program.graph
    layers = tuple(graph.nodes[name]["layer"] for name in layers_in_order(graph))
    return Scenario("drawn", layers, program.hardware, values=False, links=all_links(graph))


def _prepared(scenario: Scenario) -> Prepared:
    prepared = prepare(scenario, "reference")
    assert isinstance(prepared, Prepared)
    return prepared


@at_most(80)
@given(linked_programs())
def test_a_scenario_waits_for_what_its_links_say(drawn: Program) -> None:
    """The program of a scenario has the waits of its links, in whatever mapping its layers have."""
    event(f"links: {drawn.graph.number_of_edges() > 0}")
    program = _prepared(_scenario_of(drawn)).program
    kept, given_links = (
        {(producer, consumer): links for producer, consumer, links in graph.edges(data="links")}
        for graph in (program.graph, drawn.graph)
    )
    assert kept == given_links
    assert_waits(program)


@pytest.mark.parametrize("engine", ["reference", "compiled"])
def test_nothing_is_fetched_before_it_is_written(engine: ChosenEngine) -> None:
    """Of an attention block with steps behind it, no fetch ends before the last write of what it needs, in cycles."""
    if engine == "compiled":
        pytest.importorskip("numba")
    prepared = _prepared(replace(network_scenario(_network(), settings=SETTINGS), schedule="overlap"))
    result = prepared.run(engine, Recorder(NO_TRACE))
    written, needed = needed_outputs(prepared.program)
    ends = dict(zip(written, result.times["o_dma"].end_cycle.tolist(), strict=True))
    waited = 0
    for operand in ("w", "x"):
        fetched = result.times[f"{operand}_dma"].end_cycle.tolist()
        for (tile, _), end_cycle in zip(stream_waits(prepared.program, operand), fetched, strict=True):
            needed_at = max((ends[output] for output in needed[tile]), default=-1)
            assert end_cycle > needed_at, tile
            waited += needed_at >= 0
    assert waited > 0


def _network() -> LayerGraph:
    """Two heads of attention that write into a recurrent layer of three steps, and a projection of all."""
    graph: LayerGraph = nx.DiGraph(name="tiny", description="attention and steps")
    shares: dict[str, Any] = {"rho_w": (0.5,), "rho_x": 0.5}
    add_layer(graph, Gemm("qkv", "Gemm", "qkv", "0", 24, 8, 10, **shares))
    add_layer(graph, Gemm("qk", "MatMul", "qk", "0", 10, 4, 10, repeat=2, dynamic_weight=True, **shares))
    add_layer(graph, Gemm("pv", "MatMul", "pv", "0", 4, 10, 10, repeat=2, dynamic_weight=True, **shares))
    add_layer(graph, Gemm("steps", "LSTM", "lstm", "0", 16, 8, 2, repeat=3, sequential=True, **shares))
    add_layer(graph, Gemm("out", "Gemm", "out", "0", 8, 16, 6, **shares))
    add_link(graph, "qkv", "qk", Link("x", feature_offset=(0, 4)))
    add_link(graph, "qkv", "qk", Link("w", feature_offset=(8, 12)))
    add_link(graph, "qkv", "pv", Link("w", features_on="m", feature_offset=(16, 20)))
    add_link(graph, "qk", "pv", Link("x", "features", feature_offset=(0, 10)))
    add_link(graph, "pv", "steps", Link("x", column_offset=(0, 2, 4)))
    windows = Columns(np.zeros(6, np.int64), np.array([1, 1, 2, 2, 2, 2]))
    add_link(graph, "steps", "out", Link("x", windows))
    return graph


def test_a_link_holds_up_a_layer() -> None:
    """A layer that needs all of the one before takes longer than one that needs a part, and that longer than none."""
    some = Link("x", column_span=(0, 8))
    cycles = [run(_pair(*links), QUIET).summary.makespan_cycles for links in ((), (some,), (some, Link("x", "all")))]
    assert cycles == sorted(set(cycles))


def test_links_cost_nothing_where_layers_run_alone() -> None:
    """With the schedule barrier all has been written: the figures are those without links."""
    one, other = (run(_pair(*links, schedule="barrier"), QUIET).summary for links in ((), (Link("x", "all"),)))
    assert one.layers == other.layers
    assert one.makespan_cycles == other.makespan_cycles


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_steps_wait_in_both_schedules(schedule: Any) -> None:  # noqa: ANN401  # a literal
    """Products that need the one before take longer, and are no equal work of products that do not."""
    layer = MaskedLayer("free", 16, 12, 8, 0, 0, 1, repeat=4)
    steps = replace(layer, name="steps", sequential=True)
    scenario = Scenario("steps", (layer, steps, replace(steps, name="again")), "panacea", SETTINGS, schedule=schedule)
    summary = run(scenario, QUIET).summary
    free, waiting, again = (each.end_cycle - each.start_cycle for each in summary.layers)
    assert waiting > free
    assert scenario.digest() != replace(scenario, layer=(layer, steps, replace(layer, name="again"))).digest()
    if schedule == "barrier":
        assert again == waiting
        assert [each.memoized_from for each in summary.layers] == [None, None, "steps"]


def test_values_travel_where_layers_wait_for_others() -> None:
    """Layers with operands may have links that are waits and nothing else: they stay exact."""
    layers = tuple(replace(synthetic_layer(16, 12, 16, 0.5, 0.5, seed), name=f"{seed}") for seed in (1, 2))
    scenario = Scenario("values", layers, settings=SETTINGS, links=(("1", "2", Link("x", "all")),))
    free, waiting = (run(each, QUIET).summary for each in (replace(scenario, links=()), scenario))
    assert waiting.exact is True
    assert waiting.makespan_cycles > free.makespan_cycles


def test_what_a_run_takes_beside_its_layers_counts_once() -> None:
    """A simulation of a hundred small layers takes what each adds, and the program, the trace and the rest once."""
    hardware, layer = load_hardware("panacea"), replace(FIRST, M=64, K=64, N=64)
    one, hundred = (run_bytes([layer] * count, hardware, RunKind("compiled")) for count in (1, 100))
    beside = PROGRAM_BYTES + FIXED_BYTES
    assert beside < one
    assert hundred - beside == 100 * (one - beside)
    traced, all_traced = (run_bytes([layer] * count, hardware, RunKind("compiled", traced=True)) for count in (1, 100))
    assert all_traced - hundred < 2 * (traced - one)


# --- scenario.yaml ---------------------------------------------------------------------------------------------------


def _kept(scenario: Scenario) -> Scenario:
    """Return what the scenario.yaml of a run holds."""
    with tempfile.TemporaryDirectory() as folder, RunFolder(Path(folder) / "run", force=False) as run_folder:
        write_scenario(run_folder, scenario, scenario.known_layers(), scenario.resolved_hardware())
        found = load_scenario(run_folder.path / "scenario.yaml")
    assert isinstance(found, Scenario)
    return found


def _plain(scenario: Scenario) -> list[object]:
    """Return links in a form that can be compared: arrays have no equality of their own."""
    return [
        (producer, consumer, replace(link, needs="same"), _plain_needs(link.needs))
        for producer, consumer, link in scenario.links
    ]


def _plain_needs(needs: object) -> object:
    return (needs.low.tolist(), needs.high.tolist(), needs.taps) if isinstance(needs, Columns) else needs


@at_most(80)
@given(linked_programs())
def test_links_are_kept(drawn: Program) -> None:
    """Every field of every link, and that steps are sequential, comes back from scenario.yaml."""
    scenario = _scenario_of(drawn)
    kept = _kept(scenario)
    assert _plain(kept) == _plain(scenario)
    assert kept.layers == scenario.layers
    assert kept.digest() == scenario.digest()


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_a_network_runs_again_with_its_links(schedule: Any, tmp_path: Path) -> None:  # noqa: ANN401  # a literal
    """The same run can be made again, and the other schedule from the folder of either."""
    scenario = replace(network_scenario(_network(), settings=SETTINGS), schedule=schedule)
    first = run(scenario, replace(QUIET, folder=tmp_path / "run")).summary
    kept = load_scenario(tmp_path / "run" / "scenario.yaml")
    assert isinstance(kept, Scenario)
    assert run(kept, QUIET).summary.layers == first.layers
    others = (run(replace(each, schedule="overlap"), QUIET).summary for each in (scenario, kept))
    assert len({each.makespan_cycles for each in others}) == 1


# --- digest ----------------------------------------------------------------------------------------------------------


def test_links_count_where_layers_overlap() -> None:
    """Another link is another scenario with overlap, and with barrier none."""
    windows = Columns(np.arange(16), np.arange(16) + 1)
    links = [
        Link("x"),
        Link("w"),
        Link("w", features_on="m"),
        Link("x", "features"),
        Link("x", "all"),
        Link("x", windows),
        Link("x", Columns(windows.low, windows.high + 1)),
        Link("x", Columns(windows.low, windows.high, 2)),
        Link("x", feature_offset=4),
        Link("x", column_offset=4),
        Link("x", feature_span=(0, 4)),
        Link("x", column_span=(0, 4)),
        Link("x", features=(0, 4)),
    ]
    assert len({_pair(*each).digest() for each in [(), *((link,) for link in links)]}) == len(links) + 1
    assert len({_pair(link, schedule="barrier").digest() for link in links}) == 1


def test_what_links_mean_counts() -> None:
    """Neither their order, nor names, nor one offset written for each repeat makes another scenario."""
    second = replace(SECOND, repeat=2)
    links = (Link("x", feature_offset=(4, 4)), Link("w", "all"))
    digests = {_pair(*given, second=second).digest() for given in (links, links[::-1])}
    digests.add(_pair(Link("x", feature_offset=4), Link("w", "all"), second=second).digest())
    renamed = _pair(*links, second=second)
    layers = (replace(FIRST, name="a"), replace(second, name="b"))
    digests.add(replace(renamed, layer=layers, links=tuple(("a", "b", link) for link in links)).digest())
    assert len(digests) == 1
    assert _pair(Link("x", feature_offset=(4, 5)), Link("w", "all"), second=second).digest() not in digests


# --- refusals --------------------------------------------------------------------------------------------------------

_SHORT = Columns(np.arange(3), np.arange(3))


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
@pytest.mark.parametrize(
    ("link", "message"),
    [
        (
            ("second", "first", Link("x")),
            r"scenario\.links\[1\]\.from: found 'second'; accepted: a layer before 'first'",
        ),
        (("first", "first", Link("x")), r"scenario\.links\[1\]\.from: found 'first'; accepted: a layer before 'first'"),
        (("frist", "second", Link("x")), r"scenario\.links\[1\]\.from: found 'frist'.*Did you mean 'first'"),
        (("first", "secnod", Link("x")), r"scenario\.links\[1\]\.to: found 'secnod'.*Did you mean 'second'"),
        (
            ("first", "second", Link("x", _SHORT)),
            r"scenario\.links\[1\]\.needs: found ranges for 3 columns; accepted: 16",
        ),
        (
            ("first", "second", Link("x", feature_offset=(0, 4))),
            r"links\[1\]\.feature_offset: found 2 offsets; accepted",
        ),
    ],
)
def test_links_that_cannot_be(link: Any, message: str, schedule: Any) -> None:  # noqa: ANN401  # of any kind
    """A link that leads nowhere or backwards, or does not fit its layer, is refused by its number in both schedules."""
    scenario = replace(_pair(Link("x"), schedule=schedule), links=(("first", "second", Link("x")), link))
    with pytest.raises(ConfigError, match=message):
        prepare(scenario)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        (
            (("first", "second"),),
            r"scenario\.links\[0\]: found \('first', 'second'\); accepted: the names of a producer",
        ),
        ((("first", "second", "all"),), r"scenario\.links\[0\]: found .*'all'.*accepted: the names of a producer and"),
    ],
)
def test_what_is_no_link(links: Any, message: str) -> None:  # noqa: ANN401  # of any kind
    """What is no link is refused where the scenario is made."""
    with pytest.raises(ConfigError, match=message):
        replace(_pair(), links=links)


def test_a_layer_with_operands_says_in_place_by_its_source() -> None:
    """Masked layers have no numbers that would have to agree, those with operands have."""
    layers = tuple(replace(synthetic_layer(16, 16, 16, 0.5, 0.5, seed), name=f"{seed}") for seed in (1, 2))
    link = ("1", "2", Link("x", in_place=True))
    with pytest.raises(ConfigError, match=r"scenario\.links\[0\]\.in_place: found True; accepted: False.*`source`"):
        Scenario("two", layers, settings=SETTINGS, links=(link,))
    masked = tuple(MaskedLayer(layer.name, 16, 16, 16, 0.5, 0.5, 1) for layer in layers)
    assert Scenario("two", masked, settings=SETTINGS, links=(link,)).links == (link,)


def test_a_layer_that_does_not_fit_is_named() -> None:
    """Of several layers in one simulation, the message says which one has tiles that are too large."""
    large = replace(SECOND, name="large", K=64)
    scenario = Scenario("two", (FIRST, large), settings={**SETTINGS, "tile_k": 64, "wmem_bytes": 100}, values=False)
    with pytest.raises(MappingError, match=r"^layer 'large': WMEM holds 100 bytes, but a tile needs"):
        prepare(scenario)
