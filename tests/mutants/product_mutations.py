"""Faults of one line each in layers of several products and in their classes, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["PRODUCT_MUTATIONS"]

_TILING = "panacea_sim/mapping/tiling.py"
_ORDER = "panacea_sim/mapping/order.py"
_CLASS = "panacea_sim/running/mapping_class.py"

_CYCLES = ("tests/mapping/test_repeated_products.py::test_a_layer_of_products_takes_the_cycles_of_the_products",)
_GROUPS = ("tests/mapping/test_repeated_products.py::test_groups_follow_product_after_product",)
_WORK = ("tests/mapping/test_repeated_products.py::test_work_is_that_of_the_products",)
_RESIDENT = ("tests/mapping/test_repeated_products.py::test_a_panel_stays_where_the_largest_of_all_products_fits",)
_STEPS = ("tests/mapping/test_repeated_products.py::test_steps_of_a_firing_are_those_of_its_product",)
_FLOOR = ("tests/running/test_candidate_floor.py",)
_EQUAL = ("tests/running/test_layers.py::test_layers_of_other_repeats_or_passes_are_not_equal",)
_CLASSES = ("tests/running/test_mapping_class.py",)

PRODUCT_MUTATIONS = (
    Mutation(
        "a stack reaches into the next product",
        _TILING,
        "first: IntArray = product * self.m_tiles + inside * height",
        "first: IntArray = stack * height",
        _CYCLES,
    ),
    Mutation(
        "stacks are numbered as if products were one",
        _TILING,
        "stack: IntArray = product * self.stacks(height) + inside // height",
        "stack: IntArray = m // height",
        _STEPS,
    ),
    Mutation(
        "only the last product has a lower stack",
        _TILING,
        "inside = stack if self.repeat == 1 else stack % self.stacks(height)",
        "inside = stack - (self.repeat - 1) * self.stacks(height)",
        _CYCLES,
    ),
    Mutation(
        "rows of products in turn",
        _TILING,
        "return kept(np.tile(_lengths(self.M, self.tile_m), self.repeat))",
        "return kept(np.repeat(_lengths(self.M, self.tile_m), self.repeat))",
        _WORK,
    ),
    Mutation(
        "tile tasks of one product",
        _TILING,
        "return self.repeat * self.m_tiles * self.n_tiles * self.k_tiles",
        "return self.m_tiles * self.n_tiles * self.k_tiles",
        _WORK,
    ),
    Mutation(
        "all products have the weights of the first",
        _ORDER,
        "before = np.arange(tiling.repeat)[:, None] * tiling.stacks(height)",
        "before = np.zeros((tiling.repeat, 1), np.int64)",
        _GROUPS,
    ),
    Mutation(
        "products share their panels",
        _ORDER,
        'number, inside = np.divmod(self.stack[tasks].astype(np.int64), self.trips["m"])',
        'number, inside = np.divmod(self.stack[tasks].astype(np.int64) % self.trips["m"], self.trips["m"])',
        _RESIDENT,
    ),
    Mutation(
        "all products read the activations of the first",
        "panacea_sim/mapping/plan.py",
        "n = tasks.stack // tiling.stacks(height) * tiling.n_tiles + n",
        "n = n + 0",
        _CYCLES,
    ),
    Mutation(
        "activations are counted off by m tiles",
        "panacea_sim/mapping/plan.py",
        "n = tasks.stack // tiling.stacks(height) * tiling.n_tiles + n",
        "n = tasks.stack // tiling.m_tiles * tiling.n_tiles + n",
        _CYCLES,
    ),
    Mutation(
        "dynamic work of all products is that of the first weights",
        "panacea_sim/machines/shared/slice_steps.py",
        "weight = w_counts.reshape(tiling.repeat, lanes, tiling.K)",
        "weight = np.broadcast_to(w_counts[:lanes], (tiling.repeat, lanes, tiling.K))",
        _WORK,
    ),
    Mutation(
        "static work of products in turn",
        "panacea_sim/machines/shared/slice_steps.py",
        "by_m = np.repeat(steps.astype(kind).transpose(1, 2, 0), tiling.m_tiles, 2)",
        "by_m = np.tile(steps.astype(kind).transpose(1, 2, 0), tiling.m_tiles)",
        _WORK,
    ),
    Mutation(
        "ragged activation tiles of products in turn",
        "panacea_sim/machines/shared/sliced_work.py",
        "groups: IntArray = np.tile(self.tiling.column_groups, self.tiling.repeat)",
        "groups: IntArray = np.repeat(self.tiling.column_groups, self.tiling.repeat)",
        _WORK,
    ),
    Mutation(
        "a product's last vectors are those of the next one",
        "panacea_sim/machines/shared/sliced_work.py",
        "counts[:, : stored.shape[1]] += stored",
        "counts.reshape(products * lanes, -1)[: products * stored.shape[1]] += stored.reshape(-1, stored.shape[2])",
        _WORK,
    ),
    Mutation(
        "the floor spills for pairs of products",
        "panacea_sim/mapping/partial_sums.py",
        "return 2 * tiling.repeat * (tiling.k_tiles - 1) * tiling.M * tiling.N * BYTES_PER_PARTIAL_SUM",
        "return 2 * tiling.repeat**2 * (tiling.k_tiles - 1) * tiling.M * tiling.N * BYTES_PER_PARTIAL_SUM",
        _FLOOR,
    ),
    Mutation(
        "layers are equal however often outputs pass the PPU",
        "panacea_sim/mapping/work.py",
        "digest = hashlib.blake2b(repr((self.tiling, self.passes, self.sequential)).encode())",
        "digest = hashlib.blake2b(repr((self.tiling, self.sequential)).encode())",
        _EQUAL,
    ),
    Mutation(
        "densities of a class are rounded down",
        _CLASS,
        "return 0 if share is None else round(share * _DENSITY_STEPS)",
        "return 0 if share is None else int(share * _DENSITY_STEPS)",
        _CLASSES,
    ),
    Mutation(
        "layers of any number of products are a class",
        _CLASS,
        "return (layer.M, layer.K, layer.N, layer.repeat, layer.weight_bits, bits, layer.passes)",
        "return (layer.M, layer.K, layer.N, 1, layer.weight_bits, bits, layer.passes)",
        _CLASSES,
    ),
    Mutation(
        "the typical layer has one product",
        _CLASS,
        "repeat=self.repeat,",
        "repeat=1,",
        _CLASSES,
    ),
    Mutation(
        "no vector work follows the typical layer",
        _CLASS,
        "passes=self.passes,",
        "passes=1,",
        _CLASSES,
    ),
    Mutation(
        "a layer takes the mapping of its class also where it does not fit",
        _CLASS,
        "return choose_mapping(layer.name, work, hardware, partial(run_engine, engine), check)",
        "return found",
        _CLASSES,
    ),
    Mutation(
        "every layer chooses for itself",
        _CLASS,
        "if found.program is None:",
        "if found.program is not None:",
        _CLASSES,
    ),
)
