"""The rivals in plain Python: their operands, cycles and bytes, a second time, as docs/rivals.md says them."""

from __future__ import annotations

from fractions import Fraction

from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["activation_codes", "parts", "sa_os_cycles", "sa_ws_cycles", "weight_codes"]

Codes = list[list[int]]


def parts(size: int, tile: int) -> list[int]:
    """Return the lengths of the tiles along an axis."""
    return [min(tile, size - first) for first in range(0, size, tile)]


def sa_os_cycles(shape: tuple[int, int, int], rows: int, columns: int) -> int:
    """Return the busy cycles of an output-stationary array with K innermost: each output tile is filled once."""
    m, k, n = shape
    return sum(k + r + c - 2 for r in parts(m, rows) for c in parts(n, columns))


def sa_ws_cycles(shape: tuple[int, int, int], rows: int, columns: int, tile_n: int) -> int:
    """Return the busy cycles of a weight-stationary array: K on rows, M on columns."""
    m, k, n = shape
    return sum(r + width + r + c - 2 for r in parts(k, rows) for c in parts(m, columns) for width in parts(n, tile_n))


def weight_codes(layer: GemmLayer, most_bits: int) -> Codes:
    """Return the weights of a layer of one product with one scale by row, in the most bits that a machine has.

    Those that fit stay; others are divided by what makes the largest one of the row the largest code.
    """
    rows = layer.weight.tolist()
    if layer.weight_bits <= most_bits:
        return rows
    limit = 2 ** (most_bits - 1) - 1
    return [[_nearest(code * limit, max(map(abs, row)) or 1) for code in row] for row in rows]


def activation_codes(layer: GemmLayer, machine: str) -> Codes:
    """Return the activations of a layer with unsigned codes as a machine has them."""
    bits, zero_point, rows = layer.activation_bits, layer.zero_point, layer.activation.tolist()
    if machine == "sibia":
        end = max(zero_point, 2**bits - 1 - zero_point)
        return [[_nearest((code - zero_point) * 63, end) for code in row] for row in rows]
    if machine == "bitfusion" or bits <= 8:
        return rows
    # 4095 steps become 255.
    own = _nearest(zero_point * 255, 2**bits - 1)
    return [[min(255, max(0, _nearest((code - zero_point) * 255, 2**bits - 1) + own)) for code in row] for row in rows]


def _nearest(dividend: int, divisor: int) -> int:
    return round(Fraction(dividend, divisor))
