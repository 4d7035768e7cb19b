"""Many whole numbers as a short text: `0+64x12, 5` is 0, 64, .., 704 and 5."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence

import numpy as np

from panacea_sim.errors import ConfigError
from panacea_sim.units import IntArray

__all__ = ["MOST_NUMBER", "numbers_of", "runs_text"]

_RUN = re.compile(r"(-?[0-9]{1,13})([+-][0-9]{1,13})?(?:x([1-9][0-9]{0,9}))?")
MOST_NUMBER = 1 << 40
"""Numbers lie in -MOST_NUMBER .. MOST_NUMBER."""
_ACCEPTED = "runs of whole numbers: FIRST, FIRSTxCOUNT or FIRST+STEPxCOUNT, with commas between them"


def runs_text(values: Sequence[int] | IntArray) -> str:
    """Return the text of these numbers, which `numbers_of` reads."""
    given = np.asarray(values, np.int64)
    steps = np.diff(given)
    last = len(given) - 1
    # A run ends at the first number behind its own first one at which the step changes.
    turns = [*(np.flatnonzero(steps[1:] != steps[:-1]) + 1).tolist(), last]
    runs, first = [], 0
    for turn in turns:
        if turn > first or turn == last:
            runs.append(_run_text(int(given[first]), int(steps[first]) if turn > first else 0, turn - first + 1))
            first = turn + 1
    return ", ".join(runs)


def numbers_of(text: str, field: str, count: int, whose: str) -> IntArray:
    """Return the numbers of a text, which must be `count`: one for each of `whose`.

    Raises ConfigError naming `field`, before anything large is made.
    """
    runs = [_run_of(part.strip(), field) for part in text.split(",")]
    found = sum(length for _, _, length in runs)
    if found != count:
        raise ConfigError(field, f"{found} numbers", f"{count}: one for each {whose}")
    return np.concatenate([first + step * np.arange(length) for first, step, length in runs])


def _run_text(first: int, step: int, count: int) -> str:
    if count == 1:
        return f"{first}"
    return f"{first}x{count}" if step == 0 else f"{first}{step:+}x{count}"


def _run_of(part: str, field: str) -> tuple[int, int, int]:
    match = _RUN.fullmatch(part)
    if match is None or (match[2] and not match[3]):
        raise ConfigError(field, reprlib.repr(part), _ACCEPTED)
    first, step, count = int(match[1]), int(match[2] or 0), int(match[3] or 1)
    if max(abs(first), abs(first + step * (count - 1))) > MOST_NUMBER:
        raise ConfigError(field, repr(part), f"numbers of up to {MOST_NUMBER}")
    return first, step, count
