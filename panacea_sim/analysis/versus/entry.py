"""A comparison of machines as JSON, and as rows of a table; docs/versus.md describes every key."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from panacea_sim.analysis.versus.contender import TABLES, Contender, Part, Versus
from panacea_sim.analysis.versus.verdicts import energy_ratios, energy_verdict, headlines
from panacea_sim.description.costs import MULTIPLY_4B, MULTIPLY_8B
from panacea_sim.energy.energy import CATEGORIES
from panacea_sim.energy.ranges import Range

__all__ = ["versus_entry", "versus_rows", "write_versus_rows"]

_PRODUCTS = {MULTIPLY_4B: "4b x 4b products", MULTIPLY_8B: "8b x 8b MACs"}


def versus_entry(found: Versus) -> dict[str, Any]:
    """Return all that is known; figures that there are not are null."""
    parts = [_part(found, part) for part in found.parts]
    return {
        "workload": found.workload,
        "terms": found.terms,
        "normalise": found.normalise,
        "baseline": found.baseline,
        "tables": list(TABLES),
        "accuracy_against": found.accuracy_against,
        "accuracy_unknown": found.no_accuracy,
        "notes": list(found.notes),
        "headlines": headlines(found),
        "steps": list(found.steps) or None,
        "machines": parts[0]["machines"],
        "parts": parts,
    }


def versus_rows(found: Versus) -> list[dict[str, Any]]:
    """Return a row for each machine of each part, nested figures in columns of their own: `energy_pj.nominal`."""
    return [
        {"weights": part.weights, "machine": each.name} | _flat(_machine(part, each, found.baseline))
        for part in found.parts
        for each in part.contenders
    ]


def write_versus_rows(path: Path, found: Versus) -> None:
    """Write a row for each machine of each part as CSV with a header."""
    rows = [{column: _csv_value(value) for column, value in row.items()} for row in versus_rows(found)]
    columns = dict.fromkeys(column for row in rows for column in row)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _csv_value(value: object) -> object:
    """Return truth in small letters, as JSON has it; nothing is written for None."""
    return str(value).lower() if isinstance(value, bool) else value


def _part(found: Versus, part: Part) -> dict[str, Any]:
    return {
        "weights": part.weights,
        "profile": part.profile,
        "machines": {each.name: _machine(part, each, found.baseline) for each in part.contenders},
        "against": None if found.champion is None else _against(part, found.champion),
    }


def _against(part: Part, champion: str) -> dict[str, Any]:
    """Return the champion against each other machine that ran: cycles and energy of it by those of the other one."""
    own = part.named(champion)
    return {
        each.name: {
            "cycles": own.cycles / each.cycles,
            "energy": {
                table: None if ratio is None else asdict(ratio) for table, ratio in energy_ratios(own, each).items()
            },
            "energy_verdict": energy_verdict(own, each),
        }
        for each in part.runs
        if each is not own
    }


def _machine(part: Part, each: Contender, baseline: str) -> dict[str, Any]:
    work = each.work
    return {
        "said": each.said,
        "bound": each.is_bound,
        "cycles": each.cycles,
        "speed_up": part.named(baseline).cycles / each.cycles,
        "speed_up_over_dense": each.speedup_over_dense,
        "work": sum(work.values()) if work else None,
        "work_unit": " and ".join(_PRODUCTS[name] for name in work) or None,
        "compute_cycles": each.compute_cycles,
        "weight_bytes": each.layer_sum("weight_bytes"),
        "activation_bytes": each.layer_sum("activation_bytes"),
        "output_bytes": each.layer_sum("output_bytes"),
        "dram_bytes": each.dram_bytes,
        **_energy(each),
        **_area(each),
        "exact": each.exact,
        **_accuracy(each),
    }


def _accuracy(each: Contender) -> dict[str, Any]:
    """Return what is left of the outputs, and by which metric; null and a word where nothing is lost."""
    known = each.accuracy
    if known is None:
        return {"accuracy": None, "accuracy_metric": None, "accuracy_said": None, "accuracy_figures": None}
    return {
        "accuracy": known.value,
        "accuracy_metric": known.metric,
        "accuracy_said": known.text,
        "accuracy_figures": {name: dict(figures) for name, figures in known.figures.items()} or None,
    }


def _energy(each: Contender) -> dict[str, Any]:
    first = each.energies.get(TABLES[0])
    run = None if first is None else first.run
    return {
        "energy_pj": _cases(None if run is None else run.total),
        "energy_categories_pj": None if run is None else {name: _cases(run.of_category(name)) for name in CATEGORIES},
        "energy_by_table_pj": {table: _cases(energy.run.total) for table, energy in each.energies.items()} or None,
        "pj_per_mac": _cases(None if run is None else run.pj_per_mac),
        "tops_per_watt": _cases(None if run is None else run.tops_per_watt),
    }


def _area(each: Contender) -> dict[str, Any]:
    area, first = each.area, each.energies.get(TABLES[0])
    total = None if area is None else area.total
    density = None if area is None or first is None else area.tops_per_mm2(first.run.macs, first.seconds)
    return {
        "area_mm2": None if total is None else float(total.nominal),
        "area_cases_mm2": _cases(total),
        "compute_area_mm2": None if area is None else float(area.compute.nominal),
        "tops_per_mm2": _cases(density),
    }


def _cases(cases: Range | None) -> dict[str, float] | None:
    return None if cases is None else cases.to_json()


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested values in columns of their own, joined by dots."""
    row: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            row |= _flat(value, f"{before}{key}.")
        else:
            row[f"{before}{key}"] = value
    return row
