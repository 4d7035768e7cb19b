"""Faults of one line each in values of several products and in dynamic weights, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["VALUE_MUTATIONS"]

_TASKS = "panacea_sim/machines/panacea/check/tasks.py"
_REPEATED = "tests/machines/panacea/test_repeated_values.py"
_CHECKED = "tests/machines/panacea/test_compiled_repeated_values.py"
_HEADS = "panacea_sim/workload/networks/attention_operands.py"

_MAPPED = (f"{_REPEATED}::test_every_mapping",)
_MAPPED_CHECK = (f"{_CHECKED}::test_every_mapping_is_checked",)
_NUMBERS = ("tests/workload/test_repeated_layers.py::test_numbers_are_those_of_the_products",)
_ATTENTION = ("tests/workload/networks/test_attention_operands.py",)

VALUE_MUTATIONS = (
    Mutation(
        "products have their rows in one place",
        "panacea_sim/mapping/tiling.py",
        "first = product * size + inside * tile",
        "first = inside * tile",
        _MAPPED,
    ),
    Mutation(
        "a tile reaches into the next product",
        "panacea_sim/mapping/tiling.py",
        "return slice(first, min(first + tile, (product + 1) * size))",
        "return slice(first, first + tile)",
        _MAPPED,
    ),
    Mutation(
        "vectors at the end of a product are filled up with zeros",
        "panacea_sim/machines/shared/sliced_work.py",
        "whole[:, :, lanes:] = np.array(frequent, slices.dtype)[:, None, None, None]",
        "whole[:, :, lanes:] = 0",
        _NUMBERS,
    ),
    Mutation(
        "the upper tile of a stack lies behind its own bytes",
        "panacea_sim/machines/panacea/image.py",
        "address[upper] = address[upper - 1] + sizes[upper - 1]",
        "address[upper] = address[upper - 1] + sizes[upper]",
        _MAPPED_CHECK,
    ),
    Mutation(
        "the check decodes activations of the first product",
        _TASKS,
        "size = given.activation_bytes[m // shape.m_tiles * shape.n_tiles + n, k]",
        "size = given.activation_bytes[n, k]",
        _MAPPED_CHECK,
    ),
    Mutation(
        "the check puts all products into the rows of the first",
        _TASKS,
        "row = m // shape.m_tiles * shape.M + m % shape.m_tiles * shape.tile_m",
        "row = m % shape.m_tiles * shape.tile_m",
        _MAPPED_CHECK,
    ),
    Mutation(
        "auto counts the tasks of one product",
        "panacea_sim/running/values_choice.py",
        "tasks = sum(Tiling.of(hardware, (layer.M, layer.K, layer.N), layer.repeat).tile_tasks for layer in layers)",
        "tasks = sum(Tiling.of(hardware, (layer.M, layer.K, layer.N)).tile_tasks for layer in layers)",
        (f"{_CHECKED}::test_auto_counts_the_tasks_of_all_products",),
    ),
    Mutation(
        "dynamic weights reach the lowest code of two's complement",
        "panacea_sim/quant/requantizer.py",
        "return WeightRequantizer(*columns, -limit, limit)",
        "return WeightRequantizer(*columns, -limit - 1, limit)",
        ("tests/quant/test_requantizer.py::test_weights_are_clipped_on_both_sides_alike",),
    ),
    Mutation(
        "heads of queries stand in turn",
        _HEADS,
        "return parts.transpose(3, 0, 2, 1, 4).reshape(-1, *sizes.qk_shape[1:])",
        "return parts.transpose(3, 0, 2, 4, 1).reshape(-1, *sizes.qk_shape[1:])",
        _ATTENTION,
    ),
    Mutation(
        "heads of keys come before sequences",
        _HEADS,
        "return parts.transpose(2, 0, 1, 3).reshape(-1, sizes.head_size, sizes.keys)",
        "return parts.transpose(0, 2, 1, 3).reshape(-1, sizes.head_size, sizes.keys)",
        _ATTENTION,
    ),
)
