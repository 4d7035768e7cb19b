"""The notebook of the documentation runs as it stands, and is kept without what it gave."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

with warnings.catch_warnings():  # those of its own imports are not ours
    warnings.simplefilter("ignore")
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")

_FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
_NOTEBOOK = _FOLDER / "first-look.ipynb"


def _shown(cell: Any) -> dict[str, str]:  # noqa: ANN401  # a cell of nbformat
    """Return what a cell shows, by the kind of what it is."""
    found: dict[str, str] = {}
    for output in cell.outputs:
        assert output.output_type == "execute_result", output
        found |= output.data
    return found


def test_it_is_kept_without_outputs() -> None:
    """What the cells gave is not in the repository, where it would age."""
    cells = nbformat.read(_NOTEBOOK, as_version=4).cells
    assert len(cells) > 10
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_it_runs(tmp_path: Path) -> None:
    """Every cell runs, prints nothing, and shows what it should: HTML, a picture, a page; nothing is written."""
    notebook = nbformat.read(_NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    codes = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [_shown(cell) for cell in codes]
    assert all("text/plain" in each for each in shown)
    run, states, picture, timeline = shown[:4]
    assert "<b>minilm_l3_ffn1_dbs</b> on panacea: 76,215 cycles" in run["text/html"]
    assert "First remedies: " in run["text/html"] or "What a change gains was not measured" in run["text/html"]
    assert "<th>w_dma</th>" in states["text/html"]
    assert picture["image/png"]
    assert timeline["text/html"].startswith("<iframe srcdoc=")
    comparison = next(each for cell, each in zip(codes, shown, strict=True) if "compare([run, split])" in cell.source)
    assert "<td>-24,402</td>" in comparison["text/html"]
    assert not list(tmp_path.iterdir())
