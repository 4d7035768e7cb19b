"""The errors that panacea_sim raises, one class for each kind of reader."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "CacheWarning",
    "ConfigError",
    "DeadlockError",
    "InvariantError",
    "MappingError",
    "PanaceaError",
    "nearest_name",
    "with_article",
]


_BUG = ". This is a bug in panacea_sim: please report it with the run folder"


class PanaceaError(Exception):
    """Base of every error that panacea_sim raises on purpose.

    `exit_code` is what the command line returns when the error ends a run.
    """

    exit_code = 1


class ConfigError(PanaceaError):
    """A file, option or value of the user's cannot be used.

    The message names the field, what was found, what is accepted and, where one is known, what to do.
    """

    exit_code = 2

    def __init__(self, field: str, found: object, accepted: str, hint: str = "") -> None:
        self.field = field
        self.found = found
        self.accepted = accepted
        self.hint = hint
        message = f"{field}: found {found}; accepted: {accepted}"
        super().__init__(f"{message}. {hint}" if hint else message)

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str, str]]:
        """Say how to make the error again in another process; found things become text there."""
        return type(self), (self.field, str(self.found), self.accepted, self.hint)


class MappingError(PanaceaError):
    """A layer does not fit the machine: the message says by how much and which knob helps."""

    exit_code = 2


class DeadlockError(PanaceaError):
    """The machine cannot go on: every unfinished component waits for another one."""


class InvariantError(PanaceaError):
    """The simulator contradicts itself, which is a bug of panacea_sim and not of the user's input."""

    def __init__(self, message: str) -> None:
        super().__init__(f"{message}{_BUG}")

    def __reduce__(self) -> tuple[type[InvariantError], tuple[str]]:
        """Say how to make the error again in another process."""
        return type(self), (str(self).removesuffix(_BUG),)


class CacheWarning(RuntimeWarning):
    """Compiled code cannot be kept or read: the run goes on, but takes longer."""


def with_article(name: str) -> str:
    """Return a name with the indefinite article in front, as "an int"."""
    return f"{'an' if name[:1].lower() in set('aeiou') else 'a'} {name}"


def nearest_name(name: str, valid: Iterable[str]) -> str:
    """Return a hint that names the valid name that begins with `name` or is closest to it; none is an empty string."""
    names = list(valid)
    begun = [each for each in names if name and each.startswith(name)]
    matches = difflib.get_close_matches(name, begun or names, n=1, cutoff=0 if begun else 0.5)
    return f"Did you mean {matches[0]!r}?" if matches else ""
