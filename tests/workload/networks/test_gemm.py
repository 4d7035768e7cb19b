"""Products of a network: their totals, their vector work, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from panacea_sim.errors import ConfigError
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.vector_work import PASSES, total_passes

_GEMM = Gemm("a", "Gemm", "ffn", "", 6, 4, 5)


def test_totals_count_all_repeats() -> None:
    """Multiplications and tiles are those of all repeats; zeros between packed groups are no multiplications."""
    layer = replace(_GEMM, repeat=3)
    assert (layer.macs, layer.tiles(4, 3, 2)) == (3 * 6 * 4 * 5, 3 * 2 * 2 * 3)
    assert replace(layer, packed=2).macs == layer.macs // 2


def test_passes_are_those_of_the_rules() -> None:
    """Every output is requantized once; what lies behind a layer adds its passes."""
    assert total_passes(()) == 1
    assert total_passes(("residual", "norm")) == 5
    assert total_passes(("batchnorm", "residual", "relu", "pooling")) == 3
    by_passes = {passes: {name for name, own in PASSES.items() if own == passes} for passes in (0, 1, 2, 3)}
    assert by_passes == {
        0: {"relu", "function", "batchnorm", "resize", "concat"},
        1: {"residual", "product", "pooling", "col2im"},
        2: {"rotary"},
        3: {"norm", "softmax"},
    }


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"name": ""}, "layer.name: found ''; accepted: text that is not empty"),
        ({"M": 0}, "layer.M: found 0; accepted: a whole number in 1 .. 2147483647"),
        ({"N": 2**31}, "layer.N: found 2147483648; accepted: a whole number in 1 .. 2147483647"),
        ({"repeat": 1.5}, "layer.repeat: found 1.5; accepted: a whole number"),
        ({"sequential": 1}, "layer.sequential: found 1; accepted: True, False"),
        ({"weight_bits": 8}, "layer.weight_bits: found 8; accepted: 4, 7, 10"),
        ({"activation_bits": 7}, "layer.activation_bits: found 7; accepted: 4, 8, 12"),
        ({"rho_w": (0.5, 0.5)}, "layer.rho_w: found 2 shares; accepted: 1: one for each HO slice of 7-bit weights"),
        ({"rho_w": (float("nan"),)}, "layer.rho_w: found nan; accepted: a number in 0 .. 1"),
        ({"rho_x": 1.1}, "layer.rho_x: found 1.1; accepted: a number in 0 .. 1"),
        ({"packed": 4}, "layer.packed: found 4; accepted: a divisor of M = 6 and K = 4"),
        ({"vector": ("nrom",)}, "layer.vector: found 'nrom'; accepted: relu, function, batchnorm"),
    ],
)
def test_refused_products(fields: dict[str, object], text: str) -> None:
    """What no product can have is refused with the field."""
    with pytest.raises(ConfigError, match=re.escape(text)):
        replace(_GEMM, **fields)  # type: ignore[arg-type]
