"""scenario.yaml: what is read, what is written, and what is refused."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from panacea_sim.commands.main import main
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.running.prepare import prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.schema import SCHEMA_VERSION
from panacea_sim.workload.layer_file import LayerFile
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.synthetic import synthetic_layer

FORMAT = {"operand": "x", "vectors_on": "columns", "bits": 8, "features": [[0, 8]], "skipped": [0.5]}
OUTPUT = {"scale": 4.0, "zero_point": 128, "bits": 8, "lo_bits": 4, "r": None, "function": "none"}
READ: dict[str, Any] = {"weight": {"features_on": "k"}, "features": [[0, 4], [6, 8]]}
CONTENT: dict[str, Any] = {
    "schema": 1,
    "name": "kept",
    "description": "",
    "values": False,
    "schedule": "barrier",
    "layers": [
        {
            "name": "drawn",
            "synthetic": {"M": 8, "K": 8, "N": 8, "rho_w": 0.3, "rho_x": 0.5, "seed": 1},
            "output": OUTPUT,
        },
        {
            "name": "masked",
            "masked": {"name": "masked", "M": 8, "K": 8, "N": 8, "rho_w": 0.3, "rho_x": 0.5, "seed": 1},
        },
        {"name": "stored", "file": "layer-2.npz"},
    ],
    "hardware": load_hardware("panacea").model_dump(),
}

Change = Callable[[dict[str, Any]], object]


def _written(folder: Path, change: Change = lambda _: None) -> Path:
    """Write a scenario.yaml with its layer file, changed in some way."""
    save_layer(synthetic_layer(8, 8, 8, 0.3, 0.5, 2), folder / "layer-2.npz")
    content = copy.deepcopy(CONTENT)
    change(content)
    path = folder / "scenario.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_a_good_file_gives_its_scenario(tmp_path: Path) -> None:
    """All three kinds of layers are read; operands in files stay there."""
    found = load_scenario(_written(tmp_path))
    assert isinstance(found, Scenario)
    assert (found.name, found.values, found.schedule) == ("kept", "off", "barrier")
    assert [layer.name for layer in prepare(found).layers] == ["drawn", "masked", "stored"]
    assert isinstance(found.layers[2], LayerFile)
    assert (found.layers[2].M, found.layers[2].K, found.layers[2].N) == (8, 8, 8)


def test_what_may_be_left_out(tmp_path: Path) -> None:
    """Description, values and schedule have the defaults of a Scenario."""

    def strip(content: dict[str, Any]) -> None:
        for key in ("description", "values", "schedule"):
            del content[key]

    found = load_scenario(_written(tmp_path, strip))
    assert isinstance(found, Scenario)
    assert (found.description, found.values, found.schedule) == ("", "auto", "overlap")


@pytest.mark.parametrize(
    ("written", "word"),
    [(True, "travel"), (False, "off"), ("auto", "auto"), ("travel", "travel"), ("check", "check"), ("off", "off")],
)
def test_values_are_words_or_what_earlier_files_say(written: object, word: str, tmp_path: Path) -> None:
    """True reads as travel, false as off, and every word as itself."""
    assert load_scenario(_written(tmp_path, _top(values=written))).values == word


def test_files_of_before_there_was_a_choice_of_machines(tmp_path: Path) -> None:
    """A hardware without `machine` is a Panacea."""
    found = load_scenario(_written(tmp_path, _without("hardware", "machine")))
    assert isinstance(found, Scenario)
    assert found.hardware == load_hardware("panacea")


def _layer(number: int, **changes: object) -> Change:
    return lambda content: content["layers"][number].update(changes)


def _in(number: int, part: str, **changes: object) -> Change:
    return lambda content: content["layers"][number][part].update(changes)


def _without(*path: Any) -> Change:  # noqa: ANN401  # keys and numbers
    def change(content: Any) -> None:  # noqa: ANN401  # a part of the file
        *parents, last = path
        for step in parents:
            content = content[step]
        del content[last]

    return change


def _top(**changes: object) -> Change:
    return lambda content: content.update(changes)


def _hardware(**changes: object) -> Change:
    return lambda content: content["hardware"].update(changes)


def _edge(**changes: object) -> Change:
    return _top(edges=[{"from": "drawn", "to": "masked", "operand": "x", **changes}])


BAD: dict[str, tuple[Change, str]] = {
    "no_schema": (_without("schema"), r"schema: found nothing; accepted: a whole number in 1 \.\. "),
    "later_schema": (_top(schema=99), r"schema: found 99; accepted: a whole number in 1 \.\. "),
    "schema_text": (_top(schema="1"), "schema: found '1'; accepted: a whole number"),
    "no_name": (_without("name"), "name: found nothing; accepted: text"),
    "name_number": (_top(name=3), "name: found 3; accepted: text"),
    "name_path": (_top(name="a/b"), "name: found a slash in 'a/b'; accepted: text of 1 to 100 characters"),
    "misspelt": (lambda c: c.update(nmae=c.pop("name")), "nmae: found an unknown field.*Did you mean 'name'?"),
    "unknown": (_top(zzz=1), "zzz: found an unknown field; accepted: schema, name.*Remove it"),
    "values_text": (
        _top(values="yes please"),
        "values: found 'yes please'; accepted: one of 'auto', 'travel', 'check', 'off'",
    ),
    "values_null": (_top(values=None), "values: found None; accepted: one of 'auto', 'travel', 'check', 'off'"),
    "schedule": (_top(schedule="serial"), "schedule: found 'serial'; accepted: one of 'overlap', 'barrier'"),
    "schedule_list": (_top(schedule=["overlap"]), r"schedule: found \['overlap'\]; accepted: one of"),
    "description": (_top(description=None), "description: found None; accepted: text"),
    "no_layers": (_top(layers=[]), r"layers: found \[\]; accepted: a list, each item fields"),
    "layers_mapping": (_top(layers={"name": "a"}), r"layers: found \{'name': 'a'\}; accepted: a list"),
    "layer_text": (_top(layers=["layer-2.npz"]), r"layers\[0\]: found 'layer-2.npz'; accepted: fields of the form"),
    "layer_null": (_top(layers=[None]), r"layers\[0\]: found None; accepted: fields of the form"),
    "layer_list": (_top(layers=[[1]]), r"layers\[0\]: found \[1\]; accepted: fields of the form"),
    "layer_number_key": (_top(layers=[{1: 2}]), r"layers\[0\]\.(name|1): found"),
    "layer_name": (_layer(1, name=""), r"layers\[1\]\.name: found ''; accepted: text of length >= 1"),
    "no_origin": (_without("layers", 2, "file"), r"layers\[2\]: found none of them; accepted: exactly one of file"),
    "two_origins": (_layer(1, file="layer-2.npz"), r"layers\[1\]: found file and masked; accepted: exactly one of"),
    "masked_list": (_layer(1, masked=[1, 2]), r"layers\[1\]\.masked: found \[1, 2\]; accepted: fields of the form"),
    "rho_text": (_in(1, "masked", rho_w="much"), r"layers\[1\]\.masked\.rho_w: found 'much'; accepted: a number in 0"),
    "rho_nan": (_in(1, "masked", rho_w=float("nan")), r"layers\[1\]\.masked\.rho_w: found nan; accepted: a number"),
    "rho_two": (_in(1, "masked", rho_x=2), r"layers\[1\]\.masked\.rho_x: found 2; accepted: a number in 0 \.\. 1"),
    "rho_bool": (_in(1, "masked", rho_x=True), r"layers\[1\]\.masked\.rho_x: found True; accepted: a number"),
    "M_zero": (_in(1, "masked", M=0), r"layers\[1\]\.masked\.M: found 0; accepted: a whole number in 1"),
    "M_huge": (_in(1, "masked", M=2**31), r"layers\[1\]\.masked\.M: found 2147483648; accepted: a whole number"),
    "M_real": (_in(0, "synthetic", M=8.5), r"layers\[0\]\.synthetic\.M: found 8\.5; accepted: a whole number"),
    "too_large": (
        _in(0, "synthetic", M=2**31 - 1, K=2**31 - 1),
        r"layers\[0\]\.synthetic: found sizes whose operands take more memory than there is",
    ),
    "format_bits": (
        _in(1, "masked", formats=[FORMAT | {"bits": 9}]),
        r"layers\[1\]\.masked\.formats\[0\]\.bits: found 9; accepted: 4, 8, 12",
    ),
    "format_features": (
        _in(1, "masked", formats=[FORMAT | {"features": [[0, 9]]}]),
        r"layers\[1\]\.masked\.formats: found features 0 \.\. 8; accepted: those that it has, 0 \.\. 7",
    ),
    "no_seed": (_without("layers", 1, "masked", "seed"), r"layers\[1\]\.masked\.seed: found nothing"),
    "recipe_key": (
        _in(0, "synthetic", weight_bit=7),
        r"layers\[0\]\.synthetic\.weight_bit: found an unknown field.*Did you mean 'weight_bits'",
    ),
    "recipe_width": (_in(0, "synthetic", lo_bits=7), r"layers\[0\]\.synthetic\.lo_bits: found 7; accepted: 4, 5, 6"),
    "layer_key": (_layer(1, masks=1), r"layers\[1\]\.masks: found an unknown field.*Did you mean 'masked'"),
    "masked_source": (_layer(1, source="drawn"), r"layers\[1\]\.source: found source; accepted: no source and no"),
    "masked_output": (_layer(1, output=OUTPUT), r"layers\[1\]\.output: found output; accepted: no source and no"),
    "output_text": (_layer(0, output="dense"), r"layers\[0\]\.output: found 'dense'; accepted: fields of the form"),
    "output_scale": (
        _in(0, "output", scale=0),
        r"layers\[0\]\.output\.scale: found 0\.0; accepted: finite numbers > 0",
    ),
    "output_inf": (_in(0, "output", scale=float("inf")), r"layers\[0\]\.output\.scale: found inf; accepted: a number"),
    "output_r": (_in(0, "output", r=3), r"layers\[0\]\.output\.r: found 3; accepted: a list, each item a whole number"),
    "output_r_item": (_in(0, "output", r=["a"]), r"layers\[0\]\.output\.r\[0\]: found 'a'; accepted: a whole number"),
    "output_r_length": (_in(0, "output", r=[1, 2]), r"layers\[0\]\.output\.r: found \(1, 2\); accepted: 1 whole"),
    "output_function": (_in(0, "output", function="gelo"), r"output\.function: found 'gelo'.*Did you mean 'gelu'"),
    "formats_masked": (
        _layer(1, formats=[READ]),
        r"layers\[1\]\.formats: found formats; accepted: none beside masked.*masked\.formats",
    ),
    "network_masked": (
        _layer(1, network={"passes": 2}),
        r"layers\[1\]\.network: found network; accepted: none beside masked.*Put its fields into masked",
    ),
    "network_passes": (
        _layer(0, network={"passes": 0}),
        r"layers\[0\]\.network\.passes: found 0; accepted: a whole number",
    ),
    "network_unknown": (_layer(0, network={"pass": 2}), r"layers\[0\]\.network\.pass: "),
    "formats_output": (
        _layer(0, formats=[READ]),
        r"layers\[0\]\.formats: found formats beside an output; accepted: one",
    ),
    "formats_none": (
        _layer(2, formats=[{"features": [[0, 4]]}]),
        r"layers\[2\]\.formats\[0\]: found none of them; accepted: exactly one of activation and weight",
    ),
    "formats_both": (
        _layer(2, formats=[READ | {"activation": OUTPUT}]),
        r"layers\[2\]\.formats\[0\]: found activation and weight; accepted: exactly one of activation and weight",
    ),
    "formats_bits": (
        _layer(2, formats=[{"weight": {"features_on": "k", "bits": 8}}]),
        r"layers\[2\]\.formats\[0\]\.weight\.bits: found 8; accepted: 4, 7, 10",
    ),
    "formats_axis": (
        _layer(2, formats=[{"weight": {"features_on": "n"}}]),
        r"layers\[2\]\.formats\[0\]\.weight\.features_on: found 'n'; accepted: k, m",
    ),
    "formats_scale": (
        _layer(2, formats=[{"weight": {"features_on": "k", "scale": 0.0}}]),
        r"layers\[2\]\.formats\[0\]\.weight\.scale: found 0\.0; accepted: finite numbers > 0",
    ),
    "formats_zero_point": (
        _layer(2, formats=[{"activation": OUTPUT | {"zero_point": 256}}]),
        r"layers\[2\]\.formats\[0\]\.activation\.zero_point: found 256; accepted: ",
    ),
    "formats_features": (
        _layer(2, formats=[READ | {"features": [[4, 4]]}]),
        r"layers\[2\]\.formats\[0\]\.features: found \(\(4, 4\),\); accepted: ranges first \.\. before last",
    ),
    "formats_beyond": (
        _layer(2, formats=[READ | {"features": [[0, 9]]}]),
        r"layers\[2\]\.formats: found features 0 \.\. 8; accepted: those that it has, 0 \.\. 7",
    ),
    "formats_twice": (
        _layer(2, formats=[READ, READ]),
        r"layers\[2\]\.formats: found \('w', 'columns', 7\) twice; accepted: each operand, axis and width once",
    ),
    "source_self": (_layer(2, source="stored"), r"layers\[2\]\.source: found 'stored'; accepted: a layer before"),
    "source_unknown": (_layer(2, source="drwan"), r"layers\[2\]\.source: found 'drwan'.*Did you mean 'drawn'"),
    "source_number": (_layer(2, source=0), r"layers\[2\]\.source: found 0; accepted: text"),
    "duplicate": (_layer(2, name="drawn"), r"layers\[2\]\.name: found 'drawn' twice; accepted: a name of its own"),
    "file_missing": (_layer(2, file="layer-9.npz"), r"layers\[2\]\.file: found 'layer-9\.npz', which does not exist"),
    "file_outside": (
        _layer(2, file="../layer.npz"),
        r"layers\[2\]\.file: found '\.\./layer\.npz'; accepted: a file in",
    ),
    "file_absolute": (_layer(2, file="/etc/passwd"), r"layers\[2\]\.file: found '/etc/passwd'; accepted: a file in"),
    "file_folder": (_layer(2, file="."), r"layers\[2\]\.file: found '\.', which does not exist"),
    "file_number": (_layer(2, file=7), r"layers\[2\]\.file: found 7; accepted: text"),
    "no_hardware": (_without("hardware"), "hardware: found nothing; accepted: fields of the form 'field: value': name"),
    "hardware_name": (_top(hardware="panacea"), "hardware: found 'panacea'; accepted: fields of the form"),
    "hardware_field": (_hardware(n_peas=3), r"hardware\.n_peas: found an unknown field.*Did you mean 'n_pea'"),
    "hardware_missing": (_without("hardware", "n_pea"), r"hardware\.n_pea: found nothing; accepted: a whole number"),
    "hardware_text": (
        _hardware(n_pea="16"),
        r"hardware\.n_pea: found '16'; accepted: .* 1 \.\. 1024\. Correct the file",
    ),
    "hardware_machine": (_hardware(machine="panaca"), r"hardware\.machine: found .*panaca"),
    "hardware_file": (_hardware(dram="none.yaml"), r"hardware\.dram: found .*/none\.yaml: No such file"),
    "hardware_dram": (_hardware(dram="ddr9"), r"hardware\.dram: found 'ddr9'; accepted: one of ideal"),
    "hardware_dram_list": (_hardware(dram=[1]), r"hardware\.dram: found \[1\]; accepted: one of ideal"),
    "edges_mapping": (_top(edges={}), r"edges: found \{\}; accepted: a list, each item fields of the form"),
    "edge_text": (_top(edges=["drawn"]), r"edges\[0\]: found 'drawn'; accepted: fields of the form"),
    "edge_from_nowhere": (_edge(**{"from": "drwan"}), r"edges\[0\]\.from: found 'drwan'.*Did you mean 'drawn'"),
    "edge_to_nowhere": (_edge(to="maskde"), r"edges\[0\]\.to: found 'maskde'.*Did you mean 'masked'"),
    "edge_backwards": (
        _edge(**{"from": "stored"}),
        r"edges\[0\]\.from: found 'stored'; accepted: a layer before 'masked'",
    ),
    "edge_to_itself": (_edge(**{"from": "masked"}), r"edges\[0\]\.from: found 'masked'; accepted: a layer before"),
    "edge_no_operand": (_top(edges=[{"from": "drawn", "to": "masked"}]), r"edges\[0\]\.operand: found nothing"),
    "edge_operand": (_edge(operand="y"), r"edges\[0\]\.operand: found 'y'; accepted: one of 'x', 'w'"),
    "edge_needs": (
        _edge(needs="some"),
        r"edges\[0\]\.needs: found 'some'; accepted: one of 'same', 'features', 'columns', 'all'",
    ),
    "edge_axis": (_edge(features_on="m"), r"edges\[0\]\.features_on: found 'm'; accepted: k for x"),
    "edge_key": (_edge(offset=3), r"edges\[0\]\.offset: found an unknown field"),
    "edge_offsets": (
        _edge(feature_offset="0+4x3"),
        r"edges\[0\]\.feature_offset: found 3 numbers; accepted: 1: one for each repeat of 'masked'",
    ),
    "edge_offset_text": (
        _edge(column_offset="0+4"),
        r"edges\[0\]\.column_offset: found '0\+4'; accepted: runs of whole",
    ),
    "edge_offset_real": (
        _edge(column_offset=0.5),
        r"edges\[0\]\.column_offset: found 0\.5; accepted: a whole number in",
    ),
    "edge_offset_huge": (_edge(column_offset=2**41), r"edges\[0\]\.column_offset: found 2199023255552; accepted: "),
    "edge_span": (_edge(column_span=[3]), r"edges\[0\]\.column_span: found \[3\]; accepted: a list"),
    "edge_columns": (
        _edge(needs="columns", columns={"low": "0+1x7", "high": "1+1x8"}),
        r"edges\[0\]\.columns\.low: found 7 numbers; accepted: 8: one for each n of 'masked'",
    ),
    "edge_columns_many": (
        _edge(needs="columns", columns={"low": "0x9999999999", "high": "1x9999999999"}),
        r"edges\[0\]\.columns\.low: found 9999999999 numbers; accepted: 8",
    ),
    "edge_columns_end": (
        _edge(needs="columns", columns={"low": "0+1x8"}),
        r"edges\[0\]\.columns\.high: found nothing",
    ),
    "edge_columns_none": (_edge(needs="columns"), r"edges\[0\]\.columns: found none; accepted: columns with"),
    "edge_columns_beside": (
        _edge(needs="all", columns={"low": "0", "high": "1"}),
        r"edges\[0\]\.columns: found columns; accepted: columns with `needs: columns`, and only there",
    ),
    "edge_columns_taps": (
        _edge(needs="columns", columns={"low": "0x8", "high": "1x8", "taps": 0}),
        r"edges\[0\]\.columns\.taps: found 0; accepted: a whole number in 1 ",
    ),
    "hardware_tile": (_hardware(tile_n=3), r"hardware\.tile_n: found 3; accepted: .*a multiple of hardware\.v = 4"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_malformed_file_is_one_error(name: str, tmp_path: Path) -> None:
    """What is wrong is named by file and place, with what was found and what is accepted."""
    change, message = BAD[name]
    path = _written(tmp_path, change)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: .*{message}"):
        load_scenario(path)


TEXTS = {
    "empty": ("", "found nothing; accepted: a YAML mapping"),
    "list": ("- 1\n", "found a list at line 1"),
    "not_yaml": ("a: [", "at line"),
    "tab": ("a:\n\t- 1", "at line 2"),
    "nested_twice": ("name: a\nlayers:\n- name: a\n  name: b\n", "found key 'name' given twice at line 4"),
    "object": ("name: !!python/object:os.system x", "could not determine a constructor"),
    "circle": ("name: a\nlayers: &x [*x]\n", r"schema: found nothing"),
    "list_as_key": ("? [1]\n: 2\n", "unhashable|constructing"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_no_scenario_is_one_error(name: str, tmp_path: Path) -> None:
    """A file that is no YAML mapping, or one that says a thing twice at any depth, is refused with its path."""
    text, message = TEXTS[name]
    path = tmp_path / "scenario.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: .*({message})"):
        load_scenario(path)


def test_a_damaged_layer_file_is_named(tmp_path: Path) -> None:
    """What is wrong inside a layer file is said of that file, before the run."""
    path = _written(tmp_path)
    (tmp_path / "layer-2.npz").write_bytes(b"no archive")
    with pytest.raises(ConfigError, match=r"layer-2\.npz: found a file that is not an \.npz file or is damaged"):
        load_scenario(path)


def test_the_command_line_tells_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A malformed scenario.yaml ends with one line, exit code 2 and no run folder."""
    path = _written(tmp_path, _in(1, "masked", rho_w="much"))
    assert main(["run", str(path), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "layers[1].masked.rho_w: found 'much'" in told
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "out.partial").exists()


@pytest.mark.parametrize("schema", range(1, SCHEMA_VERSION + 1))
def test_earlier_schemas_stay_readable(schema: int, tmp_path: Path) -> None:
    """Files of all versions up to this one are read."""
    assert load_scenario(_written(tmp_path, _top(schema=schema))).name == "kept"


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    """A run writes the keys in their order, and its scenario.yaml gives the same file again."""
    found = load_scenario(_written(tmp_path))
    assert isinstance(found, Scenario)
    options = RunOptions(tmp_path / "one", trace=TraceOptions("off"), engine="reference")
    run(found, options)
    first = (tmp_path / "one" / "scenario.yaml").read_text()
    content = yaml.safe_load(first)
    assert list(content) == ["schema", "name", "description", "values", "schedule", "mapping", "layers", "hardware"]
    assert [list(entry) for entry in content["layers"]] == [
        ["name", "synthetic", "output"],
        ["name", "masked"],
        ["name", "file"],
    ]
    assert content["layers"][0]["output"] == OUTPUT
    again = load_scenario(tmp_path / "one" / "scenario.yaml")
    assert isinstance(again, Scenario)
    run(again, RunOptions(tmp_path / "two", trace=TraceOptions("off"), engine="reference"))
    assert (tmp_path / "two" / "scenario.yaml").read_text() == first
    with np.load(tmp_path / "two" / "layer-2.npz") as kept, np.load(tmp_path / "layer-2.npz") as given:
        assert np.array_equal(kept["weight"], given["weight"])
