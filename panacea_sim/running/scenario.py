"""Scenarios: a layer, a machine and a question; how scripts give them and how a run folder keeps them."""

from __future__ import annotations

import runpy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from panacea_sim.errors import ConfigError, PanaceaError, nearest_name
from panacea_sim.hardware.config import Hardware, from_mapping
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.trace.store import RunFolder
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import load_layer, save_layer
from panacea_sim.workload.synthetic import synthetic_layer

__all__ = ["Scenario", "Schedule", "Study", "load_scenario", "write_scenario"]

_VARIABLE = "scenario"
"""The name under which a script offers its Scenario or Study."""

_LAYER_KEYS = {"file", "synthetic", "masked"}
"""What scenario.yaml says where a layer comes from."""


LayerLike: TypeAlias = Layer | Path | str

Schedule = Literal["overlap", "barrier"]
"""How layers follow each other: in one simulation, or each alone on the drained machine."""


@dataclass(frozen=True)
class Scenario:
    """One run: a layer on a machine.

    `layer` is a GemmLayer, a MaskedLayer or the path of a LAYER.npz file, or several of them, which run one after the
    other. With the schedule "overlap" they are one simulation, in which a layer begins while the one before it ends,
    and one whose `source` names an earlier one waits for the outputs that it needs. With "barrier" each runs alone,
    from its first cycle to its last, on a machine that is empty again. `hardware` is a Hardware, the name of a preset
    or the path of a YAML file, with `settings` (field name to value) on top. With `values` the quantized slices travel
    through the machine and its accumulators are compared with the integer product; without, only time passes. Raises
    ConfigError for an unknown schedule, and where there is no layer.
    """

    name: str
    layer: LayerLike | tuple[LayerLike, ...]
    hardware: Hardware | Path | str = "panacea"
    settings: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    values: bool = True
    description: str = ""
    schedule: Schedule = "overlap"

    def __post_init__(self) -> None:
        """Check that there are layers, and the schedule."""
        if not self.layers:
            raise ConfigError("scenario.layer", "no layers", "a layer, or a tuple of at least one")
        known = get_args(Schedule)
        if self.schedule not in known:
            hint = nearest_name(str(self.schedule), known)
            raise ConfigError("scenario.schedule", repr(self.schedule), " or ".join(known), hint)

    @property
    def layers(self) -> tuple[LayerLike, ...]:
        """The layers in order."""
        return self.layer if isinstance(self.layer, tuple) else (self.layer,)

    def with_hardware(self, hardware: Hardware | Path | str | None, settings: Mapping[str, object]) -> Scenario:
        """Return the scenario on another machine (None: its own) and with further settings on top."""
        chosen = self.hardware if hardware is None else hardware
        kept = self.settings if hardware is None else {}
        return replace(self, hardware=chosen, settings={**kept, **settings})


@dataclass(frozen=True)
class Study:
    """Several scenarios for one question, shown in one table."""

    name: str
    scenarios: tuple[Scenario, ...]
    description: str = ""

    def __post_init__(self) -> None:
        """Check that there are scenarios, each with its own name; raises ConfigError."""
        names = [scenario.name for scenario in self.scenarios]
        if not names or len(set(names)) < len(names):
            raise ConfigError(f"study.{self.name}.scenarios", names, "at least one, each with a name of its own")


def load_scenario(path: Path) -> Scenario | Study:
    """Return what a scenario script, or the scenario.yaml of a run folder, describes.

    A script is Python that sets `scenario` to a Scenario or a Study. Raises ConfigError if there is none, and for a
    script that raises.
    """
    if not path.is_file():
        raise ConfigError("scenario", f"no file {str(path)!r}", "the path of a scenario script or a scenario.yaml")
    if path.suffix in {".yaml", ".yml"}:
        return _scenario_of(read_mapping(path), path)
    found = _run_script(path).get(_VARIABLE)
    if isinstance(found, Scenario | Study):
        return found
    raise ConfigError(
        f"{path}: {_VARIABLE}",
        "nothing of that name" if found is None else f"a {type(found).__name__}",
        "a Scenario or a Study",
        f"End the script with `{_VARIABLE} = Scenario(...)`",
    )


def write_scenario(folder: RunFolder, scenario: Scenario, layers: Sequence[Layer], hardware: Hardware) -> None:
    """Write scenario.yaml, from which the same run can be made again, with the operands of its layers beside it."""
    entries = [_entry_of(layer, number, folder.path) for number, layer in enumerate(layers)]
    folder.write_yaml(
        "scenario.yaml",
        {
            "schema": SCHEMA_VERSION,
            "name": scenario.name,
            "description": scenario.description,
            "values": scenario.values,
            "schedule": scenario.schedule,
            "layers": entries,
            "hardware": hardware.model_dump(),
        },
    )


def _entry_of(layer: Layer, number: int, folder: Path) -> dict[str, Any]:
    """Return what scenario.yaml says of a layer; operands that no recipe draws are written beside it."""
    if isinstance(layer, MaskedLayer):
        return {"name": layer.name, "masked": layer.recipe}
    entry: dict[str, Any] = {"name": layer.name}
    if layer.recipe is not None and _is_as_drawn(layer):
        entry["synthetic"] = dict(layer.recipe)
    else:
        entry["file"] = f"layer-{number}.npz"
        save_layer(replace(layer, output=None, source=None), folder / entry["file"])
    if layer.source is not None:
        entry["source"] = layer.source
    if layer.output is not None:
        output = asdict(layer.output)
        entry["output"] = output | {"r": output["r"] and list(output["r"])}
    return entry


def _is_as_drawn(layer: GemmLayer) -> bool:
    """Return whether the recipe of a synthetic layer still gives this layer, name and output format aside."""
    assert layer.recipe is not None
    drawn = synthetic_layer(**layer.recipe)  # type: ignore[arg-type]  # the recipe is what synthetic_layer was given
    return all(
        np.array_equal(getattr(drawn, each.name), getattr(layer, each.name))
        for each in fields(GemmLayer)
        if each.name not in {"name", "output", "source", "recipe"}
    )


def _run_script(path: Path) -> dict[str, Any]:
    try:
        return runpy.run_path(str(path))
    except (PanaceaError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a script that exits has not said what to run either
        raise ConfigError(
            str(path), f"{type(error).__name__}: {error}", "a script that runs to its end", _place(error, path)
        ) from error


def _place(error: BaseException, path: Path) -> str:
    """Return the line of the script at which it failed, for the message."""
    if isinstance(error, SyntaxError):
        return f"See line {error.lineno}"
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"See line {line}" if line else ""


def _scenario_of(content: Mapping[str, Any], path: Path) -> Scenario:
    keys = ("schema", "name", "layers", "hardware")
    missing = [key for key in keys if key not in content]
    if missing or content["schema"] not in range(1, SCHEMA_VERSION + 1):
        found = f"no key {missing[0]!r}" if missing else f"schema {content['schema']}"
        accepted = f"a scenario.yaml of schema 1 to {SCHEMA_VERSION} with {', '.join(keys)}"
        raise ConfigError(str(path), found, accepted, "Take the one that a run has written")
    return Scenario(
        content["name"],
        tuple(_layer_of(entry, path.parent) for entry in _layer_entries(content["layers"], path)),
        from_mapping(content["hardware"]),
        values=content.get("values", True),
        description=content.get("description", ""),
        schedule=content.get("schedule", "overlap"),
    )


def _layer_entries(layers: object, path: Path) -> list[Mapping[str, Any]]:
    accepted = "at least one layer, each with a name and one of file, synthetic and masked"
    if not isinstance(layers, list) or not layers:
        raise ConfigError(f"{path}: layers", layers, accepted)
    for entry in layers:
        if not isinstance(entry, Mapping) or "name" not in entry or not _LAYER_KEYS & set(entry):
            raise ConfigError(f"{path}: layers", entry, accepted)
    return layers


def _layer_of(entry: Mapping[str, Any], folder: Path) -> Layer:
    if "masked" in entry:
        return MaskedLayer(**entry["masked"])
    layer = synthetic_layer(**entry["synthetic"]) if "synthetic" in entry else load_layer(folder / entry["file"])
    output = entry.get("output")
    if output is not None:
        output = OutputFormat(**(output | {"r": output["r"] and tuple(output["r"])}))
    return replace(layer, name=entry["name"], output=output, source=entry.get("source"))
