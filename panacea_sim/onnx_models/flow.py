"""What operators between products make of terms: the way of the outputs of products through a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TypeAlias

import numpy as np

from panacea_sim.onnx_models.graph import Array, Node
from panacea_sim.onnx_models.moves import broadcast, in_windows, placed_at, reshaped, sliced, transposed
from panacea_sim.onnx_models.operator_kinds import CUTS, ELEMENTWISE, ONE_INPUT, RESHAPES, WHOLE
from panacea_sim.onnx_models.terms import Term, distinct
from panacea_sim.onnx_models.windows import resize_ranges, window_of

__all__ = ["Flow"]

Terms: TypeAlias = tuple[Term, ...]
_FIRST_AXIS = 2


@dataclass
class Flow:
    """The terms of each tensor; `shapes` has every tensor, `value` gives what a small one holds, or None."""

    shapes: Mapping[str, tuple[int, ...]]
    value: Callable[[str], Array | None]
    opset: int
    terms: dict[str, Terms] = field(default_factory=dict)

    def of(self, tensor: str) -> Terms:
        """Return the terms of a tensor."""
        return self.terms.get(tensor, ())

    def put(self, tensor: str, terms: Iterable[Term]) -> None:
        """Add terms to a tensor."""
        found = distinct((*self.of(tensor), *terms))
        if found:
            self.terms[tensor] = found

    def pass_on(self, node: Node) -> None:
        """Give the outputs of an operator that is no product the terms of what it reads."""
        if node.op in CUTS or not any(self.of(name) for name in node.inputs):
            return
        for number, output in enumerate(node.outputs):
            shape = self.shapes.get(output)
            if output and shape is not None and 0 not in shape:
                self.put(output, self._through(node, number, shape))

    def _through(self, node: Node, number: int, shape: tuple[int, ...]) -> Iterable[Term]:
        op = node.op.removeprefix("com.microsoft.")
        if op in ELEMENTWISE:
            read = node.inputs[:1] if op in ONE_INPUT else node.inputs
            return [broadcast(term, shape) for name in read for term in self.of(name)]
        if op in RESHAPES:
            return [reshaped(term, shape) for term in self.of(node.input(0))]
        moved = _MOVES.get(op)
        if moved is None or op in WHOLE:
            return self._whole(node, shape)
        return moved(self, node, number, shape)

    def _whole(self, node: Node, shape: Sequence[int]) -> list[Term]:
        """Return terms that need everything: for operators of which nothing better is known."""
        return [term.everything(shape) for name in node.inputs for term in self.of(name)]

    def numbers(self, name: str) -> list[int] | None:
        """Return whole numbers that a small tensor holds, None if they are not known."""
        found = self.value(name) if name else None
        return None if found is None else [int(each) for each in np.atleast_1d(found).ravel()]

    def axes(self, node: Node, count: int, at: int = 1) -> list[int] | None:
        """Return the dimensions that an operator works on, from its attribute or input; all where none are named."""
        axes = node.attributes.get("axes")
        if axes is None and node.input(at):
            axes = self.numbers(node.input(at))
            if axes is None:
                return None
        return sorted({axis % count for axis in axes}) if axes else list(range(count))


def _transpose(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    order = node.attribute("perm", list(reversed(range(len(shape)))))
    return [transposed(term, order) for term in flow.of(node.input(0))]


def _concat(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    axis = node.attribute("axis", 1) % len(shape)
    start = 0
    found: list[Term] = []
    # Of the quantized kind each tensor is followed by its scale and zero point, behind those of the output.
    for name in node.inputs[2::3] if node.op.endswith("QLinearConcat") else node.inputs:
        found.extend(placed_at(term, axis, start, shape[axis]) for term in flow.of(name))
        start += flow.shapes[name][axis]
    return found


def _split(flow: Flow, node: Node, number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    axis = node.attribute("axis", 0) % len(shape)
    start = sum(flow.shapes[name][axis] for name in node.outputs[:number] if name)
    found = (sliced(term, axis, start, 1, shape[axis]) for term in flow.of(node.input(0)))
    return [term for term in found if term is not None]


def _slice(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before = flow.shapes[node.input(0)]
    if "starts" in node.attributes:
        given = node.attribute("starts", [0])
        starts: list[int] | None = given
        steps = None
        axes = node.attribute("axes", list(range(len(given))))
    else:
        starts, steps = flow.numbers(node.input(1)), flow.numbers(node.input(4))
        axes = (flow.numbers(node.input(3)) if node.input(3) else list(range(len(starts or [])))) or []
    if starts is None or (steps is None and node.input(4)):
        return flow._whole(node, shape)  # noqa: SLF001  # of this file
    terms: list[Term] = list(flow.of(node.input(0)))
    for number, axis in enumerate(axes):
        dim, step = axis % len(before), 1 if steps is None else steps[number]
        start = starts[number] + (before[dim] if starts[number] < 0 else 0)
        start = min(max(start, 0), before[dim] - 1)
        cut = (sliced(term, dim, start, step, shape[dim]) for term in terms)
        terms = [term for term in cut if term is not None]
    return terms


def _gather(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before, index_shape = flow.shapes[node.input(0)], flow.shapes[node.input(1)]
    axis = node.attribute("axis", 0) % len(before)
    indices = flow.numbers(node.input(1))
    found: list[Term] = []
    for term in flow.of(node.input(0)):
        steps = set(np.diff(indices)) if indices is not None else {0, 1}
        if indices and len(steps) <= 1:
            first = indices[0] + (before[axis] if indices[0] < 0 else 0)
            cut = sliced(term, axis, first, int(steps.pop()) if steps else 1, len(indices))
        else:
            spread = term.spread_over([axis])
            one = sliced(spread, axis, 0, 1, 1)
            cut = one and broadcast(one, [*before[:axis], prod(index_shape), *before[axis + 1 :]])
        if cut is not None:
            found.append(reshaped(cut, shape))
    # Indices that come from products decide which elements are taken.
    return [*found, *(term.everything(shape) for term in flow.of(node.input(1)))]


def _expand(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    return [broadcast(term, shape) for term in flow.of(node.input(0))]


def _tile(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before = flow.shapes[node.input(0)]
    apart = [extent for old, new in zip(before, shape, strict=True) for extent in (new // old, old)]
    ones = [extent for old in before for extent in (1, old)]
    return [reshaped(broadcast(reshaped(term, ones), apart), shape) for term in flow.of(node.input(0))]


def _pad(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before = flow.shapes[node.input(0)]
    pads = node.attributes.get("pads") or flow.numbers(node.input(1))
    axes = flow.axes(node, len(shape), 3)
    if pads is None or axes is None or len(pads) != 2 * len(axes):
        return flow._whole(node, shape)  # noqa: SLF001  # of this file
    found: list[Term] = []
    for term in flow.of(node.input(0)):
        new: Term | None = term
        for number, dim in enumerate(axes):
            first, behind = pads[number], pads[number + len(axes)]
            if new is None or not (first or behind):
                continue
            if node.attribute("mode", "constant") != "constant":
                one = sliced(new.spread_over([dim]), dim, 0, 1, 1)
                assert one is not None
                new = broadcast(one, [*new.shape[:dim], shape[dim], *new.shape[dim + 1 :]])
                continue
            start, end = max(-first, 0), before[dim] - max(-behind, 0)
            new = sliced(new, dim, start, 1, end - start)
            new = new and placed_at(new, dim, max(first, 0), shape[dim])
        if new is not None:
            found.append(new)
    return found


def _reduce(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before = flow.shapes[node.input(0)]
    if node.op in ("ArgMax", "ArgMin"):
        axes: list[int] | None = [node.attribute("axis", 0) % len(before)]
    elif not node.input(1) and "axes" not in node.attributes and node.attribute("noop_with_empty_axes", 0):
        axes = []
    else:
        axes = flow.axes(node, len(before))
    if axes is None:
        return flow._whole(node, shape)  # noqa: SLF001  # of this file
    return [reshaped(_first_of(term, axes), shape) for term in flow.of(node.input(0))]


def _first_of(term: Term, axes: Sequence[int]) -> Term:
    """Return a term in which dimensions have one element, which needs all that they had."""
    term = term.spread_over(axes)
    for axis in axes:
        cut = sliced(term, axis, 0, 1, 1)
        assert cut is not None
        term = cut
    return term


def _along(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    """Softmax and others in which an element needs all along one dimension, or, in old opsets, along all behind it."""
    axis = node.attribute("axis", _DEFAULT_AXES.get(node.op, -1 if flow.opset >= _SOFTMAX_ALONG_ONE else 1)) % len(
        shape
    )
    dims = range(axis, len(shape)) if _is_flattened(flow, node) else [axis]
    return [
        broadcast(term.spread_over(dims), shape) for term in flow.of(node.input(0)) if len(term.shape) == len(shape)
    ]


_SOFTMAX_ALONG_ONE = 13
_DEFAULT_AXES = {"CumSum": 0, "LpNormalization": -1, "TopK": -1, "LayerNormalization": -1, "RMSNormalization": -1}


def _is_flattened(flow: Flow, node: Node) -> bool:
    old_softmax = node.op in ("Softmax", "LogSoftmax", "Hardmax") and flow.opset < _SOFTMAX_ALONG_ONE
    return old_softmax or node.op in ("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization")


def _skip_norm(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    terms = [term for name in node.inputs[:2] for term in flow.of(name)]
    return [term.spread_over([len(shape) - 1]) if term.shape == shape else term.everything(shape) for term in terms]


def _image_norm(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    first = _FIRST_AXIS if node.op == "InstanceNormalization" else 1
    return [term.spread_over(range(first, len(shape))) for term in flow.of(node.input(0))]


def _pool(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before = flow.shapes[node.input(0)]
    kernel = node.attribute("kernel_shape", [1] * (len(before) - _FIRST_AXIS))
    window = window_of(node, kernel, before[_FIRST_AXIS:], shape[_FIRST_AXIS:], before[0])
    dims = (0, *range(_FIRST_AXIS, len(shape)))
    return [in_windows(term, dims, window.ranges(), shape) for term in flow.of(node.input(0))]


def _global_pool(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    axes = range(_FIRST_AXIS, len(shape))
    return [reshaped(_first_of(term, axes), shape) for term in flow.of(node.input(0))]


def _resize(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    before = flow.shapes[node.input(0)]
    ranges = None
    if before[:_FIRST_AXIS] == shape[:_FIRST_AXIS]:
        ranges = resize_ranges(node, before[_FIRST_AXIS:], shape[_FIRST_AXIS:], before[0])
    if ranges is None:
        return flow._whole(node, shape)  # noqa: SLF001  # of this file
    dims = (0, *range(_FIRST_AXIS, len(shape)))
    return [in_windows(term, dims, ranges, shape) for term in flow.of(node.input(0))]


def _depth_to_space(flow: Flow, node: Node, _number: int, shape: tuple[int, ...]) -> Iterable[Term]:
    batch, channels, height, width = flow.shapes[node.input(0)]
    block = node.attribute("blocksize", 1)
    if node.op == "SpaceToDepth":
        apart, order = (batch, channels, height // block, block, width // block, block), (0, 3, 5, 1, 2, 4)
    elif node.attribute("mode", "DCR") == "DCR":
        apart, order = (batch, block, block, channels // block**2, height, width), (0, 3, 4, 1, 5, 2)
    else:
        apart, order = (batch, channels // block**2, block, block, height, width), (0, 1, 4, 2, 5, 3)
    return [reshaped(transposed(reshaped(term, apart), order), shape) for term in flow.of(node.input(0))]


_MOVES: dict[str, Callable[[Flow, Node, int, tuple[int, ...]], Iterable[Term]]] = {
    "Transpose": _transpose,
    "Concat": _concat,
    "QLinearConcat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    **dict.fromkeys(
        [f"Reduce{name}" for name in ("Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp")], _reduce
    ),
    **dict.fromkeys(("ReduceSumSquare", "ArgMax", "ArgMin"), _reduce),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "CumSum", "LpNormalization"), _along),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), _along),
    **dict.fromkeys(("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), _skip_norm),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization", "LRN", "MeanVarianceNormalization"), _image_norm),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "QLinearGlobalAveragePool"), _global_pool),
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _depth_to_space),
}
