"""What all points of a sweep start from: a scenario, a network, or a layer with real operands."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from panacea_sim.calibration.calibrated import calibrate
from panacea_sim.calibration.float_file import read_float_layer
from panacea_sim.calibration.observed import ObservedLayer
from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.errors import ConfigError
from panacea_sim.exploring.sweep import Sweep
from panacea_sim.hardware.config import DEFAULT_PRESET, Hardware, load_hardware
from panacea_sim.hardware.vector_sizes import sizes_of
from panacea_sim.machines.machine import machine_of
from panacea_sim.matmul import finite_matmul
from panacea_sim.running.network import network_scenario
from panacea_sim.running.network_file import NetworkSizes, network_of
from panacea_sim.running.scenario import LayerLike, Scenario, Study, load_scenario
from panacea_sim.units import FloatArray
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.layer_file import LayerFile, layer_file
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.samples import layer_path
from panacea_sim.workload.synthetic import synthetic_layer

__all__ = ["Start", "Workload", "start_of"]

_RECIPE = ("M", "K", "N", "rho_w", "rho_x", "seed", "weight_bits", "activation_bits")
_SIZES = ("phase", "tokens", "context", "batch")
_NETWORK = ("name", *_SIZES, "shape", "weight_bits", "profile")


@dataclass(frozen=True, eq=False)
class Workload:
    """A scenario, and the real outputs that its layers should have; None: the products of their codes as they are."""

    scenario: Scenario
    truth: tuple[FloatArray, ...] | None = None


class Start(Protocol):
    """What a sweep starts from; it is sent to workers."""

    @property
    def workload_fields(self) -> tuple[str, ...]:
        """The names behind `workload.`."""
        ...

    @property
    def quantization_fields(self) -> tuple[str, ...]:
        """The names behind `quantization.`."""
        ...

    @property
    def hardware(self) -> Hardware:
        """The machine that no setting has changed."""
        ...

    def depends(self, hardware: Hardware) -> Hashable:
        """Return what of the hardware its layers depend on."""
        ...

    def workload(
        self, workload: Mapping[str, object], quantization: Mapping[str, object], hardware: Hardware
    ) -> Workload:
        """Return the layers with these fields set, for a machine; raises ConfigError."""
        ...


def start_of(sweep: Sweep) -> Start:
    """Return the start of a sweep; raises ConfigError for files that cannot be read and machines that there are not."""
    if sweep.scenario is not None:
        return _scenario_start(sweep.scenario, sweep.hardware)
    given = DEFAULT_PRESET if sweep.hardware is None else sweep.hardware
    hardware = given if isinstance(given, Hardware) else load_hardware(given)
    if sweep.workload is not None:
        return _NetworkStart(sweep.workload, hardware)
    assert sweep.float_layer is not None  # it is one of the three
    return _FloatStart(read_float_layer(Path(sweep.float_layer)), hardware)


@dataclass(frozen=True, eq=False)
class _ScenarioStart:
    scenario: Scenario
    hardware: Hardware
    workload_fields: tuple[str, ...]
    quantization_fields: tuple[str, ...] = ()

    def depends(self, _hardware: Hardware) -> Hashable:
        return None

    def workload(
        self, workload: Mapping[str, object], _quantization: Mapping[str, object], _hardware: Hardware
    ) -> Workload:
        layers = self.scenario.layers
        if workload:
            layers = tuple(_redrawn(layer, workload) for layer in layers)
        return Workload(replace(self.scenario, layer=layers))


@dataclass(frozen=True, eq=False)
class _NetworkStart:
    name: str
    hardware: Hardware
    workload_fields: tuple[str, ...] = _NETWORK
    quantization_fields: tuple[str, ...] = ()

    def depends(self, hardware: Hardware) -> Hashable:
        return machine_of(hardware).quantization, hardware.tile_m

    def workload(
        self, workload: Mapping[str, object], _quantization: Mapping[str, object], hardware: Hardware
    ) -> Workload:
        given: dict[str, Any] = {"name": self.name, **workload}
        by_name = {size: given[size] for size in _SIZES if size in given}
        sizes = NetworkSizes(**by_name, shapes=tuple(str(given.get("shape", "")).split()))
        asked = given.get("weight_bits"), given.get("profile")
        return Workload(network_scenario(network_of(str(given["name"]), sizes, *asked, hardware), hardware))


@dataclass(frozen=True, eq=False)
class _FloatStart:
    observed: ObservedLayer
    hardware: Hardware
    workload_fields: tuple[str, ...] = ()
    quantization_fields: tuple[str, ...] = tuple(each.name for each in fields(QuantizationPolicy))

    def depends(self, hardware: Hardware) -> Hashable:
        return sizes_of(hardware)

    def workload(
        self, _workload: Mapping[str, object], quantization: Mapping[str, object], hardware: Hardware
    ) -> Workload:
        policy = QuantizationPolicy(**quantization)  # type: ignore[arg-type]  # it checks every field
        layer = calibrate(self.observed, policy, *(sizes_of(hardware) or ())).layer()
        return Workload(Scenario(layer.name, layer, hardware), (self._exact,))

    @cached_property
    def _exact(self) -> FloatArray:
        """The real outputs of the sample that is simulated, without bias."""
        sample = self.observed.held_out[0]
        exact: FloatArray = finite_matmul(sample.weight, sample.activation, dtype=np.float64)
        return exact


def _scenario_start(given: Scenario | Path | str, hardware: Hardware | Path | str | None) -> _ScenarioStart:
    found = given if isinstance(given, Scenario) else load_scenario(Path(given))
    if isinstance(found, Study):
        names = ", ".join(each.name for each in found.scenarios)
        raise ConfigError("sweep.scenario", f"a study of several scenarios: {names}", "one scenario")
    found = replace(found.with_hardware(hardware, {}), layer=tuple(map(_placed, found.layers)))
    machine = found.resolved_hardware()
    return _ScenarioStart(replace(found, hardware=machine, settings={}), machine, _drawn_fields(found.layers))


def _placed(layer: LayerLike) -> LayerLike:
    """Return a layer; of one in a file the place is the same for workers that run in other folders."""
    if isinstance(layer, str | Path):
        return layer_file(layer_path(layer).absolute())
    return replace(layer, path=layer.path.absolute()) if isinstance(layer, LayerFile) else layer


def _drawn_fields(layers: Sequence[LayerLike]) -> tuple[str, ...]:
    """Return the fields that can be set of layers which are drawn; none where one has operands of its own."""
    are_drawn = all(isinstance(layer, MaskedLayer) or getattr(layer, "recipe", None) for layer in layers)
    return _RECIPE if are_drawn else ()


def _redrawn(layer: LayerLike, changes: Mapping[str, object]) -> LayerLike:
    if isinstance(layer, MaskedLayer):
        return replace(layer, **changes)  # type: ignore[arg-type]  # it checks every field
    assert isinstance(layer, GemmLayer)  # nothing else has fields that can be set
    assert layer.recipe is not None
    return replace(
        synthetic_layer(**{**layer.recipe, **changes}),  # type: ignore[arg-type]  # the same
        output=layer.output,
        source=layer.source,
    )
