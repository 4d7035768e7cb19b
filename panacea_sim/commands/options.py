"""The options that several commands have, each said once; typer reads them from the annotations of a command."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_type_hints

import typer

from panacea_sim.choices import Engine, LogLevel, Schedule, ValuesChoice

__all__ = [
    "ChargedDevice",
    "DramCharge",
    "Force",
    "Html",
    "Json",
    "LayerFile",
    "RunFolderPath",
    "Settings",
    "SimulationOptions",
    "Table",
    "Window",
    "with_simulation_options",
]

TraceLevel: TypeAlias = Literal["off", "stalls", "full"]
RunFolderPath: TypeAlias = Annotated[Path, typer.Argument(help="A run folder, complete or partial.")]
LayerFile: TypeAlias = Annotated[
    Path,
    typer.Argument(help="A LAYER.npz file with weight, activation and zero_point, or a name of `list layers`."),
]
Window: TypeAlias = Annotated[str | None, typer.Option(help="Only what overlaps the cycles A:B.")]
Force: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace existing files that an option names.")]
Html: TypeAlias = Annotated[Path, typer.Option(help="File to write.")]
Settings: TypeAlias = Annotated[list[str] | None, typer.Option("--set", help="One field, as hardware.n_dwo=8.")]
Table: TypeAlias = Annotated[str, typer.Option(help="Table of figures (list energy), or a YAML file of your own.")]
DramCharge: TypeAlias = Annotated[
    Literal["lump", "events"], typer.Option(help="Charge DRAM by the bit, or by its events.")
]
ChargedDevice: TypeAlias = Annotated[
    str | None, typer.Option(help="DRAM whose figure is taken, where the run's own is ideal or has none.")
]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


@dataclass(frozen=True)
class SimulationOptions:
    """The options that every command has which simulates into a run folder; their fields are its parameters."""

    out: Annotated[Path | None, typer.Option(help="Run folder to write (default: runs/NAME).")] = None
    hardware: Annotated[str | None, typer.Option(help="Preset or YAML file instead of the scenario's.")] = None
    settings: Settings = None
    engine: Annotated[Engine, typer.Option(help="auto: compiled where no values travel, else reference.")] = "auto"
    trace: Annotated[TraceLevel | None, typer.Option(help="What to record (default: full; networks: off).")] = None
    window: Annotated[str | None, typer.Option(help="Record only what overlaps the cycles A:B.")] = None
    as_json: Json = False
    force: Annotated[bool, typer.Option("--force", help="Replace an existing run folder.")] = False
    log_level: Annotated[LogLevel, typer.Option(help="What goes into log.jsonl.")] = "info"
    schedule: Annotated[Schedule | None, typer.Option(help="How layers follow each other, instead of as given.")] = None
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes for layers that run alone (default: one a core).")
    ] = None
    values: Annotated[ValuesChoice | None, typer.Option(help="What happens to values, instead of as given.")] = None
    memoize: Annotated[bool, typer.Option(help="Simulate equal layers that run alone once.")] = True
    explain: Annotated[bool, typer.Option("--explain", help="Find the critical path and the root causes.")] = False

    def with_trace(self, level: TraceLevel) -> SimulationOptions:
        """Return the options with this level of the trace, unless another one was asked for."""
        return replace(self, trace=self.trace or level)


def with_simulation_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all SimulationOptions as parameters of its own, because typer knows no groups of parameters.

    The command gets them as `options`, beside the parameters that it has.
    """
    fields = get_type_hints(SimulationOptions, include_extras=True)
    kinds = get_type_hints(command, include_extras=True)
    own = [each for each in inspect.signature(command).parameters.values() if each.name != "options"]
    parameters = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=kind, default=getattr(SimulationOptions, name)
        )
        for name, kind in fields.items()
    ]

    def call(**arguments: Any) -> None:  # noqa: ANN401  # typer fills them in by name
        mine = {each.name: arguments.pop(each.name) for each in own}
        command(**mine, options=SimulationOptions(**arguments))

    mine = [each.replace(annotation=kinds[each.name]) for each in own]
    call.__signature__ = inspect.Signature([*mine, *parameters])  # type: ignore[attr-defined]
    call.__annotations__ = {each.name: each.annotation for each in mine} | fields
    call.__doc__ = command.__doc__
    return call
