"""A model file with samples as a scenario: its layers with the integers of one of them, in files until they run."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from panacea_sim.calibration.policy import QuantizationPolicy
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.hardware.vector_sizes import sizes_of
from panacea_sim.onnx_models.load import load_model
from panacea_sim.report.progress import shown_progress
from panacea_sim.running.network import check_operand_machine, operand_scenario
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.temporary import temporary_folder
from panacea_sim.workload.layer_file import LayerFile, stored_layer

if TYPE_CHECKING:
    from panacea_sim.onnx_models.imported import ImportedModel

__all__ = ["StoredModel", "model_scenario", "stored_model"]

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

    `clips` says that integer weights of more than 7 bits are clipped. Raises ConfigError naming a layer.
    """
    # It imports onnx and onnxruntime, which may be missing.
    from panacea_sim.onnx_models.simulated_layers import simulated_layers  # noqa: PLC0415

    assert model.samples is not None  # a model with sizes alone has no operands
    stored: dict[str, LayerFile] = {}
    clipped = 0
    chosen, sizes = policy or QuantizationPolicy(), sizes_of(hardware) or _DEFAULT_SIZES
    layers = simulated_layers(model, model.samples, sample, chosen, sizes, clips=clips, tell=tell)
    for number, each in enumerate(layers):
        stored[each.layer.name] = stored_layer(each.layer, folder / f"{number}.npz")
        clipped += each.clipped
    return StoredModel(operand_scenario(model.network, stored, hardware), clipped)
