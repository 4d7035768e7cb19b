"""The kind of each layer, for density profiles: what can be told from its operator and its neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from panacea_sim.onnx_models.products import Product
from panacea_sim.workload.link import Link

__all__ = ["kinds_of"]

_CONVOLUTIONS = ("Conv", "ConvInteger", "ConvTranspose", "QLinearConv")
_RECURRENT = ("LSTM", "GRU")


def kinds_of(
    products: Sequence[Product],
    links: Mapping[tuple[str, str], Iterable[Link]],
    dynamic: Iterable[str],
    work: Mapping[str | None, Sequence[str]],
) -> dict[str, str]:
    """Return a kind for each product by its name.

    Products of two tensors that layers wrote are `qk` where a softmax follows, and `pv` where they read one; whoever
    writes for them is `qkv`, whoever reads `pv` is `out`, and all other matrix products of a model with attention are
    `ffn`, without attention `gemm`. Convolutions are `conv`, LSTM and GRU are called so.
    """
    two_sided = set(dynamic)
    readers = {(producer, consumer) for producer, consumer in links}
    qk = {name for name in two_sided if "softmax" in work.get(name, ())}
    pv = {consumer for producer, consumer in readers if producer in qk and consumer in two_sided - qk}
    makers = {producer for producer, consumer in readers if consumer in qk | pv}
    after = {consumer for producer, consumer in readers if producer in pv}
    # A residual stream leads from `pv` to all layers behind: only the first of them multiplies its outputs alone.
    found: dict[str, str] = {}
    waiting = set(pv)
    for product in products:
        name, op = product.name, product.node.op
        if op in _CONVOLUTIONS:
            found[name] = "conv"
        elif op in _RECURRENT:
            found[name] = op.lower()
        elif name in qk or name in pv:
            found[name] = "qk" if name in qk else "pv"
        elif name in makers:
            found[name] = "qkv"
        elif name in after and any((each, name) in readers for each in waiting):
            waiting -= {each for each in waiting if (each, name) in readers}
            found[name] = "out"
        else:
            found[name] = "ffn" if qk and name not in two_sided else "gemm"
    return found
