"""Names of runs, studies and cases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, Study
from panacea_sim.workload.masked_layer import MaskedLayer

LAYER = MaskedLayer("layer", 8, 8, 8, 0.3, 0.5, seed=1)
BAD = {
    "an empty name": "",
    "101 characters": "x" * 101,
    "a slash in 'a/b'": "a/b",
    "a slash in './a'": "./a",
    "a backslash in": "a\\b",
    "a NUL character in": "a\0b",
    "'..'": "..",
    "'.hidden'": ".hidden",
    "'run.partial'": "run.partial",
    "'a\\udc80'": "a\udc80",
    "None": None,
    "7": 7,
    "PosixPath('a')": Path("a"),
}


@pytest.mark.parametrize("found", BAD)
def test_names_that_are_no_folder_names_are_refused(found: str) -> None:
    """Runs and studies say what is wrong with their name."""
    name: Any = BAD[found]
    accepted = "; accepted: text of 1 to 100 characters without /, "
    with pytest.raises(ConfigError, match=re.escape(f"scenario.name: found {found}") + f".*{accepted}"):
        Scenario(name, LAYER)
    with pytest.raises(ConfigError, match=re.escape(f"study.name: found {found}") + f".*{accepted}"):
        Study(name, (Scenario("one", LAYER),))


@pytest.mark.parametrize("name", ["a", "x" * 100, "8_dwo_4_swo", "two words", "größer", "a.b", "-", "v1.0 (new)"])
def test_other_names_are_taken(name: str) -> None:
    """Spaces, dots inside and letters of all languages are fine."""
    assert Study(name, (Scenario(name, LAYER),)).name == name


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (("a", "a"), "'a' beside 'a'"),
        (("a", "b", "A"), "'A' beside 'a'"),
        (("\u00e9", "e\u0301"), "beside"),
        (("summary.json",), "'summary.json' beside the study's file summary.json"),
        (("Results.CSV",), "'Results.CSV' beside the study's file results.csv"),
    ],
)
def test_cases_have_folders_of_their_own(names: tuple[str, ...], found: str) -> None:
    """Names that some file system takes for one are refused, as are those of the study's own files."""
    with pytest.raises(ConfigError, match=rf"study\.both\.scenarios: found .*{re.escape(found)}.*; accepted: a name"):
        Study("both", tuple(Scenario(name, LAYER) for name in names))


@pytest.mark.parametrize(
    ("field", "value", "accepted"), [("values", 1, "auto or travel or check or off"), ("description", None, "text")]
)
def test_other_fields_of_a_scenario_are_checked(field: str, value: object, accepted: str) -> None:
    """What scenario.yaml could not hold is refused when the scenario is made."""
    changes: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError, match=f"scenario.{field}: found {value}; accepted: {accepted}"):
        Scenario("one", LAYER, **changes)


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_layer_names_are_no_paths(schedule: Any, tmp_path: Path) -> None:  # noqa: ANN401  # a literal
    """A layer may have any name; nothing is written where it would lead as a path."""
    layers = tuple(
        MaskedLayer(name, 8, 8, 8, 0.3, 0.5, seed=1) for name in ("/backbone/x/Conv", "../up", "a\0b", "CON")
    )
    run(
        Scenario("names", layers, values=False, schedule=schedule),
        RunOptions(tmp_path / "in" / "out", engine="reference"),
    )
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    assert all(path.is_file() for path in (tmp_path / "in" / "out").iterdir())
