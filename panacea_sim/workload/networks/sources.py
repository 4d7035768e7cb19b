"""What a layer of a network file reads: by the name of an operator, or exactly as the fields of a link say."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.workload.link import Columns, Link, Needs
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.convolution import Window, ranges_through
from panacea_sim.workload.networks.fit import offsets
from panacea_sim.workload.networks.operators import Operator, Reader
from panacea_sim.workload.networks.outputs import Outputs, Reading
from panacea_sim.workload.networks.rows import Pool, Source

__all__ = ["read_source"]

_LINK_FIELDS = (
    "features_on",
    "feature_offset",
    "column_offset",
    "feature_span",
    "column_span",
    "features",
    "in_place",
)


def read_source(builder: NetworkBuilder, operators: Mapping[str, Operator], reader: str, source: Source) -> None:
    """Let the operator `reader` read what a source names; raises ConfigError naming the field or `edge.<field>`."""
    if source.operand == "w" or any(getattr(source, field) is not None for field in _LINK_FIELDS):
        _link_exactly(builder, operators, reader, source)
        return
    if source.layer not in operators:
        hint = nearest_name(source.layer, operators)
        raise ConfigError("layer", repr(source.layer), "the name of a layer of the file", hint)
    operator, outputs = operators[reader], operators[source.layer].outputs
    for each in operator.readers:
        needs = _needs(operator, each, source)
        if needs != "all":
            _check_shape(operator, outputs, source)
        if source.pool is not None:
            needs = _pooled(needs, _pooling(outputs, source.pool))
        links: dict[str, list[Link]] = {}
        for producer, link in outputs.links(Reading(needs, each.first)):
            links.setdefault(producer, []).append(link)
        for producer, of_producer in links.items():
            builder.link(producer, each.layer, *of_producer)


def _needs(operator: Operator, reader: Reader, source: Source) -> Needs:
    """Return what a reader needs: what the source says, or what the operator does where it says nothing."""
    if source.needs == "columns" and reader.convolution is None:
        raise ConfigError("needs", "'columns'", "same, features, all: only convolutions have windows of columns")
    if source.needs is None and operator.reads_all and source.pool is None:
        return "all"  # behind a pooling it needs what the pooling's windows give
    if source.needs == "all" or source.needs == "features":  # noqa: PLR1714  # mypy narrows no membership
        return source.needs
    return reader.reading.needs


def _pooling(outputs: Outputs, pool: Pool) -> Window:
    if outputs.size is None:
        raise ConfigError("pool", "a pooling behind a layer that writes no images", "no pool")
    axes = len(outputs.size)
    kernel, stride = (tuple(values) * (axes if len(values) == 1 else 1) for values in (pool.kernel, pool.stride))
    pads = tuple((before, behind) for before, behind in pool.padding) * (axes if len(pool.padding) == 1 else 1)
    return Window(outputs.size, kernel, stride, pads, (1,) * axes, outputs.columns // prod(outputs.size))


def _pooled(needs: Needs, pooling: Window) -> Needs:
    """Return what is needed of the images in front of a pooling."""
    if isinstance(needs, Columns):
        low, high = ranges_through((needs.low, needs.high), pooling.ranges())
        return Columns(low, high, needs.taps)
    if needs == "same":
        return Columns(*pooling.ranges())
    if needs == "all":
        return "all"
    raise ConfigError("needs", "'features' behind a pooling", "same, columns, all")


def _check_shape(operator: Operator, outputs: Outputs, source: Source) -> None:
    """Refuse outputs that are no activations of the operator."""
    size, columns = outputs.size, outputs.columns
    if source.pool is not None:
        pooling = _pooling(outputs, source.pool)
        size, columns = pooling.output_size, pooling.batch * prod(pooling.output_size)
    hint = "Say which part is read with feature_span and feature_offset, or needs: all"
    if outputs.features != operator.features:
        accepted = f"{operator.features}, as the layer reads"
        raise ConfigError("layer", f"{outputs.features} features of {source.layer!r}", accepted, hint)
    if columns != operator.columns or (None not in (size, operator.size) and size != operator.size):
        found = f"{columns} columns of {source.layer!r}" + (f", images of {_text(size)}" if size else "")
        wanted = f"{operator.columns}" + (f", images of {_text(operator.size)}" if operator.size else "")
        raise ConfigError("layer", found, f"{wanted}, as the layer reads", hint)


def _text(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size))


def _link_exactly(builder: NetworkBuilder, operators: Mapping[str, Operator], reader: str, source: Source) -> None:
    """Add the link that a source spells, from one layer to the reader's only one."""
    if source.pool is not None:
        raise ConfigError("pool", "a pooling beside the fields of a link", "one of the two")
    readers = operators[reader].readers
    if len(readers) != 1:
        raise ConfigError("layer", "the fields of a link", "a name alone: groups are packed into several layers")
    (own,) = readers
    needs: Needs = own.reading.needs if source.needs == "columns" else source.needs or "same"
    given = {field: value for field in _LINK_FIELDS if (value := getattr(source, field)) is not None}
    for field in ("feature_offset", "column_offset"):
        if field in given:
            given[field] = offsets(given[field])
    for field in ("feature_span", "column_span", "features"):
        if field in given:
            given[field] = tuple(given[field])
    builder.link(source.layer, own.layer, Link(source.operand, needs, **given))
