"""All mutations, and what is wrong with their list: it has to follow the sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from comparison_mutations import COMPARISON_MUTATIONS
from energy_mutations import ENERGY_MUTATIONS
from folder_mutations import FOLDER_MUTATIONS
from format_mutations import FORMAT_MUTATIONS
from kept_mutations import KEPT_MUTATIONS
from layer_mutations import LAYER_MUTATIONS
from mutations import MUTATIONS, Mutation
from network_mutations import NETWORK_MUTATIONS
from product_mutations import PRODUCT_MUTATIONS
from read_format_mutations import READ_FORMAT_MUTATIONS
from rival_mutations import RIVAL_MUTATIONS
from search_mutations import SEARCH_MUTATIONS
from stage_mutations import STAGE_MUTATIONS
from value_mutations import VALUE_MUTATIONS
from versus_mutations import VERSUS_MUTATIONS

__all__ = ["LISTED", "ROOT", "mutated", "problems"]

ROOT = Path(__file__).parents[2]

LISTED = (
    *MUTATIONS,
    *PRODUCT_MUTATIONS,
    *VALUE_MUTATIONS,
    *LAYER_MUTATIONS,
    *FOLDER_MUTATIONS,
    *NETWORK_MUTATIONS,
    *FORMAT_MUTATIONS,
    *READ_FORMAT_MUTATIONS,
    *STAGE_MUTATIONS,
    *RIVAL_MUTATIONS,
    *KEPT_MUTATIONS,
    *COMPARISON_MUTATIONS,
    *ENERGY_MUTATIONS,
    *VERSUS_MUTATIONS,
    *SEARCH_MUTATIONS,
)


def mutated(text: str, mutation: Mutation) -> str:
    """Return the text of the mutation's file with the mutation; raises ValueError unless its line is there once."""
    lines = text.splitlines(keepends=True)
    (place,) = _places(text, mutation.before)
    lines[place] = lines[place].replace(mutation.before, mutation.after)
    return "".join(lines)


def problems(chosen: Sequence[Mutation]) -> list[str]:
    """Return what is wrong with mutations, a line for each fault."""
    counts = Counter(mutation.name for mutation in chosen)
    found = [f"{name}: the name occurs more than once" for name, count in counts.items() if count > 1]
    for mutation in chosen:
        found += [f"{mutation.name}: {fault}" for fault in (*_faults_of_line(mutation), *_faults_of_tests(mutation))]
    return found


def _faults_of_line(mutation: Mutation) -> Iterator[str]:
    path = ROOT / mutation.file
    if not path.is_file():
        yield f"there is no {mutation.file}"
        return
    text = path.read_text(encoding="utf-8")
    places = _places(text, mutation.before)
    if len(places) != 1:
        yield f"{mutation.file} has the line {mutation.before!r} {len(places)} times"
    elif mutation.before == mutation.after:
        yield "the line stays as it is"
    else:
        try:
            compile(mutated(text, mutation), mutation.file, "exec")
        except SyntaxError as error:
            yield f"{mutation.after!r} is no Python there: {error.msg}"


def _faults_of_tests(mutation: Mutation) -> Iterator[str]:
    if not mutation.tests:
        yield "no test is to see it"
    for test in mutation.tests:
        file, _, name = test.partition("::")
        path = ROOT / file
        if "golden" in test:
            yield "`make golden` would bless it, so golden files do not count"
        elif not path.is_file():
            yield f"there is no {file}"
        elif name and not re.search(rf"^def {re.escape(name)}\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield f"{file} has no {name}"


def _places(text: str, line: str) -> list[int]:
    return [number for number, each in enumerate(text.splitlines()) if each.strip() == line]
