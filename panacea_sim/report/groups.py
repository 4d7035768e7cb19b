"""How groups of components are called where they are shown as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["group_label", "group_labels", "plural"]

_ABBREVIATION_LETTERS = 3


def plural(group: str) -> str:
    """Return what the members of a group are called; a name of up to three letters is an abbreviation."""
    return f"{group.upper() if len(group) <= _ABBREVIATION_LETTERS else group}s"


def group_label(group: str, count: int) -> str:
    """Return what `count` members of a group are called together."""
    return f"{count} {plural(group)}"


def group_labels(groups: Mapping[str, Sequence[str]], joined: Mapping[str, str]) -> dict[str, str]:
    """Return what the members of groups are called that `joined` gives one name, by this name."""
    labels = {}
    for group, members in groups.items():
        names = [joined[name] for name in members if name in joined]
        if names:
            labels[names[0]] = group_label(group, len(names))
    return labels
