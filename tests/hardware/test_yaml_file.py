"""YAML files: what is read and what is refused, with the line."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from panacea_sim.errors import ConfigError
from panacea_sim.hardware import yaml_file
from panacea_sim.hardware.yaml_file import parse_scalar, read_mapping, write_mapping

if TYPE_CHECKING:
    from pathlib import Path


def test_keys_become_text(tmp_path: Path) -> None:
    """Keys that YAML reads as numbers are returned as text, values as YAML reads them."""
    path = tmp_path / "file.yaml"
    path.write_text("1: 2\na: [b, 3]\n", encoding="utf-8")
    assert read_mapping(path) == {"1": 2, "a": ["b", 3]}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a: 1\nb: [2\n", "expected ',' or ']', but got '<stream end>' at line 3"),
        (b"a: 1\nb: 2\na: 3\n", "key 'a' given twice at line 3"),
        (b"a: 1\nb: !!python/object:os.system {}\n", "could not determine a constructor"),
        (b"a: !!timestamp 2001-99-99\n", "month must be in 1..12"),
        (b"a: !!int 1:30\n", "invalid literal for int"),
        (b"a: 1\nb: " + b"9" * 5000 + b"\n", "a number of 5000 digits at line 2"),
        (b"a: " + b"[" * 4_000 + b"\n", ""),
        (b"a: \x00\n", "unacceptable character"),
        (b"- a\n- b\n", "a list at line 1; accepted: a YAML mapping"),
        (b"", "nothing; accepted: a YAML mapping"),
        (b"a: \xff\n", "bytes that are not UTF-8 text"),
    ],
)
def test_refused_content(tmp_path: Path, content: bytes, found: str) -> None:
    """A file that is not a YAML mapping of distinct keys is refused with the reason and, where known, the line."""
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: found {re.escape(found)}"):
        read_mapping(path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that does not exist is refused by its path."""
    path = tmp_path / "nowhere.yaml"
    with pytest.raises(
        ConfigError, match=rf"^{re.escape(str(path))}: found No such file or directory; .*Check the path$"
    ):
        read_mapping(path)


SCALARS = {
    "8": 8,
    "010": 10,
    "0576": 576,
    "-012": -12,
    "0o17": 15,
    "0x1F": 31,
    "0b11": "0b11",
    "1_000": "1_000",
    "1:30": "1:30",
    "190:20:30.15": "190:20:30.15",
    "1e9": 10**9,
    "1E+3": 1000,
    "+16.0": 16,
    "5.": 5,
    ".5": 0.5,
    "1.5e-3": 0.0015,
    "1e20": 1e20,
    "1e400": math.inf,
    ".inf": math.inf,
    "-.INF": -math.inf,
    "yes": "yes",
    "off": "off",
    "On": "On",
    "n": "n",
    "true": True,
    "FALSE": False,
    "tRUE": "tRUE",
    "2001-01-01": "2001-01-01",
    "=": "=",
    "": None,
    "~": None,
    "Null": None,
    "ideal": "ideal",
    "'010'": "010",
    "1e": "1e",
    ".": ".",
    "0x": "0x",
    "0o8": "0o8",
}
"""Scalars and what they are by YAML 1.2.2, section 10.3.2, with integral floats as whole numbers."""


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_scalars(tmp_path: Path, text: str, value: object) -> None:
    """A text has the value that YAML 1.2 gives it, and the type, in a setting as in a file."""
    path = tmp_path / "file.yaml"
    path.write_text(f"a: {text}\n", encoding="utf-8")
    for found in (parse_scalar("field", text), read_mapping(path)["a"]):
        assert (found, type(found)) == (value, type(value))


def test_not_a_number() -> None:
    """NaN is read as such."""
    assert math.isnan(float(str(parse_scalar("field", ".NaN"))))


def test_both_loaders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML has no loader in C the values are the same."""
    path = tmp_path / "file.yaml"
    path.write_text("".join(f"k{number}: {text}\n" for number, text in enumerate(SCALARS)), encoding="utf-8")
    fast = read_mapping(path)
    monkeypatch.setattr(yaml_file, "_Loader", yaml_file._PlainLoader)
    assert read_mapping(path) == fast
    assert list(fast.values()) == list(SCALARS.values())


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.floats(allow_nan=False), st.booleans())))
@example({text: text for text in SCALARS})
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]) -> None:
    """A mapping that is written is read back as it was: text that looks like a number stays text."""
    path = tmp_path_factory.mktemp("yaml") / "file.yaml"
    with path.open("w", encoding="utf-8", newline="") as file:
        write_mapping(content, file)
    assert read_mapping(path) == content


@pytest.mark.parametrize("text", ["[", "9" * 5000, "!!int x", "!!python/name:os.system", "a: b: c"])
def test_refused_scalar(text: str) -> None:
    """A text that is no YAML is refused with the field."""
    with pytest.raises(ConfigError, match=r"^field: found .*; accepted: a YAML value such as 8 or ideal$"):
        parse_scalar("field", text)
