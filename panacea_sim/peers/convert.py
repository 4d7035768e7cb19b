"""A file of another simulator as one of ours: which it is, is seen by its content."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.yaml_file import read_yaml
from panacea_sim.peers.converted import Converted
from panacea_sim.peers.scalesim_config import read_config
from panacea_sim.peers.scalesim_topology import read_topology
from panacea_sim.peers.zigzag_workload import is_workload, read_workload
from panacea_sim.workload.networks.load import load_network

__all__ = ["converted"]

_ACCEPTED = "an architecture (.cfg) or topology (.csv) of SCALE-Sim, or a workload of ZigZag (a YAML list of operators)"
_HARDWARE_KEYS = {"memories", "operational_array", "multipliers", "cores"}


def converted(path: Path) -> Converted:
    """Return what a file becomes; raises ConfigError naming the file and the place in it.

    A network has been read as `load_network` does, so that it runs.
    """
    made = _made(path)
    if made.kind == "network":
        _check(path, made)
    return made


def _made(path: Path) -> Converted:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "bytes that are no UTF-8 text"
        raise ConfigError(str(path), reason, _ACCEPTED, "Check the path") from error
    first = next((line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")), "")
    if re.fullmatch(r"\[\w+\]", first):
        return read_config(path, text)
    if first.count(",") >= len("MNK") and ":" not in first and not first.startswith("-"):
        return read_topology(path, text)
    try:
        content = read_yaml(path)
    except ConfigError as error:
        raise ConfigError(str(path), f"text that is no YAML ({error.found})", _ACCEPTED) from error
    if content and is_workload(content):
        return read_workload(path, content)
    hint = ""
    if isinstance(content, dict) and _HARDWARE_KEYS & content.keys():
        hint = "Hardware of ZigZag leaves open what a machine of ours has to say: docs/peers-files.md says what to do"
    raise ConfigError(str(path), "another content" if content else "nothing", _ACCEPTED, hint)


def _check(path: Path, made: Converted) -> None:
    """Refuse a network that cannot be read: what is wrong with it is wrong with the file that it was made of."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "network.yaml"
        with file.open("w", encoding="utf-8") as opened:
            made.write(opened)
        try:
            load_network(str(file))
        except ConfigError as error:
            place = error.field.replace(str(file), "its network")
            raise ConfigError(f"{path}: {place}", error.found, error.accepted, error.hint) from error
