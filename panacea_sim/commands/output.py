"""Standard output and standard error as they are found: closed, full, a pipe that ends early, or not UTF-8."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress

__all__ = ["fit_streams", "output_error", "silence", "tell"]

_PLAIN = "panacea_sim.plain"
_PLAIN_CHARACTERS = str.maketrans({"█": "#", "─": "-", "━": "-", "│": "|", "·": ".", "µ": "u", "…": "...", "→": "->"})
"""What stands for the characters of our tables and bars where an encoding lacks them."""


def fit_streams() -> None:
    """Let text go to standard output and standard error whatever they are.

    Characters that an encoding lacks become plain ones or escapes. A stream that is closed swallows what it is given:
    without one Python would give the number of the stream to the next file that is opened.
    """
    codecs.register_error(_PLAIN, _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  # until the end
        elif hasattr(stream, "reconfigure") and not (stream.encoding or "").lower().startswith("utf"):
            stream.reconfigure(errors=_PLAIN)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end].translate(_PLAIN_CHARACTERS)
    return found.encode("ascii", "backslashreplace").decode("ascii"), error.end


def output_error() -> OSError | None:
    """Return the error with which standard output fails to take what it was given; None if it takes it."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error
    return None


def silence() -> None:
    """Let standard output swallow what is still to come: it must not fail again when Python ends."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)


def tell(text: str) -> None:
    """Print a message to standard error, which nobody may read."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201  # the terminal may be in any state
