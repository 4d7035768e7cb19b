"""The commands `network` and `list workloads`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from panacea_sim.commands.main import main
from panacea_sim.workload.networks.model_table import list_models

_NETWORK = """kind: network
name: tiny
layers:
  - {name: a, op: gemm, M: 4, K: 3, N: 6}
  - {name: b, op: conv, in_channels: 4, out_channels: 2, size: [6], kernel: 3, padding: 1, from: a}
"""


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["network", *arguments, "--json"]) == 0
    content: dict[str, Any] = json.loads(capsys.readouterr().out)
    return content


def test_json_has_layers_totals_and_edges(capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints each layer with its sizes, the totals, what is unsupported, and every edge once."""
    content = _json(capsys, "opt-125m", "--phase", "decode", "--context", "1000", "--weight-bits", "4")
    assert (len(content["layers"]), content["macs"], content["tiles"]) == (12 * 8 + 1, 141975552, 69552)
    first, qk = content["layers"][0], content["layers"][3]
    wanted = ("name", "op", "M", "K", "N", "repeat", "macs", "tiles", "weight_bits")
    assert [first[key] for key in wanted] == ["block0.q", "Gemm", 768, 768, 1, 1, 768 * 768, 12 * 24, 4]
    assert [qk[key] for key in wanted] == ["block0.qk", "MatMul", 1000, 64, 1, 12, 768000, 12 * 16 * 2, 7]
    assert content["unsupported"] == []
    edges = [edge for edge in content["edges"] if edge["to"] == "block1.qk"]
    assert edges == [
        {"from": "block1.q", "to": "block1.qk", "operand": "x", "needs": "same"},
        {"from": "block1.k", "to": "block1.qk", "operand": "w", "needs": "same"},
    ]
    assert {"from": "block0.ffn2", "to": "block1.ffn1", "operand": "x", "needs": "features"} in content["edges"]


def test_files_say_their_own_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    """Tables and network files are read by their ending; the ranges of windows are called columns."""
    Path("net.yaml").write_text(_NETWORK, encoding="utf-8")
    content = _json(capsys, "net.yaml")
    assert (content["name"], content["macs"]) == ("tiny", 4 * 3 * 6 + 2 * 12 * 6)
    assert content["edges"] == [{"from": "a", "to": "b", "operand": "x", "needs": "columns"}]
    Path("net.csv").write_text("Layer,M,N,K\na,6,4,3\nb,1,2,3\n", encoding="utf-8")
    content = _json(capsys, "net.csv")
    assert (content["name"], content["macs"]) == ("net", 4 * 3 * 6 + 6)
    assert content["edges"] == [{"from": "a", "to": "b", "operand": "x", "needs": "all"}]


def test_tiles_are_those_of_the_hardware(capsys: pytest.CaptureFixture[str]) -> None:
    """Tiles are counted with the sizes of the machine that is named."""
    content = _json(capsys, "bert-base", "--tokens", "128", "--set", "hardware.tile_n=128", "--set", "hardware.n_pea=8")
    assert content["layers"][0]["tiles"] == (768 // 32) * (768 // 32) * 1


def test_equal_blocks_are_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The table has each layer of equal blocks once, as the second block has it, and exact totals below."""
    assert main(["network", "bert-base"]) == 0
    told = capsys.readouterr().out
    assert told.count("ffn1") == 2  # its row, and that of ffn2, which reads it
    assert re.search(r"block0\.\.11 +12 +48\.3 G +368\.6 k", told)
    assert re.search(r"q +768 +768 +512 +302\.0 M +2\.3 k +features of block0\.ffn2,\s+block0\.out", told)
    assert "96 layers, 360 GEMMs, 48,318,382,080 MACs, 368,640 tiles of 64 x 32 x 64 (T_M x T_K x T_N), " in told
    assert "profile measured" in told
    assert "assumed" not in told
    assert main(["network", "opt-350m"]) == 0
    assert "assumed for project" in capsys.readouterr().out


def test_bits_have_a_column_where_they_differ(capsys: pytest.CaptureFixture[str]) -> None:
    """Weights of one width are told so in the totals, dynamic ones beside them; with several each layer has its own."""
    assert main(["network", "bert-base", "--weight-bits", "4"]) == 0
    told = capsys.readouterr().out
    assert "weights of 4 bits, dynamic ones of 7 bits." in told
    assert " bits  reads" not in told
    Path("net.csv").write_text("Layer,M,N,K,weight_bits\na,6,4,3,4\nb,1,2,3,10\n", encoding="utf-8")
    assert main(["network", "net.csv"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"b .* 10 +all of a", told)
    assert "weights of 4 and 10 bits." in told


@pytest.mark.parametrize("name", ["llama-2-7b", "resnet-50", "opt-350m"])
def test_a_narrow_terminal(name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On 80 characters no name and no number is cut."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["network", name]) == 0
    told = capsys.readouterr().out
    table = told.split("GEMMs,")[0].splitlines()[:-1]
    assert max(map(len, table)) <= 80
    assert "…" not in told


def test_assumed_densities_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Densities of other widths than that of the measured weights are named as what they are; dense needs no word."""
    told = "They are those of 7-bit weights, assumed for each HO slice of 10 bits."
    for arguments, count in ((["--weight-bits", "10"], 1), ([], 0), (["--weight-bits", "10", "--profile", "dense"], 0)):
        assert main(["network", "bert-base", *arguments]) == 0
        assert capsys.readouterr().out.count(told) == count


def test_workloads_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Every network of the zoo is listed with its source."""
    assert main(["list", "workloads"]) == 0
    told = capsys.readouterr().out
    assert all(model.name in told for model in list_models())
    assert "timm" in told


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["opt-2.7"], "error: workload: found the unknown model 'opt-2.7'; accepted: a model (opt-125m"),
        (["model.pt"], "error: workload: found the unknown model 'model.pt'"),
        (["./opt"], "error: workload: found './opt'; accepted: the name of a model, or a .csv or .yaml file"),
        (["none.csv"], "error: none.csv: found No such file or directory; accepted: a CSV file"),
        (["none.yaml"], "error: none.yaml: found No such file or directory; accepted: a YAML file"),
        (
            ["net.yaml", "--batch", "2"],
            "error: --batch: found 2; accepted: nothing beside net.yaml, which says its own",
        ),
        (["net.yaml", "--phase", "decode"], "error: --phase: found decode; accepted: nothing beside net.yaml"),
        (["opt-125m", "--phase", "train"], "error: Invalid value for '--phase'"),
        (
            ["opt-125m", "--profile", "none"],
            "error: profile: found 'none'; accepted: a profile (dense, measured, ",
        ),
        (["opt-125m", "--hardware", "none"], "error: hardware: found the unknown preset 'none'"),
    ],
)
def test_refused(arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input is one message and exit code 2, with nothing on standard output and nothing written."""
    Path("net.yaml").write_text(_NETWORK, encoding="utf-8")
    assert main(["network", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert text in told.err
    assert "Traceback" not in told.err
    assert [path.name for path in Path().iterdir()] == ["net.yaml"]
