"""Workloads of ZigZag as networks: sizes, what reads what, and what is said of the rest."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import pytest
import yaml

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.peers.convert import converted
from panacea_sim.workload.networks.load import load_network

_CONV = "O[b][k][oy][ox]+=W[k][c][fy][fx]*I[b][c][iy][ix]"
_POOL = "O[b][g][oy][ox]+=W[fx][fy]*I[b][g][iy][ix]"


def _row(number: int, kind: str, equation: str, loops: dict[str, int], inputs: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401  # any key
    return {
        "id": number,
        "operator_type": kind,
        "equation": equation,
        "loop_dims": list(loops),
        "loop_sizes": list(loops.values()),
        "operand_precision": {"W": 4, "I": 8, "O": 16, "O_final": 8},
        "operand_source": {"I": inputs, "W": more.pop("weights", number)},
        **more,
    }


def _steps(stride: int) -> list[str]:
    return [f"ix={stride}*ox+1*fx", f"iy={stride}*oy+1*fy"]


def _block() -> list[dict[str, Any]]:
    """Return a residual block behind a pooling, with a depthwise convolution and products of two outputs behind it."""
    image = {"B": 1, "K": 8, "C": 3, "OY": 12, "OX": 10, "FY": 3, "FX": 3}
    inner = {"B": 1, "K": 8, "C": 8, "OY": 6, "OX": 5, "FY": 3, "FX": 3}
    depthwise = {"B": 1, "G": 8, "K": 1, "C": 1, "OX": 5, "OY": 6, "FX": 3, "FY": 3}
    padded = {"pr_loop_dims": ["IX", "IY"], "pr_loop_sizes": [5, 6], "padding": [[1, 1], [1, 1]]}
    grouped = "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]"
    heads = "O[h][d][k]+=I[h][d][c]*W[h][c][k]"
    return [
        _row(0, "Conv", _CONV, image, 0, dimension_relations=_steps(2)),
        _row(
            1, "Pooling", _POOL, {"B": 1, "G": 8, "OY": 6, "OX": 5, "FX": 2, "FY": 2}, 0, dimension_relations=_steps(2)
        ),
        _row(2, "Conv", _CONV, inner, 1, dimension_relations=_steps(1)),
        _row(3, "Add", "O[b][g][oy][ox]=W[b][g][oy][ox]+I[b][g][oy][ox]", {"B": 1, "G": 8}, 2, weights=1),
        _row(4, "Conv", grouped, depthwise, 3, dimension_relations=_steps(1), **padded),
        _row(5, "Gemm", "O[d][k]+=I[d][c]*W[c][k]", {"C": 240, "D": 1, "K": 24}, 4, name="flat"),
        _row(6, "Gemm", heads, {"H": 2, "D": 3, "C": 4, "K": 5}, 5, weights=4, name="scores", time_dim="d"),
    ]


def _written(folder: Path, rows: object) -> Path:
    path = folder / "work.yaml"
    path.write_text(yaml.safe_dump(rows, sort_keys=False), encoding="utf-8")
    return path


def test_every_product_has_the_multiplications_of_its_loops(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A layer multiplies as often as the loops of its operator turn, and is the convolution that its windows are."""
    rows = _block()
    out = tmp_path / "network.yaml"
    assert main(["convert", str(_written(tmp_path, rows)), "--out", str(out)]) == 0
    told = capsys.readouterr().err
    layers = [layer for _, layer in load_network(str(out)).nodes(data="layer")]
    assert [layer.name for layer in layers] == ["layer0", "layer2", "layer4", "flat", "scores"]
    for layer, number in zip(layers, (0, 2, 4, 5, 6), strict=True):
        assert layer.macs == prod(rows[number]["loop_sizes"])
    assert [(layer.M, layer.K, layer.N, layer.repeat) for layer in layers[2:]] == [
        (1, 9, 30, 8),
        (24, 240, 1, 1),
        (5, 4, 3, 2),
    ]
    assert [layer.weight_bits for layer in layers] == [4, 4, 4, 4, 7]
    assert [layer.dynamic_weight for layer in layers] == [False] * 4 + [True]
    assert "layer2 (Conv): padding is not given: as much as the windows need beyond the images" in told
    assert "not the same: time_dim: not known here" in told
    assert "layer4" not in told


def test_what_lies_between_layers(tmp_path: Path) -> None:
    """A pooling stands at the reader, an addition makes it read both, and the last layer in front of it pays."""
    layers = {layer["name"]: layer for layer in converted(_written(tmp_path, _block())).content["layers"]}
    pool = {"kernel": [2, 2], "stride": [2, 2], "padding": [[0, 0], [0, 0]]}
    assert layers["layer2"]["from"] == [{"layer": "layer0", "pool": pool}]
    assert layers["layer2"]["padding"] == [[1, 1], [1, 1]]
    assert layers["layer4"]["from"] == [{"layer": "layer2"}, {"layer": "layer0", "pool": pool}]
    assert (layers["layer4"]["size"], layers["layer4"]["groups"]) == ([6, 5], 8)
    assert layers["scores"]["from"] == [{"layer": "flat"}, {"layer": "layer4", "operand": "w", "needs": "all"}]
    assert (layers["layer0"]["vector"], layers["layer2"]["vector"]) == (["pooling"], ["residual"])


def test_the_file_says_what_was_told(tmp_path: Path) -> None:
    """The network that is written begins with all remarks, and holds what was made."""
    path = _written(tmp_path, _block())
    made, out = converted(path), tmp_path / "network.yaml"
    assert main(["convert", str(path), "--out", str(out)]) == 0
    comments = [line.removeprefix("# - ") for line in out.read_text("utf-8").splitlines() if line.startswith("# - ")]
    assert tuple(comments) == made.remarks
    assert read_mapping(out) == made.content


def _changed(number: int, **changes: object) -> list[dict[str, Any]]:
    rows = _block()
    rows[number] |= changes
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (_changed(0, equation="O=I*W"), "[0].equation: found 'O=I*W'; accepted: as O[b][k]+=I[b][c]*W[k][c]"),
        (_changed(0, loop_sizes=[1, 2]), "[0].loop_sizes: found [1, 2]; accepted: a list of one size for each of"),
        (_changed(5, loop_sizes=[240, 0, 3]), "[5].loop_sizes: found 0; accepted: whole numbers >= 1"),
        (_changed(2, operand_source={"I": 9, "W": 2}), "[2].operand_source.I: found 9; accepted: 2 itself, or an"),
        (_changed(2, operand_source={"I": 1, "W": 0}), "[2].operand_source.W: found the outputs of operator 0; accept"),
        (_changed(2, dimension_relations=["ix=ox"]), "[2].dimension_relations: found 'ix=ox'; accepted: as ix=1*ox"),
        (_changed(2, id=0), "[2].id: found 0; accepted: a number of its own for each operator"),
        (_changed(5, loop_dims=["C", "D", "Z"]), "[5].equation: found the loops z; accepted: loops of a product"),
        (_changed(2, loop_sizes=[1, 8, 9, 6, 5, 3, 3]), "its network: layers[1].from[0]: layer: found 8 features of"),
        ([{"operator_type": "Conv"}], "[0].id: found nothing; accepted: what ZigZag needs of an operator"),
        (_block()[1:2], "[0].operand_source.I: found 0; accepted: 1 itself, or an operator above it"),
    ],
)
def test_wrong_workloads(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    """A workload that cannot be read is refused with the place in it."""
    path = _written(tmp_path, rows)
    with pytest.raises(ConfigError) as caught:
        converted(path)
    assert f"{path}: {message}" in str(caught.value)
