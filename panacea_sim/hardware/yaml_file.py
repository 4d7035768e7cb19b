"""Reading YAML safely, with errors that a user can act on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from panacea_sim.errors import ConfigError, with_article

__all__ = ["parse_scalar", "read_mapping"]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C, ten times faster, where PyYAML has it."""


def read_mapping(path: Path) -> dict[str, object]:
    """Return the YAML mapping that the file at `path` holds, its keys as text.

    Raises ConfigError, naming the file and where possible the line, if the file cannot be read, is not YAML, is not a
    mapping or gives a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "bytes that are not UTF-8 text"
        raise ConfigError(str(path), reason, "a YAML file that can be read", "Check the path") from error
    try:
        content = _parsed(text)
        _refuse_repeated_keys(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(str(path), _describe(error), "YAML of the form 'field: value'") from error
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"{with_article(type(content).__name__)} at line 1"
        raise ConfigError(str(path), found, "a YAML mapping of the form 'field: value'")
    return {str(key): value for key, value in content.items()}


def parse_scalar(field: str, text: str) -> object:
    """Return the value that YAML reads in `text`, as it would in a file; raises ConfigError naming `field`."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(field, repr(text), "a YAML value such as 8 or ideal") from error


def _parsed(text: str) -> object:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # it is one of the safe ones
    except yaml.YAMLError:
        return yaml.safe_load(text)  # which says what is wrong in better words


def _refuse_repeated_keys(text: str) -> None:
    """Refuse a key that is given twice in one mapping, at any depth."""
    waiting: list[Any] = [yaml.compose(text, Loader=_Loader)]
    met: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in met:  # an alias of a node met before, or a circle of them
            continue
        met.add(id(node))
        if isinstance(node, yaml.MappingNode):
            _refuse_repetition([key for key, _ in node.value if isinstance(key, yaml.ScalarNode)])
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value


def _refuse_repetition(keys: list[yaml.ScalarNode]) -> None:
    seen: set[str] = set()
    for key in keys:
        if key.value in seen:
            # YAML itself would silently keep the last value.
            raise yaml.MarkedYAMLError(problem=f"key {key.value!r} given twice", problem_mark=key.start_mark)
        seen.add(key.value)


def _describe(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem} at line {error.problem_mark.line + 1}"
    return str(error).splitlines()[0]
