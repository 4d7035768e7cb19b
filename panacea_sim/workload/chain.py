"""Chains: layers whose activations are the outputs of layers before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import networkx as nx
import numpy as np
import numpy.typing as npt

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.quant.activation_functions import ActivationFunction, activate
from panacea_sim.quant.quantizer import panacea_quantizer
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import FunctionalPass, functional_pass, real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer import AnyLayer, Layer
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import LayerGraph, add_layer, add_link

__all__ = ["calibrated_output", "chain_graph", "check_link", "following", "source_numbers"]


def calibrated_output(
    layer: GemmLayer,
    function: ActivationFunction = "none",
    *,
    bits: int = 8,
    zpm: Literal["off", "on", "auto"] = "auto",
    dbs: bool = True,
) -> OutputFormat:
    """Return the output format that `panacea_quantizer` chooses for the real outputs of `layer` after `function`.

    The layer's own activations are the calibration data. Raises ConfigError like the quantizer, and if an accumulator
    does not fit int32.
    """
    outputs = activate(function, real_outputs(layer, layer.reference_accumulator())).reshape(-1, layer.N)
    chosen = panacea_quantizer(outputs, bits, zpm=zpm, dbs=dbs)
    return OutputFormat(chosen.scale, chosen.zero_point, chosen.bits, chosen.lo_bits, function=function)


def following(
    previous: GemmLayer,
    name: str,
    weight: npt.NDArray[np.signedinteger[Any]],
    *,
    weight_bits: int = 7,
    weight_scale: float | FloatArray = 1.0,
    bias: FloatArray | None = None,
    output: OutputFormat | None = None,
) -> GemmLayer:
    """Return the layer that multiplies `weight` [M, K] with the outputs of `previous`, K = its M, in their format.

    Raises ConfigError if `previous` has no output format, the shapes do not chain, or a field is not accepted.
    """
    form = _format_of(previous)
    if np.shape(weight)[1:] != (previous.M,):
        raise ConfigError(
            "layer.weight",
            f"shape {np.shape(weight)}",
            f"[M, {previous.M}]: a column for each row of {previous.name!r}",
        )
    return GemmLayer(
        name,
        weight,
        functional_pass(previous).output,
        form.zero_point,
        weight_bits,
        form.bits,
        form.lo_bits,
        r=form.r,
        weight_scale=weight_scale,
        activation_scale=form.scale,
        bias=bias,
        output=output,
        source=previous.name,
    )


def chain_graph(layers: Sequence[Layer], passes: Sequence[FunctionalPass | None]) -> LayerGraph:
    """Return the graph of layers of which some name, as `source`, the one whose outputs are their activations.

    The layers run in this very order, because a source comes before. `passes` holds the functional pass of every layer
    that is a source. Raises ConfigError where `source_numbers` and `check_link` do.
    """
    graph: LayerGraph = nx.DiGraph()
    for layer, source in zip(layers, source_numbers(layers), strict=True):
        if source is not None and isinstance(layer, GemmLayer):
            check_link(layers[source], passes[source], layer)
        add_layer(graph, layer)
        if source is not None:
            add_link(graph, layers[source].name, layer.name, Link("x", in_place=True))
    return graph


def source_numbers(layers: Sequence[AnyLayer]) -> list[int | None]:
    """Return for each layer the number of the one whose outputs are its activations, None for a layer without source.

    Raises ConfigError if two layers have one name, or if a source is not among the layers before, has no output format,
    or it or its reader has several products. Operands are not looked at.
    """
    numbers: dict[str, int] = {}
    sources: list[int | None] = []
    for number, layer in enumerate(layers):
        source = None if layer.source is None else _number_of(layer.source, numbers)
        if source is not None:
            _format_of(layers[source])
            _require_one_product(layer, f"{layer.source!r} of {layer.name!r}")
        sources.append(source)
        if layer.name in numbers:
            raise ConfigError("layer.name", f"{layer.name!r} twice", "a name of its own for each layer of a chain")
        numbers[layer.name] = number
    return sources


def _number_of(source: str, numbers: Mapping[str, int]) -> int:
    if source not in numbers:
        earlier = ", ".join(numbers) or "none, for the first layer"
        raise ConfigError("layer.source", repr(source), f"a layer before: {earlier}", nearest_name(source, numbers))
    return numbers[source]


def check_link(previous: Layer, functional: FunctionalPass | None, layer: GemmLayer) -> None:
    """Check that a layer reads what `previous`, of which this is the functional pass, writes; raises ConfigError."""
    form = _format_of(previous)
    pairs = {
        "activation_scale": (layer.activation_scale, form.scale),
        "zero_point": (layer.zero_point, form.zero_point),
        "activation_bits": (layer.activation_bits, form.bits),
        "lo_bits": (layer.lo_bits, form.lo_bits),
        "r": (layer.frequent, form.frequent),
    }
    hint = "Build the layer with panacea_sim.workload.chain.following"
    for field, (found, wanted) in pairs.items():
        if found != wanted:
            raise ConfigError(f"layer.{field}", found, f"{wanted}, as {previous.name!r} writes it", hint)
    if layer.is_symmetric:
        raise ConfigError("layer.activation", "symmetric codes", f"those that {previous.name!r} writes, unsigned", hint)
    if functional is None or not np.array_equal(layer.activation, functional.output):
        raise ConfigError("layer.activation", "other values", f"the outputs of {previous.name!r}", hint)


def _require_one_product(layer: AnyLayer, named: str) -> None:
    if layer.repeat > 1:
        hint = "Give the reader operands of its own, without a source"
        raise ConfigError("layer.source", f"{named}, which has {layer.repeat} products", "layers of one product", hint)


def _format_of(previous: AnyLayer) -> OutputFormat:
    _require_one_product(previous, repr(previous.name))
    if previous.output is None:
        hint = "For example dataclasses.replace(layer, output=calibrated_output(layer))"
        raise ConfigError("layer.output", f"None in {previous.name!r}", "an OutputFormat, as a layer follows", hint)
    return previous.output
