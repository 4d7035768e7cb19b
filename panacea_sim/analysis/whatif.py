"""What-if: the gains of a run on changed machines, as whatif.json keeps them; docs/files.md describes every key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from panacea_sim.errors import ConfigError

__all__ = [
    "WHATIF_FILE",
    "WHATIF_FOLDER",
    "CostChange",
    "Gain",
    "NotTried",
    "WhatIf",
    "WhatIfRow",
    "gain_of",
    "ranked",
    "stored_whatif",
]

WHATIF_FOLDER = "whatif"
"""Where a run folder keeps its what-if results."""

WHATIF_FILE = "whatif.json"

_SCHEMA = 1

Kind: TypeAlias = Literal["step", "data", "pair", "ideal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Gain(_Frozen):
    """What a change saves: cycles, and their share of those of the base; negative where it costs time."""

    cycles: int
    share: float


class CostChange(_Frozen):
    """What a change costs beyond the base; multipliers are None on a machine that does not count them."""

    multipliers: int | None
    sram_bytes: int
    dram_bytes_per_cycle: float


class WhatIfRow(_Frozen):
    """One changed machine, run with the mapping of the base held and planned anew.

    Cycles and gains are None where the layers do not fit the machine: the obstacle says why. Ideal machines cannot be
    built: they have no cost. `sqnr_db` is what other data lose, None where that is nothing. `unit` says what the two
    values count, and is empty for words and pairs.
    """

    kind: Kind
    knob: str
    before: int | str = Field(alias="from")
    after: int | str = Field(alias="to")
    unit: str
    settings: dict[str, int | str]
    cycles_held: int | None
    cycles_planned: int | None
    obstacle_held: str | None
    obstacle_planned: str | None
    gain_held: Gain | None
    gain_planned: Gain | None
    cost: CostChange | None
    sqnr_db: float | None = None

    @property
    def identity(self) -> tuple[str, str, str]:
        """What tells it from other rows of the same base."""
        return self.kind, self.knob, str(self.after)


class NotTried(_Frozen):
    """What was not run, and why."""

    knob: str
    reason: str


class WhatIf(_Frozen):
    """All that was tried from one base, as `ranked` orders it.

    `key` is the digest of the base: its layers, machine and mapping. `makespan_cycles` are those of the base. `sqnr_db`
    is what its data lose, None where that is nothing or was not computed.
    """

    schema_version: int = Field(default=_SCHEMA, alias="schema")
    scenario: str
    hardware: str
    key: str
    makespan_cycles: int
    layers: int
    sqnr_db: float | None = None
    rows: tuple[WhatIfRow, ...]
    not_tried: tuple[NotTried, ...]

    def of_kind(self, *kinds: Kind) -> list[WhatIfRow]:
        """Return the rows of these kinds, in order."""
        return [row for row in self.rows if row.kind in kinds]

    def with_earlier(self, earlier: WhatIf | None) -> WhatIf:
        """Return these results and those earlier ones of the same base that are not among them."""
        if earlier is None or earlier.key != self.key:
            return self
        mine = {row.identity for row in self.rows}
        rows = (*self.rows, *(row for row in earlier.rows if row.identity not in mine))
        tried = {each.knob for each in self.not_tried}
        not_tried = (*self.not_tried, *(each for each in earlier.not_tried if each.knob not in tried))
        return self.model_copy(update={"rows": ranked(rows), "not_tried": not_tried})

    def to_json(self) -> dict[str, Any]:
        """Return what stands in whatif.json."""
        return self.model_dump(mode="json", by_alias=True)


def ranked(rows: Iterable[WhatIfRow]) -> tuple[WhatIfRow, ...]:
    """Return steps, data, pairs, ideals, of each kind the largest gain planned anew first; equal ones as they come.

    Those that do not fit come last of their kind.
    """
    kinds = get_args(Kind)
    return tuple(
        sorted(rows, key=lambda row: (kinds.index(row.kind), row.gain_planned is None, -_cycles(row.gain_planned)))
    )


def gain_of(cycles: int | None, base_cycles: int) -> Gain | None:
    """Return what a run saves that takes so many cycles instead of those of the base; None for None."""
    if cycles is None:
        return None
    return Gain(cycles=base_cycles - cycles, share=(base_cycles - cycles) / base_cycles)


def stored_whatif(folder: Path) -> WhatIf | None:
    """Return the what-if results of a run folder, or of the folder that they were written into; None without any.

    Raises ConfigError if they cannot be read.
    """
    for path in (folder / WHATIF_FOLDER / WHATIF_FILE, folder / WHATIF_FILE):
        if path.is_file():
            return _read(path)
    return None


def _read(path: Path) -> WhatIf:
    accepted, hint = "the results of panacea-sim whatif", "Remove the file and run whatif again: its reruns are kept"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, Mapping) and content.get("schema") != _SCHEMA:
            raise ConfigError(f"{path}", f"schema {content.get('schema')}", f"schema {_SCHEMA}", hint)
        return WhatIf.model_validate(content)
    except ValidationError as error:
        finding = error.errors(include_url=False)[0]
        key = ".".join(map(str, finding["loc"])) or "the document"
        raise ConfigError(f"{path}: {key}", finding["msg"], accepted, hint) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}", f"no readable JSON ({error})", accepted, hint) from error


def _cycles(gain: Gain | None) -> int:
    return 0 if gain is None else gain.cycles
