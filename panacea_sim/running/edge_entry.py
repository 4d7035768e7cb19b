"""Edges in scenario.yaml: what an entry may hold, a link made of it, and an entry made of a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal, Self

import networkx as nx
from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import Field, model_validator

from panacea_sim.bounds import Size
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.validation import refusal
from panacea_sim.running.layer_entry import Entry
from panacea_sim.running.number_runs import MOST_NUMBER, numbers_of, runs_text
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.link import Columns, Link, Needs, Offset, Operand, placed_link
from panacea_sim.workload.network import LayerGraph, LayerLink, link_layers

__all__ = ["EdgeEntry", "edge_entry_of", "links_of"]

_Text = Annotated[str, MinLen(1)]
_Offset = Annotated[int, Ge(-MOST_NUMBER), Le(MOST_NUMBER)]
_RANGES = ("feature_span", "column_span", "features")
_Range = Annotated[list[Annotated[int, Ge(0)]], MinLen(2), MaxLen(2)]


class ColumnsEntry(Entry):
    """The fields of a Columns; `low` and `high` are runs of numbers."""

    low: str
    high: str
    taps: Size = 1


class EdgeEntry(Entry):
    """A link between two layers: their names and the fields of a Link; several offsets are runs of numbers."""

    producer: _Text = Field(alias="from")
    consumer: _Text = Field(alias="to")
    operand: Operand
    needs: Literal["same", "features", "columns", "all"] = "same"
    columns: ColumnsEntry | None = None
    features_on: Literal["k", "m"] = "k"
    feature_offset: _Offset | str = 0
    column_offset: _Offset | str = 0
    feature_span: _Range | None = None
    column_span: _Range | None = None
    features: _Range | None = None

    @model_validator(mode="after")
    def _columns_where_needed(self) -> Self:
        if (self.needs == "columns") != (self.columns is not None):
            found = "columns" if self.columns is not None else "none"
            raise refusal(found, "columns with `needs: columns`, and only there", ".columns")
        return self


def links_of(entries: Sequence[EdgeEntry], layers: Sequence[AnyLayer], place: str) -> tuple[LayerLink, ...]:
    """Return the links that entries describe, between these layers.

    Raises ConfigError naming `place`, which is that of the list, and the number in it.
    """
    known = {layer.name: layer for layer in layers}
    links = tuple(_link_of(entry, f"{place}[{number}]", known) for number, entry in enumerate(entries))
    graph: LayerGraph = nx.DiGraph()
    graph.add_nodes_from((layer.name, {"layer": layer}) for layer in layers)
    link_layers(graph, links, place)
    return links


def edge_entry_of(producer: str, consumer: str, link: Link) -> EdgeEntry:
    """Return the entry that describes a link: what it does not leave at its default."""
    written: dict[str, Any] = {
        "from": producer,
        "to": consumer,
        "operand": link.operand,
        "needs": "columns" if isinstance(link.needs, Columns) else link.needs,
        "columns": _columns_entry(link.needs) if isinstance(link.needs, Columns) else None,
        "features_on": link.features_on,
        "feature_offset": _written_offset(link.feature_offset),
        "column_offset": _written_offset(link.column_offset),
        **{field: None if (span := getattr(link, field)) is None else list(span) for field in _RANGES},
    }
    defaults = {each.alias or name: each.default for name, each in EdgeEntry.model_fields.items()}
    return EdgeEntry.model_validate({field: value for field, value in written.items() if value != defaults[field]})


def _columns_entry(needs: Columns) -> ColumnsEntry:
    taps = {} if needs.taps == 1 else {"taps": needs.taps}
    return ColumnsEntry(low=runs_text(needs.low), high=runs_text(needs.high), **taps)


def _written_offset(offset: Offset) -> int | str:
    return offset if isinstance(offset, int) else runs_text(offset)


def _link_of(entry: EdgeEntry, place: str, known: Mapping[str, AnyLayer]) -> LayerLink:
    """Return the link of an entry; the consumer says how many numbers there must be."""
    if entry.consumer not in known:
        raise ConfigError(f"{place}.to", repr(entry.consumer), "a layer", nearest_name(entry.consumer, known))
    consumer = known[entry.consumer]
    with placed_link(place):
        plain = Link(entry.operand, features_on=entry.features_on)
    if entry.columns is not None:
        needs: Needs = _read_columns(entry.columns, f"{place}.columns", consumer, plain.columns_on)
    else:
        assert entry.needs != "columns"
        needs = entry.needs
    link = replace(
        plain,
        needs=needs,
        feature_offset=_read_offset(entry.feature_offset, f"{place}.feature_offset", consumer),
        column_offset=_read_offset(entry.column_offset, f"{place}.column_offset", consumer),
        feature_span=_read_range(entry.feature_span),
        column_span=_read_range(entry.column_span),
        features=_read_range(entry.features),
    )
    return entry.producer, entry.consumer, link


def _read_range(written: Sequence[int] | None) -> tuple[int, int] | None:
    return None if written is None else (written[0], written[1])


def _read_columns(written: ColumnsEntry, field: str, consumer: AnyLayer, axis: Literal["m", "n", "k"]) -> Columns:
    count = {"m": consumer.M, "n": consumer.N, "k": consumer.K}[axis]
    whose = f"{axis} of {consumer.name!r}"
    low, high = (numbers_of(getattr(written, end), f"{field}.{end}", count, whose) for end in ("low", "high"))
    return Columns(low, high, written.taps)


def _read_offset(written: int | str, field: str, consumer: AnyLayer) -> Offset:
    if isinstance(written, int):
        return written
    return tuple(numbers_of(written, field, consumer.repeat, f"repeat of {consumer.name!r}").tolist())
