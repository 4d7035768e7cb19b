"""Objectives: the figures by which points are compared, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

__all__ = ["OBJECTIVES", "Objective", "ObjectiveName"]

ObjectiveName: TypeAlias = Literal["cycles", "energy_pj", "area_mm2", "edp_js", "accuracy_db"]
"""The makespan, the nominal energy, the area, energy times time, and the SQNR of the outputs."""


@dataclass(frozen=True)
class Objective:
    """A figure of every point; `sign` is 1 where less is better and -1 where more is."""

    name: ObjectiveName
    text: str
    sign: Literal[1, -1] = 1


OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        each.name: each
        for each in (
            Objective("cycles", "cycles"),
            Objective("energy_pj", "energy, pJ"),
            Objective("area_mm2", "area, mm2"),
            Objective("edp_js", "energy x delay, J s"),
            Objective("accuracy_db", "SQNR of the outputs, dB", -1),
        )
    }
)
"""All of them, by name, in the order of the columns."""

assert tuple(OBJECTIVES) == get_args(ObjectiveName)
