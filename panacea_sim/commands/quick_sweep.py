"""The quick form of a sweep: `run` with a --set of several values, which makes a grid of all combinations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from panacea_sim.commands.options import SimulationOptions
from panacea_sim.errors import ConfigError

__all__ = ["asks_for_axes", "run_axes"]

_OF_NETWORKS = ("--phase", "--tokens", "--context", "--batch", "--weight-bits", "--profile")
_OF_MODELS = ("--shape", "--weight-bits", "--profile")
"""Options of networks, and of model files, that a sweep has as settings of the same names."""


def asks_for_axes(options: SimulationOptions) -> bool:
    """Return whether a setting of a command has several values."""
    if not options.settings:
        return False
    from panacea_sim.exploring.quick import has_axis

    return has_axis(options.settings)


def run_axes(
    scenario: Path | None, network: str | None, of_a_network: Mapping[str, object], options: SimulationOptions
) -> None:
    """Run a scenario or a network at all combinations of settings; raises ConfigError for options of single runs."""
    from panacea_sim.commands.exploration import check_options, run_sweep, show_folder
    from panacea_sim.exploring.quick import quick_fields
    from panacea_sim.exploring.sweep import Sweep

    check_options("an axis, as --set with several values is", _of_single_runs(options))
    axes, settings = quick_fields(options.settings or ())
    if options.schedule is not None:
        settings["mapping.schedule"] = options.schedule
    start: dict[str, object]
    if network is None:
        assert scenario is not None  # one of them is asked for
        start = {"scenario": scenario, "name": f"{_name(scenario)}-sweep"}
    else:
        start = {"workload": network, "name": f"{Path(network).stem}-sweep"}
        settings |= _network_settings(network, of_a_network)
    values = options.values or "off"
    sweep = Sweep(**start, axes=axes, settings=settings, hardware=options.hardware, values=values)
    show_folder(run_sweep(sweep, options.out, options.workers), None, as_json=options.as_json)


def _of_single_runs(options: SimulationOptions) -> dict[str, object]:
    return {
        "--engine": None if options.engine == "auto" else options.engine,
        "--trace": None if options.trace == "off" else options.trace,
        "--window": options.window,
        "--force": options.force,
        "--log-level": None if options.log_level == "info" else options.log_level,
        "--no-memoize": not options.memoize,
    }


def _network_settings(network: str, options: Mapping[str, object]) -> dict[str, object]:
    from panacea_sim.running.network_file import MODEL_ENDING

    is_model = Path(network).suffix.lower() == MODEL_ENDING
    accepted = _OF_MODELS if is_model else _OF_NETWORKS
    given = {option: value for option, value in options.items() if value is not None}
    for option, value in given.items():
        if option not in accepted:
            hint = "Sizes are those of --shape; operands of samples take one value" if is_model else "Leave it out"
            raise ConfigError(option, value, f"{', '.join(accepted)} beside several values of --set", hint)
    return {f"workload.{option[2:].replace('-', '_')}": _setting(value) for option, value in given.items()}


def _setting(value: object) -> object:
    """Return the value of an option as that of a setting: shapes of several inputs are one text."""
    return " ".join(value) if isinstance(value, list | tuple) else value


def _name(scenario: Path) -> str:
    """Return what a scenario is called: its script's name, of a run folder's scenario.yaml the folder's."""
    return scenario.absolute().parent.name if scenario.name == "scenario.yaml" else scenario.stem
