"""What `run` does with an ONNX model and samples: its layers with the integers of a held-out sample, as a scenario."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.hardware.config import Hardware
    from panacea_sim.running.scenario import Scenario

__all__ = ["ModelOperands", "check_model_options", "operands_of_model"]


@dataclass(frozen=True)
class ModelOperands:
    """The options that say which operands of a model are simulated."""

    data: Path
    sample: int | None
    clip_to: int | None
    weight_bits: int | None


def check_model_options(data: Path | None, sample: int | None, clip_to: int | None, profile: str | None) -> None:
    """Raise ConfigError for options of operands without samples, for a profile beside them, and for other widths."""
    for option, value in (("--sample", sample), ("--clip-to", clip_to)):
        if value is not None and data is None:
            raise ConfigError(option, value, "--data beside it: it is about the operands of samples")
    if profile is not None and data is not None:
        raise ConfigError("--profile", profile, "nothing beside --data: densities are those of the operands")
    if clip_to not in (None, 7):
        raise ConfigError("--clip-to", clip_to, "7, the bits to which wider stored weights are clipped")


@contextmanager
def operands_of_model(path: Path, operands: ModelOperands, hardware: Hardware) -> Iterator[tuple[Scenario, list[str]]]:
    """Give the scenario of a model with the operands of a sample, and what is to be told of them.

    Its layers lie in files until the end. Raises ConfigError naming the option or the file.
    """
    from panacea_sim.onnx_models.load import load_model
    from panacea_sim.onnx_models.simulated_layers import check_clipping
    from panacea_sim.report.progress import shown_progress
    from panacea_sim.running.model_scenario import sized_policy, stored_model
    from panacea_sim.running.network import check_operand_machine
    from panacea_sim.running.operand_notes import operand_notes
    from panacea_sim.running.temporary import temporary_folder

    check_operand_machine(hardware)
    sample = operands.sample or 0
    model = load_model(path, operands.data, held_out=sample, weight_bits=operands.weight_bits)
    if operands.clip_to is not None:
        check_clipping(model)
    clips = operands.clip_to is not None
    with temporary_folder() as folder:
        with shown_progress(f"operands of {path.name}") as tell:
            found = stored_model(model, Path(folder), hardware, sample, clips=clips, tell=tell)
        policies = [("", sized_policy(hardware).policy)]
        lines = list(operand_notes(model, sample, policies, found.clipped if clips else None))
        description = " ".join([model.network.graph["description"] + ".", *lines])
        yield replace(found.scenario, description=description), lines
