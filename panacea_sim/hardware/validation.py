"""Turning the findings of pydantic into the errors that users of panacea_sim read."""

from __future__ import annotations

import reprlib
from typing import Literal, get_args, get_origin

from annotated_types import Ge, MinLen
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from panacea_sim.errors import ConfigError, nearest_name

__all__ = ["accepted_values", "config_error"]

_TYPE_NAMES = {int: "a whole number", str: "text"}


def accepted_values(field: FieldInfo) -> str:
    """Return what `field` accepts, in words, read off its annotation and bounds."""
    if get_origin(field.annotation) is Literal:
        choices = [repr(choice) for choice in get_args(field.annotation)]
        return f"one of {', '.join(choices)}" if len(choices) > 1 else f"only {choices[0]}"
    words = [name for kind, name in _TYPE_NAMES.items() if field.annotation is kind]
    for bound in field.metadata:
        if isinstance(bound, Ge):
            words.append(f">= {bound.ge}")
        if isinstance(bound, MinLen):
            words.append(f"of length >= {bound.min_length}")
    return " ".join(words)


def config_error(section: str, model: type[BaseModel], error: ValidationError, remedy: str) -> ConfigError:
    """Return the ConfigError that tells the first finding of `error` and counts the others.

    `section` is the prefix of the field's path, e.g. "hardware" for `hardware.n_pea`; `remedy` says where the value can
    be changed, with {path} where the field's path goes.
    """
    findings = error.errors(include_url=False)
    first = findings[0]
    name = str(first["loc"][0])
    path = f"{section}.{name}"
    hints = [remedy.format(path=path)]
    if first["type"] == "extra_forbidden":
        hints = [nearest_name(name, model.model_fields) or "Remove it"]
        found, accepted = "an unknown field", ", ".join(model.model_fields)
    else:
        found, accepted = _found(first), _accepted(first, model.model_fields[name])
    if len(findings) > 1:
        hints.append(f"Other fields with errors: {len(findings) - 1}")
    return ConfigError(path, found, accepted, ". ".join(hints))


def _found(finding: ErrorDetails) -> str:
    return "nothing" if finding["type"] == "missing" else reprlib.repr(finding["input"])


def _accepted(finding: ErrorDetails, field: FieldInfo) -> str:
    if finding["type"] == "value_error":
        return f"{accepted_values(field)} that is {finding['ctx']['error']}"
    return accepted_values(field)
