"""The accuracy of a point: what is left of the real outputs in the quantization of its layers and its machine."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from panacea_sim.exploring.maker import Made
from panacea_sim.machines.machine import Machine, machine_of
from panacea_sim.quant.accuracy import OutputError
from panacea_sim.running.whatif.data_knobs import exact_outputs
from panacea_sim.units import FloatArray
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer import loaded

__all__ = ["accuracy_db"]

_MOST_PRODUCTS = 2**33
"""Multiplications up to which the outputs of all layers are computed: some seconds."""


def accuracy_db(made: Made) -> float | None:
    """Return the least SQNR of the outputs of the layers, infinite where nothing is lost.

    Against the real outputs where the start has them, else against those of the codes as they are. None where there are
    no values, where layers read what others write, and for so large layers that it would take long.
    """
    machine = machine_of(made.hardware)
    return made.once(("accuracy", machine.name), lambda: _computed_db(made, machine))


def _computed_db(made: Made, machine: Machine) -> float | None:
    known = made.scenario.known_layers()
    if any(layer.source is not None for layer in known):
        return None
    if sum(layer.repeat * layer.M * layer.K * layer.N for layer in known) > _MOST_PRODUCTS:
        return None
    layers = [layer for layer in map(loaded, known) if isinstance(layer, GemmLayer)]
    if len(layers) < len(known):
        return None
    truth = made.workload.truth or tuple(map(exact_outputs, layers))
    return min(_sqnr_db(machine.own(layer), exact) for layer, exact in zip(layers, truth, strict=True))


def _sqnr_db(layer: GemmLayer, exact: FloatArray) -> float:
    found = real_outputs(replace(layer, bias=None, output=None), layer.reference_accumulator())
    lost = OutputError.of(exact, np.reshape(found, exact.shape)).sqnr_db
    return math.inf if lost is None else lost
