"""The command `convert`: files of other simulators become ours, and what does not carry over is said."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from panacea_sim.commands.options import Force
from panacea_sim.commands.output import tell
from panacea_sim.commands.written import print_written, written

__all__ = ["convert_command"]


def convert_command(
    file: Annotated[
        Path,
        typer.Argument(help="A .cfg or topology .csv of SCALE-Sim, or a workload .yaml of ZigZag.", metavar="FILE"),
    ],
    *,
    out: Annotated[Path, typer.Option(help="YAML file to write: hardware or a network.")],
    force: Force = False,
) -> None:
    """Make a file of another simulator into hardware or a network.

    What is not the same there is told line by line, and stands in the file that is written.
    """
    from panacea_sim.peers.convert import converted

    made = converted(file)
    with written(out, force=force) as (beside,), beside.open("w", encoding="utf-8") as opened:
        made.write(opened)
    for remark in made.remarks:
        tell(f"not the same: {remark}")
    print_written(out)
