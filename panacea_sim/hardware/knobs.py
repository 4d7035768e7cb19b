"""Knobs: what can be turned at a field of the hardware, declared as metadata in the annotation of the field.

Whoever turns knobs goes by these declarations and never by the name of a field. A field that is no knob says why not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias, get_args

from pydantic import BaseModel

__all__ = [
    "Choice",
    "Declaration",
    "Ideal",
    "Knob",
    "NoKnob",
    "PortPriority",
    "Split",
    "Step",
    "Trial",
    "declarations",
    "ideal_settings",
    "undeclared_fields",
]

_MOST_PAIRS = 64
"""Pairs of a split that are tried; of a larger sum so many, evenly spread."""

When: TypeAlias = Callable[[Any], bool]
"""Whether the field of this hardware counts in it; what does not is not turned."""


def _always(_hardware: BaseModel) -> bool:
    return True


@dataclass(frozen=True)
class Trial:
    """One turn of a knob: its name, what it was and becomes, and the settings (field to value) that do it.

    `unit` says what a number counts, and is empty where nothing is counted.
    """

    knob: str
    before: object
    after: object
    settings: Mapping[str, object]
    unit: str = ""


class Knob(Protocol):
    """What a field's metadata must offer to be a knob."""

    @property
    def when(self) -> When:
        """Whether it counts."""
        ...

    def trials(self, field: str, hardware: BaseModel) -> Iterator[Trial]:
        """Return its turns on this hardware, whether or not the hardware accepts them."""
        ...


@dataclass(frozen=True)
class Step:
    """A number that is doubled and halved; halves are rounded down. A step that changes nothing is none."""

    kind: Literal["rate", "capacity", "depth", "latency", "size"]
    unit: str
    when: When = _always

    def trials(self, field: str, hardware: BaseModel) -> Iterator[Trial]:
        """Return the value doubled, then halved."""
        value = getattr(hardware, field)
        for after in (2 * value, value // 2):
            if after != value:
                yield Trial(field, value, after, {field: after}, self.unit)


@dataclass(frozen=True)
class Choice:
    """Words or numbers among which one is chosen: each other one is tried, or only those that are worth it."""

    kind: Literal["policy"] = "policy"
    only: tuple[object, ...] | None = None
    when: When = _always

    def trials(self, field: str, hardware: BaseModel) -> Iterator[Trial]:
        """Return the other values of the annotation, in its order."""
        value = getattr(hardware, field)
        offered = get_args(type(hardware).model_fields[field].annotation) if self.only is None else self.only
        for after in offered:
            if after != value:
                yield Trial(field, value, after, {field: after})


@dataclass(frozen=True)
class Split:
    """One of two fields that share a sum: every pair of that sum is tried. `name` says which two belong together."""

    name: str
    kind: Literal["split"] = "split"
    when: When = _always

    def trials(self, field: str, hardware: BaseModel) -> Iterator[Trial]:
        """Return the pairs in the order of the first field; it is the first of the two that has them."""
        fields = [each.field for each in declarations(type(hardware)) if each.knob == self]
        if field != fields[0]:
            return
        first, second = fields
        before = (getattr(hardware, first), getattr(hardware, second))
        total = sum(before)
        pairs = min(total - 1, _MOST_PAIRS)
        for number in range(1, pairs + 1):
            share = number * (total - 1) // pairs
            if (share, total - share) != before:
                settings = {first: share, second: total - share}
                yield Trial(f"{first}+{second}", _pair(before), _pair((share, total - share)), settings)


@dataclass(frozen=True)
class PortPriority:
    """The priority of a port, of which the lowest number goes first: this one is put before all others."""

    kind: Literal["priority"] = "priority"
    when: When = _always

    def trials(self, field: str, hardware: BaseModel) -> Iterator[Trial]:
        """Return the one turn, in which the others keep their order, unless this port is first already."""
        value = getattr(hardware, field)
        others = {
            each.field: getattr(hardware, each.field)
            for each in declarations(type(hardware))
            if each.knob == self and each.field != field
        }
        if others and value >= min(others.values()):
            yield Trial(field, value, "first", {field: 0, **{name: other + 1 for name, other in others.items()}})


@dataclass(frozen=True)
class NoKnob:
    """The field is not turned, and why."""

    reason: str


@dataclass(frozen=True)
class Ideal:
    """What the field is in an ideal machine of this name; `value` may be a function of the hardware."""

    name: str
    value: object


@dataclass(frozen=True)
class Declaration:
    """What one field says of itself; a field may have several."""

    field: str
    knob: Knob


@cache
def declarations(model: type[BaseModel]) -> tuple[Declaration, ...]:
    """Return the knobs of a model of settings, in the order of its fields."""
    return tuple(
        Declaration(name, each)
        for name, field in model.model_fields.items()
        for each in field.metadata
        if isinstance(each, Step | Choice | Split | PortPriority)
    )


def undeclared_fields(model: type[BaseModel]) -> dict[str, str]:
    """Return the fields that are no knobs, each with the reason; it is empty where the model gives none."""
    turned = {each.field for each in declarations(model)}
    reasons = {}
    for name, field in model.model_fields.items():
        if name not in turned:
            reasons[name] = next((each.reason for each in field.metadata if isinstance(each, NoKnob)), "")
    return reasons


def ideal_settings(hardware: BaseModel) -> dict[str, dict[str, object]]:
    """Return the settings of each ideal machine that the fields declare, by its name."""
    found: dict[str, dict[str, object]] = {}
    for name, field in type(hardware).model_fields.items():
        for each in field.metadata:
            if isinstance(each, Ideal):
                value = each.value(hardware) if callable(each.value) else each.value
                found.setdefault(each.name, {})[name] = value
    return found


def _pair(values: tuple[int, int]) -> str:
    return f"{values[0]}+{values[1]}"
