"""The table of models: the sizes of every network that has a name, with their source."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

from annotated_types import Ge
from pydantic import BaseModel, ConfigDict

from panacea_sim.errors import ConfigError, nearest_name
from panacea_sim.hardware.yaml_file import read_mapping
from panacea_sim.plugins import plugin_names

__all__ = [
    "Decoder",
    "Encoder",
    "Model",
    "ResNet",
    "Transformer",
    "Vision",
    "list_added_workloads",
    "list_models",
    "model_named",
]

_TABLE = Path(__file__).parent / "data" / "models.yaml"

_Count: TypeAlias = Annotated[int, Ge(1)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    source: str


class Transformer(_Model):
    """What all transformers have; `ffn_form` gated is a product of two layers before the last one."""

    hidden: _Count
    layers: _Count
    heads: _Count
    kv_heads: _Count
    ffn: _Count
    qkv: Literal["split", "fused"]
    ffn_form: Literal["relu", "gelu", "gated"]
    position: Literal["added", "rotary"]

    @property
    def head_size(self) -> int:
        """Features of a head."""
        return self.hidden // self.heads


class Decoder(Transformer):
    """A language model; `embedding` is the width of its embeddings where it is not the hidden size."""

    family: Literal["decoder"]
    vocabulary: _Count
    embedding: _Count | None = None


class Encoder(Transformer):
    """An encoder of text, without a head."""

    family: Literal["encoder"]


class Vision(Transformer):
    """A vision transformer with a class token before the patches of a square image."""

    family: Literal["vision"]
    image: _Count
    patch: _Count
    classes: _Count

    @property
    def patches(self) -> int:
        """Patches of an image."""
        return (self.image // self.patch) ** 2


class ResNet(_Model):
    """A residual network with `blocks` in each stage, of two 3 x 3 convolutions each or a bottleneck of three."""

    family: Literal["resnet"]
    blocks: list[_Count]
    bottleneck: bool
    image: _Count
    classes: _Count


Model: TypeAlias = Decoder | Encoder | Vision | ResNet

_FAMILIES: dict[str, type[Model]] = {"decoder": Decoder, "encoder": Encoder, "vision": Vision, "resnet": ResNet}


def list_models() -> list[Model]:
    """Return all models in the order of the table."""
    return list(_models().values())


def model_named(name: str) -> Model:
    """Return the model of this name; raises ConfigError naming `workload` for an unknown one."""
    models = _models()
    if name not in models:
        names = [*models, *list_added_workloads()]
        accepted = f"a model ({', '.join(names)}) or the path of a .csv or .yaml file"
        raise ConfigError("workload", f"the unknown model {name!r}", accepted, nearest_name(name.lower(), names))
    return models[name]


def list_added_workloads() -> list[str]:
    """Return the names of networks that packages add, each a file; raises ConfigError if one of them is taken."""
    return plugin_names("workloads", _models())


@cache
def _models() -> dict[str, Model]:
    table = cast("dict[str, dict[str, Any]]", read_mapping(_TABLE))
    return {name: _FAMILIES[row["family"]].model_validate({"name": name, **row}) for name, row in table.items()}
