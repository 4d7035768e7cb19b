"""The CSV file of requests: what reads well, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.commands import dram_request_file
from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.memory.replay import ChannelRequest

_HEADER = "cycle,address,bytes,op\n"
_PLAIN = _HEADER + "10,4096,64,read\n20,16,1,write\n"
_EXPECTED = [ChannelRequest(10, 4096, 64, write=False), ChannelRequest(20, 16, 1, write=True)]


def read_requests(path: Path) -> list[ChannelRequest]:
    """Read a file for a device and a map, which decide nothing in CSV."""
    return dram_request_file.read_requests(path, dram_device("hbm2", ""), "column_low")


def _written(folder: Path, content: str | bytes) -> Path:
    path = folder / "requests.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        _PLAIN,
        "\ufeff" + _PLAIN,
        _PLAIN.replace("\n", "\r\n"),
        _PLAIN.replace("\n", "\r"),
        _PLAIN.rstrip("\n"),
        "\ufeff" + _PLAIN.replace("\n", ",,\r\n"),
        _PLAIN.replace("op\n", "op,\n"),
        _PLAIN.replace("read\n", "read,,,\n"),
        _PLAIN.replace(",", " ,\t").replace("\n", " \n"),
        " Cycle, ADDRESS ,bytes ,Op \n10,4096,64,READ\n20,16,1,Write\n",
        "# made by hand\n" + _PLAIN + "# the end",
        _PLAIN.replace("20,", '  # say "stop, now\n20,'),
        "\n \n" + _PLAIN.replace("\n", "\n\n,,,\n   \n"),
        _HEADER + "0010,0x1000,064,read\n+20,0X0010,00000000000000000000000000000001,write\n",
        _HEADER + f"10,0x{'0' * 5000}1000,64,read\n{'0' * 5000}20,16,1,write\n",
        '"cycle","address","bytes","op"\n"10","4096","64","read"\n"20","16","1","write"\n',
        "op,bytes,address,cycle\nread,64,4096,10\nwrite,1,16,20\n",
    ],
)
def test_forms_of_the_same_file(content: str, tmp_path: Path) -> None:
    """However an editor or a spreadsheet writes the file, it says the same."""
    assert read_requests(_written(tmp_path, content)) == _EXPECTED


def test_bounds_are_accepted(tmp_path: Path) -> None:
    """The largest numbers that are accepted run."""
    most = (1 << 62) - 1
    path = _written(tmp_path, f"{_HEADER}{most},{most},1,read\n{most},{hex(most)},64,write\n")
    assert main(["dram", "hbm2", "--requests", str(path)]) == 0
    largest = _written(tmp_path, f"{_HEADER}0,0,{1 << 40},read\n")
    assert read_requests(largest) == [ChannelRequest(0, 0, 1 << 40, write=False)]


_CYCLE = _ADDRESS = "a whole number from 0 to 2^62 - 1, decimal or 0x"
_BYTES = "a whole number from 1 to 2^40, decimal or 0x"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,0,1e20,read", f"line 3: bytes: found '1e20'; accepted: {_BYTES}"),
        (f"0,0,{10**20},read", f"line 3: bytes: found '{10**20}'; accepted: {_BYTES}"),
        (f"0,0,{(1 << 40) + 1},read", f"line 3: bytes: found '1099511627777'; accepted: {_BYTES}"),
        ("0,0,0,read", f"line 3: bytes: found '0'; accepted: {_BYTES}"),
        ("0,0,-1,read", f"line 3: bytes: found '-1'; accepted: {_BYTES}"),
        ("0,0,64.5,read", f"line 3: bytes: found '64.5'; accepted: {_BYTES}"),
        (f"0,{1 << 70},64,read", f"line 3: address: found '{1 << 70}'; accepted: {_ADDRESS}"),
        (f"0,{hex(1 << 62)},64,read", f"line 3: address: found '{hex(1 << 62)}'; accepted: {_ADDRESS}"),
        ("0,-64,64,read", f"line 3: address: found '-64'; accepted: {_ADDRESS}"),
        ("0,,64,read", f"line 3: address: found ''; accepted: {_ADDRESS}"),
        ("0,ff,64,read", f"line 3: address: found 'ff'; accepted: {_ADDRESS}"),
        ("0,0x,64,read", f"line 3: address: found '0x'; accepted: {_ADDRESS}"),
        ("0,1_000,64,read", f"line 3: address: found '1_000'; accepted: {_ADDRESS}"),
        ("0,\u0663,64,read", f"line 3: address: found '\u0663'; accepted: {_ADDRESS}"),
        (f"{10**30},0,64,read", f"line 3: cycle: found '{10**30}'; accepted: {_CYCLE}"),
        (f"{1 << 62},0,64,read", f"line 3: cycle: found '{1 << 62}'; accepted: {_CYCLE}"),
        ("9" * 5000 + ",0,64,read", f"line 3: cycle: found '{'9' * 40}..'; accepted: {_CYCLE}"),
        ("inf,0,64,read", f"line 3: cycle: found 'inf'; accepted: {_CYCLE}"),
        ("x,0,64,read", f"line 3: cycle: found 'x'; accepted: {_CYCLE}"),
        ("9,0,64,read\n# then\n8,0,64,read", "line 5: cycle: found '8'; accepted: a whole number from 9 to 2^62 - 1"),
        ("0,0,64,fetch", "line 3: op: found 'fetch'; accepted: read or write"),
        ("0,0,64,", "line 3: op: found ''; accepted: read or write"),
        ("0,0,64", "line 3: found too few values; accepted: one value for each column"),
        ("0,0,64,read,1", "line 3: found too many values; accepted: one value for each column"),
        ("0,0,64,read,,1", "line 3: found too many values; accepted: one value for each column"),
        ("0;0;64;read", "line 3: found too few values; accepted: one value for each column"),
    ],
)
def test_bad_rows(row: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A row that is no request is refused with its line, the column and what is accepted, in one line of text."""
    path = _written(tmp_path, f"{_HEADER}# a comment counts as a line\n{row}\n")
    assert main(["dram", "hbm2", "--requests", str(path)]) == 2
    printed = capsys.readouterr()
    assert message in printed.err.replace("\n", " ")
    assert "Traceback" not in printed.err
    assert not printed.out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "found the columns ''; accepted: the columns cycle,address,bytes,op"),
        ("# nothing\n\n", "found the columns ''; accepted: the columns cycle,address,bytes,op"),
        (_HEADER, "found no request; accepted: at least one line"),
        (_HEADER + "# nothing\n,,,\n", "found no request; accepted: at least one line"),
        ("cycle,address,bytes\n0,0,64\n", "found the columns 'cycle,address,bytes'; accepted: the columns cycle,"),
        ("cycle;address;bytes;op\n0;0;64;read\n", "found the columns 'cycle;address;bytes;op'; accepted"),
        ("cycle,cycle,address,bytes,op\n", "found the columns 'cycle,cycle,address,bytes,op'; accepted"),
        (_PLAIN.encode("utf-16"), "accepted: a CSV file in UTF-8. Save it as text with the columns cycle,address"),
        (_HEADER + "0,0,64," + "r" * 200_000, "field larger than field limit (131072); accepted: a CSV file in UTF-8"),
    ],
)
def test_bad_files(content: str | bytes, message: str, tmp_path: Path) -> None:
    """A file that is no list of requests is refused with what it has and what is accepted."""
    with pytest.raises(ConfigError) as caught:
        read_requests(_written(tmp_path, content))
    assert message in str(caught.value)


@given(st.text() | st.integers().map(str), st.sampled_from(["cycle", "address", "bytes", "op"]))
def test_any_cell_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, cell: str, column: str) -> None:
    """Whatever stands in a cell, the file is read, or refused by a ConfigError."""
    row = {"cycle": "0", "address": "0", "bytes": "64", "op": "read"} | {column: cell}
    path = tmp_path_factory.mktemp("any") / "requests.csv"
    path.write_text(_HEADER + ",".join(row.values()), encoding="utf-8", errors="replace")
    try:
        requests = read_requests(path)
    except ConfigError as error:
        assert str(path) in str(error)  # noqa: PT017  # both ways are right
    else:
        assert len(requests) == 1


@pytest.mark.parametrize(
    ("sizes", "code"), [([2**40], 2), ([2**31], 2), ([2**28] * 2, 2), ([2**40] * 3, 2), ([2**14] * 9, 0)]
)
def test_no_silent_grinding(sizes: list[int], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Requests whose data would take minutes or hours are refused before the first one, with how much is accepted."""
    path = tmp_path / "requests.csv"
    path.write_text("cycle,address,bytes,op\n" + "".join(f"0,0,{size},read\n" for size in sizes), encoding="utf-8")
    assert main(["dram", "hbm2", "--requests", str(path)]) == code
    rows = sum(sizes) // 1024
    message = (
        f"{path}: bytes: found requests of {rows} whole rows of 1024 bytes; accepted: up to 262144 in all, 268435456"
    )
    assert (message in capsys.readouterr().err) == (code == 2)
