"""The zoo: sizes of every model against kept figures, its options, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from profile_figures import densities

from panacea_sim.errors import ConfigError
from panacea_sim.workload.network import LayerGraph, layers_in_order
from panacea_sim.workload.networks.gemm import Gemm
from panacea_sim.workload.networks.model_table import list_models
from panacea_sim.workload.networks.zoo import build

_FIGURES = json.loads((Path(__file__).parent / "zoo.json").read_text(encoding="utf-8"))
_CASES = [(model, case) for model, cases in _FIGURES["models"].items() for case in cases]


def _layers(graph: LayerGraph) -> list[Gemm]:
    return [graph.nodes[name]["layer"] for name in layers_in_order(graph)]


def _options(case: str) -> dict[str, Any]:
    """Return what "decode context=2048 batch=16" says, as arguments of `build`."""
    options: dict[str, Any] = {}
    for word in case.split():
        name, _, value = word.rpartition("=")
        options[name or "phase"] = int(value) if name else value
    return options


@pytest.mark.parametrize(("model", "case"), _CASES)
def test_sizes_are_the_kept_ones(model: str, case: str) -> None:
    """Products, multiplications and tiles of 64 x 32 x 64 equal those that were counted independently."""
    layers = _layers(build(model, **_options(case)))
    found = {
        "gemms": sum(layer.repeat for layer in layers),
        "macs": sum(layer.macs for layer in layers),
        "tiles": sum(layer.tiles(64, 32, 64) for layer in layers),
    }
    assert found == _FIGURES["models"][model][case]


@pytest.mark.parametrize(
    ("model", "field"),
    [("resnet-50", "resnet50_v15_gmacs"), ("resnet-18", "resnet18_gmacs"), ("vit-b16", "vit_b16_gmacs")],
)
def test_multiplications_are_the_published_ones(model: str, field: str) -> None:
    """An image costs as many multiplications as torchvision publishes, to three digits behind the point."""
    total = sum(layer.macs for layer in _layers(build(model)))
    assert round(total / 1e9, 3) == _FIGURES["published"][field]


@pytest.mark.parametrize("name", [model.name for model in list_models()])
def test_layers_run_in_the_order_of_the_table(name: str) -> None:
    """Every model builds with its defaults; its layers run as they were added, and only the first ones need nothing."""
    graph = build(name)
    assert layers_in_order(graph) == list(graph)
    starts = [node for node, count in graph.in_degree() if count == 0]
    assert starts == list(graph)[: len(starts)]
    assert {graph.nodes[start]["layer"].kind for start in starts} <= {"qkv", "patch", "conv", "project"}


def test_defaults() -> None:
    """Decoders have 2,048 tokens, encoders 512, a decode a context of 2,048 with one new token, all a batch of 1."""
    opt = build("opt-125m").nodes["block0.q"]["layer"]
    assert (opt.N, build("bert-base").nodes["block0.q"]["layer"].N) == (2048, 512)
    qk = build("opt-125m", "decode").nodes["block0.qk"]["layer"]
    assert (qk.M, qk.K, qk.N, qk.repeat) == (2048, 64, 1, 12)


@pytest.mark.parametrize("bits", [4, 7, 10])
def test_weights_have_the_bits_that_are_asked_for(bits: int) -> None:
    """Dynamic weights have 7 bits, all others those that are asked for, with a density for each HO slice."""
    layers = _layers(build("qwen2.5-0.5b", weight_bits=bits))
    assert {layer.weight_bits for layer in layers if not layer.dynamic_weight} == {bits}
    assert {layer.weight_bits for layer in layers if layer.dynamic_weight} == {7}
    assert all(len(layer.rho_w or ()) == {4: 0, 7: 1, 10: 2}[layer.weight_bits] for layer in layers)


def test_densities_are_those_of_the_profile() -> None:
    """Layers take the densities of their kind; the dense profile skips nothing; a rival's quantization has its own."""
    measured, dense = build("gpt-2").nodes, build("gpt-2", profile="dense").nodes
    rho_w, rho_x = densities("ffn")
    assert (measured["block3.ffn1"]["layer"].rho_w, measured["block3.ffn1"]["layer"].rho_x) == ((rho_w,), rho_x)
    assert (dense["block3.ffn1"]["layer"].rho_w, dense["block3.ffn1"]["layer"].rho_x) == ((0.0,), 0.0)
    assert build("gpt-2", quantization="sbr7").nodes["block3.ffn1"]["layer"].rho_x == densities("ffn", "sbr7")[1]


def test_vector_work_lies_behind_its_last_producer() -> None:
    """Residual and norm are paid for by out and the last layer of the FFN, rotary by q and k, the softmax by QK."""
    nodes = build("llama-3.2-1b", tokens=8).nodes
    work = {
        name: nodes[f"block1.{name}"]["layer"].vector
        for name in ("q", "k", "v", "qk", "pv", "out", "gate", "up", "down")
    }
    assert work == {
        "q": ("rotary",), "k": ("rotary",), "v": (), "qk": ("softmax",), "pv": (),
        "out": ("residual", "norm"), "gate": ("function",), "up": ("product",), "down": ("residual", "norm"),
    }  # fmt: skip
    images = build("resnet-18").nodes
    assert images["stem"]["layer"].vector == ("batchnorm", "relu", "pooling")
    assert images["layer2.0.conv2"]["layer"].vector == ("batchnorm",)
    assert images["layer2.0.downsample"]["layer"].vector == ("batchnorm", "residual", "relu")
    assert images["layer4.1.conv2"]["layer"].vector == ("batchnorm", "residual", "relu", "pooling")


def test_vector_work_without_a_producer_is_told() -> None:
    """What is done to embeddings has nobody who would pay for it, and is kept beside the graph."""
    unpaid = {
        name: build(name).graph["unpaid"] for name in ("opt-125m", "opt-350m", "llama-2-7b", "bert-base", "vit-b16")
    }
    assert unpaid == {"opt-125m": ("residual", "norm"), "opt-350m": (), "llama-2-7b": ("norm",),
                      "bert-base": ("residual", "norm"), "vit-b16": ()}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"name": "opt-2.7"}, "workload: found the unknown model 'opt-2.7'; accepted: a model (opt-125m, "),
        ({"name": "BERT-base"}, "Did you mean 'bert-base'?"),
        ({"phase": "encode"}, "--phase: found 'encode'; accepted: prefill, decode"),
        (
            {"name": "bert-base", "phase": "decode"},
            "--phase: found 'decode'; accepted: prefill: bert-base is no decoder",
        ),
        (
            {"name": "resnet-18", "tokens": 5},
            "--tokens: found 5; accepted: nothing: an image has the size that resnet-18",
        ),
        ({"context": 5}, "--context: found 5; accepted: nothing with --phase prefill. Use --tokens"),
        ({"phase": "decode", "tokens": 5}, "--tokens: found 5; accepted: nothing with --phase decode"),
        ({"tokens": 0}, "--tokens: found 0; accepted: a whole number in 1 .. "),
        ({"batch": 0}, "--batch: found 0; accepted: a whole number in 1 .. 4096"),
        ({"batch": 5000}, "--batch: found 5000; accepted: a whole number in 1 .. 4096"),
        ({"tokens": 2**31 - 1, "batch": 2}, "layer.N: found 4294967294; accepted: a whole number in 1 .. 2147483647"),
        ({"weight_bits": 8}, "--weight-bits: found 8; accepted: 4, 7, 10. Use 10"),
        (
            {"profile": "measure"},
            "profile: found 'measure'; accepted: a profile (dense, measured, measured-per-tensor)",
        ),
    ],
)
def test_refused_options(arguments: dict[str, Any], text: str) -> None:
    """What the zoo does not have, or a phase does not take, is refused by the name of the option."""
    with pytest.raises(ConfigError, match=re.escape(text)):
        build(**{"name": "opt-125m"} | arguments)


def test_many_sequences_take_no_time() -> None:
    """Blocks share their links: a decode of 1,024 sequences is built with as many links a block as a first one has."""
    graph = build("qwen2.5-0.5b", "decode", batch=1024)
    links = [graph.edges[f"block{number}.pv", f"block{number}.out"]["links"] for number in (0, 23)]
    assert links[0][-1] is links[1][-1]
