"""The command `calibrate`: the layers of an ONNX model by a policy, with what that skips and costs the whole model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panacea_sim.commands.calibration_options import Activations, Bits, Dbs, Machine, MinSqnr, Search, Weights, Zpm
from panacea_sim.commands.options import Force, Json
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.calibration.policy import QuantizationPolicy
    from panacea_sim.onnx_models.calibrated_model import CalibratedModel

__all__ = ["calibrate_command"]

_CONTENT, _TABLE, _PROFILE, _PICTURE = "calibration.json", "layers.csv", "profile.yaml", "frontier.png"


def calibrate_command(  # noqa: PLR0913  # its options
    model: Annotated[Path, typer.Argument(help="An ONNX model with real numbers.")],
    *,
    data: Annotated[Path, typer.Option(help="Samples, an .npz file: input name -> samples x shape.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write, with figures as JSON and CSV.")] = None,
    activations: Activations = "minmax",
    zpm: Zpm = "auto",
    dbs: Dbs = "z=2,midpoint",
    weights: Weights = "per-channel",
    bits: Bits = "7,8",
    search: Search = False,
    min_sqnr: MinSqnr = None,
    hardware: Machine = "panacea",
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Quantize the layers of a model: what is skipped, what is lost.

    The last quarter of the samples judges: layer by layer, and the outputs of the model with quantized products.
    """
    if min_sqnr is not None and not search:
        raise ConfigError("--min-sqnr", min_sqnr, "--search beside it: it is about the search")
    from panacea_sim.calibration.policy import parse_policy
    from panacea_sim.commands.vector_sizes import vector_sizes
    from panacea_sim.commands.written import print_written, written
    from panacea_sim.report import calibrated_model as report
    from panacea_sim.report.tables import output_console
    from panacea_sim.trace.new_file import check_new_file

    policy, sizes = parse_policy(activations, zpm, dbs, weights, bits), vector_sizes(hardware)
    files = (
        [] if out is None else [out / name for name in (_CONTENT, _TABLE, _PROFILE, *([_PICTURE] if search else []))]
    )
    if out is not None and out.exists() and not out.is_dir():
        raise ConfigError("--out", f"{str(out)!r}, a file", "a folder, new or of an earlier calibration")
    for path in files:
        if path.parent.exists():
            check_new_file(path, force=force)
    found = _calibrated(model, data, policy, sizes, min_sqnr, searched=search)
    content = json.dumps(report.model_content(found), indent=2)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    with written(*files, force=force) as besides:
        for path, beside in zip(files, besides, strict=True):
            _write(found, content, path.name, beside)
    if as_json:
        print(content)  # noqa: T201  # rich would wrap it
        return
    report.print_model(output_console(), found)
    print_written(*files)


def _write(found: CalibratedModel, content: str, name: str, path: Path) -> None:
    """Write the file of this name."""
    from panacea_sim.report import calibrated_model as report

    if name == _CONTENT:
        path.write_text(content + "\n", encoding="utf-8")
    elif name == _TABLE:
        report.write_table(found, path)
    elif name == _PROFILE:
        report.write_profile(found, path)
    else:
        from panacea_sim.report.frontier import write_network_frontier

        write_network_frontier(found.searches, path, "png")


def _calibrated(
    model: Path,
    data: Path,
    policy: QuantizationPolicy,
    sizes: tuple[int, int],
    min_sqnr: float | None,
    *,
    searched: bool,
) -> CalibratedModel:
    from panacea_sim.onnx_models.calibrated_model import calibrate_model
    from panacea_sim.onnx_models.load import load_model
    from panacea_sim.report.progress import shown_progress

    imported = load_model(model, data)
    assert imported.samples is not None  # those of --data
    with shown_progress(f"calibrating {model.name}") as tell:
        return calibrate_model(
            imported, imported.samples, policy, sizes, searched=searched, min_sqnr_db=min_sqnr, tell=tell
        )
