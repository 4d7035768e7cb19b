"""Inputs of every kind with something wrong in them, the same for the same seed, and the command that reads each."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from panacea_sim.engines.compiled.availability import compiled_obstacle
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

__all__ = ["KINDS", "make_sound_inputs", "mutated"]

Command = list[str]

_NUMBERS: tuple[object, ...] = (-1, 0, 1, 2, 3, 7, 64, 100, 65_536, 65_537, 2**31 - 1, 2**31, 2**40, 2**40 + 1, 2**62)
_HUGE: tuple[object, ...] = (2**63, 2**64, 10**20, -(10**20), 10**310, 1e9, 1e20, 1e308, 12.5, -0.5, 1e-9)
_OTHERS: tuple[object, ...] = (
    *(float("inf"), float("-inf"), float("nan"), None, True, False, "", "text", "010", "1:30", "0x1F", "1e2", "off"),
    *(
        "\0",
        "é" * 3,
        "x" * 400,
        "../up",
        "a/b",
        ".",
        "-",
        "[bold]",
        [],
        [1, "a"],
        {},
        {"a": {"b": 1}},
        [[[]]],
        2**31 + 1,
    ),
)
_SILLY = (*_NUMBERS, *_HUGE, *_OTHERS)
_BYTES = (
    b"",
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"-",
    b"9" * 30,
    b"1e400",
    b"\n\n",
    b",",
    b"'",
    b'"',
    b"{",
    b"]",
    b": ",
)

_LAYER, _HARDWARE, _DEVICE, _REQUESTS, _RUN, _SCENARIO = (
    "layer.npz",
    "machine.yaml",
    "device.yaml",
    "requests.csv",
    "run",
    "scenario.yaml",
)


def make_sound_inputs(folder: Path) -> None:
    """Write one sound input of each kind, small enough for a run of milliseconds."""
    save_layer(synthetic_layer(20, 24, 16, 0.4, 0.6, 1, name="layer"), folder / _LAYER)
    hardware = {"base": "panacea", "n_pea": 2, "tile_k": 16, "tile_n": 8, "dram": "ideal", "queue_depth": 2}
    (folder / _HARDWARE).write_text(yaml.safe_dump(hardware), encoding="utf-8")
    device = dram_device("hbm2", "device").model_dump()
    (folder / _DEVICE).write_text(yaml.safe_dump(device), encoding="utf-8")
    lines = ["cycle,address,bytes,op", *(f"{9 * n},{64 * n * n},{32 + n},{('read', 'write')[n % 2]}" for n in range(9))]
    (folder / _REQUESTS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    layers = (MaskedLayer("first", 24, 20, 12, 0.3, 0.6, 1), synthetic_layer(16, 20, 12, 0.3, 0.6, 2, name="second"))
    settings = {"n_pea": 2, "tile_k": 16, "tile_n": 8}
    engine = "reference" if compiled_obstacle() else "compiled"
    run(Scenario("small", layers, settings=settings, values=False), RunOptions(folder / _RUN, engine=engine))


def mutated(kind: str, seed: int, sound: Path, folder: Path) -> Command:
    """Write an input of this kind with something wrong in it into `folder`; return the command that reads it."""
    return KINDS[kind](Random(f"{kind} {seed}"), sound, folder)  # noqa: S311  # the same for the same seed


# --- mutations of text, bytes and values ----------------------------------------------------------------------------


def _bytes_changed(rng: Random, content: bytes) -> bytes:
    """Return the bytes with a few cut out, put in, changed or doubled."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(changed) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            del changed[at : at + rng.choice([1, 4, 100, len(changed)])]
        elif kind == 1:
            changed[at:at] = rng.choice(_BYTES)
        elif kind == 2 and at < len(changed):
            changed[at] = rng.randrange(256)
        elif kind == 3:
            changed[at:at] = changed[at : at + rng.randint(1, 40)]
        else:
            del changed[at:]
    return bytes(changed)


def _value_changed(rng: Random, value: Any) -> Any:  # noqa: ANN401  # whatever a file holds
    """Return a value with one of its parts, at any depth, replaced, removed, renamed or doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        changed, key = dict(value), rng.choice(list(value))
        kind = rng.random()
        if kind < 0.8:
            changed[key] = _value_changed(rng, changed[key])
        elif kind < 0.9:
            del changed[key]
        else:
            changed[rng.choice([f"{key}s", str(rng.choice(_OTHERS)), key.upper()])] = changed.pop(key)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.9:
        items, at = list(value), rng.randrange(len(value))
        if rng.random() < 0.8:
            items[at] = _value_changed(rng, items[at])
        elif rng.random() < 0.5:
            del items[at]
        else:
            items.append(items[at])
        return items
    return rng.choice(_SILLY)


def _yaml(rng: Random, source: Path, target: Path) -> None:
    """Write a YAML file with values or bytes that are wrong."""
    if rng.random() < 0.25:
        target.write_bytes(_bytes_changed(rng, source.read_bytes()))
        return
    content = yaml.safe_load(source.read_text(encoding="utf-8"))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        content = _value_changed(rng, content)
    target.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


# --- one kind of input each -----------------------------------------------------------------------------------------


def _layer(rng: Random, sound: Path, folder: Path) -> Command:
    path = folder / _LAYER
    if rng.random() < 0.3:
        path.write_bytes(_bytes_changed(rng, (sound / _LAYER).read_bytes()))
    else:
        with np.load(sound / _LAYER) as content:
            arrays: dict[str, Any] = dict(content)
        for _ in range(rng.choice([1, 1, 2])):
            _change_array(rng, arrays)
        np.savez(path, **arrays)
    return rng.choice(
        [
            ["gemm", str(path), "--hardware", str(sound / _HARDWARE), "--out", str(folder / "out")],
            ["gemm", str(path), "--schedule", "barrier", "--workers", "1", "--out", str(folder / "out")],
            ["map", str(path), "--hardware", str(sound / _HARDWARE), "--simulate", "1"],
        ]
    )


def _change_array(rng: Random, arrays: dict[str, Any]) -> None:
    name = rng.choice(list(arrays))
    kind = rng.randrange(8)
    array = arrays[name]
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[f"{name}_"] = arrays.pop(name)
    elif kind == 2:
        numbers = ["int8", "uint8", "int64", "float32", "complex64", "bool", "U5", "S3"]
        arrays[name] = array.astype(rng.choice(numbers if array.dtype.kind in "iu" else ["U2", "S3"]))
    elif kind == 3:
        arrays[name] = np.zeros(rng.choice([(0,), (0, 3), (2, 2, 2), (1,), (24, 0)]), array.dtype)
    elif kind == 4:
        arrays[name] = array.T if array.ndim > 1 else np.stack([array, array])
    elif kind == 5 and array.dtype.kind in "iuf":
        arrays[name] = np.full_like(array, rng.choice([127, 0, 1]))
    elif kind == 6:
        value = rng.choice(_SILLY)
        arrays[name] = np.array(str(value) if isinstance(value, list | dict) or value is None else value)
        if arrays[name].dtype == object:
            arrays[name] = np.array(str(value))
    else:
        more = ["bias", "r", "dbs_offset", "weight_scale", "name", "lo_bits", "what"]
        arrays[rng.choice(more)] = np.array(
            rng.choice([0, -1, 0.5, "floor", "mode", 2**62, [1, 2], [float("nan")] * 20])
        )


def _hardware(rng: Random, sound: Path, folder: Path) -> Command:
    path = folder / _HARDWARE
    _yaml(rng, sound / _HARDWARE, path)
    return ["gemm", str(sound / _LAYER), "--hardware", str(path), "--out", str(folder / "out")]


def _settings(rng: Random, sound: Path, folder: Path) -> Command:
    """Return fields of the hardware with silly values, in a file or as settings."""
    fields = yaml.safe_load((sound / _RUN / _SCENARIO).read_text(encoding="utf-8"))["hardware"]
    chosen = {name: rng.choice(_SILLY) for name in rng.sample(list(fields), rng.choice([1, 1, 2, 3]))}
    command = ["gemm", str(sound / _LAYER), "--out", str(folder / "out"), "--trace", rng.choice(["off", "full"])]
    if rng.random() < 0.4:
        path = folder / _HARDWARE
        path.write_text(yaml.safe_dump(chosen), encoding="utf-8")
        return [*command, "--hardware", str(path)]
    return [*command, *(part for name, value in chosen.items() for part in ("--set", f"hardware.{name}={value}"))]


def _device(rng: Random, sound: Path, folder: Path) -> Command:
    path = folder / _DEVICE
    _yaml(rng, sound / _DEVICE, path)
    if rng.random() < 0.5:
        return ["dram", str(path), "--requests", str(sound / _REQUESTS)]
    return ["gemm", str(sound / _LAYER), "--set", f"hardware.dram={path}", "--out", str(folder / "out")]


def _requests(rng: Random, sound: Path, folder: Path) -> Command:
    path = folder / _REQUESTS
    if rng.random() < 0.4:
        path.write_bytes(_bytes_changed(rng, (sound / _REQUESTS).read_bytes()))
    else:
        rows = [line.split(",") for line in (sound / _REQUESTS).read_text(encoding="utf-8").splitlines()]
        for _ in range(rng.randint(1, 3)):
            row = rng.choice(rows)
            row[rng.randrange(len(row))] = str(rng.choice(_SILLY))
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        path.write_text(text.getvalue(), encoding="utf-8")
    command = ["dram", rng.choice(["hbm2", "ddr4_3200", str(sound / _DEVICE)]), "--requests", str(path)]
    return [*command, *rng.choice([[], ["--json"], ["--page", "closed"], ["--policy", "fcfs"]])]


def _scenario(rng: Random, sound: Path, folder: Path) -> Command:
    shutil.copytree(sound / _RUN, folder / _RUN)
    path = folder / _RUN / _SCENARIO
    _yaml(rng, sound / _RUN / _SCENARIO, path)
    schedule = rng.choice([[], ["--schedule", "barrier", "--workers", "1"]])
    return ["run", str(path), "--out", str(folder / "out"), "--trace", "off", *schedule]


def _readers(rng: Random, sound: Path, path: Path, folder: Path) -> Command:
    return rng.choice(
        [
            ["inspect", str(path)],
            ["inspect", str(path), "--format", "csv"],
            ["inspect", str(path), "--queues", "--format", "json"],
            ["inspect", str(path), "--dram"],
            ["inspect", str(path), "--longest", "5"],
            ["inspect", str(path), "--group-by", "component", "--group-by", "cause"],
            ["inspect", str(path), "--tile", "0,*,*", "--component", "pea*"],
            ["compare", str(path), str(sound / _RUN)],
            ["compare", str(sound / _RUN), str(path), "--json", "--html", str(folder / "c.html")],
            ["timeline", str(path), "--html", str(folder / "t.html")],
            ["picture", str(path), "--out", str(folder / "p.svg")],
            ["report", str(path), "--html", str(folder / "r.html")],
            ["export", str(path), "--format", "csv", "--out", str(folder / "csv")],
            ["export", str(path), "--format", "vcd", "--out", str(folder / "t.vcd")],
            ["export", str(path), "--format", "perfetto", "--out", str(folder / "t.pftrace.gz")],
        ]
    )


def _summary(rng: Random, sound: Path, folder: Path) -> Command:
    path = folder / _RUN
    shutil.copytree(sound / _RUN, path)
    text = (path / "summary.json").read_text(encoding="utf-8")
    if rng.random() < 0.2:
        (path / "summary.json").write_bytes(_bytes_changed(rng, text.encode()))
    else:
        content = json.loads(text)
        for _ in range(rng.choice([1, 1, 2])):
            content = _value_changed(rng, content)
        (path / "summary.json").write_text(json.dumps(content), encoding="utf-8")
    return _readers(rng, sound, path, folder)


def _table(rng: Random, sound: Path, folder: Path) -> Command:
    path = folder / _RUN
    shutil.copytree(sound / _RUN, path)
    table = path / f"{rng.choice(['activities', 'activities', 'queues', 'dram', 'postings'])}.parquet"
    kind = rng.random()
    if kind < 0.35:
        table.write_bytes(_bytes_changed(rng, table.read_bytes()))
    elif kind < 0.45:
        table.unlink()
        if rng.random() < 0.5:
            table.mkdir()
    else:
        pq.write_table(_columns_changed(rng, pq.read_table(table)), table)
    return _readers(rng, sound, path, folder)


def _columns_changed(rng: Random, table: pa.Table) -> pa.Table:
    name = rng.choice(table.column_names)
    at, column = table.column_names.index(name), table[name]
    kind = rng.randrange(8)
    is_text = pa.types.is_dictionary(column.type)
    if kind == 0:
        return table.drop_columns([name])
    if kind == 1:
        return table.rename_columns([f"{each}_" if each == name else each for each in table.column_names])
    if kind == 2:
        return table.slice(0, 0)
    if kind == 3:
        return table.replace_schema_metadata({"schema": str(rng.choice(_SILLY))})
    if kind == 4:
        values: Any = pa.array([None] * table.num_rows, column.type)
    elif kind == 5:
        values = pa.array([str(each) for each in column.to_pylist()])
    elif kind == 6 and is_text:
        wrong = rng.choice([b"what", b"\xff\xfe", b"", b"idle", b"pea0"])
        names = pa.array([wrong], pa.binary()).view(pa.string())
        values = pa.DictionaryArray.from_arrays(np.zeros(table.num_rows, np.int32), names)
    elif kind == 6 and pa.types.is_integer(column.type):
        wide = column.type if column.type.bit_width < 64 else pa.int64()
        values = pa.array([rng.choice([-5, 0, 2**31 - 1 if wide != pa.int64() else 2**62])] * table.num_rows, wide)
    else:
        values = pa.array(np.linspace(0, 9, table.num_rows), rng.choice([pa.float64(), pa.float32()]))
    return table.set_column(at, name, values)


def _run_folder(rng: Random, sound: Path, folder: Path) -> Command:
    """Return a folder that is no run, or lacks something, with a command that reads runs."""
    path = folder / _RUN
    shutil.copytree(sound / _RUN, path)
    kind = rng.randrange(6)
    if kind == 0:
        path = folder
    elif kind == 1:
        (path / rng.choice(sorted(each.name for each in path.iterdir()))).unlink()
    elif kind == 2:
        (path / "summary.json").write_text(
            json.dumps({"schema": 2, "study": "s", "runs": rng.choice([{}, [], {"a": 1}, 5])})
        )
    elif kind == 3:
        _yaml(rng, path / _SCENARIO, path / _SCENARIO)
    elif kind == 4:
        victim = path / rng.choice(sorted(each.name for each in path.iterdir()))
        victim.write_bytes(_bytes_changed(rng, victim.read_bytes()))
    else:
        path = path / "summary.json"
    return _readers(rng, sound, path, folder)


_OPTIONS: dict[str, Sequence[str]] = {
    "gemm": ("--set", "--engine", "--trace", "--window", "--log-level", "--schedule", "--workers", "--hardware", "--x"),
    "map": ("--set", "--hardware", "--simulate", "--json"),
    "inspect": (
        *("--component", "--state", "--cause", "--layer", "--tile", "--window", "--longest", "--group-by", "--limit"),
        *("--format", "--queues", "--dram"),
    ),
    "compare": ("--html", "--align", "--json", "--force"),
    "picture": ("--out", "--style", "--window"),
    "timeline": ("--html", "--window"),
    "report": ("--html", "--window"),
    "export": ("--format", "--out", "--window"),
    "dram": ("--map", "--policy", "--page", "--per-request", "--json"),
    "list": ("--what",),
}
_WORDS = (
    *(
        "hardware.n_pea=3",
        "hardware.=",
        "=",
        "hardware.n_pea=[",
        "hardware.dram=none.yaml",
        "full",
        "stalls",
        "0:10",
        ":5",
    ),
    *("9:", "5:5", "-1:3", f"0:{'9' * 5000}", "a:b", "pea*", "[", "*,*,*", "1,2", f"{'9' * 5000},*,*", "csv", "json"),
    *("component", "stall", "busy", "compiled", "reference", "barrier", "debug", "p.png", "p.svg", "vcd", "closed"),
)


def _options(rng: Random, sound: Path, folder: Path) -> Command:
    name = rng.choice(list(_OPTIONS))
    command = [name]
    if name != "list":
        command.append(str(sound / {"gemm": _LAYER, "map": _LAYER, "dram": _DEVICE}.get(name, _RUN)))
    command += {
        "gemm": ["--out", str(folder / "out"), "--hardware", str(sound / _HARDWARE)],
        "export": ["--out", str(folder / "exported")],
        "dram": ["--requests", str(sound / _REQUESTS)],
        "timeline": ["--html", str(folder / "t.html")],
        "report": ["--html", str(folder / "r.html")],
        "picture": ["--out", str(folder / "p.svg")],
        "list": [rng.choice(["dram", "hardware", "what"])],
    }.get(name, [])
    for _ in range(rng.randint(1, 3)):
        command.append(rng.choice(_OPTIONS[name]))
        if rng.random() < 0.9:
            command.append(rng.choice([*_WORDS, *(str(each) for each in _SILLY)]))
    if rng.random() < 0.1:
        del command[rng.randrange(len(command))]
    return command


KINDS: dict[str, Callable[[Random, Path, Path], Command]] = {
    "layer": _layer,
    "hardware": _hardware,
    "settings": _settings,
    "device": _device,
    "requests": _requests,
    "scenario": _scenario,
    "summary": _summary,
    "table": _table,
    "run_folder": _run_folder,
    "options": _options,
}
"""What is mutated, each by a function of a random generator, the folder of sound inputs and the one to write into."""
