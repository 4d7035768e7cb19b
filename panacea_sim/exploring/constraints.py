"""Constraints between fields: comparisons of arithmetic over their names, parsed and never evaluated as Python."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["Constraint", "parse_constraint"]

_ACCEPTED = (
    "comparisons (== != < <= > >=) of numbers and fields joined by + - * / // % and brackets, as n_dwo + n_swo == 12"
)
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MOST_CHARACTERS = 1000


@dataclass(frozen=True)
class Constraint:
    """A comparison that every point must satisfy, as it was written and as a tree."""

    text: str
    tree: ast.Compare

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that it compares, as written: a field alone, or with its section."""
        found: dict[str, None] = {}
        _collect(self.tree, found)
        return tuple(found)

    def check_names(self, known: Mapping[str, object]) -> None:
        """Raise ConfigError for a name that stands for no value."""
        for name in self.names:
            if name not in known:
                names = ", ".join(each for each in known if "." not in each)
                raise ConfigError(
                    f"constraint {self.text!r}", f"the unknown field {name!r}", names, nearest_name(name, known)
                )

    def holds(self, values: Mapping[str, object]) -> bool:
        """Return whether it holds for the values of its fields; raises ConfigError where it cannot be computed."""
        try:
            return self._compared(values)
        except (TypeError, ArithmeticError) as error:
            found = ", ".join(f"{name} = {values[name]!r}" for name in self.names)
            raise ConfigError(
                f"constraint {self.text!r}", f"{found} ({error})", "values with which it can be computed"
            ) from error

    def _compared(self, values: Mapping[str, object]) -> bool:
        sides = [_value(side, values) for side in (self.tree.left, *self.tree.comparators)]
        pairs = zip(sides, self.tree.ops, sides[1:], strict=False)
        return all(_COMPARED[type(compare)](left, right) for left, compare, right in pairs)


def parse_constraint(text: str) -> Constraint:
    """Return a constraint; raises ConfigError for anything but a comparison of arithmetic over names."""
    if len(text) > _MOST_CHARACTERS:
        raise ConfigError("sweep.constraints", f"{len(text)} characters", f"at most {_MOST_CHARACTERS}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError("sweep.constraints", repr(text), _ACCEPTED) from error
    if not isinstance(tree, ast.Compare) or not all(type(each) in _COMPARED for each in tree.ops):
        raise ConfigError("sweep.constraints", repr(text), _ACCEPTED)
    for side in (tree.left, *tree.comparators):
        _check(side, text)
    return Constraint(text, tree)


def _check(node: ast.expr, text: str) -> None:
    """Raise ConfigError for what is no arithmetic over names; a word in quotes stands alone on its side."""
    if isinstance(node, ast.Constant) and type(node.value) is str:
        return
    for each in _arithmetic(node, text):
        if isinstance(each, ast.Constant) and type(each.value) not in (int, float):
            raise ConfigError("sweep.constraints", repr(text), _ACCEPTED)


def _arithmetic(node: ast.expr, text: str) -> list[ast.expr]:
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return [*_arithmetic(node.left, text), *_arithmetic(node.right, text)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _arithmetic(node.operand, text)
    if isinstance(node, ast.Constant) or _name(node) is not None:
        return [node]
    raise ConfigError("sweep.constraints", f"{ast.unparse(node)!r} in {text!r}", _ACCEPTED)


def _name(node: ast.AST) -> str | None:
    """Return the field that a node names, alone or with its section; None for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return None


def _collect(node: ast.AST, found: dict[str, None]) -> None:
    name = _name(node)
    if name is not None:
        found[name] = None
        return
    for child in ast.iter_child_nodes(node):
        _collect(child, found)


def _value(node: ast.expr, values: Mapping[str, object]) -> Any:  # noqa: ANN401  # numbers and words
    name = _name(node)
    if name is not None:
        return values[name]
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.UnaryOp):
        return -_value(node.operand, values)
    assert isinstance(node, ast.BinOp)  # nothing else has been accepted
    return _BINARY[type(node.op)](_value(node.left, values), _value(node.right, values))
