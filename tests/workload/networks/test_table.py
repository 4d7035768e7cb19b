"""Tables of layers: the forms that files have in this field, and what is refused in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from profile_figures import densities

from panacea_sim.errors import ConfigError
from panacea_sim.workload.link import Link
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.profile import density_profile
from panacea_sim.workload.networks.table import read_table

_CONV = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"


def _graph(path: Path, text: str | bytes, weight_bits: int = 7) -> LayerGraph:
    path /= "net.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(path, NetworkBuilder(density_profile("measured"), weight_bits))


def _layers(graph: LayerGraph) -> list[Gemm]:
    return [layer for _, layer in graph.nodes(data="layer")]


@pytest.mark.parametrize(
    "text",
    [
        b"Layer, M, N, K,\nFF, 64, 512, 128,\nFF, 32, 16, 8,\n",
        b"\xef\xbb\xbfLayer, M, N, K,\r\nFF, 64, 512, 128,\r\nFF, 32, 16, 8,\r\n",
        b"# a comment, with cells\n\nlayer_name,K,M,N\n FF ,128,64,512\n,,,\nFF,8,32,16,,  # that was it\n",
        b'"Layer","m","n","k"\n"FF","64","512","128"\n#FF,1,1,1\nFF,32,16,8',
    ],
    ids=["plain", "bom and crlf", "comments", "quoted"],
)
def test_products(tmp_path: Path, text: bytes) -> None:
    """M of a file counts rows of the activation, our columns, N outputs; a repeated name gets a number."""
    first, second = _layers(_graph(tmp_path, text))
    assert (first.name, first.M, first.K, first.N) == ("FF", 512, 128, 64)
    assert (second.name, second.M, second.K, second.N) == ("FF#2", 16, 8, 32)


def test_rows_follow_each_other(tmp_path: Path) -> None:
    """Each row needs all of the row before, whatever the sizes."""
    graph = _graph(tmp_path, "Layer,M,N,K\na,1,2,3\nb,4,5,6\nc,7,8,9\n")
    assert list(graph.edges(data="links")) == [("a", "b", (Link("x", "all"),)), ("b", "c", (Link("x", "all"),))]


def test_names_that_look_numbered(tmp_path: Path) -> None:
    """A number that a name of the file has already is passed over."""
    graph = _graph(tmp_path, "Layer,M,N,K\na#2,1,1,1\na,1,1,1\na,1,1,1\na,1,1,1\n")
    assert list(graph) == ["a#2", "a", "a#3", "a#4"]


@pytest.mark.parametrize(
    ("row", "sizes"),
    [
        ("conv, 224, 224, 7, 7, 3, 64, 2,", (64, 147, 110 * 110)),  # (224 - 7) / 2 rounded up, plus 1
        ("conv, 56, 58, 3, 1, 64, 32, 1,", (32, 192, 54 * 58)),
        ("fc, 1, 1, 1, 1, 512, 1000, 1,", (1000, 512, 1)),
    ],
)
def test_convolutions(tmp_path: Path, row: str, sizes: tuple[int, int, int]) -> None:
    """A window counts that begins where it can still move on, as SCALE-Sim counts it; padding is within the size."""
    (layer,) = _layers(_graph(tmp_path, _CONV + row))
    assert sizes == (layer.M, layer.K, layer.N)
    assert (layer.op, layer.kind) == ("Conv", "conv")


def test_two_strides(tmp_path: Path) -> None:
    """A file may give a stride for each axis."""
    header = _CONV.replace("Strides", "Stride Height, Stride Width")
    (layer,) = _layers(_graph(tmp_path, header + "c, 9, 9, 3, 3, 1, 1, 2, 3"))
    assert layer.N == 4 * 3


def test_densities_and_bits(tmp_path: Path) -> None:
    """Columns for densities and bits count where they are filled; elsewhere the profile and the option do."""
    text = "Layer,M,N,K,rho_w,rho_x,weight_bits,kind\na,1,2,3,0.25,.5,10,\nb,1,2,3,,,,ffn\nc,1,2,3,1,,4\n"
    a, b, c = _layers(_graph(tmp_path, text, 7))
    assert (a.rho_w, a.rho_x, a.weight_bits) == ((0.25, 0.25), 0.5, 10)
    rho_w, rho_x = densities("ffn")
    assert (b.rho_w, b.rho_x, b.weight_bits, b.kind) == ((rho_w,), rho_x, 7, "ffn")
    assert (c.rho_w, c.weight_bits) == ((), 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "net.csv: found nothing; accepted: columns Layer, M, N, K or Layer, IFMAP Height"),
        ("Layer,M,N,K\n", "net.csv: found no layers; accepted: a row for each layer"),
        ("Layer,M,N\na,1,2\n", "net.csv: line 1: found the columns Layer, M, N; accepted: columns Layer, M, N, K"),
        ("Layer,M,N,K,rho_y\n", "net.csv: line 1: found the unknown column 'rho_y'; accepted: columns Layer, M, N, K"),
        ("Layer,M,N,K,M\n", "net.csv: line 1: found the column 'M' twice"),
        ("Layer,M,N,K,Channels\n", "net.csv: line 1: found the columns Layer, M, N, K, Channels"),
        ("FF,64,512,128\n", "net.csv: line 1: found the unknown column 'FF'"),
        ("Layer,M,N,K\na,1,2,x\n", "net.csv: line 2, K: found 'x'; accepted: a whole number >= 1"),
        ("Layer,M,N,K\n\na,1,0,3\n", "net.csv: line 3, N: found 0; accepted: a whole number in 1 .. 2147483647"),
        ("Layer,M,N,K\na,1,2\n", "net.csv: line 2, K: found nothing; accepted: a whole number >= 1"),
        ("Layer,M,N,K\na,1,2.5,3\n", "net.csv: line 2, N: found '2.5'; accepted: a whole number"),
        ("Layer,M,N,K\na,1,2,3,4\n", "net.csv: line 2: found 5 cells; accepted: 4, one for each column"),
        ("Layer,M,N,K\n,1,2,3\n", "net.csv: line 2, Layer: found nothing; accepted: a name"),
        (
            "Layer,M,N,K\nAlphaGo,\n",
            "net.csv: line 2: found nothing but 'AlphaGo'; accepted: all cells of a layer. A c",
        ),
        ("Layer,M,N,K,rho_w\na,1,2,3,nan\n", "net.csv: line 2, rho_w: found nan; accepted: a number in 0 .. 1"),
        ("Layer,M,N,K,rho_x\na,1,2,3,40%\n", "net.csv: line 2, rho_x: found '40%'; accepted: a number in 0 .. 1"),
        ("Layer,M,N,K,rho_x\na,1,2,3,40\n", "net.csv: line 2, rho_x: found 40.0; accepted: a number in 0 .. 1"),
        ("Layer,M,N,K,weight_bits\na,1,2,3,8\n", "net.csv: line 2, weight_bits: found 8; accepted: 4, 7, 10. Use 10"),
        (_CONV + "c,4,4,5,3,1,1,1\n", "net.csv: line 2, Filter Height: found 5; accepted: at most 4, the IFMAP Height"),
        (b"Layer,M,N,K\n\xff,1,2,3\n", "net.csv: found bytes that are no UTF-8 text with commas; accepted: a CSV"),
    ],
)
def test_refused_tables(tmp_path: Path, text: str | bytes, message: str) -> None:
    """What is wrong in a table is told with its line and column."""
    with pytest.raises(ConfigError, match=re.escape(message)):
        _graph(tmp_path, text)


def test_a_missing_table(tmp_path: Path) -> None:
    """A file that is not there is refused with the reason."""
    with pytest.raises(ConfigError, match=r"none\.csv: found No such file or directory; accepted: a CSV file"):
        read_table(tmp_path / "none.csv", NetworkBuilder(density_profile("measured")))
