"""Networks as YAML files: layers of every operator, and what they read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, ValidationError

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.validation import config_error
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.workload.network import LayerGraph, layers_in_order
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.operators import Operator, operator_of
from panacea_sim.workload.networks.places import placed
from panacea_sim.workload.networks.rows import Row, row_models
from panacea_sim.workload.networks.sources import read_source

__all__ = ["NETWORK_KIND", "read_network_file"]

NETWORK_KIND = "network"
"""What `kind` says in a network file."""
_REMEDY = "docs/files.md describes network files"


class _NetworkFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["network"]
    name: Annotated[str, MinLen(1)]
    layers: Annotated[list[dict[str, Any]], MinLen(1)]


def read_network_file(path: Path, builder: NetworkBuilder, tile_m: int) -> LayerGraph:
    """Return the network of a YAML file with `kind: network`.

    `tile_m` says how many groups are packed into a product. Raises ConfigError naming the file and the place in it.
    """
    values = {"name": path.stem, **read_mapping(path)}
    try:
        content = _NetworkFile.model_validate(values)
    except ValidationError as error:
        raise config_error(f"{path}:", _NetworkFile, error, _REMEDY) from error
    rows = [_row(f"{path}: layers[{number}]", values) for number, values in enumerate(content.layers)]
    operators: dict[str, Operator] = {}
    for number, row in enumerate(rows):
        place = f"{path}: layers[{number}]"
        if row.name in operators:
            raise ConfigError(f"{place}.name", f"{row.name!r} twice", "a name of its own for each layer")
        with placed(f"{place}."):
            operators[row.name] = operator_of(builder, row, tile_m)
    for number, row in enumerate(rows):
        _link(f"{path}: layers[{number}]", builder, operators, row)
    with placed(f"{path}: "):
        layers_in_order(builder.graph)
    builder.graph.graph["name"] = content.name
    return builder.graph


def _row(place: str, values: Mapping[str, object]) -> Row:
    models = row_models()
    op = values.get("op")
    if not isinstance(op, str) or op not in models:
        found = "nothing" if op is None else repr(op)
        hint = nearest_name(op, models) if isinstance(op, str) else ""
        raise ConfigError(f"{place}.op", found, ", ".join(models), hint)
    try:
        row: Row = models[op].model_validate(values)
    except ValidationError as error:
        raise config_error(place, models[op], error, _REMEDY) from error
    return row


def _link(place: str, builder: NetworkBuilder, operators: Mapping[str, Operator], row: Row) -> None:
    """Let a layer read what it names, which may come later in the file as long as nothing goes round in a circle."""
    if row.sources and not operators[row.name].readers:
        raise ConfigError(f"{place}.from", f"{len(row.sources)} layers", "nothing: attention reads q, k and v")
    for number, source in enumerate(row.sources):
        with placed(f"{place}.from[{number}]: "):
            read_source(builder, operators, row.name, source)
