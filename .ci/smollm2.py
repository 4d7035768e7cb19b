"""SmolLM2 of its GGUF file as an ONNX model, and text as it reads it: no package has either (docs/contributing.md).

The graph is what llama.cpp computes: RMS norms, rotary positions over neighbouring pairs, three heads for each of the
keys and values, and a gated network. Weights are those of the file, four bits with a scale and a minimum, made real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

__all__ = ["make_model", "make_text"]

BLOCKS, HIDDEN, HEADS, KEY_HEADS, HEAD_SIZE, INNER = 30, 576, 9, 3, 64, 1536
TOKENS, SAMPLES = 128, 16
EPSILON, POSITION_BASE, MASKED = 1e-5, 100_000.0, -1e9
OPSET = 17

Array = np.ndarray[Any, np.dtype[np.float32]]


def make_model(gguf: Path, target: Path) -> None:
    """Write the model: input_ids [1, 128] to logits [1, 128, 49152]."""
    weights = _weights(gguf)
    graph = _Graph()
    embedding = graph.constant("embedding", weights["token_embd.weight"])
    x = graph.node("Gather", embedding, "input_ids")
    positions = _positions(graph)
    for number in range(BLOCKS):
        own = {name.removeprefix(f"blk.{number}."): each for name, each in weights.items()}
        graph.place = f"block{number}"
        x = graph.node("Add", x, _attention(graph, own, positions, _norm(graph, x, own["attn_norm.weight"])))
        x = graph.node("Add", x, _gated(graph, own, _norm(graph, x, own["ffn_norm.weight"])))
    graph.place = "head"
    last = _norm(graph, x, weights["output_norm.weight"])
    # The table of the tokens is the weight of the last layer too.
    turned = graph.node("Transpose", embedding, perm=[1, 0])
    graph.nodes.append(helper.make_node("MatMul", [last, turned], ["logits"], "logits"))
    shape = [1, TOKENS]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "smollm2",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, shape)],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, len(weights["token_embd.weight"])])],
            graph.initializers,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=9,
    )
    save_model(model, target)


def make_text(gguf: Path, target: Path, text: str) -> None:
    """Write blocks of text as the model reads it: one sample a block, input_ids [16, 1, 128]."""
    from gguf import GGUFReader  # noqa: PLC0415  # the extra `models`
    from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: PLC0415

    fields = GGUFReader(gguf).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    pairs = [tuple(pair.split(" ", 1)) for pair in fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE(vocab={token: number for number, token in enumerate(tokens)}, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    numbers = np.array(tokenizer.encode(text).ids[: SAMPLES * TOKENS], np.int64)
    with target.open("wb") as file:
        np.savez_compressed(file, input_ids=numbers.reshape(SAMPLES, 1, TOKENS))


def _weights(gguf: Path) -> dict[str, Array]:
    from gguf import GGUFReader, quants  # noqa: PLC0415  # the extra `models`

    return {
        tensor.name: quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        for tensor in GGUFReader(gguf).tensors
    }


class _Graph:
    """Nodes and constants of a model; names begin with the place in it."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []
        self.place = ""

    def constant(self, name: str, value: Any) -> str:  # noqa: ANN401  # whatever an array is made of
        """Return the name of a constant."""
        full = f"{self.place}.{name}" if self.place else name
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), full))
        return full

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:  # noqa: ANN401  # an operator's own
        """Return the output of a new node."""
        output = f"{self.place}.{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def split(self, x: str, sizes: list[int], axis: int) -> list[str]:
        """Return the parts of a tensor."""
        outputs = [f"{self.place}.split{len(self.nodes)}_{part}" for part in range(len(sizes))]
        lengths = self.constant(f"lengths{len(self.nodes)}", np.array(sizes, np.int64))
        self.nodes.append(helper.make_node("Split", [x, lengths], outputs, outputs[0], axis=axis))
        return outputs

    def shaped(self, x: str, *shape: int) -> str:
        """Return a tensor in another shape."""
        return self.node("Reshape", x, self.constant(f"shape{len(self.nodes)}", np.array(shape, np.int64)))

    def named(self, name: str, x: str, weight: str) -> str:
        """Return the product of two tensors, whose node has this name."""
        output = f"{self.place}.{name}"
        self.nodes.append(helper.make_node("MatMul", [x, weight], [output], output))
        return output

    def linear(self, name: str, x: str, weight: Array) -> str:
        """Return the output of a linear layer."""
        return self.named(name, x, self.constant(f"{name}.weight", weight.T))


def _norm(graph: _Graph, x: str, gain: Array) -> str:
    squares = graph.node("ReduceMean", graph.node("Mul", x, x), axes=[-1])
    epsilon = graph.constant(f"epsilon{len(graph.nodes)}", np.float32(EPSILON))
    length = graph.node("Sqrt", graph.node("Add", squares, epsilon))
    return graph.node("Mul", graph.node("Div", x, length), graph.constant(f"gain{len(graph.nodes)}", gain))


def _positions(graph: _Graph) -> tuple[str, str, str]:
    """Return cosines and sines [tokens, pairs, 1], and the mask of later tokens."""
    rates = POSITION_BASE ** (-np.arange(0, HEAD_SIZE, 2) / HEAD_SIZE)
    angles = (np.arange(TOKENS)[:, None] * rates)[..., None]
    later = np.triu(np.full((TOKENS, TOKENS), MASKED, np.float32), 1)
    cosines, sines = (
        graph.constant(function.__name__, function(angles).astype(np.float32)) for function in (np.cos, np.sin)
    )
    return cosines, sines, graph.constant("mask", later)


def _heads(graph: _Graph, x: str, heads: int) -> str:
    """Return [1, heads, tokens, size] of [1, tokens, heads * size]."""
    return graph.node("Transpose", graph.shaped(x, 1, TOKENS, heads, HEAD_SIZE), perm=[0, 2, 1, 3])


def _rotated(graph: _Graph, x: str, heads: int, positions: tuple[str, str, str]) -> str:
    cosines, sines, _ = positions
    even, odd = graph.split(graph.shaped(x, 1, heads, TOKENS, HEAD_SIZE // 2, 2), [1, 1], -1)
    products = [
        graph.node("Mul", each, by) for each, by in ((even, cosines), (odd, sines), (even, sines), (odd, cosines))
    ]
    turned = graph.node("Sub", *products[:2]), graph.node("Add", *products[2:])
    return graph.shaped(graph.node("Concat", *turned, axis=-1), 1, heads, TOKENS, HEAD_SIZE)


def _repeated(graph: _Graph, x: str) -> str:
    """Return keys or values once for each head that reads them."""
    each = [number for number in range(KEY_HEADS) for _ in range(HEADS // KEY_HEADS)]
    return graph.node("Gather", x, graph.constant(f"heads{len(graph.nodes)}", np.array(each, np.int64)), axis=1)


def _attention(graph: _Graph, own: dict[str, Array], positions: tuple[str, str, str], x: str) -> str:
    kept = KEY_HEADS * HEAD_SIZE
    fused = np.concatenate([own[f"attn_{name}.weight"] for name in "qkv"])
    q, k, v = graph.split(graph.linear("qkv", x, fused), [HIDDEN, kept, kept], -1)
    queries = _rotated(graph, _heads(graph, q, HEADS), HEADS, positions)
    keys = _repeated(graph, _rotated(graph, _heads(graph, k, KEY_HEADS), KEY_HEADS, positions))
    scores = graph.named("qk", queries, graph.node("Transpose", keys, perm=[0, 1, 3, 2]))
    scaled = graph.node("Mul", scores, graph.constant("scale", np.float32(HEAD_SIZE**-0.5)))
    shares = graph.node("Softmax", graph.node("Add", scaled, positions[2]), axis=-1)
    mixed = graph.named("pv", shares, _repeated(graph, _heads(graph, v, KEY_HEADS)))
    joined = graph.shaped(graph.node("Transpose", mixed, perm=[0, 2, 1, 3]), 1, TOKENS, HIDDEN)
    return graph.linear("out", joined, own["attn_output.weight"])


def _gated(graph: _Graph, own: dict[str, Array], x: str) -> str:
    fused = np.concatenate([own["ffn_gate.weight"], own["ffn_up.weight"]])
    gate, up = graph.split(graph.linear("ffn1", x, fused), [INNER, INNER], -1)
    opened = graph.node("Mul", graph.node("Mul", gate, graph.node("Sigmoid", gate)), up)
    return graph.linear("ffn2", opened, own["ffn_down.weight"])
