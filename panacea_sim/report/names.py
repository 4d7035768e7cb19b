"""Names of layers where there is little room: what tells one from the others stays."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["name_forms", "shortened"]

_BORDER = re.compile(r"[/.:_\s-]")
"""Ends a part of a name, as in /backbone/layer.3/MatMul."""


def name_forms(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return for each name what may stand for it, the longest first, and last what it does not share with the others.

    What all names begin or end with is left out in whole parts: of a/x/Conv and a/y/Conv the last forms are …x… and
    …y….
    """
    head = _alike(names)
    tail = _alike([name[head:][::-1] for name in names])
    return [_forms(name, head, len(name) - tail) for name in names]


def shortened(forms: Sequence[str], letters: int) -> str:
    """Return the longest of `forms` that has room, or the last one without its middle; page/names.js does the same."""
    fitting = next((form for form in forms if len(form) <= letters), None)
    if fitting is not None:
        return fitting
    last = forms[-1].strip("…")
    # Two thirds for the end, which says more than the beginning.
    kept = max(letters - 1, 1)
    beginning = kept // 3
    return f"{last[:beginning]}…{last[beginning - kept :]}"


def _alike(names: Sequence[str]) -> int:
    """Return how many letters all names begin with, in whole parts; one name, or one repeated, is like no other."""
    # What the first and the last in order have in common, those between have, too.
    first, last = min(names, default=""), max(names, default="")
    differs = (number for number, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    same = 0 if first == last else next(differs, len(first))
    return max((border.end() for border in _BORDER.finditer(first[:same])), default=0)


def _forms(name: str, first: int, last: int) -> tuple[str, ...]:
    """Return a name, the same from `first` on, and that only to before `last`."""
    start, end = "…" if first else "", "…" if last < len(name) else ""
    return tuple(dict.fromkeys([name, f"{start}{name[first:]}", f"{start}{name[first:last]}{end}"]))
