"""Layers in scenario.yaml: what an entry may hold, a layer made of it, and an entry made of a layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path, PurePath
from typing import Annotated, Any, Self

import numpy as np
from annotated_types import Ge, Le, MinLen
from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from panacea_sim.bounds import Count, Seed, Size
from panacea_sim.errors import ConfigError
from panacea_sim.hardware.validation import refusal
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import AnyLayer
from panacea_sim.workload.layer_file import LayerFile, layer_file
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.npz import save_layer
from panacea_sim.workload.output_format import OutputFormat, ReadFormat, WeightFormat
from panacea_sim.workload.surroundings import ALONE, Surroundings
from panacea_sim.workload.synthetic import synthetic_layer
from panacea_sim.workload.vector_stage import VectorStage
from panacea_sim.workload.written_format import WrittenFormat

__all__ = ["Entry", "LayerEntry", "entry_of", "layer_of"]

_Text = Annotated[str, MinLen(1)]
_Share = Annotated[float, Ge(0), Le(1)]


class Entry(BaseModel):
    """What all parts of scenario.yaml have in common: they are as written, and nothing is unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FormatEntry(Entry):
    """A format in which a masked layer writes its outputs: the fields of a WrittenFormat."""

    operand: str
    vectors_on: str
    bits: int
    features: list[list[int]]
    skipped: list[_Share]
    seed: Seed | None = None


class StageEntry(Entry):
    """A vector stage behind a masked layer: the fields of a VectorStage."""

    passes: Count
    inputs: Count = 1
    reduces: bool = False


class MaskedEntry(Entry):
    """The recipe of a masked layer: the fields of a MaskedLayer."""

    name: _Text
    M: Size
    K: Size
    N: Size
    rho_w: _Share | list[_Share]
    rho_x: _Share
    seed: Seed
    weight_bits: int = 7
    activation_bits: int = 8
    repeat: Size = 1
    passes: Count = 1
    kind: str = ""
    block: str = ""
    sequential: bool = False
    formats: list[FormatEntry] = []
    feeds_stage: bool = False
    stage: StageEntry | None = None


class SyntheticEntry(Entry):
    """The recipe of a synthetic layer: the arguments of `synthetic_layer`."""

    M: Size
    K: Size
    N: Size
    rho_w: _Share
    rho_x: _Share
    seed: Seed
    weight_bits: int = 7
    activation_bits: int = 8
    lo_bits: int = 4
    zero_point: int | None = None
    v: Count = 4
    name: _Text | None = None


class OutputEntry(Entry):
    """The output format of a layer: the fields of an OutputFormat."""

    scale: float
    zero_point: int
    bits: int = 8
    lo_bits: int = 4
    r: list[int] | None = None
    function: str = "none"


class WeightEntry(Entry):
    """Outputs that are read as weight: the fields of a WeightFormat."""

    features_on: str
    bits: int = 7
    scale: float | None = None


class ReadEntry(Entry):
    """A format in which outputs of a layer with values are read, one of the two, and the features that are read."""

    activation: OutputEntry | None = None
    weight: WeightEntry | None = None
    features: list[list[int]] | None = None

    @model_validator(mode="after")
    def _one_format(self) -> Self:
        given = [name for name in ("activation", "weight") if getattr(self, name) is not None]
        if len(given) != 1:
            raise refusal(" and ".join(given) or "none of them", "exactly one of activation and weight")
        return self


class NetworkEntry(Entry):
    """What a network says of a layer with operands: the fields of its Surroundings."""

    passes: Count = 1
    sequential: bool = False
    kind: str = ""
    block: str = ""


class LayerEntry(Entry):
    """A layer: its name, where it comes from and, where it has them, whose outputs it reads and what it writes."""

    name: _Text
    file: _Text | None = None
    synthetic: SyntheticEntry | None = None
    masked: MaskedEntry | None = None
    source: _Text | None = None
    output: OutputEntry | None = None
    formats: list[ReadEntry] = []
    network: NetworkEntry | None = None

    @field_validator("file")
    @classmethod
    def _inside(cls, value: str) -> str:
        path = PurePath(value)
        if path.is_absolute() or ".." in path.parts or "\0" in value:
            raise refusal(repr(value), "a file in the folder of scenario.yaml, or below", hint="Copy the file there")
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = [name for name in ("file", "synthetic", "masked") if getattr(self, name) is not None]
        if len(origins) != 1:
            raise refusal(" and ".join(origins) or "none of them", "exactly one of file, synthetic and masked")
        for name in ("source", "output"):
            if self.masked is not None and getattr(self, name) is not None:
                hint = "A masked layer has no values that could be read or written"
                raise refusal(name, "no source and no output beside masked", f".{name}", hint)
        if self.masked is not None and self.formats:
            raise refusal("formats", "none beside masked", ".formats", "Put them into masked.formats, without values")
        if self.masked is not None and self.network is not None:
            raise refusal("network", "none beside masked", ".network", "Put its fields into masked")
        return self


def layer_of(entry: LayerEntry, place: str, folder: Path) -> AnyLayer:
    """Return the layer that an entry describes; of one in a file, which lies in `folder`, the headers are read.

    Raises ConfigError naming `place`, which is that of the entry, or the layer file.
    """
    output = None if entry.output is None else _output_of(entry.output, f"{place}.output")
    formats = tuple(_read_of(each, f"{place}.formats[{number}]") for number, each in enumerate(entry.formats))
    in_network: dict[str, Any] = {"name": entry.name, "output": output, "source": entry.source, "formats": formats}
    if entry.network is not None:
        in_network["surroundings"] = Surroundings(**entry.network.model_dump())
    if entry.masked is not None:
        written = tuple(
            _format_of(each, f"{place}.masked.formats[{number}]") for number, each in enumerate(entry.masked.formats)
        )
        with _placed(f"{place}.masked", "layer."):
            stage = None if entry.masked.stage is None else VectorStage(**entry.masked.stage.model_dump())
            return MaskedLayer(**entry.masked.model_dump() | {"name": entry.name, "formats": written, "stage": stage})
    if entry.synthetic is not None:
        with _placed(f"{place}.synthetic", "layer."):
            drawn = synthetic_layer(**entry.synthetic.model_dump())
        with _placed(place, "layer."):
            return replace(drawn, **in_network)
    assert entry.file is not None
    path = folder / entry.file
    if not path.is_file():
        raise ConfigError(f"{place}.file", f"{entry.file!r}, which does not exist", "a LAYER.npz beside scenario.yaml")
    with _placed(place, "layer."):
        return replace(layer_file(path), **in_network)


def entry_of(layer: AnyLayer, number: int, folder: Path) -> LayerEntry:
    """Return the entry that describes a layer; operands that no recipe draws are written into `folder`."""
    given: dict[str, Any] = {"name": layer.name}
    if isinstance(layer, MaskedLayer):
        return LayerEntry(name=layer.name, masked=MaskedEntry.model_validate(_listed(layer.recipe)))
    if isinstance(layer, GemmLayer) and layer.recipe is not None and _is_as_drawn(layer):
        given["synthetic"] = SyntheticEntry.model_validate(layer.recipe)
    else:
        given["file"] = f"layer-{number}.npz"
        _write_operands(layer, folder / given["file"])
    if layer.source is not None:
        given["source"] = layer.source
    if layer.output is not None:
        given["output"] = _entry_of_output(layer.output)
    if layer.formats:
        given["formats"] = [_entry_of_read(each) for each in layer.formats]
    if layer.surroundings != ALONE:
        said = {name: value for name, value in asdict(layer.surroundings).items() if value != getattr(ALONE, name)}
        given["network"] = NetworkEntry(**said)
    return LayerEntry(**given)


def _entry_of_output(output: OutputFormat) -> OutputEntry:
    given = asdict(output)
    return OutputEntry(**given | {"r": given["r"] and list(given["r"])})


def _entry_of_read(read: ReadFormat) -> ReadEntry:
    given: dict[str, Any] = {} if read.features is None else {"features": _as_lists(read.features)}
    if isinstance(read.format, OutputFormat):
        return ReadEntry(activation=_entry_of_output(read.format), **given)
    return ReadEntry(weight=WeightEntry(**asdict(read.format)), **given)


def _listed(recipe: Mapping[str, object]) -> dict[str, object]:
    """Return a recipe in which tuples are lists, as files have them, and what is None is left out."""
    return {name: _as_lists(value) for name, value in recipe.items()}


def _as_lists(value: Any) -> Any:  # noqa: ANN401  # tuples and mappings in each other
    if isinstance(value, Mapping):
        return {name: _as_lists(each) for name, each in value.items() if each is not None}
    return list(map(_as_lists, value)) if isinstance(value, tuple) else value


def _write_operands(layer: GemmLayer | LayerFile, path: Path) -> None:
    if isinstance(layer, LayerFile):
        layer.copy_to(path)
    else:
        save_layer(replace(layer, output=None, source=None, formats=(), surroundings=ALONE), path)


def _is_as_drawn(layer: GemmLayer) -> bool:
    """Return whether the recipe of a synthetic layer still gives this layer, apart from what its network says."""
    assert layer.recipe is not None
    drawn = synthetic_layer(**layer.recipe)  # type: ignore[arg-type]  # the recipe is what synthetic_layer was given
    return all(
        np.array_equal(getattr(drawn, each.name), getattr(layer, each.name))
        for each in fields(GemmLayer)
        if each.name not in {"name", "output", "source", "recipe", "formats", "surroundings"}
    )


def _format_of(entry: FormatEntry, place: str) -> WrittenFormat:
    with _placed(place, "format."):
        given = entry.model_dump()
        return WrittenFormat(**given | {name: _as_tuples(given[name]) for name in ("features", "skipped")})


def _read_of(entry: ReadEntry, place: str) -> ReadFormat:
    form: OutputFormat | WeightFormat
    if entry.activation is not None:
        form = _output_of(entry.activation, f"{place}.activation")
    else:
        assert entry.weight is not None
        with _placed(f"{place}.weight", "output."):
            form = WeightFormat(**entry.weight.model_dump())
    with _placed(place, "format."):
        return ReadFormat(form, _as_tuples(entry.features))


def _as_tuples(value: Any) -> Any:  # noqa: ANN401  # lists in lists
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _output_of(entry: OutputEntry, place: str) -> OutputFormat:
    given = entry.model_dump()
    with _placed(place, "output."):
        return OutputFormat(**given | {"r": given["r"] if given["r"] is None else tuple(given["r"])})


@contextmanager
def _placed(place: str, part: str) -> Iterator[None]:
    """Name the place in the file in what is refused, instead of the `part` of an object."""
    try:
        yield
    except ConfigError as error:
        field = f"{place}.{error.field.removeprefix(part)}"
        raise ConfigError(field, error.found, error.accepted, error.hint) from error
    except MemoryError as error:
        raise ConfigError(place, "sizes whose operands take more memory than there is", "smaller M, K and N") from error
