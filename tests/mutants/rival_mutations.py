"""Faults of one line each in the machines beside panacea, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["RIVAL_MUTATIONS"]

_CLOSED_FORMS = ("tests/machines/rivals/test_closed_forms.py",)
_SIBIA = ("tests/machines/rivals/test_sibia.py",)
_VALUES = ("tests/machines/rivals/test_rival_values.py",)
_RAW_PARTS = ("tests/machines/shared/test_raw_parts.py",)
_OWN = "panacea_sim/machines/shared/own_operands.py"
_SIBIA_WORK = "panacea_sim/machines/sibia/work.py"

RIVAL_MUTATIONS = (
    Mutation(
        "single slices fill vectors by halves",
        _SIBIA_WORK,
        "filled = ceil_div(np.add.reduceat(there, starts, 0, dtype=np.int64), tiling.v)",
        "filled = np.add.reduceat(there, starts, 0, dtype=np.int64) // tiling.v",
        _SIBIA,
    ),
    Mutation(
        "a raw HO part has no flag",
        "panacea_sim/quant/rle.py",
        "bits = np.minimum(bits, raw_bits(streams, depth, v)) + (streams > 0)",
        "bits = np.minimum(bits, raw_bits(streams, depth, v))",
        _RAW_PARTS,
    ),
    Mutation(
        "an HO part is raw where the code is half as long",
        "panacea_sim/machines/shared/sliced_work.py",
        "return np.repeat(raw_bits(streams, tiling.depths, tiling.v) < bits, tiling.depths, axis=1)",
        "return np.repeat(raw_bits(streams, tiling.depths, tiling.v) < 2 * bits, tiling.depths, axis=1)",
        _RAW_PARTS,
    ),
    Mutation(
        "an output-stationary array fills as if it were full",
        "panacea_sim/machines/sa_os/build.py",
        "skew = layer.plan.visits.last_task * (rows + columns - 2)",
        "skew = layer.plan.visits.last_task * (rows.max() + columns.max() - 2)",
        _CLOSED_FORMS,
    ),
    Mutation(
        "a weight-stationary array hides the loading of weights",
        "panacea_sim/machines/sa_ws/build.py",
        "return k + n + k + m - 2",
        "return n + k + m - 2",
        _CLOSED_FORMS,
    ),
    Mutation(
        "a weight-stationary array keeps sums",
        "panacea_sim/machines/sa_ws/build.py",
        "return dense_work(layer, hardware, computed, task_visits=True)",
        "return dense_work(layer, hardware, computed)",
        _CLOSED_FORMS,
    ),
    Mutation(
        "fused digits are as many as 8 bits have",
        "panacea_sim/machines/bitfusion/build.py",
        "return work.stored_weight_bits * work.stored_activation_bits // SLICE_BITS**2",
        "return 4",
        _VALUES,
    ),
    Mutation(
        "the denser operand skips",
        _SIBIA_WORK,
        'raw: Operand = "x" if _share(masks.weight) > _share(masks.activation) else "w"',
        'raw: Operand = "w" if _share(masks.weight) > _share(masks.activation) else "x"',
        _SIBIA,
    ),
    Mutation(
        "both operands skip",
        _SIBIA_WORK,
        "return SkipMasks(np.zeros_like(masks.weight), masks.activation)",
        "return masks",
        _SIBIA,
    ),
    Mutation(
        "a raw tile lacks its HO slices",
        _SIBIA_WORK,
        "size_bytes = bits_to_bytes(groups[:, None] * tiling.v * tiling.depths * SLICE_BITS * (1 + ho_slices))",
        "size_bytes = bits_to_bytes(groups[:, None] * tiling.v * tiling.depths * SLICE_BITS)",
        _SIBIA,
    ),
    Mutation(
        "the range of symmetric activations ends at the zero point",
        _OWN,
        "end = max(zero_point, (1 << bits) - 1 - zero_point)",
        "end = max(zero_point, 1)",
        _VALUES,
    ),
    Mutation(
        "truncated activations stay truncated",
        _OWN,
        "return _with_formats(replace(layer, lo_bits=SLICE_BITS, r=None), _whole)",
        "return layer",
        _VALUES,
    ),
    Mutation(
        "rows of 8-bit weights share a scale",
        _OWN,
        "peaks = np.abs(real).max(-1)",
        "peaks = np.abs(real).max((-1, -2), keepdims=True)[..., 0] + 0 * np.abs(real).max(-1)",
        _VALUES,
    ),
    Mutation(
        "the upper digit of signed codes is unsigned",
        "panacea_sim/machines/shared/digit_tiles.py",
        "planes[-1] -= (planes[-1] >> (self.digit_bits - 1)) << self.digit_bits",
        "planes[-1] -= 0",
        _VALUES,
    ),
)
