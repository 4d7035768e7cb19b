"""Sweeps: what is explored, from which start, by which values, and what counts; from YAML, scripts and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from panacea_sim.choices import ValuesChoice
from panacea_sim.errors import ConfigError
from panacea_sim.exploring.axes import Axes, LatinHypercube, Range, Settings, axis_of, grid, latin_hypercube
from panacea_sim.exploring.constraints import parse_constraint
from panacea_sim.exploring.objectives import ObjectiveName
from panacea_sim.hardware.config import Hardware
from panacea_sim.hardware.validation import config_error
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.running.names import RunName
from panacea_sim.running.scenario import Scenario, read_script

__all__ = ["Sweep", "read_sweep"]

_STARTS = ("scenario", "workload", "float_layer")
_FILES = (*_STARTS, "hardware")


class Sweep(BaseModel):
    """A design space: a start, the axes along which it changes, constraints and objectives.

    The start is one of `scenario`, a Scenario or the path of a script or scenario.yaml; `workload`, a model of the zoo
    or a network file; and `float_layer`, a FLOAT.npz file with real operands. `hardware` replaces the machine of the
    start, and `settings` are values that all points have, named as axes are: `hardware.n_dwo`, `workload.tokens`,
    `mapping.schedule`, `quantization.zpm`. `axes` give a grid, or a sample of them with `latin_hypercube`; `points`
    lists the points instead. Raises ConfigError naming `sweep.<field>`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, allow_inf_nan=False
    )

    name: RunName
    description: str = ""
    scenario: Scenario | Path | str | None = None
    workload: str | None = None
    float_layer: Path | str | None = None
    hardware: Hardware | Path | str | None = None
    settings: dict[str, Any] = {}
    axes: dict[str, list[Any] | Range] = {}
    points: list[dict[str, Any]] = Field(default=[])
    latin_hypercube: LatinHypercube | None = None
    constraints: list[str] = []
    objectives: Annotated[list[ObjectiveName], MinLen(1)] = ["cycles", "energy_pj"]
    values: ValuesChoice = "off"

    def __init__(self, **fields: Any) -> None:  # noqa: ANN401  # pydantic checks them
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise config_error("sweep", type(self), error, "Correct the sweep at {path}") from error

    @field_validator("axes", mode="before")
    @classmethod
    def _read_axes(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {str(name): axis_of(str(name), axis) for name, axis in value.items()}

    @field_validator("constraints")
    @classmethod
    def _parsed(cls, value: list[str]) -> list[str]:
        for text in value:
            parse_constraint(text)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Sweep:
        _one_of(self, _STARTS)
        _one_of(self, ("axes", "points"))
        if self.latin_hypercube is not None and self.points:
            raise ConfigError("sweep.latin_hypercube", "a sample of points that are listed", "a sample of axes")
        names = [list(each) for each in self.points]
        for number, each in enumerate(names):
            if not each or sorted(each) != sorted(names[0]):
                accepted = f"a value for each of {', '.join(names[0]) or 'the axes'}"
                raise ConfigError(f"sweep.points[{number}]", each, accepted)
        both = [name for name in self.axis_names if name in self.settings]
        if both:
            raise ConfigError(f"sweep.settings.{both[0]}", "an axis too", "a setting, or an axis")
        return self

    @property
    def axis_names(self) -> tuple[str, ...]:
        """The axes in order."""
        return tuple(self.axes) if self.axes else tuple(self.points[0])

    def settings_of_points(self) -> Iterator[Settings]:
        """Return what each point sets, before constraints; raises ConfigError for a grid without steps or too large."""
        if self.points:
            yield from ({name: each[name] for name in self.axis_names} for each in self.points)
        elif self.latin_hypercube is not None:
            yield from latin_hypercube(cast("Axes", self.axes), self.latin_hypercube)
        else:
            yield from grid(cast("Axes", self.axes))


def read_sweep(path: Path) -> Sweep:
    """Return the sweep of a YAML file or of a script that sets `sweep`; raises ConfigError.

    Files that a YAML file names lie beside it.
    """
    if not path.is_file():
        raise ConfigError("sweep", f"no file {str(path)!r}", "a sweep: .yaml or .py")
    if path.suffix == ".py":
        found = read_script(path, ("sweep",))
        if not isinstance(found, Sweep):
            raise ConfigError(f"{path}: sweep", type(found).__name__, "a Sweep")
        return found
    if path.suffix not in {".yaml", ".yml"}:
        raise ConfigError("sweep", f"{str(path)!r}", "a sweep: .yaml or .py")
    content = read_mapping(path)
    return Sweep(**{"name": path.stem} | content | _beside(path.parent, content))


def _beside(folder: Path, content: Mapping[str, object]) -> dict[str, object]:
    """Return the files that a sweep names, with the folder in which they lie; names of presets and models stay."""
    found: dict[str, object] = {}
    for field in _FILES:
        named = content.get(field)
        if isinstance(named, str) and (folder / named).is_file():
            found[field] = str(folder / named)
    return found


def _one_of(sweep: Sweep, fields: tuple[str, ...]) -> None:
    given = [field for field in fields if getattr(sweep, field)]
    if len(given) != 1:
        raise ConfigError("sweep", " and ".join(given) or f"none of {', '.join(fields)}", f"one of {', '.join(fields)}")
