"""The mapping of a layer of a network: a function of its class, whatever ran before and whatever its values are.

Layers of equal sizes, widths and rounded densities are a class, for which a mapping is chosen once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial

from panacea_sim.choices import ChosenEngine
from panacea_sim.engines.choice import run_engine
from panacea_sim.hardware.config import Hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.mapping.work import LayerWork
from panacea_sim.quant.widths import ACTIVATION_BITS, next_width
from panacea_sim.running.mapping_choice import Candidate, Check, choose_mapping, mapped
from panacea_sim.workload.layer import Layer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.vector_stage import VectorStage
from panacea_sim.workload.written_format import WrittenFormat

__all__ = ["LayerClass", "class_mapping", "class_of", "mapping_of_class", "masked_class"]

_DENSITY_STEPS = 16
"""Densities of a class are whole sixteenths."""


@dataclass(frozen=True)
class LayerClass:
    """What layers of a class have in common; densities are in sixteenths, those of formats rounded to them."""

    M: int
    K: int
    N: int
    repeat: int
    weight_bits: int
    activation_bits: int
    passes: int
    rho_w: int | tuple[int, ...]
    rho_x: int
    sequential: bool = False
    formats: tuple[WrittenFormat, ...] = ()
    feeds_stage: bool = False
    stage: VectorStage | None = None

    def typical_layer(self) -> MaskedLayer:
        """Return the layer on which the mapping of the class is chosen."""
        return MaskedLayer(
            "class",
            self.M,
            self.K,
            self.N,
            _shares(self.rho_w),
            self.rho_x / _DENSITY_STEPS,
            0,
            weight_bits=self.weight_bits,
            activation_bits=self.activation_bits,
            repeat=self.repeat,
            passes=self.passes,
            sequential=self.sequential,
            formats=self.formats,
            feeds_stage=self.feeds_stage,
            stage=self.stage,
        )


def class_of(layer: Layer, work: LayerWork) -> LayerClass:
    """Return the class of a layer, whose work is given.

    Densities are those that masks are drawn with, or those that operands have.
    """
    if isinstance(layer, MaskedLayer):
        return masked_class(layer)
    return LayerClass(
        *_sizes_of(layer), _sixteenths(work.stored_w.rho), _sixteenths(work.stored_x.rho), layer.sequential
    )


def masked_class(layer: MaskedLayer) -> LayerClass:
    """Return the class of a layer whose masks are drawn with its densities."""
    rho_w = tuple(map(_sixteenths, layer.rho_w)) if isinstance(layer.rho_w, tuple) else _sixteenths(layer.rho_w)
    formats = tuple(map(_rounded, layer.formats))
    stage = layer.feeds_stage, layer.stage
    return LayerClass(*_sizes_of(layer), rho_w, _sixteenths(layer.rho_x), layer.sequential, formats, *stage)


def _sizes_of(layer: Layer) -> tuple[int, int, int, int, int, int, int]:
    # Masks are those of 8 bits for symmetric codes of 7 too.
    bits = next_width(layer.activation_bits, ACTIVATION_BITS) or layer.activation_bits
    return (layer.M, layer.K, layer.N, layer.repeat, layer.weight_bits, bits, layer.passes)


def class_mapping(
    layer: Layer, work: LayerWork, hardware: Hardware, engine: ChosenEngine, check: Check | None = None
) -> Candidate:
    """Return the layer in the mapping of its class; in its own best one where that does not fit it.

    Engines are equal, so the choice does not depend on `engine`. `check` may refuse a mapping of this layer before it
    is planned. Raises MappingError if no mapping fits.
    """
    order, height = mapping_of_class(class_of(layer, work), hardware, engine)
    if check is not None:
        check(order, height)
    found = mapped(layer.name, work, hardware, order, height)
    if found.program is None:
        return choose_mapping(layer.name, work, hardware, partial(run_engine, engine), check)
    return found


@lru_cache(maxsize=4096)
def mapping_of_class(layer_class: LayerClass, hardware: Hardware, engine: ChosenEngine) -> tuple[str, int]:
    """Return order and height of a class; raises MappingError if no mapping fits."""
    layer = layer_class.typical_layer()
    work = machine_of(hardware).work(layer, hardware, None)
    best = choose_mapping(layer.name, work, hardware, partial(run_engine, engine))
    return best.order, best.height


def _sixteenths(share: float | None) -> int:
    return 0 if share is None else round(share * _DENSITY_STEPS)


def _rounded(written: WrittenFormat) -> WrittenFormat:
    """Return a format with the densities of a class, and without the layer that reads it."""
    skipped = tuple(_sixteenths(share) / _DENSITY_STEPS for share in written.skipped)
    return replace(written, skipped=skipped, seed=None)


def _shares(sixteenths: int | tuple[int, ...]) -> float | tuple[float, ...]:
    if isinstance(sixteenths, tuple):
        return tuple(each / _DENSITY_STEPS for each in sixteenths)
    return sixteenths / _DENSITY_STEPS
