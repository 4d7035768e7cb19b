"""Operands of attention made of real arrays: the codes of q, k and v as the operands of QK and PV, head by head."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError
from panacea_sim.workload.networks.attention import Attention

__all__ = ["grouped_queries", "joined_heads", "key_weights", "value_weights"]

Codes: TypeAlias = npt.NDArray[np.integer[Any]]


def grouped_queries(q: Codes, sizes: Attention) -> Codes:
    """Return the activations of QK, [R, head_size, group * queries], of outputs q [heads * head_size, batch * queries].

    Repeats are sequences, then heads of keys; the queries of the heads that share stand side by side. Raises
    ConfigError for another shape.
    """
    _require("q", q, (sizes.heads * sizes.head_size, sizes.batch * sizes.queries))
    parts = q.reshape(sizes.kv_heads, sizes.group, sizes.head_size, sizes.batch, sizes.queries)
    return parts.transpose(3, 0, 2, 1, 4).reshape(-1, *sizes.qk_shape[1:])


def key_weights(k: Codes, sizes: Attention) -> Codes:
    """Return the weights of QK, [R, keys, head_size], of the outputs k [kv_heads * head_size, batch * keys].

    Raises ConfigError for another shape.
    """
    return _of_heads("k", k, sizes).swapaxes(1, 2)


def value_weights(v: Codes, sizes: Attention) -> Codes:
    """Return the weights of PV, [R, head_size, keys], of the outputs v [kv_heads * head_size, batch * keys].

    Raises ConfigError for another shape.
    """
    return _of_heads("v", v, sizes)


def joined_heads(pv: Codes, sizes: Attention) -> Codes:
    """Return outputs of PV, [R, head_size, group * queries], as [heads * head_size, batch * queries].

    Raises ConfigError for another shape.
    """
    _require("pv", pv, (len(sizes.repeats), sizes.head_size, sizes.group * sizes.queries))
    parts = pv.reshape(sizes.batch, sizes.kv_heads, sizes.head_size, sizes.group, sizes.queries)
    return parts.transpose(1, 3, 2, 0, 4).reshape(sizes.heads * sizes.head_size, -1)


def _of_heads(name: str, codes: Codes, sizes: Attention) -> Codes:
    """Return codes of keys or values by repeat, [R, head_size, keys]."""
    _require(name, codes, (sizes.kv_heads * sizes.head_size, sizes.batch * sizes.keys))
    parts = codes.reshape(sizes.kv_heads, sizes.head_size, sizes.batch, sizes.keys)
    return parts.transpose(2, 0, 1, 3).reshape(-1, sizes.head_size, sizes.keys)


def _require(name: str, codes: Codes, shape: tuple[int, ...]) -> None:
    if codes.shape != shape:
        raise ConfigError(f"attention.{name}", f"shape {codes.shape}", f"shape {shape}, for these heads and tokens")
