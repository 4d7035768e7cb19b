"""Operators that multiply but are no products here: which there are, and how much of the model they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import prod

from panacea_sim.onnx_models.graph import Node
from panacea_sim.onnx_models.imported import Unsupported
from panacea_sim.onnx_models.products import Shapes

__all__ = ["unsupported_of"]

_UNCOUNTED = ("DFT", "STFT")
_KNOWN_DOMAINS = ("com.microsoft.", "ai.onnx.")
_FOUR_AXES = 4


def unsupported_of(nodes: Iterable[Node], shapes: Shapes, constants: frozenset[str]) -> tuple[Unsupported, ...]:
    """Return the operators with multiplications that are not simulated, by kind, the most frequent first.

    Operators of other domains than those of ONNX and onnxruntime may do anything: they are among them.
    """
    counts: Counter[str] = Counter()
    macs: dict[str, int | None] = {}
    for node in nodes:
        if all(name in constants for name in node.outputs if name):
            continue
        counted = _COUNTERS.get(node.op)
        if counted is None and node.op not in _UNCOUNTED and not _is_foreign(node.op):
            continue
        found = None if counted is None else counted(node, shapes)
        before = macs.get(node.op, 0)
        macs[node.op] = None if found is None or before is None else before + found
        counts[node.op] += 1
    return tuple(Unsupported(op, count, macs[op]) for op, count in counts.most_common())


def _is_foreign(op: str) -> bool:
    return "." in op and not op.startswith(_KNOWN_DOMAINS)


def _attention(node: Node, shapes: Shapes) -> int | None:
    """Return the multiplications of both products of the Attention operator, masks not exploited."""
    queries, keys, values = (shapes[node.input(number)] for number in range(3))
    past = shapes[node.input(4)] if node.input(4) else None
    if len(queries) == _FOUR_AXES:
        batch, heads, new, size = queries
        seen, value_size = keys[2], values[3]
    else:
        heads, kv_heads = node.attribute("q_num_heads", 1), node.attribute("kv_num_heads", 1)
        batch, new, size = queries[0], queries[1], queries[2] // heads
        seen, value_size = keys[1], values[2] // kv_heads
    seen += past[2] if past else 0
    return batch * heads * new * seen * (size + value_size)


def _einsum(node: Node, shapes: Shapes) -> int | None:
    equation = node.attribute("equation", "").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    if "." in equation or len(terms) != len(node.inputs):
        return None
    if len(terms) == 1:
        return 0
    extents: dict[str, int] = {}
    for term, name in zip(terms, node.inputs, strict=True):
        for letter, extent in zip(term, shapes[name], strict=False):
            extents[letter] = max(extents.get(letter, 1), extent)
    return prod(extents.values()) * (len(terms) - 1)


def _rnn(node: Node, shapes: Shapes) -> int:
    inputs, (directions, hidden, size) = shapes[node.input(0)], shapes[node.input(1)]
    return inputs[0] * inputs[1] * directions * hidden * (size + hidden)


def _deformed(node: Node, shapes: Shapes) -> int:
    return prod(shapes[node.outputs[0]]) * prod(shapes[node.input(1)][1:])


_COUNTERS = {"Attention": _attention, "Einsum": _einsum, "RNN": _rnn, "DeformConv": _deformed}
