"""Tables of energy and area: what one operation, bit or unit takes, each figure with its range, standing and source."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from panacea_sim.energy.ranges import Range, exact
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.validation import config_error, refusal
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.plugins import plugin_names, plugin_path

__all__ = ["ANY_DEVICE", "DEFAULT_TABLE", "Bounds", "Cell", "DramFigure", "EnergyTable", "energy_table", "list_tables"]

DEFAULT_TABLE = "default"

ANY_DEVICE = "any"
"""The key of a DRAM figure that holds for every device, whatever else a table says."""

_FOLDER = Path(__file__).parent / "data" / "tables"
_REMEDY = "The tables of the package show the form: panacea-sim list energy"
_BASE = "base"
_DEEPEST = 8
"""Tables that are each the base of another."""

Cell: TypeAlias = Literal["hp", "lop", "lstp"]
Standing: TypeAlias = Literal["S", "2", "D", "A"]
_Amount: TypeAlias = Annotated[float, Ge(0), Le(1e9)]
_Text: TypeAlias = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Bounds(_Strict):
    """Low, nominal and high, in this order."""

    low: _Amount
    nominal: _Amount
    high: _Amount

    @model_validator(mode="before")
    @classmethod
    def _of_number(cls, values: object) -> object:
        """Take a number alone for one without a range, an assumption of whoever wrote it."""
        if isinstance(values, dict):
            return values
        if type(values) not in (int, float):
            raise refusal(repr(values), f"a number, or {', '.join(cls.model_fields)}")
        said = {"standing": "A", "source": "as given in the table"} if issubclass(cls, Figure) else {}
        return dict.fromkeys(("low", "nominal", "high"), values) | said

    @field_validator("nominal", "high")
    @classmethod
    def _in_order(cls, value: float, info: ValidationInfo) -> float:
        before = max((info.data[name] for name in ("low", "nominal") if name in info.data), default=0.0)
        if value < before:
            raise refusal(f"{value:g}", f"a number >= {before:g}, as low <= nominal <= high")
        return value

    @property
    def range(self) -> Range:
        """The three as exact numbers."""
        return Range(exact(self.low), exact(self.nominal), exact(self.high))


class Figure(Bounds):
    """A figure of a table with its standing (S read, 2 second-hand, D derived, A assumed) and source."""

    standing: Standing
    source: _Text


class DramFigure(_Strict):
    """The energy of a bit that DRAM moves, in pJ: read and, where that differs, written; and what each cycle takes."""

    read: Bounds
    written: Bounds | None = None
    background_pj_per_cycle: _Amount = 0.0
    standing: Standing
    source: _Text


class SramChoice(_Strict):
    """The kind of SRAM cells: the nominal one, and others that make the range."""

    nominal: Cell
    others: list[Cell]
    standing: Standing
    source: _Text

    @property
    def cells(self) -> tuple[Cell, ...]:
        """All kinds, the nominal one first."""
        return tuple(dict.fromkeys([self.nominal, *self.others]))


class EnergyTable(_Strict):
    """What an operation takes in pJ, the SRAM cells, what a bit of DRAM takes in pJ, and what a unit takes in um2."""

    name: _Text
    node: _Text
    text: _Text
    operations: dict[str, Figure]
    sram: SramChoice
    dram: dict[str, DramFigure]
    area: dict[str, Figure]

    def dram_figure(self, device: str) -> DramFigure | None:
        """Return the lump figure of a device; None where the table has none."""
        return self.dram.get(ANY_DEVICE) or self.dram.get(device)


def list_tables() -> list[str]:
    """Return the names of the tables of the package, the default one first, and behind them those that packages add.

    Raises ConfigError if a package adds one whose name is taken.
    """
    return [*_own_tables(), *plugin_names("energy_tables", _own_tables())]


def _own_tables() -> list[str]:
    names = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    return [DEFAULT_TABLE, *(name for name in names if name != DEFAULT_TABLE)]


def energy_table(name_or_path: str | Path = DEFAULT_TABLE) -> EnergyTable:
    """Return a table by its name or of a YAML file.

    A table with a `base`, the name of another one or a path from its own folder, has that one's figures where it gives
    none of its own. Raises ConfigError, naming the file and its field.
    """
    path = _path_of(name_or_path, "--table", Path())
    values = {"name": path.stem} | _values(path, depth=0)
    try:
        return EnergyTable.model_validate(values)
    except ValidationError as error:
        raise config_error(f"{_shown(path)}:", EnergyTable, error, _REMEDY) from error


def _shown(path: Path) -> str:
    return path.name if path.parent == _FOLDER else str(path)


def _path_of(found: object, field: str, folder: Path) -> Path:
    """Return the file of a table by its name, or by its path from a folder."""
    if isinstance(found, Path) or (isinstance(found, str) and found.endswith((".yaml", ".yml"))):
        return folder / found
    if isinstance(found, str) and found in _own_tables():
        return _FOLDER / f"{found}.yaml"
    names = list_tables()
    added = plugin_path("energy_tables", found) if isinstance(found, str) else None
    if added is not None:
        return added
    hint = nearest_name(found, names) if isinstance(found, str) else ""
    raise ConfigError(field, repr(found), f"one of {', '.join(names)}, or the path of a YAML file", hint)


def _values(path: Path, depth: int) -> dict[str, object]:
    """Return what a table says, its base's values included where it has none of its own."""
    values = dict(_read(path)) if path.parent == _FOLDER else read_mapping(path)
    if _BASE not in values:
        return values
    if depth == _DEEPEST:
        raise ConfigError(
            f"{_shown(path)}: {_BASE}", "bases that go round in a circle", "a table that stands by itself"
        )
    below = _values(_path_of(values.pop(_BASE), f"{_shown(path)}: {_BASE}", path.parent), depth + 1)
    return below | {section: _merged(section, below, given) for section, given in values.items()}


def _merged(section: str, below: Mapping[str, object], given: object) -> object:
    """Return a section with the figures of the base that it does not give."""
    of_base = below.get(section)
    keyed = section in {"operations", "dram", "area"}
    return {**of_base, **given} if keyed and isinstance(of_base, dict) and isinstance(given, dict) else given


@cache
def _read(path: Path) -> Mapping[str, object]:
    """Read a table of the package once."""
    return read_mapping(path)
