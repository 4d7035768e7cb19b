"""YAML files: what is read and what is refused, with the line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.yaml_file import parse_scalar, read_mapping

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
        (b"a: 2001-99-99\n", "month must be in 1..12"),
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


@pytest.mark.parametrize(("text", "value"), [("8", 8), ("ideal", "ideal"), ("off", False), ("", None), ("1.5", 1.5)])
def test_parse_scalar(text: str, value: object) -> None:
    """A text has the value that YAML gives it."""
    assert parse_scalar("field", text) == value
