"""scenario.yaml: what it may hold, for reading and for writing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import MinLen
from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationError, field_validator

from panacea_sim.choices import MappingFrom, Schedule, ValuesChoice, values_word
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.config import Hardware, beside_file, from_mapping
from panacea_sim.hardware.validation import config_error, refusal
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.running.edge_entry import EdgeEntry, links_of
from panacea_sim.running.layer_entry import Entry, LayerEntry, layer_of
from panacea_sim.running.names import RunName
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.network import LayerLink

__all__ = ["ScenarioFile", "read_scenario_file"]

_REMEDY = "Correct the file, or take one that a run has written"


class ScenarioFile(Entry):
    """The content of scenario.yaml, with everything resolved; `read_scenario_file` reads it.

    Files of earlier schemas can be read as well.
    """

    schema_version: int = Field(alias="schema", ge=1, le=SCHEMA_VERSION)
    name: RunName
    description: str = ""
    values: Annotated[ValuesChoice, BeforeValidator(values_word)] = "auto"
    schedule: Schedule = "overlap"
    mapping: MappingFrom = "layer"
    layers: Annotated[list[LayerEntry], MinLen(1)]
    edges: list[EdgeEntry] = Field(default=[])
    hardware: SerializeAsAny[Hardware]

    @field_validator("layers")
    @classmethod
    def _chained(cls, value: list[LayerEntry]) -> list[LayerEntry]:
        names: list[str] = []
        for number, entry in enumerate(value):
            if entry.name in names:
                raise refusal(f"{entry.name!r} twice", "a name of its own for each layer", f"[{number}].name")
            if entry.source is not None and entry.source not in names:
                earlier = ", ".join(names) or "none, for the first layer"
                hint = nearest_name(entry.source, names)
                raise refusal(repr(entry.source), f"a layer before: {earlier}", f"[{number}].source", hint)
            names.append(entry.name)
        return value

    @field_validator("hardware", mode="before")
    @classmethod
    def _of_its_machine(cls, value: object) -> object:
        # Which fields there are depends on the machine that one of them names.
        if not isinstance(value, Mapping):
            return value
        try:
            return from_mapping(value, _REMEDY)
        except ConfigError as error:
            place, found = error.field.removeprefix("hardware"), error.found
            if place == error.field:  # a device's file
                place, found = ".dram", f"{error.field}: {error.found}"
            raise refusal(found, error.accepted, place, error.hint) from error

    def content(self) -> dict[str, Any]:
        """Return what is written to scenario.yaml: what was given, in the order of the fields."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def read_scenario_file(path: Path) -> tuple[ScenarioFile, tuple[AnyLayer, ...], tuple[LayerLink, ...]]:
    """Return the content of a scenario.yaml, its layers and the links between them.

    Raises ConfigError naming the file and the place in it.
    """
    values = read_mapping(path)
    hardware = values.get("hardware")
    if isinstance(hardware, Mapping):
        values["hardware"] = beside_file(hardware, path.parent)
    try:
        content = ScenarioFile.model_validate(values)
    except ValidationError as error:
        raise config_error(f"{path}:", ScenarioFile, error, _REMEDY) from error
    layers = [layer_of(entry, f"{path}: layers[{number}]", path.parent) for number, entry in enumerate(content.layers)]
    return content, tuple(layers), links_of(content.edges, layers, f"{path}: edges")
