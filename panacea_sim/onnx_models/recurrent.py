"""LSTM and GRU of a model file: a product over all steps, and one a step, for each direction."""

from __future__ import annotations

from collections.abc import Iterator

from panacea_sim.onnx_models.graph import Node
from panacea_sim.onnx_models.products import Product, Shapes
from panacea_sim.onnx_models.terms import Axis, Dim, Source, Term, axes_of, merged
from panacea_sim.onnx_models.views import MatrixView, RepeatDim, StateView

__all__ = ["CELL_WORK", "recurrent"]

_GATES = {"LSTM": 4, "GRU": 3}
CELL_WORK = ("residual", "product")
"""Gates of a step are added to those of its input; their products are one pass over all gates together."""


def recurrent(node: Node, shapes: Shapes, constants: frozenset[str]) -> list[Product]:
    """Return NAME.input and NAME.hidden; of a layer in two directions NAME.forward.input and so on.

    onnxruntime runs no layout but that of steps first.
    """
    del constants
    directions = shapes[node.input(2)][0]
    reverse = node.attribute("direction", "forward") == "reverse"
    made: list[Product] = []
    for number in range(directions):
        name = node.name if directions == 1 else f"{node.name}.{('forward', 'reverse')[number]}"
        made.extend(_direction(node, name, shapes, number, is_reverse=reverse or number == 1))
    return made


def _direction(node: Node, name: str, shapes: Shapes, number: int, *, is_reverse: bool) -> Iterator[Product]:
    gates = _GATES[node.op]
    inputs, weight, hidden = shapes[node.input(0)], shapes[node.input(1)], shapes[node.input(2)]
    steps, batch = inputs[0], inputs[1]
    size = hidden[2]
    rows = gates * size
    spread, sequences = merged((Axis(gates, size, 0),)), axes_of(batch, 0, 1)
    own = Source(f"{name}.input", rows, steps * batch)
    yield Product(
        own.layer,
        node,
        (rows, weight[2], steps * batch),
        1,
        MatrixView(node.input(1), weight, (), (1,), (2,), ((0, number),)),
        MatrixView(node.input(0), inputs, (), (2,), (0, 1)),
        tuple(_terms(node, shapes, number, own, (axes_of(steps, 0, batch), sequences), spread, forward=not is_reverse)),
    )
    state = Source(f"{name}.hidden", rows * steps, batch)
    step = -rows if is_reverse else rows
    yield Product(
        state.layer,
        node,
        (rows, size, batch),
        steps,
        MatrixView(node.input(2), hidden, (RepeatDim(None, steps),), (1,), (2,), ((0, number),)),
        StateView(node.outputs[0], node.input(5), number, is_reverse),
        tuple(
            _terms(node, shapes, number, state, (axes_of(steps, step, 0), sequences), spread, forward=not is_reverse)
        ),
        sequential=True,
        vector=CELL_WORK,
    )


def _terms(  # what a direction is
    node: Node, shapes: Shapes, direction: int, source: Source, ways: tuple[Dim, Dim], spread: Dim, *, forward: bool
) -> Iterator[tuple[str, Term]]:
    """Return the terms of the states of all steps, and of those behind the last."""
    of_steps, of_batch = ways
    (steps,) = of_steps or (Axis(1, 0, 0),)
    size = shapes[node.input(2)][2]
    last = steps.size - 1
    first_feature = -steps.feature * last if steps.feature < 0 else 0
    at_last = last if forward else 0
    for number, output in enumerate(node.outputs):
        if not output or output not in shapes:
            continue
        shape = shapes[output]
        direction_dim = 1 if number == 0 else 0
        box = tuple(
            (direction, direction + 1) if dim == direction_dim else (0, extent) for dim, extent in enumerate(shape)
        )
        features = axes_of(size, 1, 0)
        if number == 0:
            dims = (of_steps, (), of_batch, features)
            yield output, Term(source, shape, dims, box, feature=first_feature, spread=spread)
        else:
            feature, column = first_feature + at_last * steps.feature, at_last * steps.column
            yield output, Term(source, shape, ((), of_batch, features), box, feature, column, spread)
