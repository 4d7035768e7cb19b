"""The command `quantize`: the real operands of one layer become a LAYER.npz, with what that skips and costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from panacea_sim.commands.options import Force, Json
from panacea_sim.errors import ConfigError

if TYPE_CHECKING:
    from panacea_sim.calibration.calibrated import LayerRecord
    from panacea_sim.calibration.search import Search

__all__ = ["quantize_command"]


def quantize_command(  # noqa: PLR0913  # its options
    layer: Annotated[Path, typer.Argument(help="A FLOAT.npz file with real weight and activation.")],
    *,
    out: Annotated[Path | None, typer.Option(help="LAYER.npz to write.")] = None,
    activations: Annotated[str, typer.Option(help="Range of activations: minmax or percentile:99.9.")] = "minmax",
    zpm: Annotated[str, typer.Option(help="Move the zero point: auto, on or off.")] = "auto",
    dbs: Annotated[str, typer.Option(help="Widen the LO field: off, z=2,midpoint or z=2,floor.")] = "z=2,midpoint",
    weights: Annotated[str, typer.Option(help="Scales of weights: per-channel or per-tensor.")] = "per-channel",
    bits: Annotated[str, typer.Option(help="Bits of weights and activations.")] = "7,8",
    search: Annotated[bool, typer.Option("--search", help="Try policies, take what skips most.")] = False,
    min_sqnr: Annotated[
        float | None, typer.Option(help="Least SQNR of --search in dB (default: 3 dB below plain min-max).")
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Draw what --search found; .png, .svg or .pdf.")] = None,
    sample: Annotated[int, typer.Option(help="The held-out sample whose codes are written.")] = 0,
    hardware: Annotated[str, typer.Option(help="Preset or YAML file whose vectors count.")] = "panacea",
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
    from panacea_sim.commands.written import print_written, written
    from panacea_sim.hardware.config import load_hardware
    from panacea_sim.report.picture import check_ending
    from panacea_sim.workload.npz import save_layer

    policy = parse_policy(activations, zpm, dbs, weights, bits)
    ending = None if picture is None else check_ending(picture, "--picture")
    machine = load_hardware(hardware)
    lanes = getattr(machine, "v", None)
    if lanes is None:
        raise ConfigError("--hardware", hardware, "a machine whose values are vectors of slices")
    observed = read_float_layer(layer)
    found = search_policies(observed, policy, min_sqnr, lanes, machine.tile_k) if search else None
    if found is not None:
        policy = found.chosen.scales.policy
    chosen = calibrate(observed, policy, lanes, machine.tile_k)
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


def _show(chosen: LayerRecord, found: Search | None, *, as_json: bool) -> None:
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
