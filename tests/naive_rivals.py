"""The rivals in plain Python: their operands, cycles and bytes, a second time, as docs/rivals.md says them."""

from __future__ import annotations

from fractions import Fraction

from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["activation_codes", "are_nearest", "parts", "sa_os_cycles", "sa_ws_cycles"]

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


def are_nearest(codes: Codes, layer: GemmLayer, most_bits: int, *, by_row: bool) -> bool:
    """Return whether codes are the weights of a layer of one product in the most bits that a machine has.

    Those that fit stay; others are the nearest to what makes the largest one, of a row or of all, the largest code.
    """
    rows = layer.weight.tolist()
    if layer.weight_bits <= most_bits:
        return codes == rows
    limit = 2 ** (most_bits - 1) - 1
    largest = max(abs(code) for row in rows for code in row)
    for row, found in zip(rows, codes, strict=True):
        peak = max(map(abs, row)) if by_row else largest
        if any(2 * abs(own * peak - code * limit) > peak for own, code in zip(found, row, strict=True)):
            return False
    return True


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
