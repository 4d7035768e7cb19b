"""Faults of one line each in what networks are made of, and the tests that must see them."""

from __future__ import annotations

from mutations import Mutation

__all__ = ["NETWORK_MUTATIONS"]

_FOLDER = "panacea_sim/workload/networks"

_FILES = ("tests/workload/networks/test_network_file.py",)
_IM2COL = ("tests/workload/networks/test_im2col.py",)
_GEMM = ("tests/workload/networks/test_gemm.py",)
_RESNET = ("tests/workload/networks/test_resnet.py",)
_TABLE = ("tests/workload/networks/test_table.py",)
_TRANSFORMER = ("tests/workload/networks/test_transformer_links.py",)
_ZOO = ("tests/workload/networks/test_zoo.py",)

NETWORK_MUTATIONS = (
    Mutation(
        "heads that share keys read those of one head",
        f"{_FOLDER}/attention.py",
        "feature_offset=offsets([offset + (head * sizes.group + member) * size for _, head in sizes.repeats]),",
        "feature_offset=offsets([offset + head * sizes.group * size for _, head in sizes.repeats]),",
        _TRANSFORMER,
    ),
    Mutation(
        "queries of all sequences are those of the first",
        f"{_FOLDER}/attention.py",
        "column_offset=offsets([(sequence - member) * queries for sequence, _ in sizes.repeats]),",
        "column_offset=offsets([-member * queries for sequence, _ in sizes.repeats]),",
        _TRANSFORMER,
    ),
    Mutation(
        "a decode waits for keys that lie in DRAM",
        f"{_FOLDER}/attention.py",
        "return None if self.keys == self.queries else (self.keys - self.queries, self.keys)",
        "return None",
        _TRANSFORMER,
    ),
    Mutation(
        "scores of all repeats are those of the first",
        f"{_FOLDER}/attention.py",
        "starts = [number * sizes.keys for number in range(len(sizes.repeats))]",
        "starts = [0 for number in range(len(sizes.repeats))]",
        _TRANSFORMER,
    ),
    Mutation(
        "the stream forgets what it was added to",
        f"{_FOLDER}/residual.py",
        "return (Term(branch), *before)",
        "return (Term(branch),)",
        _TRANSFORMER,
    ),
    Mutation(
        "the class token shifts no patch",
        f"{_FOLDER}/transformer.py",
        "column_offset=-image - 1,",
        "column_offset=-image,",
        _TRANSFORMER,
    ),
    Mutation(
        "a sum behind a shortcut has one layer",
        f"{_FOLDER}/resnet.py",
        "return _Images(joined, branch.channels, branch.size, newest=2)",
        "return _Images(joined, branch.channels, branch.size)",
        _RESNET,
    ),
    Mutation(
        "keys of a decode leave out the new token",
        f"{_FOLDER}/zoo.py",
        "return _Lengths(1, DEFAULT_CONTEXT if context is None else context)",
        "return _Lengths(1, DEFAULT_CONTEXT if context is None else context - 1)",
        _ZOO,
    ),
    Mutation(
        "zeros between packed groups are multiplications",
        f"{_FOLDER}/gemm.py",
        "return self.repeat * self.M * self.K * self.N // self.packed",
        "return self.repeat * self.M * self.K * self.N",
        _GEMM,
    ),
    Mutation(
        "windows end a pixel early",
        f"{_FOLDER}/convolution.py",
        "low, high = np.where(some, first, 0).ravel(), np.where(some, last + 1, 0).ravel()",
        "low, high = np.where(some, first, 0).ravel(), np.where(some, last, 0).ravel()",
        _IM2COL,
    ),
    Mutation(
        "windows of a pooling end with the first of them",
        f"{_FOLDER}/convolution.py",
        "return first, np.where(some, inner[1][np.where(some, outer[1] - 1, 0)], first)",
        "return first, np.where(some, inner[1][np.where(some, outer[0], 0)], first)",
        _RESNET,
    ),
    Mutation(
        "padding is zero, not the zero point",
        f"{_FOLDER}/im2col.py",
        "padded = np.pad(images, ((0, 0), (0, 0), *window.padding), constant_values=zero_point)",
        "padded = np.pad(images, ((0, 0), (0, 0), *window.padding), constant_values=0)",
        _IM2COL,
    ),
    Mutation(
        "packed groups are not told apart",
        f"{_FOLDER}/im2col.py",
        "blocks[numbers, :, numbers] = groups",
        "blocks[:, :, numbers] = groups[0]",
        _IM2COL,
    ),
    Mutation(
        "groups read the channels of the first",
        f"{_FOLDER}/operators.py",
        "starts = tuple((first + index * count) * in_group for index in range(repeat))",
        "starts = tuple(first * in_group for index in range(repeat))",
        _FILES,
    ),
    Mutation(
        "a step needs its own inputs in front of its state",
        f"{_FOLDER}/operators.py",
        "before = [(step - 1) * row.batch for step in range(row.steps)]",
        "before = [step * row.batch for step in range(row.steps)]",
        _FILES,
    ),
    Mutation(
        "a network file may read what nobody writes",
        f"{_FOLDER}/fit.py",
        "if low < 0 or high > count:",
        "if low < 0:",
        _FILES,
    ),
    Mutation(
        "M of a table is M",
        f"{_FOLDER}/table.py",
        'return _layer(builder, name, "Gemm", cells, (outputs, depth, rows))',
        'return _layer(builder, name, "Gemm", cells, (rows, depth, outputs))',
        _TABLE,
    ),
    Mutation(
        "a window of a table must end in its image",
        f"{_FOLDER}/table.py",
        "windows = ceil_div(pixels - taps, stride) + 1",
        "windows = (pixels - taps) // stride + 1",
        _TABLE,
    ),
)
