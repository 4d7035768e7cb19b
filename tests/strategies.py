"""Every Hypothesis strategy of the test suite, one section for each room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from panacea_works import layer_work, panacea_work

from panacea_sim.analysis.selection import STALL, Selection
from panacea_sim.description.actions import Action, action_of
from panacea_sim.description.component import Component
from panacea_sim.description.description import Description
from panacea_sim.description.parts import Channel, Memory, Port, Queue, Store
from panacea_sim.description.steps import NO_NEED, Acquire, Give, Need, Put, Release, Requests, Take, Wait
from panacea_sim.hardware.config import Hardware, from_mapping, load_hardware, with_settings
from panacea_sim.hardware.dram.devices import IDEAL, DramDevice, dram_device, list_devices
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.mapping.labels import NO_TILE, TileLabels
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.memory.banked_device import BankedDevice
from panacea_sim.memory.device import Device, DeviceEvents, DeviceState, FlatDevice, IdealDevice, Service
from panacea_sim.memory.params import dram_params
from panacea_sim.quant.activation_functions import (
    ACTIVATION_FUNCTIONS,
    ActivationFunction,
    PostProcessor,
    function_table,
)
from panacea_sim.quant.quantizer import ActivationQuantizer
from panacea_sim.quant.requantizer import requantizer_for
from panacea_sim.quant.slicing import activation_ho_factors, frequent_slices
from panacea_sim.quant.widths import ACTIVATION_BITS, LO_BITS, WEIGHT_BITS
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.schema import State
from panacea_sim.units import IntArray
from panacea_sim.workload.chain import following
from panacea_sim.workload.gemm_layer import DBS_OFFSETS, GemmLayer, OutputFormat
from panacea_sim.workload.link import Columns, Link, Needs, Offset, Operand
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import LayerGraph, add_layer, add_link, layers_in_order
from panacea_sim.workload.networks.formats import written_formats
from panacea_sim.workload.synthetic import synthetic_layer
from panacea_sim.workload.vector_stage import VectorStage

_PANACEA = load_hardware("panacea", {"dram": "ideal", "dram_channels": 1})  # once: reading YAML costs much

# --- quant ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class GemmOperands:
    """Quantized operands of one product and the way in which the machine cuts them."""

    weight: npt.NDArray[np.int16]
    activation: npt.NDArray[np.uint16]
    weight_bits: int
    activation_bits: int
    lo_bits: int
    zero_point: int
    frequent: tuple[int, ...]
    v: int
    tile_k: int


@st.composite
def lo_bits_for(draw: st.DrawFn, activation_bits: int) -> int:
    """Draw a width of the LO field that activations of `activation_bits` accept."""
    return draw(st.sampled_from(LO_BITS if activation_bits == 8 else (4,)))


def frequent_for(activation_bits: int, lo_bits: int) -> st.SearchStrategy[tuple[int, ...]]:
    """Draw a value of r for each HO slice that fits the slice."""
    slices = len(activation_ho_factors(activation_bits, lo_bits))
    return st.tuples(*[st.integers(0, (1 << min(4, activation_bits - lo_bits)) - 1)] * slices)


@st.composite
def skip_masks(draw: st.DrawFn, max_streams: int = 6, max_k: int = 200) -> npt.NDArray[np.bool_]:
    """Draw skip masks [streams, k] of any density of skips from 0 to 1, so that long runs are common."""
    shape = draw(st.tuples(st.integers(1, max_streams), st.integers(1, max_k)))
    density = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.97, 1.0]))
    return _generator(draw).random(shape) < density


@st.composite
def gemm_operands(draw: st.DrawFn, max_rows: int = 18, max_k: int = 70) -> GemmOperands:
    """Draw operands whose slices are frequent to any degree, with r that fits the zero point or does not."""
    weight_bits, activation_bits = draw(st.sampled_from(WEIGHT_BITS)), draw(st.sampled_from(ACTIVATION_BITS))
    lo_bits = draw(lo_bits_for(activation_bits))
    zero_point = draw(st.integers(0, (1 << activation_bits) - 1))
    own = frequent_slices(zero_point, activation_bits, lo_bits)
    frequent = draw(st.just(own) | frequent_for(activation_bits, lo_bits))
    m, n = draw(st.integers(1, max_rows)), draw(st.integers(1, max_rows))
    k = draw(st.integers(1, max_k))
    generator = _generator(draw)
    return GemmOperands(
        weight=_weights(generator, (m, k), weight_bits, draw(_DENSITIES)),
        activation=_activations(generator, (k, n), activation_bits, lo_bits, frequent, draw(_DENSITIES)),
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        lo_bits=lo_bits,
        zero_point=zero_point,
        frequent=frequent,
        v=draw(st.sampled_from([1, 2, 4, 8])),
        tile_k=draw(st.integers(1, max_k + 10)),
    )


_DENSITIES = st.sampled_from([0.0, 0.5, 0.9, 0.99, 1.0])


def _generator(draw: st.DrawFn) -> np.random.Generator:
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))


def _weights(
    generator: np.random.Generator, shape: tuple[int, int], bits: int, density: float
) -> npt.NDArray[np.int16]:
    """Return weights of which a share `density` has HO slices of 0."""
    limit = 1 << (bits - 1)
    small = generator.integers(-8, 8, shape)
    return np.where(generator.random(shape) < density, small, generator.integers(-limit, limit, shape)).astype(np.int16)


def _activations(
    generator: np.random.Generator,
    shape: tuple[int, int],
    bits: int,
    lo_bits: int,
    frequent: tuple[int, ...],
    density: float,
) -> npt.NDArray[np.uint16]:
    """Return activations of which a share `density` has the frequent HO slices, as far as they fit `bits`."""
    base = sum(r * factor for r, factor in zip(frequent, activation_ho_factors(bits, lo_bits), strict=True))
    usual = (base + generator.integers(0, 1 << lo_bits, shape)) % (1 << bits)
    return np.where(generator.random(shape) < density, usual, generator.integers(0, 1 << bits, shape)).astype(np.uint16)


# hardware

_HARDWARE_FIELDS = {
    "n_pea": st.integers(1, 64),
    "tile_k": st.integers(1, 256),
    "tile_n": st.integers(1, 16).map(lambda groups: 4 * groups),
    "n_dwo": st.integers(1, 16),
    "pea_latency_cycles": st.integers(0, 20),
    "wmem_bytes": st.integers(1, 1 << 20),
    "queue_depth": st.integers(1, 8),
    "interleave_bytes": st.integers(6, 16).map(lambda exponent: 1 << exponent),
    "w_dma_priority": st.integers(0, 3),
}


def hardware_settings() -> st.SearchStrategy[dict[str, object]]:
    """Draw valid values for some fields of the default machine (v stays 4)."""
    return st.fixed_dictionaries({}, optional=_HARDWARE_FIELDS)


# workload

_NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
_WIDTHS = [(4, 4), (8, 4), (8, 5), (8, 6), (12, 4)]
_SCALES = st.floats(1e-6, 1e3)


@st.composite
def gemm_layers(draw: st.DrawFn) -> GemmLayer:
    """Draw a small layer of any widths and shape, with or without scales for each row, bias and frequent slices."""
    m, k, n = (draw(st.integers(1, 9)) for _ in range(3))
    weight_bits = draw(st.sampled_from([4, 7, 10]))
    activation_bits, lo_bits = draw(st.sampled_from(_WIDTHS))
    limit, levels = 1 << (weight_bits - 1), 1 << activation_bits
    return GemmLayer(
        draw(_NAMES),
        draw(hnp.arrays("int16" if weight_bits > 8 else "int8", (m, k), elements=st.integers(-limit, limit - 1))),
        draw(hnp.arrays("uint16" if activation_bits > 8 else "uint8", (k, n), elements=st.integers(0, levels - 1))),
        draw(st.integers(0, levels - 1)),
        weight_bits,
        activation_bits,
        lo_bits,
        r=draw(st.none() | st.just("mode") | frequent_for(activation_bits, lo_bits)),
        dbs_offset=draw(st.sampled_from(DBS_OFFSETS)),
        weight_scale=draw(_SCALES | hnp.arrays(np.float64, m, elements=_SCALES)),
        activation_scale=draw(_SCALES),
        bias=draw(st.none() | hnp.arrays(np.float64, m, elements=st.floats(-1e3, 1e3))),
    )


@st.composite
def repeated_layers(draw: st.DrawFn, layers: st.SearchStrategy[GemmLayer] | None = None) -> GemmLayer:
    """Draw a layer of 2 to 4 products, each with operands, row scales and bias of its own.

    Operands of a product are those of another one in another order along K, so that vectors stay as they were drawn.
    """
    layer = draw(gemm_layers() if layers is None else layers)
    repeat, generator = draw(st.integers(2, 4)), _generator(draw)

    def several(array: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
        return np.stack([array, *(generator.permutation(array, axis) for _ in range(repeat - 1))])

    return replace(
        layer,
        weight=several(layer.weight, 1),
        activation=several(layer.activation, 0),
        weight_scale=several(layer.weight_scale, 0) if isinstance(layer.weight_scale, np.ndarray) else 0.01,
        bias=None if layer.bias is None else several(layer.bias, 0),
    )


def synthetic_recipes() -> st.SearchStrategy[dict[str, Any]]:
    """Draw arguments of `synthetic_layer` for small layers; rho is often exactly 0 or 1."""
    rho = st.sampled_from([0, 1]) | st.floats(0, 1)
    return st.builds(
        lambda widths, zero_point, **rest: {
            "activation_bits": widths[0],
            "lo_bits": widths[1],
            "zero_point": zero_point % (1 << widths[0]),
            **rest,
        },
        widths=st.sampled_from(_WIDTHS),
        zero_point=st.integers(0, 4095),
        M=st.integers(1, 20),
        K=st.integers(1, 20),
        N=st.integers(1, 20),
        rho_w=rho,
        rho_x=rho,
        seed=st.integers(0, 1 << 64),
        weight_bits=st.sampled_from([4, 7, 10]),
        v=st.sampled_from([1, 2, 4, 8]),
    )


# --- mapping -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Mapping:
    """A layer with up to a few tiles in each direction, a machine whose memories hold little, and a way to map it."""

    work: LayerWork
    hardware: Hardware
    order: str
    height: int


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    """Draw a mapping that fits; each memory holds anything from its largest tile to all tiles."""
    v, n_pea, tile_k = draw(st.sampled_from([1, 2])), draw(st.integers(1, 2)), draw(st.integers(1, 5))
    tile_n, height = v * draw(st.integers(1, 3)), draw(st.sampled_from([1, 2]))
    rows, depth, columns = (draw(st.integers(1, 5 * tile)) for tile in (v * n_pea, tile_k, tile_n))
    tiling = SlicedTiling(rows, depth, columns, v * n_pea, tile_k, tile_n, v)
    generator = _generator(draw)
    weight, activation = (
        generator.random((draw(st.integers(0, 2)), -(-lanes // v), depth)) < draw(_DENSITIES)
        for lanes in (rows, columns)
    )
    work = layer_work(tiling, SkipMasks(weight, activation))
    stacks = np.add.reduceat(work.weight.total, np.arange(0, tiling.m_tiles, height))
    sizes = {"wmem_bytes": stacks, "amem_bytes": work.activation.total, "psum_bytes": 4 * work.outputs}
    settings = {name: draw(st.integers(int(each.max()), int(each.sum()))) for name, each in sizes.items()}
    settings |= {"v": v, "n_pea": n_pea, "tile_k": tile_k, "tile_n": tile_n}
    settings["omem_bytes"] = settings["psum_bytes"] + 4 * int(work.outputs.max())
    return Mapping(work, with_settings(_PANACEA, settings), draw(st.sampled_from(LOOP_ORDERS)), height)


# --- machines ------------------------------------------------------------------------------------------------------
#
# Components are drawn in topological order and work in rounds: what is given in a round is taken in the same round,
# and queues and memories hold a round. Running round by round, component by component, then never gets stuck, so
# machines deadlock only where a memory is made smaller on purpose.


@dataclass(frozen=True)
class SplittingDevice:
    """An ideal device that grants at most `grant_bytes` at once, as one with rows does."""

    bus: IdealDevice
    grant_bytes: int

    def most_bytes(self, cycles: int) -> int:
        """Return what the bus can move."""
        return self.bus.most_bytes(cycles)

    def least_cycles(self, size_bytes: int) -> int:
        """Return what the bus needs at least."""
        return self.bus.least_cycles(size_bytes)

    def new_state(self) -> DeviceState:
        """Return the state of an untouched device at cycle 0."""
        return _SplittingState(self.bus.new_state(), self.grant_bytes)

    def flat(self) -> FlatDevice:
        """Return the numbers of the bus; that it splits is not among them."""
        return self.bus.flat()

    def events(self, state: Sequence[int], bursts: int, makespan_cycles: int) -> DeviceEvents:
        """Return what the bus counts: nothing."""
        return self.bus.events(state, bursts, makespan_cycles)


@dataclass(frozen=True)
class _SplittingState:
    bus: DeviceState
    grant_bytes: int

    def next_decision_cycle(self, earliest_request_cycle: int) -> int:
        return self.bus.next_decision_cycle(earliest_request_cycle)

    def choose(self, cycle: int, queue: Sequence[int], count: int) -> int:
        return self.bus.choose(cycle, queue, count)

    def serve(self, cycle: int, address: int, size_bytes: int, *, write: bool) -> Service:
        return self.bus.serve(cycle, address, min(size_bytes, self.grant_bytes), write=write)

    def events(self, bursts: int, makespan_cycles: int) -> DeviceEvents:
        return self.bus.events(bursts, makespan_cycles)


_STEPS = ("takes", "needs", "waits", "acquires", "releases", "puts", "gives")


@dataclass
class _Plan:
    """A component in the making: `first[r]` is its first firing in round r, `first[-1]` the number of firings."""

    number: int
    first: list[int]
    steps: dict[str, list[Any]]
    inputs: list[tuple[_Plan, IntArray]]  # a component, and how many of its firings each firing of this one needs

    @property
    def name(self) -> str:
        return f"c{self.number}"

    @property
    def firings(self) -> int:
        return self.first[-1]

    def rounds(self) -> IntArray:
        """Return the round of each firing."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


IDEAL_DEVICES: st.SearchStrategy[Device] = st.builds(IdealDevice, st.sampled_from([1, 3, 8, 16]), st.integers(0, 10))
SPLITTING_DEVICES: st.SearchStrategy[Device] = st.builds(SplittingDevice, IDEAL_DEVICES, st.integers(4, 40))


def numbered(firings: int) -> TileLabels:
    """Return labels whose tile row m is the number of the firing, because the trace knows tiles and not firings.

    The layer, one of two or none, and the other coordinates are as different as can be from firing to firing.
    """
    m = np.arange(firings, dtype=np.int64)
    return TileLabels(m % 3 - 1, m, m * 7 % 5 - 1, m * 3 % 4 - 1)


@st.composite
def machines(draw: st.DrawFn, devices: st.SearchStrategy[Device] = IDEAL_DEVICES) -> Description:
    """Draw a small machine with all that a description can hold; only a few of them deadlock."""
    kinds = [False] * draw(st.integers(1, 6)) + [True] * draw(st.integers(0, 3))
    posted = draw(st.permutations(kinds))
    rounds = draw(st.integers(1, 6))
    plans = [_draw_plan(draw, number, rounds) for number in range(len(posted))]
    queues: list[Queue] = []
    stores: list[Store] = []
    for plan in plans[1:]:
        for _ in range(draw(st.sampled_from([1, 2, 3, 0]))):
            producer = plans[draw(st.integers(0, plan.number - 1))]
            if draw(st.booleans()):
                queues.append(_draw_queue(draw, f"q{len(queues)}", producer, plan))
            else:
                stores.append(_draw_store(draw, f"s{len(stores)}", producer, plan))
    for plan, target in draw(st.lists(st.tuples(st.sampled_from(plans), st.sampled_from(plans)), max_size=3)):
        plan.steps["waits"].append(_draw_wait(draw, plan, target))
    memories = _draw_memories(draw, plans)
    alike = st.builds(lambda device, count: [device] * count, devices, st.integers(1, 4))
    channels = draw(alike | st.lists(devices, min_size=1, max_size=4)) if any(posted) else []
    components = [
        _draw_component(draw, plan, len(channels) if is_posted else 0)
        for plan, is_posted in zip(plans, posted, strict=True)
    ]
    ports = [
        Port(component.name, draw(st.integers(0, 2)), draw(st.integers(1, 4)))
        for component in components
        if component.posted
    ]
    lanes: list[Component] = []
    if queues and draw(st.sampled_from([False, True, True, True])):
        components, queues, lanes = _with_lanes(draw, components, queues)
    place = draw(st.integers(0, len(components)))
    components = draw(st.permutations(components))
    return Description(
        (*components[:place], *lanes, *components[place:]),
        tuple(queues),
        tuple(stores),
        tuple(memories),
        tuple(Channel(f"dram{number}", device) for number, device in enumerate(channels)),
        tuple(draw(st.permutations(ports))),
    )


def _pattern(draw: st.DrawFn, low: int, high: int, length: int) -> IntArray:
    """Draw up to five values and repeat them: an array that is cheap to draw and small when it fails."""
    return np.resize(np.array(draw(st.lists(st.integers(low, high), min_size=1, max_size=5)), np.int64), length)


def _draw_plan(draw: st.DrawFn, number: int, rounds: int) -> _Plan:
    first = [0, *np.cumsum(_pattern(draw, draw(st.sampled_from([1, 1, 0])), 3, rounds)).tolist()]
    return _Plan(number, first, {name: [] for name in _STEPS}, [])


def _draw_queue(draw: st.DrawFn, name: str, producer: _Plan, consumer: _Plan) -> Queue:
    """Join two components by a queue that holds the tokens of a round."""
    gives = np.zeros(producer.firings, np.int64)
    takes = np.zeros(consumer.firings, np.int64)
    wanted = _pattern(draw, 0, 4, len(producer.first) - 1)
    give_late, spread = draw(st.booleans()), draw(st.booleans())
    fullest = 1
    for number, tokens in enumerate(wanted.tolist()):
        giving = range(producer.first[number], producer.first[number + 1])
        taking = range(consumer.first[number], consumer.first[number + 1])
        count = min(tokens, len(giving)) if taking else 0
        gives[list(giving)[len(giving) - count :] if give_late else list(giving)[:count]] = 1
        for token in range(count):
            takes[taking[min(token, len(taking) - 1) if spread else -1]] += 1
        fullest = max(fullest, count)
    producer.steps["gives"].append(Give(name, gives))
    consumer.steps["takes"].append(Take(name, takes))
    given = np.concatenate([[0], np.flatnonzero(gives) + 1])
    consumer.inputs.append((producer, given[np.cumsum(takes)]))
    return Queue(name, draw(st.integers(fullest, 4)), draw(st.integers(0, 3)))


def _draw_store(draw: st.DrawFn, name: str, producer: _Plan, consumer: _Plan) -> Store:
    """Join two components by a store of which the consumer needs recent tokens, often the same one again."""
    there = np.array(producer.first[1:], np.int64)[consumer.rounds()]
    index = np.maximum(there - 1 - _pattern(draw, 0, 3, consumer.firings), NO_NEED)
    producer.steps["puts"].append(Put(name))
    consumer.steps["needs"].append(Need(name, index))
    consumer.inputs.append((producer, index + 1))
    return Store(name, draw(st.integers(0, 3)))


def _draw_wait(draw: st.DrawFn, plan: _Plan, target: _Plan) -> Wait:
    """Wait for firings of this round if the target comes before, and of earlier rounds if it does not."""
    over = np.array(target.first[1:] if target.number < plan.number else target.first[:-1], np.int64)
    return Wait(target.name, np.maximum(over[plan.rounds()] - _pattern(draw, 0, 4, plan.firings), 0))


def _draw_memories(draw: st.DrawFn, plans: list[_Plan]) -> list[Memory]:
    """Draw memories between any two components of which the second works on what the first has made."""
    pairs = [
        (acquirer, releaser, started)
        for acquirer in plans
        for releaser, started in zip(plans, _certainly_started(acquirer, plans), strict=True)
        if started.any()
    ]
    if not pairs:
        return []
    drawn = draw(st.lists(st.integers(0, len(pairs) - 1), max_size=3))
    shortage_bytes = draw(st.sampled_from([0, 0, 0, 0, 0, 10, 100]))
    return [
        _draw_memory(draw, f"mem{number}", *pairs[pair], shortage_bytes if number == 0 else 0)
        for number, pair in enumerate(drawn)
    ]


def _certainly_started(source: _Plan, plans: list[_Plan]) -> list[IntArray]:
    """Return for each firing of each component how many firings of `source` have certainly started before it."""
    started: list[IntArray] = []
    for plan in plans:
        count = np.arange(1, plan.firings + 1) if plan is source else np.zeros(plan.firings, np.int64)
        for producer, ended in plan.inputs:
            behind = np.concatenate([[0], started[producer.number]])
            count = np.maximum(count, behind[ended])
        started.append(np.maximum.accumulate(count))
    return started


def _draw_memory(
    draw: st.DrawFn, name: str, acquirer: _Plan, releaser: _Plan, started: IntArray, shortage_bytes: int
) -> Memory:
    """Draw what is acquired and when it is released, and make the memory hold a round but for the shortage."""
    sizes = _pattern(draw, 0, 40, acquirer.firings)
    earliest = np.searchsorted(started, np.arange(1, acquirer.firings + 1))
    sizes[earliest == releaser.firings] = 0  # nobody would release them
    at = np.minimum(earliest + _pattern(draw, 0, 2, acquirer.firings), releaser.firings - 1)
    releases = np.zeros(releaser.firings, np.int64)
    np.add.at(releases, at, sizes)
    acquirer.steps["acquires"].append(Acquire(name, sizes))
    releaser.steps["releases"].append(Release(name, releases))
    rounds = len(acquirer.first) - 1
    acquired = np.bincount(acquirer.rounds(), sizes, rounds).cumsum()
    released = np.bincount(releaser.rounds(), releases, rounds).cumsum()
    most = int((acquired - np.concatenate([[0], released[:-1]])).max())
    return Memory(name, max(int(sizes.max(initial=1)), most - shortage_bytes))


def _with_lanes(
    draw: st.DrawFn, components: list[Component], queues: list[Queue]
) -> tuple[list[Component], list[Queue], list[Component]]:
    """Put lanes side by side in the place of a queue, as the PEAs are between dispatcher and accumulator.

    Each lane passes on every token that the queue would have held, after as many firings as the others but with its own
    service. They are a section of the compiled engine unless the consumer takes several tokens together or posts.
    """
    takes_of = {take.queue: (part, take) for part in components for take in part.takes}
    single = [queue for queue in queues if _takes_single(*takes_of[queue.name])]
    queue = draw(st.sampled_from(single or queues))
    count = draw(st.integers(2, 5))
    ins, outs = ([f"{end}{lane}" for lane in range(count)] for end in ("in", "out"))
    tokens = sum(int(give.tokens.sum()) for part in components for give in part.gives if give.queue == queue.name)
    # Each token has a few firings: the first takes it, the last one gives it.
    spans = _pattern(draw, 1, 3, tokens)
    firings = int(spans.sum())
    takes, gives = np.zeros(firings, np.int64), np.zeros(firings, np.int64)
    takes[np.cumsum(spans) - spans] = gives[np.cumsum(spans) - 1] = 1
    lanes = [
        Component(
            f"lane{lane}",
            "test",
            firings,
            _pattern(draw, 0, 12, firings),
            takes=(Take(ins[lane], takes),),
            gives=(Give(outs[lane], gives),),
            **_shown(firings, lane),
        )
        for lane in range(count)
    ]
    capacity, latency_cycles = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    others = [each for each in queues if each is not queue]
    others += [Queue(name, capacity, latency_cycles) for name in ins]
    others += [replace(queue, name=name) for name in outs]
    return [_rejoined(part, queue.name, ins, outs) for part in components], others, lanes


def _takes_single(part: Component, take: Take) -> bool:
    return not part.posted and int(take.tokens.max(initial=0)) == 1


def _rejoined(part: Component, queue: str, ins: list[str], outs: list[str]) -> Component:
    """Return a component that gives to all queues `ins`, and takes from all of `outs`, where it used `queue`."""
    gives = [[replace(give, queue=name) for name in ins] if give.queue == queue else [give] for give in part.gives]
    takes = [[replace(take, queue=name) for name in outs] if take.queue == queue else [take] for take in part.takes]
    return replace(part, gives=tuple(chain.from_iterable(gives)), takes=tuple(chain.from_iterable(takes)))


def _actions(numbers: IntArray) -> tuple[Action, ...]:
    amounts = {"dwo_steps": numbers, "swo_steps": numbers % 7, "cs_steps": 3 * numbers}
    return tuple(action_of(name, "operator-cycles", each) for name, each in amounts.items())


def _shown(firings: int, number: int) -> dict[str, Any]:
    """Return what a component shows in the trace: tiles, and bytes or actions unless it has none."""
    numbers = np.arange(firings, dtype=np.int64)
    return {
        "labels": numbered(firings),
        "size_bytes": numbers * 11 % 64 if number % 3 else None,
        "actions": _actions(numbers) if number % 2 else (),
    }


def _draw_component(draw: st.DrawFn, plan: _Plan, channels: int) -> Component:
    steps: dict[str, Any] = {name: tuple(step) for name, step in plan.steps.items()}
    steps |= _shown(plan.firings, plan.number)
    if not channels:
        return Component(plan.name, "test", plan.firings, _pattern(draw, 0, 12, plan.firings), **steps)
    # Some streams post a few requests again and again.
    request = _pattern(draw, 0, 2, plan.firings) if draw(st.booleans()) else None
    requested = plan.firings if request is None else 3
    offsets = np.concatenate([[0], np.cumsum(_pattern(draw, 0, 3, requested))])
    parts = int(offsets[-1])
    # Streams meet at the same bytes, in part too, or keep to rows of their own.
    step_bytes = draw(st.sampled_from([16, 40, 64, 6400, 64 * 4096]))
    requests = Requests(
        offsets,
        channel=_pattern(draw, 0, channels - 1, parts),
        address=_pattern(draw, 0, 63, parts) * step_bytes,
        size_bytes=_pattern(draw, 1, 64, parts),
        write=_pattern(draw, 0, 1, parts),
        request=request,
    )
    return Component(plan.name, "test", plan.firings, requests=requests, **steps)


# --- output path ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class PostProcessing:
    """A post-processor, what it was made from, and accumulators for it.

    `pre_activation`, float64 [M, N], is the real number of each accumulator with its offset.
    """

    function: ActivationFunction
    output: ActivationQuantizer
    post_processor: PostProcessor
    accumulator: npt.NDArray[np.int64]
    pre_activation: npt.NDArray[np.float64]


@st.composite
def output_quantizers(draw: st.DrawFn) -> ActivationQuantizer:
    """Draw a quantizer whose scale suits every activation function."""
    bits = draw(st.sampled_from(ACTIVATION_BITS))
    scale = draw(st.sampled_from([1e-3, 0.05, 1.0]) | st.floats(1e-3, 10.0))
    zero_point = draw(st.sampled_from([0, (1 << bits) - 1]) | st.integers(0, (1 << bits) - 1))
    return ActivationQuantizer(scale, zero_point, bits, draw(lo_bits_for(bits)))


@st.composite
def post_processings(
    draw: st.DrawFn, functions: tuple[ActivationFunction, ...] = ACTIVATION_FUNCTIONS
) -> PostProcessing:
    """Draw a post-processor and accumulators from inside its range, from around it, and from the ends of int32."""
    output, function = draw(output_quantizers()), draw(st.sampled_from(functions))
    rows = draw(st.integers(1, 4))
    generator = _generator(draw)
    table = function_table(function, output)
    accumulator_scale = output.scale * 10.0 ** generator.uniform(-5, -1, rows)
    zero_point, bias = draw(st.integers(0, 255)), generator.normal(0.0, 1.0, rows)
    weight = generator.integers(-64, 64, (rows, 5))
    requantizer = requantizer_for(
        weight, accumulator_scale, 1.0, zero_point, bias, table.scale, table.zero_point, bits=table.bits
    )
    span = table.scale * (1 << table.bits)
    wanted = generator.uniform(-2 * span, 2 * span, (rows, 24)) * generator.choice([1e-4, 1e-2, 0.2, 1.0], (rows, 24))
    wanted = np.rint(wanted / accumulator_scale[:, None]).clip(-(2**31), 2**31 - 1)
    accumulator = np.hstack([wanted, np.tile([-(2.0**31), 2.0**31 - 1], (rows, 1))]).astype(np.int64)
    pre_activation = accumulator_scale[:, None] * (accumulator + requantizer.offset[:, None])
    return PostProcessing(function, output, PostProcessor(requantizer, table.codes), accumulator, pre_activation)


@st.composite
def layers_with_output(draw: st.DrawFn) -> GemmLayer:
    """Draw a small layer with real scales and the format of a next layer."""
    operands, output = draw(gemm_operands(max_rows=10, max_k=20)), draw(output_quantizers())
    generator = _generator(draw)
    rows = len(operands.weight)
    frequent = draw(st.none() | frequent_for(output.bits, output.lo_bits))
    return GemmLayer(
        draw(st.sampled_from(["first", "ffn1"])),
        operands.weight,
        operands.activation,
        operands.zero_point,
        operands.weight_bits,
        operands.activation_bits,
        operands.lo_bits,
        r=operands.frequent,
        dbs_offset=draw(st.sampled_from(DBS_OFFSETS)),
        weight_scale=generator.uniform(1e-3, 1e-2, rows),
        activation_scale=0.05,
        bias=generator.normal(0.0, 1.0, rows),
        output=OutputFormat(
            *(output.scale, output.zero_point, output.bits, output.lo_bits, frequent),
            draw(st.sampled_from(ACTIVATION_FUNCTIONS)),
        ),
    )


# --- simulations ---------------------------------------------------------------------------------------------------

_MACHINE_FIELDS = {
    "n_pea": st.integers(1, 3) | st.integers(1, 16),
    "n_dwo": st.integers(1, 8),
    "n_swo": st.integers(1, 8),
    "n_cs": st.integers(1, 8),
    "pea_latency_cycles": st.integers(0, 10),
    "accumulator_lanes": st.integers(1, 64),
    "ppu_lanes": st.integers(1, 64),
    "queue_depth": st.integers(1, 4),
    "codec_bytes_per_cycle": st.integers(1, 32),
    "sram_bytes_per_cycle": st.integers(1, 64),
    "omem_bytes_per_cycle": st.integers(1, 256),
    "dram_bytes_per_cycle": st.sampled_from([1, 3, 8, 32]),
    "dram_latency_cycles": st.integers(0, 60),
    "outstanding": st.integers(1, 4),
    "w_dma_priority": st.integers(0, 2),
    "x_dma_priority": st.integers(0, 2),
    "o_dma_priority": st.integers(0, 2),
    "s_dma_priority": st.integers(0, 2),
    "loop_order": st.sampled_from(LOOP_ORDERS),
    "dtp": st.sampled_from(["off", "on"]),
}
_PLENTY_BYTES = 1 << 24
_FEW_PEAS = st.sampled_from([1, 2, 4])
_ONE_IDEAL_CHANNEL: st.SearchStrategy[dict[str, object]] = st.just({})


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a small layer of any widths on a small machine whose memories hold as little as one tile, or anything."""
    operands = draw(gemm_operands(max_rows=14, max_k=40))
    settings = {name: draw(values) for name, values in _MACHINE_FIELDS.items()}
    tile_k = draw(st.just(operands.tile_k) | st.integers(4, 12))
    settings |= {"v": operands.v, "tile_k": tile_k, "tile_n": operands.v * draw(st.integers(1, 4))}
    layer = GemmLayer(
        "drawn",
        operands.weight,
        operands.activation,
        operands.zero_point,
        operands.weight_bits,
        operands.activation_bits,
        operands.lo_bits,
        r=operands.frequent,
        output=draw(_output_formats(settings)),
    )
    # Each memory holds the largest tile exactly, or a little more, or everything; OMEM behind the partial sums.
    slack_bytes = st.sampled_from([0, 0, 1, 100, _PLENTY_BYTES])
    settings |= {name: needed + draw(slack_bytes) for name, needed in _largest_tiles(layer, settings).items()}
    settings["omem_bytes"] += settings["psum_bytes"]
    return Scenario("drawn", layer, _PANACEA, settings)


@st.composite
def raw_scenarios(draw: st.DrawFn, drawn: st.SearchStrategy[Scenario]) -> Scenario:
    """Draw a scenario whose HO parts are raw where their code would be longer; memories hold these tiles too."""
    scenario = draw(drawn)
    settings: dict[str, Any] = {**scenario.settings, "raw_ho": "auto"}
    layers = [layer for layer in scenario.layers if isinstance(layer, GemmLayer)]
    needed = [_largest_tiles(layer, settings) for layer in layers]
    for name in needed[0]:
        settings[name] = max(settings[name], *(sizes[name] for sizes in needed))
    return replace(scenario, settings=settings)


@st.composite
def repeated_scenarios(draw: st.DrawFn) -> Scenario:
    """Draw a layer of several products on a machine as `scenarios` draws it."""
    scenario = draw(scenarios())
    assert isinstance(scenario.layer, GemmLayer)
    layer = draw(repeated_layers(st.just(scenario.layer)))
    sizes = {
        name: (needed, scenario.settings[name]) for name, needed in _largest_tiles(layer, scenario.settings).items()
    }
    settings = {name: max(needed, given) for name, (needed, given) in sizes.items()}
    settings["omem_bytes"] = max(settings["omem_bytes"], sizes["omem_bytes"][0] + settings["psum_bytes"])
    return replace(scenario, layer=layer, settings={**scenario.settings, **settings})


@st.composite
def _output_formats(draw: st.DrawFn, settings: dict[str, Any]) -> OutputFormat | None:
    """Draw a format for the next layer, or none; the machine cannot encode where T_K does not divide T_M."""
    if settings["n_pea"] * settings["v"] % settings["tile_k"] or draw(st.booleans()):
        return None
    bits, lo_bits = draw(st.sampled_from(_WIDTHS))
    return OutputFormat(draw(_SCALES), draw(st.integers(0, (1 << bits) - 1)), bits, lo_bits)


def _largest_tiles(layer: GemmLayer, settings: dict[str, Any]) -> dict[str, int]:
    """Return the bytes of the largest tile in each memory; with double-tile processing that of two weight tiles."""
    hardware = with_settings(_PANACEA, settings)
    work = panacea_work(layer, hardware)
    return _largest_bytes(work, {"off": 1, "on": 2}[settings["dtp"]])


def _largest_bytes(work: LayerWork, height: int) -> dict[str, int]:
    """Return the bytes of the largest tile in each memory, with stacks of `height` weight tiles."""
    products = np.split(work.weight.total, work.tiling.repeat)
    stacks = [np.add.reduceat(tiles, np.arange(0, len(tiles), height)).max() for tiles in products]
    return {
        "wmem_bytes": int(max(stacks)),
        "amem_bytes": int(work.activation.total.max()),
        "omem_bytes": 4 * int(work.outputs.max()),
        "psum_bytes": 4 * int(work.outputs.max()),
    }


@st.composite
def chains(
    draw: st.DrawFn,
    n_peas: st.SearchStrategy[int] = _FEW_PEAS,
    memories: st.SearchStrategy[dict[str, object]] = _ONE_IDEAL_CHANNEL,
) -> Scenario:
    """Draw one layer, or two of which the second reads what the first writes, on a machine that holds little.

    Every order, stack height and residency comes up, with partial sums that spill, fit or are not needed. `memories`
    are settings of the channels.
    """
    v, n_pea = draw(st.sampled_from([1, 2])), draw(n_peas)
    tile_m, tile_n = v * n_pea, v * draw(st.integers(1, 2))
    tile_k = draw(st.sampled_from([size for size in range(1, tile_m + 1) if tile_m % size == 0 and 4 * size >= tile_m]))
    rows, depth, columns = (draw(st.integers(1, 3 * tile)) for tile in (tile_m, tile_k, tile_n))
    shares = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0.0, 1.0)
    seed = draw(st.integers(0, 1000))
    layer = synthetic_layer(rows, depth, columns, draw(shares), draw(shares), seed, v=v, name="first")
    layers = (replace(layer, weight_scale=0.01, activation_scale=0.1),)
    if draw(st.booleans()):
        form, function = draw(output_quantizers()), draw(st.sampled_from(ACTIVATION_FUNCTIONS))
        output = OutputFormat(form.scale, form.zero_point, form.bits, form.lo_bits, function=function)
        first = replace(layers[0], output=output)
        limit = draw(st.sampled_from([8, 64]))
        weight = np.random.default_rng(seed).integers(-limit, limit, (draw(st.integers(1, 3 * tile_m)), rows))
        layers = (first, following(first, "second", weight.astype(np.int8)))
    settings = {name: draw(values) for name, values in _MACHINE_FIELDS.items()}
    settings |= {"v": v, "n_pea": n_pea, "tile_k": tile_k, "tile_n": tile_n} | draw(memories)
    needed = [_largest_tiles(layer, settings) for layer in layers]
    for name in needed[0]:
        settings[name] = max(sizes[name] for sizes in needed) + draw(st.sampled_from([0, 0, 8, 64, _PLENTY_BYTES]))
    settings["omem_bytes"] += settings["psum_bytes"]
    return Scenario("chain", layers, _PANACEA, settings)


@st.composite
def linked_programs(
    draw: st.DrawFn,
    n_peas: st.SearchStrategy[int] = _FEW_PEAS,
    memories: st.SearchStrategy[dict[str, object]] = _ONE_IDEAL_CHANNEL,
) -> Program:
    """Draw a program of up to four layers whose operands, weights too, need outputs of those before in any way.

    Layers are put into the graph in any order, and each has a mapping of its own. No values can travel: an operand
    that another layer makes lies at a place of its own. Most layers write their outputs in the formats that are read,
    the others densely; some have a vector stage behind them.
    """
    v, n_pea = draw(st.sampled_from([1, 2])), draw(n_peas)
    tiles = (v * n_pea, draw(st.integers(1, 4)), v * draw(st.integers(1, 2)))
    settings = {name: draw(values) for name, values in _MACHINE_FIELDS.items()}
    settings |= {"v": v, "n_pea": n_pea, "tile_k": tiles[1], "tile_n": tiles[2]} | draw(memories)
    settings["vector"] = draw(st.sampled_from(["fused", "unfused"]))
    # The largest tile of a stage has three inputs of two bytes.
    settings["vmem_bytes"] = 6 * tiles[0] * tiles[2] * draw(st.integers(1, 4)) + draw(st.integers(0, 5))
    names = draw(st.permutations(LINKED_LAYERS[: draw(st.integers(2, 4))]))
    layers = {
        name: MaskedLayer(
            name,
            *(draw(st.integers(1, 3 * tile)) for tile in tiles),
            0.5,
            0.5,
            7,
            repeat=draw(st.sampled_from([1, 1, 1, 2, 3])),
            sequential=draw(st.booleans()),
            weight_bits=draw(st.sampled_from([7, 7, *WEIGHT_BITS])),
            activation_bits=draw(st.sampled_from([8, 8, *ACTIVATION_BITS])),
        )
        for name in names
    }
    graph: LayerGraph = nx.DiGraph()
    for name in sorted(names):
        add_layer(graph, layers[name])
    for number in range(1, len(names)):
        for _ in range(draw(st.sampled_from([1, 2, 3, 0]))):
            producer, consumer = draw(st.sampled_from(names[:number])), names[number]
            add_link(graph, producer, consumer, draw(_links(layers[consumer], layers[producer])))
    formats = written_formats(graph, layers_in_order(graph), dict.fromkeys(names, 7))
    for name in sorted(names):
        if draw(st.integers(0, 3)):
            layers[name] = graph.nodes[name]["layer"] = replace(layers[name], formats=formats[name])
        stage = None if layers[name].sequential else draw(st.none() | _STAGES)
        feeds_stage = stage is not None or draw(st.integers(0, 5)) == 0
        layers[name] = graph.nodes[name]["layer"] = replace(layers[name], feeds_stage=feeds_stage, stage=stage)
    works = {name: panacea_work(layer, with_settings(_PANACEA, settings)) for name, layer in layers.items()}
    needed = [_largest_bytes(work, 2) for work in works.values()]
    for name in needed[0]:
        settings[name] = max(sizes[name] for sizes in needed) + draw(st.sampled_from([0, 0, 8, 64, _PLENTY_BYTES]))
    settings["omem_bytes"] += settings["psum_bytes"]
    hardware = with_settings(_PANACEA, settings)
    planned = []
    for name, work in reversed(works.items()):
        order, height = draw(st.sampled_from(LOOP_ORDERS)), draw(st.sampled_from([1, 2]))
        planned.append(plan_layer(name, work, hardware, order, height))
    return plan_program(hardware, planned, graph)


_STAGES = st.integers(2, 4).flatmap(
    lambda passes: st.builds(VectorStage, st.just(passes), st.integers(1, 3), st.booleans())
)

LINKED_LAYERS = ("first", "second", "third", "fourth")
"""The layers of `linked_programs`; any of them may come first."""


@st.composite
def _links(draw: st.DrawFn, consumer: MaskedLayer, producer: MaskedLayer) -> Link:
    """Draw a link between these layers: offsets and ranges may reach beyond both."""
    operand: Operand = draw(st.sampled_from(["x", "w"]))
    plain = Link(operand, features_on="k" if operand == "x" else draw(st.sampled_from(["k", "m"])))
    sizes = {"m": consumer.M, "n": consumer.N, "k": consumer.K}
    features, columns = sizes[plain.features_on], sizes[plain.columns_on]
    needs: Needs = draw(st.sampled_from(["same", "features", "all"]))
    if draw(st.booleans()):
        low = draw(hnp.arrays(np.int64, columns, elements=st.integers(-2, producer.N)))
        high = low + draw(hnp.arrays(np.int64, columns, elements=st.integers(0, 4)))
        needs = Columns(low, high, draw(st.integers(1, 4)))
    return replace(
        plain,
        needs=needs,
        feature_offset=draw(_offsets(-features, producer.repeat * producer.M, consumer.repeat)),
        column_offset=draw(_offsets(-columns, producer.N, consumer.repeat)),
        feature_span=draw(_spans(features)),
        column_span=draw(_spans(columns)),
        features=draw(_spans(producer.repeat * producer.M)),
    )


def _offsets(lowest: int, highest: int, repeat: int) -> st.SearchStrategy[Offset]:
    """Draw one offset for all products, or one for each."""
    each = st.integers(lowest, highest)
    return st.just(0) | each | st.lists(each, min_size=repeat, max_size=repeat).map(tuple)


@st.composite
def _spans(draw: st.DrawFn, size: int) -> tuple[int, int] | None:
    """Draw a range below `size`, mostly none: with three of them on a link hardly anything would be needed."""
    if draw(st.integers(0, 3)) < 3:
        return None
    first, end = sorted(draw(st.tuples(st.integers(0, size), st.integers(0, size))))
    return first, end


_CHANNELS: st.SearchStrategy[dict[str, object]] = st.fixed_dictionaries(
    {
        "dram": st.sampled_from([IDEAL, *list_devices()]),
        "dram_channels": st.integers(1, 4),
        "dram_map": st.sampled_from(["bank_group_low", "column_low"]),
        "dram_policy": st.sampled_from(["fcfs", "fr_fcfs"]),
        "dram_page": st.sampled_from(["open", "closed"]),
        "dram_age_cap_cycles": st.sampled_from([1, 100, 10_000]),
        "interleave_bytes": st.sampled_from([64, 256, 1024]),
        "clock_hz": st.sampled_from([1_000_000_000, 200_000_000, 1_333_333_000]),
    }
)

programs = chains(st.sampled_from([1, 2, 3, 4, 6, 8, 16]) | st.integers(1, 16), _CHANNELS)
"""Whole machines at work as `chains` draws them, with up to 16 PEAs and channels of every device."""

any_linked_programs = linked_programs(st.integers(1, 8), _CHANNELS)
"""Programs as `linked_programs` draws them, with up to 8 PEAs and channels of every device."""


# --- rivals --------------------------------------------------------------------------------------------------------

_FEW = st.integers(1, 4)
_PEA_FIELDS = {
    "n_pea": _FEW,
    "v": st.sampled_from([1, 2, 4]),
    "n_operators": st.integers(1, 5),
    "pea_latency_cycles": st.integers(0, 3),
    "sram_bytes_per_cycle": st.sampled_from([1, 4, 64]),
    "tile_k": st.integers(1, 20),
}
_RIVAL_FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "sa_os": {"array_rows": _FEW, "tile_n": _FEW, "tile_k": st.integers(1, 6)},
    "sa_ws": {"array_columns": _FEW, "tile_k": _FEW, "tile_n": st.integers(1, 6)},
    "simd": _PEA_FIELDS,
    "bitfusion": _PEA_FIELDS,
    "sibia": _PEA_FIELDS
    | {"codec_bytes_per_cycle": st.sampled_from([1, 3, 32]), "raw_ho": st.sampled_from(["off", "auto"])}
    | {"single_slices": st.sampled_from(["off", "on"])},
}
RIVALS = tuple(_RIVAL_FIELDS)
"""The machines beside `panacea`."""
ABLATED = ("panacea_dense", "panacea_zero")
"""Those that are `panacea` without some of its steps."""


@st.composite
def rival_scenarios(draw: st.DrawFn, machine: str) -> Scenario:
    """Draw a layer of any widths, one of several products, or two layers of a chain, on a small machine of this kind.

    Memories hold anything from the largest tile on, in every loop order, on channels of every device.
    """
    settings = {name: draw(values) for name, values in _RIVAL_FIELDS[machine].items()}
    if "v" in settings:
        settings["tile_n"] = settings["v"] * draw(st.integers(1, 3))
    shared = ("loop_order", "queue_depth", "outstanding", "residency")
    settings |= {name: draw(_MACHINE_FIELDS[name]) for name in shared if name in _MACHINE_FIELDS} | draw(_CHANNELS)
    layers: tuple[GemmLayer, ...] = (_of_usual_scales(draw, draw(gemm_layers() | repeated_layers())),)
    if layers[0].repeat == 1 and draw(st.booleans()):
        layers = _read_by_another(draw, layers[0])
    hardware = load_hardware(machine, settings)
    kind = machine_of(hardware)
    works = [kind.work(kind.own(layer), hardware, None) for layer in layers]
    needed = [_largest_bytes(work, 1) for work in works]
    for name in needed[0]:
        settings[name] = max(sizes[name] for sizes in needed) + draw(st.sampled_from([0, 0, 8, 64, _PLENTY_BYTES]))
    settings["omem_bytes"] += settings["psum_bytes"]
    return Scenario("rival", layers, machine, settings)


@st.composite
def ablated_scenarios(draw: st.DrawFn, machine: str) -> Scenario:
    """Draw a program as `programs` does, on Panacea without what makes it one; memories hold its larger tiles too."""
    scenario = draw(programs)
    hardware = from_mapping(with_settings(_PANACEA, scenario.settings).model_dump() | {"machine": machine})
    kind = machine_of(hardware)
    works = [kind.work(kind.own(layer), hardware, None) for layer in scenario.layers if isinstance(layer, GemmLayer)]
    needed = [_largest_bytes(work, kind.heights(hardware)[0]) for work in works]
    settings = {name: max(getattr(hardware, name), *(sizes[name] for sizes in needed)) for name in needed[0]}
    settings["omem_bytes"] += settings["psum_bytes"]
    return replace(scenario, hardware=with_settings(hardware, settings), settings={})


def _of_usual_scales(draw: st.DrawFn, layer: GemmLayer) -> GemmLayer:
    """Return the layer with scales and bias that outputs of 8 bits can follow."""
    scale = layer.weight_scale
    if isinstance(scale, np.ndarray):
        scale = _generator(draw).uniform(0.005, 0.02, scale.shape)
    return replace(layer, weight_scale=0.01 if isinstance(scale, float) else scale, activation_scale=0.1, bias=None)


def _read_by_another(draw: st.DrawFn, layer: GemmLayer) -> tuple[GemmLayer, GemmLayer]:
    """Return the layer and one that reads its outputs."""
    bits, lo_bits = draw(st.sampled_from(_WIDTHS))
    form = OutputFormat(draw(st.sampled_from([0.01, 0.3])), draw(st.integers(0, (1 << bits) - 1)), bits, lo_bits)
    first = replace(layer, name="first", output=form)
    weight = _generator(draw).integers(-64, 64, (draw(st.integers(1, 9)), layer.M)).astype(np.int8)
    return first, following(first, "second", weight)


# --- dram ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ask:
    """A request of a DRAM channel, `wait_cycles` after the one before; with less `priority` it goes first."""

    wait_cycles: int
    address: int
    size_bytes: int
    write: bool
    priority: int = 0


@st.composite
def crowds(draw: st.DrawFn, device: DramDevice) -> list[Ask]:
    """Draw requests that wait together for the same bytes, around the ends of two rows of one bank."""
    found = []
    row_bytes = device.row_bytes * device.bank_groups
    for _ in range(draw(st.integers(2, 12))):
        end = draw(st.sampled_from([1, 1, 1 + device.banks_per_group])) * row_bytes
        offset = draw(st.integers(-3, 3)) * device.burst_bytes + draw(st.sampled_from([0, 0, 1, -8]))
        size_bytes = draw(st.sampled_from([1, 8, device.burst_bytes, 2 * device.burst_bytes, 5 * device.burst_bytes]))
        wait_cycles = draw(st.sampled_from([0, 0, 0, 1, 20, 300]))
        found.append(Ask(wait_cycles, end + offset, size_bytes, draw(st.booleans()), draw(st.integers(0, 2))))
    return found


@st.composite
def asks(draw: st.DrawFn, device: DramDevice) -> list[Ask]:
    """Draw requests to a few rows and banks, of one burst to several rows, soon or long after one another."""
    found = []
    for _ in range(draw(st.integers(1, 8))):
        region = draw(st.integers(0, 2)) * device.row_bytes * device.bank_groups * device.banks_per_group
        region += draw(st.integers(0, 1)) * device.row_bytes * device.bank_groups
        address = region + draw(st.integers(0, device.row_bytes * device.bank_groups - 1))
        bursts = draw(st.sampled_from([1, 1, 2, 3, 5, 9, 40, 300]))
        size_bytes = max(1, bursts * device.burst_bytes - draw(st.integers(0, device.burst_bytes - 1)))
        wait_cycles = draw(st.sampled_from([0, 0, 1, 7, 30, 100, device.refi_cycles, 3 * device.refi_cycles + 5]))
        found.append(Ask(wait_cycles, address, size_bytes, draw(st.booleans())))
    return found


def _busy_refresher(device: DramDevice) -> DramDevice:
    """Return the device with refreshes so short and frequent that small machines see many of them."""
    return device.model_copy(update={"rfc_cycles": 30, "refi_cycles": 60 + device.rc_cycles})


_DRAM_DEVICES = [dram_device(name, "device") for name in list_devices()]

BANKED_DEVICES: st.SearchStrategy[Device] = st.builds(
    lambda device, clock_hz, **choices: BankedDevice(dram_params(device, clock_hz, **choices)),
    st.sampled_from([*_DRAM_DEVICES, *map(_busy_refresher, _DRAM_DEVICES)]),
    st.sampled_from([1_000_000_000, 200_000_000, 1_333_333_000]),
    address_map=st.sampled_from(["bank_group_low", "column_low"]),
    policy=st.sampled_from(["fcfs", "fr_fcfs"]),
    page=st.sampled_from(["open", "closed"]),
    age_cap_cycles=st.sampled_from([1, 100, 10_000]),
)


# --- trace ---------------------------------------------------------------------------------------------------------

TRACED_COMPONENTS = ("w_dma", "pea0", "pea1", "dram0")
TRACED_LAYERS = ("first", "second")
TRACED_ACTIONS = ("dwo_steps", "swo_steps", "cs_steps")
_CAUSES = ("q_w", "q_x", "WMEM", "dram0:row")


@st.composite
def activity_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw the rows of activities of a few components, in the order of the file, at least one."""
    rows = []
    for component in draw(st.lists(st.sampled_from(TRACED_COMPONENTS), min_size=1, unique=True)):
        cycle = draw(st.integers(0, 30))
        for _ in range(draw(st.integers(1, 12))):
            state = draw(st.sampled_from(list(State)))
            is_stall = state not in {State.BUSY, State.IDLE}
            end = cycle + draw(st.integers(1, 9))
            rows.append(
                {
                    "component": component,
                    "state": str(state),
                    "start_cycle": cycle,
                    "end_cycle": end,
                    "layer": draw(st.sampled_from(["", *TRACED_LAYERS])),
                    **{axis: draw(st.integers(NO_TILE, 2)) for axis in ("m", "n", "k")},
                    "cause": draw(st.sampled_from(_CAUSES)) if is_stall else "",
                    "cause_component": draw(st.sampled_from(["", *TRACED_COMPONENTS])) if is_stall else "",
                    "bytes": draw(st.integers(0, 64)),
                    **{name: draw(st.integers(0, 64)) for name in TRACED_ACTIONS},
                }
            )
            cycle = end + draw(st.sampled_from([0, 0, 4]))
    return rows


@st.composite
def trace_selections(draw: st.DrawFn, rows: Sequence[dict[str, Any]]) -> Selection:
    """Draw a selection that names only what these rows of activities have, and cycles that they cover."""

    def some(*names: str) -> tuple[str, ...]:
        return tuple(draw(st.lists(st.sampled_from(names), max_size=2))) if names else ()

    first, end = min(row["start_cycle"] for row in rows), max(row["end_cycle"] for row in rows)
    begin = draw(st.none() | st.integers(0, end - 1))
    axis = st.none() | st.integers(0, 2)
    return Selection(
        some(*TRACED_COMPONENTS, "pea*", "?_dma", "[dp]*"),
        some(*State, STALL, "b*"),
        some(*sorted({row["cause"] for row in rows} - {""})),
        some(*TRACED_LAYERS, "*"),
        draw(st.tuples(axis, axis, axis) | st.just((None, None, None))),
        begin,
        draw(st.none() | st.integers(max(first, begin or 0) + 1, end + 5)),
    )
