"""What `run` takes: scenarios and networks; anything else is sent to the command that takes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import quote

from panacea_sim.errors import ConfigError
from panacea_sim.running.network_file import is_network
from panacea_sim.workload.samples import is_sample

__all__ = ["asked_network", "check_scenario_file", "refuse_network_options"]

_ENDINGS = (".py", ".yaml", ".yml")
_RUN_MARK = ".panacea-run"
_ACCEPTED = "a scenario script (.py), a scenario.yaml, or a network (.csv, .yaml or .onnx)"
_FOUND = {
    ".json": "a JSON file",
    ".parquet": "a table of a run",
    ".ipynb": "a notebook",
    ".npy": "a single array",
}


def asked_network(scenario: Path | None, workload: str | None) -> str | None:
    """Return the name of a model or the path of a network that `run` is given, None for a scenario.

    Raises ConfigError unless one thing is asked for.
    """
    if workload is not None:
        if scenario is not None:
            found = f"{str(scenario)!r} and --workload {workload}"
            raise ConfigError("scenario", found, "exactly one of them", "Leave one of them out")
        return workload
    if scenario is None:
        hint = "For example: panacea-sim run --workload opt-125m --tokens 128"
        raise ConfigError("scenario", "nothing to run", f"{_ACCEPTED}, or --workload NAME", hint)
    return str(scenario) if is_network(scenario) else None


def refuse_network_options(scenario: Path, options: Mapping[str, object]) -> None:
    """Raise ConfigError for an option of networks that is given for a scenario."""
    for option, value in options.items():
        if value is not None:
            raise ConfigError(option, value, f"nothing beside {scenario}, which is a scenario", "Leave it out")


def check_scenario_file(path: Path) -> None:
    """Raise ConfigError if a path is no file that `run` takes, with what it is and which command takes it."""
    if path.is_dir():
        raise ConfigError("scenario", *_folder(path))
    ending = path.suffix.lower()
    if not is_sample(path) and (not path.exists() or path.suffix in _ENDINGS):
        return
    if ending == ".npz" or is_sample(path):
        what = "layer file" if ending else "layer"
        found, hint = f"the {what} {str(path)!r}", f"A layer is simulated with: panacea-sim gemm {_shell(path)}"
        raise ConfigError("scenario", found, _ACCEPTED, hint)
    what = _FOUND.get(ending, f"a file with the ending {ending!r}" if ending else "a file without an ending")
    raise ConfigError("scenario", f"{str(path)!r}, {what}", _ACCEPTED)


def _folder(path: Path) -> tuple[str, str, str]:
    if not (path / _RUN_MARK).is_file():
        return f"the folder {str(path)!r}", _ACCEPTED, ""
    kept = path / "scenario.yaml"
    if not kept.is_file():
        return f"the folder {str(path)!r} of a study", _ACCEPTED, "Each run in it has a scenario.yaml"
    hint = (
        f"It is looked into with: panacea-sim inspect {_shell(path)}; "
        f"shown as a page with: panacea-sim report {_shell(path)} --html report.html; "
        f"run again with: panacea-sim run {_shell(kept)} --out {_shell(path.with_name(f'{path.name}-again'))}"
    )
    return f"the run folder {str(path)!r}", _ACCEPTED, hint


def _shell(path: Path) -> str:
    return quote(str(path))
