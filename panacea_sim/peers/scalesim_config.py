"""Architectures of SCALE-Sim, `.cfg`, as hardware of the kinds sa_os and sa_ws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass
from pathlib import Path

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.peers.converted import Converted

__all__ = ["read_config"]

_KILO = 1024
_INTERFACES = 3
"""Inputs, weights and outputs have an interface to DRAM each, of `Bandwidth` words a cycle."""
_ENDLESS_BYTES = 2**20
_MOST_COLUMNS = 2**16
_TILE_K = 256
_DATAFLOWS = {"os": "sa_os", "ws": "sa_ws"}
_SECTIONS = ("general", "architecture_presets", "run_presets")
_CARRIED = {
    "run_name",
    "arrayheight",
    "arraywidth",
    "ifmapsramszkb",
    "filtersramszkb",
    "ofmapsramszkb",
    "dataflow",
    "bandwidth",
    "interfacebandwidth",
}
_OFF = {"false", "no", "off", "0"}

_REASONS = {
    "offset": "addresses are laid out anew",
    "layout": "layouts of the SRAMs, and conflicts of their banks, are not simulated",
    "bank": "banks of the SRAMs and their ports are not simulated",
    "spars": "sparsity is not simulated: layers run dense",
    "ramulator": "latencies of a Ramulator trace are not read: --set hardware.dram=DEVICE simulates a DRAM device",
    "requestbuffer": "requests in flight are those of tiles: hardware.outstanding",
    "memorymap": "one memory holds all operands",
    "topology": "convert the topology by itself",
}
"""Why keys with this in their name, or in that of their section, do not carry over."""
_UNKNOWN = "not known here"


@dataclass(frozen=True)
class _Config:
    """The keys of a file by section, in small letters; raises ConfigError naming the file for what is missing."""

    path: Path
    sections: Mapping[str, Mapping[str, str]]

    def text(self, section: str, key: str) -> str:
        """Return what a key says."""
        value = self.sections.get(section, {}).get(key.lower())
        if value is None:
            raise ConfigError(f"{self.path}: [{section}] {key}", "nothing", "a value, as SCALE-Sim needs it")
        return value

    def count(self, section: str, key: str) -> int:
        """Return the whole number that a key says, at least 1."""
        text = self.text(section, key)
        if not text.isdecimal() or int(text) < 1:
            raise ConfigError(f"{self.path}: [{section}] {key}", repr(text), "a whole number >= 1")
        return int(text)


def read_config(path: Path, text: str) -> Converted:
    """Return an architecture of SCALE-Sim as hardware; raises ConfigError naming the file and the key.

    Its array has pixels on the rows and filters on the columns (os), or the depth of filters on the rows (ws).
    """
    config = _Config(path, _sections(path, text))
    dataflow = config.text("architecture_presets", "Dataflow")
    if dataflow not in _DATAFLOWS:
        accepted = f"{', '.join(_DATAFLOWS)}: {dataflow} is not simulated"
        hint = "Input-stationary is ws with M and N of the topology exchanged" if dataflow == "is" else ""
        raise ConfigError(f"{path}: [architecture_presets] Dataflow", repr(dataflow), accepted, hint)
    machine = _DATAFLOWS[dataflow]
    content = {"name": config.text("general", "run_name"), "base": machine, "machine": machine}
    settings = _memories(config) | (_os_array(config) if dataflow == "os" else _ws_array(config)) | _channel(config)
    load_hardware(machine, settings)
    return Converted("hardware", "SCALE-Sim", content | settings, tuple(_remarks(config, dataflow)))


def _sections(path: Path, text: str) -> dict[str, dict[str, str]]:
    parser = ConfigParser(interpolation=None)
    try:
        parser.read_string(text, str(path))
    except Error as error:
        raise ConfigError(str(path), " ".join(str(error).split()), "sections with lines KEY: VALUE") from error
    return {section.lower(): dict(parser[section]) for section in parser.sections()}


def _memories(config: _Config) -> dict[str, object]:
    weights, inputs, outputs = (
        _KILO * config.count("architecture_presets", key)
        for key in ("FilterSramSzkB", "IfmapSramSzkB", "OfmapSramSzkB")
    )
    return {"wmem_bytes": weights, "amem_bytes": inputs, "omem_bytes": outputs, "psum_bytes": outputs // 2}


def _array(config: _Config) -> tuple[int, int]:
    rows, columns = (config.count("architecture_presets", key) for key in ("ArrayHeight", "ArrayWidth"))
    return rows, columns


def _os_array(config: _Config) -> dict[str, object]:
    rows, columns = _array(config)
    memories = _memories(config)
    # Two tiles of each operand have room, so that one is fetched while the other is worked on.
    depth = min(_TILE_K, _half(memories["wmem_bytes"], columns), _half(memories["amem_bytes"], rows))
    return {"array_rows": columns, "tile_n": rows, "tile_k": depth, "loop_order": "mnk"}


def _ws_array(config: _Config) -> dict[str, object]:
    rows, columns = _array(config)
    memories = _memories(config)
    kept = _half(memories["omem_bytes"], columns * BYTES_PER_PARTIAL_SUM)
    width = min(_MOST_COLUMNS, kept, _half(memories["amem_bytes"], rows))
    return {"array_columns": columns, "tile_k": rows, "tile_n": width}


def _half(size_bytes: object, each_bytes: int) -> int:
    """Return how many of something have room in half of a memory, at least one."""
    assert isinstance(size_bytes, int)
    return max(1, size_bytes // 2 // each_bytes)


def _channel(config: _Config) -> dict[str, object]:
    mode = config.text("run_presets", "InterfaceBandwidth").strip().upper()
    if mode == "CALC":
        return {"dram": "ideal", "dram_channels": 1, "dram_bytes_per_cycle": _ENDLESS_BYTES, "dram_latency_cycles": 0}
    if mode != "USER":
        raise ConfigError(f"{config.path}: [run_presets] InterfaceBandwidth", repr(mode), "USER or CALC")
    text = config.text("architecture_presets", "Bandwidth")
    first = text.split(",")[0].strip()
    if not first.isdecimal() or int(first) < 1:
        raise ConfigError(f"{config.path}: [architecture_presets] Bandwidth", repr(text), "a whole number >= 1")
    per_cycle = _INTERFACES * int(first)
    return {"dram": "ideal", "dram_channels": 1, "dram_bytes_per_cycle": per_cycle, "dram_latency_cycles": 1}


def _remarks(config: _Config, dataflow: str) -> Iterator[str]:
    yield "a word of SCALE-Sim is one byte here; a sum takes 4 bytes of OMEM, of which half is kept for partial sums"
    if config.text("run_presets", "InterfaceBandwidth").strip().upper() == "CALC":
        yield f"InterfaceBandwidth CALC: DRAM moves {_ENDLESS_BYTES} bytes a cycle at no latency, more than is needed"
    else:
        yield (
            "Bandwidth: the three interfaces of SCALE-Sim, for inputs, weights and outputs, are one channel of three "
            "times as many bytes a cycle, and the operands take turns; a read has a latency of 1 cycle"
        )
    if dataflow == "os":
        yield "a fold on part of the array takes its own rows and columns, where SCALE-Sim counts all of them"
    else:
        yield "a fold on part of the array takes its own rows and columns, where SCALE-Sim counts all of them"
        yield "more pixels than a tile has (tile_n) are several folds, each of which loads its weights"
    yield "accumulator, PPU, queues and clock are those of the preset: SCALE-Sim has none"
    lines: dict[str, list[str]] = {}
    for section, keys in config.sections.items():
        for key, value in keys.items():
            known = section in _SECTIONS and key in _CARRIED
            if not known and not _says_nothing(section, keys, value):
                lines.setdefault(_reason(section, key), []).append(f"[{section}] {key}")
    for reason, names in lines.items():
        yield f"{', '.join(names)}: {reason}"


def _says_nothing(section: str, keys: Mapping[str, str], value: str) -> bool:
    """Return whether a key turns something off, or belongs to something that is off."""
    off_as_a_whole = section == "sparsity" and keys.get("sparsitysupport", "").lower() in _OFF
    return off_as_a_whole or value.strip().lower() in _OFF - {"0"}


def _reason(section: str, key: str) -> str:
    for part, reason in _REASONS.items():
        if part in key or part in section:
            return reason
    return _UNKNOWN
