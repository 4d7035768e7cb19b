"""A model file as a network: its nodes one by one as layers and links, or as vector work between them."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import onnx

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.encodings import encoding_of
from panacea_sim.onnx_models.flow import Flow
from panacea_sim.onnx_models.graph import Array, Node, OnnxGraph, node_names
from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel, ImportedOperand, Recorder
from panacea_sim.onnx_models.inlining import in_place
from panacea_sim.onnx_models.kinds import kinds_of
from panacea_sim.onnx_models.products import Product, product_makers
from panacea_sim.onnx_models.readings import image_links, matrix_links
from panacea_sim.onnx_models.samples import Feed
from panacea_sim.onnx_models.session import sizes_of_tensors
from panacea_sim.onnx_models.unsupported import unsupported_of
from panacea_sim.onnx_models.vector_work import VectorWork
from panacea_sim.onnx_models.views import ImageView, MatrixView, StateView
from panacea_sim.onnx_models.widths import activation_bits_of, weight_bits_of
from panacea_sim.quant.slicing import weight_ho_factors
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import LayerGraph, add_layer, add_links
from panacea_sim.workload.networks.builder import DYNAMIC_WEIGHT_BITS
from panacea_sim.workload.networks.fit import connect, offsets
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.profile import DensityProfile, Quantization
from panacea_sim.workload.networks.vector_work import PASSES

__all__ = ["imported_model"]

_STEPS_WITH_NUMBERS = ("Slice", "Gather", "Pad")
_RECURRENT = ("LSTM", "GRU")


def imported_model(
    graph: OnnxGraph, feed: Feed, profile: DensityProfile, weight_bits: int, quantization: Quantization = "aqs"
) -> ImportedModel:
    """Return a model as a network of the sizes that it has with these inputs.

    Real weights have `weight_bits`, integer ones the fewest that hold their values. `network.graph` has `profile`,
    `unpaid` and `unsupported`. Raises ConfigError where the model does not run, has no product, or codes of 16 bits.
    """
    graph = _with_states(in_place(graph, feed))
    shapes, values = sizes_of_tensors(graph, feed, _numbers_asked(graph))
    shapes |= {name: tuple(tensor.dims) for name, tensor in graph.initializers.items()}

    def value(name: str) -> Array | None:
        return values[name] if name in values else graph.held(name)

    reading = _Reading(graph, Flow(shapes, value, graph.opset))
    for node in graph.nodes:
        reading.take(node)
    unsupported = unsupported_of(graph.nodes, shapes, graph.constants)
    if not reading.products:
        counted = ", ".join(f"{each.count} {each.op}" for each in unsupported)
        found = "no matrix product" + (f" among its operators, and {counted}, not simulated" if counted else "")
        raise ConfigError("the model", found, "a model with matrix products or convolutions")
    layers, network = reading.network(feed, profile, weight_bits, quantization)
    network.graph.update(profile=profile, unsupported=unsupported)
    return ImportedModel(graph, layers, network, unsupported)


class _Reading:
    """Nodes that were taken so far: products, their links, and the vector work between them."""

    def __init__(self, graph: OnnxGraph, flow: Flow) -> None:
        self.products: list[Product] = []
        self._graph = graph
        self._flow = flow
        self._vector = VectorWork(flow, graph.constants)
        self._makers = product_makers()
        self._links: dict[tuple[str, str], list[Link]] = {}

    def take(self, node: Node) -> None:
        """Take the next node."""
        maker = self._makers.get(node.op)
        products = [] if maker is None else maker(node, self._flow.shapes, self._graph.constants)
        if not products:
            self._flow.pass_on(node)
            self._vector.pass_on(node)
            return
        for product in products:
            _check_sizes(product)
            self.products.append(product)
            for producer, link in self._links_into(product):
                self._links.setdefault((producer, product.name), []).append(link)
        for product in products:
            for output, term in product.outputs:
                self._flow.put(output, [term])
            outputs = [name for name in node.outputs if name]
            self._vector.add_product(product.name, outputs, product.vector)

    def _links_into(self, product: Product) -> Iterator[tuple[str, Link]]:
        for operand, view in (("x", product.activation), ("w", product.weight)):
            if isinstance(view, ImageView):
                yield from image_links(self._flow.of(view.tensor), view)
            elif isinstance(view, MatrixView):
                yield from matrix_links(self._flow.of(view.tensor), view, "x" if operand == "x" else "w")
            else:
                yield from self._state_links(product)

    def _state_links(self, product: Product) -> Iterator[tuple[str, Link]]:
        """Return the links of the steps of a recurrent layer: to its inputs, and to what made the first state."""
        rows, _, batch = product.sizes
        steps = range(product.repeat)
        is_reverse = any(term.feature for _, term in product.outputs[:1]) and product.repeat > 1
        # The state in front of a step is made of the inputs of the step before; in front of the first there is none.
        before = [(product.repeat - step if is_reverse else step - 1) * batch for step in steps]
        inputs = product.name.removesuffix("hidden") + "input"
        yield inputs, Link("x", "features", features=(0, rows), column_offset=offsets(before))
        for term in self._flow.of(product.node.input(5)):
            yield term.source.layer, Link("x", "all")

    def network(
        self, feed: Feed, profile: DensityProfile, weight_bits: int, quantization: Quantization
    ) -> tuple[dict[str, ImportedLayer], LayerGraph]:
        """Return the layers with their operands, and the graph of them."""
        operands = {product.name: self._operands(product) for product in self.products}
        values = self._values_of_encodings(feed, [each for pair in operands.values() for each in pair])
        work = self._vector.of_layers()
        dynamic = [name for name, (weight, _) in operands.items() if not weight.is_constant]
        kinds = kinds_of(self.products, self._links, dynamic, work)
        network: LayerGraph = nx.DiGraph()
        layers: dict[str, ImportedLayer] = {}
        for product in self.products:
            weight, activation = operands[product.name]
            bits = weight_bits if weight.is_constant else DYNAMIC_WEIGHT_BITS
            if weight.encoding is not None:
                bits = weight_bits_of(weight, values)
            density = profile.density(kinds[product.name], quantization)
            gemm = Gemm(
                product.name,
                product.node.op,
                kinds[product.name],
                "",
                *product.sizes,
                repeat=product.repeat,
                sequential=product.sequential,
                weight_bits=bits,
                activation_bits=activation_bits_of(activation, values),
                dynamic_weight=not weight.is_constant,
                rho_w=(density.rho_w,) * len(weight_ho_factors(bits)),
                rho_x=density.rho_x,
                vector=work.get(product.name, ()),
            )
            add_layer(network, gemm)
            layers[product.name] = ImportedLayer(gemm, product, weight, activation)
        for (producer, consumer), links in self._links.items():
            # The first step of a recurrent layer asks for a state that no step has written.
            join = _add if layers[consumer].gemm.sequential else connect
            join(network, producer, consumer, *links)
        network.graph["unpaid"] = tuple(dict.fromkeys(each for each in work.get(None, ()) if PASSES[each]))
        return layers, network

    def _operands(self, product: Product) -> tuple[ImportedOperand, ImportedOperand]:
        """Return weight and activation of a product."""
        found = []
        for view in (product.weight, product.activation):
            tensor = view.tensors[0]
            encoding = None
            if not isinstance(view, StateView):
                encoding = encoding_of(product.node, tensor, self._graph, self._flow.shapes)
            found.append(ImportedOperand(view, encoding, tensor in self._graph.constants))
        return found[0], found[1]

    def _values_of_encodings(self, feed: Feed, operands: list[ImportedOperand]) -> dict[str, Array]:
        """Return what decides about the bits of operands: constants, and codes of which nothing else says the type."""
        asked: list[str] = []
        for operand in operands:
            encoding = operand.encoding
            if encoding is None:
                continue
            known = [name for name in (encoding.codes, encoding.zero_point) if name in self._graph.constants]
            asked.extend(known or [encoding.codes])
        return Recorder(self._graph, asked).run(feed)


def _add(network: LayerGraph, producer: str, consumer: str, *links: Link) -> None:
    add_links(network, producer, consumer, links)


def _check_sizes(product: Product) -> None:
    if 0 in (*product.sizes, product.repeat):
        found = " x ".join(map(str, product.sizes)) + f", {product.repeat} times"
        raise ConfigError(f"node {product.node.name!r}", f"an empty product, {found}", "sizes above 0")


def _with_states(graph: OnnxGraph) -> OnnxGraph:
    """Let every recurrent layer give the states of all steps: they are operands of its products."""
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    for name, node in zip(node_names(model.graph), model.graph.node, strict=True):
        if node.op_type in _RECURRENT and not (node.output and node.output[0]):
            others = list(node.output)[1:]
            del node.output[:]
            node.output.extend([f"states of {name}", *others])
    return OnnxGraph(model, graph.folder)


def _numbers_asked(graph: OnnxGraph) -> list[str]:
    """Return the small tensors that say how an operator moves elements, as far as the file does not hold them."""
    asked = [
        name
        for node in graph.nodes
        if node.op in _STEPS_WITH_NUMBERS or node.op.startswith("Reduce")
        for name in node.inputs[1:]
        if name and graph.held(name) is None
    ]
    return list(dict.fromkeys(asked))
