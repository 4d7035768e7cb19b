"""Numbers of files of DRAM requests: how they are spelled, and how large they may be."""

from __future__ import annotations

import re

from panacea_sim.errors import ConfigError

__all__ = ["shown", "whole_address", "whole_cycle", "whole_number"]

_CYCLE_BITS = _ADDRESS_BITS = 62
"""Below these all sums of a replay fit the 64 bits of its arrays."""
_DECIMAL = re.compile(r"\+?0*([0-9]+)")
_HEXADECIMAL = re.compile(r"\+?0x0*([0-9a-f]+)", re.IGNORECASE)
_MOST_DIGITS = 20
_SHOWN_LETTERS = 40
"""A cell in a message: more would hide what is accepted."""


def whole_cycle(field: str, text: str, earliest: int = 0) -> int:
    """Return the cycle that the text spells; raises ConfigError for one before `earliest`."""
    return whole_number(field, text, earliest, (1 << _CYCLE_BITS) - 1, f"2^{_CYCLE_BITS} - 1")


def whole_address(field: str, text: str) -> int:
    """Return the address that the text spells, in bytes; raises ConfigError."""
    return whole_number(field, text, 0, (1 << _ADDRESS_BITS) - 1, f"2^{_ADDRESS_BITS} - 1")


def whole_number(field: str, text: str, least: int, most: int, most_shown: str) -> int:
    """Return the number that the text spells, decimal or, with 0x in front, hexadecimal; raises ConfigError."""
    spelled = _DECIMAL.fullmatch(text) or _HEXADECIMAL.fullmatch(text)
    # Python does not read thousands of digits, and no number in bounds has so many.
    if spelled and len(spelled[1]) <= _MOST_DIGITS:
        number = int(spelled[1], 10 if spelled.re is _DECIMAL else 16)
        if least <= number <= most:
            return number
    raise ConfigError(field, shown(text), f"a whole number from {least} to {most_shown}, decimal or 0x")


def shown(text: str) -> str:
    """Return text of a file for a message."""
    return repr(text if len(text) <= _SHOWN_LETTERS else text[:_SHOWN_LETTERS] + "..")
