"""What is recorded of a run: the level, and the cycles to which a user confines it."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from panacea_sim.errors import ConfigError
from panacea_sim.trace.schema import State

__all__ = ["NO_TRACE", "OPEN_END", "TraceOptions", "parse_window", "window_text"]

OPEN_END = 2**63 - 1
"""The end of a window that is left open: no cycle of a table can be later."""

_MOST_DIGITS = len(str(OPEN_END))

_STALLS = frozenset({State.STARVED, State.BLOCKED, State.CONTENDED, State.WAITING})


@dataclass(frozen=True)
class TraceOptions:
    """What is kept of a run: nothing, the stalls, or everything; and from which cycles.

    `window` keeps the rows that overlap the cycles from its first to before its second; totals are always complete.
    """

    level: Literal["off", "stalls", "full"] = "full"
    window: tuple[int, int] | None = None

    def keeps(self, state: State) -> bool:
        """Return whether rows in this state are kept."""
        return self.level == "full" or (self.level == "stalls" and state in _STALLS)

    def entry(self) -> dict[str, Any]:
        """Return what summary.json says of them; the end of an open window is null."""
        if self.window is None:
            return {"level": self.level, "window": None}
        first, last = self.window
        return {"level": self.level, "window": [first, None if last == OPEN_END else last]}


NO_TRACE = TraceOptions("off")
"""No trace at all."""


def parse_window(text: str | None) -> tuple[int, int] | None:
    """Return the cycles A and B of the option A:B, or None without one; A: is (A, OPEN_END) and :B is (0, B).

    Raises ConfigError for any other text, and for a window that is empty.
    """
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]*):([0-9]*)", text.strip())
    accepted = "A:B, whole cycles with A < B, of which one may be left out"
    if found is None or not any(found.groups()):
        raise ConfigError("--window", repr(text), accepted, "For example --window 1000:2000")
    # Python does not read thousands of digits, and no cycle has so many.
    digits = [part.lstrip("0") for part in found.groups()]
    if any(len(part) > _MOST_DIGITS for part in digits):
        raise ConfigError("--window", reprlib.repr(text), f"cycles up to {OPEN_END}")
    first, last = int(digits[0] or 0), int(digits[1] or 0) if found[2] else OPEN_END
    if first >= last:
        raise ConfigError("--window", f"{text!r}, which is empty", accepted, "B is the cycle after the last")
    if last > OPEN_END:
        raise ConfigError("--window", repr(text), f"cycles up to {OPEN_END}")
    return first, last


def window_text(window: Sequence[int | None]) -> str:
    """Return a window, or what summary.json says of it, as its option is written."""
    return f"{window[0]}:{'' if window[1] in {None, OPEN_END} else window[1]}"
