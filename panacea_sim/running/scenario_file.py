"""scenario.yaml: what it may hold, for reading and for writing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from annotated_types import MinLen
from pydantic import Field, ValidationError, field_validator

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.config import Hardware, settings_model, with_machine
from panacea_sim.hardware.validation import config_error, refusal
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.running.layer_entry import Entry, LayerEntry, layer_of
from panacea_sim.running.names import run_name_fault
from panacea_sim.running.schedule import Schedule
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.workload.layer import AnyLayer

__all__ = ["ScenarioFile", "file_model", "read_scenario_file"]

Machine = TypeVar("Machine", bound=Hardware)
"""The model of the settings of a kind of machine."""

_REMEDY = "Correct the file, or take one that a run has written"


class ScenarioFile(Entry, Generic[Machine]):
    """The content of scenario.yaml, with everything resolved, for one kind of machine; `read_scenario_file` reads it.

    Files of earlier schemas can be read as well.
    """

    schema_version: int = Field(alias="schema", ge=1, le=SCHEMA_VERSION)
    name: str
    description: str = ""
    values: bool = True
    schedule: Schedule = "overlap"
    layers: Annotated[list[LayerEntry], MinLen(1)]
    hardware: Machine

    @field_validator("name")
    @classmethod
    def _usable_name(cls, value: str) -> str:
        fault = run_name_fault(value)
        if fault is not None:
            raise refusal(*fault)
        return value

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

    def content(self) -> dict[str, Any]:
        """Return what is written to scenario.yaml: what was given, in the order of the fields."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def file_model(machine: type[Hardware]) -> type[ScenarioFile[Hardware]]:
    """Return the model of the scenario.yaml of runs on a kind of machine."""
    return ScenarioFile[machine]  # type: ignore[valid-type]  # known at run time only


def read_scenario_file(path: Path) -> tuple[ScenarioFile[Hardware], tuple[AnyLayer, ...]]:
    """Return the content of a scenario.yaml and its layers; raises ConfigError naming the file and the place in it."""
    values = read_mapping(path)
    try:
        content = _validated(values, f"{path}:")
    except ConfigError as error:
        # The registry of machines, and fields of the hardware that look at others, do not know the file.
        field = error.field if error.field.startswith(f"{path}:") else f"{path}: {error.field}"
        raise ConfigError(field, error.found, error.accepted, error.hint or _REMEDY) from error
    layers = [layer_of(entry, f"{path}: layers[{number}]", path.parent) for number, entry in enumerate(content.layers)]
    return content, tuple(layers)


def _validated(values: dict[str, object], section: str) -> ScenarioFile[Hardware]:
    hardware = values.get("hardware")
    machine: type[Hardware] = Hardware
    if isinstance(hardware, dict):
        hardware = with_machine(hardware)
        machine = settings_model(hardware["machine"])
        values = {**values, "hardware": hardware}
    model = file_model(machine)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise config_error(section, model, error, _REMEDY) from error
