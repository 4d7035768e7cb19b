"""The digest of a scenario: the same for the same content, another one for every neighbour."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_origin

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st
from strategies import gemm_layers

from panacea_sim.hardware.config import load_hardware, with_settings
from panacea_sim.hardware.dram.devices import dram_device
from panacea_sim.running import digest
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario, load_scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.chain import calibrated_output, following
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.output_format import ReadFormat, WeightFormat
from panacea_sim.workload.synthetic import synthetic_layer

PANACEA = load_hardware("panacea")
MASKED = MaskedLayer("masked", 8, 8, 8, 0.3, 0.5, seed=1)
SYNTHETIC = synthetic_layer(8, 12, 8, 0.3, 0.5, 1)


def _digest(layer: Any = SYNTHETIC, **changes: Any) -> str:  # noqa: ANN401  # fields of a Scenario
    return Scenario("any", layer, **{"hardware": PANACEA, "values": False, **changes}).digest()


def test_a_digest_is_64_hex_digits() -> None:
    """The digest is text that can be a file's name."""
    assert len(_digest()) == 64
    assert set(_digest()) <= set("0123456789abcdef")


@at_most(150)
@given(gemm_layers())
def test_where_a_layer_comes_from_does_not_count(layer: GemmLayer) -> None:
    """Operands in memory, in a file and in wider types, and a layer of another name, are the same content."""
    wider = replace(layer, weight=layer.weight.astype(np.int16), activation=layer.activation.astype(np.uint16))
    with tempfile.TemporaryDirectory() as folder:
        save_layer(layer, Path(folder) / "layer.npz")
        stored = _digest(Path(folder) / "layer.npz")
    assert {_digest(layer), _digest(wider), _digest(replace(layer, name="other"))} == {stored}


@at_most(150)
@given(gemm_layers(), st.data())
def test_every_neighbour_of_a_layer_has_another_digest(layer: GemmLayer, data: st.DataObject) -> None:
    """One operand, scale, bias, zero point or frequent slice more or less changes the digest."""
    row, column = data.draw(st.integers(0, layer.M - 1)), data.draw(st.integers(0, layer.N - 1))
    k = data.draw(st.integers(0, layer.K - 1))
    weight, activation = layer.weight.copy(), layer.activation.copy()
    weight[row, k] ^= 1
    activation[k, column] ^= 1
    bias = np.zeros(layer.M) if layer.bias is None else layer.bias.copy()
    bias[row] += 1
    scales = np.broadcast_to(layer.weight_scale, layer.M).copy()
    scales[row] *= 2
    neighbours = [
        replace(layer, weight=weight),
        replace(layer, activation=activation),
        replace(layer, bias=bias),
        replace(layer, weight_scale=scales),
        replace(layer, activation_scale=layer.activation_scale * 2),
        replace(layer, zero_point=layer.zero_point ^ 1),
        replace(layer, dbs_offset="floor" if layer.dbs_offset == "midpoint" else "midpoint"),
        replace(layer, output=OutputFormat(1.0, 0)),
        *(
            replace(
                layer,
                r=(
                    *layer.frequent[:place],
                    (value + 1) % (1 << (8 - layer.lo_bits)),
                    *layer.frequent[place + 1 :],
                ),
            )
            for place, value in enumerate(layer.frequent)
        ),
    ]
    digests = [_digest(each) for each in [layer, *neighbours]]
    assert len(set(digests)) == len(digests)


def test_what_means_the_same_counts_the_same() -> None:
    """A scale for all rows is that of each; no bias is one of zeros; default frequent slices are those of the zp."""
    spelt = replace(SYNTHETIC, weight_scale=np.ones(8), bias=np.zeros(8), r=SYNTHETIC.frequent)
    assert _digest(spelt) == _digest()
    form = OutputFormat(1.0, 128)
    assert _digest(replace(SYNTHETIC, output=form)) == _digest(
        replace(SYNTHETIC, output=replace(form, r=form.frequent))
    )


@pytest.mark.parametrize(
    "change", [{"scale": 2.0}, {"zero_point": 7}, {"lo_bits": 5}, {"r": (3,)}, {"function": "relu"}]
)
def test_every_field_of_an_output_counts(change: dict[str, Any]) -> None:
    """Another output format is another scenario."""
    form = OutputFormat(1.0, 128)
    assert _digest(replace(SYNTHETIC, output=replace(form, **change))) != _digest(replace(SYNTHETIC, output=form))


def test_every_part_of_formats_counts() -> None:
    """Formats, their order, and the features of each; features that are left out are all of them."""
    x, w = OutputFormat(1.0, 128), WeightFormat("k")
    some: list[tuple[ReadFormat, ...]] = [
        (),
        (ReadFormat(x),),
        (ReadFormat(w),),
        (ReadFormat(x), ReadFormat(w)),
        (ReadFormat(w), ReadFormat(x)),
        (ReadFormat(w, ((0, 3),)),),
        (ReadFormat(WeightFormat("m")),),
        (ReadFormat(WeightFormat("k", 10)),),
        (ReadFormat(WeightFormat("k", scale=1.0)),),
        (ReadFormat(replace(x, zero_point=127)),),
    ]
    assert len({_digest(replace(SYNTHETIC, formats=each)) for each in some}) == len(some)
    spelt = ReadFormat(replace(x, r=x.frequent), ((0, SYNTHETIC.M),))
    assert _digest(replace(SYNTHETIC, formats=(spelt,))) == _digest(replace(SYNTHETIC, formats=(ReadFormat(x),)))


def _neighbour(field: str, value: object) -> object:
    kind = type(PANACEA).model_fields[field].annotation
    if get_origin(kind) is not None and isinstance(value, str):
        return next(choice for choice in get_args(kind) if choice != value)
    assert isinstance(value, int)
    return value * 2 if field in {"v", "tile_n", "interleave_bytes", "clock_hz"} else value + 1


@pytest.mark.parametrize(
    "field", [field for field in type(PANACEA).model_fields if field not in {"name", "machine", "dram"}]
)
def test_every_field_of_the_hardware_counts(field: str) -> None:
    """One field changed changes the digest."""
    changed = _neighbour(field, getattr(PANACEA, field))
    assert _digest(settings={field: changed}) != _digest()


def test_a_machine_counts_by_its_figures(tmp_path: Path) -> None:
    """The name of a preset, a file or a device does not count; what the device does counts."""
    assert _digest(hardware="panacea") == _digest(hardware=with_settings(PANACEA, {"name": "mine"})) == _digest()
    (tmp_path / "mine.yaml").write_text("n_dwo: 4\n")
    assert _digest(hardware=tmp_path / "mine.yaml") == _digest(settings={"n_dwo": 4})
    assert isinstance(PANACEA.dram, str)
    device = dram_device(PANACEA.dram, "dram")
    copied = device.model_copy(update={"source": "a copy"}).model_dump()
    assert _digest(settings={"dram": copied}) == _digest()
    assert _digest(settings={"dram": copied | {"rfc_cycles": copied["rfc_cycles"] + 1}}) != _digest()
    assert _digest(settings={"dram": "ideal"}) != _digest()


def test_options_count_that_change_figures() -> None:
    """Schedule and values count; name and description do not."""
    digests = [_digest(), _digest(schedule="barrier"), _digest(values=True)]
    assert len(set(digests)) == 3
    assert Scenario("other", SYNTHETIC, PANACEA, values=False, description="words").digest() == digests[0]


@pytest.mark.parametrize("field", ["M", "K", "N", "rho_w", "rho_x", "seed"])
def test_every_field_of_a_masked_layer_counts(field: str) -> None:
    """Another recipe is another layer; another name is not."""
    value = getattr(MASKED, field)
    assert _digest(replace(MASKED, **{field: value / 2 if isinstance(value, float) else value + 1})) != _digest(MASKED)
    assert _digest(replace(MASKED, name="other")) == _digest(MASKED)


def test_the_order_of_layers_counts() -> None:
    """Two layers are neither one of them nor the two the other way round."""
    other = replace(MASKED, name="other", seed=2)
    digests = {_digest(layers) for layers in (MASKED, other, (MASKED, other), (other, MASKED))}
    assert len(digests) == 4


def test_a_source_counts_by_its_place() -> None:
    """A chain of other names is the same; without its link it is another one."""
    first = replace(SYNTHETIC, name="first", output=calibrated_output(SYNTHETIC))
    second = following(first, "second", synthetic_layer(8, 8, 1, 0.3, 0.5, 2).weight)
    renamed = (replace(first, name="a"), replace(second, name="b", source="a"))
    assert _digest((first, second)) == _digest(renamed)
    assert _digest((first, replace(second, source=None))) != _digest((first, second))


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_a_kept_scenario_has_the_digest_of_its_script(schedule: Any, tmp_path: Path) -> None:  # noqa: ANN401  # a literal
    """scenario.yaml, with recipes, files and formats, has the digest of the scenario that was run."""
    formats = (ReadFormat(OutputFormat(4.0, 128)), ReadFormat(WeightFormat("m"), ((0, 3), (4, 7))))
    layers = (
        replace(SYNTHETIC, output=OutputFormat(4.0, 128)),
        replace(SYNTHETIC, name="file", r=(2,), formats=formats),
        replace(SYNTHETIC, name="drawn", formats=formats[1:]),
        MASKED,
    )
    scenario = Scenario("kept", layers, settings={"n_pea": 8}, values=False, schedule=schedule)
    run(scenario, RunOptions(tmp_path / "out", trace=TraceOptions("off"), engine="reference"))
    kept = load_scenario(tmp_path / "out" / "scenario.yaml")
    assert isinstance(kept, Scenario)
    assert [each.formats for each in kept.layers] == [each.formats for each in layers]
    assert kept.digest() == scenario.digest()


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows are digested at once does not show."""
    whole = _digest()
    monkeypatch.setattr(digest, "_BLOCK_ELEMENTS", 17)
    assert _digest() == whole
