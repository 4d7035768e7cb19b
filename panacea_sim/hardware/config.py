"""The hardware that a scenario runs on: the fields that all machines have, presets, files and settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, cast

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from panacea_sim.bounds import Bytes, ClockHz, Count, CountOrZero, Cycles, CyclesOrZero, Parts
from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.dram.devices import IDEAL, DramDevice, dram_device, is_named_device
from panacea_sim.hardware.knobs import Choice, Ideal, NoKnob, PortPriority, Step
from panacea_sim.hardware.registry import is_machine_file, machine_names, settings_of
from panacea_sim.hardware.validation import config_error
from panacea_sim.hardware.yaml_file import parse_scalar, read_mapping
from panacea_sim.plugins import plugin_names, plugin_path

__all__ = [
    "DEFAULT_PRESET",
    "Hardware",
    "Source",
    "beside_file",
    "field_sources",
    "from_mapping",
    "list_added_hardware",
    "list_presets",
    "load_hardware",
    "parse_settings",
    "setting_fields",
    "settings_model",
    "with_settings",
]

DEFAULT_PRESET = "panacea"
DEFAULT_MACHINE = "panacea"
_EARLIER = {"machine": DEFAULT_MACHINE, "vector": "fused", "vmem_bytes": 65536, "raw_ho": "off", "single_slices": "off"}
"""What files of before there was a choice do not say, as far as their machine has the field."""
_SECTION = "hardware"
_MACHINE = "machine"
_UNNAMED = "custom"
_DRAM = "dram"
_BASE = "base"
"""What names the preset from which a file has the fields that it does not give."""
_REMEDY = "Change it with --set {path}=VALUE or in the YAML file"
_PRESETS_DIR = Path(__file__).parent / "presets"
_CLOCK_STEP_HZ = 1000
"""Clocks of whole kilohertz keep the conversion to a device's clock within 64 bits."""
_MOST_RATIO_TERM = 2**31 - 1
"""The same: products of a remainder with a term of the ratio fit."""

_GIGA = 10**9

_NO_OVERRIDES: Mapping[str, object] = MappingProxyType({})

_INFINITE_BANDWIDTH = "infinite_bandwidth"
_UNBOUNDED = "unbounded_queues_and_memories"
_ENDLESS_BYTES = 2**20
"""What an endless bandwidth moves in a cycle: any tile. Tiles begin at multiples of it, which stay within 64 bits."""


def _has_device(hardware: Hardware) -> bool:
    return hardware.dram_device is not None


def _is_ideal(hardware: Hardware) -> bool:
    return hardware.dram_device is None


def _has_stages(hardware: Hardware) -> bool:
    return hardware.vector == "unfused"


def _has_channels(hardware: Hardware) -> bool:
    return hardware.dram_channels > 1


def _endless_bytes_per_cycle(hardware: Hardware) -> int:
    return max(_ENDLESS_BYTES, hardware.dram_bytes_per_cycle)


def _least_latency_cycles(hardware: Hardware) -> int:
    """Return the read latency that stays where bandwidth is endless: of a device that of an open row."""
    device = hardware.dram_device
    if device is None:
        return hardware.dram_latency_cycles
    numerator, denominator = device.clock_ratio(hardware.clock_hz)
    return device.cl_cycles * denominator // numerator


class Hardware(BaseModel):
    """An accelerator and its memory system, immutable: what all machines have.

    `machine` names the kind of machine (registry.py), which brings its own model with further fields. Units are in the
    names. There are no defaults here: values and their sources come from the preset files. What each field means for
    timing is in docs/model.md. Build one with `load_hardware`, which raises ConfigError.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1), NoKnob("a label")]
    machine: Annotated[str, NoKnob("another kind of machine has other fields: run the scenario on it")]
    clock_hz: Annotated[ClockHz, NoKnob("gains are counted in its cycles")]

    tile_k: Annotated[Count, Step("size", "elements")]
    tile_n: Annotated[Count, Step("size", "elements")]
    accumulator_lanes: Annotated[Count, Step("rate", "outputs/cycle")]
    ppu_lanes: Annotated[Count, Step("rate", "outputs/cycle")]
    loop_order: Annotated[Literal["mnk", "mkn", "nmk", "nkm", "kmn", "knm", "auto"], Choice(only=("auto",))]
    residency: Annotated[Literal["auto", "resident"], Choice(only=("auto",))]
    spill: Annotated[Literal["allow", "refuse"], Choice(only=("allow",))]
    vector: Annotated[Literal["fused", "unfused", "free"], NoKnob("what is counted, not what is built")]

    wmem_bytes: Annotated[Bytes, Step("capacity", "bytes"), Ideal(_UNBOUNDED, 2**40)]
    amem_bytes: Annotated[Bytes, Step("capacity", "bytes"), Ideal(_UNBOUNDED, 2**40)]
    omem_bytes: Annotated[Bytes, Step("capacity", "bytes"), Ideal(_UNBOUNDED, 2**40)]
    psum_bytes: Annotated[Bytes, Step("capacity", "bytes of OMEM"), Ideal(_UNBOUNDED, 2**39)]
    vmem_bytes: Annotated[Bytes, Step("capacity", "bytes", when=_has_stages), Ideal(_UNBOUNDED, 2**40)]
    queue_depth: Annotated[Count, Step("depth", "slots"), Ideal(_UNBOUNDED, 2**16)]
    omem_bytes_per_cycle: Annotated[Bytes, Step("rate", "bytes/cycle")]

    dram: Annotated[
        str | DramDevice,
        NoKnob("another device is another memory: run the scenario on it"),
        Ideal(_INFINITE_BANDWIDTH, IDEAL),
    ]
    dram_channels: Annotated[Parts, Step("rate", "channels", when=_has_device)]
    dram_map: Annotated[Literal["bank_group_low", "column_low"], Choice(when=_has_device)]
    dram_policy: Annotated[Literal["fcfs", "fr_fcfs"], Choice(when=_has_device)]
    dram_age_cap_cycles: Annotated[Cycles, Step("latency", "cycles", when=_has_device)]
    dram_page: Annotated[Literal["open", "closed"], Choice(when=_has_device)]
    dram_bytes_per_cycle: Annotated[
        Bytes, Step("rate", "bytes/cycle", when=_is_ideal), Ideal(_INFINITE_BANDWIDTH, _endless_bytes_per_cycle)
    ]
    dram_latency_cycles: Annotated[
        CyclesOrZero, Step("latency", "cycles", when=_is_ideal), Ideal(_INFINITE_BANDWIDTH, _least_latency_cycles)
    ]
    interleave_bytes: Annotated[Bytes, Ge(64), Step("size", "bytes", when=_has_channels)]
    outstanding: Annotated[Count, Step("depth", "requests")]
    w_dma_priority: Annotated[CountOrZero, PortPriority()]
    x_dma_priority: Annotated[CountOrZero, PortPriority()]
    o_dma_priority: Annotated[CountOrZero, PortPriority()]
    s_dma_priority: Annotated[CountOrZero, PortPriority()]

    @property
    def tile_m(self) -> int:
        """Rows of a weight tile, which the model of each machine says."""
        raise NotImplementedError

    @property
    def multipliers(self) -> int | None:
        """Multipliers of two 4-bit slices; None on a machine whose model does not count them."""
        return None

    @property
    def sram_bytes(self) -> int:
        """Bytes of the on-chip memories; partial sums are kept in OMEM."""
        return self.wmem_bytes + self.amem_bytes + self.omem_bytes

    @property
    def dram_peak_bytes_per_cycle(self) -> float:
        """What all channels move in a cycle if their buses never pause."""
        device = self.dram_device
        if device is None:
            return float(self.dram_channels * self.dram_bytes_per_cycle)
        return self.dram_channels * device.peak_gbps * _GIGA / self.clock_hz

    @property
    def dram_device(self) -> DramDevice | None:
        """The device behind each channel, or None for the ideal memory."""
        return None if self.dram == IDEAL else dram_device(self.dram, f"{_SECTION}.dram")

    @property
    def dram_alignment_bytes(self) -> int:
        """What every tile begins at a multiple of: a burst, or what the ideal memory moves in a cycle."""
        device = self.dram_device
        return self.dram_bytes_per_cycle if device is None else device.burst_bytes

    @field_validator("dram", mode="before")
    @classmethod
    def _known_device(cls, value: object, info: ValidationInfo) -> object:
        field = f"{_SECTION}.dram"
        if value == IDEAL:
            return value
        device = dram_device(value, field, also=(IDEAL,))
        clock_hz = info.data.get("clock_hz")
        if clock_hz is not None and clock_hz % _CLOCK_STEP_HZ:
            accepted = f"a multiple of {_CLOCK_STEP_HZ} where {field} is not {IDEAL}"
            below = clock_hz // _CLOCK_STEP_HZ * _CLOCK_STEP_HZ
            hint = f"Take {' or '.join(str(each) for each in (below, below + _CLOCK_STEP_HZ) if each)}"
            raise ConfigError(f"{_SECTION}.clock_hz", clock_hz, accepted, hint)
        if clock_hz is not None and max(device.clock_ratio(clock_hz)) > _MOST_RATIO_TERM:
            accepted = f"a clock whose ratio to that of {field} ({device.clock_ps} ps) is one of numbers below 2^31"
            raise ConfigError(f"{_SECTION}.clock_hz", clock_hz, accepted, "Take a multiple of 1000000")
        # A name stays a name; the content of a user's file is kept, so that a run can be made again without the file.
        return value if is_named_device(value) else device

    @field_validator("interleave_bytes")
    @classmethod
    def _whole_bursts(cls, value: int, info: ValidationInfo) -> int:
        if value.bit_count() != 1:
            message = "a power of two"
            raise ValueError(message)
        dram = info.data.get("dram", IDEAL)
        if dram != IDEAL:
            burst_bytes = dram_device(dram, f"{_SECTION}.dram").burst_bytes
            if value < burst_bytes:
                message = f"at least a burst of {_SECTION}.dram = {burst_bytes}"
                raise ValueError(message)
        return value


@dataclass(frozen=True)
class Source:
    """Where a hardware figure comes from.

    `standing` is S (read in the source named), 2 (second-hand), D (derived) or A (our assumption).
    """

    standing: Literal["S", "2", "D", "A"]
    text: str


@dataclass(frozen=True)
class _PresetEntry:
    value: object
    source: Source


def settings_model(machine: object) -> type[Hardware]:
    """Return the model of the settings of a kind of machine; raises ConfigError for an unknown one."""
    model: type[Hardware] = settings_of(machine)
    return model


def list_presets() -> list[str]:
    """Return the names of the hardware presets, sorted."""
    return sorted(path.stem for path in _PRESETS_DIR.glob("*.yaml"))


def list_added_hardware() -> list[str]:
    """Return the names of hardware that packages add; raises ConfigError if one of them is taken."""
    return plugin_names("hardware", list_presets())


def field_sources(preset: str = DEFAULT_PRESET) -> dict[str, Source]:
    """Return the source of every field of `preset` (all but its name); raises ConfigError for an unknown preset.

    What the hardware of a package says itself has its file as the source.
    """
    path = None if preset in list_presets() else plugin_path("hardware", preset)
    if path is None:
        return {field: entry.source for field, entry in _preset_entries(preset).items()}
    said = read_mapping(path)
    sources = field_sources(str(said.pop(_BASE, DEFAULT_PRESET)))
    sources |= dict.fromkeys(said, Source("A", f"as given in {path.name} of a package"))
    fields = _values_of(preset).keys() - {"name"}
    return {field: source for field, source in sources.items() if field in fields}


def load_hardware(
    given: str | Path | Mapping[str, object], overrides: Mapping[str, object] = _NO_OVERRIDES
) -> Hardware:
    """Return the hardware of a preset, of a package, of a YAML file or of what such a file holds.

    `overrides` (field to value) go on top. A file holds `field: value` pairs that replace those of the preset named by
    `base` (default `panacea`); its `name` is the file's unless it gives one, and "custom" without a file. Files that it
    names lie beside it. Raises ConfigError naming the file or `hardware.<field>`.
    """
    return _validated(_replaced(_values_of(given), overrides))


def _values_of(given: str | Path | Mapping[str, object]) -> dict[str, object]:
    if isinstance(given, Mapping):
        return _based({"name": _UNNAMED} | dict(given))
    if _is_file(given):
        return _file_values(Path(given))
    name = str(given)
    if name not in list_presets() and name in list_added_hardware():
        path = plugin_path("hardware", name)
        assert path is not None
        return _file_values(path) | {"name": name}
    return _preset_values(name)


def beside_file(values: Mapping[str, object], folder: Path) -> dict[str, object]:
    """Return the fields of a hardware file, with the paths of machine and device as they are from the file's folder."""
    beside = dict(values)
    for field in (_MACHINE, _DRAM):
        value = beside.get(field)
        if isinstance(value, str) and value.endswith((".py", ".yaml", ".yml")):
            beside[field] = str(folder / value)
    return beside


def with_settings(hardware: Hardware, overrides: Mapping[str, object]) -> Hardware:
    """Return `hardware` with some fields replaced; raises ConfigError naming `hardware.<field>`."""
    return _validated(_replaced(hardware.model_dump(), overrides))


def parse_settings(
    settings: Iterable[str],
    hardware: Hardware | str | Path | None = None,
    given: Mapping[str, object] = _NO_OVERRIDES,
) -> dict[str, object]:
    """Return the overrides that `hardware.FIELD=VALUE` texts spell, keyed by field name; the last one counts.

    Fields are those of all machines that have a name, and of machines whose files these settings, those `given` before
    them, or the hardware name. Values are read as YAML does. Raises ConfigError for another form or an unknown path;
    values are checked when they are applied.
    """
    spelled = []
    for setting in settings:
        path, equals, text = (part.strip() for part in setting.partition("="))
        if not equals or not path:
            raise ConfigError("--set", repr(setting), "PATH=VALUE", "For example --set hardware.n_dwo=8")
        spelled.append((path, text))
    if not spelled:
        return {}
    named = [text for path, text in spelled if path == f"{_SECTION}.{_MACHINE}"]
    paths = _setting_paths([*named, given.get(_MACHINE), *_machines_of(hardware)])
    overrides: dict[str, object] = {}
    for path, text in spelled:
        overrides[_setting_field(path, paths)] = parse_scalar(path, text)
    return overrides


def setting_fields(
    settings: Mapping[str, object], hardware: Hardware | str | Path | Mapping[str, object] | None = None
) -> dict[str, object]:
    """Return overrides keyed by field name; `settings` names a field alone (n_dwo) or by its path (hardware.n_dwo).

    Fields are those of `parse_settings`. Raises ConfigError as it does for an unknown path, and for a field that is
    named both ways.
    """
    named = [settings.get(_MACHINE), settings.get(f"{_SECTION}.{_MACHINE}")]
    paths = _setting_paths([*named, *_machines_of(hardware)])
    overrides: dict[str, object] = {}
    for name, value in settings.items():
        path = name if str(name).startswith(f"{_SECTION}.") else f"{_SECTION}.{name}"
        field = _setting_field(path, paths)
        if field in overrides:
            raise ConfigError("--set", f"both {field!r} and {path!r}", "each field once", "Leave one of them out")
        overrides[field] = value
    return overrides


def _setting_paths(machines: Iterable[object]) -> dict[str, str]:
    """Return the path of every field of machines that have a name, and of those whose files are given."""
    models = [settings_model(machine) for machine in [*machine_names(), *filter(is_machine_file, machines)]]
    return {f"{_SECTION}.{field}": field for model in models for field in model.model_fields}


def _setting_field(path: str, paths: Mapping[str, str]) -> str:
    if path not in paths:
        raise ConfigError("--set", f"the unknown path {path!r}", ", ".join(paths), nearest_name(path, paths))
    return paths[path]


def from_mapping(values: Mapping[str, object], remedy: str = _REMEDY) -> Hardware:
    """Return the hardware that has exactly these field values.

    Raises ConfigError naming `hardware.<field>`, with `remedy` as the hint where none fits better.
    """
    return _validated(dict(values), remedy)


def _machines_of(hardware: Hardware | str | Path | Mapping[str, object] | None) -> Iterator[object]:
    """Return the machine that a hardware names, if it is one."""
    if isinstance(hardware, Hardware):
        yield hardware.machine
    elif hardware is not None:
        yield _values_of(hardware).get(_MACHINE)


def _replaced(values: Mapping[str, object], overrides: Mapping[str, object]) -> dict[str, object]:
    """Return the values with others on top; of another machine than before only what all machines have is kept."""
    machine = _machine_named(values.get(_MACHINE))
    if _machine_named(overrides.get(_MACHINE, machine)) != machine:
        values = {field: value for field, value in values.items() if field in Hardware.model_fields}
    return {**values, **overrides}


def _validated(values: dict[str, object], remedy: str = _REMEDY) -> Hardware:
    machine = _machine_named(values.get(_MACHINE, DEFAULT_MACHINE))
    model = settings_model(machine)
    earlier = {field: value for field, value in _EARLIER.items() if field in model.model_fields}
    try:
        return model.model_validate(earlier | values | {_MACHINE: machine})
    except ValidationError as error:
        raise config_error(_SECTION, model, error, remedy) from error


def _machine_named(machine: object) -> object:
    """Return the name of a machine; one that is named by its file has a path that holds wherever a process stands."""
    return str(Path(str(machine)).resolve()) if is_machine_file(machine) else machine


def _is_file(name_or_path: str | Path) -> bool:
    if isinstance(name_or_path, Path):
        return True
    if name_or_path in list_presets():
        return False
    path = Path(name_or_path)
    return path.suffix in {".yaml", ".yml"} or len(path.parts) > 1 or path.is_file()


def _preset_values(preset: str) -> dict[str, object]:
    return {"name": preset} | {field: entry.value for field, entry in _preset_entries(preset).items()}


def _preset_entries(preset: str) -> dict[str, _PresetEntry]:
    presets = list_presets()
    if preset not in presets:
        presets += list_added_hardware()
        accepted = f"a preset ({', '.join(presets)}) or the path of a YAML file"
        raise ConfigError(_SECTION, f"the unknown preset {preset!r}", accepted, nearest_name(preset, presets))
    table = read_mapping(_PRESETS_DIR / f"{preset}.yaml")
    base = table.pop(_BASE, None)
    # Another machine has other fields beside those that all have.
    shared = {} if base is None else _preset_entries(str(base))
    return {field: entry for field, entry in shared.items() if field in Hardware.model_fields} | {
        field: _PresetEntry(entry["value"], Source(entry["standing"], entry["source"]))
        for field, entry in cast("dict[str, dict[str, Any]]", table).items()
    }


def _file_values(path: Path) -> dict[str, object]:
    return _based({"name": path.stem} | beside_file(read_mapping(path), path.parent))


def _based(values: dict[str, object]) -> dict[str, object]:
    """Return the values on top of those of the preset that they name as their base."""
    base = values.pop(_BASE, DEFAULT_PRESET)
    return _replaced(_preset_values(str(base)), values)
