"""How groups of components are called where they are shown as one."""

from __future__ import annotations

__all__ = ["group_label", "plural"]

_ABBREVIATION_LETTERS = 3


def plural(group: str) -> str:
    """Return what the members of a group are called; a name of up to three letters is an abbreviation."""
    return f"{group.upper() if len(group) <= _ABBREVIATION_LETTERS else group}s"


def group_label(group: str, count: int) -> str:
    """Return what `count` members of a group are called together."""
    return f"{count} {plural(group)}"
