"""Standard output and standard error as they are found: closed, full, a pipe that ends early, or not UTF-8."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

__all__ = ["UnwritableError", "fitted_streams", "silence", "tell"]

_PLAIN = "panacea_sim.plain"
_PLAIN_CHARACTERS = str.maketrans({"█": "#", "─": "-", "━": "-", "│": "|", "·": ".", "µ": "u", "…": "...", "→": "->"})
"""What stands for the characters of our tables and bars where an encoding lacks them."""


class UnwritableError(Exception):
    """Standard output does not take what it is given; `reason` is the system's error."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason.strerror or str(reason))
        self.reason = reason


class _Output:
    """Standard output whose errors can be told from those of all other files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write as the stream does; raises UnwritableError."""
        try:
            return self._stream.write(text)
        except OSError as error:
            raise UnwritableError(error) from error

    def flush(self) -> None:
        """Flush as the stream does; raises UnwritableError."""
        try:
            self._stream.flush()
        except OSError as error:
            raise UnwritableError(error) from error

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the stream has
        return getattr(self._stream, name)


@contextmanager
def fitted_streams() -> Iterator[None]:
    """Let text go to standard output and standard error whatever they are.

    Characters that an encoding lacks become plain ones or escapes. A stream that is closed swallows what it is given:
    without one Python would give the number of the stream to the next file that is opened. Standard error may be full:
    what it does not take is dropped at the end, where Python would change the exit code for it.
    """
    codecs.register_error(_PLAIN, _plain)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123  # until the end
        elif hasattr(stream, "reconfigure") and not (stream.encoding or "").lower().startswith("utf"):
            stream.reconfigure(errors=_PLAIN)
    found = sys.stdout
    sys.stdout = cast("TextIO", _Output(found))
    try:
        yield
    finally:
        sys.stdout = found
        try:
            sys.stderr.flush()
        except (OSError, ValueError):  # full, or closed meanwhile
            silence(sys.stderr)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    found = error.object[error.start : error.end].translate(_PLAIN_CHARACTERS)
    return found.encode("ascii", "backslashreplace").decode("ascii"), error.end


def silence(stream: TextIO) -> None:
    """Let a stream swallow what it holds and what is still to come: it must not fail again when Python ends."""
    with suppress(OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)


def tell(text: str) -> None:
    """Print a message to standard error, which nobody may read."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201  # the terminal may be in any state
