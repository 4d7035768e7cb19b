"""Names of runs, studies and cases: each names a folder, on whichever file system."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.validation import refusal
from panacea_sim.trace.run_place import PARTIAL

__all__ = ["RunName", "check_case_names", "check_run_name", "run_name_fault"]

_MAX_LENGTH = 100
_FORBIDDEN = {"/": "a slash", "\\": "a backslash", "\0": "a NUL character"}
_ACCEPTED = f"text of 1 to {_MAX_LENGTH} characters without /, \\ and NUL, with no dot first and no {PARTIAL} last"
_STUDY_FILES = ("summary.json", "results.csv")
"""What lies in the folder of a study beside the folders of its cases."""


def check_run_name(field: str, name: object) -> None:
    """Check the name of a run, a study or a case; raises ConfigError naming `field`."""
    fault = run_name_fault(name)
    if fault is not None:
        raise ConfigError(field, *fault)


def run_name_fault(name: object) -> tuple[str, str] | None:
    """Return what is wrong with a name and what is accepted, None for one that can be used."""
    found = _fault(name)
    return None if found is None else (found, _ACCEPTED)


def _usable(name: str) -> str:
    fault = run_name_fault(name)
    if fault is not None:
        raise refusal(*fault)
    return name


RunName: TypeAlias = Annotated[str, AfterValidator(_usable)]
"""A name of a run in a file."""


def check_case_names(field: str, names: Iterable[str]) -> None:
    """Check that cases of a study have folders of their own, also where file systems know no capitals.

    Raises ConfigError naming `field`.
    """
    taken = {_folded(name): f"the study's file {name}" for name in _STUDY_FILES}
    for name in names:
        folded = _folded(name)
        if folded in taken:
            found = f"{name!r} beside {taken[folded]}"
            raise ConfigError(field, found, "a name of its own for each, whatever its capitals", "Rename one of them")
        taken[folded] = repr(name)


def _fault(name: object) -> str | None:
    if not isinstance(name, str):
        return repr(name)
    if not 1 <= len(name) <= _MAX_LENGTH:
        return f"{len(name)} characters" if name else "an empty name"
    forbidden = [what for character, what in _FORBIDDEN.items() if character in name]
    if forbidden:
        return f"{forbidden[0]} in {name!r}"
    if name.startswith(".") or name.lower().endswith(PARTIAL):
        return repr(name)
    # UTF-8 text cannot hold one half of a surrogate pair.
    return repr(name) if any(unicodedata.category(character) == "Cs" for character in name) else None


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
