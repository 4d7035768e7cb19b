"""Operators of ZigZag: their equation, their loops and their windows.

What an operator is follows from its equation and its loops, whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from panacea_sim.errors import ConfigError

__all__ = ["AXES", "ZigzagOperator", "read_operator"]

_EQUATION = re.compile(r"O((?:\[\w+\])+)(\+?=)(\w)((?:\[\w*\])*)([*+])(\w)((?:\[\w*\])*)")
_RELATION = re.compile(r"(\w+)=(?:(\w+)\*)?(\w+)\+(?:(\w+)\*)?(\w+)")
AXES = ("y", "x")
"""The axes of an image, the last one fastest: loops oy, fy and ox, fx."""
_CONVOLVED = {"b", "g", "k", "c", "oy", "ox", "fy", "fx"}
_NEEDED = ("id", "operator_type", "equation", "loop_dims", "loop_sizes", "operand_precision")
_KNOWN = (*_NEEDED, "name", "dimension_relations", "operand_source", "pr_loop_dims", "pr_loop_sizes", "padding")


@dataclass(frozen=True)
class ZigzagOperator:
    """An operator by its loops, in small letters, and by which of them each operand has."""

    place: str
    row: Mapping[str, Any]
    sizes: Mapping[str, int]
    output: frozenset[str]
    inputs: Mapping[str, frozenset[str]]
    adds: bool
    """Whether its equation adds I and W instead of multiplying them."""
    sums: bool

    @property
    def number(self) -> int:
        """By which others name it."""
        return int(self.row["id"])

    @property
    def name(self) -> str:
        """Its name, or one made of its number."""
        return str(self.row.get("name") or f"layer{self.number}")

    @property
    def called(self) -> str:
        """What remarks call it."""
        return f"{self.name} ({self.row['operator_type']})"

    def size(self, loop: str) -> int:
        """Return the size of a loop, 1 where it has none."""
        return self.sizes.get(loop, 1)

    @property
    def windows(self) -> dict[str, tuple[int, int, int]]:
        """The stride, the dilation and the reach along each axis."""
        steps = dict.fromkeys(AXES, (1, 1))
        for text in self.row.get("dimension_relations") or ():
            found = _RELATION.fullmatch(str(text).replace(" ", "").lower())
            if found is None:
                raise ConfigError(f"{self.place}.dimension_relations", repr(text), "as ix=1*ox+1*fx")
            _, first, outer, second, inner = found.groups()
            coefficient = {outer: int(first or 1), inner: int(second or 1)}
            axis = outer[-1]
            if {outer, inner} != {f"o{axis}", f"f{axis}"} or axis not in AXES:
                raise ConfigError(f"{self.place}.dimension_relations", repr(text), "windows along x and y")
            steps[axis] = (coefficient[f"o{axis}"], coefficient[f"f{axis}"])
        return {axis: (stride, apart, self._reach(axis, stride, apart)) for axis, (stride, apart) in steps.items()}

    def _reach(self, axis: str, stride: int, apart: int) -> int:
        """Return the pixels from the first to the last that the windows meet."""
        return (self.size(f"o{axis}") - 1) * stride + (self.size(f"f{axis}") - 1) * apart + 1

    @property
    def is_pooling(self) -> bool:
        """Whether W is a window without features: nothing but pixels is added up."""
        return not self.adds and self.sums and self.inputs.get("w", frozenset()) <= {"fx", "fy"}

    @property
    def is_product(self) -> bool:
        """Whether sums of products of I and W are its outputs."""
        return not self.adds and self.sums and not self.is_pooling

    @property
    def is_convolution(self) -> bool:
        """Whether it is a product over images, with the loops of convolutions and no others."""
        return self.is_product and {*self.sizes} <= _CONVOLVED and bool({"oy", "ox"} & self.sizes.keys())

    @property
    def unknown(self) -> list[str]:
        """The keys that are not known here."""
        return sorted(set(self.row) - set(_KNOWN))

    def product(self) -> dict[str, Any]:
        """Return M, K, N and repeat by which operands have each loop; raises ConfigError for other loops."""
        weights, inputs, outputs = (
            self.inputs.get("w", frozenset()),
            self.inputs.get("i", frozenset()),
            self.output,
        )
        groups = {
            "repeat": outputs & weights & inputs,
            "M": outputs & weights - inputs,
            "N": outputs & inputs - weights,
        }
        groups["K"] = (weights & inputs) - outputs
        counted = frozenset[str]().union(*groups.values())
        missing = sorted(loop for loop in self.sizes if loop not in counted and self.size(loop) > 1)
        if missing:
            accepted = "loops of a product: each in two of O, I and W, or in all of them"
            raise ConfigError(f"{self.place}.equation", f"the loops {', '.join(missing)}", accepted)
        sizes = {name: prod(self.size(loop) for loop in sorted(loops)) for name, loops in groups.items()}
        row = {"op": "gemm", "M": sizes["M"], "K": sizes["K"], "N": sizes["N"]}
        return row | ({"repeat": sizes["repeat"]} if sizes["repeat"] > 1 else {})

    def of_inputs(self, key: str) -> Iterator[tuple[object, Any]]:
        """Return what the operator says of each of its loops over inputs."""
        loops: Sequence[object] = self.row.get("pr_loop_dims") or ()
        values: Sequence[Any] = self.row.get(key) or ()
        if values and len(loops) != len(values):
            raise ConfigError(f"{self.place}.{key}", values, f"one for each of pr_loop_dims {loops}")
        return zip(loops, values, strict=False)

    def source(self, operand: str) -> int | None:
        """Return which operator gives an operand; None if it is a constant or lies in DRAM."""
        given = (self.row.get("operand_source") or {}).get(operand)
        return None if given in (None, self.number) else int(given)


def read_operator(place: str, row: Mapping[str, Any]) -> ZigzagOperator:
    """Return the operator of a row of a workload; raises ConfigError naming `place` and the key."""
    for key in _NEEDED:
        if key not in row:
            raise ConfigError(f"{place}.{key}", "nothing", "what ZigZag needs of an operator")
    found = _EQUATION.fullmatch(str(row["equation"]).replace(" ", ""))
    if found is None:
        raise ConfigError(f"{place}.equation", repr(row["equation"]), "as O[b][k]+=I[b][c]*W[k][c]")
    output, equals, first, of_first, sign, second, of_second = found.groups()
    loops, sizes = row["loop_dims"], row["loop_sizes"]
    if not isinstance(loops, list) or not isinstance(sizes, list) or len(loops) != len(sizes):
        raise ConfigError(f"{place}.loop_sizes", sizes, f"a list of one size for each of {loops}")
    for size in sizes:
        if type(size) is not int or size < 1:
            raise ConfigError(f"{place}.loop_sizes", repr(size), "whole numbers >= 1")
    inputs = {first.lower(): _loops(of_first), second.lower(): _loops(of_second)}
    return ZigzagOperator(
        place,
        row,
        {str(loop).lower(): size for loop, size in zip(loops, sizes, strict=True)},
        _loops(output),
        inputs,
        adds=sign == "+",
        sums=equals == "+=",
    )


def _loops(indices: str) -> frozenset[str]:
    return frozenset(index for index in re.findall(r"\[(\w*)\]", indices.lower()) if index)
