"""Model files and samples that cannot be used: one message, exit code 2, nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from small_models import node, small_model, write_model  # noqa: E402  # they need onnx

from panacea_sim.commands.main import main  # noqa: E402
from panacea_sim.errors import ConfigError  # noqa: E402
from panacea_sim.onnx_models import availability  # noqa: E402
from panacea_sim.onnx_models.load import load_model  # noqa: E402

WEIGHT = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def _model(inputs: dict[str, tuple[int | str, ...]] | None = None, nodes: list[Any] | None = None, **more: Any) -> Any:  # noqa: ANN401
    made = nodes or [node("MatMul", "x w", "y", name="m")]
    return small_model(made, inputs or {"x": (2, 4)}, "y", {"w": WEIGHT} | more.pop("constants", {}), **more)


def _external(folder: Path, size: int) -> Path:
    model = _model()
    (tensor,) = model.graph.initializer
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "48")):
        tensor.external_data.add(key=key, value=value)
    if size:
        (folder / "weights.bin").write_bytes(WEIGHT.tobytes()[:size])
    return write_model(folder / "m.onnx", model)


def _file(content: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "m.onnx"
        path.write_bytes(content)
        return path

    return make


def _written(**more: Any) -> Callable[[Path], Path]:  # noqa: ANN401  # of a model
    return lambda folder: write_model(folder / "m.onnx", _model(**more))


def _folder(folder: Path) -> Path:
    (folder / "m.onnx").mkdir()
    return folder / "m.onnx"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda folder: folder / "m.onnx",
            "m.onnx: found No such file or directory; accepted: a file that can be read",
        ),
        (_folder, "m.onnx: found a folder; accepted: an ONNX model, a file"),
        (_file(b""), "m.onnx: found an empty file; accepted: an ONNX model. The download or export did not end"),
        (
            _file(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
            "a pointer of Git LFS in place of the model",
        ),
        (_file(b"no model at all, but text that is long enough"), "a file that is no ONNX model or is damaged"),
        (_file(_model().SerializeToString()[:-40]), "a file that is no ONNX model or is damaged"),
        (
            _file(onnx.ModelProto().SerializeToString() or b"\x08\x08"),
            "a model without operators, or a file of another kind",
        ),
        (
            lambda folder: _external(folder, 0),
            "no file 'weights.bin' with the data of tensor 'w'; accepted: a model with its",
        ),
        (lambda folder: _external(folder, 20), "20 bytes in 'weights.bin', of which 'w' needs 48"),
        (_written(opset=6), "operators of opset 6; accepted: opset 7 or later"),
        (
            _written(nodes=[node("FusedMatMul", "x w", "y", domain="com.microsoft")]),
            "1 com.microsoft.FusedMatMul; accepted: operators of the ONNX standard. Bring the unoptimized export",
        ),
        (_written(nodes=[node("Attention", "x w", "y", domain="com.microsoft")]), "Bring the unoptimized export"),
        (_written(nodes=[node("MatMulNBits", "x w", "y", domain="com.microsoft")]), "Bring the unoptimized export"),
        (_written(nodes=[node("Conv", "x w", "y", domain="com.microsoft.nchwc")]), "Bring the unoptimized export"),
        (
            _written(nodes=[node("Relu", "x", "y")]),
            "found no matrix product; accepted: a model with matrix products or convolutions",
        ),
        (
            _written(nodes=[node("Einsum", "x w", "y", equation="ij,jk->ik")]),
            "found no matrix product among its operators, and 1 Einsum, not simulated",
        ),
        (_written(inputs={"x": (2, 5)}), "accepted: a model that"),
        (
            _written(inputs={"x": (2, 4, "n")}, nodes=[node("MatMul", "x w", "y")]),
            (
                "no shape for input 'x' of 2 x 4 x n; accepted: a length for each axis that has none. "
                "For example: --shape x=2,4,1; or give samples with --data"
            ),
        ),
        (_written(dtypes={"x": onnx.TensorProto.STRING}), "input 'x': found text; accepted: a type of numbers"),
    ],
)
@pytest.mark.parametrize("command", ["network", "run"])
def test_files_that_are_refused(
    command: str,
    make: Callable[[Path], Path],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each is told in one line that says what is wrong with it, before anything is written."""
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main([command, str(path)]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert sorted(tmp_path.rglob("*")) == before


def test_external_data_is_read(tmp_path: Path) -> None:
    """Weights beside the model are read from there, also when the layer is asked for them."""
    model = load_model(_external(tmp_path, 48))
    (layer,) = model.layers.values()
    values = model.recorder(extra=["y"]).run({"x": np.ones((2, 4), np.float32)})
    np.testing.assert_array_equal(next(layer.weight.matrices(values)), WEIGHT.T)
    np.testing.assert_allclose(values["y"], np.ones((2, 4)) @ WEIGHT, rtol=1e-6)


_TWO = {"x": ("batch", 4), "mask": ("batch", 4)}
_TWO_NODES = [node("Mul", "x mask", "z"), node("MatMul", "z w", "y")]
_SOUND = {"x": np.ones((3, 2, 4), np.float32), "mask": np.ones((3, 2, 4), np.float32)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"mask": None}, "found no samples of 'mask' among the keys x; accepted: an array for each input: x, mask"),
        ({"masks": _SOUND["x"]}, "found the unknown key 'masks'; accepted: x, mask. Did you mean 'mask'?"),
        (
            {"x": _SOUND["x"].astype(np.float64)},
            (
                "s.npz, x: found float64 numbers; accepted: float32, as the model takes. "
                "Convert it with .astype(numpy.float32)"
            ),
        ),
        (
            {"x": _SOUND["x"][0]},
            "s.npz, x: found shape 2 x 4; accepted: samples x batch x 4. Put an axis for the samples in front",
        ),
        ({"x": np.ones((3, 2, 5), np.float32)}, "s.npz, x: found shape 2 x 5; accepted: samples x batch x 4"),
        ({"mask": np.ones((3, 1, 4), np.float32)}, "s.npz, mask: found batch = 1; accepted: 2, the batch of 'x'"),
        ({"mask": _SOUND["mask"][:2]}, "found samples: 3 of 'x', 2 of 'mask'; accepted: equally many of each input"),
        ({"x": _SOUND["x"][:0], "mask": _SOUND["mask"][:0]}, "found no samples; accepted: at least one"),
        ({"x": np.full((3, 2, 4), np.nan, np.float32)}, "s.npz, x: found values that are infinite or no numbers"),
    ],
)
def test_samples_that_are_refused(
    changed: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Samples that are missing, of another type or shape, or no numbers are told by the input's name."""
    path = write_model(tmp_path / "m.onnx", _model(_TWO, _TWO_NODES))
    arrays = {name: array for name, array in (_SOUND | changed).items() if array is not None}
    np.savez(tmp_path / "s.npz", **arrays)
    assert main(["network", str(path), "--data", str(tmp_path / "s.npz")]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--shape", "x=2"], "--shape x: found shape 2; accepted: batch x 4"),
        (["--shape", "x=2,5"], "--shape x: found shape 2 x 5; accepted: batch x 4"),
        (["--shape", "y=2,4"], "--shape: found 'y'; accepted: x, mask"),
        (["--shape", "x"], "--shape: found 'x'; accepted: NAME=1,3,224,224"),
        (["--shape", "x=0,4"], "--shape: found 'x=0,4'; accepted: NAME="),
        (["--shape", "x=2,4", "--shape", "x=2,4"], "--shape: found 'x' twice"),
        (["--shape", "x=2,4", "--shape", "mask=3,4"], "--shape mask: found batch = 3; accepted: 2, the batch of 'x'"),
        (
            ["--shape", "x=2000000000,4"],
            "--shape: found inputs of 64,000,000,000 bytes; accepted: at most 4,294,967,296",
        ),
        (["--shape", "x=2,4", "--data", "s.npz"], "--shape: found x=2,4; accepted: nothing beside --data"),
        (["--data", "nothing.npz"], "nothing.npz: found No such file"),
        (["--tokens", "5"], "--tokens: found 5; accepted: nothing beside"),
    ],
)
def test_options_that_are_refused(
    options: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Shapes that the model does not take, and options that it does not have, are told by the option."""
    path = write_model(tmp_path / "m.onnx", _model(_TWO, _TWO_NODES))
    assert main(["network", str(path), *options]) == 2
    assert message in capsys.readouterr().err


def test_named_axes_have_one_length(tmp_path: Path) -> None:
    """An input without a shape takes the lengths of the names that another one has given."""
    path = write_model(tmp_path / "m.onnx", _model(_TWO, _TWO_NODES))
    (layer,) = load_model(path, shapes=["x=7,4"]).layers.values()
    assert layer.gemm.N == 7


def test_a_network_of_another_kind_has_no_samples(capsys: pytest.CaptureFixture[str]) -> None:
    """--data and --shape belong to ONNX models."""
    assert main(["network", "opt-125m", "--shape", "x=1"]) == 2
    assert (
        "--shape: found ('x=1',); accepted: nothing beside opt-125m, which is no ONNX model" in capsys.readouterr().err
    )


def test_the_extra_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the libraries the message says what installs them; with broken ones what mends them."""

    def missing(_name: str) -> None:
        raise ModuleNotFoundError(name="onnx")

    def broken(_name: str) -> None:
        message = "numpy is too new"
        raise ImportError(message)

    monkeypatch.setattr(availability, "import_module", missing)
    with pytest.raises(ConfigError, match=r"no module onnx; accepted: .* pip install 'panacea-sim\[onnx\]'"):
        load_model("model.onnx")
    monkeypatch.setattr(availability, "import_module", broken)
    with pytest.raises(ConfigError, match=r"cannot be imported .ImportError: numpy is too new"):
        load_model("model.onnx")
