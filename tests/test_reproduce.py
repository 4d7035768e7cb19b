"""`make reproduce`: scenarios with an expected result are run, and every cycle that differs is told."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def reproduce() -> ModuleType:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("reproduce", ROOT / ".ci" / "reproduce.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["reproduce"] = module  # its dataclasses look there
    spec.loader.exec_module(module)
    return module


def _script(folder: Path, text: str, expected: dict[str, int]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "fake.py"
    path.write_text(text, "utf-8")
    path.with_name("fake.expected.json").write_text(json.dumps({"seconds": 3, "cycles": expected}), "utf-8")
    return path


def _printing(document: object) -> str:
    return f"import sys\nassert '--json' in sys.argv\nprint({json.dumps(document)!r})\n"


_STUDY = {"study": "fake", "runs": {"a": {"makespan_cycles": 5}, "b": {"makespan_cycles": 7000}}}


def test_equal_cycles_are_the_same(tmp_path: Path, reproduce: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """A study whose runs take the expected cycles ends with 0, whatever the time it took."""
    path = _script(tmp_path, _printing(_STUDY), {"a": 5, "b": 7000})
    assert _main(reproduce, [path]) == 0
    assert "fake  same        2 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        ({"a": 5, "b": 7001}, "b: expected 7,001 cycles, found 7,000 cycles"),
        ({"a": 5}, "b: expected none, found 7,000 cycles"),
        ({"a": 5, "b": 7000, "c": 1}, "c: expected 1 cycles, found none"),
    ],
)
def test_a_difference_is_told(
    expected: dict[str, int], line: str, tmp_path: Path, reproduce: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """One cycle more, a new run and a missing one end with 1, and are named."""
    path = _script(tmp_path, _printing(_STUDY), expected)
    assert _main(reproduce, [path]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("fake  differs")
    assert shown[1].strip() == line
    assert len(shown) == 3  # nothing else differs; the last line is the time


def test_documents_of_all_kinds_have_cycles(reproduce: ModuleType) -> None:
    """Those of one run stand under its name, those of comparisons under workload, weights and machine."""
    assert reproduce.cycles_of({"scenario": "one", "makespan_cycles": 3}) == {"one": 3}
    part = {"weights": "per channel", "machines": {"simd": {"cycles": 4}, "sibia": {"cycles": 2}}}
    found = reproduce.cycles_of([{"workload": "bert", "parts": [part]}])
    assert found == {"bert, per channel, simd": 4, "bert, per channel, sibia": 2}


def test_energies_are_compared_where_they_are_expected(
    tmp_path: Path, reproduce: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ratio that differs in one case is told, as cycles are; without expected ones nothing is compared."""
    ratio = {"low": 0.912344, "nominal": 1.0, "high": 1.25}
    part = {"weights": "per channel", "machines": {"panacea": {"cycles": 4}}}
    part["against"] = {"sibia": {"energy": {"default": ratio, "bitfusion": None}}}
    path = _script(tmp_path / "versus", _printing([{"workload": "net", "parts": [part]}]), {})
    assert _main(reproduce, ["--write", path]) == 0
    expected = json.loads(reproduce.expected_file(path).read_text("utf-8"))
    assert expected["energy"] == {"net, per channel, by sibia, table default": [0.9123, 1.0, 1.25]}
    assert _main(reproduce, [path]) == 0
    expected["energy"]["net, per channel, by sibia, table default"][2] = 1.2501
    reproduce.expected_file(path).write_text(json.dumps(expected), "utf-8")
    capsys.readouterr()
    assert _main(reproduce, [path]) == 1
    line = "net, per channel, by sibia, table default: expected 0.9123, 1.0, 1.2501, found 0.9123, 1.0, 1.25"
    assert line in capsys.readouterr().out


def test_a_script_without_its_models_is_skipped(
    tmp_path: Path, reproduce: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its message is the reason, and the whole command does not fail."""
    words = "error: scenario fake: found no file models/x; accepted: a model. Run `make models` first"
    path = _script(tmp_path, f"import sys\nprint({words!r}, file=sys.stderr)\nsys.exit(2)\n", {"a": 1})
    assert _main(reproduce, [path]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("fake  skipped")
    assert shown[1].strip() == words


def test_a_script_that_fails_is_no_success(
    tmp_path: Path, reproduce: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Any other end is a failure, with the last words of the script."""
    path = _script(tmp_path, "import sys\nprint('error: full', file=sys.stderr)\nsys.exit(2)\n", {"a": 1})
    assert _main(reproduce, [path]) == 1
    assert capsys.readouterr().out.splitlines()[1].strip() == "error: full"


def test_what_is_written_is_reproduced(tmp_path: Path, reproduce: ModuleType) -> None:
    """--write leaves what the next comparison finds the same."""
    path = _script(tmp_path / "versus", _printing([]), {"gone": 1})
    assert _main(reproduce, [path]) == 1
    assert _main(reproduce, ["--write", path]) == 0
    assert _main(reproduce, [path]) == 0


def test_a_script_without_an_expected_result_is_skipped(
    tmp_path: Path, reproduce: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named with the reason and not run; with --write it gets one."""
    path = _script(tmp_path, _printing(_STUDY), {})
    reproduce.expected_file(path).unlink()
    assert _main(reproduce, [path]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("fake  skipped")
    assert shown[1].strip() == reproduce.NOTHING_EXPECTED
    assert _main(reproduce, ["--write", path]) == 0
    assert _main(reproduce, [path]) == 0


def test_every_scenario_is_reproduced_or_named(reproduce: ModuleType) -> None:
    """All scripts are in the list; only those of real models have no expected result yet."""
    scripts = reproduce.all_scripts(ROOT / "scenarios")
    assert {"quickstart", "opt_2_7b_prefill", "zoo", "minilm"} <= {script.stem for script in scripts}
    unexpected = [script for script in scripts if not reproduce.expected_file(script).is_file()]
    assert [script.stem for script in unexpected if script.parent.name != "real"] == []
    assert set(reproduce.expected_scripts(ROOT / "scenarios")) <= set(scripts)


def test_every_expected_result_is_of_a_scenario(reproduce: ModuleType) -> None:
    """Each file in scenarios/ lies beside its script, and has cycles and the time that they took."""
    scripts = reproduce.expected_scripts(ROOT / "scenarios")
    assert scripts
    for script in scripts:
        assert script.is_file(), script
        expected = json.loads(reproduce.expected_file(script).read_text("utf-8"))
        assert set(expected) - {"energy"} == {"seconds", "cycles"}
        assert expected["seconds"] > 0
        assert expected["cycles"]
        assert all(isinstance(cycles, int) and cycles > 0 for cycles in expected["cycles"].values())


def _main(reproduce: ModuleType, arguments: list[object]) -> int:
    """Run the script with these arguments."""
    before = sys.argv
    sys.argv = ["reproduce.py", *map(str, arguments)]
    try:
        code: int = reproduce.main()
    finally:
        sys.argv = before
    return code
