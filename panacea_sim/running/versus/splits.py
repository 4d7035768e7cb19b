"""The split of operators among kinds that suits a workload best, and what no split can be below."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panacea_sim.hardware.config import Hardware, with_settings
from panacea_sim.hardware.knobs import Split, declarations
from panacea_sim.machines.machine import machine_of
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.mapping_class import masked_class
from panacea_sim.running.prepare import work_of
from panacea_sim.workload.layer import AnyLayer, loaded
from panacea_sim.workload.masked_layer import MaskedLayer

__all__ = ["PooledBound", "best_splits", "pooled_bound", "split_text", "splits_of"]


@dataclass(frozen=True)
class PooledBound:
    """Cycles of a workload if every operator could do all work: of everything, and of computing alone."""

    cycles: int
    compute_cycles: int


def splits_of(hardware: Hardware) -> list[Hardware]:
    """Return the machine with every other split of its operators; none where they are of one kind."""
    return [
        with_settings(hardware, trial.settings)
        for each in declarations(type(hardware))
        if isinstance(each.knob, Split)
        for trial in each.knob.trials(each.field, hardware)
    ]


def split_text(hardware: Hardware) -> str:
    """Return the split of the operators, as 4:8; nothing where they are of one kind."""
    fields = [each.field for each in declarations(type(hardware)) if isinstance(each.knob, Split)]
    return ":".join(str(getattr(hardware, field)) for field in fields)


def best_splits(layers: Sequence[AnyLayer], hardware: Hardware, count: int) -> list[Hardware]:
    """Return so many splits, those with the least bound of the cycles of all multiplications, the best one first.

    A layer of each class stands for all of them.
    """
    machines = [hardware, *splits_of(hardware)]
    cycles = [0] * len(machines)
    for times, work in _works(layers, hardware):
        for number, machine in enumerate(machines):
            cycles[number] += times * _least_cycles(work, machine)
    ranked = sorted(range(len(machines)), key=cycles.__getitem__)
    return [machines[number] for number in ranked[:count]]


def pooled_bound(layers: Sequence[AnyLayer], hardware: Hardware) -> PooledBound | None:
    """Return what no split can be below, None for a machine whose operators are of one kind.

    A layer takes as long as its multiplications without any wait, or as its operands and outputs take once through
    DRAM at its peak, whatever is longer.
    """
    total = computing = 0
    for times, work in _works(layers, hardware):
        cycles = machine_of(hardware).pooled_cycles(work, hardware)
        if cycles is None:
            return None
        moved = sum(int(each.sum()) for each in (work.weight.total, work.activation.total, work.output_bytes.total))
        total += times * max(cycles, int(moved / hardware.dram_peak_bytes_per_cycle))
        computing += times * cycles
    return PooledBound(total, computing)


def _least_cycles(work: LayerWork, hardware: Hardware) -> int:
    machine = machine_of(hardware)
    return min(machine.least_cycles(work, hardware, height) for height in machine.heights(hardware))


def _works(layers: Sequence[AnyLayer], hardware: Hardware) -> Iterator[tuple[int, LayerWork]]:
    """Return the work of each class of layers, and of each layer with operands, with how many there are of it."""
    typical: dict[object, tuple[int, AnyLayer]] = {}
    for number, layer in enumerate(layers):
        key: object = masked_class(layer) if isinstance(layer, MaskedLayer) else number
        times, first = typical.get(key, (0, layer))
        typical[key] = (times + 1, first)
    for times, layer in typical.values():
        yield times, work_of(loaded(layer), hardware, values=False)
