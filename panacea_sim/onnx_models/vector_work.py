"""The vector work between products: what is found in a model, and which layer pays for it.

Exporters write a norm, a softmax or a GELU as many element-wise operators. Tensors that are made of one tensor alone
belong together: they have one *root*, and what they are of it is one piece of work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from panacea_sim.onnx_models.flow import Flow
from panacea_sim.onnx_models.graph import Node
from panacea_sim.onnx_models.operator_kinds import CUTS, ELEMENTWISE, FUNCTIONS, RECTIFIERS, RESHAPES

__all__ = ["VectorWork"]

_IN_NORMS = frozenset({"Pow", "Sqrt", "Reciprocal", "Abs", "Exp"})
"""Functions that norms and softmaxes consist of."""
_ALONE = {
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax", "QLinearSoftmax"), "softmax"),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization"), "norm"),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization", "LRN", "LpNormalization"), "norm"),
    "MeanVarianceNormalization": "norm",
    **dict.fromkeys(
        ("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), "pooling"
    ),
    **dict.fromkeys(("QLinearGlobalAveragePool", "QLinearAveragePool"), "pooling"),
    **dict.fromkeys(("Resize", "Upsample"), "resize"),
    "RotaryEmbedding": "rotary",
}
_SUMS = frozenset({"Add", "Sub", "Sum", "Mean", "Max", "Min", "QLinearAdd"})
_PRODUCTS = frozenset({"Mul", "Div", "QLinearMul"})
_PARTS = frozenset({"Slice", "Split", "Gather", "Pad"})


@dataclass(frozen=True)
class _Origin:
    """What a tensor is of its root: the same elements, perhaps moved, or a statistic of them."""

    root: int
    is_statistic: bool = False
    is_moved: bool = False


@dataclass
class _Root:
    """A tensor that others are made of: the layer that pays for it, and what is done with it."""

    payer: str | None
    work: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    is_reduced: bool = False
    is_combined: bool = False

    def names(self) -> list[str]:
        """Return the vector work on this tensor."""
        functions = self.functions - _IN_NORMS if self.is_combined else self.functions
        found = [*self.work, *(["function"] if functions else [])]
        if self.is_combined:
            found.append("softmax" if "Exp" in self.functions else "norm")
        elif self.is_reduced:
            found.append("pooling")
        return found


class VectorWork:
    """Follows the tensors between products, node by node in their order."""

    def __init__(self, flow: Flow, constants: frozenset[str]) -> None:
        self._flow = flow
        self._constants = constants
        self._order: dict[str, int] = {}
        self._origins: dict[str, _Origin] = {}
        self._roots: list[_Root] = []

    def add_product(self, name: str, outputs: Sequence[str], work: Sequence[str]) -> None:
        """Let a layer pay for what is done with its outputs, the work of its own operator first."""
        self._order[name] = len(self._order)
        self._roots.append(_Root(name, list(work)))
        for output in outputs:
            self._origins[output] = _Origin(len(self._roots) - 1)

    def pass_on(self, node: Node) -> None:
        """Take an operator that is no product; its terms are known."""
        if node.op in CUTS or all(name in self._constants for name in node.outputs):
            return
        op = node.op.removeprefix("com.microsoft.")
        given = self._given(node)
        if not given:
            self._begin(node)
        elif op in _ALONE:
            self._begin(node, _ALONE[op])
        elif op.startswith("Skip") and op.endswith("LayerNormalization"):
            self._begin(node, "residual", "norm")
        elif op.startswith("Reduce"):
            self._roots[given[0].root].is_reduced = True
            self._go_on(node, replace(given[0], is_statistic=True))
        elif op in ("Concat", "QLinearConcat"):
            self._concatenate(node, given)
        elif op in _PARTS:
            self._go_on(node, replace(given[0], is_moved=True))
        elif op in RESHAPES or op in ("Transpose", "Expand", "Tile") or op == "DynamicQuantizeLinear":
            self._go_on(node, given[0])
        elif op in ELEMENTWISE:
            self._combine(node, op, given)
        else:
            self._begin(node)

    def of_layers(self) -> Mapping[str | None, tuple[str, ...]]:
        """Return the vector work that each layer pays for; that of None has no producer."""
        found: dict[str | None, list[str]] = {}
        for root in self._roots:
            found.setdefault(root.payer, []).extend(root.names())
        return {payer: tuple(work) for payer, work in found.items() if work}

    def _given(self, node: Node) -> list[_Origin]:
        """Return the origins of what an operator reads.

        Beside what a layer wrote, a smaller tensor that none wrote, such as a mask, counts as a constant.
        """
        if node.op == "Gather" and node.input(0) in self._constants:
            return []  # a row of a table for each index: its elements are no function of the index
        shapes, output = self._flow.shapes, node.outputs[0]
        for name in node.inputs:
            if name and name not in self._origins and name not in self._constants:
                self._roots.append(_Root(None))
                self._origins[name] = _Origin(len(self._roots) - 1)
        found = [(self._origins[name], shapes.get(name)) for name in node.inputs if name in self._origins]
        if not any(self._roots[origin.root].payer for origin, _ in found):
            return [origin for origin, _ in found]
        return [origin for origin, shape in found if self._roots[origin.root].payer or shape == shapes.get(output)]

    def _begin(self, node: Node, *work: str) -> None:
        """Let the outputs of an operator be a root; who made its inputs last pays for the work that made it."""
        payers = {term.source.layer for output in node.outputs for term in self._flow.of(output)}
        payer = max(payers, key=self._order.__getitem__, default=None)
        self._roots.append(_Root(payer, list(work)))
        self._go_on(node, _Origin(len(self._roots) - 1))

    def _go_on(self, node: Node, origin: _Origin) -> None:
        for output in node.outputs:
            if output and output not in self._constants:
                self._origins[output] = origin

    def _concatenate(self, node: Node, given: Sequence[_Origin]) -> None:
        if len({origin.root for origin in given}) == 1:
            self._go_on(node, replace(given[0], is_moved=True))
        else:
            self._begin(node, "concat")

    def _combine(self, node: Node, op: str, given: Sequence[_Origin]) -> None:
        """Take an element-wise operator: on one tensor and constants, on what is made of one, or on several."""
        first = given[0]
        root = self._roots[first.root]
        if len({origin.root for origin in given}) > 1:
            kind = ("residual",) if op in _SUMS else ("product",) if op in _PRODUCTS else ()
            self._begin(node, *kind)
            return
        if len(given) == 1:
            self._on_one(op, first, root, with_constant=len(node.inputs) > 1)
            self._go_on(node, first)
            return
        statistics = {origin.is_statistic for origin in given}
        if len(statistics) > 1:
            root.is_combined = True
        elif len({origin.is_moved for origin in given}) > 1 and op in _SUMS:
            _once(root.work, "rotary")
        elif statistics == {False} and op in _SUMS | _PRODUCTS:
            root.functions.add("Mul")
        self._go_on(node, replace(first, is_statistic=statistics == {True}, is_moved=False))

    @staticmethod
    def _on_one(op: str, origin: _Origin, root: _Root, *, with_constant: bool) -> None:
        if op in RECTIFIERS or (op in ("Max", "Min") and with_constant):
            _once(root.work, "relu")
        elif op == "BatchNormalization":
            _once(root.work, "batchnorm")
        elif (op in FUNCTIONS or op.startswith("QLinear")) and not (origin.is_statistic and op in _IN_NORMS):
            root.functions.add(op)


def _once(work: list[str], name: str) -> None:
    if name not in work:
        work.append(name)
