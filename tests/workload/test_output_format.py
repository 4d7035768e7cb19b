"""Formats in which outputs are read: what they may be, and what a layer writes in them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.workload.dynamic_weight import dynamic_weight
from panacea_sim.workload.functional import functional_pass, real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, WeightFormat

_GENERATOR = np.random.default_rng(3)
LAYER = GemmLayer(
    "fused",
    _GENERATOR.integers(-63, 64, (30, 20)).astype(np.int8),
    _GENERATOR.integers(0, 256, (20, 11)).astype(np.uint8),
    90,
    weight_scale=_GENERATOR.uniform(0.5, 2, 30),
    activation_scale=0.25,
    bias=_GENERATOR.normal(0, 100, 30),
    lo_bits=5,
)
X, K, V = OutputFormat(64.0, 120, function="relu"), WeightFormat("k"), WeightFormat("m", 10, 3.0)


def _part(rows: slice) -> GemmLayer:
    """Return some rows of the layer as a layer of their own."""
    assert isinstance(LAYER.weight_scale, np.ndarray)
    assert LAYER.bias is not None
    return replace(LAYER, weight=LAYER.weight[rows], weight_scale=LAYER.weight_scale[rows], bias=LAYER.bias[rows])


def test_what_is_written_is_what_layers_of_their_own_would_write() -> None:
    """A fused layer writes the codes that q, k and v alone have: also the scale of k is that of its own features."""
    formats = (ReadFormat(X, ((0, 16),)), ReadFormat(K, ((16, 23),)), ReadFormat(V, ((23, 30),)))
    x, k, v = functional_pass(replace(LAYER, formats=formats)).written
    assert np.array_equal(x.codes, functional_pass(replace(_part(slice(16)), output=X)).output)
    keys, values = dynamic_weight(_part(slice(16, 23))), dynamic_weight(_part(slice(23, 30)), 10, 3.0)
    assert np.array_equal(k.codes, keys.codes)
    assert np.array_equal(v.codes, values.codes)
    assert k.format == replace(K, scale=keys.scale)
    assert v.format == V
    assert [each.rows.tolist() for each in (x, k, v)] == [list(range(16)), list(range(16, 23)), list(range(23, 30))]


def test_features_in_several_ranges() -> None:
    """Ranges of one format are one tensor: its scale is that of the largest output among them."""
    read = ReadFormat(K, ((2, 5), (9, 30)))
    (written,) = functional_pass(replace(LAYER, formats=(read,))).written
    rows = [*range(2, 5), *range(9, 30)]
    real = real_outputs(LAYER, LAYER.reference_accumulator())[rows]
    assert isinstance(written.format, WeightFormat)
    assert written.format.scale == np.abs(real).max() / 63
    assert np.abs(written.codes - real / written.format.scale).max() < 0.501
    assert written.rows.tolist() == rows
    assert [written.part(slice(first, first + 8)) for first in (0, 8, 16)] == [slice(0, 3), slice(3, 10), slice(10, 18)]


def test_one_output_is_a_format_of_all_features() -> None:
    """`output` and a single format are the same codes; without either outputs are dense."""
    one, same = (functional_pass(replace(LAYER, **given)) for given in ({"output": X}, {"formats": (ReadFormat(X),)}))  # type: ignore[arg-type]
    assert np.array_equal(one.output, same.output)
    assert one.written[0].format == same.written[0].format == X
    assert functional_pass(LAYER).written[0].format is None


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "axis": (lambda: WeightFormat("n"), "output.features_on: found 'n'; accepted: k, m"),  # type: ignore[arg-type]
    "bits": (lambda: WeightFormat("k", 8), "output.bits: found 8; accepted: 4, 7, 10"),
    "scale": (lambda: WeightFormat("k", scale=np.nan), "output.scale: found nan; accepted: finite numbers > 0"),
    "format": (lambda: ReadFormat("x"), "format.format: found 'x'; accepted: an OutputFormat or a WeightFormat"),  # type: ignore[arg-type]
    "empty": (lambda: ReadFormat(K, ()), "format.features: found (); accepted: ranges first .. before last from 0"),
    "order": (lambda: ReadFormat(K, ((3, 4), (1, 2))), "format.features: found ((3, 4), (1, 2)); accepted: ranges"),
    "touching": (lambda: ReadFormat(K, ((1, 2), (2, 3))), "format.features: found ((1, 2), (2, 3)); accepted: ranges"),
    "below": (lambda: ReadFormat(K, ((-1, 2),)), "format.features: found ((-1, 2),); accepted: ranges first"),
    "fraction": (lambda: ReadFormat(K, ((0, 2.5),)), "format.features: found ((0, 2.5),); accepted: ranges first"),  # type: ignore[arg-type]
    "no_pairs": (lambda: ReadFormat(K, (0, 2)), "format.features: found (0, 2); accepted: ranges first"),  # type: ignore[arg-type]
    "beyond": (
        lambda: replace(LAYER, formats=(ReadFormat(K, ((0, 31),)),)),
        "layer.formats: found features 0 .. 30; accepted: those that it has, 0 .. 29",
    ),
    "twice": (
        lambda: replace(LAYER, formats=(ReadFormat(X, ((0, 3),)), ReadFormat(replace(X, zero_point=3), ((5, 9),)))),
        "layer.formats: found ('x', 'columns', 8) twice; accepted: each operand, axis and width once",
    ),
    "beside": (
        lambda: replace(LAYER, output=X, formats=(ReadFormat(K),)),
        "layer.formats: found formats beside an output; accepted: one of the two. Put ReadFormat(output) among",
    ),
    "bare": (lambda: replace(LAYER, formats=(K,)), "layer.formats: found (WeightFormat("),  # type: ignore[arg-type]
    "list": (lambda: replace(LAYER, formats=[ReadFormat(K)]), "layer.formats: found [ReadFormat("),  # type: ignore[arg-type]
    "fixed_point": (
        lambda: functional_pass(replace(LAYER, formats=(ReadFormat(WeightFormat("k", scale=1e-12)),))),
        "output_scale: found 1 / ",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_accepted_is_one_message(name: str) -> None:
    """What, what was found, and what is accepted."""
    make, message = BAD[name]
    with pytest.raises(ConfigError, match="^" + re.escape(message)):
        make()


def test_rows_that_are_not_read_need_not_fit() -> None:
    """A scale that is too fine for one row only matters where that row is read."""
    assert isinstance(LAYER.weight_scale, np.ndarray)
    coarse = replace(LAYER, weight_scale=np.where(np.arange(30) == 4, 1e12, LAYER.weight_scale))
    functional_pass(replace(coarse, formats=(ReadFormat(K, ((5, 30),)), ReadFormat(X, ((0, 4),)))))
    with pytest.raises(ConfigError, match=r"^output_scale: found 1 / "):
        functional_pass(replace(coarse, formats=(ReadFormat(X, ((0, 5),)),)))
