"""Small ONNX models, made node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

__all__ = ["node", "small_model", "write_model"]

OPSET = 17


def node(op: str, inputs: str, outputs: str, name: str = "", domain: str = "", **attributes: Any) -> onnx.NodeProto:  # noqa: ANN401  # those of a node
    """Return a node; names of tensors have spaces between them, `-` stands for one that is left out."""
    read, made = ([each if each != "-" else "" for each in names.split()] for names in (inputs, outputs))
    return helper.make_node(op, read, made, name=name or None, domain=domain, **attributes)


def small_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: str,
    constants: Mapping[str, np.ndarray[Any, Any]] | None = None,
    opset: int = OPSET,
    dtypes: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """Return a model of nodes; inputs are float32 unless `dtypes` says otherwise, types of outputs are left open."""
    kinds = dict(dtypes or {})
    graph = helper.make_graph(
        list(nodes),
        "small",
        [
            helper.make_tensor_value_info(name, kinds.get(name, onnx.TensorProto.FLOAT), list(shape))
            for name, shape in inputs.items()
        ],
        [onnx.ValueInfoProto(name=name) for name in outputs.split()],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def write_model(path: Path, model: onnx.ModelProto) -> Path:
    """Write a model into a file and return its path."""
    path.write_bytes(model.SerializeToString())
    return path
