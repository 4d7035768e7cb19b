"""What `run` takes: scenario scripts and scenario files; anything else is sent to the command that takes it."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from panacea_sim.errors import ConfigError

__all__ = ["check_scenario_file"]

_ENDINGS = (".py", ".yaml", ".yml")
_RUN_MARK = ".panacea-run"
_ACCEPTED = "a scenario script (.py) or a scenario.yaml"
_NOT_YET = {".csv": "a table of layers", ".onnx": "an ONNX model"}
_FOUND = {
    ".json": "a JSON file",
    ".parquet": "a table of a run",
    ".ipynb": "a notebook",
    ".npy": "a single array",
    **_NOT_YET,
}


def check_scenario_file(path: Path) -> None:
    """Raise ConfigError if a path is no file that `run` takes, with what it is and which command takes it."""
    if path.is_dir():
        raise ConfigError("scenario", *_folder(path))
    if not path.exists() or path.suffix in _ENDINGS:
        return
    ending = path.suffix.lower()
    if ending == ".npz":
        found, hint = f"the layer file {str(path)!r}", f"A layer is simulated with: panacea-sim gemm {_shell(path)}"
        raise ConfigError("scenario", found, _ACCEPTED, hint)
    what = _FOUND.get(ending, f"a file with the ending {ending!r}" if ending else "a file without an ending")
    hint = "Networks are not read yet: a scenario script lists their layers" if ending in _NOT_YET else ""
    raise ConfigError("scenario", f"{str(path)!r}, {what}", _ACCEPTED, hint)


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
