"""Density profiles: how much of a layer of some kind is skipped, each figure with its standing and source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel, ConfigDict, ValidationError

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.validation import config_error
from panacea_sim.hardware.yaml_file import read_mapping

__all__ = ["DEFAULT_PROFILE", "Density", "DensityProfile", "Quantization", "density_profile", "list_profiles"]

DEFAULT_PROFILE = "measured"
_FOLDER = Path(__file__).parent / "data" / "profiles"
_REMEDY = "Correct the profile"

Quantization = Literal["aqs", "sbr7"]
"""How a machine quantizes: `aqs` asymmetric 8-bit activations, `sbr7` symmetric ones of 7 bits; weights have 7 bits."""

_Share: TypeAlias = Annotated[float, Ge(0), Le(1)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Density(_Entry):
    """The share of skipped vectors in each HO slice of the weight and in that of the activation, with its source."""

    rho_w: _Share
    rho_x: _Share
    standing: Literal["S", "2", "D", "A"]
    source: Annotated[str, MinLen(1)]


class DensityProfile(_Entry):
    """Densities by the kind of a layer and by quantization; `other` is for kinds that it does not know."""

    name: str
    about: str
    kinds: dict[str, dict[Quantization, Density]]
    other: dict[Quantization, Density]

    def density(self, kind: str, quantization: Quantization) -> Density:
        """Return the densities of a kind of layer; raises ConfigError if none are known for the quantization."""
        known: Mapping[Quantization, Density] = self.kinds.get(kind, self.other)
        if quantization not in known:
            raise ConfigError(f"profile {self.name!r}", f"no densities for {quantization!r}", ", ".join(known))
        return known[quantization]


def list_profiles() -> list[str]:
    """Return the names of the profiles that there are, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.yaml"))


def density_profile(name_or_path: str) -> DensityProfile:
    """Return a profile by its name, or that of a YAML file; raises ConfigError naming `profile` or the file."""
    if Path(name_or_path).suffix in {".yaml", ".yml"}:
        return _read(Path(name_or_path))
    names = list_profiles()
    if name_or_path not in names:
        accepted = f"a profile ({', '.join(names)}) or the path of a YAML file"
        raise ConfigError("profile", repr(name_or_path), accepted, nearest_name(name_or_path, names))
    return _named(name_or_path)


@cache
def _named(name: str) -> DensityProfile:
    return _read(_FOLDER / f"{name}.yaml")


def _read(path: Path) -> DensityProfile:
    values: dict[str, Any] = {"name": path.stem, **read_mapping(path)}
    try:
        return DensityProfile.model_validate(values)
    except ValidationError as error:
        raise config_error(f"{path}:", DensityProfile, error, _REMEDY) from error
