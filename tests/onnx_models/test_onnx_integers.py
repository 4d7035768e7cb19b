"""Models that are quantized already: codes, scales, zero points and bits as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.errors import ConfigError  # noqa: E402
from panacea_sim.onnx_models.imported import ImportedLayer, ImportedModel  # noqa: E402
from panacea_sim.onnx_models.load import load_model  # noqa: E402

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(9)
K, M = 6, 4


def _weight(low: int, high: int, dtype: type = np.int8) -> Array:
    codes = RNG.integers(low, high, (K, M), endpoint=True).astype(dtype)
    codes[0, :2] = low, high
    return codes


def _loaded(
    nodes: list[Any], constants: dict[str, Any], folder: Path, opset: int = 17
) -> tuple[ImportedModel, ImportedLayer]:
    held = {name: np.asarray(value) for name, value in constants.items()}
    model = load_model(write_model(folder / "model.onnx", small_model(nodes, {"x": (3, K)}, "y", held, opset)))
    (layer,) = model.layers.values()
    return model, layer


_QUANTIZED = [
    node("QuantizeLinear", "x sx zx", "qx"),
    node("DequantizeLinear", "qx sx zx", "dx"),
    node("DequantizeLinear", "w sw zw", "dw"),
    node("MatMul", "dx dw", "y", name="R"),
]
_ACTIVATION = {"sx": np.float32(0.05), "zx": np.uint8(100)}


@pytest.mark.parametrize(
    ("weight", "zero_point", "bits"),
    [
        (_weight(-8, 7), 0, 4),
        (_weight(-64, 63), 0, 7),
        (_weight(-64, 64), 0, 10),
        (_weight(-128, 127), 0, 10),
        (_weight(100, 110, np.uint8), 105, 4),
        (_weight(0, 255, np.uint8), 128, 10),
    ],
)
def test_bits_are_those_of_the_values(weight: Array, zero_point: int, bits: int, tmp_path: Path) -> None:
    """Codes less their zero point have the fewest bits that hold them, whatever their type."""
    constants = {"w": weight, "sw": np.float32(0.02), "zw": np.array(zero_point, weight.dtype), **_ACTIVATION}
    model, layer = _loaded(_QUANTIZED, constants, tmp_path)
    assert (layer.gemm.weight_bits, layer.gemm.activation_bits) == (bits, 8)
    assert len(layer.gemm.rho_w or ()) == {4: 0, 7: 1, 10: 2}[bits]
    values = model.recorder(extra=["y"]).run({"x": RNG.normal(size=(3, K)).astype(np.float32)})
    ours = next(layer.weight.weight_codes(values))
    np.testing.assert_array_equal(ours.codes, weight.T.astype(int) - zero_point)
    codes = next(layer.activation.activation_codes(values))
    assert (codes.zero_point, codes.scale) == (100, pytest.approx(0.05))
    real = (ours.codes @ (codes.codes - 100)).T * 0.02 * 0.05
    np.testing.assert_allclose(real, values["y"], rtol=1e-4, atol=1e-5)


def test_scales_of_channels_through_a_transposition(tmp_path: Path) -> None:
    """A weight that is dequantized by rows and then turned keeps a scale for each output."""
    scales = RNG.uniform(0.01, 0.1, M).astype(np.float32)
    nodes = [node("DequantizeLinear", "w sw zw", "d", axis=0), node("Transpose", "d", "t"), node("MatMul", "x t", "y")]
    weight = _weight(-64, 63).T.copy()
    model, layer = _loaded(nodes, {"w": weight, "sw": scales, "zw": np.zeros(M, np.int8)}, tmp_path)
    values = model.recorder().run({"x": np.zeros((3, K), np.float32)})
    codes = next(layer.weight.weight_codes(values))
    np.testing.assert_array_equal(codes.codes, weight)
    np.testing.assert_array_equal(codes.scale, scales.astype(np.float64))
    assert layer.activation.encoding is None


def test_weights_alone_may_be_integers(tmp_path: Path) -> None:
    """int8 -> Cast -> Sub -> Mul is a weight of integers; the activation stays real."""
    nodes = [
        node("Cast", "w", "f", to=1),
        node("Sub", "f zero", "c"),
        node("Mul", "scale c", "d"),
        node("MatMul", "x d", "y"),
    ]
    scales = RNG.uniform(0.01, 0.1, (1, M)).astype(np.float32)
    weight = _weight(-60, 60)
    model, layer = _loaded(nodes, {"w": weight, "scale": scales, "zero": np.float32(3)}, tmp_path)
    values = model.recorder().run({"x": np.zeros((3, K), np.float32)})
    codes = next(layer.weight.weight_codes(values))
    np.testing.assert_array_equal(codes.codes, weight.T.astype(int) - 3)
    np.testing.assert_allclose(
        codes.codes * np.asarray(codes.scale)[:, None], next(layer.weight.matrices(values)), rtol=1e-5
    )
    assert layer.gemm.weight_bits == 7
    with pytest.raises(ConfigError, match="operand 'x': found real numbers; accepted: integers of a quantized model"):
        next(layer.activation.activation_codes(values))


def test_activations_quantized_as_they_come(tmp_path: Path) -> None:
    """Scale and zero point of a dynamically quantized activation are those of the sample."""
    nodes = [
        node("DynamicQuantizeLinear", "x", "qx sx zx"),
        node("MatMulInteger", "qx w zx", "i"),
        node("Cast", "i", "f", to=1),
        node("Mul", "f sx", "y"),
    ]
    model, layer = _loaded(nodes, {"w": _weight(-64, 63)}, tmp_path)
    x = RNG.normal(size=(3, K)).astype(np.float32)
    values = model.recorder(extra=["sx", "zx"]).run({"x": x})
    codes = next(layer.activation.activation_codes(values))
    assert (codes.zero_point, codes.scale) == (int(values["zx"]), pytest.approx(float(values["sx"])))
    np.testing.assert_allclose((codes.codes - codes.zero_point) * codes.scale, x.T, atol=codes.scale)


def test_a_dynamic_weight_has_the_bits_of_what_it_may_hold(tmp_path: Path) -> None:
    """uint8 less a zero point spans more than 7 bits hold, in any sample."""
    nodes = [
        node("QuantizeLinear", "x sx zx", "qx"),
        node("DequantizeLinear", "qx sx zx", "dx"),
        node("Transpose", "dx", "t"),
        node("MatMul", "dx t", "y"),
    ]
    _, layer = _loaded(nodes, _ACTIVATION, tmp_path)
    assert layer.gemm.dynamic_weight
    assert layer.gemm.weight_bits == 10


def test_16_bit_activations_are_refused(tmp_path: Path) -> None:
    """Activations of 16 bits fit no machine: the message says what does."""
    constants = {"w": _weight(-8, 7), "sw": np.float32(1), "zw": np.int8(0), "sx": np.float32(1), "zx": np.uint16(9)}
    with pytest.raises(
        ConfigError, match=r"activation 'qx': found uint16 codes; accepted: uint8, int8, uint4, int4. Quan"
    ):
        _loaded(_QUANTIZED, constants, tmp_path, opset=21)


def test_wide_weights_are_refused(tmp_path: Path) -> None:
    """Weights beyond 10 bits are refused by their values."""
    constants = {"w": _weight(-600, 500, np.int16), "sw": np.float32(1), "zw": np.int16(0), **_ACTIVATION}
    with pytest.raises(ConfigError, match=r"weight 'w': found codes from -600 to 500; accepted: -512 .. 511, 10 bits"):
        _loaded(_QUANTIZED, constants, tmp_path, opset=21)


def test_channels_need_an_opset_that_has_them(tmp_path: Path) -> None:
    """Before opset 13 a tensor has one scale: several are told with what to do, before onnxruntime stumbles."""
    constants = {"w": _weight(-8, 7), "sw": np.ones(M, np.float32), "zw": np.zeros(M, np.int8), **_ACTIVATION}
    with pytest.raises(ConfigError, match=r"4 scales in opset 12.*opset 13 or later"):
        _loaded(_QUANTIZED, constants, tmp_path, opset=12)


def test_scales_along_the_sum_are_no_integers_weight(tmp_path: Path) -> None:
    """Scales that differ within an output have no place behind the product: asking for its codes says so."""
    constants = {
        "w": _weight(-8, 7),
        "sw": np.linspace(1, 2, K, dtype=np.float32),
        "zw": np.zeros(K, np.int8),
        **_ACTIVATION,
    }
    nodes = [*_QUANTIZED[:2], node("DequantizeLinear", "w sw zw", "dw", axis=0), _QUANTIZED[3]]
    model, layer = _loaded(nodes, constants, tmp_path)
    values = model.recorder().run({"x": np.zeros((3, K), np.float32)})
    with pytest.raises(ConfigError, match="scales that differ within an output"):
        next(layer.weight.weight_codes(values))


def test_integer_kernels_keep_their_precision(tmp_path: Path) -> None:
    """Onnxruntime's products of uint8 and int8 are exact here, though its fast kernels saturate at 16 bits."""
    weight = np.full((512, M), 127, np.int8)
    nodes = [node("MatMulInteger", "q w", "y")]
    made = small_model(nodes, {"q": (3, 512)}, "y", {"w": weight}, dtypes={"q": onnx.TensorProto.UINT8})
    model = load_model(write_model(tmp_path / "model.onnx", made))
    x = np.full((3, 512), 255, np.uint8)
    found = model.recorder(extra=["y"], optimized=True).run({"q": x})["y"]
    np.testing.assert_array_equal(found, x.astype(int) @ weight.astype(int))
