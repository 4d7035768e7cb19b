"""A model that was read: its layers with the numbers that they multiply, and the graph of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.encodings import Encoding
from panacea_sim.onnx_models.graph import Array, InputSpec, OnnxGraph
from panacea_sim.onnx_models.products import Product
from panacea_sim.onnx_models.samples import Feed, Samples
from panacea_sim.onnx_models.session import ModelSession
from panacea_sim.onnx_models.views import OperandView
from panacea_sim.units import FloatArray, IntArray
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.gemm import Gemm

__all__ = ["Codes", "ImportedLayer", "ImportedModel", "ImportedOperand", "Recorder", "Unsupported"]


@dataclass(frozen=True, eq=False)
class Codes:
    """An operand of one product as integers: real value = `scale` * (`codes` - `zero_point`).

    A weight [M, K] has its zero points subtracted already, and a scale for each row. An activation [K, N] is unsigned:
    signed codes of the model are shifted by half of their range, and their zero point with them.
    """

    codes: IntArray
    zero_point: int
    scale: float | FloatArray


@dataclass(frozen=True)
class ImportedOperand:
    """Where an operand's numbers lie: a view of tensors, and how these are encoded if they are integers."""

    view: OperandView
    encoding: Encoding | None
    is_constant: bool

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of the tensors that `matrices` and, of integers, `codes` read."""
        coded = () if self.encoding is None else self.encoding.tensors
        return tuple(dict.fromkeys((*self.view.tensors, *coded)))

    def matrices(self, values: Mapping[str, Array]) -> Iterator[Array]:
        """Return the matrix of each repeat as the model multiplies it: real numbers, or an integer operator's codes."""
        return self.view.matrices(*(values[name] for name in self.view.tensors))

    def centred(self, values: Mapping[str, Array]) -> Iterator[IntArray]:
        """Return for each repeat the matrix of codes less their zero points; raises ConfigError for real numbers."""
        return self.view.matrices(self._encoding.centred(values))

    def weight_codes(self, values: Mapping[str, Array]) -> Iterator[Codes]:
        """Return for each repeat the codes of a weight, with a scale for each row.

        Raises ConfigError for real numbers, and where scales differ along a row.
        """
        scales = self.view.matrices(self._encoding.scales(values))
        for codes, scale in zip(self.centred(values), scales, strict=True):
            if np.any(scale != scale[:, :1]):
                found = "scales that differ within an output"
                raise ConfigError(f"weight {self.view.tensors[0]!r}", found, "one scale for each output")
            yield Codes(codes, 0, np.ascontiguousarray(scale[:, 0]))

    def activation_codes(self, values: Mapping[str, Array]) -> Iterator[Codes]:
        """Return for each repeat the codes of an activation; padding is the zero point.

        Raises ConfigError for real numbers, for 16-bit codes, and where scales or zero points differ within a tensor.
        """
        encoding = self._encoding
        dtype = values[encoding.codes].dtype
        shift = _shift_of(dtype, encoding.codes)
        zero_point, scale = (
            _only_one(encoding.codes, what, found)
            for what, found in (("zero points", encoding.zero_points(values)), ("scales", encoding.scales(values)))
        )
        moved = encoding.raw(values) + shift
        for codes in self.view.matrices(moved, padding=int(zero_point) + shift):
            yield Codes(codes, int(zero_point) + shift, float(scale))

    @property
    def _encoding(self) -> Encoding:
        if self.encoding is None:
            raise ConfigError(f"operand {self.view.tensors[0]!r}", "real numbers", "integers of a quantized model")
        return self.encoding


@dataclass(frozen=True, eq=False)
class ImportedLayer:
    """A layer of an imported model: its sizes, and its operands.

    Multiplied repeat by repeat, the matrices of `weight` and `activation` are what the node gives before bias, scale
    and, of a transposed convolution, the sum over taps.
    """

    gemm: Gemm
    product: Product
    weight: ImportedOperand
    activation: ImportedOperand

    @property
    def node(self) -> str:
        """The name of the node that the layer comes from."""
        return self.product.node.name

    @property
    def tensors(self) -> tuple[str, ...]:
        """The names of all tensors that the operands read."""
        return tuple(dict.fromkeys((*self.weight.tensors, *self.activation.tensors)))


@dataclass(frozen=True)
class Unsupported:
    """Operators of a kind that multiply but are no products here; `macs` is None where nobody knows how many."""

    op: str
    count: int
    macs: int | None


@dataclass(frozen=True, eq=False)
class ImportedModel:
    """A model file as a network: `network` has the layers' `Gemm`s and links, `layers` their operands, by name.

    `onnx` is the model as it runs, control flow put in place for the inputs that it was read with. `samples` are those
    of the file that these come from, None for zeros.
    """

    onnx: OnnxGraph
    layers: Mapping[str, ImportedLayer]
    network: LayerGraph
    unsupported: tuple[Unsupported, ...]
    samples: Samples | None = None

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What a sample consists of."""
        return self.onnx.inputs

    def recorder(
        self, layers: Sequence[str] | None = None, extra: Sequence[str] = (), *, optimized: bool = False
    ) -> Recorder:
        """Return what runs the model and gives the tensors of layers (all of them by default), and others by name."""
        chosen = self.layers if layers is None else layers
        wanted = [name for layer in chosen for name in self.layers[layer].tensors]
        return Recorder(self.onnx, [*wanted, *extra], optimized=optimized)


class Recorder:
    """Runs a model sample by sample; each run gives certain tensors by their names.

    Tensors that the file holds are read from it once. `optimized`: as onnxruntime runs the model by default, else node
    by node.
    """

    def __init__(self, graph: OnnxGraph, tensors: Sequence[str], *, optimized: bool = False) -> None:
        self._held: dict[str, Array] = {}
        asked = []
        for name in dict.fromkeys(tensors):
            value = graph.held(name)
            if value is None:
                asked.append(name)
            else:
                self._held[name] = value
        self._session = ModelSession(graph, asked, optimized=optimized)

    def run(self, feed: Feed) -> dict[str, Array]:
        """Return the tensors for a sample; raises ConfigError where the model does not run."""
        return self._held | self._session.run(feed)


def _shift_of(dtype: np.dtype[np.generic], name: str) -> int:
    """Return what makes codes unsigned."""
    names = {"uint8": 0, "int8": 128, "uint4": 0, "int4": 8}
    if dtype.name not in names:
        raise ConfigError(f"activation {name!r}", f"{dtype.name} codes", "uint8, int8, uint4 or int4")
    return names[dtype.name]


def _only_one(name: str, what: str, numbers: Array) -> float:
    first = numbers.ravel()[0] if numbers.size else 0
    if np.any(numbers != first):
        raise ConfigError(f"activation {name!r}", f"{what} that differ within the tensor", "one for the whole tensor")
    return float(first)
