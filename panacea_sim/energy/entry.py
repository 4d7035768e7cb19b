"""The energy of a run and the area of its machine as JSON; docs/energy.md describes every key."""

from __future__ import annotations

from typing import Any

from panacea_sim.energy.area import Area
from panacea_sim.energy.energy import CATEGORIES, Energy, RunEnergy
from panacea_sim.energy.ranges import Range
from panacea_sim.energy.table import ANY_DEVICE, EnergyTable

__all__ = ["energy_entry"]


def energy_entry(found: RunEnergy, area: Area) -> dict[str, Any]:
    """Return all that is known; figures without a source are null, and `unknown` says why."""
    prices = found.prices
    return {
        "run": found.run.name,
        "table": _table(prices.table),
        "dram": prices.dram,
        "device": prices.device,
        "sram_cells": {"low": prices.cells.low, "nominal": prices.cells.nominal, "high": prices.cells.high},
        "cycles": found.run.cycles,
        "seconds": float(found.seconds),
        **_sums(found.run),
        "energy_delay_js": _cases(found.energy_delay),
        "components": {name: {"total_pj": _cases(found.run.of_component(name))} for name in found.run.components},
        "charges": [
            {
                "component": each.component,
                "category": each.category,
                "what": each.what,
                "count": each.count,
                "pj_each": _cases(each.price.pj),
                "pj": _cases(each.pj),
            }
            for each in found.run.charges
        ],
        "padding_bytes": found.padding_bytes,
        "layers": None
        if found.layers is None
        else [{"name": each.name, "cycles": each.cycles, **_sums(each)} for each in found.layers],
        "unknown": [f"{each.component} {each.what}: {each.price.reason}" for each in found.run.unknown],
        "left_out": list(found.left_out),
        "area": _area(area, found),
    }


def _sums(energy: Energy) -> dict[str, Any]:
    return {
        "macs": energy.macs,
        "total_pj": _cases(energy.total),
        "known_pj": energy.known.to_json(),
        "pj_per_mac": _cases(energy.pj_per_mac),
        "tops_per_watt": _cases(energy.tops_per_watt),
        "categories": {category: _cases(energy.of_category(category)) for category in CATEGORIES},
    }


def _area(area: Area, found: RunEnergy) -> dict[str, Any]:
    return {
        "total_mm2": _cases(area.total),
        "known_mm2": area.known.to_json(),
        "compute_mm2": area.compute.to_json(),
        "with_unsourced_mm2": _cases(area.with_unsourced),
        "tops_per_mm2": _cases(area.tops_per_mm2(found.run.macs, found.seconds)),
        "parts": [
            {"component": each.component, "what": each.what, "count": each.count, "mm2": _cases(each.mm2)}
            for each in area.parts
        ],
        "unknown": [each.reason for each in area.unknown],
    }


def _table(table: EnergyTable) -> dict[str, Any]:
    figures = {name: figure.model_dump() for name, figure in table.operations.items()}
    return {"name": table.name, "node": table.node, "text": table.text, "operations": figures} | {
        "sram": table.sram.model_dump(),
        "dram": {key: figure.model_dump() for key, figure in _dram_figures(table).items()},
        "area": {name: figure.model_dump() for name, figure in table.area.items()},
    }


def _dram_figures(table: EnergyTable) -> dict[str, Any]:
    """Return the DRAM figures that may be taken: one for any device hides the others."""
    return {ANY_DEVICE: table.dram[ANY_DEVICE]} if ANY_DEVICE in table.dram else dict(table.dram)


def _cases(found: Range | None) -> dict[str, float] | None:
    return None if found is None else found.to_json()
