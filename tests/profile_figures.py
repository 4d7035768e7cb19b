"""The figures of a density profile as its file has them."""

from __future__ import annotations

from pathlib import Path

import yaml

import panacea_sim

_FOLDER = Path(panacea_sim.__file__).parent / "workload/networks/data/profiles"


def densities(kind: str, quantization: str = "aqs", profile: str = "measured") -> tuple[float, float]:
    """Return rho_w and rho_x of a kind of layer."""
    found = yaml.safe_load((_FOLDER / f"{profile}.yaml").read_text(encoding="utf-8"))["kinds"][kind][quantization]
    return found["rho_w"], found["rho_x"]
