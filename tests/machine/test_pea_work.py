"""The work of the PE arrays against a second, plain implementation that knows neither numpy nor the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from strategies import scenarios

from panacea_sim.scenario import Scenario
from panacea_sim.simulation import RunOptions, run
from panacea_sim.trace.recorder import TraceOptions
from panacea_sim.workload.layer import GemmLayer


@dataclass(frozen=True)
class _Work:
    """Outer products of DWOs and SWOs, compensation steps, and cycles, summed over the tiles of one PEA."""

    dwo: int
    swo: int
    cs: int
    cycles: int


@given(scenarios())
def test_pea_cycles_and_operators_equal_the_plain_count(scenario: Scenario) -> None:
    """Each PEA is busy for the sum of its tiles, and the operators do the whole work, counted from the operands."""
    outcome = run(replace(scenario, values=False), RunOptions(trace=TraceOptions("off")))
    (layer,) = outcome.prepared.layers
    settings: Any = scenario.settings
    by_pea = [_pea_work(layer, settings, pea) for pea in range(settings["n_pea"])]

    components, operators = outcome.summary["components"], outcome.summary["operators"]
    assert [components[f"pea{pea}"]["busy"] for pea in range(len(by_pea))] == [work.cycles for work in by_pea]
    for name in ("dwo", "swo", "cs"):
        assert operators[f"{name}_busy"] == sum(getattr(work, name) for work in by_pea)
        assert operators[f"{name}_capacity"] == len(by_pea) * settings[f"n_{name}"] * outcome.summary["makespan_cycles"]


def _pea_work(layer: GemmLayer, settings: dict[str, int], pea: int) -> _Work:
    """Count tile by tile: every vector that is stored meets every vector that is stored."""
    v, tile_k, tile_n = settings["v"], settings["tile_k"], settings["tile_n"]
    dwo = swo = cs = cycles = 0
    for first_row in range(pea * v, layer.M, settings["n_pea"] * v):
        rows = range(first_row, min(first_row + v, layer.M))
        for first_k in range(0, layer.K, tile_k):
            depth = range(first_k, min(first_k + tile_k, layer.K))
            weight = _stored_weights(layer, rows, depth)
            for first_n in range(0, layer.N, tile_n):
                starts = range(first_n, min(first_n + tile_n, layer.N), v)
                activation = [
                    stream
                    for n in starts
                    for stream in _stored_activations(layer, range(n, min(n + v, layer.N)), depth)
                ]
                dynamic = compensation = 0
                for at in range(len(depth)):
                    w_stored = sum(stream[at] for stream in weight)
                    x_stored = sum(stream[at] for stream in activation)
                    dynamic += w_stored * x_stored + len(starts) * w_stored + x_stored
                    compensation += x_stored
                static = len(depth) * len(starts)
                dwo, swo, cs = dwo + dynamic, swo + static, cs + compensation
                cycles += max(
                    _rounded_up(dynamic, settings["n_dwo"]),
                    _rounded_up(static, settings["n_swo"]),
                    _rounded_up(compensation, settings["n_cs"]),
                )
    return _Work(dwo, swo, cs, cycles)


def _stored_weights(layer: GemmLayer, rows: range, depth: range) -> list[list[bool]]:
    """Return for each HO slice of a row group which of its vectors are stored."""
    slices = {4: 0, 7: 1, 10: 2}[layer.weight_bits]
    digits = [[_signed_digits(int(layer.weight[row, k]), slices) for row in rows] for k in depth]
    return [_stored([any(digit[number] for digit in at_k) for at_k in digits]) for number in range(slices)]


def _stored_activations(layer: GemmLayer, columns: range, depth: range) -> list[list[bool]]:
    """Return for each HO slice of a column group which of its vectors are stored."""
    streams = []
    for number, r in enumerate(layer.frequent):
        shift = layer.lo_bits + 4 * number
        needed = [any(int(layer.activation[k, n]) >> shift & 15 != r for n in columns) for k in depth]
        streams.append(_stored(needed))
    return streams


def _signed_digits(value: int, slices: int) -> list[int]:
    """Return the HO slices of a signed value, least significant first: it borrows so that small values have zeros."""
    digits = []
    for _ in range(slices):
        value = value // 8 if value >= 0 else -((-value - 1) // 8)
        digits.append(value)
    # All but the last are themselves sliced again.
    return [_low(digit) for digit in digits[:-1]] + digits[-1:]


def _low(value: int) -> int:
    return value % 8 if value >= 0 else -((-value - 1) % 8) - 1


def _stored(needed: list[bool]) -> list[bool]:
    """Add fillers: after 15 skipped vectors the next one is stored, if another one follows that must be."""
    stored, skipped = list(needed), 0
    for at, must_store in enumerate(needed):
        if must_store:
            skipped = 0
        elif skipped == 15:
            stored[at] = any(needed[at:])
            skipped = 0
        else:
            skipped += 1
    return stored


def _rounded_up(work: int, operators: int) -> int:
    return (work + operators - 1) // operators
