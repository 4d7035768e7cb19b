"""The real layers of the project: those of the package and those of the scenarios, with what is expected of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from panacea_sim.workload.samples import is_sample, layer_path

_FOLDER = Path(__file__).parents[1] / "scenarios" / "data"
EXPECTED: dict[str, Any] = json.loads((_FOLDER / "expected.json").read_text(encoding="utf-8"))


def real_layer(name: str) -> Path:
    """Return the file of a layer."""
    return layer_path(name) if is_sample(name) else _FOLDER / f"{name}.npz"
