"""The options that say which network is meant, and for which inputs; typer reads them from the annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import typer

__all__ = ["Batch", "ClipTo", "Context", "Data", "Phase", "Profile", "SampleNumber", "Shape", "Tokens", "WeightBits"]

Phase: TypeAlias = Annotated[
    Literal["prefill", "decode"] | None, typer.Option(help="All tokens of a prompt (the default), or one new token.")
]
Tokens: TypeAlias = Annotated[
    int | None, typer.Option(help="Tokens of each sequence in prefill (2048; encoders 512).", show_default=False)
]
Context: TypeAlias = Annotated[
    int | None, typer.Option(help="Tokens that the new one of a decode sees, itself included (2048).")
]
Batch: TypeAlias = Annotated[int | None, typer.Option(help="Sequences or images (1).")]
WeightBits: TypeAlias = Annotated[int | None, typer.Option(help="Bits of weights: 4, 7 (the default) or 10.")]
Profile: TypeAlias = Annotated[
    str | None, typer.Option(help="Density profile: measured (the default), dense or a YAML file.")
]
Data: TypeAlias = Annotated[
    Path | None, typer.Option(help="Samples for an ONNX model, an .npz file: input name -> samples x shape.")
]
SampleNumber: TypeAlias = Annotated[
    int | None, typer.Option("--sample", help="Held-out sample of --data to simulate (0).", show_default=False)
]
ClipTo: TypeAlias = Annotated[
    int | None, typer.Option(metavar="7", help="Clip wider integer weights of a model to 7 bits, +-63.")
]
Shape: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="INPUT=SIZES", help="Shape of an input of an ONNX model, as image=1,3,224,224. Repeatable."),
]
