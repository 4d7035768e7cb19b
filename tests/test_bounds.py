"""Bounds of whole numbers: what lies beyond them is refused before any work, wherever it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from panacea_sim.bounds import Bytes, Count, Parts, Seed, Size, bounds_of
from panacea_sim.checks import require_kind
from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (Parts, 1, 1024),
        (Count, 1, 65_536),
        (Size, 1, 2_147_483_647),
        (Bytes, 1, 1_099_511_627_776),
        (Seed, 0, 2**128 - 1),
    ],
)
def test_the_table(kind: object, least: int, most: int) -> None:
    """Each kind takes its least and its greatest number and refuses what is beside them, with both in the message."""
    assert bounds_of(kind) == (least, most)
    assert [require_kind("x", value, kind) for value in (least, most)] == [least, most]
    for value in (least - 1, most + 1, 10**400):
        with pytest.raises(ConfigError, match=rf"^x: found {value}; accepted: a whole number in {least} \.\. {most}$"):
            require_kind("x", value, kind)
    for other in (1.5, True, "1", None):
        with pytest.raises(ConfigError, match=r"^x: found .*; accepted: a whole number"):
            require_kind("x", other, kind)


@pytest.mark.parametrize(
    "make", [lambda **sizes: MaskedLayer("layer", **sizes), synthetic_layer], ids=["masked", "drawn"]
)
@pytest.mark.parametrize("field", ["M", "K", "N"])
@pytest.mark.parametrize("value", [2**31, 2**62, 10**20])
def test_sizes_of_layers(make: Callable[..., object], field: str, value: int) -> None:
    """A layer whose size does not fit 31 bits is refused with its field, before anything is drawn."""
    sizes = {"M": 4, "K": 4, "N": 4, "rho_w": 0.5, "rho_x": 0.5, "seed": 1, field: value}
    with pytest.raises(
        ConfigError, match=rf"^layer\.{field}: found {value}; accepted: a whole number in 1 \.\. 2147483647"
    ):
        make(**sizes)


@pytest.mark.parametrize(
    ("setting", "accepted"),
    [
        ("tile_n=1099511627776", "1 .. 65536"),
        ("tile_k=65540", "1 .. 65536"),
        ("dram_channels=100000", "1 .. 1024"),
        ("n_pea=100000", "1 .. 1024"),
        ("queue_depth=1e9", "1 .. 65536"),
        ("omem_bytes=1e20", "1 .. 1099511627776"),
        ("dram_latency_cycles=4611686018427387904", "0 .. 2147483647"),
        ("interleave_bytes=2199023255552", "64 .. 1099511627776"),
        ("clock_hz=1e13", "1 .. 10000000000"),
        ("dram_bytes_per_cycle=12.5", "1 .. 1099511627776. Take 12 or 13"),
        ("n_dwo=1:30", "1 .. 65536"),
        ("n_swo=" + "9" * 5000, "a YAML value such as 8 or ideal"),
    ],
)
def test_settings_of_the_command_line(
    setting: str, accepted: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A silly number ends the command with one message, exit code 2 and nothing written."""
    save_layer(synthetic_layer(4, 4, 4, 0.5, 0.5, 1), tmp_path / "layer.npz")
    command = ["gemm", str(tmp_path / "layer.npz"), "--out", str(tmp_path / "out"), "--set", f"hardware.{setting}"]
    assert main(command) == 2
    field = setting.partition("=")[0]
    errors = capsys.readouterr().err
    assert re.match(rf"^error: hardware\.{field}: found .*; accepted: .*{re.escape(accepted)}", errors), errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["layer.npz"]


def test_numbers_of_yaml_in_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """010 is ten and 1e2 a hundred, in a file and on the command line alike."""
    save_layer(synthetic_layer(4, 4, 4, 0.5, 0.5, 1), tmp_path / "layer.npz")
    (tmp_path / "machine.yaml").write_text(
        "n_dwo: 010\nwmem_bytes: 1e5\nclock_hz: 1.0e+9\ndtp: off\n", encoding="utf-8"
    )
    common = ["gemm", str(tmp_path / "layer.npz"), "--out"]
    assert main([*common, str(tmp_path / "a"), "--hardware", str(tmp_path / "machine.yaml")]) == 0
    settings = ["hardware.n_dwo=010", "hardware.wmem_bytes=1e5", "hardware.clock_hz=1.0e+9", "hardware.dtp=off"]
    settings += ["hardware.name=machine"]
    assert main([*common, str(tmp_path / "b"), *(part for each in settings for part in ("--set", each))]) == 0
    written = [(tmp_path / name / "scenario.yaml").read_text(encoding="utf-8") for name in "ab"]
    assert written[0] == written[1]
    assert {"  n_dwo: 10", "  wmem_bytes: 100000", "  clock_hz: 1000000000", "  dtp: off"} <= set(
        written[0].splitlines()
    )
    assert "error" not in capsys.readouterr().err
