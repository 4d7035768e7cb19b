"""Model files: what is no ONNX model, lacks a part or was rewritten for one runtime is told before anything runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import inliner

from panacea_sim.errors import ConfigError
from panacea_sim.onnx_models.graph import STANDARD_DOMAINS, OnnxGraph

__all__ = ["open_model"]

_ACCEPTED = "an ONNX model"
_LFS_MARK = b"version https://git-lfs"
_LOWEST_OPSET = 7
_REWRITTEN = "Bring the unoptimized export: a runtime's optimizer has joined or rewritten operators in this file"
_WITH_PRODUCTS = (
    *("Attention", "DecoderMaskedMultiHeadAttention", "DecoderMaskedSelfAttention", "GroupQueryAttention"),
    *("LongformerAttention", "MultiHeadAttention", "PackedAttention", "PackedMultiHeadAttention", "PagedAttention"),
    *("QAttention", "QOrderedAttention", "SparseAttention", "RelativePositionBias", "GatedRelativePositionBias"),
    *("FusedConv", "FusedGemm", "FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "SparseToDenseMatMul"),
    *("MatMulNBits", "MatMulBnb4", "MatMulFpQ4", "GemmFastGelu", "GemmFloat8", "MoE", "QMoE", "NhwcConv"),
    *("NhwcFusedConv", "QGemm", "QLinearConv", "MatMulIntegerToFloat", "MatMulInteger16", "DynamicQuantizeMatMul"),
    *("DynamicQuantizeLSTM", "QOrderedMatMul", "ConvTransposeWithDynamicPads", "AttnLSTM", "DecoderAttention"),
)
"""Operators of com.microsoft that multiply matrices."""


def open_model(path: Path) -> OnnxGraph:
    """Return the graph of a model file, its functions put in place.

    Raises ConfigError naming the file if it cannot be read, is empty, damaged, a pointer of Git LFS, lacks external
    data, or holds joined operators of a runtime.
    """
    content = _read(path)
    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, ValueError, RuntimeError) as error:
        raise ConfigError(str(path), "a file that is no ONNX model or is damaged", _ACCEPTED) from error
    if not model.graph.node:
        raise ConfigError(str(path), "a model without operators, or a file of another kind", _ACCEPTED)
    if not all(isinstance(text, str) for text in _texts(model.graph)):
        raise ConfigError(str(path), "names that are no UTF-8 text: the file is damaged", _ACCEPTED)
    _check_operators(path, model)
    _check_external_data(path, model.graph)
    if model.functions:
        try:
            model = inliner.inline_local_functions(model)
        except (RuntimeError, ValueError, DecodeError) as error:
            raise ConfigError(str(path), f"functions that cannot be read ({error})", _ACCEPTED) from error
    return OnnxGraph(model, path.parent)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise ConfigError(str(path), "a folder", f"{_ACCEPTED}, a file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), error.strerror or error, "a file that can be read", "Check the path") from error
    if not content:
        raise ConfigError(str(path), "an empty file", _ACCEPTED, "The download or export did not end")
    if content.startswith(_LFS_MARK):
        hint = "Fetch it with: git lfs pull"
        raise ConfigError(str(path), "a pointer of Git LFS in place of the model", _ACCEPTED, hint)
    return content


def _check_operators(path: Path, model: onnx.ModelProto) -> None:
    versions = [each.version for each in model.opset_import if each.domain in STANDARD_DOMAINS]
    if versions and max(versions) < _LOWEST_OPSET:
        raise ConfigError(str(path), f"operators of opset {max(versions)}", f"opset {_LOWEST_OPSET} or later")
    rewritten: Counter[str] = Counter()
    for node in _all_nodes(model.graph):
        joined = node.domain == "com.microsoft" and node.op_type in _WITH_PRODUCTS
        if joined or "nchwc" in node.domain or node.domain.startswith("com.ms.internal"):
            rewritten[f"{node.domain}.{node.op_type}"] += 1
    if rewritten:
        found = ", ".join(f"{count} {op}" for op, count in rewritten.most_common(5))
        raise ConfigError(str(path), found, "operators of the ONNX standard", _REWRITTEN)


def _all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Return the nodes of a graph and of the graphs in their attributes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _all_nodes(attribute.g)


def _texts(graph: onnx.GraphProto) -> Iterator[object]:
    """Return the names in a graph, which are bytes where they are no text."""
    for part in (graph.input, graph.output, graph.initializer):
        yield from (each.name for each in part)
    for node in _all_nodes(graph):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)


def _check_external_data(path: Path, graph: onnx.GraphProto) -> None:
    """See that the files beside the model are there, and long enough for what lies in them."""
    for tensor in graph.initializer:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entries = {entry.key: entry.value for entry in tensor.external_data}
        beside = path.parent / entries.get("location", "")
        inside = beside.resolve().is_relative_to(path.parent.resolve())
        if not entries.get("location") or not inside or not beside.is_file():
            hint = "It belongs beside the model: copy it too, or export the model into one file"
            found = f"no file {entries.get('location', '')!r} with the data of tensor {tensor.name!r}"
            raise ConfigError(str(path), found, "a model with its external data", hint)
        needed = _number(entries, "offset") + _number(entries, "length")
        if beside.stat().st_size < needed:
            found = f"{beside.stat().st_size:,} bytes in {beside.name!r}, of which {tensor.name!r} needs {needed:,}"
            raise ConfigError(str(path), found, "external data of this model", "The download or copy did not end")


def _number(entries: dict[str, str], key: str) -> int:
    text = entries.get(key, "0")
    return int(text) if text.isdecimal() else 0
