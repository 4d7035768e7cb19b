"""Operands of attention, element by element, and against what the links of a network say that they are."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.errors import ConfigError
from panacea_sim.workload.networks.attention import Attention
from panacea_sim.workload.networks.attention_operands import (
    grouped_queries,
    joined_heads,
    key_weights,
    value_weights,
)

SIZES = st.builds(
    lambda kv_heads, group, size, batch, tokens: Attention(kv_heads * group, kv_heads, size, batch, tokens, tokens),
    *(st.integers(1, 3) for _ in range(5)),
)


def _numbered(features: int, columns: int) -> np.ndarray:
    return np.arange(features * columns).reshape(features, columns)


@given(SIZES)
def test_each_head_has_its_elements(sizes: Attention) -> None:
    """Element by element: sequence, head and token of each index, with heads that share keys side by side."""
    size, tokens, columns = sizes.head_size, sizes.queries, sizes.batch * sizes.queries
    q, kv = _numbered(sizes.heads * size, columns), _numbered(sizes.kv_heads * size, columns)
    queries, keys, values = grouped_queries(q, sizes), key_weights(kv, sizes), value_weights(kv, sizes)
    outputs = np.zeros((sizes.batch * sizes.kv_heads, size, sizes.group * tokens), np.int64)
    for number, (sequence, head) in enumerate(sizes.repeats):
        for feature in range(size):
            for token in range(tokens):
                column = sequence * tokens + token
                assert keys[number, token, feature] == kv[head * size + feature, column]
                assert values[number, feature, token] == kv[head * size + feature, column]
                for member in range(sizes.group):
                    row = (head * sizes.group + member) * size + feature
                    assert queries[number, feature, member * tokens + token] == q[row, column]
                    outputs[number, feature, member * tokens + token] = q[row, column]
    assert np.array_equal(joined_heads(outputs, sizes), q)
    assert np.array_equal(joined_heads(queries, sizes), q)
    assert (keys.shape[1:], queries.shape[1:]) == (sizes.qk_shape[:2], sizes.qk_shape[1:])
    assert values.shape[1:] == sizes.pv_shape[:2]


@pytest.mark.parametrize(
    ("make", "shape", "text"),
    [
        (
            grouped_queries,
            (6, 5),
            "attention.q: found shape (6, 5); accepted: shape (12, 5), for these heads and tokens",
        ),
        (key_weights, (12, 5), "attention.k: found shape (12, 5); accepted: shape (6, 5)"),
        (value_weights, (6, 4), "attention.v: found shape (6, 4); accepted: shape (6, 5)"),
        (joined_heads, (2, 3, 5), "attention.pv: found shape (2, 3, 5); accepted: shape (2, 3, 10)"),
    ],
)
def test_other_shapes_are_refused(make: object, shape: tuple[int, ...], text: str) -> None:
    """Codes that do not have the heads and tokens of the attention are refused by name."""
    assert callable(make)
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        make(np.zeros(shape, np.int8), Attention(4, 2, 3, 1, 5, 5))
