"""A calibrated model for people, as JSON and as a table of its layers."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from panacea_sim.calibration import profile as density_profiles
from panacea_sim.calibration.calibrated import LayerRecord
from panacea_sim.calibration.skipping import Work
from panacea_sim.report.calibration import calibrated_row, print_calibrated, searched_row, sqnr_text, work_row
from panacea_sim.report.tables import Column, print_table

if TYPE_CHECKING:
    from panacea_sim.onnx_models.calibrated_model import CalibratedModel

__all__ = ["model_content", "print_model", "write_profile", "write_table"]

_COLUMNS = (Column("output", "name"), Column("SQNR"), Column("mean cosine"))


def model_content(found: CalibratedModel) -> dict[str, Any]:
    """Return what --json prints (docs/files.md)."""
    return {
        "model": found.model.network.graph["name"],
        "layers": [
            {**calibrated_row(record), "kind": found.model.layers[name].gemm.kind}
            for name, record in found.records.items()
        ],
        "means": _means(found.records),
        "work": work_row(_work(found.records)),
        "outputs": [
            {"name": name, "sqnr_db": output.error.sqnr_db, "mean_cosine": output.mean_cosine}
            for name, output in found.outputs.items()
        ],
        "left_real": list(found.left_real),
        "integers": list(found.integers),
        **({"searches": [searched_row(each) for each in found.searches]} if found.searches else {}),
    }


def write_table(found: CalibratedModel, path: Path) -> None:
    """Write a row for each layer as CSV, with the names of the JSON; what has several values has a space between."""
    rows = [_flat(calibrated_row(record)) for record in found.records.values()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def write_profile(found: CalibratedModel, path: Path) -> None:
    """Write the mean densities of each kind of layer as a profile, which `--profile` takes for other networks."""
    kinds = [(found.model.layers[name].gemm.kind, record) for name, record in found.records.items()]
    density_profiles.write_profile(density_profiles.profile_of(found.model.network.graph["name"], kinds), path)


def print_model(console: Console, found: CalibratedModel) -> None:
    """Print the layers, their means, and the error of the outputs."""
    print_calibrated(console, list(found.records.values()))
    means = _means(found.records)
    shares = ", ".join(f"{name} {share:.3f}" for name, share in means.items() if share is not None)
    console.print(f"Means over {len(found.records)} layers: {shares}", highlight=False)
    console.print(f"Work skipped of the whole model: {_work(found.records).skipped_share:.1%}", highlight=False)
    rows = [
        [name, sqnr_text(output.error.sqnr_db), "-" if output.mean_cosine is None else f"{output.mean_cosine:.4f}"]
        for name, output in found.outputs.items()
    ]
    if rows:
        print_table(console, _COLUMNS, rows, title="Outputs of the model with quantized products, against float")
    for names, what in (
        (found.left_real, "are calibrated, but real in the model of these outputs: steps of recurrent layers"),
        (found.integers, "are integers already and stay as they are"),
    ):
        if names:
            console.print(f"{len(names)} layers {what}", highlight=False)


def _means(records: Mapping[str, LayerRecord]) -> dict[str, float | None]:
    """Return the means of shares over layers, those of weights that the file holds and of activations."""
    figures = [record.figures for record in records.values()]
    columns: dict[str, list[float | None]] = {
        "rho_w": [_mean(list(record.figures.rho_w)) for record in records.values() if not record.scales.is_dynamic],
        "zero": [each.steps.zero for each in figures],
        "frequent": [each.steps.frequent for each in figures],
        "zpm": [each.steps.zpm for each in figures],
        "dbs": [each.steps.dbs for each in figures],
        "symmetric": [each.steps.symmetric for each in figures],
        "rho_x": [each.rho_x for each in figures],
    }
    return {name: _mean(shares) for name, shares in columns.items()}


def _mean(shares: list[float | None]) -> float | None:
    known = [share for share in shares if share is not None]
    return fsum(known) / len(known) if known else None


def _work(records: Mapping[str, LayerRecord]) -> Work:
    return sum((record.figures.work for record in records.values()), Work())


def _flat(row: dict[str, Any]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": each for name, each in value.items()}
        else:
            flat[key] = " ".join(map(str, value)) if isinstance(value, list) else value
    return flat
