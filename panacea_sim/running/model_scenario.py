"""A model file with samples as a scenario: its layers with the integers of one of them, in files until they run."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.hardware.vector_sizes import sizes_of
from panacea_sim.machines.machine import machine_of
from panacea_sim.onnx_models.load import load_model
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.network import check_operand_machine, operand_scenario
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.temporary import temporary_folder
from panacea_sim.workload.layer_file import LayerFile, stored_layer

if TYPE_CHECKING:
    from panacea_sim.calibration.calibrated import LayerScales
    from panacea_sim.onnx_models.imported import ImportedModel
    from panacea_sim.onnx_models.simulated_layers import SizedPolicy

__all__ = [
    "StoredModel",
    "StoredVariants",
    "model_scenario",
    "sized_policy",
    "stored_model",
    "stored_variants",
]

_NO_SETTINGS: Mapping[str, object] = MappingProxyType({})
_DEFAULT_SIZES = (4, 32)
"""v and T_K for machines without vectors of slices: those of `panacea`."""


@dataclass(frozen=True)
class StoredModel:
    """The scenario of a model whose operands lie in files, and how many of its integer weights were clipped."""

    scenario: Scenario
    clipped: int


def model_scenario(
    path: str | Path,
    data: str | Path,
    hardware: Hardware | Path | str = "panacea",
    settings: Mapping[str, object] = _NO_SETTINGS,
    *,
    name: str = "",
    sample: int = 0,
    policy: QuantizationPolicy | None = None,
) -> Scenario:
    """Return the scenario of an ONNX model with the operands of a held-out sample, as `run MODEL --data` has it.

    `data` is an .npz file: input name -> samples x shape. Real operands are quantized by the policy, integers taken as
    they are. They lie in temporary files until the process ends. `name` is that of the scenario, by default that of the
    file. Raises ConfigError naming the file, or a layer.
    """
    path = Path(path)
    machine = hardware if isinstance(hardware, Hardware) else load_hardware(hardware, settings)
    check_operand_machine(machine)
    model = load_model(path, data, held_out=sample)
    folder = temporary_folder()
    atexit.register(folder.cleanup)
    with shown_progress(f"operands of {path.name}") as tell:
        found = stored_model(model, Path(folder.name), machine, sample, policy, tell=tell).scenario
    return replace(found, name=name or found.name, description=model.network.graph["description"])


def stored_model(
    model: ImportedModel,
    folder: Path,
    hardware: Hardware,
    sample: int = 0,
    policy: QuantizationPolicy | None = None,
    *,
    clips: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> StoredModel:
    """Write the operands of a model with samples into a folder, layer by layer, and return its scenario.

    Real operands become integers as the machine has them where the policy is asked for. `clips` says that integer
    weights of more than 7 bits are clipped. Raises ConfigError naming a layer.
    """
    found = stored_variants(model, folder, [sized_policy(hardware, policy)], sample, clips=clips, tell=tell)
    return StoredModel(operand_scenario(model.network, found.layers[0], hardware), found.clipped)


def sized_policy(hardware: Hardware, policy: QuantizationPolicy | None = None) -> SizedPolicy:
    """Return how real operands become integers on a machine where a policy is asked for, or the default one."""
    from panacea_sim.onnx_models.simulated_layers import SizedPolicy  # noqa: PLC0415  # it imports onnx

    own = machine_of(hardware).policy(policy or QuantizationPolicy())
    # Sizes decide whether zero points are moved, and nothing else.
    return SizedPolicy(own, _DEFAULT_SIZES if own.zpm == "off" else sizes_of(hardware) or _DEFAULT_SIZES)


@dataclass(frozen=True, eq=False)
class StoredVariants:
    """The layers of a model by several policies, in files, by name; and the scales of those with real operands.

    `clipped` counts integer weights that were clipped.
    """

    layers: tuple[Mapping[str, LayerFile], ...]
    scales: tuple[Mapping[str, LayerScales], ...]
    clipped: int


def stored_variants(
    model: ImportedModel,
    folder: Path,
    policies: Sequence[SizedPolicy],
    sample: int = 0,
    *,
    clips: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _total: None,
) -> StoredVariants:
    """Write the operands of a model by each policy into a folder, layer by layer; raises ConfigError naming a layer."""
    # It imports onnx and onnxruntime, which may be missing.
    from panacea_sim.onnx_models.simulated_layers import simulated_variants  # noqa: PLC0415

    assert model.samples is not None  # a model with sizes alone has no operands
    layers: list[dict[str, LayerFile]] = [{} for _ in policies]
    scales: list[dict[str, LayerScales]] = [{} for _ in policies]
    clipped = 0
    variants = simulated_variants(model, model.samples, sample, policies, clips=clips, tell=tell)
    for number, found in enumerate(variants):
        files: dict[int, LayerFile] = {}
        clipped += found[0].clipped
        for which, each in enumerate(found):
            if id(each) not in files:
                files[id(each)] = stored_layer(each.layer, folder / f"{number}-{which}.npz")
            layers[which][each.layer.name] = files[id(each)]
            if each.scales is not None:
                scales[which][each.layer.name] = each.scales
    return StoredVariants(tuple(layers), tuple(scales), clipped)
