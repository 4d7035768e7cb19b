"""results.csv: the figures of every run of a study."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from naive_energy import naive_pj

from panacea_sim.analysis.study_results import study_rows, write_study_rows
from panacea_sim.commands.main import main
from panacea_sim.trace.summary import Summary

_STUDY = """
from panacea_sim import MaskedLayer, Scenario, Study, synthetic_layer

MASKED = tuple(MaskedLayer(f"l{n}", 64, 64, 32, rho_w=0.5, rho_x=0.5, seed=n) for n in range(3))
LAYER = synthetic_layer(70, 40, 20, 0.3, 0.6, seed=3)
scenario = Study("mixed", (
    Scenario("with, a comma", LAYER, settings={"n_pea": 2}),
    Scenario("masked", MASKED, settings={"loop_order": "nkm", "dtp": "on"}, values=False, schedule="barrier"),
    Scenario("ideal", LAYER, settings={"dram": "ideal", "dram_channels": 1}, values=False),
))
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a study of different runs."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "study.py").write_text(_STUDY)
    assert main(["run", str(folder / "study.py"), "--out", str(folder / "out"), "--trace", "off", "--json"]) == 0
    return folder / "out"


def _expected(case: str, summary: dict[str, Any]) -> dict[str, str]:
    """Return a row as it is written, from the document of the run."""
    layers, dram = summary["layers"], summary["dram"]
    computing = [part["name"] for part in summary["topology"]["components"] if part["role"] == "compute"]
    figures = {
        "case": case,
        **{key: summary[key] for key in ("hardware", "engine", "schedule", "clock_hz", "makespan_cycles", "seconds")},
        "exact": {None: "", True: "true", False: "false"}[summary["exact"]],
        "tiles": summary["tiles"],
        "layers": len(layers),
        "loop_orders": " ".join(dict.fromkeys(layer["loop_order"] for layer in layers)),
        "double_tile_layers": len([layer for layer in layers if layer["double_tile"]]),
        **{
            key: sum(layer[key] for layer in layers)
            for key in ("weight_bytes", "activation_bytes", "output_bytes", "spilled_bytes")
        },
        "compute_components": len(computing),
        **{
            f"compute_{state}_cycles": sum(summary["components"][name][state] for name in computing)
            for state in ("busy", "starved", "blocked", "contended", "waiting", "idle")
        },
        **summary["operators"],
        "dram_channels": len(dram["channels"]),
        **{f"dram_{key}": value for key, value in dram.items() if key != "channels"},
    }
    return {key: str(value) for key, value in figures.items()} | _energy(summary)


def _energy(summary: dict[str, Any]) -> dict[str, str]:
    """Return the energy of a run and of each of its MACs, nothing on the ideal memory."""
    if summary["inventory"]["dram"] == "ideal":
        return {"energy_pj": "", "pj_per_mac": ""}
    pj = sum(naive_pj(summary, "nominal", "lop", events=False).values())
    macs = sum(layer["M"] * layer["K"] * layer["N"] * layer["repeat"] for layer in summary["layers"])
    return {"energy_pj": str(float(pj)), "pj_per_mac": str(float(pj / macs))}


def test_the_file_has_the_figures_of_the_summaries(study: Path) -> None:
    """Each run has a row whose figures are those of its summary.json, in the order of the study."""
    with (study / "results.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    runs = json.loads((study / "summary.json").read_text())["runs"]
    assert rows == [_expected(case, summary) for case, summary in runs.items()]
    assert [row["case"] for row in rows] == ["with, a comma", "masked", "ideal"]
    assert [row["exact"] for row in rows] == ["true", "", ""]
    assert (rows[1]["layers"], rows[1]["loop_orders"], rows[1]["double_tile_layers"]) == ("3", "nkm", "3")


def test_what_a_run_does_not_have_is_empty(study: Path, tmp_path: Path) -> None:
    """Operators of another machine have no figure: their columns are there, and empty."""
    document = json.loads((study / "ideal" / "summary.json").read_text())
    one = Summary.model_validate(document)
    other = Summary.model_validate(document | {"operators": {"mac_busy": 3, "mac_capacity": 9}})
    rows = study_rows({"one": one, "other": other})
    assert list(rows[0]) == list(rows[1])
    assert (rows[0]["mac_busy"], rows[1]["mac_busy"], rows[1]["dwo_busy"]) == (None, 3, None)
    write_study_rows(tmp_path / "results.csv", {"one": one, "other": other})
    with (tmp_path / "results.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert (written[0]["mac_busy"], written[1]["mac_busy"], written[1]["dwo_busy"]) == ("", "3", "")


def test_the_columns_are_documented(study: Path) -> None:
    """docs/files.md names every column."""
    page = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    with (study / "results.csv").open(newline="", encoding="utf-8") as file:
        columns = next(csv.reader(file))
    assert [column for column in columns if f"`{column}`" not in page] == []
