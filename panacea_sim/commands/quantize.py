"""The command `quantize`: the real operands of one layer become a LAYER.npz, with what that skips and costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panacea_sim.commands.calibration_options import Activations, Bits, Dbs, Machine, MinSqnr, Search, Weights, Zpm
from panacea_sim.commands.options import Force, Json
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.calibration.calibrated import LayerRecord
    from panacea_sim.calibration.search import Search as Found

__all__ = ["quantize_command"]


def quantize_command(  # noqa: PLR0913  # its options
    layer: Annotated[Path, typer.Argument(help="A FLOAT.npz file with real weight and activation.")],
    *,
    out: Annotated[Path | None, typer.Option(help="LAYER.npz to write.")] = None,
    activations: Activations = "minmax",
    zpm: Zpm = "auto",
    dbs: Dbs = "z=2,midpoint",
    weights: Weights = "per-channel",
    bits: Bits = "7,8",
    search: Search = False,
    min_sqnr: MinSqnr = None,
    picture: Annotated[Path | None, typer.Option(help="Draw what --search found; .png, .svg or .pdf.")] = None,
    sample: Annotated[int, typer.Option(help="The held-out sample whose codes are written.")] = 0,
    hardware: Machine = "panacea",
    as_json: Json = False,
    force: Force = False,
) -> None:
    """Quantize real operands of your own layer.

    Tells what each step skips and what it costs; the last quarter of the samples judges.
    """
    for option, given in (("--min-sqnr", min_sqnr), ("--picture", picture)):
        if given is not None and not search:
            raise ConfigError(option, given, "--search beside it: it is about the search")
    from panacea_sim.calibration.calibrated import calibrate, record_of
    from panacea_sim.calibration.float_file import read_float_layer
    from panacea_sim.calibration.policy import parse_policy
    from panacea_sim.calibration.search import search as search_policies
    from panacea_sim.commands.vector_sizes import vector_sizes
    from panacea_sim.commands.written import print_written, written
    from panacea_sim.report.picture import check_ending
    from panacea_sim.workload.npz import save_layer

    policy = parse_policy(activations, zpm, dbs, weights, bits)
    ending = None if picture is None else check_ending(picture, "--picture")
    sizes = vector_sizes(hardware)
    observed = read_float_layer(layer)
    found = search_policies(observed, policy, min_sqnr, *sizes) if search else None
    chosen = calibrate(observed, policy if found is None else found.chosen.scales.policy, *sizes)
    codes = chosen.layer(sample)
    files = [path for path in (out, picture) if path is not None]
    with written(*files, force=force) as besides:
        for path, beside in zip(files, besides, strict=True):
            if path == out:
                with beside.open("wb") as file:
                    save_layer(codes, file)
            elif found is not None and ending is not None:
                from panacea_sim.report.frontier import write_frontier

                write_frontier(found, beside, ending)
    _show(record_of(chosen), found, as_json=as_json)
    if not as_json:
        print_written(*files)


def _show(chosen: LayerRecord, found: Found | None, *, as_json: bool) -> None:
    from panacea_sim.report import calibration
    from panacea_sim.report.tables import output_console

    if as_json:
        searched = {} if found is None else {"search": calibration.searched_row(found)}
        print(json.dumps({"layer": calibration.calibrated_row(chosen), **searched}, indent=2))  # noqa: T201
        return
    console = output_console()
    if found is not None:
        calibration.print_search(console, found)
    calibration.print_calibrated(console, [chosen])
