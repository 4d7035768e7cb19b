"""Hardware: the default machine, where values come from, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from pydantic import ValidationError
from strategies import hardware_settings

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import (
    field_sources,
    list_presets,
    load_hardware,
    parse_settings,
    settings_model,
    with_settings,
)
from panacea_sim.units import KIB

if TYPE_CHECKING:
    from pathlib import Path

DEFAULTS = {
    "name": "panacea",
    "machine": "panacea",
    "clock_hz": 10**9,
    "n_pea": 16,
    "v": 4,
    "tile_k": 32,
    "tile_n": 64,
    "n_dwo": 4,
    "n_swo": 8,
    "n_cs": 4,
    "pea_latency_cycles": 8,
    "accumulator_lanes": 64,
    "ppu_lanes": 32,
    "dtp": "auto",
    "loop_order": "auto",
    "residency": "auto",
    "spill": "allow",
    "vector": "fused",
    "wmem_bytes": 96 * KIB,
    "amem_bytes": 64 * KIB,
    "omem_bytes": 32 * KIB,
    "psum_bytes": 16 * KIB,
    "vmem_bytes": 64 * KIB,
    "queue_depth": 2,
    "codec_bytes_per_cycle": 32,
    "raw_ho": "off",
    "sram_bytes_per_cycle": 64,
    "omem_bytes_per_cycle": 256,
    "dram": "hbm2",
    "dram_channels": 2,
    "dram_map": "bank_group_low",
    "dram_policy": "fr_fcfs",
    "dram_age_cap_cycles": 500,
    "dram_page": "open",
    "dram_bytes_per_cycle": 32,
    "dram_latency_cycles": 50,
    "interleave_bytes": 256,
    "outstanding": 4,
    "w_dma_priority": 0,
    "x_dma_priority": 0,
    "o_dma_priority": 0,
    "s_dma_priority": 0,
}
WHOLE_NUMBERS = [field for field, value in DEFAULTS.items() if isinstance(value, int) and not isinstance(value, bool)]
MAY_BE_ZERO = {"pea_latency_cycles", "dram_latency_cycles", *(f"{stream}_dma_priority" for stream in "wxos")}
MOST = {
    "clock_hz": 10**10,
    **dict.fromkeys(["n_pea", "dram_channels"], 1024),
    **dict.fromkeys(["pea_latency_cycles", "dram_latency_cycles", "dram_age_cap_cycles"], 2**31 - 1),
    **{field: 2**40 for field in WHOLE_NUMBERS if field.endswith(("_bytes", "_bytes_per_cycle"))},
}
"""The largest number of each field by the rule for its kind; those that are counts and depths are left out."""
CHOICES = {"v": "one of 1, 2, 4, 8"}


def accepted_text(field: str) -> str:
    """Return what the message says that `field` accepts."""
    lowest = 64 if field == "interleave_bytes" else 0 if field in MAY_BE_ZERO else 1
    return CHOICES.get(field, f"a whole number in {lowest} .. {MOST.get(field, 65_536)}")


def refused(field: str, found: str, accepted: str) -> str:
    """Return the pattern of the message that refuses `found` for `field`."""
    return "^" + re.escape(
        f"hardware.{field}: found {found}; accepted: {accepted}. Change it with --set hardware.{field}="
    )


def test_default_machine() -> None:
    """The preset panacea holds the documented defaults, field by field."""
    assert load_hardware("panacea").model_dump() == DEFAULTS


def test_tile_m_is_derived() -> None:
    """A weight tile has one group of v rows for every PEA."""
    assert load_hardware("panacea").tile_m == 64
    assert load_hardware("panacea", {"n_pea": 3, "v": 8}).tile_m == 24


def test_hardware_is_immutable() -> None:
    """A field of a loaded machine cannot be assigned."""
    hardware = load_hardware("panacea")
    with pytest.raises(ValidationError, match="frozen"):
        hardware.n_pea = 8  # type: ignore[misc]


def test_python_has_no_defaults() -> None:
    """The preset file is the only table of defaults: every field of the model is required."""
    assert all(field.is_required() for field in settings_model("panacea").model_fields.values())


@pytest.mark.parametrize("preset", list_presets())
def test_every_field_has_a_source(preset: str) -> None:
    """A preset gives every field but the name, each with a standing and a text."""
    sources = field_sources(preset)
    assert set(sources) | {"name"} == set(type(load_hardware(preset)).model_fields)
    assert all(source.standing in {"S", "2", "D", "A"} and source.text for source in sources.values())


def test_assumptions_are_called_ours() -> None:
    """Only the number of PE arrays is second-hand from the paper; everything else says that it is ours."""
    sources = field_sources()
    assert {field for field, source in sources.items() if source.standing != "A"} == {"n_pea"}
    assert all(source.text.startswith("our ") for source in sources.values() if source.standing == "A")


def test_list_presets() -> None:
    """The default machine is among the presets, which are sorted."""
    presets = list_presets()
    assert "panacea" in presets
    assert presets == sorted(presets)


@given(hardware_settings())
def test_settings_reach_their_fields(settings: dict[str, object]) -> None:
    """Valid values given as --set texts change their fields and no other."""
    overrides = parse_settings(f"hardware.{field}={value}" for field, value in settings.items())
    assert load_hardware("panacea", overrides).model_dump() == DEFAULTS | settings
    assert with_settings(load_hardware("panacea"), settings) == load_hardware("panacea", overrides)


@pytest.mark.parametrize("field", WHOLE_NUMBERS)
@pytest.mark.parametrize("value", [True, 4.0, "4", None, [4]], ids=repr)
def test_only_whole_numbers(field: str, value: object) -> None:
    """A whole-number field refuses booleans, floats, texts, nothing and lists."""
    with pytest.raises(ConfigError, match=refused(field, repr(value), accepted_text(field))):
        load_hardware("panacea", {field: value})


@pytest.mark.parametrize("field", WHOLE_NUMBERS)
def test_below_the_lowest(field: str) -> None:
    """A whole-number field refuses the largest number below its range, and the message names the range."""
    value = 63 if field == "interleave_bytes" else -1 if field in MAY_BE_ZERO else 0
    with pytest.raises(ConfigError, match=refused(field, str(value), accepted_text(field))):
        load_hardware("panacea", {field: value})


@pytest.mark.parametrize("field", [field for field in WHOLE_NUMBERS if field not in CHOICES])
def test_above_the_highest(field: str) -> None:
    """A whole-number field takes its largest number, and refuses the next one and one of hundreds of digits."""
    most = MOST.get(field, 65_536)
    beside = {"dram": "ideal"} if field == "clock_hz" else {}
    assert getattr(load_hardware("panacea", {field: most, **beside}), field) == most
    for value in (most + 1, 10**300):
        with pytest.raises(ConfigError, match=rf"^hardware\.{field}: found .*" + re.escape(accepted_text(field))):
            load_hardware("panacea", {field: value})


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ("dram_bytes_per_cycle=12.5", "Take 12 or 13"),
        ("omem_bytes_per_cycle=0.5", "Take 1"),
        ("clock_hz=1.5", "Take 1 or 2"),
        ("codec_bytes_per_cycle=2.1e1", None),
        ("n_pea=1024.5", "Take 1024"),
        ("sram_bytes_per_cycle=6.25e1", "Take 62 or 63"),
        ("queue_depth=-0.5", "Change it with --set hardware.queue_depth=VALUE"),
    ],
)
def test_neighbours(setting: str, hint: str | None) -> None:
    """A number with a fraction, where a whole one is needed, is refused with those beside it that are accepted."""
    settings = parse_settings([f"hardware.{setting}"])
    if hint is None:
        assert load_hardware("panacea", settings).model_dump() == DEFAULTS | {"codec_bytes_per_cycle": 21}
        return
    with pytest.raises(ConfigError, match=rf"accepted: a whole number in .*\. {re.escape(hint)}"):
        load_hardware("panacea", settings)


@pytest.mark.parametrize(
    ("field", "value", "found", "accepted"),
    [
        ("queue_depth", -1, "-1", "a whole number in 1 .. 65536"),
        ("dram_bytes_per_cycle", 0, "0", "a whole number in 1 .. 1099511627776"),
        ("v", 3, "3", "one of 1, 2, 4, 8"),
        ("dram_channels", 0, "0", "a whole number in 1 .. 1024"),
        ("dram_map", "row_low", "'row_low'", "one of 'bank_group_low', 'column_low'"),
        ("dram_policy", "lifo", "'lifo'", "one of 'fcfs', 'fr_fcfs'"),
        ("dram_page", "ajar", "'ajar'", "one of 'open', 'closed'"),
        ("dtp", "always", "'always'", "one of 'off', 'on', 'auto'"),
        ("loop_order", "mmk", "'mmk'", "one of 'mnk', 'mkn', 'nmk', 'nkm', 'kmn', 'knm', 'auto'"),
        ("residency", "stay", "'stay'", "one of 'auto', 'resident'"),
        ("spill", "never", "'never'", "one of 'allow', 'refuse'"),
        ("tile_n", 6, "6", "a whole number in 1 .. 65536 that is a multiple of hardware.v = 4"),
        ("interleave_bytes", 96, "96", "a whole number in 64 .. 1099511627776 that is a power of two"),
        ("name", "", "''", "text of length >= 1"),
    ],
)
def test_refused_value(field: str, value: object, found: str, accepted: str) -> None:
    """A value out of a field's rule is refused with the field, the value, the rule and what to do."""
    with pytest.raises(ConfigError, match=refused(field, found, accepted)):
        load_hardware("panacea", {field: value})


def test_other_errors_are_counted() -> None:
    """The message tells the first of several errors and counts the others."""
    with pytest.raises(ConfigError, match=r"^hardware\.wmem_bytes: found -5; .*Other fields with errors: 2$"):
        load_hardware("panacea", {"n_dwo": 0, "n_pea": 0, "wmem_bytes": -5})


def test_unknown_field_suggests() -> None:
    """An unknown field is refused with the nearest name."""
    with pytest.raises(ConfigError, match=r"^hardware\.n_dwos: found an unknown field; .*Did you mean 'n_dwo'\?$"):
        with_settings(load_hardware("panacea"), {"n_dwos": 3})


def test_unknown_field_far_from_any() -> None:
    """An unknown field like no other is to be removed."""
    with pytest.raises(ConfigError, match=r"^hardware\.zzzz: found an unknown field; .*Remove it$"):
        with_settings(load_hardware("panacea"), {"zzzz": 3})


@pytest.mark.parametrize(
    ("word", "dtp"), [("off", "off"), ("'off'", "off"), ("false", "off"), ("on", "on"), ("true", "on")]
)
def test_off_and_on_are_words(word: str, dtp: str) -> None:
    """The words off and on, which YAML reads as booleans, are accepted where they name a policy."""
    assert load_hardware("panacea", parse_settings([f"hardware.dtp={word}"])).dtp == dtp


def test_last_setting_counts() -> None:
    """A path that is set twice keeps the last value; space around the parts is ignored."""
    assert parse_settings(["hardware.n_dwo=8", " hardware.n_dwo = 6 "]) == {"n_dwo": 6}


@pytest.mark.parametrize("setting", ["hardware.n_dwo", "=8", "", "hardware.n_dwo:8"])
def test_setting_of_another_form(setting: str) -> None:
    """A setting that is not PATH=VALUE is refused with an example."""
    pattern = re.escape(f"--set: found {setting!r}; accepted: PATH=VALUE. For example --set hardware.n_dwo=8")
    with pytest.raises(ConfigError, match=f"^{pattern}$"):
        parse_settings([setting])


@pytest.mark.parametrize("path", ["hardware.n_dwos", "n_dwo", "hardwear.n_dwo"])
def test_unknown_path_suggests(path: str) -> None:
    """An unknown path is refused with the nearest one."""
    with pytest.raises(
        ConfigError, match=rf"^--set: found the unknown path '{path}'; .*Did you mean 'hardware\.n_dwo'\?$"
    ):
        parse_settings([f"{path}=8"])


def test_setting_that_yaml_cannot_read() -> None:
    """A value that is not YAML is refused with its path."""
    with pytest.raises(ConfigError, match=r"^hardware\.n_pea: found '\['; accepted: a YAML value such as 8 or ideal$"):
        parse_settings(["hardware.n_pea=["])


def test_unknown_preset_suggests() -> None:
    """An unknown preset is refused with the nearest one."""
    with pytest.raises(
        ConfigError, match=r"^hardware: found the unknown preset 'panaceo'; .*Did you mean 'panacea'\?$"
    ):
        load_hardware("panaceo")
    with pytest.raises(ConfigError, match="the unknown preset 'panaceo'"):
        field_sources("panaceo")


def test_file_over_a_preset(tmp_path: Path) -> None:
    """A YAML file replaces fields of the default preset, takes its file's name, and yields to overrides."""
    path = tmp_path / "wide.yaml"
    path.write_text("n_dwo: 6\nn_swo: 6\n", encoding="utf-8")
    expected = DEFAULTS | {"name": "wide", "n_dwo": 6, "n_swo": 6}
    assert load_hardware(path).model_dump() == expected
    assert load_hardware(str(path), {"n_swo": 5}).model_dump() == expected | {"n_swo": 5}


def test_file_names_itself_and_its_base(tmp_path: Path) -> None:
    """A YAML file may give a name and the preset that it starts from."""
    path = tmp_path / "machine.yml"
    path.write_text("base: panacea\nname: mine\ndtp: off\n", encoding="utf-8")
    assert load_hardware(path).model_dump() == DEFAULTS | {"name": "mine", "dtp": "off"}


def test_file_with_unknown_base(tmp_path: Path) -> None:
    """A base that is no preset is refused with the nearest one."""
    path = tmp_path / "machine.yaml"
    path.write_text("base: panacae\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"found the unknown preset 'panacae'; .*Did you mean 'panacea'\?"):
        load_hardware(path)


def test_file_without_suffix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare name that is no preset is read as a file where there is one."""
    (tmp_path / "machine").write_text("n_pea: 2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert load_hardware("machine").n_pea == 2


def test_file_with_unknown_field(tmp_path: Path) -> None:
    """A misspelt field in a file is refused with the nearest name."""
    path = tmp_path / "machine.yaml"
    path.write_text("queue_dept: 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^hardware\.queue_dept: found an unknown field; .*'queue_depth'"):
        load_hardware(path)
