"""The list of mutations follows the sources: `make mutants` is not part of the ordinary check, this is."""

from __future__ import annotations

import re

import pytest
from listing import LISTED, problems
from mutations import MUTATIONS, Mutation

_FILE = "panacea_sim/units.py"
_TESTS = ("tests/test_unit_conversions.py",)


def test_every_mutation_matches_one_line() -> None:
    """Each has a name of its own, changes just one line of its file into other Python, and names tests that exist."""
    assert len(LISTED) > len(MUTATIONS) > 100
    assert problems(LISTED) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"file": "panacea_sim/gone.py"}, "there is no panacea_sim/gone.py"),
        ({"before": "no such line"}, f"{_FILE} has the line 'no such line' 0 times"),
        ({"before": ""}, f"{_FILE} has the line '' [2-9]. times"),
        ({"after": "from __future__ import annotations"}, "the line stays as it is"),
        ({"after": "from ("}, "'from \\(' is no Python there"),
        ({"tests": ()}, "no test is to see it"),
        ({"tests": ("tests/gone.py",)}, "there is no tests/gone.py"),
        ({"tests": (f"{_TESTS[0]}::test_gone",)}, f"{_TESTS[0]} has no test_gone"),
        ({"tests": ("tests/golden/test_golden.py",)}, "golden files do not count"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_told(changes: dict[str, object], told: str) -> None:
    """Each fault of an entry is named with the mutation."""
    sound = Mutation("planted", _FILE, "from __future__ import annotations", "pass", _TESTS)
    assert problems([sound]) == []
    (found,) = problems([sound._replace(**changes)])  # type: ignore[arg-type]  # fields of a Mutation
    assert found.startswith("planted: ")
    assert re.search(told, found)


def test_names_are_not_used_twice() -> None:
    """Mutations are chosen by name."""
    sound = Mutation("planted", _FILE, "from __future__ import annotations", "pass", _TESTS)
    assert problems([sound, sound]) == ["planted: the name occurs more than once"]
