"""How a layer is quantized: the choices of a calibration, and the words that name them on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from panacea_sim.checks import require_choice, require_flag, require_number, require_scale
from panacea_sim.errors import ConfigError
from panacea_sim.quant.widths import SIGNED_BITS, WEIGHT_BITS, require_activation_bits, require_weight_bits

__all__ = ["BYTE_LIMIT", "WIDE_BITS", "QuantizationPolicy", "parse_policy"]

BYTE_LIMIT, WIDE_BITS = 127, WEIGHT_BITS[-1]
"""The largest code of 8-bit weights, and the bits of layers that hold them."""

_ZPM_BITS = 8
_OFFSETS = ("midpoint", "floor")
_MINMAX, _PERCENTILE = "minmax", "percentile"
_SCALES = {"per-channel": True, "per-tensor": False}
_DBS = re.compile(r"z=(?P<z>[^,]+)(?:,(?P<offset>.+))?")


@dataclass(frozen=True)
class QuantizationPolicy:
    """How the operands of a layer are quantized; the defaults are those of `calibrate`.

    `percentile` is the central range of activations that is kept, None their minimum to maximum. `zpm` moves the zero
    point; `dbs_z` is the z of DBS, None leaves l at 4, and `dbs_offset` what stands in for the bits that are dropped.
    `per_channel` weights have a scale for each row. `operands` says for which multipliers they are: of slices; of
    "bytes", with weights in -127 .. 127; or of "signed" slices, with symmetric activations of 7 bits over the same
    range. ZPM and DBS are for activations of 8 bits: of others they are off.
    Raises ConfigError naming `policy.<field>`.
    """

    percentile: float | None = None
    zpm: Literal["auto", "on", "off"] = "auto"
    dbs_z: float | None = 2.0
    dbs_offset: Literal["midpoint", "floor"] = "midpoint"
    per_channel: bool = True
    weight_bits: int = 7
    activation_bits: int = 8
    operands: Literal["sliced", "bytes", "signed"] = "sliced"

    def __post_init__(self) -> None:
        """Check every field."""
        if self.percentile is not None:
            require_number("policy.percentile", self.percentile, 50, 100)
        require_choice("policy.zpm", self.zpm, ("auto", "on", "off"))
        if self.dbs_z is not None:
            require_scale("policy.dbs_z", self.dbs_z)
        require_choice("policy.dbs_offset", self.dbs_offset, _OFFSETS)
        require_flag("policy.per_channel", self.per_channel)
        require_weight_bits("policy.weight_bits", self.weight_bits)
        require_activation_bits("policy.activation_bits", self.activation_bits)
        require_choice("policy.operands", self.operands, ("sliced", "bytes", "signed"))

    @property
    def weight_limit(self) -> int:
        """The largest code of a weight."""
        return BYTE_LIMIT if self.operands == "bytes" else (1 << (self.weight_bits - 1)) - 1

    def with_weight_bits(self, bits: int) -> QuantizationPolicy:
        """Return the policy for a layer of so many bits; bytes stay bytes, signed slices have 7 bits at most."""
        if self.operands == "bytes":
            return self
        return replace(self, weight_bits=min(bits, SIGNED_BITS) if self.operands == "signed" else bits)

    @property
    def has_steps(self) -> bool:
        """Whether its activations can have ZPM and DBS at all."""
        return self.activation_bits == _ZPM_BITS

    def options(self) -> dict[str, str]:
        """Return the policy in the words of the command line, by option."""
        dbs = "off" if self.dbs_z is None else f"z={self.dbs_z:g},{self.dbs_offset}"
        return {
            "activations": _MINMAX if self.percentile is None else f"{_PERCENTILE}:{self.percentile:g}",
            "zpm": self.zpm,
            "dbs": dbs,
            "weights": next(word for word, flag in _SCALES.items() if flag is self.per_channel),
            "bits": f"{self.weight_bits},{self.activation_bits}",
        }


def parse_policy(
    activations: str = _MINMAX,
    zpm: str = "auto",
    dbs: str = "z=2,midpoint",
    weights: str = "per-channel",
    bits: str = "7,8",
) -> QuantizationPolicy:
    """Return the policy that the words of the command line name; raises ConfigError naming the option."""
    z, offset = _parse_dbs(dbs)
    if weights not in _SCALES:
        raise ConfigError("--weights", repr(weights), " or ".join(_SCALES))
    if zpm not in ("auto", "on", "off"):
        raise ConfigError("--zpm", repr(zpm), "auto, on or off")
    widths = [part.strip() for part in bits.split(",")]
    if len(widths) != len(("weights", "activations")) or not all(width.isdecimal() for width in widths):
        raise ConfigError("--bits", repr(bits), "the bits of weights and activations, as 7,8")
    found: dict[str, Any] = {
        "percentile": _parse_percentile(activations),
        "zpm": zpm,
        "dbs_z": z,
        "dbs_offset": offset,
        "per_channel": _SCALES[weights],
        "weight_bits": require_weight_bits("--bits", int(widths[0])),
        "activation_bits": require_activation_bits("--bits", int(widths[1])),
    }
    return QuantizationPolicy(**found)


def _parse_percentile(text: str) -> float | None:
    if text == _MINMAX:
        return None
    word, _, number = text.partition(":")
    share = _number(number)
    if word != _PERCENTILE or share is None or not 50 <= share <= 100:  # noqa: PLR2004  # said in the message
        accepted = f"{_MINMAX}, or {_PERCENTILE}:99.9 with a number in 50 .. 100"
        raise ConfigError("--activations", repr(text), accepted)
    return share


def _parse_dbs(text: str) -> tuple[float | None, str]:
    if text == "off":
        return None, _OFFSETS[0]
    found = _DBS.fullmatch(text)
    z = None if found is None else _number(found["z"])
    offset = _OFFSETS[0] if found is None else found["offset"] or _OFFSETS[0]
    if z is None or not 0 < z < float("inf") or offset not in _OFFSETS:
        raise ConfigError("--dbs", repr(text), "off, z=2,midpoint or z=2,floor with a number > 0")
    return z, offset


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
