"""The zoo: networks by their names, for a phase and sizes of its inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from panacea_sim.bounds import Size
from panacea_sim.checks import require_choice, require_integer, require_kind
from panacea_sim.errors import ConfigError
from panacea_sim.quant.widths import require_weight_bits
from panacea_sim.workload.network import LayerGraph
from panacea_sim.workload.networks.attention import Attention
from panacea_sim.workload.networks.builder import NetworkBuilder
from panacea_sim.workload.networks.model_table import Decoder, Encoder, Model, ResNet, Vision, model_named
from panacea_sim.workload.networks.profile import DEFAULT_PROFILE, Quantization, density_profile
from panacea_sim.workload.networks.resnet import add_resnet
from panacea_sim.workload.networks.transformer import add_decoder, add_encoder, add_vision

__all__ = ["DEFAULT_CONTEXT", "DEFAULT_TOKENS", "ENCODER_TOKENS", "LARGEST_BATCH", "Phase", "build"]

Phase = Literal["prefill", "decode"]
"""`prefill`: all tokens of each sequence at once. `decode`: one new token of each, after `context` - 1 others."""

DEFAULT_TOKENS, ENCODER_TOKENS, DEFAULT_CONTEXT = 2048, 512, 2048
LARGEST_BATCH = 4096


def build(  # noqa: PLR0913  # the options of a command, one by one
    name: str,
    phase: Phase = "prefill",
    tokens: int | None = None,
    context: int | None = None,
    batch: int = 1,
    *,
    weight_bits: int = 7,
    profile: str = DEFAULT_PROFILE,
    quantization: Quantization = "aqs",
) -> LayerGraph:
    """Return the graph of a network of the zoo; its nodes are `Gemm`s, its edges have Links.

    `tokens` are those of each sequence in prefill (2048, encoders 512), `context` the tokens that the new one of a
    decode sees, itself included (2048); vision models take neither. `graph.graph` has `name`, `description`,
    `profile` (a DensityProfile) and `unpaid`, the vector work in front of the first layers, which has no producer that
    would pay for it. Raises ConfigError naming the option.
    """
    model = model_named(name)
    require_choice("--phase", phase, get_args(Phase))
    require_integer("--batch", batch, 1, LARGEST_BATCH)
    require_weight_bits("--weight-bits", weight_bits)
    builder = NetworkBuilder(density_profile(profile), weight_bits, quantization)
    _check_lengths(model, phase, tokens, context)
    lengths = _lengths(model, phase, tokens, context)
    _add_model(builder, model, batch, lengths)
    builder.graph.graph.update(
        name=name, description=_described(model, phase, batch, lengths), profile=builder.profile, unpaid=_unpaid(model)
    )
    return builder.graph


@dataclass(frozen=True)
class _Lengths:
    """New tokens of each sequence, and the tokens that each of them sees."""

    tokens: int
    keys: int


def _check_lengths(model: Model, phase: Phase, tokens: int | None, context: int | None) -> None:
    """Refuse lengths that the phase or the model does not have."""
    if phase == "decode" and not isinstance(model, Decoder):
        raise ConfigError("--phase", "'decode'", f"prefill: {model.name} is no decoder")
    if isinstance(model, Vision | ResNet) and tokens is not None:
        raise ConfigError("--tokens", tokens, f"nothing: an image has the size that {model.name} takes", "Use --batch")
    if phase == "decode" and tokens is not None:
        hint = "The tokens before it are set with --context"
        raise ConfigError("--tokens", tokens, "nothing with --phase decode, which makes one token", hint)
    if phase == "prefill" and context is not None:
        hint = "Use --tokens" if isinstance(model, Decoder | Encoder) else "Leave it out"
        raise ConfigError("--context", context, "nothing with --phase prefill", hint)
    for option, value in (("--tokens", tokens), ("--context", context)):
        if value is not None:
            require_kind(option, value, Size)


def _lengths(model: Model, phase: Phase, tokens: int | None, context: int | None) -> _Lengths:
    if phase == "decode":
        return _Lengths(1, DEFAULT_CONTEXT if context is None else context)
    if isinstance(model, Vision):
        tokens = 1 + model.patches
    elif tokens is None:
        tokens = ENCODER_TOKENS if isinstance(model, Encoder) else DEFAULT_TOKENS
    return _Lengths(tokens, tokens)


def _add_model(builder: NetworkBuilder, model: Model, batch: int, lengths: _Lengths) -> None:
    if isinstance(model, ResNet):
        add_resnet(builder, model, batch)
        return
    sizes = Attention(model.heads, model.kv_heads, model.head_size, batch, lengths.tokens, lengths.keys)
    if isinstance(model, Decoder):
        add_decoder(builder, model, sizes)
    elif isinstance(model, Vision):
        add_vision(builder, model, sizes)
    else:
        add_encoder(builder, model, sizes)


def _described(model: Model, phase: Phase, batch: int, lengths: _Lengths) -> str:
    """Return what the network computes, in words."""
    if isinstance(model, Vision | ResNet):
        return f"{batch} image{'s' * (batch > 1)} of {model.image} x {model.image}"
    count = f"{batch} sequence{'s' * (batch > 1)}"
    if phase == "decode":
        return f"decode, one token for each of {count}, context {lengths.keys:,}"
    return f"prefill, {count} of {lengths.tokens:,} tokens"


def _unpaid(model: Model) -> tuple[str, ...]:
    """Return the vector work on the embeddings, in front of the first layer."""
    if not isinstance(model, Decoder | Encoder) or (isinstance(model, Decoder) and model.embedding is not None):
        return ()
    return ("residual", "norm") if model.position == "added" else ("norm",)
