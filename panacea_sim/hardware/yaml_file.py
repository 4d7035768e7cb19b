"""YAML files in and out: version 1.2 in what is a number, read safely, with errors that a user can act on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TextIO

import yaml

from panacea_sim.errors import ConfigError, with_article

__all__ = ["parse_scalar", "read_mapping", "read_yaml", "write_mapping"]

_MOST_DIGITS = 300
"""No number in any bounds has more, and Python reads thousands of digits slowly or not at all."""

_INTEGRAL_BELOW = 1 << 63
"""Numbers from here on stay floating-point numbers: no whole number of ours is as large."""

_MERGE = "tag:yaml.org,2002:merge"
_CORE_SCHEMA = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*"-+0123456789"]),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
}
"""What a scalar without quotation marks is by YAML 1.2, section 10.3.2, and the characters that it can begin with."""


def read_mapping(path: Path) -> dict[str, object]:
    """Return the YAML mapping that the file at `path` holds, its keys as text.

    Numbers are those of YAML 1.2: `010` is ten, `1:30`, `1_000`, `yes` and `off` are text. What is written as a
    floating-point number without a fraction, such as `1e9`, is a whole number. Raises ConfigError, naming the file and
    where possible the line, if the file cannot be read, is not YAML, is not a mapping or gives a key twice.
    """
    content = read_yaml(path)
    if not isinstance(content, dict):
        found = "nothing" if content is None else f"{with_article(type(content).__name__)} at line 1"
        raise ConfigError(str(path), found, "a YAML mapping of the form 'field: value'")
    return {str(key): value for key, value in content.items()}


def read_yaml(path: Path) -> object:
    """Return what a YAML file holds, whatever that is; numbers and errors are those of `read_mapping`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(str(path), _unreadable(error), "a YAML file that can be read", "Check the path") from error
    try:
        content = _parsed(text)
        _refuse_repeated_keys(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(str(path), _describe(error), "YAML of the form 'field: value'") from error
    return content


def parse_scalar(field: str, text: str) -> object:
    """Return the value that a file has which holds `text` alone; raises ConfigError naming `field`."""
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506  # it is a safe one
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(field, repr(text), "a YAML value such as 8 or ideal") from error


def write_mapping(content: dict[str, Any], file: TextIO) -> None:
    """Write a mapping so that `read_mapping` returns it: text that could be read as something else is quoted."""
    yaml.dump(content, file, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def _whole_number(_: object, node: yaml.ScalarNode) -> int:
    text = node.value
    if len(text) > _MOST_DIGITS:
        raise yaml.MarkedYAMLError(problem=f"a number of {len(text)} digits", problem_mark=node.start_mark)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))


def _number(_: object, node: yaml.ScalarNode) -> int | float:
    # Python writes infinity and NaN without the point.
    value = float(re.sub(r"\.(?=[in])", "", node.value.lower()))
    return int(value) if abs(value) < _INTEGRAL_BELOW and value.is_integer() else value


def _with_core_schema(base: Any) -> Any:  # noqa: ANN401  # PyYAML's classes in C and in Python have no common one
    """Return a loader or dumper that takes plain scalars for what YAML 1.2 does, where PyYAML goes by version 1.1."""
    made: Any = type("Core", (base,), {"yaml_implicit_resolvers": {}})
    for name, (pattern, first) in _CORE_SCHEMA.items():
        made.add_implicit_resolver(f"tag:yaml.org,2002:{name}", re.compile(f"(?:{pattern})\\Z"), first)
    made.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])  # version 1.1, and still widely used
    return made


def _loader(base: Any) -> Any:  # noqa: ANN401  # as above
    made = _with_core_schema(base)
    made.add_constructor("tag:yaml.org,2002:int", _whole_number)
    made.add_constructor("tag:yaml.org,2002:float", _number)
    return made


_Loader = _loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader))
"""The loader in C, ten times faster, where PyYAML has it."""
_PlainLoader = _loader(yaml.SafeLoader)
_Dumper = _with_core_schema(getattr(yaml, "CSafeDumper", yaml.SafeDumper))


def _quoted_breaks(dumper: Any, text: str) -> yaml.ScalarNode:  # noqa: ANN401  # as above
    # Line ends other than \n are read as spaces unless they are escaped, which double quotes alone do.
    style = '"' if _OTHER_LINE_ENDS.search(text) else None
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


_OTHER_LINE_ENDS = re.compile("[\r\x85\u2028\u2029]")
_Dumper.add_representer(str, _quoted_breaks)


def _parsed(text: str) -> object:
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  # it is a safe one
    except yaml.YAMLError:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506  # which says what is wrong in better words


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
    if isinstance(error, RecursionError):
        return "lists or mappings in each other, too deep"
    return next(iter(str(error).splitlines()), type(error).__name__)


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "bytes that are not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
