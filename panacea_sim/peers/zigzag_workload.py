"""Workloads of ZigZag, a YAML list of operators with their loops, as networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from panacea_sim.errors import ConfigError
from panacea_sim.peers.converted import Converted
from panacea_sim.peers.zigzag_operator import AXES, ZigzagOperator, read_operator
from panacea_sim.workload.networks.network_file import NETWORK_KIND

__all__ = ["is_workload", "read_workload"]

_WEIGHT_BITS = (4, 7, 10)
_ACTIVATION_BITS = 8


def is_workload(content: object) -> bool:
    """Return whether a YAML file holds a workload of ZigZag."""
    return isinstance(content, list) and all(isinstance(row, dict) and "operator_type" in row for row in content)


def read_workload(path: Path, content: object) -> Converted:
    """Return a workload of ZigZag as a network; raises ConfigError naming the file and the place in it."""
    assert isinstance(content, list)
    network = _Network()
    for number, row in enumerate(content):
        network.add(read_operator(f"{path}: [{number}]", row))
    if not network.layers:
        raise ConfigError(str(path), "no product", "at least one operator that multiplies I by W")
    layers = list(network.layers.values())
    remarks = ("sums have 32 bits and outputs the bits that their readers read: O and O_final decide nothing",)
    return Converted(
        "network",
        "ZigZag",
        {"kind": NETWORK_KIND, "name": path.stem, "layers": layers},
        (*remarks, *dict.fromkeys(network.remarks)),
    )


@dataclass(frozen=True)
class _Value:
    """What an operator gives to those that read it: layers, with what lies between, and the size of its images."""

    sources: tuple[Mapping[str, Any], ...]
    size: tuple[int, ...] | None = None


@dataclass
class _Network:
    """The layers so far, what each operator gives, and what did not carry over."""

    layers: dict[str, dict[str, Any]] = field(default_factory=dict)
    values: dict[int, _Value] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, operator: ZigzagOperator) -> None:
        """Add an operator: a layer, or work between layers."""
        if operator.unknown:
            self.remarks.append(f"{', '.join(operator.unknown)}: not known here")
        if operator.number in self.values:
            raise ConfigError(f"{operator.place}.id", operator.number, "a number of its own for each operator")
        if operator.is_product:
            self._add_product(operator)
        elif operator.is_pooling:
            self._add_pooling(operator)
        else:
            self._add_elements(operator)

    def _add_product(self, operator: ZigzagOperator) -> None:
        value = self._value(operator, "I")
        row: dict[str, Any] = {"name": operator.name}
        if row["name"] in self.layers:
            raise ConfigError(f"{operator.place}.name", repr(operator.name), "a name of its own for each operator")
        row |= self._convolution(operator, value) if operator.is_convolution else operator.product()
        sources = [*value.sources]
        if operator.source("W") is not None:
            if operator.is_convolution:
                found = f"the outputs of operator {operator.source('W')}"
                raise ConfigError(f"{operator.place}.operand_source.W", found, "constant weights, for a convolution")
            row["dynamic_weight"] = True
            weights = self._value(operator, "W").sources
            sources += [{"layer": each["layer"], "operand": "w", "needs": "all"} for each in weights]
        else:
            row |= self._weight_bits(operator)
        self._tell_activation_bits(operator)
        if sources:
            row["from"] = sources
        self.layers[operator.name] = row
        size = tuple(operator.size(f"o{axis}") for axis in AXES) if operator.is_convolution else None
        self.values[operator.number] = _Value(({"layer": operator.name},), size)

    def _convolution(self, operator: ZigzagOperator, value: _Value) -> dict[str, Any]:
        groups, windows = operator.size("g"), operator.windows
        size, padding = self._image(operator, value)
        row = {
            "op": "conv",
            "in_channels": groups * operator.size("c"),
            "out_channels": groups * operator.size("k"),
            "size": list(size),
            "kernel": [operator.size(f"f{axis}") for axis in AXES],
            "stride": [windows[axis][0] for axis in AXES],
            "padding": padding,
        }
        dilation = [windows[axis][1] for axis in AXES]
        row |= {"dilation": dilation} if dilation != [1, 1] else {}
        row |= {"groups": groups} if groups > 1 else {}
        return row | ({"batch": operator.size("b")} if operator.size("b") > 1 else {})

    def _image(self, operator: ZigzagOperator, value: _Value) -> tuple[tuple[int, ...], list[list[int]]]:
        """Return the size of the images that windows slide over, and the padding around them."""
        reach = tuple(operator.windows[axis][2] for axis in AXES)
        given = {str(loop).lower(): pads for loop, pads in operator.of_inputs("padding")}
        sizes = {str(loop).lower(): size for loop, size in operator.of_inputs("pr_loop_sizes")}
        if given:
            padding = [list(given.get(f"i{axis}", [0, 0])) for axis in AXES]
            inner = tuple(pixels - sum(pads) for pixels, pads in zip(reach, padding, strict=True))
            return tuple(sizes.get(f"i{axis}", rest) for axis, rest in zip(AXES, inner, strict=True)), padding
        size = value.size or reach
        missing = [max(0, pixels - of_image) for pixels, of_image in zip(reach, size, strict=True)]
        if any(missing):
            text = "padding is not given: as much as the windows need beyond the images that they read"
            self.remarks.append(f"{operator.called}: {text}")
        return size, [[pixels // 2, pixels - pixels // 2] for pixels in missing]

    def _add_pooling(self, operator: ZigzagOperator) -> None:
        value = self._value(operator, "I")
        size, padding = self._image(operator, value)
        pool = {
            "kernel": [operator.size(f"f{axis}") for axis in AXES],
            "stride": [operator.windows[axis][0] for axis in AXES],
            "padding": padding,
        }
        sources: list[Mapping[str, Any]] = []
        for source in value.sources:
            if set(source) == {"layer"} and size == value.size:
                sources.append({**source, "pool": pool})
            else:
                sources.append({"layer": source["layer"], "needs": "all"})
                self.remarks.append(f"{operator.called}: what reads it waits for all of {source['layer']}")
        self._pay(operator, value, "pooling")
        self.values[operator.number] = _Value(tuple(sources), tuple(operator.size(f"o{axis}") for axis in AXES))

    def _add_elements(self, operator: ZigzagOperator) -> None:
        """Add element-wise work, which reads what it has one after the other."""
        values = [self._value(operator, operand) for operand in ("I", "W")]
        sources = {str(source): source for value in values for source in value.sources}
        joined = _Value(tuple(sources.values()), values[0].size or values[1].size)
        if operator.adds or not operator.sums:
            self._pay(operator, joined, "residual" if operator.adds else "product")
        self.values[operator.number] = joined

    def _pay(self, operator: ZigzagOperator, value: _Value, work: str) -> None:
        """Let the last of the layers in front of vector work pay for it."""
        names = [str(source["layer"]) for source in value.sources]
        if not names:
            self.remarks.append(f"{operator.called}: no layer is in front of it, so it costs nothing")
            return
        last = max(names, key=list(self.layers).index)
        self.layers[last].setdefault("vector", []).append(work)

    def _value(self, operator: ZigzagOperator, operand: str) -> _Value:
        source = operator.source(operand)
        if source is None:
            return _Value(())
        if source not in self.values:
            accepted = f"{operator.number} itself, or an operator above it"
            raise ConfigError(f"{operator.place}.operand_source.{operand}", source, accepted)
        return self.values[source]

    def _weight_bits(self, operator: ZigzagOperator) -> dict[str, Any]:
        given = operator.row["operand_precision"].get("W")
        bits = next((bits for bits in _WEIGHT_BITS if given is not None and bits >= given), None)
        if bits is None:
            self.remarks.append(f"{operator.called}: weights of {given} bits have those of --weight-bits")
            return {}
        if bits != given:
            text = f"weights of {given} bits have {bits}, the fewest of 4, 7 and 10 that hold them"
            self.remarks.append(f"{text} (sa_os, sa_ws and simd multiply 8 bits)")
        return {"weight_bits": bits}

    def _tell_activation_bits(self, operator: ZigzagOperator) -> None:
        bits = operator.row["operand_precision"].get("I")
        if bits != _ACTIVATION_BITS:
            self.remarks.append(f"{operator.called}: activations of {bits} bits have {_ACTIVATION_BITS}")
