"""Turning the findings of pydantic, however deep in a model, into the errors that users of panacea_sim read."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, cast, get_args, get_origin

from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["accepted_values", "config_error", "refusal"]

_TYPE_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
_UNKNOWN = ("extra_forbidden", "invalid_key")

Step: TypeAlias = int | str


def accepted_values(field: FieldInfo) -> str:
    """Return what `field` accepts, in words, read off its annotation and bounds."""
    return _accepted_by(field.annotation, field.metadata)


def refusal(found: object, accepted: str, place: str = "", hint: str = "") -> PydanticCustomError:
    """Return what a validator raises to say itself what was found, what is accepted, and where in the field."""
    return PydanticCustomError(
        "refusal", "{accepted}", {"found": found, "accepted": accepted, "place": place, "hint": hint}
    )


def config_error(section: str, model: type[BaseModel], error: ValidationError, remedy: str) -> ConfigError:
    """Return the ConfigError that tells the first finding of `error` and counts the others.

    `section` is what the field's path begins with, e.g. "hardware" for `hardware.n_pea`, or a file and a colon, as in
    `scenario.yaml: layers[1].name`; `remedy` says where the value can be changed, with {path} where the field's path
    goes.
    """
    findings = error.errors(include_url=False)
    first = _most_telling(findings)
    told = _told(first, _resolved(model, first["loc"]))
    joint = " " if section.endswith(":") else "."
    path = f"{section}{joint}{told.path}"
    hints = [told.hint or remedy.format(path=path)]
    # Each part of a union has findings of its own for one field.
    others = {_resolved(model, finding["loc"]).path for finding in findings} - {told.path}
    if others:
        hints.append(f"Other fields with errors: {len(others)}")
    return ConfigError(path, told.found, told.accepted, ". ".join(hints))


@dataclass(frozen=True)
class _Place:
    """Where a finding is: the model and the field it is in, as far as its steps lead through models."""

    path: str
    owner: type[BaseModel]
    name: str
    field: FieldInfo | None
    in_items: bool


@dataclass(frozen=True)
class _Told:
    path: str
    found: object
    accepted: str
    hint: str


def _told(finding: ErrorDetails, place: _Place) -> _Told:
    if finding["type"] in _UNKNOWN:
        known = _known_names(place.owner)
        return _Told(place.path, "an unknown field", ", ".join(known), nearest_name(place.name, known) or "Remove it")
    if finding["type"] == "refusal":
        said = finding["ctx"]
        return _Told(place.path + said["place"], said["found"], said["accepted"], said["hint"])
    found = "nothing" if finding["type"] == "missing" else reprlib.repr(finding["input"])
    return _Told(place.path, found, _accepted(finding, place), _neighbours(finding["input"], place))


def _neighbours(found: object, place: _Place) -> str:
    """Return the whole numbers beside a number that is none, where a field wants one; else nothing."""
    if place.field is None or not isinstance(found, float) or not math.isfinite(found) or found.is_integer():
        return ""
    kind, bounds = _unwrapped(place.field.annotation, place.field.metadata)
    if kind is not int:
        return ""
    beside = (math.floor(found), math.ceil(found))
    usable = [str(number) for number in beside if all(_is_within(number, bound) for bound in bounds)]
    return f"Take {' or '.join(usable)}" if usable else ""


def _is_within(number: int, bound: object) -> bool:
    if isinstance(bound, Ge):
        return number >= cast("float", bound.ge)
    return number <= cast("float", bound.le) if isinstance(bound, Le) else True


def _accepted(finding: ErrorDetails, place: _Place) -> str:
    if place.field is None:
        return "fields with names"
    words = _accepted_item(place.field.annotation) if place.in_items else accepted_values(place.field)
    return f"{words} that is {finding['ctx']['error']}" if finding["type"] == "value_error" else words


def _most_telling(findings: Sequence[ErrorDetails]) -> ErrorDetails:
    """Return the first finding, or the unknown name that is likely to be meant for one that is missing."""
    missing = {finding["loc"] for finding in findings if finding["type"] == "missing"}
    for finding in findings:
        if finding["type"] in _UNKNOWN and missing:
            *parents, name = finding["loc"]
            beside = [str(loc[-1]) for loc in missing if list(loc[:-1]) == parents]
            if nearest_name(str(name), beside):
                return finding
    return findings[0]


def _resolved(model: type[BaseModel], loc: Sequence[Step]) -> _Place:
    """Follow the steps from `model`; they end where they no longer lead into fields, as in the branches of a union."""
    place = _Place("", model, "", None, in_items=False)
    inner: type[BaseModel] | None = model
    keys = 0
    for step in loc:
        if isinstance(step, int):
            place = _Place(f"{place.path}[{step}]", place.owner, place.name, place.field, in_items=True)
        elif keys > 0:
            keys -= 1
            place = _Place(f"{place.path}.{step}", place.owner, place.name, place.field, in_items=True)
        elif inner is None:
            break
        else:
            field = _field_named(inner, step)
            path = f"{place.path}.{step}" if place.path else step
            place = _Place(path, inner, step, field, in_items=False)
            inner = None if field is None else next(_models_in(field.annotation), None)
            keys = 0 if field is None else _mappings_in(field.annotation)
    return place


def _field_named(model: type[BaseModel], name: str) -> FieldInfo | None:
    fields = {field.alias or own: field for own, field in model.model_fields.items()}
    return fields.get(name)


def _known_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or own for own, field in model.model_fields.items()]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """Return the models that an annotation such as `list[Model] | None` holds."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _mappings_in(annotation: object) -> int:
    """Return how many keys lead to an item of an annotation such as `dict[str, dict[str, Model]]`."""
    if get_origin(annotation) is not dict:
        return 0
    return 1 + _mappings_in(get_args(annotation)[1])


def _accepted_item(annotation: object) -> str:
    """Return what the items of a list accept."""
    kind, _ = _unwrapped(annotation, ())
    return _accepted_by(next(iter(get_args(kind)), None), ())


def _accepted_by(annotation: object, metadata: Sequence[Any]) -> str:
    kind, bounds = _unwrapped(annotation, metadata)
    return " ".join(word for word in (_kind_words(kind), *_bound_words(bounds)) if word)


def _bound_words(bounds: Sequence[object]) -> Iterator[str]:
    # A field may narrow the bounds of its kind.
    lowest = max((cast("float", bound.ge) for bound in bounds if isinstance(bound, Ge)), default=None)
    highest = min((cast("float", bound.le) for bound in bounds if isinstance(bound, Le)), default=None)
    if lowest is not None:
        yield f">= {lowest}" if highest is None else f"in {lowest} .. {highest}"
    elif highest is not None:
        yield f"<= {highest}"
    for bound in bounds:
        if isinstance(bound, MinLen):
            yield f"of length >= {bound.min_length}"


def _kind_words(kind: Any) -> str:  # noqa: ANN401  # any annotation
    if get_origin(kind) is Literal:
        choices = [repr(choice) for choice in get_args(kind)]
        return f"one of {', '.join(choices)}" if len(choices) > 1 else f"only {choices[0]}"
    if get_origin(kind) in {list, tuple}:
        return f"a list, each item {_accepted_by(get_args(kind)[0], ())}"
    if get_origin(kind) in {Union, UnionType}:
        return " or ".join(_accepted_by(part, ()) for part in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return f"fields of the form 'field: value': {', '.join(_known_names(kind))}"
    return _TYPE_NAMES.get(kind, "")


def _unwrapped(annotation: Any, metadata: Sequence[Any]) -> tuple[Any, list[Any]]:  # noqa: ANN401  # any annotation
    """Return an annotation without None and Annotated, and all that bounds it."""
    bounds = list(metadata)
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        bounds += more
    parts = [part for part in get_args(annotation) if part is not NoneType]
    if len(parts) == 1 and len(get_args(annotation)) > 1:
        return _unwrapped(parts[0], bounds)
    return annotation, bounds
