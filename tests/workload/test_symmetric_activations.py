"""Symmetric activations: int8 codes with the zero point 0, which a layer admits and not every machine accepts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running.digest import run_digest
from panacea_sim.running.prepare import layer_candidates, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.chain import chain_graph
from panacea_sim.workload.functional import functional_pass, real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.layer_file import layer_file
from panacea_sim.workload.npz import load_layer, save_layer

WEIGHT = np.array([[1, -2, 3], [60, 5, -64]], np.int8)
CODES = np.array([[-128, 127], [0, -1], [5, 9]], np.int8)
ADD_128 = "Add 128 to codes and zero point: (codes.astype(int) + 128).astype(np.uint8)"


def _layer(**changes: Any) -> GemmLayer:  # noqa: ANN401 (fields of every type)
    return GemmLayer(**({"name": "signed", "weight": WEIGHT, "activation": CODES, "zero_point": 0} | changes))


@given(hnp.arrays(np.int8, (3, 2), elements=st.integers(-128, 127)))
def test_a_symmetric_layer_is_the_product_of_its_codes(codes: npt.NDArray[np.int8]) -> None:
    """Accumulators and real outputs are those of the signed codes, and the zero slice is the frequent one."""
    layer = _layer(activation=codes, activation_scale=0.5)
    wanted = WEIGHT.astype(object) @ codes.astype(object)
    assert layer.is_symmetric
    assert layer.frequent == (0,)
    assert np.array_equal(layer.reference_accumulator(), wanted)
    assert np.array_equal(real_outputs(layer, layer.reference_accumulator()), wanted * 0.5)
    assert np.array_equal(functional_pass(layer).accumulator, wanted)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"zero_point": 3}, f"layer.zero_point: found 3; accepted: 0, as the activation is int8. {ADD_128}"),
        ({"activation_bits": 4}, "layer.activation_bits: found 4; accepted: 7 or 8, as the activation is int8."),
        ({"activation_bits": 12}, "layer.activation_bits: found 12; accepted: 7 or 8, as the activation is int8."),
        ({"activation_bits": 7}, "layer.activation: found -128 at [0, 0]; accepted: -64 .. 63"),
        ({"lo_bits": 5}, "layer.lo_bits: found 5; accepted: 4, as the activation is int8."),
        ({"r": (0,)}, "layer.r: found (0,); accepted: None, as the activation is int8."),
        ({"r": "mode"}, "layer.r: found 'mode'; accepted: None, as the activation is int8."),
        ({"activation": CODES.astype(np.int16)}, "layer.activation: found dtype int16; accepted: a matrix of uint8"),
        ({"activation": CODES[0]}, "layer.activation: found 1 dimensions, shape (2,)"),
        ({"activation": CODES[:2]}, "layer.activation: found K = 2"),
    ],
)
def test_what_is_not_symmetric_is_refused(changes: dict[str, Any], text: str) -> None:
    """Signed codes have 7 or 8 bits and fit them, the zero point 0, no DBS and no r."""
    with pytest.raises(ConfigError, match="^" + re.escape(text)):
        _layer(**changes)


def test_a_file_keeps_the_codes(tmp_path: Path) -> None:
    """What is saved is loaded, and the headers tell that it is symmetric."""
    path = tmp_path / "signed.npz"
    save_layer(_layer(), path)
    loaded = load_layer(path)
    assert loaded.activation.dtype == np.int8
    assert np.array_equal(loaded.activation, CODES)
    assert layer_file(path).is_symmetric


def test_symmetric_codes_have_a_digest_of_their_own() -> None:
    """The same numbers as unsigned codes are another layer: a machine may treat them otherwise."""
    hardware = load_hardware("panacea")
    codes = np.abs(CODES // 2)
    digests = {
        run_digest([_layer(activation=codes.astype(kind))], hardware, "overlap", values=True)
        for kind in (np.int8, np.uint8)
    }
    assert len(digests) == 2


def test_symmetric_codes_follow_no_layer() -> None:
    """A layer writes unsigned codes, so none with symmetric codes reads them."""
    previous = GemmLayer("first", WEIGHT, CODES.view(np.uint8), 0, output=OutputFormat(1.0, 0))
    computed = functional_pass(previous)
    codes = np.minimum(computed.output, 127).astype(np.int8)
    layer = _layer(weight=WEIGHT[:, :2], activation=codes, source="first")
    with pytest.raises(ConfigError, match=r"layer\.activation: found symmetric codes; accepted: those that 'first'"):
        chain_graph([previous, layer], [computed, None])


def _scenario(**changes: Any) -> Scenario:  # noqa: ANN401 (fields of every type)
    return Scenario("signed", _layer(), **changes)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: prepare(_scenario()),
        lambda: prepare(_scenario(schedule="barrier")),
        lambda: prepare(_scenario(values=False)),
        lambda: layer_candidates(_layer(), load_hardware("panacea")),
    ],
    ids=["overlap", "barrier", "without values", "map"],
)
def test_panacea_refuses_symmetric_codes(attempt: Callable[[], object]) -> None:
    """No machine shifts codes silently: the message says how to."""
    wanted = (
        f"layer.activation: found symmetric codes in 'signed'; accepted: unsigned codes, on this machine. {ADD_128}"
    )
    with pytest.raises(ConfigError, match="^" + re.escape(wanted)):
        attempt()


@pytest.mark.parametrize("command", ["gemm", "map"])
def test_commands_refuse_symmetric_codes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A layer file with symmetric codes ends a command with the same message, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    save_layer(_layer(), "signed.npz")
    assert main([command, "signed.npz"]) == 2
    assert ADD_128 in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["signed.npz"]
