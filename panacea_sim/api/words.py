"""Messages in the words of Python: they are those of the command line, whose options are arguments here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from panacea_sim.errors import ConfigError, PanaceaError

__all__ = ["in_python_words"]

_WORDS = (
    (r"--set hardware\.(\w+)=([\w.]+)", r"set={'\1': \2}"),
    (r"--(trace|values|schedule|engine|normalise|dram) (\w+)", r"\1='\2'"),
    (r"--workers (\d+)", r"workers=\1"),
    (r"--(force|explain)\b", r"\1=True"),
    (r"--out\b", "folder"),
)
"""What stands in place of options with their values; other options are arguments of the same name."""

_OPTION = r"--([a-z]+(?:-[a-z]+)*)"


@contextmanager
def in_python_words() -> Iterator[None]:
    """Let errors name arguments of functions where they name options of the command line: `set` for `--set`."""
    try:
        yield
    except PanaceaError as error:
        if isinstance(error, ConfigError):
            # Another process makes the error again from these.
            error.field, error.accepted, error.hint = map(_translated, (error.field, error.accepted, error.hint))
            error.found = _translated(str(error.found))
        error.args = tuple(_translated(each) if isinstance(each, str) else each for each in error.args)
        raise


def _translated(text: str) -> str:
    for option, argument in _WORDS:
        text = re.sub(option, argument, text)
    return re.sub(_OPTION, lambda found: found[1].replace("-", "_"), text)
