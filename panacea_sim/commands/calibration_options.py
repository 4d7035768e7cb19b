"""The options that say how operands are quantized; typer reads them from the annotations."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

__all__ = ["Activations", "Bits", "Dbs", "Machine", "MinSqnr", "Search", "Weights", "Zpm"]

Activations: TypeAlias = Annotated[str, typer.Option(help="Range of activations: minmax or percentile:99.9.")]
Zpm: TypeAlias = Annotated[str, typer.Option(help="Move the zero point: auto, on or off.")]
Dbs: TypeAlias = Annotated[str, typer.Option(help="Widen the LO field: off, z=2,midpoint or z=2,floor.")]
Weights: TypeAlias = Annotated[str, typer.Option(help="Scales of weights: per-channel or per-tensor.")]
Bits: TypeAlias = Annotated[str, typer.Option(help="Bits of weights and activations.")]
Search: TypeAlias = Annotated[bool, typer.Option("--search", help="Try policies, take what skips most.")]
MinSqnr: TypeAlias = Annotated[
    float | None, typer.Option(help="Least SQNR of --search in dB (default: 3 dB below plain min-max).")
]
Machine: TypeAlias = Annotated[str, typer.Option(help="Preset or YAML file whose vectors count.")]
