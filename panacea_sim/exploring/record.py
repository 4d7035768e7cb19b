"""What is kept of a point: its figures, its summary, its critical path and its root causes, or why it failed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

__all__ = ["Figure", "Record", "Status"]

Figure: TypeAlias = str | int | float | None
Status: TypeAlias = Literal["ok", "failed"]

_FORM = 1
_ENDLESS = "inf"
_KEPT = ("key", "status", "error", "objectives", "figures", "summary", "critical_path", "root_causes")


@dataclass(frozen=True, eq=False)
class Record:
    """What a point gave, whatever sweep it belongs to: two sweeps with the same content share it.

    `objectives` has a figure for each of objectives.OBJECTIVES, None where nobody knows it; of a failed point it is
    empty, and `error` says why. `figures` are those of a row of results.csv of a study. `summary` is what summary.json
    of its run would hold, without times of the host; `critical_path` and `root_causes` are the rows of the two tables
    of an explanation, without their layer. One that depends on the computer, such as its memory, is not `lasting`: it
    is told and not kept. `key` is empty for settings of which no run can be made.
    """

    key: str
    status: Status
    objectives: Mapping[str, float | None] = field(default_factory=dict)
    error: str | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    summary: Mapping[str, Any] | None = None
    critical_path: list[list[Any]] | None = None
    root_causes: list[list[Any]] | None = None
    lasting: bool = True

    @classmethod
    def failed(cls, key: str, error: Exception | str, *, lasting: bool = True) -> Record:
        """Return the record of a point that failed, with its error in one line."""
        return cls(key, "failed", error=" ".join(str(error).split()), lasting=lasting)

    def to_bytes(self) -> bytes:
        """Return what is kept in a file, and sent by workers: the same for the same content."""
        content = {"form": _FORM} | {name: getattr(self, name) for name in _KEPT}
        content["objectives"] = {name: _written(value) for name, value in self.objectives.items()}
        if not self.lasting:
            content["lasting"] = False
        return (json.dumps(content, separators=(",", ":")) + "\n").encode()

    @classmethod
    def from_bytes(cls, text: bytes) -> Record:
        """Return the record that was kept; raises LookupError, TypeError or ValueError for anything else."""
        content = json.loads(text)
        if content.get("form") != _FORM or content["status"] not in ("ok", "failed"):
            raise ValueError("no record")
        kept = {name: content[name] for name in _KEPT}
        kept["objectives"] = {name: _read(value) for name, value in kept["objectives"].items()}
        return cls(**kept, lasting=content.get("lasting", True))


def _written(value: float | None) -> float | str | None:
    return _ENDLESS if value == math.inf else value  # JSON has no such number


def _read(value: float | str | None) -> float | None:
    return math.inf if value == _ENDLESS else value  # type: ignore[return-value]  # no other text is written
