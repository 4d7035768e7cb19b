"""Density profiles of calibrated layers: the shares that each kind of layer skips, for networks without operands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import fsum
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.hardware.yaml_file import write_mapping
from panacea_sim.workload.networks.profile import Density, DensityProfile, Quantization

if TYPE_CHECKING:
    from panacea_sim.calibration.calibrated import LayerRecord

__all__ = ["profile_of", "write_profile"]

_DIGITS = 4


def profile_of(name: str, layers: Iterable[tuple[str, LayerRecord]]) -> DensityProfile:
    """Return the mean shares over the layers of each kind, and over all layers for the kinds that there are not.

    `aqs` has them as the layers were calibrated, `sbr7` with 7-bit symmetric activations. A layer without slices to
    skip counts as 0.
    """
    by_kind: dict[str, list[LayerRecord]] = {}
    for kind, record in layers:
        by_kind.setdefault(kind, []).append(record)
    everything = [record for records in by_kind.values() for record in records]
    words = ", ".join(f"{option} {word}" for option, word in everything[0].scales.policy.options().items())
    return DensityProfile(
        name=name,
        about=f"means over the layers of {name}, on held-out samples ({words})",
        kinds={kind: _densities(records, f"mean over {len(records)} of {name}") for kind, records in by_kind.items()},
        other={
            quantization: density.model_copy(update={"standing": "A", "source": f"not measured: {density.source}"})
            for quantization, density in _densities(everything, f"as the mean over all layers of {name}").items()
        },
    )


def write_profile(profile: DensityProfile, path: Path) -> None:
    """Write a profile as a file that networks take; its name there is that of the file."""
    with path.open("w", encoding="utf-8") as file:
        write_mapping(profile.model_dump(exclude={"name"}), file)


def _densities(records: Sequence[LayerRecord], source: str) -> dict[Quantization, Density]:
    figures = [record.figures for record in records]
    rho_w = _mean([fsum(share or 0 for share in each.rho_w) / max(1, len(each.rho_w)) for each in figures])
    shares: dict[Quantization, float] = {
        "aqs": _mean([each.rho_x or 0 for each in figures]),
        "sbr7": _mean([each.steps.symmetric or 0 for each in figures]),
    }
    return {
        quantization: Density(rho_w=rho_w, rho_x=rho_x, standing="D", source=source)
        for quantization, rho_x in shares.items()
    }


def _mean(shares: Sequence[float]) -> float:
    return round(fsum(shares) / len(shares), _DIGITS)
