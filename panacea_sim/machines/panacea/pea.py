"""A PE array: its timing array, and its arithmetic on slices.

A PEA has DWOs for products with HO slices, SWOs for LO x LO products and a CS for the compensation; docs/model.md,
chapter "Work of a tile", gives the counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np

from panacea_sim.description.actions import Action
from panacea_sim.description.component import Component
from panacea_sim.description.steps import Give, Take
from panacea_sim.errors import InvariantError
from panacea_sim.machines.panacea.dispatcher import PeaTile
from panacea_sim.machines.panacea.settings import PanaceaHardware, panacea_hardware
from panacea_sim.machines.panacea.work import PanaceaWork, panacea_work
from panacea_sim.machines.shared.costs import compensation_costs, outer_product_costs
from panacea_sim.machines.shared.dealer import pea_queue, sum_queue
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.tile_format import SlicedTile
from panacea_sim.matmul import finite_tensordot
from panacea_sim.units import IntArray, ceil_div, signed_type
from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = [
    "MOST_HO_SLICES",
    "OPERATORS",
    "PeaWork",
    "PeaWorker",
    "activation_factors",
    "pe_arrays",
    "pea_work",
    "settle_steps",
    "step_totals",
    "unplanned_work",
    "weight_factors",
    "widest_steps",
]

OPERATORS = ("dwo", "swo", "cs")
"""The kinds of operators in a PEA."""


MOST_HO_SLICES = 2
"""HO slices of 10-bit weights, or of 12-bit activations."""


@dataclass(frozen=True, eq=False)
class PeaWork:
    """The steps of every firing of every PEA, [stack, PEA, n, k], and the cycles that they take.

    With double-tile processing the DWOs may take over static work of the second tile: it is counted in `dwo`.
    """

    dwo: IntArray
    swo: IntArray
    cs: IntArray
    cycles: IntArray


def pea_work(work: PanaceaWork, hardware: PanaceaHardware, height: int) -> PeaWork:
    """Return what the PEAs do for stacks of `height` tiles (docs/model.md, double-tile processing).

    A firing takes as long as its busiest operator. For two tiles, T cycles are enough if the DWOs can take over as much
    of the second tile's static work as the SWOs leave: the least such T is the greatest of the lower bounds below. The
    same work is computed once.
    """
    known, key = _known_works.setdefault(work, {}), _key(hardware, height)
    if key not in known:
        if work.has_many_steps:
            known.clear()
        known[key] = _pea_work(work, hardware, height)
    return known[key]


def step_totals(work: PanaceaWork, hardware: PanaceaHardware, height: int, runs: int = 1) -> dict[str, IntArray]:
    """Return the steps of each kind of operator, [run, PEA], over all firings of each run: summed once for all PEAs.

    The stacks of the runs follow each other, as many in each.
    """
    known, key = _known_totals.setdefault(work, {}), (*_key(hardware, height), runs)
    if key not in known:
        steps = pea_work(work, hardware, height)
        by_run = {name: getattr(steps, name).reshape(runs, -1, *steps.dwo.shape[1:]) for name in OPERATORS}
        # Stored in the order n, k, stack, PEA: to add up in two steps is several times as fast.
        known[key] = {name: each.sum((3, 4), dtype=np.int64).sum(1) for name, each in by_run.items()}
    return known[key]


def settle_steps(work: PanaceaWork, hardware: PanaceaHardware, height: int) -> None:
    """Keep only the totals of a large layer that is planned: its steps are computed again if a trace wants them."""
    if work.has_many_steps:
        step_totals(work, hardware, height)
        _known_works.pop(work, None)
        work.forget_steps()


def _key(hardware: PanaceaHardware, height: int) -> tuple[int, ...]:
    return hardware.n_dwo, hardware.n_swo, hardware.n_cs, height


_known_totals: WeakKeyDictionary[PanaceaWork, dict[tuple[int, ...], dict[str, IntArray]]] = WeakKeyDictionary()

_known_works: WeakKeyDictionary[PanaceaWork, dict[tuple[int, ...], PeaWork]] = WeakKeyDictionary()


def _pea_work(work: PanaceaWork, hardware: PanaceaHardware, height: int) -> PeaWork:
    # Static work and compensation are broadcast where all PEAs have rows; so are the steps that follow from them.
    by_product = (_by_product(steps, work.tiling) for steps in (work.dwo, work.swo, work.cs))
    dwo, swo, cs = (_unrepeated(steps, height) for steps in by_product)
    kind = _timing_type([height * int(steps.max()) for steps in (dwo, swo, cs)], hardware)
    dynamic, static, compensation = (_stack_sums(steps, height, kind) for steps in (dwo, swo, cs))
    own_static = swo[:, ::height].astype(kind, copy=False)
    cycles = np.maximum(
        _quotient_up(dynamic, hardware.n_dwo),
        np.maximum(_quotient_up(compensation, hardware.n_cs), _quotient_up(own_static, hardware.n_swo)),
    )
    if height > 1:
        np.maximum(cycles, _quotient_up(dynamic + static, hardware.n_dwo + hardware.n_swo), out=cycles)
        taken_over = np.maximum(static - cycles * hardware.n_swo, 0)
        dynamic += taken_over
        static = static - taken_over
    whole = (work.tiling.repeat, work.tiling.stacks(height), *work.dwo.shape[1:])
    broadcast = (np.broadcast_to(steps, whole) for steps in (dynamic, static, compensation, cycles))
    return PeaWork(*(steps.reshape(-1, *whole[2:]) for steps in broadcast))


def _by_product(steps: IntArray, tiling: SlicedTiling) -> IntArray:
    """Return steps [m, PEA, n, k] over all products as [product, m, PEA, n, k]: a view."""
    return steps.reshape(tiling.repeat, tiling.m_tiles, *steps.shape[1:])


def _timing_type(most: Sequence[int], hardware: PanaceaHardware) -> type[np.signedinteger]:
    """Return the smallest type in which nothing that `_pea_work` computes overflows, from the most steps of a stack."""
    operators = (hardware.n_dwo, hardware.n_swo, hardware.n_cs)
    most_cycles = max(ceil_div(steps, count) for steps, count in zip(most, operators, strict=True))
    return signed_type(max(sum(most) + sum(operators), most_cycles * hardware.n_swo))


def widest_steps(hardware: PanaceaHardware) -> type[np.signedinteger]:
    """Return the type in which the steps of every layer can be kept, stacked or not."""
    tiles = 2 * hardware.tile_k * (hardware.tile_n // hardware.v)
    most = MOST_HO_SLICES * (MOST_HO_SLICES + 1) + MOST_HO_SLICES
    return _timing_type([tiles * most, tiles, tiles * MOST_HO_SLICES], hardware)


def _unrepeated(steps: IntArray, height: int) -> IntArray:
    """Return a view with length 1 where the array is only broadcast, but all its tiles where they are to be stacked."""
    stacked = 1 if height > 1 else None
    kept = [slice(None) if stride or axis == stacked else slice(1) for axis, stride in enumerate(steps.strides)]
    view: IntArray = steps[tuple(kept)]
    return view


def _stack_sums(steps: IntArray, height: int, kind: type[np.signedinteger]) -> IntArray:
    """Return the sums over the tiles of each stack, in the memory order of `steps` [product, m, PEA, n, k]."""
    sums: IntArray = steps[:, ::height].astype(kind, copy=height > 1)
    for place in range(1, height):
        upper = steps[:, place::height]
        sums[:, : upper.shape[1]] += upper
    return sums


def _quotient_up(dividend: IntArray, divisor: int) -> IntArray:
    quotient = dividend + (divisor - 1)
    quotient //= divisor
    return quotient


def pe_arrays(program: Program) -> list[Component]:
    """Return the PEAs, in order.

    They keep the partial sums of a visit and give them away at its end, those of the lowest m first.
    """
    hardware = panacea_hardware(program.hardware)
    task_cycles = program.joined(lambda layer: _layer_cycles(program, layer))
    steps = _Steps(program)
    return [_pe_array(program, pea, task_cycles[:, pea], steps) for pea in range(hardware.n_pea)]


def work_on_peas(program: Program, layer: PlannedLayer) -> PeaWork:
    """Return what the PEAs do for a layer of the program."""
    return pea_work(panacea_work(layer.plan.work), panacea_hardware(program.hardware), layer.plan.height)


def _layer_cycles(program: Program, layer: PlannedLayer) -> IntArray:
    plan = layer.plan
    cycles = work_on_peas(program, layer).cycles
    in_memory_order = cycles.transpose(2, 3, 0, 1).reshape(-1, cycles.shape[1])
    of_task: IntArray = in_memory_order[_memory_place(cycles, plan.tasks.stack, plan.tasks.n, plan.tasks.k)]
    return of_task


def _memory_place(steps: IntArray, stack: IntArray, n: IntArray, k: IntArray) -> IntArray:
    """Return where tasks stand in steps or cycles [stack, PEA, n, k], whose order in memory is n, k, stack."""
    stacks, _, _, k_tiles = steps.shape
    place: IntArray = (n * k_tiles + k) * stacks + stack
    return place


def _pe_array(program: Program, pea: int, service_cycles: IntArray, steps: _Steps) -> Component:
    """Return the PEA with this number, which serves each task for the given cycles."""
    queue, v = sum_queue(pea), panacea_hardware(program.hardware).v
    actions = tuple([steps.action(pea, operator) for operator in OPERATORS])
    dwo, swo, cs = actions
    return Component(
        f"pea{pea}",
        "compute",
        len(service_cycles),
        service_cycles=service_cycles,
        takes=(Take(pea_queue(pea), program.one_per_task),),
        gives=tuple([Give(queue, tokens) for tokens in program.sums_given]),
        labels=program.task_labels,
        role="compute",
        group="pea",
        actions=actions,
        costs=(*outer_product_costs(dwo, v), *outer_product_costs(swo, v), *compensation_costs(cs, v)),
    )


_Places: TypeAlias = tuple[int, int, PlannedLayer, IntArray]
"""Tasks of one layer: the first, the one behind the last, the layer, and where each stands in its steps in memory."""


class _Steps:
    """The steps of the operators of all PEAs, as actions; what they add up to is found once, when somebody asks."""

    def __init__(self, program: Program) -> None:
        self._program = program
        hardware = panacea_hardware(program.hardware)
        self._per_cycle = {"dwo": hardware.n_dwo, "swo": hardware.n_swo, "cs": hardware.n_cs}
        self._known: dict[int, dict[str, list[list[int]]]] = {}
        self._last_places: tuple[IntArray, list[_Places]] | None = None

    def action(self, pea: int, operator: str) -> Action:
        """Return the steps of one kind of operator on a PEA as an action."""
        return Action(
            f"{operator}_steps",
            "operator-cycles",
            lambda firing: self._amounts(pea, operator, firing),
            lambda runs: self._totals(runs)[operator][pea],
            self._per_cycle[operator],
        )

    def _amounts(self, pea: int, operator: str, firing: IntArray) -> IntArray:
        """Return the steps of one kind of operator in these tasks on one PEA."""
        steps = np.empty(len(firing), np.int64)
        for first, end, layer, places in self._places(firing):
            of_pea = getattr(work_on_peas(self._program, layer), operator)[:, pea]
            steps[first:end] = of_pea.transpose(1, 2, 0).reshape(-1)[places]
        return steps

    def _places(self, firing: IntArray) -> list[_Places]:
        """Return where the steps of tasks stand; of all operators of a PEA the same tasks are asked for in turn."""
        if self._last_places is None or self._last_places[0] is not firing:
            self._last_places = firing, list(_places(self._program, firing))
        return self._last_places[1]

    def _totals(self, runs: int) -> dict[str, list[list[int]]]:
        """Return the steps of each kind of operator on each PEA, over all firings of each run."""
        if runs not in self._known:
            hardware = panacea_hardware(self._program.hardware)
            plans = [layer.plan for layer in self._program.layers]
            of_layers = [step_totals(panacea_work(plan.work), hardware, plan.height, runs) for plan in plans]
            sums = {name: np.sum([each[name] for each in of_layers], 0) for name in OPERATORS}
            self._known[runs] = {name: each.T.tolist() for name, each in sums.items()}
        return self._known[runs]


def _places(program: Program, firing: IntArray) -> Iterator[_Places]:
    labels = program.task_labels
    layer, stack_m, n, k = (column[firing] for column in (labels.layer, labels.m, labels.n, labels.k))
    # Firings of one layer follow each other.
    starts = np.flatnonzero(np.diff(layer, prepend=-1)).tolist()
    for first, end in pairwise([*starts, len(firing)]):
        planned = program.layers[layer[first]]
        stack = planned.plan.work.tiling.stack_of(stack_m[first:end], planned.plan.height)
        places = _memory_place(work_on_peas(program, planned).cycles, stack, n[first:end], k[first:end])
        yield first, end, planned, places


class PeaWorker:
    """Multiplies the stored slices of its row groups and compensates for the activation vectors that were skipped.

    It adds up W @ (x_HO * J) - r * W @ J for every HO slice, and W @ x_LO; the rest of the compensation is folded into
    the bias off line. The work that it finds in the slices must be the work that its timing was computed from.
    """

    def __init__(self, program: Program, layers: Sequence[GemmLayer], pea: int) -> None:
        self._pea = pea
        self._labels = program.task_labels
        self._works = [panacea_work(layer.plan.work) for layer in program.layers]
        self._given = program.sums_given
        self._weight_factors = [weight_factors(layer) for layer in layers]
        self._activation_factors = [activation_factors(layer) for layer in layers]
        self._sums: list[IntArray | None] = []

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the sums [v, columns] of each tile in the stack at the end of a visit, and nothing before that.

        A PEA without rows in a tile gives None.
        """
        tiles: list[PeaTile | None] = inputs[0][0]
        number = self._labels.layer[firing]
        factors = self._weight_factors[number], self._activation_factors[number]
        products = [None if tile is None else _outer_products(tile, *factors) for tile in tiles]
        for place, tile in enumerate(tiles):
            if tile is not None:
                self._check_work(firing, place, tile)
        if self._sums:
            products = [
                new if old is None or new is None else old + new for old, new in zip(self._sums, products, strict=True)
            ]
        ends_visit = bool(self._given[0][firing])
        self._sums = [] if ends_visit else products
        given = products if ends_visit else []
        return [*given, *[None] * (len(self._given) - len(given))]

    def _check_work(self, firing: int, place: int, tile: PeaTile) -> None:
        labels = self._labels
        work = self._works[labels.layer[firing]]
        at = (labels.m[firing] + place, self._pea, labels.n[firing], labels.k[firing])
        weight_stored = tile.stored.sum(0)
        activation_stored = tile.activation.stored.sum((0, 1))
        groups, depth, _ = tile.activation.lo.shape
        compensation = int(activation_stored.sum())
        dynamic = int(weight_stored @ activation_stored + groups * weight_stored.sum()) + compensation
        found = (dynamic, depth * groups, compensation)
        planned = (int(work.dwo[at]), int(work.swo[at]), int(work.cs[at]))
        if found != planned:
            raise unplanned_work(self._pea, (int(at[0]), int(at[2]), int(at[3])), found, planned)


def unplanned_work(
    pea: int, tile: tuple[int, int, int], found: Sequence[int], planned: Sequence[int]
) -> InvariantError:
    """Return the error of a PEA whose DWO, SWO and CS steps in a tile (m, n, k) are not those of its timing."""
    return InvariantError(
        f"pea{pea} found {tuple(found)} DWO, SWO and CS steps in tile m, n, k = {', '.join(map(str, tile))}, "
        f"but its timing was computed from {tuple(planned)}"
    )


def weight_factors(layer: GemmLayer) -> IntArray:
    """Return the factors of LO and of each HO slice of the weights."""
    return np.array([1, *layer.weight_slices.ho_factors])


def activation_factors(layer: GemmLayer) -> IntArray:
    """Return the factors of x_LO, of each stored HO slice and of each J."""
    slices = layer.activation_slices
    compensation = [-r * factor for r, factor in zip(layer.frequent, slices.ho_factors, strict=True)]
    return np.array([slices.lo_factor, *slices.ho_factors, *compensation])


def _outer_products(tile: PeaTile, weight_factors: IntArray, activation_factors: IntArray) -> IntArray:
    """Return the weighted sum over all pairs of a weight slice and an activation operand, [v, columns]."""
    weight = np.concatenate([tile.lo[None], tile.ho * tile.stored[..., None]])
    activation = _operands(tile.activation)
    # One product for all pairs; whole numbers far below 2^53, so floating point is exact.
    pairs = finite_tensordot(weight.astype(np.float64), activation.astype(np.float64), 1, 1)
    sums: IntArray = np.einsum("a,avbn,b->vn", weight_factors, pairs, activation_factors).astype(np.int64)
    return sums


def _operands(tile: SlicedTile) -> np.ndarray:
    """Return x_LO, the stored HO slices and the masks J of a tile, each [K, columns]."""
    stored = np.broadcast_to(tile.stored[..., None], tile.ho.shape)
    operands = np.concatenate([tile.lo[None], tile.ho * stored, stored])
    slices, groups, depth, v = operands.shape
    return operands.swapaxes(1, 2).reshape(slices, depth, groups * v)
